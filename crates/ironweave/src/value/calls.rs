//! The calls that a value makes to its serializer, as bytes.
//!
//! CBOR does not tell all values apart: `Some(None)` is written as `None` is, and a newtype as what is in it. The
//! calls do. Those of a value are recorded while it is written, and so are those of what is read back. Where they
//! differ, the latter are compared with the former one by one, so that the first that differs is known.

use std::fmt;

/// A call. Lengths that are announced are none: they are hints.
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

/// What is done with the calls that a value makes.
pub(super) enum Calls<'c> {
    /// Nothing.
    Ignored,
    /// They are appended.
    Recorded(&'c mut Vec<u8>),
    /// They must be these, which were recorded.
    Expected(&'c [u8]),
}

/// The first call that differs.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// What the value that was written has there.
    pub was: String,
    /// What the value that was read back has there.
    pub now: String,
}

impl Calls<'_> {
    /// Takes a call with its bytes, which are as many for each such call, and its texts.
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
                let was = *rest;
                let same = strip(rest, &[call as u8])
                    && strip(rest, bytes)
                    && (texts.iter())
                        .all(|text| strip(rest, &text.len().to_le_bytes()) && strip(rest, text));
                if same {
                    Ok(())
                } else {
                    Err(mismatch(was, call, texts))
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
fn mismatch(was: &[u8], call: Call, texts: &[&[u8]]) -> Box<Mismatch> {
    let now = render(call, texts);
    let was = match recorded(was) {
        Some((call, texts)) => render(call, &texts),
        None => "nothing".to_owned(),
    };
    let now = if was == now {
        format!("another {}", now.trim_start_matches("a "))
    } else {
        now
    };
    Box::new(Mismatch { was, now })
}

/// The first of the recorded calls.
fn recorded(calls: &[u8]) -> Option<(Call, Vec<&[u8]>)> {
    let (first, mut rest) = calls.split_first()?;
    let call = *ALL.get(usize::from(*first))?;
    let mut texts = Vec::new();
    for _ in 0..texts_of(call) {
        let (len, after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(usize::from_le_bytes(*len))?;
        texts.push(text);
        rest = after;
    }
    Some((call, texts))
}

/// How many texts a call has.
fn texts_of(call: Call) -> usize {
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

/// What a call writes, for people.
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
        Call::Bool => "a `bool`".to_owned(),
        Call::I8 | Call::I16 | Call::I32 | Call::I64 | Call::I128 | Call::U8 | Call::U16 => {
            format!("a `{}`", format!("{call:?}").to_lowercase())
        }
        Call::U32 | Call::U64 | Call::U128 | Call::F32 | Call::F64 => {
            format!("a `{}`", format!("{call:?}").to_lowercase())
        }
        Call::Char => "a `char`".to_owned(),
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
    fn the_number_of_each_call_is_its_place_in_the_list() {
        for (at, call) in ALL.iter().enumerate() {
            assert_eq!(usize::from(*call as u8), at);
        }
    }
}
