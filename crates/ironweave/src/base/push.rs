//! Appending to a vector that nearly always has room.

/// As [`Vec::push`], whose growth the compiler takes to be as likely as room, so that it keeps in memory all values that are in
/// use across the call. Here it takes growth to be rare.
#[inline(always)]
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
    // The path of `extend` that grows the vector is cold.
    list.extend(std::iter::once(item));
}
