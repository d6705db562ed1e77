//! The conversion of values of the log into values of SQLite.
//!
//! | in the log | in SQLite |
//! |---|---|
//! | `bool` | integer 0 or 1 |
//! | integer from -2^63 to 2^63 - 1, of any type, and a [`Timestamp`] | integer |
//! | integer above that range | text of 39 digits |
//! | integer below that range | text of `-` and 39 digits |
//! | float | real; `NaN` as the text `NaN`, since SQLite stores that as null |
//! | `String`, a variant of an enum without data | text |
//! | `char` | text |
//! | `Vec<u8>`, `[u8; N]`, other types that serde serializes as bytes | blob |
//! | `None` | null |
//! | `Some` | the value in it |
//! | any other value | text, in JSON |
//!
//! SQLite sorts null before numbers, numbers before texts and texts before blobs, so that all numbers except those
//! below -2^63 have their numerical order, and `NaN` comes after them.

use std::any::TypeId;

use minicbor::Decoder;
use minicbor::data::{IanaTag, Type};
use rusqlite::types::Value;

use crate::base::time::Timestamp;
use crate::schema::Encoding;

/// The properties of the type of a value that its encoding does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The encoding is sufficient.
    Plain,
    /// The integer is a time.
    Time,
    /// The integer is a character.
    Char,
    /// The list of integers is a byte string.
    Bytes,
}

impl Kind {
    /// Returns the kind of a type, whatever its name is in the model.
    pub(super) fn of(ty: TypeId) -> Self {
        macro_rules! is {
            ($($ty:ty),*) => { [$(TypeId::of::<$ty>(), TypeId::of::<Option<$ty>>()),*].contains(&ty) };
        }
        macro_rules! is_array_of {
            ($($len:literal)*) => { is!($([u8; $len]),*) };
        }
        // Serde implements `Serialize` for arrays of these lengths.
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

    /// Returns the kind of an encoding, for values whose type is not known.
    pub(super) fn of_encoding(encoding: &Encoding) -> Self {
        match encoding {
            Encoding::Timestamp => Self::Time,
            Encoding::Char => Self::Char,
            Encoding::List(of) if **of == Encoding::U8 => Self::Bytes,
            Encoding::Option(of) => Self::of_encoding(of),
            _ => Self::Plain,
        }
    }
}

/// Returns a value of the log as a value of SQLite.
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
            // The program that wrote the log had another type for this value.
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

/// Returns the SQL expression for the text in RFC 3339 of a time, where `micros` is an expression for its integer. The
/// text is that of [`Timestamp`] if the year is from 0 to 9999. The result is the integer otherwise, since RFC 3339 has
/// no text for other years.
pub(super) fn rfc3339(micros: &str) -> String {
    // The remainder of the division that rounds down, since `%` of SQLite has the sign of the dividend.
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

/// An integer of CBOR, with 128 bits and a sign.
struct Integer {
    /// Whether the integer is `-1 - size` instead of `size`.
    negative: bool,
    size: u128,
}

/// Returns the next item if it is an integer.
fn integer(d: &mut Decoder<'_>) -> Result<Option<Integer>, minicbor::decode::Error> {
    let found = match d.datatype()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Some((false, d.u64()?.into())),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            // CBOR encodes the negative integer `n` as `-1 - n`.
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

/// Returns the number of big-endian bytes; `None` if it has more than 128 bits.
fn big(bytes: Vec<u8>) -> Option<u128> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..)?;
    let mut number = [0; 16];
    let start = number.len().checked_sub(digits.len())?;
    number[start..].copy_from_slice(digits);
    Some(u128::from_be_bytes(number))
}

impl Integer {
    /// Returns the absolute value; `None` for `-2^128`, whose absolute value has more than 128 bits.
    fn absolute(&self) -> Option<u128> {
        self.size.checked_add(self.negative.into())
    }

    fn sql(&self) -> Value {
        if let Ok(size) = i64::try_from(self.size) {
            return Value::Integer(if self.negative { -1 - size } else { size });
        }
        let sign = if self.negative { "-" } else { "" };
        Value::Text(match self.absolute() {
            Some(absolute) => format!("{sign}{absolute:039}"),
            None => "-340282366920938463463374607431768211456".to_owned(),
        })
    }

    fn json(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        match self.absolute() {
            Some(absolute) => format!("{sign}{absolute}"),
            None => "-340282366920938463463374607431768211456".to_owned(),
        }
    }
}

/// Returns a value in JSON. Values that JSON cannot represent are strings: bytes are hexadecimal digits, floats that
/// are not finite are `NaN`, `Infinity` and `-Infinity`, and a key of a map that is not a string is the text of its
/// JSON.
fn json(bytes: &[u8]) -> Result<String, minicbor::decode::Error> {
    let mut out = String::new();
    write_json(&mut Decoder::new(bytes), &mut out, 0)?;
    Ok(out)
}

/// A list or a map whose end is not written yet.
struct Open {
    /// The number of items that are left, where a pair counts as two; `None` if the encoding marks the end instead.
    left: Option<u64>,
    is_map: bool,
    /// Whether the next item is a key.
    at_key: bool,
    is_empty: bool,
}

/// Writes the next item. `keys` is the number of keys of maps that enclose it.
fn write_json(
    d: &mut Decoder<'_>,
    out: &mut String,
    keys: usize,
) -> Result<(), minicbor::decode::Error> {
    // The stack is on the heap, since values may be nested more deeply than recursion on the stack of a thread allows.
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
        // Tags are skipped, except those of integers.
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

/// The maximal number of keys that may enclose a key. A key within more keys is written as hexadecimal digits of its
/// encoding.
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

/// Writes an item that is neither a list nor a map.
fn write_scalar(d: &mut Decoder<'_>, out: &mut String) -> Result<(), minicbor::decode::Error> {
    if let Some(integer) = integer(d)? {
        *out += &integer.json();
        return Ok(());
    }
    match d.datatype()? {
        Type::Bool => *out += if d.bool()? { "true" } else { "false" },
        // The digits are the fewest that distinguish the number from all others of the same type.
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
