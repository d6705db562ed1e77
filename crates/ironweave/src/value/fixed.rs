//! Values in 8 bytes: how a record of a frame has a number, a truth value, a character, a time or an id.
//!
//! `docs/log-format.md`, *Words*, lists the forms. Everywhere else such a value is CBOR, so both directions are here.

use std::any::Any;

use crate::base::cbor::{CborWord, FALSE, NEGATIVE, SIMPLE, TRUE, UINT};
use crate::base::id::Id;
use crate::schema::Encoding;
use crate::value::plain_word;

/// The first byte of a CBOR float of 4 bytes.
const F32: u8 = SIMPLE | 26;
/// The first byte of a CBOR float of 8 bytes.
const F64: u8 = SIMPLE | 27;

/// An encoding whose values have at most 8 bytes. The set is closed: values of an encoding that a later version adds are
/// CBOR, so that a reader need not know the encoding to find the end of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixedEncoding {
    /// An unsigned integer up to a greatest one.
    Unsigned(u64),
    /// A signed integer with so many bits.
    Signed(u32),
    Bool,
    F32,
    F64,
    Char,
    Id,
}

impl FixedEncoding {
    /// Returns the form in 8 bytes of an encoding of the schema, if it has one.
    pub(crate) fn of(encoding: Option<&Encoding>) -> Option<Self> {
        Some(match encoding? {
            Encoding::Bool => Self::Bool,
            Encoding::U8 => Self::Unsigned(u8::MAX.into()),
            Encoding::U16 => Self::Unsigned(u16::MAX.into()),
            Encoding::U32 => Self::Unsigned(u32::MAX.into()),
            Encoding::U64 => Self::Unsigned(u64::MAX),
            Encoding::I8 => Self::Signed(8),
            Encoding::I16 => Self::Signed(16),
            Encoding::I32 => Self::Signed(32),
            Encoding::I64 | Encoding::Timestamp => Self::Signed(64),
            Encoding::F32 => Self::F32,
            Encoding::F64 => Self::F64,
            Encoding::Char => Self::Char,
            Encoding::Id(_) => Self::Id,
            _ => return None,
        })
    }

    /// Returns the CBOR of a word, or `None` if no value of this encoding has this word.
    #[inline]
    pub(crate) fn to_cbor(self, word: u64) -> Option<CborWord> {
        match self {
            Self::Unsigned(most) => (word <= most).then(|| CborWord::head(UINT, word)),
            Self::Signed(bits) => {
                let n = word as i64;
                let spare = 64 - bits;
                (n << spare >> spare == n).then(|| CborWord::int(n))
            }
            Self::Bool => (word <= 1).then(|| CborWord::bytes([FALSE + word as u8])),
            Self::F32 => {
                let [a, b, c, d] = u32::try_from(word).ok()?.to_be_bytes();
                Some(CborWord::bytes([F32, a, b, c, d]))
            }
            Self::F64 => {
                let [a, b, c, d, e, f, g, h] = word.to_be_bytes();
                Some(CborWord::bytes([F64, a, b, c, d, e, f, g, h]))
            }
            Self::Char => {
                let c = char::from_u32(u32::try_from(word).ok()?)?;
                Some(CborWord::head32(UINT, c.into()))
            }
            Self::Id => Id::from_bits(word).map(|id| CborWord::head(UINT, id.to_bits())),
        }
    }

    /// Returns the word of a value in CBOR, or `None` if it is not a value of this encoding in its shortest form.
    #[inline]
    pub(crate) fn of_cbor(self, cbor: &[u8]) -> Option<u64> {
        let (first, rest) = cbor.split_first()?;
        let number = || {
            Some(match *rest {
                [] => u64::from(first & 0x1f),
                [n] => n.into(),
                [a, b] => u16::from_be_bytes([a, b]).into(),
                [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
                [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
                _ => return None,
            })
        };
        match (self, first & 0xe0) {
            (Self::Unsigned(_) | Self::Char | Self::Id, UINT) => number(),
            (Self::Signed(_), UINT) => number().filter(|n| *n <= i64::MAX as u64),
            (Self::Signed(_), NEGATIVE) => number().filter(|n| *n <= i64::MAX as u64).map(|n| !n),
            (Self::Bool, _) => match *cbor {
                [FALSE] => Some(0),
                [TRUE] => Some(1),
                _ => None,
            },
            (Self::F32, _) => number().filter(|_| *first == F32),
            (Self::F64, _) => number().filter(|_| *first == F64),
            _ => None,
        }
    }
}

/// Returns the word of a value whose type has an encoding of 8 bytes, or `None` for other types.
#[inline(always)]
pub(crate) fn word_of<T: 'static>(value: &T) -> Option<u64> {
    // For a given `T`, the compiler evaluates these comparisons.
    if let Some(word) = plain_word(value) {
        return Some(word);
    }
    let any: &dyn Any = value;
    macro_rules! words {
        ($($ty:ty => |$value:ident| $word:expr),* $(,)?) => {
            $(if let Some($value) = any.downcast_ref::<$ty>() {
                return Some($word);
            })*
        };
    }
    words! {
        usize => |n| *n as u64,
        isize => |n| *n as u64,
        f32 => |f| f.to_bits().into(),
        f64 => |f| f.to_bits(),
        char => |c| u32::from(*c).into(),
    }
    None
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::fmt::Debug;

    use serde::Serialize;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::schema::EntityIx;
    use crate::value::{encode, encoding};

    /// The word, the encoding of the type and the CBOR of each value agree.
    fn agree<T: Serialize + Debug + 'static>(values: &[T]) {
        let fixed = FixedEncoding::of(Some(&encoding(TypeId::of::<T>()))).unwrap();
        for value in values {
            let mut cbor = Vec::new();
            encode(value, &mut cbor).unwrap();
            let word = word_of(value).unwrap();
            assert_eq!(fixed.of_cbor(&cbor), Some(word), "{value:?}");
            let mut again = Vec::new();
            fixed.to_cbor(word).unwrap().write(&mut again);
            assert_eq!(again, cbor, "{value:?}");
        }
    }

