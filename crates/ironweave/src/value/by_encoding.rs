//! Values of types that only a schema describes: how a graph without the types of the program keeps them, and the functions that
//! compare and calculate them.
//!
//! Numbers, `bool` and times are kept as these types, other values in their encoding, as in the columns of a logged schema.

use std::any::Any;
use std::cmp::Ordering;
use std::time::Duration;

use minicbor::Decoder;
use minicbor::data::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::time::Timestamp;
use crate::schema::{Arithmetic, Encoding, EntityIx, EventFieldDef, Schema};
use crate::value::arithmetic::{CheckedAdd, CheckedSub};
use crate::value::calculate::{
    CalculatedValue, ValueFunction, Whole, compare, difference, number, sum,
};
use crate::value::encoded::EncodedValue;
use crate::value::item::{array, map, raw_item};
use crate::value::{decode, encode};

/// Calls a macro with each encoding whose values are kept as a Rust type, and that type.
macro_rules! plain {
    ($encoding:expr, $ty:ident => $plain:expr, $other:expr) => {
        plain!(@ $encoding, $ty, $plain, $other,
            Bool: bool, U8: u8, U16: u16, U32: u32, U64: u64, I8: i8, I16: i16, I32: i32, I64: i64,
            Timestamp: Timestamp)
    };
    (@ $encoding:expr, $ty:ident, $plain:expr, $other:expr, $($of:ident: $is:ty),*) => {
        match $encoding {
            $(Encoding::$of => { type $ty = $is; $plain })*
            _ => $other,
        }
    };
}

/// Returns a value in CBOR as a column of the encoding keeps it, or `None` if it does not have the encoding.
pub(crate) fn kept(encoding: &Encoding, bytes: &[u8]) -> Option<CalculatedValue> {
    plain!(encoding, T => Some(Box::new(decode::<T>(bytes).ok()?)), {
        Some(Box::new(EncodedValue::new(bytes).ok()?))
    })
}

/// Returns whether values with the two encodings are kept as values of one Rust type.
pub(crate) fn are_kept_alike(a: &Encoding, b: &Encoding) -> bool {
    a == b || !is_plain(a) && !is_plain(b)
}

fn is_plain(encoding: &Encoding) -> bool {
    plain!(encoding, T => { let _: Option<T> = None; true }, false)
}

/// Returns whether the encoding says all about its values: none is of a type that the program defines.
pub(crate) fn is_described(encoding: &Encoding, schema: &Schema) -> bool {
    match encoding {
        Encoding::Serde => false,
        Encoding::Option(of) | Encoding::List(of) => is_described(of, schema),
        Encoding::Key(entity) => (key_encodings(schema, *entity))
            .all(|part| part.is_some_and(|part| is_described(part, schema))),
        _ => true,
    }
}

/// Returns the encoding of a field of an event with what its type says of it: an `Option` of a type of the program may be nothing,
/// and a list of them may be empty.
pub(crate) fn of_field(field: &EventFieldDef) -> Option<Encoding> {
    Some(match field.encoding.as_ref()? {
        Encoding::Serde if field.ty.starts_with("Option<") => {
            Encoding::Option(Box::new(Encoding::Serde))
        }
        Encoding::Serde if field.ty.starts_with("Vec<") => {
            Encoding::List(Box::new(Encoding::Serde))
        }
        encoding => encoding.clone(),
    })
}

/// Returns the encodings of the parts of the key of an entity type. A part of an older log may have none.
pub(crate) fn key_encodings(
    schema: &Schema,
    entity: EntityIx,
) -> impl Iterator<Item = Option<&Encoding>> {
    let of_key = schema
        .columns
        .iter()
        .filter(move |column| column.key && column.entity == entity);
    of_key.map(|column| column.encoding.as_ref())
}

/// Returns the function that compares values with these encodings, or `None` if their order is that of a type of the program.
pub(crate) fn comparison(a: &Encoding, b: &Encoding, schema: &Schema) -> Option<ValueFunction> {
    if a != b || !is_described(a, schema) {
        return None;
    }
    Some(plain!(a, T => compare::<T, T>(), {
        ValueFunction::Compare(|a, b| compare_items(item(a)?, item(b)?))
    }))
}

/// Returns the function that reads an integer, or `None` if the values are no integers.
pub(crate) fn integer(encoding: &Encoding) -> Option<ValueFunction> {
    Some(match encoding {
        Encoding::U8 => number::<u8>(),
        Encoding::U16 => number::<u16>(),
        Encoding::U32 => number::<u32>(),
        Encoding::U64 => number::<u64>(),
        Encoding::I8 => number::<i8>(),
        Encoding::I16 => number::<i16>(),
        Encoding::I32 => number::<i32>(),
        Encoding::I64 => number::<i64>(),
        Encoding::U128 => ValueFunction::Number(|n| u128::given(n).map_or(0, |n| n.whole())),
        Encoding::I128 => ValueFunction::Number(|n| i128::given(n).map_or(0, |n| n.whole())),
        _ => return None,
    })
}

