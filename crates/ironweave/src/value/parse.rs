//! Values from the text that a person writes, by their encoding.

use crate::base::cbor::NULL;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::schema::{ColumnDef, Encoding, EntityIx, Schema};
use crate::value::encode;

/// The number of encodings that are tried for one text.
const CANDIDATES_MAX: usize = 64;

/// Returns the encodings of the key of an entity type that a text can be, the most likely first. Several parts are separated
/// by commas; a text in quotes, as it is displayed, may have commas. They may be in parentheses, as they are displayed.
///
/// # Errors
/// The form that the text should have.
pub(crate) fn parse_key(
    text: &str,
    entity: EntityIx,
    schema: &Schema,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let of_key = |def: &&ColumnDef| def.key && def.entity == entity;
    let columns: Vec<&ColumnDef> = schema.columns.iter().filter(of_key).collect();
    if let [column] = columns[..] {
        let values = parse(text, column.encoding.as_ref(), schema)?;
        return Ok(values.into_iter().map(|value| vec![value]).collect());
    }
    let inner = text.trim().strip_prefix('(');
    let inner = inner.and_then(|text| text.strip_suffix(')'));
    let bare = parse_parts(text, &columns, schema);
    match inner.map(|inner| parse_parts(inner, &columns, schema)) {
        // The parentheses may also be of the first and the last part.
        Some(Ok(keys)) => Ok(keys.into_iter().chain(bare.unwrap_or_default()).collect()),
        Some(Err(e)) => bare.map_err(|_| e),
        None => bare,
    }
}

/// Returns the keys of several parts that a text can be.
fn parse_parts(
    text: &str,
    columns: &[&ColumnDef],
    schema: &Schema,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let parts = split(text);
    if parts.len() != columns.len() {
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let (n, names) = (names.len(), names.join(", "));
        return Err(format!("its {n} parts with commas between them: {names}"));
    }
    let mut keys = vec![Vec::new()];
    for (part, column) in parts.into_iter().zip(columns) {
        let mut values = parse(part, column.encoding.as_ref(), schema)
            .map_err(|expected| format!("{expected} for `{}`", column.name))?;
        if unquoted(part).is_some() {
            // The quotes are those that let the part have commas.
            values.rotate_left(1);
        }
        let longer = keys.iter().flat_map(|key: &Vec<Vec<u8>>| {
            let with = |value: &Vec<u8>| [&key[..], std::slice::from_ref(value)].concat();
            values.iter().map(with)
        });
        keys = longer.take(CANDIDATES_MAX).collect();
    }
    Ok(keys)
}

