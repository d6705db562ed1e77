//! The values of a column in an image: words for plain types, CBOR for all others.

use crate::base::hash::hash_bytes;
use crate::base::image::{ImageError, ImageSink, ImageSource, must_have, take_u32};
use crate::value::{
    PlainForm, Value, decode_value, encode_value, plain_form, plain_value, plain_word,
};

/// How the values of a column are in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum CellForm {
    /// Each has its length before it.
    Cbor,
    /// Each is a word, in so many bytes.
    Words(PlainForm, usize),
}

impl CellForm {
    /// The form of the values of a type.
    pub(in crate::graph) fn of<T: 'static>() -> Self {
        plain_form::<T>().map_or(Self::Cbor, |form| Self::Words(form, size_of::<T>()))
    }

    /// Writes the form, which is before the values.
    pub(in crate::graph) fn write(self, to: &mut dyn ImageSink) -> Result<(), ImageError> {
        to.put(&match self {
            Self::Cbor => [0, 0],
            Self::Words(PlainForm::Unsigned, bytes) => [1, bytes as u8],
            Self::Words(PlainForm::Signed, bytes) => [2, bytes as u8],
            Self::Words(PlainForm::Bool, bytes) => [3, bytes as u8],
        })
    }

    pub(in crate::graph) fn read(from: &mut dyn ImageSource) -> Result<Self, ImageError> {
        match *from.take(2)? {
            [0, 0] => Ok(Self::Cbor),
            [1, bytes @ (1 | 2 | 4 | 8)] => Ok(Self::Words(PlainForm::Unsigned, bytes.into())),
            [2, bytes @ (1 | 2 | 4 | 8)] => Ok(Self::Words(PlainForm::Signed, bytes.into())),
            [3, 1] => Ok(Self::Words(PlainForm::Bool, 1)),
            _ => Err(ImageError::content("its values have an unknown form")),
        }
    }

    /// Writes a value of the type that the form is of. `hash` is the hash of its bytes in the log.
    pub(in crate::graph) fn write_value<T: Value>(
        self,
        value: &T,
        hash: u64,
        buffer: &mut Vec<u8>,
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError> {
        if let Self::Words(_, bytes) = self {
            let word = plain_word(value).unwrap_or_default().to_le_bytes();
            return to.put(word.get(..bytes).unwrap_or(&word));
        }
        buffer.clear();
        buffer.extend_from_slice(&[0; 4]);
        encode_value(value, buffer).map_err(|e| ImageError::Content(e.to_string()))?;
        let (len, bytes) = buffer.split_at_mut(4);
        if hash_bytes(bytes) != hash {
            return Err(ImageError::content(
                "a value is encoded differently than it is in the log",
            ));
        }
        len.copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        to.put(buffer)
    }

    /// Reads a value and the hash of its encoding.
    pub(in crate::graph) fn read_value<T: Value>(
        self,
        from: &mut dyn ImageSource,
    ) -> Result<(T, u64), ImageError> {
        let decoded = |bytes: &[u8]| {
            let value = decode_value::<T>(bytes).map_err(ImageError::content)?;
            Ok((value, hash_bytes(bytes)))
        };
        let Self::Words(form, bytes) = self else {
            // Usually all of it is there, and is looked at in place.
            if let Some((len, rest)) = from.ready().split_first_chunk::<4>()
                && let len = u32::from_le_bytes(*len) as usize
                && let Some(bytes) = rest.get(..len)
            {
                let read = decoded(bytes)?;
                from.take(4 + len)?;
                return Ok(read);
            }
            let len = take_u32(from)?;
            must_have(from, len.into(), 1)?;
            return decoded(from.take(len as usize)?);
        };
        let mut word = [0; 8];
        if let Some(low) = word.get_mut(..bytes) {
            low.copy_from_slice(from.take(bytes)?);
        }
        let mut word = u64::from_le_bytes(word);
        match form {
            PlainForm::Unsigned => {}
            PlainForm::Signed => {
                let spare = 64 - 8 * bytes as u32;
                word = ((word << spare) as i64 >> spare) as u64;
            }
            PlainForm::Bool if word > 1 => {
                return Err(ImageError::content("a truth value is neither 0 nor 1"));
            }
            PlainForm::Bool => {}
        }
        if let Some(value) = plain_value::<T>(word).filter(|_| self == Self::of::<T>()) {
            return Ok((value, form.hash(word)));
        }
        // The column has another type, whose values have the same encoding.
        let mut cbor = Vec::new();
        form.cbor(word).write(&mut cbor);
        decoded(&cbor)
    }
}
