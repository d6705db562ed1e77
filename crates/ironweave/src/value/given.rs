//! Values that a caller gives in any format of serde, such as JSON, read by their encoding.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::cbor::{ARRAY, NULL, UINT, head};
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::schema::{Encoding, EntityIx, Schema};
use crate::value::by_encoding::key_encodings;
use crate::value::encode;

/// Reads a value with an encoding and returns it in CBOR. It has the form of its Rust type: a handle is `"Lamp/3.1"`, a time is
/// RFC 3339, a key of several fields is an array.
#[derive(Clone, Copy)]
pub(crate) struct Given<'s> {
    pub encoding: &'s Encoding,
    /// The schema to which the entity types in the encoding refer.
    pub schema: &'s Schema,
}

impl<'s> Given<'s> {
    fn with(self, encoding: &'s Encoding) -> Self {
        Self { encoding, ..self }
    }

    fn key<'de, D: Deserializer<'de>>(self, entity: EntityIx, d: D) -> Result<Vec<u8>, D::Error> {
        let unknown = || D::Error::custom("the log does not say how the key is encoded");
        let parts: Option<Vec<&Encoding>> = key_encodings(self.schema, entity).collect();
        match parts.ok_or_else(unknown)?.as_slice() {
            [] => Err(D::Error::custom("the entity type has no key")),
            [encoding] => self.with(encoding).deserialize(d),
            parts => {
                let parts = parts.iter().map(|part| self.with(part)).collect();
                d.deserialize_seq(Items::Parts(parts))
            }
        }
    }
}

fn read<'de, T: Deserialize<'de> + Serialize, D: Deserializer<'de>>(
    d: D,
) -> Result<Vec<u8>, D::Error> {
    let mut bytes = Vec::new();
    encode(&T::deserialize(d)?, &mut bytes).map_err(D::Error::custom)?;
    Ok(bytes)
}

impl<'de> DeserializeSeed<'de> for Given<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<u8>, D::Error> {
        match self.encoding {
            Encoding::Unit => read::<(), D>(d),
            Encoding::Bool => read::<bool, D>(d),
            Encoding::U8 => read::<u8, D>(d),
            Encoding::U16 => read::<u16, D>(d),
            Encoding::U32 => read::<u32, D>(d),
            Encoding::U64 => read::<u64, D>(d),
            Encoding::U128 => read::<u128, D>(d),
            Encoding::I8 => read::<i8, D>(d),
            Encoding::I16 => read::<i16, D>(d),
            Encoding::I32 => read::<i32, D>(d),
            Encoding::I64 => read::<i64, D>(d),
            Encoding::I128 => read::<i128, D>(d),
            Encoding::F32 => read::<f32, D>(d),
            Encoding::F64 => read::<f64, D>(d),
            Encoding::Char => read::<char, D>(d),
            Encoding::Text => read::<String, D>(d),
            Encoding::Timestamp => read::<Timestamp, D>(d),
            Encoding::Duration => read::<Duration, D>(d),
            Encoding::Id(entity) => {
                let name = self
                    .schema
                    .entities
                    .get(entity.index())
                    .map(|def| &*def.name);
                let name = name.ok_or_else(|| D::Error::custom("there is no such entity type"))?;
                let id = read_id(name, d)?;
                let mut bytes = Vec::new();
                head(&mut bytes, UINT, id.to_bits());
                Ok(bytes)
            }
            Encoding::Key(entity) => self.key(*entity, d),
            Encoding::Option(of) => d.deserialize_option(Optional(self.with(of))),
            Encoding::List(of) => d.deserialize_seq(Items::All(self.with(of))),
            // `Serde`, and encodings of newer versions.
            _ => Err(D::Error::custom(
                "its type is a type of the program, which is not linked in here",
            )),
        }
    }
}

fn read_id<'de, D: Deserializer<'de>>(name: &str, d: D) -> Result<Id, D::Error> {
    if d.is_human_readable() {
        let text = String::deserialize(d)?;
        let id = match text.strip_prefix(name) {
            Some(rest) => rest.strip_prefix(['/', '-']),
            None => Some(&*text),
        };
        return id.and_then(|id| id.parse().ok()).ok_or_else(|| {
            D::Error::custom(format_args!(
                "it is not an id of a {name}; write it as `{name}/3.1`"
            ))
        });
    }
    let bits = u64::deserialize(d)?;
    Id::from_bits(bits).ok_or_else(|| D::Error::custom(format_args!("{bits} is not an id")))
}

/// Reads a value or none.
struct Optional<'s>(Given<'s>);

impl<'de> Visitor<'de> for Optional<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or nothing", self.0.encoding.render(self.0.schema))
    }

    fn visit_none<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(vec![NULL])
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(vec![NULL])
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Vec<u8>, D::Error> {
        self.0.deserialize(d)
    }
}

/// Reads an array.
enum Items<'s> {
    /// Any number of values with one encoding.
    All(Given<'s>),
    /// A value of each of these encodings.
    Parts(Vec<Given<'s>>),
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(of) => write!(f, "a list of {}", of.encoding.render(of.schema)),
            Self::Parts(parts) => write!(f, "a list of the {} parts of the key", parts.len()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let (mut n, mut bytes) = (0u64, Vec::new());
        match &self {
            Self::All(of) => {
                while let Some(item) = items.next_element_seed(*of)? {
                    n += 1;
                    bytes.extend_from_slice(&item);
                }
            }
            Self::Parts(parts) => {
                for part in parts {
                    let missing = || A::Error::invalid_length(n as usize, &self);
                    bytes.extend(items.next_element_seed(*part)?.ok_or_else(missing)?);
                    n += 1;
                }
                if items.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    return Err(A::Error::invalid_length(parts.len() + 1, &self));
                }
            }
        }
        let mut list = Vec::with_capacity(bytes.len() + 9);
        head(&mut list, ARRAY, n);
        list.append(&mut bytes);
        Ok(list)
    }
}
