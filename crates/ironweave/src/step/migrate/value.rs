//! The values that a migration writes. They come with any type that serde serializes, and are read with the type of the model.

use minicbor::Decoder;
use minicbor::data::Type;
use serde::Serialize;

use crate::base::error::{MigrationError, Name};
use crate::graph::column::{AnyColumn, ColumnError};
use crate::value::item::{display, raw_item};
use crate::value::{DecodeError, EncodeError, encode};

/// A value that a migration writes: of any type that serde serializes, such as a [`ValueView`](crate::dynamic::ValueView) of the
/// old graph. It is implemented for all such types.
pub trait MigrationValue {
    /// Appends the encoding of the value.
    #[doc(hidden)]
    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: Serialize> MigrationValue for T {
    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode(self, bytes)
    }
}

/// The encoding of a value in a column of type `ty`. The value itself may be of another type that serializes alike.
///
/// # Errors
/// `Value`, if it cannot be read as a value of the column, if a part of it would be lost, or if it would not be read back as it was
/// written.
pub(super) fn encoded(
    value: &dyn MigrationValue,
    column: &dyn AnyColumn,
    (what, ty): (&Name, &str),
) -> Result<Vec<u8>, MigrationError> {
    let wrong = |found: String, reason: String| MigrationError::Value {
        what: what.clone(),
        expected: ty.into(),
        found,
        reason,
    };
    let mut given = Vec::new();
    if let Err(e) = value.encode(&mut given) {
        return Err(wrong(
            "not one that can be written".to_owned(),
            e.to_string(),
        ));
    }
    let found = || format!("{} {}", kind(&given), shortened(&given));
    let own = column.recoded(&given).map_err(|e| match e {
        ColumnError::Unreadable(e) => {
            let reason = e.to_string();
            // The types say it already.
            let is_of_other_type = reason.starts_with("unexpected type");
            wrong(
                found(),
                if is_of_other_type {
                    String::new()
                } else {
                    reason
                },
            )
        }
        ColumnError::Unwritable(reason) => wrong(found(), reason),
        ColumnError::Duplicate(_) => wrong(found(), "another entity has it".to_owned()),
    })?;
    if own == given || contains(&own, &given).unwrap_or(false) {
        return Ok(own);
    }
    let read = format!("it would be read as {}", shortened(&own));
    Err(wrong(found(), read))
}

/// The number of characters of a value that a message shows.
const SHOWN_CHARS_MAX: usize = 60;

fn shortened(bytes: &[u8]) -> String {
    let mut text = display(bytes);
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) {
        text.truncate(end);
        text += " ..";
    }
    text
}

/// The kind of a value, with its article.
fn kind(bytes: &[u8]) -> &'static str {
    let Ok(ty) = Decoder::new(bytes).datatype() else {
        return "the value";
    };
    match ty {
        Type::Bool => "the boolean",
        Type::Null | Type::Undefined => "the absent value",
        Type::F16 | Type::F32 | Type::F64 => "the number",
        Type::String | Type::StringIndef => "the text",
        Type::Bytes | Type::BytesIndef => "the bytes",
        Type::Array | Type::ArrayIndef => "the list",
        Type::Map | Type::MapIndef => "the map",
        _ => "the integer",
    }
}

/// An item, as far as it is compared.
enum Part<'b> {
    Float(f64),
    List(Vec<&'b [u8]>),
    Map(Vec<(&'b [u8], &'b [u8])>),
    Other,
}

impl<'b> Part<'b> {
    fn of(bytes: &'b [u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        Ok(match d.datatype()? {
            Type::F32 => Self::Float(f64::from(d.f32()?)),
            Type::F64 => Self::Float(d.f64()?),
            Type::Array => {
                let n = d.array()?.unwrap_or(0);
                Self::List((0..n).map(|_| raw_item(&mut d)).collect::<Result<_, _>>()?)
            }
            Type::Map => {
                let n = d.map()?.unwrap_or(0);
                let entry = |_| Ok::<_, DecodeError>((raw_item(&mut d)?, raw_item(&mut d)?));
                Self::Map((0..n).map(entry).collect::<Result<_, _>>()?)
            }
            _ => Self::Other,
        })
    }
}

