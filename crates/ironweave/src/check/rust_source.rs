//! Values as Rust source, from their serialization: `Paint::Red`, `vec![1, 2]`, `Some("a".into())`.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// A value could not be serialized, for this reason.
#[derive(Debug)]
pub(super) struct NoSource(String);

impl fmt::Display for NoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSource {}

impl Error for NoSource {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The source of a value. What it names must be in scope. A value without one is a message of the compiler, since a test that lacks a value
/// shows nothing.
pub(super) fn source(value: &(impl Serialize + ?Sized)) -> String {
    value
        .serialize(Source)
        .unwrap_or_else(|e| format!("compile_error!({:?})", format!("write the value here; {e}")))
}

struct Source;

/// Parts of a value, which `close` ends.
pub(super) struct Parts {
    text: String,
    close: &'static str,
    is_empty: bool,
    /// The key of a map whose value comes next.
    key: Option<String>,
}

impl Parts {
    fn new(open: impl Into<String>, close: &'static str) -> Self {
        Self {
            text: open.into(),
            close,
            is_empty: true,
            key: None,
        }
    }

    fn add(&mut self, part: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.text.push_str(", ");
        }
        self.text.push_str(part);
    }

    fn named(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), NoSource> {
        let value = value.serialize(Source)?;
        self.add(&format!("{name}: {value}"));
        Ok(())
    }

    fn finish(mut self) -> String {
        self.text.push_str(self.close);
        self.text
    }
}

macro_rules! numbers {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> Result<String, NoSource> {
            Ok(value.to_string())
        })*
    };
}

macro_rules! floats {
    ($($method:ident: $ty:ident),*) => {
        $(fn $method(self, value: $ty) -> Result<String, NoSource> {
            Ok(if value.is_nan() {
                concat!(stringify!($ty), "::NAN").to_owned()
            } else if value.is_infinite() {
                let sign = if value < 0.0 { "-" } else { "" };
                format!("{sign}{}::INFINITY", stringify!($ty))
            } else {
                format!("{value:?}")
            })
        })*
    };
}

impl Serializer for Source {
    type Ok = String;
    type Error = NoSource;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128
    }

    floats! { serialize_f32: f32, serialize_f64: f64 }

    fn serialize_char(self, value: char) -> Result<String, NoSource> {
        Ok(format!("{value:?}"))
    }

    fn serialize_str(self, value: &str) -> Result<String, NoSource> {
        Ok(format!("{value:?}.into()"))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<String, NoSource> {
        Ok(format!("vec!{value:?}"))
    }

    fn serialize_none(self) -> Result<String, NoSource> {
        Ok("None".to_owned())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, NoSource> {
        Ok(format!("Some({})", value.serialize(Self)?))
    }

    fn serialize_unit(self) -> Result<String, NoSource> {
        Ok("()".to_owned())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<String, NoSource> {
        Ok(name.to_owned())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, NoSource> {
        Ok(format!("{name}::{variant}"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<String, NoSource> {
        Ok(format!("{name}({})", value.serialize(Self)?))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<String, NoSource> {
        Ok(format!("{name}::{variant}({})", value.serialize(Self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, NoSource> {
        Ok(Parts::new("vec![", "]"))
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts, NoSource> {
        Ok(Parts::new("(", if len == 1 { ",)" } else { ")" }))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts, NoSource> {
        Ok(Parts::new(format!("{name}("), ")"))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NoSource> {
        Ok(Parts::new(format!("{name}::{variant}("), ")"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, NoSource> {
        Ok(Parts::new("[", "].into()"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts, NoSource> {
        Ok(Parts::new(format!("{name} {{ "), " }"))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NoSource> {
        Ok(Parts::new(format!("{name}::{variant} {{ "), " }"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! unnamed {
    ($($trait:ident $method:ident),*) => {
        $(impl $trait for Parts {
            type Ok = String;
            type Error = NoSource;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoSource> {
                let value = value.serialize(Source)?;
                self.add(&value);
                Ok(())
            }

            fn end(self) -> Result<String, NoSource> {
                Ok(self.finish())
            }
        })*
    };
}

unnamed! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

macro_rules! named {
    ($($trait:ident),*) => {
        $(impl $trait for Parts {
            type Ok = String;
            type Error = NoSource;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NoSource> {
                self.named(name, value)
            }

            fn end(self) -> Result<String, NoSource> {
                Ok(self.finish())
            }
        })*
    };
}

named! { SerializeStruct, SerializeStructVariant }

impl SerializeMap for Parts {
    type Ok = String;
    type Error = NoSource;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoSource> {
        self.key = Some(key.serialize(Source)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoSource> {
        let (key, value) = (
            self.key.take().unwrap_or_default(),
            value.serialize(Source)?,
        );
        self.add(&format!("({key}, {value})"));
        Ok(())
    }

    fn end(self) -> Result<String, NoSource> {
        Ok(self.finish())
    }
}
