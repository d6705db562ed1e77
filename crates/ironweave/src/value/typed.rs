//! Values with an encoding from a schema. They are rendered as text and serialized as values of their types.

use std::fmt::{self, Write as _};
use std::time::Duration;

use minicbor::Decoder;
use serde::ser::{Serialize, SerializeSeq as _, Serializer};

use crate::base::cbor::NULL;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::schema::{ColumnDef, Encoding, EntityIx, Schema};
use crate::value::item::{Item, array, display, raw_item};
use crate::value::{DecodeError, decode};

/// A value in CBOR with its encoding.
///
/// `Display` renders it as readable text: a time as RFC 3339, a handle as `Order/3.1`, a duration as `1.5s`, and all other
/// values in the diagnostic notation of CBOR. `Serialize` serializes it as its Rust type does.
///
/// A value that does not have its encoding, or that has none, is rendered and serialized from its CBOR alone, because
/// another program may have written the log.
#[derive(Clone, Copy)]
pub(crate) struct TypedValue<'a> {
    pub bytes: &'a [u8],
    pub encoding: Option<&'a Encoding>,
    /// The schema to which the entity indexes in the encoding refer.
    pub schema: &'a Schema,
}

/// A value after one step of decoding.
enum Decoded<'a> {
    Unit,
    Char(char),
    Number(u128),
    Negative(i128),
    Time(Timestamp),
    Duration(Duration),
    /// A handle: the name of its entity, and its id.
    Handle(&'a str, Id),
    None,
    /// The value of an option or of a key with one part.
    Inner(TypedValue<'a>),
    List(Vec<TypedValue<'a>>),
    /// A value that is rendered from its CBOR alone.
    Plain,
}

impl<'a> TypedValue<'a> {
    fn with(self, bytes: &'a [u8], encoding: Option<&'a Encoding>) -> Self {
        Self {
            bytes,
            encoding,
            schema: self.schema,
        }
    }

    fn decoded(self) -> Decoded<'a> {
        self.encoding
            .and_then(|encoding| self.decode_as(encoding))
            .unwrap_or(Decoded::Plain)
    }

    /// Returns `None` for a value that does not have the encoding.
    fn decode_as(self, encoding: &'a Encoding) -> Option<Decoded<'a>> {
        Some(match encoding {
            Encoding::Unit => {
                decode::<()>(self.bytes).ok()?;
                Decoded::Unit
            }
            Encoding::Char => Decoded::Char(decode(self.bytes).ok()?),
            Encoding::U128 => Decoded::Number(decode(self.bytes).ok()?),
            Encoding::I128 => match decode::<i128>(self.bytes).ok()? {
                n @ ..0 => Decoded::Negative(n),
                n => Decoded::Number(n.unsigned_abs()),
            },
            Encoding::Timestamp => Decoded::Time(decode(self.bytes).ok()?),
            Encoding::Duration => Decoded::Duration(decode(self.bytes).ok()?),
            Encoding::Id(entity) => {
                let id = Id::from_bits(decode(self.bytes).ok()?)?;
                let def = self.schema.entities.get(entity.index())?;
                Decoded::Handle(&def.name, id)
            }
            Encoding::Key(entity) => self.key(*entity)?,
            Encoding::Option(_) if self.bytes == [NULL] => Decoded::None,
            Encoding::Option(of) => Decoded::Inner(self.with(self.bytes, Some(of))),
            Encoding::List(of) => {
                let items = items(self.bytes).ok()?.into_iter();
                Decoded::List(items.map(|item| self.with(item, Some(of))).collect())
            }
            _ => Decoded::Plain,
        })
    }

    /// Decodes a key, which is encoded as its only column, or as an array of its columns.
    fn key(self, entity: EntityIx) -> Option<Decoded<'a>> {
        let of_key = |def: &&ColumnDef| def.key && def.entity == entity;
        let columns: Vec<&ColumnDef> = self.schema.columns.iter().filter(of_key).collect();
        if let [column] = columns[..] {
            return Some(Decoded::Inner(
                self.with(self.bytes, column.encoding.as_ref()),
            ));
        }
        let items = items(self.bytes).ok()?;
        (items.len() == columns.len()).then(|| {
            let parts = items.into_iter().zip(columns);
            Decoded::List(
                parts
                    .map(|(item, column)| self.with(item, column.encoding.as_ref()))
                    .collect(),
            )
        })
    }
}

/// Returns the items of an array.
fn items(bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut d = Decoder::new(bytes);
    let n = array(&mut d)?;
    (0..n).map(|_| raw_item(&mut d)).collect()
}

impl fmt::Display for TypedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decoded() {
            Decoded::Unit => f.write_str("()"),
            Decoded::Char(c) => write!(f, "{c:?}"),
            Decoded::Number(n) => write!(f, "{n}"),
            Decoded::Negative(n) => write!(f, "{n}"),
            Decoded::Time(time) => write!(f, "{time}"),
            Decoded::Duration(duration) => write!(f, "{duration:?}"),
            Decoded::Handle(entity, id) => write!(f, "{entity}/{id}"),
            Decoded::None => f.write_str("null"),
            Decoded::Inner(value) => fmt::Display::fmt(&value, f),
            Decoded::List(values) => {
                f.write_char('[')?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
            Decoded::Plain => f.write_str(&display(self.bytes)),
        }
    }
}

