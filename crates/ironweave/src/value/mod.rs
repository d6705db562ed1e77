//! Values of fields, state data and events: any serde type, stored as itself and written as CBOR.
//!
//! [`write`] and [`read`] are the two directions; [`faithful`] refuses what would not come back as it was.

mod calls;
pub(crate) mod debug;
mod encoding;
mod faithful;
mod fault;
pub(crate) mod item;
mod parts;
mod read;
pub(crate) mod typed;
mod write;

use std::any::{Any, TypeId};
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::calls::Calls;
use self::read::ValueReader;
use self::write::ValueWriter;
use crate::base::cbor::{FALSE, TEXT, TRUE, UINT, Word, head};
use crate::base::time::AsNumbers;
use crate::base::time::Timestamp;

pub(crate) use encoding::encoding;
pub use faithful::{Equal, Equality, Unequal, is_faithful};
pub(crate) use faithful::{encode_faithful, equal};

/// How deep a value may be nested that is written by a step. Every sequence, tuple, map, struct, variant, newtype
/// and `Some` is a level.
const DEPTH_MAX: u32 = 128;

/// How deep a value may be nested that is read. Logs from before there was a limit have their values still.
pub(crate) const DEPTH_READ_MAX: u32 = 2 * DEPTH_MAX;

/// What a field can hold: any type that serde can write and read, that can be cloned and sent.
///
/// A step refuses a value that would be read back as another, with the reason ([`StepError::Unwritable`]): it is
/// read back and compared before it is written to anything. Only numbers, texts and the like, which are known to come
/// back, are not. There must be no `HashMap` in it, since the log hashes what is written and its order differs from
/// run to run.
///
/// [`StepError::Unwritable`]: crate::StepError::Unwritable
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in a model",
    label = "not a value that can be stored",
    note = "a value is `#[derive(Clone, serde::Serialize, serde::Deserialize)]`, `Send` and `Sync`, and owns what is in it"
)]
pub trait Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Value for T {}

/// Stored bytes are not what their type expects.
#[derive(Debug)]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

impl From<minicbor::decode::Error> for DecodeError {
    fn from(e: minicbor::decode::Error) -> Self {
        Self::new(e)
    }
}

/// A value could not be written, or would be read back as another.
#[derive(Debug)]
pub struct EncodeError(String);

impl EncodeError {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<fault::WriteError> for EncodeError {
    fn from(e: fault::WriteError) -> Self {
        Self::new(e)
    }
}

/// Appends a value in CBOR.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let _as_numbers = AsNumbers::begin();
    let mut writer = ValueWriter::new(Some(bytes), Calls::Ignored, DEPTH_READ_MAX);
    value.serialize(&mut writer).map_err(|e| {
        bytes.truncate(start);
        e.into()
    })
}

/// Whether a type is a number, a truth value or a time: at most 9 bytes in CBOR, quickly written.
#[inline]
pub(crate) fn is_plain<T: 'static>() -> bool {
    // Decided when it is compiled, for a given `T`.
    let ty = TypeId::of::<T>();
    macro_rules! any_of {
        ($($ty:ty)*) => { false $(|| ty == TypeId::of::<$ty>())* };
    }
    any_of!(u64 u32 u16 u8 i64 i32 i16 i8 bool Timestamp)
}

/// A value of a plain type in CBOR; see [`is_plain`].
#[inline]
pub(crate) fn plain_bytes<T: 'static>(value: &T) -> Option<Word> {
    // For a given `T` all but one of these comparisons are decided when it is compiled.
    let any: &dyn Any = value;
    macro_rules! plain {
        ($($ty:ty => |$value:ident| $word:expr),* $(,)?) => {
            $(if let Some($value) = any.downcast_ref::<$ty>() {
                return Some($word);
            })*
        };
    }
    plain! {
        u64 => |n| Word::head(UINT, *n),
        u32 => |n| Word::head(UINT, u64::from(*n)),
        u16 => |n| Word::head(UINT, u64::from(*n)),
        u8 => |n| Word::head(UINT, u64::from(*n)),
        i64 => |n| Word::int(*n),
        i32 => |n| Word::int(i64::from(*n)),
        i16 => |n| Word::int(i64::from(*n)),
        i8 => |n| Word::int(i64::from(*n)),
        bool => |b| Word::bytes([if *b { TRUE } else { FALSE }]),
        Timestamp => |t| Word::int(t.as_micros()),
    }
    None
}

/// As [`encode`], without a call for each head where the type is one of the plain ones or a text.
#[inline]
pub(crate) fn encode_value<T: Serialize + 'static>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if let Some(word) = plain_bytes(value) {
        word.write(bytes);
        return Ok(());
    }
    let any: &dyn Any = value;
    if let Some(text) = any.downcast_ref::<String>() {
        head(bytes, TEXT, text.len() as u64);
        bytes.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    encode(value, bytes)
}

/// Reads a value that [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = ValueReader::new(bytes, DEPTH_READ_MAX);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
