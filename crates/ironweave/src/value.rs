//! Values of fields, state data and events: any serde type, stored as itself and written as CBOR.

use std::fmt;

use minicbor::Decoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a field can hold: any type that serde can write and read, that can be cloned and sent.
///
/// It must serialize in a fixed order, since the log hashes what is written; so a `HashMap` (refused by
/// name in a model, but not found when it is nested in a type of your own) must not be in it.
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

/// A value could not be written: its `Serialize` refused.
#[derive(Debug)]
pub struct EncodeError(String);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends a value in CBOR.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = bytes.len();
    let mut serializer = minicbor_serde::Serializer::new(&mut *bytes);
    value.serialize(&mut serializer).map_err(|e| {
        bytes.truncate(start);
        EncodeError(e.to_string())
    })
}

/// Reads a value that [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    minicbor_serde::from_slice(bytes).map_err(DecodeError::new)
}

/// One CBOR item, whatever it is: its bytes, with the decoder moved behind it.
pub(crate) fn raw_item<'b>(decoder: &mut Decoder<'b>) -> Result<&'b [u8], DecodeError> {
    let start = decoder.position();
    decoder.skip()?;
    Ok(&decoder.input()[start..decoder.position()])
}

/// A value in the diagnostic notation of RFC 8949, for people.
pub(crate) fn display(bytes: &[u8]) -> String {
    minicbor::display(bytes).to_string()
}