/// Returns the encodings of the value that a text can be, the most likely first.
///
/// # Errors
/// The form that the text should have.
fn parse(text: &str, encoding: Option<&Encoding>, schema: &Schema) -> Result<Vec<Vec<u8>>, String> {
    fn one<T: serde::Serialize>(value: Option<T>, expected: &str) -> Result<Vec<Vec<u8>>, String> {
        let encoded = value.and_then(|value| encoded(&value));
        encoded
            .map(|value| vec![value])
            .ok_or_else(|| expected.to_owned())
    }
    macro_rules! number {
        ($ty:ty) => {
            one(
                text.parse::<$ty>().ok(),
                concat!("a number (", stringify!($ty), ")"),
            )
        };
    }
    match encoding {
        Some(Encoding::Unit) => one((text == "()").then_some(()), "`()`"),
        Some(Encoding::Bool) => one(text.parse::<bool>().ok(), "`true` or `false`"),
        Some(Encoding::U8) => number!(u8),
        Some(Encoding::U16) => number!(u16),
        Some(Encoding::U32) => number!(u32),
        Some(Encoding::U64) => number!(u64),
        Some(Encoding::U128) => number!(u128),
        Some(Encoding::I8) => number!(i8),
        Some(Encoding::I16) => number!(i16),
        Some(Encoding::I32) => number!(i32),
        Some(Encoding::I64) => number!(i64),
        Some(Encoding::I128) => number!(i128),
        Some(Encoding::F32) => number!(f32),
        Some(Encoding::F64) => number!(f64),
        Some(Encoding::Char) => {
            let inner = text
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''));
            one(inner.unwrap_or(text).parse::<char>().ok(), "one character")
        }
        Some(Encoding::Text) => Ok(texts(text)),
        Some(Encoding::Timestamp) => {
            let micros = || text.parse().ok().map(Timestamp::from_micros);
            let time = text.parse::<Timestamp>().ok().or_else(micros);
            let micros = time.map(Timestamp::as_micros);
            one(
                micros,
                "a time, as in `2026-02-28T12:00:00Z`, or its microseconds since 1970",
            )
        }
        Some(Encoding::Id(entity)) => {
            let name = schema
                .entities
                .get(entity.index())
                .map_or("", |def| &def.name);
            let id = handle(text, name).map(Id::to_bits);
            one(id, &format!("a handle, as in `{name}/3.1`"))
        }
        Some(Encoding::Key(entity)) => {
            let keys = parse_key(text, *entity, schema)?.into_iter();
            Ok(keys.map(|key| array_unless_one(&key)).collect())
        }
        Some(Encoding::Option(of)) => {
            let values = parse(text, Some(of), schema);
            if text != "null" {
                return values;
            }
            let mut values = values.unwrap_or_default();
            values.insert(0, vec![NULL]);
            Ok(values)
        }
        // The type is not known: the value may be of an enum, a number in a struct, and so on.
        None | Some(_) => {
            let mut values = Vec::new();
            values.extend(text.parse::<u64>().ok().and_then(|n| encoded(&n)));
            values.extend(text.parse::<i64>().ok().and_then(|n| encoded(&n)));
            values.extend(text.parse::<bool>().ok().and_then(|b| encoded(&b)));
            values.extend(texts(text));
            values.dedup();
            Ok(values)
        }
    }
}

fn encoded<T: serde::Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).ok().map(|()| bytes)
}

/// Returns a text as it is, and without its quotes if it has them.
fn texts(text: &str) -> Vec<Vec<u8>> {
    let unquoted = unquoted(text);
    let all = [Some(text), unquoted.as_deref()].into_iter().flatten();
    all.filter_map(encoded).collect()
}

/// Returns the encoding of a key: its only part, or an array of its parts.
fn array_unless_one(parts: &[Vec<u8>]) -> Vec<u8> {
    match parts {
        [part] => part.clone(),
        parts => {
            let mut bytes = Vec::new();
            crate::base::cbor::head(&mut bytes, crate::base::cbor::ARRAY, parts.len() as u64);
            bytes.extend(parts.iter().flatten());
            bytes
        }
    }
}

/// Returns the id of a handle in one of the forms `Order/3.1`, `Order-3.1` and `3.1`.
pub(crate) fn handle(text: &str, entity: &str) -> Option<Id> {
    match text.strip_prefix(entity) {
        Some(rest) => rest.strip_prefix(['/', '-'])?.parse().ok(),
        None => text.parse().ok(),
    }
}

/// Returns the text within quotes, with the escapes of Rust's `Debug`; `None` for a text that is not one in quotes.
fn unquoted(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let rest = chars.as_str().strip_prefix('{')?;
                let (digits, after) = rest.split_once('}')?;
                chars = after.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            c @ ('"' | '\'' | '\\') => c,
            _ => return None,
        });
    }
    Some(out)
}

/// Splits a text at the commas that are not in quotes. The parts are without the blanks around them.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            // A quote within a part is a part of it.
            '"' if quoted || text[from..at].trim().is_empty() => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_several_parts_is_split_at_commas_outside_of_quotes() {
        assert_eq!(split("2026, 1"), ["2026", "1"]);
        assert_eq!(split(r#""a, \"b", 4"#), [r#""a, \"b""#, "4"]);
        assert_eq!(split(r#"a"b, c"#), [r#"a"b"#, "c"]);
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn a_text_in_quotes_is_what_debug_has_written() {
        for text in ["", "plain", "a\"b\\c\n\t\r\0'\u{1b}ü", "日本"] {
            assert_eq!(unquoted(&format!("{text:?}")).as_deref(), Some(text));
        }
        for wrong in ["", "\"", "a", r#""\x""#, r#""\u{110000}""#, r#""\u{1b""#] {
            assert_eq!(unquoted(wrong), None, "{wrong}");
        }
    }
}
