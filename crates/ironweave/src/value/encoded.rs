//! Values that stay in their encoding, for columns whose Rust type is not known.

use std::any::Any;
use std::sync::Arc;

use minicbor::Decoder;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::DecodeError;
use crate::value::item::{end, raw_item};

/// One well-formed CBOR item. Two are equal if their bytes are.
///
/// A column stores it as that item ([`encode_value`](super::encode_value), [`decode_value`](super::decode_value)). In any
/// other format it is a list of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EncodedValue(Arc<[u8]>);

impl EncodedValue {
    /// The value with this encoding.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        raw_item(&mut d)?;
        end(&d)?;
        Ok(Self(bytes.into()))
    }

    /// The encoding of a value of this type; `None` for a value of another type.
    #[inline(always)]
    pub(in crate::value) fn bytes_of<T: 'static>(value: &T) -> Option<&[u8]> {
        let any: &dyn Any = value;
        any.downcast_ref().map(|Self(bytes)| &**bytes)
    }

    /// Decodes a value if `T` is this type; `None` for another type.
    #[inline(always)]
    pub(super) fn decoded<T: 'static>(bytes: &[u8]) -> Option<Result<T, DecodeError>> {
        let mut made: Option<T> = None;
        let any: &mut dyn Any = &mut made;
        let made_here = any.downcast_mut::<Option<Self>>()?;
        match Self::new(bytes) {
            Ok(value) => *made_here = Some(value),
            Err(e) => return Some(Err(e)),
        }
        made.map(Ok)
    }
}

impl Serialize for EncodedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&*self.0)
    }
}

impl<'de> Deserialize<'de> for EncodedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::deserialize(deserializer)?;
        Self::new(&bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{decode_value, encode_faithful, encode_value};

    #[test]
    fn a_value_is_written_and_read_as_its_item() {
        let item = [0x82, 0x61, b'a', 0xf6];
        let value: EncodedValue = decode_value(&item).expect("an item");
        let (mut written, mut faithful) = (Vec::new(), Vec::new());
        encode_value(&value, &mut written).expect("it is written");
        encode_faithful(&value, &mut faithful, || None).expect("it is written");
        assert_eq!((&*written, &*faithful), (&item[..], &item[..]));
        for wrong in [&[0x82, 0x61][..], &[0x00, 0x00], &[0x18, 0x01], &[]] {
            assert!(decode_value::<EncodedValue>(wrong).is_err(), "{wrong:x?}");
        }
        assert_eq!(decode_value::<u64>(&[7]).expect("a number"), 7);
    }
}
