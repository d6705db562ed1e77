//! Values of fields, state data and events: any serde type, kept as a Rust value in memory and encoded as CBOR in the log.
//!
//! [`write`] is the serializer and [`read`] the deserializer. [`faithful`] rejects values that would be decoded as different
//! values.

pub(crate) mod arithmetic;
pub(crate) mod by_encoding;
pub(crate) mod calculate;
mod calls;
pub(crate) mod debug;
pub(crate) mod encoded;
mod encoding;
mod faithful;
mod fault;
pub(crate) mod fixed;
pub(crate) mod given;
pub(crate) mod item;
pub(crate) mod parse;
mod parts;
mod plain;
mod read;
pub(crate) mod typed;
mod write;
pub(crate) mod written;

use std::any::Any;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::calls::Calls;
use self::encoded::EncodedValue;
use self::read::ValueReader;
use self::write::ValueWriter;
use crate::base::cbor::{TEXT, head};
use crate::base::time::NumericTimes;

pub(crate) use encoding::{encoding, is_equal_as_stored};
pub use faithful::{Equal, Equality, Unequal, is_faithful};
pub(crate) use faithful::{encode_faithful, equal};
pub use plain::PlainForm;
pub(crate) use plain::{is_plain, plain_bytes, plain_form, plain_value, plain_word};

/// The number of levels that a value written by a step may have. Every sequence, tuple, map, struct, variant, newtype and
/// `Some` is a level.
const DEPTH_MAX: u32 = 128;

/// The number of levels that a value read from a log may have. It is greater than [`DEPTH_MAX`], because logs that were
/// written before that limit was introduced must stay readable.
pub(crate) const DEPTH_READ_MAX: u32 = 2 * DEPTH_MAX;

/// The type of a field: any type that serde can serialize and deserialize, that can be cloned, and that is `Send`, `Sync`
/// and `'static`. It is implemented for all such types.
///
/// A step rejects a value that would be read back from the log as a different value ([`StepError::Unwritable`]). To find
/// out, the step decodes each encoded value and compares it, except for numbers, texts and similar types, which always round
/// trip. A value must not contain a `HashMap`: the store hashes encoded values, and the order of a `HashMap` differs from
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

/// The error of decoding bytes that are not a value of the expected type.
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

/// The error of encoding a value: it cannot be encoded, or would be decoded as a different value.
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

/// Appends the CBOR encoding of a value.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let _numeric_times = NumericTimes::begin();
    let mut writer = ValueWriter::new(Some(bytes), Calls::Ignored, DEPTH_READ_MAX);
    value.serialize(&mut writer).map_err(|e| {
        bytes.truncate(start);
        e.into()
    })
}

/// Appends the CBOR encoding of a value, as [`encode`] does. Plain types and texts are encoded without the serializer, and
/// an [`EncodedValue`] is its encoding.
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
    if let Some(item) = EncodedValue::bytes_of(value) {
        bytes.extend_from_slice(item);
        return Ok(());
    }
    encode(value, bytes)
}

/// Returns the value that [`encode_value`] encoded.
#[inline]
pub(crate) fn decode_value<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, DecodeError> {
    if let Some(text) = decoded_text(bytes) {
        return Ok(text);
    }
    EncodedValue::decoded(bytes).unwrap_or_else(|| decode(bytes))
}

/// Returns the text with this encoding, if `T` is `String` and the encoding is the usual one.
#[inline(always)]
fn decoded_text<T: 'static>(bytes: &[u8]) -> Option<T> {
    let mut made: Option<T> = None;
    let any: &mut dyn Any = &mut made;
    let text = any.downcast_mut::<Option<String>>()?;
    let (len, rest) = match bytes {
        [head @ 0x60..=0x77, rest @ ..] => (usize::from(head - 0x60), rest),
        [0x78, len, rest @ ..] => (usize::from(*len), rest),
        [0x79, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        _ => return None,
    };
    // A text of another length or with a longer head than it needs is left to the decoder.
    let shortest = match bytes.len() - rest.len() {
        1 => 0,
        2 => 24,
        _ => 256,
    };
    if rest.len() != len || len < shortest {
        return None;
    }
    *text = Some(std::str::from_utf8(rest).ok()?.to_owned());
    made
}

/// Returns the value that [`encode`] encoded.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = ValueReader::new(bytes, DEPTH_READ_MAX);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// As [`decode`], by a seed.
#[cfg(feature = "check")]
pub(crate) fn decode_by<'b, S: serde::de::DeserializeSeed<'b>>(
    bytes: &'b [u8],
    seed: S,
) -> Result<S::Value, DecodeError> {
    let mut reader = ValueReader::new(bytes, DEPTH_READ_MAX);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
