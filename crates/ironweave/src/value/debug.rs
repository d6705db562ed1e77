//! `Debug` for types that are only known to be `Serialize`: events implement it, although the types of their fields need not.

use std::fmt::{self, Debug, DebugList, DebugMap, DebugStruct, DebugTuple, Formatter};

use serde::ser::{self, Serialize, Serializer};

/// Formats a value as `Debug` would, from what it serializes.
pub(crate) struct Shown<'a, T: ?Sized>(pub &'a T);

impl<T: Serialize + ?Sized> Debug for Shown<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.serialize(Show(f)) {
            Ok(()) => Ok(()),
            Err(Failed::Formatter) => Err(fmt::Error),
            // Its `Serialize` refuses, which is no reason to fail when it is printed.
            Err(Failed::Value(why)) => write!(f, "<{why}>"),
        }
    }
}

/// Why nothing was written.
#[derive(Debug)]
enum Failed {
    Formatter,
    Value(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Formatter => f.write_str("cannot be written"),
            Self::Value(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

impl From<fmt::Error> for Failed {
    fn from(_: fmt::Error) -> Self {
        Self::Formatter
    }
}

type Done = Result<(), Failed>;

struct Show<'f, 'b>(&'f mut Formatter<'b>);

macro_rules! plain {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> Done {
            Ok(Debug::fmt(&value, self.0)?)
        })*
    };
}

impl<'f, 'b> Serializer for Show<'f, 'b> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Built<DebugList<'f, 'b>>;
    type SerializeTuple = Built<DebugTuple<'f, 'b>>;
    type SerializeTupleStruct = Built<DebugTuple<'f, 'b>>;
    type SerializeTupleVariant = Built<DebugTuple<'f, 'b>>;
    type SerializeMap = Built<DebugMap<'f, 'b>>;
    type SerializeStruct = Built<DebugStruct<'f, 'b>>;
    type SerializeStructVariant = Built<DebugStruct<'f, 'b>>;

    plain! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_unit(self) -> Done {
        Ok(self.0.write_str("()")?)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Done {
        Ok(self.0.write_str(name)?)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        Ok(self.0.write_str(variant)?)
    }

    fn serialize_none(self) -> Done {
        Ok(self.0.write_str("None")?)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        Ok(self.0.debug_tuple("Some").field(&Shown(value)).finish()?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        Ok(self.0.debug_tuple(name).field(&Shown(value)).finish()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        Ok(self.0.debug_tuple(variant).field(&Shown(value)).finish()?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Failed> {
        Ok(Built(self.0.debug_list()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Failed> {
        Ok(Built(self.0.debug_tuple("")))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Failed> {
        Ok(Built(self.0.debug_tuple(name)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Failed> {
        Ok(Built(self.0.debug_tuple(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Failed> {
        Ok(Built(self.0.debug_map()))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Failed> {
        Ok(Built(self.0.debug_struct(name)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Failed> {
        Ok(Built(self.0.debug_struct(variant)))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        // Without quotes: a time and its kin, which are no texts.
        Ok(write!(self.0, "{value}")?)
    }
}

/// A builder of the formatter's.
struct Built<B>(B);

impl ser::SerializeSeq for Built<DebugList<'_, '_>> {
    type Ok = ();
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.0.entry(&Shown(value));
        Ok(())
    }

    fn end(mut self) -> Done {
        Ok(self.0.finish()?)
    }
}

macro_rules! tuples {
    ($($of:ident::$method:ident),*) => {
        $(impl ser::$of for Built<DebugTuple<'_, '_>> {
            type Ok = ();
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.0.field(&Shown(value));
                Ok(())
            }

            fn end(mut self) -> Done {
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
        $(impl ser::$of for Built<DebugStruct<'_, '_>> {
            type Ok = ();
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.0.field(name, &Shown(value));
                Ok(())
            }

            fn end(mut self) -> Done {
                Ok(self.0.finish()?)
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Built<DebugMap<'_, '_>> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.0.key(&Shown(key));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.0.value(&Shown(value));
        Ok(())
    }

    fn end(mut self) -> Done {
        Ok(self.0.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::Shown;
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
    fn what_serde_is_told_is_shown_as_debug_shows_it() {
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
        assert_eq!(format!("{:?}", Shown(&all)), format!("{all:?}"));
        assert_eq!(format!("{:#?}", Shown(&all)), format!("{all:#?}"));
    }

    #[test]
    fn times_are_shown_as_times_and_what_cannot_be_written_as_why() {
        struct Never;
        impl Serialize for Never {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("never"))
            }
        }
        assert_eq!(
            format!("{:?}", Shown(&(Timestamp::from_secs(0), Never))),
            "(1970-01-01T00:00:00Z, <never>)"
        );
    }
}