    #[test]
    fn words_are_the_values_that_cbor_has() {
        agree(&[0, 1, 23, 24, u8::MAX]);
        agree(&[0, 255, 256, u16::MAX]);
        agree(&[0, 65_535, 65_536, u32::MAX]);
        agree(&[0, 1 << 32, u64::MAX]);
        agree(&[0, 1 << 32, usize::MAX]);
        agree(&[0, -1, i8::MIN, i8::MAX]);
        agree(&[0, -1, i16::MIN, i16::MAX]);
        agree(&[0, -1, i32::MIN, i32::MAX]);
        agree(&[0, -1, -25, i64::MIN, i64::MAX]);
        agree(&[0, -1, isize::MIN, isize::MAX]);
        agree(&[false, true]);
        agree(&['\0', 'a', '\u{d7ff}', '\u{e000}', char::MAX]);
        agree(&[0.0, -0.0, 1.5, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE]);
        agree(&[0.0, -0.0, 0.1, f64::NEG_INFINITY, f64::MAX]);
        agree(&[f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001)]);
        agree(&[i64::MIN, -1, 0, i64::MAX].map(Timestamp::from_micros));
    }

    #[test]
    fn a_type_is_a_word_exactly_if_its_encoding_is_one() {
        fn check<T: 'static>(value: &T) {
            let encoding = encoding(TypeId::of::<T>());
            let fixed = FixedEncoding::of(Some(&encoding));
            assert_eq!(fixed.is_some(), word_of(value).is_some(), "{encoding:?}");
        }
        check(&());
        check(&0u128);
        check(&0i128);
        check(&String::new());
        check(&Box::<str>::from(""));
        check(&std::path::PathBuf::new());
        check(&std::time::Duration::ZERO);
        check(&Some(1u8));
        check(&vec![1u8]);
        check(&[1u8; 2]);
    }

    #[test]
    fn a_word_that_no_value_has_is_refused() {
        let signed = |n: i64| n as u64;
        for (encoding, word) in [
            (Encoding::Bool, 2),
            (Encoding::U8, 256),
            (Encoding::U16, 1 << 16),
            (Encoding::U32, 1 << 32),
            (Encoding::I8, 128),
            (Encoding::I8, signed(-129)),
            (Encoding::I16, 1 << 15),
            (Encoding::I32, 1 << 31),
            (Encoding::I32, u64::from(u32::MAX)),
            (Encoding::F32, 1 << 32),
            (Encoding::Char, 0xd800),
            (Encoding::Char, 0x11_0000),
            (Encoding::Char, 1 << 32),
            (Encoding::Id(EntityIx::default()), 1 << 56),
        ] {
            let fixed = FixedEncoding::of(Some(&encoding)).unwrap();
            assert!(fixed.to_cbor(word).is_none(), "{encoding:?} {word}");
        }
    }

    #[test]
    fn what_is_not_a_value_of_the_encoding_has_no_word() {
        for (encoding, cbor) in [
            (Encoding::U64, &[][..]),
            (Encoding::U64, &[0x20]),
            (Encoding::I64, &[0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0]),
            (Encoding::I64, &[0x3b, 0xff, 0, 0, 0, 0, 0, 0, 0]),
            (Encoding::Bool, &[0xf6]),
            (Encoding::F64, &[0xfa, 0, 0, 0, 0]),
            (Encoding::U8, &[0x61, b'a']),
        ] {
            let fixed = FixedEncoding::of(Some(&encoding)).unwrap();
            assert_eq!(fixed.of_cbor(cbor), None, "{encoding:?} {cbor:x?}");
        }
    }
}
