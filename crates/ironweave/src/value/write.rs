//! The serializer of values. It writes CBOR, records or compares the calls that a value makes, and rejects values that are
//! nested too deep.
//!
//! A struct is a map from the names of its fields. An enum variant is its name or, if it has data, a map of one entry from
//! its name to the data. `None` is null, `Some` and newtypes are encoded as their content, and `()` is an empty array.

use std::any::type_name;

use minicbor::Encoder;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::calls::{Call, Calls};
use super::fault::{Fault, WriteError};
use super::parts::Parts;
use crate::base::cbor::{ARRAY, BYTES, CborWord, FALSE, MAP, NULL, TEXT, TRUE, UINT, head};

const ARRAY_OF_UNKNOWN_LENGTH: u8 = 0x9f;
const MAP_OF_UNKNOWN_LENGTH: u8 = 0xbf;
const F32: u8 = 0xfa;
const F64: u8 = 0xfb;

/// Writes one value.
pub(super) struct ValueWriter<'w> {
    /// The buffer for the encoding, or `None` if only the calls are compared.
    bytes: Option<&'w mut Vec<u8>>,
    pub(super) calls: Calls<'w>,
    /// The number of open levels.
    pub(super) depth: u32,
    /// The allowed number of open levels.
    depth_max: u32,
    /// Whether the value contains a map or sequence of two or more parts that may come from a collection with a random
    /// order. The type of the collection is unknown if its parts are passed one by one, as by a flattened field or a
    /// handwritten `Serialize`.
    pub(super) has_unknown_order: bool,
    /// The name of the type that is being written.
    pub(super) ty: &'static str,
}

impl<'w> ValueWriter<'w> {
    pub(super) fn new(bytes: Option<&'w mut Vec<u8>>, calls: Calls<'w>, depth_max: u32) -> Self {
        Self {
            bytes,
            calls,
            depth: 0,
            depth_max,
            has_unknown_order: false,
            ty: "",
        }
    }

    /// Writes a value and remembers its type.
    #[inline]
    pub(super) fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.ty = type_name::<T>().trim_start_matches('&');
        value.serialize(self)
    }

    #[inline]
    fn plain(&mut self, call: Call, bytes: &[u8], word: CborWord) -> Result<(), WriteError> {
        self.calls.take(call, bytes, &[])?;
        if let Some(out) = &mut self.bytes {
            word.write(out);
        }
        Ok(())
    }

    #[inline]
    fn head(&mut self, major: u8, n: usize) {
        if let Some(out) = &mut self.bytes {
            head(out, major, n as u64);
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(out) = &mut self.bytes {
            out.push(byte);
        }
    }

    /// Writes a text or byte string that is not recorded as a call.
    #[inline]
    pub(super) fn text(&mut self, text: &[u8], major: u8) {
        if let Some(out) = &mut self.bytes {
            head(out, major, text.len() as u64);
            out.extend_from_slice(text);
        }
    }

    fn float(&mut self, major: u8, bytes: &[u8]) {
        if let Some(out) = &mut self.bytes {
            out.push(major);
            out.extend_from_slice(bytes);
        }
    }

    fn bignum(
        &mut self,
        write: impl FnOnce(
            &mut Encoder<&mut Vec<u8>>,
        ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>,
    ) -> Result<(), WriteError> {
        match &mut self.bytes {
            Some(out) => write(&mut Encoder::new(&mut **out))
                .map_err(<WriteError as serde::ser::Error>::custom),
            None => Ok(()),
        }
    }

    /// Opens a level.
    #[inline]
    fn enter(&mut self) -> Result<(), WriteError> {
        self.depth += 1;
        if self.depth > self.depth_max {
            return Err(WriteError::new(Fault::Deep(self.depth_max)));
        }
        Ok(())
    }

    /// Writes the content of a `Some`, a newtype or a variant.
    #[inline]
    fn inner<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.enter()?;
        self.write(value)?;
        self.depth -= 1;
        Ok(())
    }

    /// Begins a value that has parts.
    #[inline]
    fn parts(&mut self, call: Call, names: &[&[u8]]) -> Result<(), WriteError> {
        self.calls.take(call, &[], names)?;
        self.enter()
    }
}

