//! Handles: how they print, compare, hash and serialize, which is the same for every entity type.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash as _, Hasher};

use crate::base::id::Id;
pub use crate::base::id::parse_handle;
use crate::db::entity::{Entity as _, Handle};

/// Panics: the macro generates the states and the type, so that each state that is found is known.
#[cold]
pub fn no_such_state(entity: &str, state: u8) -> ! {
    unreachable!("{entity} has no state {state}")
}

/// Formats a handle as `Partition/3.1`.
///
/// # Errors
/// Those of the formatter.
pub fn show(entity: &str, id: Id, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{entity}/{id}")
}

// Functions instead of operators in the generated code: a call of a function that is not generic takes the compiler
// least time, and each entity type has one of each.

/// Whether two ids are equal.
#[must_use]
#[inline]
pub fn same(a: Id, b: Id) -> bool {
    a == b
}

/// The order of two ids.
#[must_use]
#[inline]
pub fn order(a: Id, b: Id) -> Ordering {
    a.cmp(&b)
}

/// Hashes an id.
#[inline]
pub fn hash(id: Id, state: &mut impl Hasher) {
    id.hash(state);
}

/// Serializes a handle: `"Partition/3.1"` in formats for people, a number in others.
///
/// # Errors
/// Those of the serializer.
pub fn write_handle<Z: serde::Serializer>(
    entity: &str,
    id: Id,
    serializer: Z,
) -> Result<Z::Ok, Z::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(&format_args!("{entity}/{id}"))
    } else {
        serializer.serialize_u64(id.to_bits())
    }
}

/// Deserializes what [`write_handle`] serializes.
///
/// # Errors
/// If it is not a handle, or of another type.
pub fn read_handle<'de, H: Handle, Z: serde::Deserializer<'de>>(
    deserializer: Z,
) -> Result<H, Z::Error> {
    use serde::Deserialize;
    use serde::de::Error;
    let id = if deserializer.is_human_readable() {
        let text = String::deserialize(deserializer)?;
        parse_handle(H::Entity::NAME, &text).map_err(Z::Error::custom)?
    } else {
        let bits = u64::deserialize(deserializer)?;
        let id = Id::from_bits(bits);
        id.ok_or_else(|| Z::Error::custom(format_args!("{bits} is not an id")))?
    };
    Ok(H::from_id(id))
}
