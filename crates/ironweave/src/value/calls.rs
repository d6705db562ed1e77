//! The calls that a value makes to its serializer, recorded as bytes.
//!
//! The CBOR encodings of different values can be equal: `Some(None)` is encoded like `None`, and a newtype like its
//! content. Their calls differ. The calls of a value are recorded while it is encoded, and those of the decoded value
//! afterwards. If the two records differ, the calls are compared one by one to find the first that differs.

use std::fmt;

/// A call to a serializer. The lengths that serde passes are not recorded, because they are only hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Call {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    UnitVariant,
    NewtypeStruct,
    NewtypeVariant,
    Seq,
    Tuple,
    TupleStruct,
    TupleVariant,
    Map,
    Struct,
    StructVariant,
    /// The name of a field, before its value.
    Field,
    /// The end of a sequence, tuple, map or struct.
    End,
}

const ALL: [Call; 32] = [
    Call::Bool,
    Call::I8,
    Call::I16,
    Call::I32,
    Call::I64,
    Call::I128,
    Call::U8,
    Call::U16,
    Call::U32,
    Call::U64,
    Call::U128,
    Call::F32,
    Call::F64,
    Call::Char,
    Call::Str,
    Call::Bytes,
    Call::None,
    Call::Some,
    Call::Unit,
    Call::UnitStruct,
    Call::UnitVariant,
    Call::NewtypeStruct,
    Call::NewtypeVariant,
    Call::Seq,
    Call::Tuple,
    Call::TupleStruct,
    Call::TupleVariant,
    Call::Map,
    Call::Struct,
    Call::StructVariant,
    Call::Field,
    Call::End,
];

/// The destination of the calls that a value makes.
pub(super) enum Calls<'c> {
    /// The calls are not recorded.
    Ignored,
    /// The calls are appended to these.
    Recorded(&'c mut Vec<u8>),
    /// The calls are compared with these, which were recorded before.
    Expected(&'c [u8]),
}

/// The first call that differs, as text.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The call of the value that was written.
    pub written: String,
    /// The call of the value that was read back.
    pub read: String,
}

impl Calls<'_> {
    /// Records or compares a call with its bytes, whose number is the same for each such call, and its texts.
    #[inline]
    pub(super) fn take(
        &mut self,
        call: Call,
        bytes: &[u8],
        texts: &[&[u8]],
    ) -> Result<(), Box<Mismatch>> {
        match self {
            Self::Ignored => Ok(()),
            Self::Recorded(all) => {
                all.push(call as u8);
                all.extend_from_slice(bytes);
                for text in texts {
                    all.extend_from_slice(&text.len().to_le_bytes());
                    all.extend_from_slice(text);
                }
                Ok(())
            }
            Self::Expected(rest) => {
                let written = *rest;
                let same = strip(rest, &[call as u8])
                    && strip(rest, bytes)
                    && (texts.iter())
                        .all(|text| strip(rest, &text.len().to_le_bytes()) && strip(rest, text));
                if same {
                    Ok(())
                } else {
                    Err(mismatch(written, call, texts))
                }
            }
        }
    }
}

fn strip(from: &mut &[u8], prefix: &[u8]) -> bool {
    match from.strip_prefix(prefix) {
        Some(rest) => {
            *from = rest;
            true
        }
        None => false,
    }
}

#[cold]
fn mismatch(written: &[u8], call: Call, texts: &[&[u8]]) -> Box<Mismatch> {
    let read = render(call, texts);
    let written = match first_recorded(written) {
        Some((call, texts)) => render(call, &texts),
        None => "nothing".to_owned(),
    };
    let read = if written == read {
        format!("another {}", read.trim_start_matches("a "))
    } else {
        read
    };
    Box::new(Mismatch { written, read })
}

/// Returns the first of the recorded calls with its texts.
fn first_recorded(calls: &[u8]) -> Option<(Call, Vec<&[u8]>)> {
    let (first, mut rest) = calls.split_first()?;
    let call = *ALL.get(usize::from(*first))?;
    let mut texts = Vec::new();
    for _ in 0..text_count(call) {
        let (len, after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(usize::from_le_bytes(*len))?;
        texts.push(text);
        rest = after;
    }
    Some((call, texts))
}

/// Returns the number of texts of a call.
fn text_count(call: Call) -> usize {
    match call {
        Call::Str
        | Call::Bytes
        | Call::UnitStruct
        | Call::NewtypeStruct
        | Call::TupleStruct
        | Call::Struct
        | Call::Field => 1,
        Call::UnitVariant | Call::NewtypeVariant | Call::TupleVariant | Call::StructVariant => 2,
        _ => 0,
    }
}

/// Returns a description of the value that a call passes, for a message.
fn render(call: Call, texts: &[&[u8]]) -> String {
    struct Text<'t>(Option<&'t &'t [u8]>);
    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&String::from_utf8_lossy(
                self.0.copied().unwrap_or_default(),
            ))
        }
    }
    let (name, variant) = (Text(texts.first()), Text(texts.get(1)));
    match call {
        Call::Bool
        | Call::I8
        | Call::I16
        | Call::I32
        | Call::I64
        | Call::I128
        | Call::U8
        | Call::U16
        | Call::U32
        | Call::U64
        | Call::U128
        | Call::F32
        | Call::F64
        | Call::Char => format!("a `{}`", format!("{call:?}").to_lowercase()),
        Call::Str => "a string".to_owned(),
        Call::Bytes => "a byte string".to_owned(),
        Call::None => "`None`".to_owned(),
        Call::Some => "`Some`".to_owned(),
        Call::Unit => "`()`".to_owned(),
        Call::UnitStruct => format!("the unit struct `{name}`"),
        Call::NewtypeStruct => format!("the newtype `{name}`"),
        Call::TupleStruct | Call::Struct => format!("the struct `{name}`"),
        Call::UnitVariant | Call::NewtypeVariant | Call::TupleVariant | Call::StructVariant => {
            format!("`{name}::{variant}`")
        }
        Call::Seq => "a sequence".to_owned(),
        Call::Tuple => "a tuple".to_owned(),
        Call::Map => "a map".to_owned(),
        Call::Field => format!("the field `{name}`"),
        Call::End => "the end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discriminant_of_each_call_is_its_index_in_the_list() {
        for (at, call) in ALL.iter().enumerate() {
            assert_eq!(usize::from(*call as u8), at);
        }
    }
}
