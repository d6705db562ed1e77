//! Values of fields and keys: those that are tried by default, and whether a given one is of the type of its field.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

use crate::base::cbor::{FALSE, NULL, TRUE};
use crate::base::time::Timestamp;
use crate::schema::{Encoding, EntityIx, Schema};
use crate::step::any_event::{AnyEvent, EventMaker};
use crate::step::event::Event;
use crate::step::fields::Fields;
use crate::value::{DecodeError, decode_by, encode};

/// Encoded values, or why one could not be encoded.
pub(crate) type Encoded = Result<Vec<Vec<u8>>, String>;

/// Encodes values.
pub(crate) fn encoded<I: IntoIterator<Item: Serialize>>(values: I) -> Encoded {
    let encoded = |value| {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes)
    };
    values.into_iter().map(encoded).collect()
}

/// The default keys of an entity type; `None` if its key is neither a text nor an integer.
pub(super) fn default_keys(schema: &Schema, entity: EntityIx, len: usize) -> Option<Vec<Vec<u8>>> {
    let mut columns = schema
        .columns
        .iter()
        .filter(|c| c.entity == entity && c.key);
    let (column, None) = (columns.next()?, columns.next()) else {
        return None;
    };
    let key = |i: usize| match column.encoding.as_ref()? {
        Encoding::Text => encoded([letters(i)]).ok(),
        Encoding::U8
        | Encoding::U16
        | Encoding::U32
        | Encoding::U64
        | Encoding::U128
        | Encoding::I8
        | Encoding::I16
        | Encoding::I32
        | Encoding::I64
        | Encoding::I128 => encoded([i as u64 + 1]).ok(),
        _ => None,
    };
    let keys: Option<Vec<_>> = (0..len).map(key).collect();
    Some(keys?.into_iter().flatten().collect())
}

/// `a` to `z`, then `a1` and so on.
fn letters(i: usize) -> String {
    let letter = char::from(b'a' + (i % 26) as u8);
    match i / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

/// All values of a type that has few.
pub(super) fn defaults_of(encoding: &Encoding, time: Timestamp) -> Option<Vec<Vec<u8>>> {
    match encoding {
        Encoding::Unit => encoded([()]).ok(),
        Encoding::Bool => Some(vec![vec![FALSE], vec![TRUE]]),
        Encoding::Timestamp => encoded([time]).ok(),
        Encoding::Option(of) => {
            let mut all = vec![vec![NULL]];
            all.extend(defaults_of(of, time)?);
            Some(all)
        }
        _ => None,
    }
}

/// Whether a value can be read as a field of an event.
pub(super) fn decodes<A: AnyEvent>(
    number: usize,
    field: usize,
    value: &[u8],
) -> Result<(), DecodeError> {
    let read = Read {
        field,
        value: Value(value),
    };
    match A::make(number, read) {
        Ok(_) | Err(Stopped::Read) => Ok(()),
        Err(Stopped::Wrong(e)) => Err(e),
    }
}

/// All values of a field whose type is an enum without data, or an option of one.
pub(super) fn variants<A: AnyEvent>(number: usize, field: usize) -> Option<Vec<Vec<u8>>> {
    let probe = Probe::default();
    let _ = A::make(
        number,
        Read {
            field,
            value: &probe,
        },
    );
    let mut values = Vec::new();
    if probe.is_option.get() {
        values.push(vec![NULL]);
    }
    values.extend(encoded(probe.variants.get()?).ok()?);
    let all_read = values
        .iter()
        .all(|value| decodes::<A>(number, field, value).is_ok());
    all_read.then_some(values)
}

/// Something that a field is read from.
trait ReadFrom {
    fn read<'de, S: DeserializeSeed<'de>>(&'de self, seed: S) -> Result<S::Value, DecodeError>;
}

/// An encoded value.
struct Value<'b>(&'b [u8]);

impl ReadFrom for Value<'_> {
    fn read<'de, S: DeserializeSeed<'de>>(&'de self, seed: S) -> Result<S::Value, DecodeError> {
        decode_by(self.0, seed)
    }
}

/// Finds out the names of the variants of an enum.
#[derive(Default)]
struct Probe {
    is_option: Cell<bool>,
    variants: Cell<Option<&'static [&'static str]>>,
}

impl ReadFrom for &Probe {
    fn read<'de, S: DeserializeSeed<'de>>(&'de self, seed: S) -> Result<S::Value, DecodeError> {
        seed.deserialize(*self)
    }
}

impl<'de> Deserializer<'de> for &Probe {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::new("only an enum is of interest"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.is_option.set(true);
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.variants.set(Some(variants));
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Reads one field of an event.
struct Read<V> {
    field: usize,
    value: V,
}

/// No event is made.
enum Stopped {
    /// The field was read.
    Read,
    Wrong(DecodeError),
}

impl<V: ReadFrom> EventMaker for Read<V> {
    type Error = Stopped;

    fn make<E: Event>(self) -> Result<E, Stopped> {
        let mut partial = <E::Fields as Fields>::Partial::default();
        let mut map = OneValue(&self.value);
        E::Fields::read(&mut partial, self.field, "", &mut map).map_err(Stopped::Wrong)?;
        Err(Stopped::Read)
    }

    fn no_such_event(self) -> Stopped {
        Stopped::Wrong(DecodeError::new("there is no such event"))
    }
}

/// A map whose next value is this one.
struct OneValue<'v, V>(&'v V);

impl<'v, V: ReadFrom> MapAccess<'v> for OneValue<'v, V> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        _: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'v>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        self.0.read(seed)
    }
}