impl Serialize for TypedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.decoded() {
            Decoded::Unit => serializer.serialize_unit(),
            Decoded::Char(c) => serializer.serialize_char(c),
            Decoded::Number(n) => serializer.serialize_u128(n),
            Decoded::Negative(n) => serializer.serialize_i128(n),
            Decoded::Time(time) => time.serialize(serializer),
            Decoded::Duration(duration) => duration.serialize(serializer),
            Decoded::Handle(entity, id) if serializer.is_human_readable() => {
                serializer.collect_str(&format_args!("{entity}/{id}"))
            }
            Decoded::Handle(_, id) => serializer.serialize_u64(id.to_bits()),
            Decoded::None => serializer.serialize_none(),
            Decoded::Inner(value) => match self.encoding {
                Some(Encoding::Option(_)) => serializer.serialize_some(&value),
                _ => value.serialize(serializer),
            },
            Decoded::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in &values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Decoded::Plain => Item(self.bytes).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::EntityDef;

    fn schema() -> Schema {
        let entity = |name: &str| EntityDef {
            name: name.to_owned(),
            ..EntityDef::default()
        };
        let part = |entity: u16, name: &str, encoding| ColumnDef {
            entity: EntityIx::new(entity),
            name: name.to_owned(),
            key: true,
            encoding: Some(encoding),
            ..ColumnDef::default()
        };
        Schema {
            entities: vec![entity("Order"), entity("Line")],
            columns: vec![
                part(0, "placed", Encoding::Timestamp),
                part(1, "at", Encoding::Timestamp),
                part(1, "number", Encoding::U8),
            ],
            ..Schema::default()
        }
    }

    fn shown(value: &impl Serialize, encoding: &Encoding) -> (String, serde_json::Value) {
        let mut bytes = Vec::new();
        crate::value::encode(value, &mut bytes).expect("it can be written");
        let schema = schema();
        let value = TypedValue {
            bytes: &bytes,
            encoding: Some(encoding),
            schema: &schema,
        };
        let json = serde_json::to_string(&value).expect("it is JSON");
        let json = serde_json::from_str(&json).expect("it is JSON");
        (value.to_string(), json)
    }

    #[test]
    fn a_value_is_shown_as_a_value_of_its_encoding() {
        let option = |of| Encoding::Option(Box::new(of));
        let list = |of| Encoding::List(Box::new(of));
        let id = Id {
            slot: 3,
            generation: 1,
        };
        let order = Encoding::Id(EntityIx::new(0));
        let minute = "1970-01-01T00:01:00Z";
        let expect = |shown: (String, serde_json::Value), text: &str, json| {
            assert_eq!(shown, (text.to_owned(), json));
        };
        expect(shown(&(), &Encoding::Unit), "()", json!(null));
        expect(shown(&'x', &Encoding::Char), "'x'", json!("x"));
        expect(
            shown(&60_000_000, &Encoding::Timestamp),
            minute,
            json!(minute),
        );
        let long = Duration::from_millis(1_500);
        let json = json!({"secs": 1, "nanos": 500_000_000});
        expect(shown(&long, &Encoding::Duration), "1.5s", json);
        expect(
            shown(&id.to_bits(), &order),
            "Order/3.1",
            json!("Order/3.1"),
        );
        let ids = [Some(id.to_bits()), None];
        expect(
            shown(&ids, &list(option(order))),
            "[Order/3.1, null]",
            json!(["Order/3.1", null]),
        );
        expect(
            shown(&60_000_000, &Encoding::Key(EntityIx::new(0))),
            minute,
            json!(minute),
        );
        expect(
            shown(&(60_000_000, 7), &Encoding::Key(EntityIx::new(1))),
            "[1970-01-01T00:01:00Z, 7]",
            json!([minute, 7]),
        );
        let text = u128::MAX.to_string();
        assert_eq!(shown(&u128::MAX, &Encoding::U128).0, text);
        let text = i128::MIN.to_string();
        assert_eq!(shown(&i128::MIN, &Encoding::I128).0, text);
    }

    #[test]
    fn a_value_that_does_not_have_its_encoding_is_shown_as_its_cbor() {
        let list = Encoding::List(Box::new(Encoding::Timestamp));
        for encoding in [
            Encoding::Timestamp,
            Encoding::Unit,
            Encoding::Id(EntityIx::new(0)),
            Encoding::Key(EntityIx::new(1)),
            list,
        ] {
            assert_eq!(shown(&"a", &encoding), ("\"a\"".into(), json!("a")));
        }
        // The schema has no such entity.
        let unknown = Encoding::Id(EntityIx::new(9));
        assert_eq!(shown(&1, &unknown), ("1".into(), json!(1)));
    }
}
