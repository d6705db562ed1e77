//! What is written is what is read: a value that would be read back as another is refused before it is written anywhere.
//!
//! Numbers, texts and the like are written and read by code of ours and are known to come back; which types those
//! are is decided when the program is compiled, so that they cost nothing. Any other value is written, read back,
//! and compared: the calls that it makes to its serializer (see [`calls`](super::calls)), and where its type has
//! `PartialEq`, by that, which also sees what is not serialized at all.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Calls;
use super::write::ValueWriter;
use super::{DEPTH_MAX, EncodeError, decode, encode_value};
use crate::base::time::AsNumbers;
use crate::base::time::Timestamp;

/// Whether two values of one type are equal.
pub type Equal = fn(&dyn Any, &dyn Any) -> bool;

/// Whether all values of a type are known to come back as they were.
#[inline]
#[must_use]
pub fn is_faithful<T: 'static>() -> bool {
    // Decided when it is compiled, for a given `T`.
    let ty = TypeId::of::<T>();
    macro_rules! any_of {
        ($($ty:ty),*) => {
            false $(
                || ty == TypeId::of::<$ty>()
                || ty == TypeId::of::<Option<$ty>>()
                || ty == TypeId::of::<Vec<$ty>>()
                || ty == TypeId::of::<Option<Vec<$ty>>>()
                || ty == TypeId::of::<Vec<Option<$ty>>>()
            )*
        };
    }
    ty == TypeId::of::<()>()
        || any_of!(
            String, u64, u32, u16, u8, i64, i32, i16, i8, bool, Timestamp, f64, f32, u128, i128,
            usize, isize, char, Duration, PathBuf
        )
}

/// Appends a value in CBOR, unless it would be read back as another; `equal` is asked where that has to be seen.
///
/// # Errors
/// Why it cannot be written, or what would become of it.
#[inline]
pub(crate) fn encode_faithful<T: Serialize + DeserializeOwned + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
    equal: impl FnOnce() -> Option<Equal>,
) -> Result<(), EncodeError> {
    if is_faithful::<T>() {
        encode_value(value, bytes)
    } else {
        encode_compared(value, bytes, equal())
    }
}

/// The same, whatever the type is.
#[inline(never)]
pub(super) fn encode_compared<T: Serialize + DeserializeOwned + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
    equal: Option<Equal>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let compared = write_compared(value, bytes, equal);
    if compared.is_err() {
        bytes.truncate(start);
    }
    compared
}

/// How often a value is read back that may contain a collection with a random order. The probability that such a collection
/// has the same order every time is one in a thousand.
const READINGS: u32 = 10;

fn write_compared<T: Serialize + DeserializeOwned + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
    equal: Option<Equal>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let _as_numbers = AsNumbers::begin();
    let (mut calls, mut again) = (Vec::with_capacity(256), Vec::with_capacity(256));
    let mut writer = ValueWriter::new(Some(bytes), Calls::Recorded(&mut calls), DEPTH_MAX);
    writer.write(value)?;
    let readings = if writer.has_unknown_order {
        READINGS
    } else {
        1
    };
    for _ in 0..readings {
        let read: T = decode(&bytes[start..]).map_err(unreadable)?;
        again.clear();
        let mut writer = ValueWriter::new(None, Calls::Recorded(&mut again), DEPTH_MAX);
        if read.serialize(&mut writer).is_err() || again != calls {
            return Err(difference(&read, &calls));
        }
        // What is not equal to itself, as NaN, says nothing.
        if equal.is_some_and(|equal| !equal(value, &read) && equal(value, value)) {
            return Err(EncodeError::new(
                "it would be read back as one that is not equal to it, though both are serialized alike; a field of it may be skipped or shortened, or two variants of an untagged enum look the same",
            ));
        }
    }
    Ok(())
}

/// Where what was read back first makes another call than what was written. To compare call by call takes longer than
/// to record all and compare at once, so it is done only where they differ.
#[cold]
fn difference<T: Serialize>(read: &T, calls: &[u8]) -> EncodeError {
    let mut writer = ValueWriter::new(None, Calls::Expected(calls), DEPTH_MAX);
    match read.serialize(&mut writer) {
        Err(e) => e.into(),
        Ok(()) => EncodeError::new("it would be read back as part of it"),
    }
}

#[cold]
fn unreadable(e: super::DecodeError) -> EncodeError {
    let mut text = format!("it could not be read back: {e}");
    if text.contains("missing field") {
        text += "; give the field a `#[serde(default)]`";
    }
    EncodeError::new(text)
}

/// Whether two values are equal.
pub(crate) fn equal<T: PartialEq + 'static>(a: &dyn Any, b: &dyn Any) -> bool {
    match (a.downcast_ref::<T>(), b.downcast_ref::<T>()) {
        (Some(a), Some(b)) => a == b,
        // They are compared by those who know the type.
        _ => true,
    }
}

/// How two values of `T` are compared: `Equality::<T>::OF` is by `PartialEq` where `T` has it and [`Unequal`] is in
/// scope, since what a type has of its own comes before what a trait gives to all.
pub struct Equality<T>(PhantomData<T>);

impl<T: PartialEq + 'static> Equality<T> {
    /// By `PartialEq`.
    pub const OF: Option<Equal> = Some(equal::<T>);
}

/// See [`Equality`].
pub trait Unequal {
    /// In no way.
    const OF: Option<Equal> = None;
}

impl<T> Unequal for Equality<T> {}