/// Returns whether an item has all that another one has: it may be the same float in another width, and it may have more entries
/// in maps, in any order.
fn contains(own: &[u8], given: &[u8]) -> Result<bool, DecodeError> {
    if own == given {
        return Ok(true);
    }
    Ok(match (Part::of(own)?, Part::of(given)?) {
        (Part::Float(own), Part::Float(given)) => own == given,
        (Part::List(own), Part::List(given)) => {
            own.len() == given.len()
                && own
                    .iter()
                    .zip(given)
                    .all(|(own, given)| contains(own, given).unwrap_or(false))
        }
        (Part::Map(own), Part::Map(given)) => given.iter().all(|(name, given)| {
            let own = own.iter().find(|(own, _)| own == name);
            own.is_some_and(|(_, own)| contains(own, given).unwrap_or(false))
        }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::graph::column::ColumnType;
    use crate::graph::storage::{Flat, Storage as _};
    use crate::value::Value;

    fn of<T: Value>(value: &dyn MigrationValue) -> Result<T, String> {
        let mut column = Flat::column(&ColumnType::of::<T>(), false);
        column.grow();
        let bytes = encoded(value, &*column, (&"Bed.x".into(), "T")).map_err(|e| e.to_string())?;
        let written = column.set_encoded(0, &bytes, &mut Vec::new());
        assert!(written.is_ok(), "it was read before");
        assert_eq!(column.recheck(0), Ok(column.hash(0)));
        let value = column.value(0).and_then(|value| value.downcast_ref::<T>());
        Ok(value.expect("it was written").clone())
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Address {
        street: String,
        #[serde(default)]
        floor: i8,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Street {
        street: String,
    }

    #[test]
    fn a_value_may_be_of_another_type_that_serializes_alike() {
        assert_eq!(of::<u64>(&3u8), Ok(3));
        assert_eq!(of::<Option<u64>>(&3u8), Ok(Some(3)));
        assert_eq!(of::<Option<u64>>(&None::<i32>), Ok(None));
        assert_eq!(of::<f64>(&1.5f32), Ok(1.5));
        assert_eq!(of::<Vec<u16>>(&[1u8, 2]), Ok(vec![1, 2]));
        let street = Street {
            street: "Elm".to_owned(),
        };
        let address = of::<Address>(&street).expect("it has a default");
        assert_eq!((&*address.street, address.floor), ("Elm", 0));
        let map: std::collections::HashMap<String, u8> =
            (0..20).map(|i| (i.to_string(), i)).collect();
        let ordered: BTreeMap<String, u8> = map.clone().into_iter().collect();
        assert_eq!(of::<BTreeMap<String, u8>>(&map), Ok(ordered));
    }

    #[test]
    fn a_value_that_cannot_be_read_or_loses_something_is_refused() {
        let expect = |result: Result<String, String>, reason: &str| {
            let e = result.expect_err("it is refused");
            assert!(
                e.starts_with("`Bed.x` is of type `T`, and the value is "),
                "{e}"
            );
            assert!(e.contains(reason), "{e}");
        };
        let text = |value: &dyn MigrationValue| of::<String>(value);
        let debug = |result: Result<u8, String>| result.map(|n| n.to_string());
        expect(text(&3), "the integer 3");
        expect(text(&None::<u8>), "the absent value null");
        expect(debug(of(&"many")), "the text \"many\"");
        expect(debug(of(&300)), "the integer 300");
        expect(debug(of(&vec![1])), "the list [1]");
        let float = |value: &dyn MigrationValue| of::<f64>(value).map(|n| n.to_string());
        expect(float(&3), "the integer 3");
        let street = of::<Street>(&Address {
            street: "Elm".to_owned(),
            floor: 2,
        });
        expect(
            street.map(|street| street.street),
            "it would be read as {\"street\": \"Elm\"}",
        );
    }

    /// A value that is not read back as it was written.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Forgetful {
        name: String,
        #[serde(skip_deserializing)]
        visits: u32,
    }

    #[test]
    fn a_value_that_does_not_round_trip_is_refused() {
        let value = Forgetful {
            name: "a".to_owned(),
            visits: 3,
        };
        assert!(of::<Forgetful>(&value).is_err());
        // The bits of a NaN are kept.
        let nan = of::<f64>(&f64::NAN).expect("it is a number");
        assert!(nan.is_nan());
    }
}
