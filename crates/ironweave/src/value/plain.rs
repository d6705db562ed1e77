//! Plain values: numbers, `bool` and times. Each fits into one word, and its encoding needs no serializer.

use std::any::{Any, TypeId};

use crate::base::cbor::{CborWord, FALSE, NEGATIVE, SIMPLE, UINT, hash_head};
use crate::base::time::Timestamp;

/// How the word of a plain value is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainForm {
    /// A number without a sign.
    Unsigned,
    /// A number with a sign, or a time in microseconds.
    Signed,
    /// 0 or 1.
    Bool,
}

/// Calls a macro with each plain type, how its values become words, and how words become its values.
macro_rules! for_plain_types {
    ($call:ident) => {
        $call! {
            u64: Unsigned, |n| *n, |word| word;
            usize: Unsigned, |n| *n as u64, |word| word as usize;
            u32: Unsigned, |n| u64::from(*n), |word| word as u32;
            u16: Unsigned, |n| u64::from(*n), |word| word as u16;
            u8: Unsigned, |n| u64::from(*n), |word| word as u8;
            i64: Signed, |n| *n as u64, |word| word as i64;
            isize: Signed, |n| *n as i64 as u64, |word| word as isize;
            i32: Signed, |n| i64::from(*n) as u64, |word| word as i32;
            i16: Signed, |n| i64::from(*n) as u64, |word| word as i16;
            i8: Signed, |n| i64::from(*n) as u64, |word| word as i8;
            bool: Bool, |b| u64::from(*b), |word| word != 0;
            Timestamp: Signed, |t| t.as_micros() as u64, |word| Timestamp::from_micros(word as i64);
        }
    };
}

// For a given `T`, the compiler evaluates the comparisons of types in these functions.

macro_rules! forms {
    ($($ty:ty: $form:ident, $to:expr, $from:expr;)*) => {
        /// Returns the form of a type, or `None` if it is not plain.
        #[inline(always)]
        pub(crate) fn plain_form<T: 'static>() -> Option<PlainForm> {
            let ty = TypeId::of::<T>();
            $(if ty == TypeId::of::<$ty>() {
                return Some(PlainForm::$form);
            })*
            None
        }

        /// Returns the word of a value, or `None` if its type is not plain.
        #[inline(always)]
        pub(crate) fn plain_word<T: 'static>(value: &T) -> Option<u64> {
            let any: &dyn Any = value;
            $(if let Some(value) = any.downcast_ref::<$ty>() {
                let word: fn(&$ty) -> u64 = $to;
                return Some(word(value));
            })*
            None
        }

        /// Returns the value of a word, or `None` if the type is not plain.
        #[inline(always)]
        pub(crate) fn plain_value<T: 'static>(word: u64) -> Option<T> {
            let mut made: Option<T> = None;
            let any: &mut dyn Any = &mut made;
            $(if let Some(made) = any.downcast_mut::<Option<$ty>>() {
                let value: fn(u64) -> $ty = $from;
                *made = Some(value(word));
            })*
            made
        }
    };
}

for_plain_types!(forms);

impl PlainForm {
    /// Returns the major type and the argument of the encoding of a word, which is one head.
    #[inline(always)]
    fn head(self, word: u64) -> (u8, u64) {
        match self {
            Self::Unsigned => (UINT, word),
            Self::Signed => {
                // All bits are those of the sign.
                let sign = (word as i64 >> 63) as u64;
                (sign as u8 & NEGATIVE, word ^ sign)
            }
            Self::Bool => (SIMPLE, word + u64::from(FALSE ^ SIMPLE)),
        }
    }

    /// Returns the encoding of a word.
    #[inline(always)]
    pub(crate) fn cbor(self, word: u64) -> CborWord {
        let (major, n) = self.head(word);
        CborWord::head(major, n)
    }

    /// Returns the hash of the encoding of a word.
    #[inline(never)]
    pub(crate) fn hash(self, word: u64) -> u64 {
        let (major, n) = self.head(word);
        hash_head(major, n)
    }

    /// Returns the hashes of the encodings of two words.
    #[inline(always)]
    pub(crate) fn hashes(self, a: u64, b: u64) -> (u64, u64) {
        if self == Self::Unsigned {
            return (hash_head(UINT, a), hash_head(UINT, b));
        }
        self.hashes_of_any(a, b)
    }

    #[inline(never)]
    fn hashes_of_any(self, a: u64, b: u64) -> (u64, u64) {
        let ((major_a, a), (major_b, b)) = (self.head(a), self.head(b));
        (hash_head(major_a, a), hash_head(major_b, b))
    }
}

/// Returns whether a type is plain.
#[inline]
pub(crate) fn is_plain<T: 'static>() -> bool {
    plain_form::<T>().is_some()
}

/// Returns the encoding of a value, or `None` if its type is not plain.
#[inline]
pub(crate) fn plain_bytes<T: 'static>(value: &T) -> Option<CborWord> {
    plain_form::<T>()
        .zip(plain_word(value))
        .map(|(form, word)| form.cbor(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word of a value and its form say what the value is and how it is encoded.
    fn check<T: serde::Serialize + PartialEq + std::fmt::Debug + 'static>(values: Vec<T>) {
        for value in values {
            let word = plain_word(&value).expect("it is plain");
            assert_eq!(plain_value::<T>(word).as_ref(), Some(&value));
            let (mut own, mut serialized) = (Vec::new(), Vec::new());
            let form = plain_form::<T>().expect("it is plain");
            form.cbor(word).write(&mut own);
            crate::value::encode(&value, &mut serialized).expect("a value");
            assert_eq!(own, serialized, "{value:?}");
            let hash = form.hash(word);
            assert_eq!(
                hash,
                crate::base::hash::hash_bytes(&serialized),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_plain_value_is_its_word() {
        check(vec![0, 1, 23, 24, 255, 256, u64::MAX]);
        check(vec![0, 65_536, u32::MAX]);
        check(vec![0, 65_536, usize::MAX]);
        check(vec![0, -1, isize::MIN, isize::MAX]);
        check(vec![0, 256, u16::MAX]);
        check(vec![0, 24, u8::MAX]);
        check(vec![0, -1, -25, i64::MIN, i64::MAX]);
        check(vec![0, -1, i32::MIN, i32::MAX]);
        check(vec![0, -1, i16::MIN, i16::MAX]);
        check(vec![0, -1, i8::MIN, i8::MAX]);
        check(vec![false, true]);
        check(
            [0, -1, i64::MIN, i64::MAX]
                .map(Timestamp::from_micros)
                .into(),
        );
        assert!(plain_form::<String>().is_none() && plain_value::<f64>(0).is_none());
        assert!(!is_plain::<Option<u64>>() && plain_word(&1.0f32).is_none());
    }
}
