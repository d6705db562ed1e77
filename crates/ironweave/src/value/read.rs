//! The deserializer of values, for the encoding that [`write`](super::write) produces. It rejects values that are nested too
//! deep, so that no log can exhaust the stack.

use std::fmt;

use minicbor::Decoder;
use minicbor::data::{IanaTag, Type};
use minicbor::decode::Error;
use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::DecodeError;
use crate::base::cbor::BREAK;

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// Reads one value.
pub(super) struct ValueReader<'de> {
    decoder: Decoder<'de>,
    /// The number of further levels that the value may have.
    depth_left: u32,
}

impl<'de> ValueReader<'de> {
    pub(super) fn new(bytes: &'de [u8], depth_max: u32) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            depth_left: depth_max,
        }
    }

    /// Returns an error if bytes follow the value.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        let rest = self.decoder.input().len() - self.decoder.position();
        if rest > 0 {
            return Err(DecodeError::new(format_args!(
                "{rest} bytes follow that are not part of the value"
            )));
        }
        Ok(())
    }

    /// Calls `read` one level deeper.
    #[inline]
    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or_else(too_deep)?;
        let value = read(self);
        self.depth_left += 1;
        value
    }

    /// Skips a break, which ends a list or map of unknown length, and returns whether there was one.
    fn skip_break(&mut self) -> Result<bool, DecodeError> {
        let at = self.decoder.position();
        match self.decoder.input().get(at) {
            Some(&BREAK) => {
                self.decoder.set_position(at + 1);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(Error::end_of_input().into()),
        }
    }

    fn seq<V: Visitor<'de>>(
        &mut self,
        len: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deeper(|reader| visitor.visit_seq(Parts { reader, len }))
    }
}

#[cold]
fn too_deep() -> DecodeError {
    DecodeError::new("it is nested too deep")
}

