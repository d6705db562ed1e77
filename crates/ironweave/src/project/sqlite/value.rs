//! Values of the log as values of SQLite.
//!
//! | in the log | in SQLite |
//! |---|---|
//! | `bool` | integer 0 or 1 |
//! | integer from -2^63 to 2^63 - 1, of any type, and a [`Timestamp`] | integer |
//! | greater integer | text of 39 digits |
//! | lesser integer | text of `-` and 39 digits |
//! | float | real; `NaN` as the text `NaN`, since SQLite stores that as null |
//! | `String`, a variant of an enum that has no data | text |
//! | `char` | text |
//! | `Vec<u8>`, `[u8; N]`, what serde writes as bytes | blob |
//! | `None` | null; `Some` is what is in it |
//! | all else | text, in JSON |
//!
//! SQLite sorts null before numbers, numbers before texts and texts before blobs, so that all numbers but those below
//! -2^63 sort as they should, and `NaN` after them.

use std::any::TypeId;

use minicbor::Decoder;
use minicbor::data::{IanaTag, Type};
use rusqlite::types::Value;

use crate::base::time::Timestamp;

/// What has to be known of the type of a value, beside what its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its bytes say all.
    Plain,
    /// An integer that is a time.
    Time,
    /// An integer that is a character.
    Char,
    /// A list of numbers that is bytes.
    Bytes,
}

impl Kind {
    /// That of a type, whatever name it has in the model.
    pub(super) fn of(ty: TypeId) -> Self {
        macro_rules! is {
            ($($ty:ty),*) => { [$(TypeId::of::<$ty>(), TypeId::of::<Option<$ty>>()),*].contains(&ty) };
        }
        macro_rules! is_array_of {
            ($($len:literal)*) => { is!($([u8; $len]),*) };
        }
        // Serde writes arrays of these lengths.
        let is_array = is_array_of!(
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        );
        if is!(Timestamp) {
            Self::Time
        } else if is!(char) {
            Self::Char
        } else if is_array || is!(Vec<u8>, Box<[u8]>) {
            Self::Bytes
        } else {
            Self::Plain
        }
    }
}

/// A value of the log as one of SQLite.
pub(super) fn sql_value(bytes: &[u8], kind: Kind) -> Result<Value, minicbor::decode::Error> {
    let mut d = Decoder::new(bytes);
    let value = match (d.datatype()?, kind) {
        (Type::Null | Type::Undefined, _) => Value::Null,
        (Type::Bool, _) => Value::Integer(d.bool()?.into()),
        (Type::F16 | Type::F32 | Type::F64, _) => match d.f64()? {
            number if number.is_nan() => Value::Text("NaN".to_owned()),
            number => Value::Real(number),
        },
        (Type::String | Type::StringIndef, _) => Value::Text(text(&mut d)?),
        (Type::Bytes | Type::BytesIndef, _) => Value::Blob(blob(&mut d)?),
        (Type::Array, Kind::Bytes) => match d.array_iter::<u8>()?.collect() {
            Ok(bytes) => Value::Blob(bytes),
            // What wrote the log had another type there.
            Err(_) => Value::Text(json(bytes)?),
        },
        (_, Kind::Char) => match d.char() {
            Ok(c) => Value::Text(c.into()),
            Err(_) => return sql_value(bytes, Kind::Plain),
        },
        _ => match integer(&mut d)? {
            Some(integer) => integer.sql(),
            None => Value::Text(json(bytes)?),
        },
    };
    Ok(value)
}

/// A time in RFC 3339, in SQL, of an expression that is an integer: as [`Timestamp`] prints it where the year is from 0
/// to 9999, and else the integer, since there is no such text of it.
pub(super) fn rfc3339(micros: &str) -> String {
    // The remainder is that of the division that rounds down.
    let fraction = format!("({micros} % 1000000 + 1000000) % 1000000");
    format!(
        "CASE WHEN {micros} BETWEEN -62167219200000000 AND 253402300799999999 \
         THEN strftime('%Y-%m-%dT%H:%M:%S', ({micros} - {fraction}) / 1000000, 'unixepoch') || \
         CASE {micros} % 1000000 WHEN 0 THEN 'Z' ELSE printf('.%06dZ', {fraction}) END \
         ELSE {micros} END"
    )
}

fn text(d: &mut Decoder<'_>) -> Result<String, minicbor::decode::Error> {
    d.str_iter()?.collect()
}

fn blob(d: &mut Decoder<'_>) -> Result<Vec<u8>, minicbor::decode::Error> {
    let parts: Vec<&[u8]> = d.bytes_iter()?.collect::<Result<_, _>>()?;
    Ok(parts.concat())
}

/// An integer of CBOR, of 128 bits beside its sign.
struct Integer {
    /// Whether it is `-1 - size` instead of `size`.
    negative: bool,
    size: u128,
}

/// The integer that comes next, if it is one.
fn integer(d: &mut Decoder<'_>) -> Result<Option<Integer>, minicbor::decode::Error> {
    let found = match d.datatype()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Some((false, d.u64()?.into())),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            // Of `-1 - n`, `Int` gives n.
            let int = d.int()?;
            let n = i128::from(int);
            Some((true, (-1 - n).unsigned_abs()))
        }
        Type::Tag => {
            let mut ahead = d.clone();
            let tag = ahead.tag()?;
            let positive = tag == IanaTag::PosBignum.tag();
            let digits = if positive || tag == IanaTag::NegBignum.tag() {
                big(blob(&mut ahead)?)
            } else {
                None
            };
            if digits.is_some() {
                d.set_position(ahead.position());
            }
            digits.map(|size| (!positive, size))
        }
        _ => None,
    };
    Ok(found.map(|(negative, size)| Integer { negative, size }))
}