/// Returns the function that calculates a value from two others, and the encoding of what it calculates. `None` if it is the
/// arithmetic of a type of the program.
pub(crate) fn calculation(
    operator: Arithmetic,
    a: &Encoding,
    b: &Encoding,
) -> Option<(ValueFunction, Encoding)> {
    use Arithmetic::{Add, Subtract};
    macro_rules! integers {
        ($($of:ident: $ty:ty),*) => {
            match (operator, a, b) {
                $((Add, Encoding::$of, Encoding::$of) => sum::<$ty, $ty, $ty>(),
                (Subtract, Encoding::$of, Encoding::$of) => difference::<$ty, $ty, $ty>(),)*
                (Add, Encoding::U128, Encoding::U128) => added::<u128, u128>(),
                (Subtract, Encoding::U128, Encoding::U128) => subtracted::<u128, u128>(),
                (Add, Encoding::I128, Encoding::I128) => added::<i128, i128>(),
                (Subtract, Encoding::I128, Encoding::I128) => subtracted::<i128, i128>(),
                (Add, Encoding::Duration, Encoding::Duration) => added::<Duration, Duration>(),
                (Subtract, Encoding::Duration, Encoding::Duration) => {
                    subtracted::<Duration, Duration>()
                }
                (Add, Encoding::Timestamp, Encoding::Duration) => added::<Timestamp, Duration>(),
                (Subtract, Encoding::Timestamp, Encoding::Duration) => {
                    subtracted::<Timestamp, Duration>()
                }
                (Subtract, Encoding::Timestamp, Encoding::Timestamp) => {
                    return Some((subtracted::<Timestamp, Timestamp>(), Encoding::Duration));
                }
                _ => return None,
            }
        };
    }
    let function =
        integers!(U8: u8, U16: u16, U32: u32, U64: u64, I8: i8, I16: i16, I32: i32, I64: i64);
    Some((function, a.clone()))
}

/// A value whose type is known, kept as a column of its encoding keeps it.
trait Kept: Sized + 'static {
    /// Returns the value, or `None` if it is kept as another type.
    fn given(value: &dyn Any) -> Option<Self>;
    fn keep(self) -> Option<CalculatedValue>;
}

impl Kept for Timestamp {
    fn given(value: &dyn Any) -> Option<Self> {
        value.downcast_ref().copied()
    }

    fn keep(self) -> Option<CalculatedValue> {
        Some(Box::new(self))
    }
}

macro_rules! encoded {
    ($($ty:ty)*) => {$(
        impl Kept for $ty {
            fn given(value: &dyn Any) -> Option<Self> {
                of_item(value)
            }

            fn keep(self) -> Option<CalculatedValue> {
                in_item(&self)
            }
        }
    )*};
}

encoded! { u128 i128 Duration }

fn of_item<T: DeserializeOwned>(value: &dyn Any) -> Option<T> {
    decode(item(value)?).ok()
}

fn in_item<T: Serialize>(value: &T) -> Option<CalculatedValue> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).ok()?;
    Some(Box::new(EncodedValue::new(&bytes).ok()?))
}

fn added<A: Kept + CheckedAdd<B, Output: Kept>, B: Kept>() -> ValueFunction {
    ValueFunction::Calculate(|a, b| A::given(a)?.checked_sum(&B::given(b)?)?.keep())
}

fn subtracted<A: Kept + CheckedSub<B, Output: Kept>, B: Kept>() -> ValueFunction {
    ValueFunction::Calculate(|a, b| A::given(a)?.checked_difference(&B::given(b)?)?.keep())
}

/// Returns the encoding of a value that is kept in it.
fn item(value: &dyn Any) -> Option<&[u8]> {
    EncodedValue::bytes_of(value.downcast_ref::<EncodedValue>()?)
}

/// Compares two values in CBOR as their Rust types do, if they have one encoding that [describes](is_described) them: `None` is
/// less than any value, lists are compared item by item, and durations by seconds first.
fn compare_items(a: &[u8], b: &[u8]) -> Option<Ordering> {
    match (
        Decoder::new(a).datatype().ok()?,
        Decoder::new(b).datatype().ok()?,
    ) {
        (Type::Null, Type::Null) => Some(Ordering::Equal),
        (Type::Null, _) => Some(Ordering::Less),
        (_, Type::Null) => Some(Ordering::Greater),
        (Type::String, Type::String) => Some(text(a)?.cmp(text(b)?)),
        (Type::Bool, Type::Bool) => Some(decode::<bool>(a).ok()?.cmp(&decode(b).ok()?)),
        (Type::F16 | Type::F32 | Type::F64, Type::F16 | Type::F32 | Type::F64) => {
            float(a)?.partial_cmp(&float(b)?)
        }
        (Type::Array, Type::Array) => compare_all(items(a)?, &items(b)?),
        (Type::Map, Type::Map) => compare_all(values(a)?, &values(b)?),
        // Integers, also those that need more than 64 bits. None of their types has both negative ones and ones beyond `i128`.
        _ => match (decode::<i128>(a), decode::<i128>(b)) {
            (Ok(a), Ok(b)) => Some(a.cmp(&b)),
            _ => Some(decode::<u128>(a).ok()?.cmp(&decode(b).ok()?)),
        },
    }
}

