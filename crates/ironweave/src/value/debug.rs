//! `Debug` for types that have only `Serialize`. Events implement `Debug` with it, although the types of their fields need
//! not.

use std::fmt::{self, Debug, DebugList, DebugMap, DebugStruct, DebugTuple, Formatter};

use serde::ser::{self, Serialize, Serializer};

/// Formats a value from its serialization as a derived `Debug` would.
pub(crate) struct SerializedDebug<'a, T: ?Sized>(pub &'a T);

impl<T: Serialize + ?Sized> Debug for SerializedDebug<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.serialize(DebugSerializer(f)) {
            Ok(()) => Ok(()),
            Err(DebugError::Formatter) => Err(fmt::Error),
            // An error of its `Serialize` must not make `Debug` fail.
            Err(DebugError::Value(why)) => write!(f, "<{why}>"),
        }
    }
}

/// The error of formatting a value.
#[derive(Debug)]
enum DebugError {
    Formatter,
    Value(String),
}

impl fmt::Display for DebugError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Formatter => f.write_str("cannot be written"),
            Self::Value(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DebugError {}

impl ser::Error for DebugError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

impl From<fmt::Error> for DebugError {
    fn from(_: fmt::Error) -> Self {
        Self::Formatter
    }
}

type DebugResult = Result<(), DebugError>;

struct DebugSerializer<'f, 'b>(&'f mut Formatter<'b>);

macro_rules! plain {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> DebugResult {
            Ok(Debug::fmt(&value, self.0)?)
        })*
    };
}

impl<'f, 'b> Serializer for DebugSerializer<'f, 'b> {
    type Ok = ();
    type Error = DebugError;
    type SerializeSeq = DebugBuilder<DebugList<'f, 'b>>;
    type SerializeTuple = DebugBuilder<DebugTuple<'f, 'b>>;
    type SerializeTupleStruct = DebugBuilder<DebugTuple<'f, 'b>>;
    type SerializeTupleVariant = DebugBuilder<DebugTuple<'f, 'b>>;
    type SerializeMap = DebugBuilder<DebugMap<'f, 'b>>;
    type SerializeStruct = DebugBuilder<DebugStruct<'f, 'b>>;
    type SerializeStructVariant = DebugBuilder<DebugStruct<'f, 'b>>;

    plain! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_unit(self) -> DebugResult {
        Ok(self.0.write_str("()")?)
    }

    fn serialize_unit_struct(self, name: &'static str) -> DebugResult {
        Ok(self.0.write_str(name)?)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> DebugResult {
        Ok(self.0.write_str(variant)?)
    }

    fn serialize_none(self) -> DebugResult {
        Ok(self.0.write_str("None")?)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> DebugResult {
        Ok(self
            .0
            .debug_tuple("Some")
            .field(&SerializedDebug(value))
            .finish()?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> DebugResult {
        Ok(self
            .0
            .debug_tuple(name)
            .field(&SerializedDebug(value))
            .finish()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> DebugResult {
        Ok(self
            .0
            .debug_tuple(variant)
            .field(&SerializedDebug(value))
            .finish()?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, DebugError> {
        Ok(DebugBuilder(self.0.debug_list()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, DebugError> {
        Ok(DebugBuilder(self.0.debug_tuple("")))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, DebugError> {
        Ok(DebugBuilder(self.0.debug_tuple(name)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, DebugError> {
        Ok(DebugBuilder(self.0.debug_tuple(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, DebugError> {
        Ok(DebugBuilder(self.0.debug_map()))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, DebugError> {
        Ok(DebugBuilder(self.0.debug_struct(name)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, DebugError> {
        Ok(DebugBuilder(self.0.debug_struct(variant)))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> DebugResult {
        // Without quotes, since the values that call this, such as times, are not texts.
        Ok(write!(self.0, "{value}")?)
    }
}

/// A builder of the formatter, as a serializer of parts.
struct DebugBuilder<B>(B);

impl ser::SerializeSeq for DebugBuilder<DebugList<'_, '_>> {
    type Ok = ();
    type Error = DebugError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> DebugResult {
        self.0.entry(&SerializedDebug(value));
        Ok(())
    }

    fn end(mut self) -> DebugResult {
        Ok(self.0.finish()?)
    }
}

macro_rules! tuples {
    ($($of:ident::$method:ident),*) => {
        $(impl ser::$of for DebugBuilder<DebugTuple<'_, '_>> {
            type Ok = ();
            type Error = DebugError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> DebugResult {
                self.0.field(&SerializedDebug(value));
                Ok(())
            }

            fn end(mut self) -> DebugResult {
                Ok(self.0.finish()?)
            }
        })*
    };
}

tuples! {
    SerializeTuple::serialize_element, SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

macro_rules! structs {
    ($($of:ident),*) => {
        $(impl ser::$of for DebugBuilder<DebugStruct<'_, '_>> {
            type Ok = ();
            type Error = DebugError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> DebugResult {
                self.0.field(name, &SerializedDebug(value));
                Ok(())
            }

            fn end(mut self) -> DebugResult {
                Ok(self.0.finish()?)
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for DebugBuilder<DebugMap<'_, '_>> {
    type Ok = ();
    type Error = DebugError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> DebugResult {
        self.0.key(&SerializedDebug(key));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> DebugResult {
        self.0.value(&SerializedDebug(value));
        Ok(())
    }

    fn end(mut self) -> DebugResult {
        Ok(self.0.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::SerializedDebug;
    use crate::base::time::Timestamp;

    #[derive(Debug, Serialize)]
    enum Kind {
        Unit,
        New(u8),
        Tuple(i8, char),
        Struct { x: f64 },
    }

    #[derive(Debug, Serialize)]
    struct All {
        kinds: Vec<Kind>,
        map: BTreeMap<String, Option<u128>>,
        pair: (bool, ()),
    }

    #[test]
    fn the_text_is_that_of_a_derived_debug() {
        let kinds = vec![
            Kind::Unit,
            Kind::New(1),
            Kind::Tuple(-1, 'x'),
            Kind::Struct { x: 0.5 },
        ];
        let all = All {
            kinds,
            map: BTreeMap::from([("a\n".to_owned(), Some(3)), ("b".to_owned(), None)]),
            pair: (true, ()),
        };
        assert_eq!(format!("{:?}", SerializedDebug(&all)), format!("{all:?}"));
        assert_eq!(format!("{:#?}", SerializedDebug(&all)), format!("{all:#?}"));
    }

    #[test]
    fn times_print_as_times_and_an_error_of_serialize_prints_as_its_message() {
        struct Never;
        impl Serialize for Never {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("never"))
            }
        }
        assert_eq!(
            format!("{:?}", SerializedDebug(&(Timestamp::from_secs(0), Never))),
            "(1970-01-01T00:00:00Z, <never>)"
        );
    }
}
