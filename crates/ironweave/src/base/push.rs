//! Appending to vectors where nearly all of them have room.

/// As [`Vec::push`], whose growth the compiler takes to be as likely as room: then it keeps in memory what is in use across the
/// call that grows the vector, and so do the pushes that do not need it.
#[inline(always)]
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
    // The growth of `extend` is cold.
    list.extend(std::iter::once(item));
}

/// [`push`] of two items.
#[inline(always)]
pub(crate) fn push_both<T>(list: &mut Vec<T>, first: T, second: T) {
    list.extend(std::iter::once(first).chain(std::iter::once(second)));
}