/// Returns the name of a collection whose order is not fixed and that of the collection to use instead. `I` is the
/// collection or its iterator.
///
/// The names of types are not stable. If one is not recognised, the comparison of the decoded value detects the order.
fn unordered<I>() -> Option<(&'static str, &'static str)> {
    let name = type_name::<I>().trim_start_matches('&');
    let (path, _) = name.split_once('<')?;
    if !path.starts_with("std::collections::") && !path.starts_with("hashbrown::") {
        return None;
    }
    let (module, last) = path.rsplit_once("::")?;
    match last {
        "HashMap" => Some(("HashMap", "BTreeMap")),
        "HashSet" => Some(("HashSet", "BTreeSet")),
        // Iterators of the collections.
        _ if module.ends_with("::set") && module.contains("hash") => Some(("HashSet", "BTreeSet")),
        _ if module.ends_with("::map") && module.contains("hash") => Some(("HashMap", "BTreeMap")),
        _ => None,
    }
}

/// Returns the length of an iterator if its size hint is exact, as serde determines it.
fn exact_len(iterator: &impl Iterator) -> Option<usize> {
    match iterator.size_hint() {
        (low, Some(high)) if low == high => Some(low),
        _ => None,
    }
}

impl<'a, 'w> Serializer for &'a mut ValueWriter<'w> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Parts<'a, 'w>;
    type SerializeTuple = Parts<'a, 'w>;
    type SerializeTupleStruct = Parts<'a, 'w>;
    type SerializeTupleVariant = Parts<'a, 'w>;
    type SerializeMap = Parts<'a, 'w>;
    type SerializeStruct = Parts<'a, 'w>;
    type SerializeStructVariant = Parts<'a, 'w>;

    fn serialize_bool(self, v: bool) -> Result<(), WriteError> {
        let word = CborWord::bytes([if v { TRUE } else { FALSE }]);
        self.plain(Call::Bool, &[u8::from(v)], word)
    }

    fn serialize_i8(self, v: i8) -> Result<(), WriteError> {
        self.plain(Call::I8, &v.to_le_bytes(), CborWord::int(v.into()))
    }

    fn serialize_i16(self, v: i16) -> Result<(), WriteError> {
        self.plain(Call::I16, &v.to_le_bytes(), CborWord::int(v.into()))
    }

    fn serialize_i32(self, v: i32) -> Result<(), WriteError> {
        self.plain(Call::I32, &v.to_le_bytes(), CborWord::int(v.into()))
    }

    fn serialize_i64(self, v: i64) -> Result<(), WriteError> {
        self.plain(Call::I64, &v.to_le_bytes(), CborWord::int(v))
    }

    fn serialize_i128(self, v: i128) -> Result<(), WriteError> {
        self.calls.take(Call::I128, &v.to_le_bytes(), &[])?;
        self.bignum(|e| e.i128(v).map(|_| ()))
    }

    fn serialize_u8(self, v: u8) -> Result<(), WriteError> {
        self.plain(Call::U8, &v.to_le_bytes(), CborWord::head(UINT, v.into()))
    }

    fn serialize_u16(self, v: u16) -> Result<(), WriteError> {
        self.plain(Call::U16, &v.to_le_bytes(), CborWord::head(UINT, v.into()))
    }

    fn serialize_u32(self, v: u32) -> Result<(), WriteError> {
        self.plain(Call::U32, &v.to_le_bytes(), CborWord::head(UINT, v.into()))
    }

    fn serialize_u64(self, v: u64) -> Result<(), WriteError> {
        self.plain(Call::U64, &v.to_le_bytes(), CborWord::head(UINT, v))
    }

    fn serialize_u128(self, v: u128) -> Result<(), WriteError> {
        self.calls.take(Call::U128, &v.to_le_bytes(), &[])?;
        self.bignum(|e| e.u128(v).map(|_| ()))
    }

    fn serialize_f32(self, v: f32) -> Result<(), WriteError> {
        let bytes = v.to_be_bytes();
        self.calls.take(Call::F32, &bytes, &[])?;
        self.float(F32, &bytes);
        Ok(())
    }

    fn serialize_f64(self, v: f64) -> Result<(), WriteError> {
        let bytes = v.to_be_bytes();
        self.calls.take(Call::F64, &bytes, &[])?;
        self.float(F64, &bytes);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), WriteError> {
        let n = u32::from(v);
        self.plain(Call::Char, &n.to_le_bytes(), CborWord::head(UINT, n.into()))
    }

    fn serialize_str(self, v: &str) -> Result<(), WriteError> {
        self.calls.take(Call::Str, &[], &[v.as_bytes()])?;
        self.text(v.as_bytes(), TEXT);
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), WriteError> {
        self.calls.take(Call::Bytes, &[], &[v])?;
        self.text(v, BYTES);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.plain(Call::None, &[], CborWord::bytes([NULL]))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        self.calls.take(Call::Some, &[], &[])?;
        self.inner(value)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        self.plain(Call::Unit, &[], CborWord::bytes([ARRAY]))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), WriteError> {
        self.calls.take(Call::UnitStruct, &[], &[name.as_bytes()])?;
        self.head(ARRAY, 0);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        let names = [name.as_bytes(), variant.as_bytes()];
        self.calls.take(Call::UnitVariant, &[], &names)?;
        self.text(variant.as_bytes(), TEXT);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        (self.calls).take(Call::NewtypeStruct, &[], &[name.as_bytes()])?;
        self.inner(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let names = [name.as_bytes(), variant.as_bytes()];
        self.calls.take(Call::NewtypeVariant, &[], &names)?;
        self.head(MAP, 1);
        self.text(variant.as_bytes(), TEXT);
        self.inner(value)
            .map_err(|e| e.within(format_args!(".{variant}")))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'w>, WriteError> {
        self.parts(Call::Seq, &[])?;
        match len {
            Some(len) => self.head(ARRAY, len),
            None => self.byte(ARRAY_OF_UNKNOWN_LENGTH),
        }
        Ok(Parts::one_by_one(self, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts<'a, 'w>, WriteError> {
        self.parts(Call::Tuple, &[])?;
        self.head(ARRAY, len);
        Ok(Parts::new(self, false))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'w>, WriteError> {
        self.parts(Call::TupleStruct, &[name.as_bytes()])?;
        self.head(ARRAY, len);
        Ok(Parts::new(self, false))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'w>, WriteError> {
        let names = [name.as_bytes(), variant.as_bytes()];
        self.parts(Call::TupleVariant, &names)?;
        self.head(MAP, 1);
        self.text(variant.as_bytes(), TEXT);
        self.head(ARRAY, len);
        Ok(Parts::new(self, false))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'w>, WriteError> {
        self.parts(Call::Map, &[])?;
        match len {
            Some(len) => self.head(MAP, len),
            None => self.byte(MAP_OF_UNKNOWN_LENGTH),
        }
        Ok(Parts::one_by_one(self, len))
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Parts<'a, 'w>, WriteError> {
        self.parts(Call::Struct, &[name.as_bytes()])?;
        self.head(MAP, len);
        Ok(Parts::new(self, false))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'w>, WriteError> {
        let names = [name.as_bytes(), variant.as_bytes()];
        self.parts(Call::StructVariant, &names)?;
        self.head(MAP, 1);
        self.text(variant.as_bytes(), TEXT);
        self.head(MAP, len);
        Ok(Parts::new(self, false))
    }

    fn collect_seq<I>(self, items: I) -> Result<(), WriteError>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        self.must_be_ordered::<I>()?;
        let mut items = items.into_iter();
        let mut parts = self.serialize_seq(exact_len(&items))?;
        parts.in_unknown_order = false;
        items.try_for_each(|item| parts.item(&item))?;
        SerializeSeq::end(parts)
    }

    fn collect_map<K, V, I>(self, entries: I) -> Result<(), WriteError>
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        self.must_be_ordered::<I>()?;
        let mut entries = entries.into_iter();
        let mut parts = self.serialize_map(exact_len(&entries))?;
        parts.in_unknown_order = false;
        entries.try_for_each(|(key, value)| parts.serialize_entry(&key, &value))?;
        SerializeMap::end(parts)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ValueWriter<'_> {
    /// Returns an error for a collection without a fixed order, if the value must round trip.
    fn must_be_ordered<I>(&self) -> Result<(), WriteError> {
        match &self.calls {
            Calls::Recorded(_) => unordered::<I>().map_or(Ok(()), |(name, instead)| {
                Err(WriteError::new(Fault::Unordered(name, instead)))
            }),
            Calls::Ignored | Calls::Expected(_) => Ok(()),
        }
    }
}