fn compare_all(a: Vec<&[u8]>, b: &[&[u8]]) -> Option<Ordering> {
    for (a, b) in a.iter().zip(b) {
        match compare_items(a, b)? {
            Ordering::Equal => {}
            unequal => return Some(unequal),
        }
    }
    Some(a.len().cmp(&b.len()))
}

fn text(bytes: &[u8]) -> Option<&str> {
    Decoder::new(bytes).str().ok()
}

fn float(bytes: &[u8]) -> Option<f64> {
    match Decoder::new(bytes).datatype().ok()? {
        Type::F64 => Decoder::new(bytes).f64().ok(),
        _ => Decoder::new(bytes).f32().ok().map(f64::from),
    }
}

fn items(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut d = Decoder::new(bytes);
    let n = array(&mut d).ok()?;
    (0..n).map(|_| raw_item(&mut d).ok()).collect()
}

/// Returns the values of a map, in its order.
fn values(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut d = Decoder::new(bytes);
    let n = map(&mut d).ok()?;
    let value = |_| {
        raw_item(&mut d).ok()?;
        raw_item(&mut d).ok()
    };
    (0..n).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(value, &mut bytes).expect("it can be written");
        bytes
    }

    #[track_caller]
    fn same_order<T: Serialize + PartialOrd>(all: &[T]) {
        for a in all {
            for b in all {
                assert_eq!(compare_items(&bytes(a), &bytes(b)), a.partial_cmp(b));
            }
        }
    }

    #[test]
    fn encoded_values_compare_as_their_types_do() {
        same_order(&["", "a", "ab", "b", "é"]);
        same_order(&[u128::MAX, u128::from(u64::MAX), 0, u128::MAX / 2, 1 << 127]);
        same_order(&[i128::MIN, -1, 0, 1, i128::MAX, i128::from(i64::MIN) - 1]);
        same_order(&[0.5, -0.5, f64::NAN, f64::INFINITY, 0.0, -0.0]);
        same_order(&[0.5f32, f32::NAN, -1.5]);
        same_order(&[None, Some(3), Some(-1)]);
        same_order(&[None, Some("a"), Some("")]);
        same_order(&[vec![], vec![1], vec![1, 2], vec![2]]);
        same_order(&['a', 'é', '\u{10ffff}']);
        let durations = [0, 1, 999_999_999, 1_000_000_000, 2_500_000_000].map(Duration::from_nanos);
        same_order(&durations);
    }

    #[test]
    fn calculations_are_those_of_the_types() {
        let schema = Schema::default();
        let time = Timestamp::from_secs(5);
        let second = kept(&Encoding::Duration, &bytes(&Duration::from_secs(1))).expect("kept");
        let (add, of) =
            calculation(Arithmetic::Add, &Encoding::Timestamp, &Encoding::Duration).expect("known");
        assert_eq!(of, Encoding::Timestamp);
        let sum = add.calculate(&time, &*second).expect("it fits");
        assert_eq!(sum.downcast_ref(), Some(&Timestamp::from_secs(6)));
        let (subtract, of) = calculation(
            Arithmetic::Subtract,
            &Encoding::Timestamp,
            &Encoding::Timestamp,
        )
        .expect("known");
        assert_eq!(of, Encoding::Duration);
        let between = subtract
            .calculate(&Timestamp::from_secs(6), &time)
            .expect("it fits");
        let compared = comparison(&of, &of, &schema).expect("durations have an order");
        assert_eq!(compared.compare(&*between, &*second), Ordering::Equal);
        assert!(
            subtract
                .calculate(&time, &Timestamp::from_secs(6))
                .is_none()
        );
        let (add, _) = calculation(Arithmetic::Add, &Encoding::U8, &Encoding::U8).expect("known");
        assert!(add.calculate(&200u8, &56u8).is_none());
        assert!(calculation(Arithmetic::Add, &Encoding::Text, &Encoding::Text).is_none());
        assert!(calculation(Arithmetic::Add, &Encoding::U8, &Encoding::U16).is_none());
        assert!(comparison(&Encoding::Serde, &Encoding::Serde, &schema).is_none());
    }
}
