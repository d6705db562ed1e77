//! The check that values round trip: a value that would be decoded as a different value is rejected before it is written
//! anywhere.
//!
//! Numbers, texts and similar types are encoded and decoded by this crate and always round trip. The compiler determines
//! which types these are, so their check costs nothing. Any other value is encoded, decoded and compared. The comparison
//! is of the calls that the two values make to their serializer (see [`calls`](super::calls)). If the type has `PartialEq`,
//! the values are also compared with it, which finds differences in parts that are not serialized.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Calls;
use super::encoded::EncodedValue;
use super::write::ValueWriter;
use super::{DEPTH_MAX, EncodeError, decode, encode_value};
use crate::base::time::{NumericTimes, Timestamp};

/// Compares two values of one type and returns whether they are equal.
pub type Equal = fn(&dyn Any, &dyn Any) -> bool;

/// Returns whether all values of a type are known to round trip.
#[inline]
#[must_use]
pub fn is_faithful<T: 'static>() -> bool {
    // For a given `T`, the compiler evaluates this.
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
        || ty == TypeId::of::<EncodedValue>()
        || any_of!(
            String, u64, u32, u16, u8, i64, i32, i16, i8, bool, Timestamp, f64, f32, u128, i128,
            usize, isize, char, Duration, PathBuf
        )
}

/// Appends the CBOR encoding of a value, unless it would be decoded as a different value. `equal` is called if the values
/// must be compared.
///
/// # Errors
/// The reason why the value cannot be encoded, or what it would be decoded as.
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

/// As [`encode_faithful`], but decodes and compares values of all types.
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

/// The number of times that a value is decoded which may contain a collection with a random order. Two elements have the
/// same order each time with a probability of 1 in 1024.
const READINGS: u32 = 10;

fn write_compared<T: Serialize + DeserializeOwned + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
    equal: Option<Equal>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let _numeric_times = NumericTimes::begin();
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
        // A value that is not equal to itself, such as NaN, cannot be compared.
        if equal.is_some_and(|equal| !equal(value, &read) && equal(value, value)) {
            return Err(EncodeError::new(
                "it would be read back as a value that is not equal to it, although both have the same serialization; a \
                 field may be skipped or shortened, or two variants of an untagged enum may look the same",
            ));
        }
    }
    Ok(())
}

/// Returns the error for the first call of the decoded value that differs from the written one. Comparing call by call takes
/// longer than recording all calls and comparing them at once, so it is done only after a difference was found.
#[cold]
fn difference<T: Serialize>(read: &T, calls: &[u8]) -> EncodeError {
    let mut writer = ValueWriter::new(None, Calls::Expected(calls), DEPTH_MAX);
    match read.serialize(&mut writer) {
        Err(e) => e.into(),
        Ok(()) => EncodeError::new("only a part of it would be read back"),
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

/// Returns whether two values of type `T` are equal.
pub(crate) fn equal<T: PartialEq + 'static>(a: &dyn Any, b: &dyn Any) -> bool {
    match (a.downcast_ref::<T>(), b.downcast_ref::<T>()) {
        (Some(a), Some(b)) => a == b,
        // The callers pass only values of `T`.
        _ => true,
    }
}

/// Provides the comparison of two values of `T`. With [`Unequal`] in scope, `Equality::<T>::OF` is `Some` if `T` has
/// `PartialEq`, and `None` otherwise: an inherent constant takes precedence over that of a trait.
pub struct Equality<T>(PhantomData<T>);

impl<T: PartialEq + 'static> Equality<T> {
    /// Compares with `PartialEq`.
    pub const OF: Option<Equal> = Some(equal::<T>);
}

/// Provides [`Equality`] for types without `PartialEq`.
pub trait Unequal {
    /// The values are not compared.
    const OF: Option<Equal> = None;
}

impl<T> Unequal for Equality<T> {}