macro_rules! read_as {
    ($($deserialize:ident $read:ident $visit:ident),* $(,)?) => {
        $(#[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit(self.decoder.$read()?)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut ValueReader<'de> {
    type Error = DecodeError;

    read_as! {
        deserialize_bool bool visit_bool,
        deserialize_i8 i8 visit_i8,
        deserialize_i16 i16 visit_i16,
        deserialize_i32 i32 visit_i32,
        deserialize_i64 i64 visit_i64,
        deserialize_i128 i128 visit_i128,
        deserialize_u8 u8 visit_u8,
        deserialize_u16 u16 visit_u16,
        deserialize_u32 u32 visit_u32,
        deserialize_u64 u64 visit_u64,
        deserialize_u128 u128 visit_u128,
        deserialize_f32 f32 visit_f32,
        deserialize_f64 f64 visit_f64,
        deserialize_char char visit_char,
        deserialize_str str visit_borrowed_str,
        deserialize_string str visit_borrowed_str,
        deserialize_identifier str visit_borrowed_str,
        deserialize_bytes bytes visit_borrowed_bytes,
        deserialize_byte_buf bytes visit_borrowed_bytes,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.decoder.datatype()? {
            Type::Bool => self.deserialize_bool(visitor),
            Type::U8 => self.deserialize_u8(visitor),
            Type::U16 => self.deserialize_u16(visitor),
            Type::U32 => self.deserialize_u32(visitor),
            Type::U64 => self.deserialize_u64(visitor),
            Type::I8 => self.deserialize_i8(visitor),
            Type::I16 => self.deserialize_i16(visitor),
            Type::I32 => self.deserialize_i32(visitor),
            Type::I64 => self.deserialize_i64(visitor),
            Type::Int => self.deserialize_i128(visitor),
            Type::F16 | Type::F32 => self.deserialize_f32(visitor),
            Type::F64 => self.deserialize_f64(visitor),
            Type::Bytes => self.deserialize_bytes(visitor),
            Type::String => self.deserialize_str(visitor),
            Type::Null => {
                self.decoder.skip()?;
                visitor.visit_none()
            }
            Type::Array | Type::ArrayIndef => self.deserialize_seq(visitor),
            Type::Map | Type::MapIndef => self.deserialize_map(visitor),
            Type::BytesIndef => {
                let mut bytes = Vec::new();
                for part in self.decoder.bytes_iter()? {
                    bytes.extend_from_slice(part?);
                }
                visitor.visit_byte_buf(bytes)
            }
            Type::StringIndef => {
                let mut text = String::new();
                for part in self.decoder.str_iter()? {
                    text += part?;
                }
                visitor.visit_string(text)
            }
            Type::Tag => {
                let tag = self.decoder.probe().tag()?;
                match tag.try_into() {
                    Ok(IanaTag::PosBignum) => self.deserialize_u128(visitor),
                    Ok(IanaTag::NegBignum) => self.deserialize_i128(visitor),
                    _ => Err(Error::tag_mismatch(tag).at(self.decoder.position()).into()),
                }
            }
            other => Err(Error::type_mismatch(other)
                .with_message("unexpected type")
                .at(self.decoder.position())
                .into()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.decoder.datatype()? == Type::Null {
            self.decoder.skip()?;
            return visitor.visit_none();
        }
        self.deeper(|reader| visitor.visit_some(reader))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.decoder.decode::<()>()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deeper(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let len = self.decoder.array()?;
        self.seq(len, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let at = self.decoder.position();
        let found = self.decoder.array()?;
        if found != Some(len as u64) {
            let found = found.map_or("unknown".to_owned(), |n| n.to_string());
            let message = format!("a list of {len} has the length {found}");
            return Err(Error::message(message).at(at).into());
        }
        self.seq(found, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let len = self.decoder.map()?;
        self.deeper(|reader| visitor.visit_map(Parts { reader, len }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let at = self.decoder.position();
        let has_data = self.decoder.datatype()? == Type::Map;
        if has_data && self.decoder.map()? != Some(1) {
            return Err(Error::message("a variant is not a map of one entry")
                .at(at)
                .into());
        }
        self.deeper(|reader| visitor.visit_enum(Variant { reader, has_data }))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.decoder.skip()?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a list or map.
struct Parts<'r, 'de> {
    reader: &'r mut ValueReader<'de>,
    /// The number of parts that are left, if it is known.
    len: Option<u64>,
}

impl<'de> Parts<'_, 'de> {
    fn hint(&self) -> Option<usize> {
        self.len.and_then(|n| n.try_into().ok())
    }

    fn at_end(&mut self) -> Result<bool, DecodeError> {
        match self.len {
            Some(len) => Ok(len == 0),
            None => self.reader.skip_break(),
        }
    }

    #[inline]
    fn read<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(&mut *self.reader)
    }

    fn count_one(&mut self) {
        self.len = self.len.map(|n| n.saturating_sub(1));
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = DecodeError;

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.at_end()? {
            return Ok(None);
        }
        let item = self.read(seed)?;
        self.count_one();
        Ok(Some(item))
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = DecodeError;

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        if self.at_end()? {
            return Ok(None);
        }
        self.read(seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let value = self.read(seed)?;
        self.count_one();
        Ok(value)
    }
}

/// A variant of an enum, which is encoded as its name, or as a map of one entry from its name to its data.
struct Variant<'r, 'de> {
    reader: &'r mut ValueReader<'de>,
    has_data: bool,
}

impl Variant<'_, '_> {
    fn must_have_data(&self) -> Result<(), DecodeError> {
        if self.has_data {
            return Ok(());
        }
        Err(Error::message("the data of a variant is missing")
            .at(self.reader.decoder.position())
            .into())
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        let name = seed.deserialize(&mut *self.reader)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        if self.has_data {
            // The type no longer has this variant, and reads it as the one with `#[serde(other)]`.
            self.reader.decoder.skip()?;
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        self.must_have_data()?;
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.must_have_data()?;
        self.reader.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.must_have_data()?;
        self.reader.deserialize_map(visitor)
    }
}