/// A number of at most 128 bits.
fn big(bytes: Vec<u8>) -> Option<u128> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..)?;
    let mut number = [0; 16];
    let start = number.len().checked_sub(digits.len())?;
    number[start..].copy_from_slice(digits);
    Some(u128::from_be_bytes(number))
}

impl Integer {
    /// How far it is from zero; none for `-2^128`.
    fn distance(&self) -> Option<u128> {
        self.size.checked_add(self.negative.into())
    }

    fn sql(&self) -> Value {
        if let Ok(size) = i64::try_from(self.size) {
            return Value::Integer(if self.negative { -1 - size } else { size });
        }
        let sign = if self.negative { "-" } else { "" };
        Value::Text(match self.distance() {
            Some(distance) => format!("{sign}{distance:039}"),
            None => "-340282366920938463463374607431768211456".to_owned(),
        })
    }

    fn json(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        match self.distance() {
            Some(distance) => format!("{sign}{distance}"),
            None => "-340282366920938463463374607431768211456".to_owned(),
        }
    }
}

/// A value in JSON. What JSON has no way to write is a string: bytes as hexadecimal digits, floats that are no numbers
/// as `NaN`, `Infinity` and `-Infinity`, and keys of maps that are not strings as what they are in JSON.
fn json(bytes: &[u8]) -> Result<String, minicbor::decode::Error> {
    let mut out = String::new();
    write_json(&mut Decoder::new(bytes), &mut out, 0)?;
    Ok(out)
}

/// A list or a map that has begun and not ended.
struct Open {
    /// How many items are to come, a pair being two; none, where the end is marked.
    left: Option<u64>,
    is_map: bool,
    /// Whether what comes next is a key.
    at_key: bool,
    is_empty: bool,
}

/// Writes the item that comes next, which is within so many keys of maps.
fn write_json(
    d: &mut Decoder<'_>,
    out: &mut String,
    keys: usize,
) -> Result<(), minicbor::decode::Error> {
    // A stack of its own, since values may be nested more deeply than the stack of the thread allows.
    let mut stack: Vec<Open> = Vec::new();
    loop {
        if let Some(open) = stack.last_mut() {
            let is_marked = open.left.is_none();
            if open.left == Some(0) || (is_marked && d.datatype()? == Type::Break) {
                if is_marked {
                    d.set_position(d.position() + 1);
                }
                out.push(if open.is_map { '}' } else { ']' });
                stack.pop();
                if stack.is_empty() {
                    return Ok(());
                }
                continue;
            }
            open.left = open.left.map(|left| left - 1);
            if open.at_key || !open.is_map {
                *out += if open.is_empty { "" } else { "," };
                open.is_empty = false;
            }
            if open.is_map {
                let at_key = open.at_key;
                open.at_key = !at_key;
                if at_key {
                    write_key(d, out, keys)?;
                    continue;
                }
            }
        }
        // What a tag says of what follows it is not written, but for numbers.
        while d.datatype()? == Type::Tag && integer(&mut d.clone())?.is_none() {
            d.tag()?;
        }
        let begun = match d.datatype()? {
            Type::Array | Type::ArrayIndef => Some(('[', d.array()?)),
            Type::Map | Type::MapIndef => Some(('{', d.map()?.map(|n| n.saturating_mul(2)))),
            _ => None,
        };
        match begun {
            Some((bracket, left)) => {
                out.push(bracket);
                stack.push(Open {
                    left,
                    is_map: bracket == '{',
                    at_key: bracket == '{',
                    is_empty: true,
                });
            }
            None => {
                write_scalar(d, out)?;
                if stack.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

/// Keys within keys, beyond which a key is written as its bytes.
const KEYS_MAX: usize = 16;

fn write_key(
    d: &mut Decoder<'_>,
    out: &mut String,
    keys: usize,
) -> Result<(), minicbor::decode::Error> {
    let start = d.position();
    let is_text = matches!(d.datatype()?, Type::String | Type::StringIndef);
    d.skip()?;
    let bytes = &d.input()[start..d.position()];
    let mut name = String::new();
    if keys < KEYS_MAX {
        write_json(&mut Decoder::new(bytes), &mut name, keys + 1)?;
    } else {
        name = hex(bytes);
    }
    if is_text {
        *out += &name;
    } else {
        write_text(&name, out);
    }
    out.push(':');
    Ok(())
}

/// Writes what is no list and no map.
fn write_scalar(d: &mut Decoder<'_>, out: &mut String) -> Result<(), minicbor::decode::Error> {
    if let Some(integer) = integer(d)? {
        *out += &integer.json();
        return Ok(());
    }
    match d.datatype()? {
        Type::Bool => *out += if d.bool()? { "true" } else { "false" },
        // As many digits as tell it from its neighbours of the same type.
        Type::F16 | Type::F32 => {
            let number = d.f32()?;
            write_float(number.into(), &format!("{number:?}"), out);
        }
        Type::F64 => {
            let number = d.f64()?;
            write_float(number, &format!("{number:?}"), out);
        }
        Type::String | Type::StringIndef => write_text(&text(d)?, out),
        Type::Bytes | Type::BytesIndef => write_text(&hex(&blob(d)?), out),
        Type::Simple => *out += &d.simple()?.to_string(),
        _ => {
            d.skip()?;
            *out += "null";
        }
    }
    Ok(())
}

fn write_float(number: f64, digits: &str, out: &mut String) {
    if number.is_finite() {
        *out += digits;
    } else if number.is_nan() {
        *out += "\"NaN\"";
    } else {
        *out += if number > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        };
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => *out += "\\\"",
            '\\' => *out += "\\\\",
            '\n' => *out += "\\n",
            '\r' => *out += "\\r",
            '\t' => *out += "\\t",
            c if c < ' ' => *out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
