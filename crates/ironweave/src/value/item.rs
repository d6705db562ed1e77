//! CBOR items of any type: skipping them, printing them, and serializing them.
//!
//! Architecture invariant: no function here recurses deeper than [`DEPTH_MAX`] or reads past the end of its input. Each
//! value of a log is skipped with [`raw_item`] before it is decoded, so values that are nested deeper or are not well-formed
//! are rejected there.

use std::fmt::Write as _;

use minicbor::Decoder;
use minicbor::data::Type;
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::base::cbor::{ARRAY, BREAK, BYTES, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UINT};
use crate::value::{DEPTH_READ_MAX, DecodeError};

/// The number of levels of arrays, maps and tags that a value may have. It is the limit of the deserializer.
pub(crate) const DEPTH_MAX: usize = DEPTH_READ_MAX as usize;

/// In place of the number of remaining items at a level: an array of indefinite length, which a break ends.
const UNTIL_BREAK: u64 = u64::MAX;
/// A map of indefinite length, which a break ends before a key.
const UNTIL_BREAK_KEY: u64 = u64::MAX - 1;
/// The same before a value, where a break is an error.
const UNTIL_BREAK_VALUE: u64 = u64::MAX - 2;

/// Skips one CBOR item and returns its bytes. O(bytes of the item).
pub(crate) fn raw_item<'b>(d: &mut Decoder<'b>) -> Result<&'b [u8], DecodeError> {
    let start = d.position();
    let rest = d.input().get(start..).unwrap_or_default();
    let end = start + item_len(rest)?;
    d.set_position(end);
    Ok(&d.input()[start..end])
}

/// Returns an error if bytes follow the position of the decoder.
pub(crate) fn end(d: &Decoder<'_>) -> Result<(), DecodeError> {
    match d.input().len().saturating_sub(d.position()) {
        0 => Ok(()),
        more => Err(DecodeError::new(format_args!("{more} bytes follow it"))),
    }
}

/// Returns the number of items of an array. One of indefinite length is an error.
pub(crate) fn array(d: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    let n = d.array()?;
    n.ok_or_else(|| DecodeError::new("an array of indefinite length"))
}

/// Returns the number of entries of a map. One of indefinite length is an error.
pub(crate) fn map(d: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    let n = d.map()?;
    n.ok_or_else(|| DecodeError::new("a map of indefinite length"))
}

/// Returns the length of the item at the beginning of `bytes`, after checking that it is well-formed, that its heads have
/// their shortest form, and that it is not nested too deep.
fn item_len(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut at = 0;
    // The number of remaining items at each open level.
    let mut levels = [0u64; DEPTH_MAX];
    let mut depth = 0usize;
    loop {
        let level = depth.checked_sub(1).map(|top| levels[top]);
        let may_end = matches!(level, Some(UNTIL_BREAK | UNTIL_BREAK_KEY));
        if may_end && bytes.get(at) == Some(&BREAK) {
            at += 1;
            depth -= 1;
        } else {
            let head = ItemHead::read(bytes, &mut at)?;
            let inner = match (head.major, head.n) {
                (BYTES | TEXT, Some(n)) => {
                    at = skip_bytes(bytes, at, n)?;
                    0
                }
                (BYTES | TEXT, None) => {
                    at = skip_chunks(bytes, at, head.major)?;
                    0
                }
                (ARRAY, Some(n)) => n,
                (MAP, Some(n)) => n.checked_mul(2).ok_or_else(incomplete)?,
                (ARRAY, None) => UNTIL_BREAK,
                (MAP, None) => UNTIL_BREAK_KEY,
                (TAG, _) => 1,
                _ => 0,
            };
            // Each item has at least one byte, so the remaining bytes bound the number of items.
            if head.n.is_some() && inner > (bytes.len() - at) as u64 {
                return Err(incomplete());
            }
            if inner > 0 {
                let level = levels.get_mut(depth).ok_or_else(too_deep)?;
                *level = inner;
                depth += 1;
                continue;
            }
        }
        // The item is complete, and so is each enclosing item of which it is the last part.
        loop {
            let Some(top) = depth.checked_sub(1) else {
                return Ok(at);
            };
            levels[top] = match levels[top] {
                UNTIL_BREAK => break,
                UNTIL_BREAK_KEY => UNTIL_BREAK_VALUE,
                UNTIL_BREAK_VALUE => UNTIL_BREAK_KEY,
                left => left - 1,
            };
            if levels[top] > 0 {
                break;
            }
            depth = top;
        }
    }
}

/// The head of an item.
struct ItemHead {
    major: u8,
    /// The number, length or tag of the item, or `None` if its length is indefinite.
    n: Option<u64>,
}

impl ItemHead {
    #[inline]
    fn read(bytes: &[u8], at: &mut usize) -> Result<Self, DecodeError> {
        let first = *bytes.get(*at).ok_or_else(incomplete)?;
        *at += 1;
        let (major, info) = (first & 0xe0, first & 0x1f);
        let n = match info {
            0..24 => u64::from(info),
            24..28 => {
                let more = 1usize << (info - 24);
                let number = bytes.get(*at..*at + more).ok_or_else(incomplete)?;
                *at += more;
                let n = number.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
                let least = match info {
                    24 if major == SIMPLE => 32,
                    // The longer simple values are floats.
                    _ if major == SIMPLE => 0,
                    24 => 24,
                    _ => 1 << (4 * more),
                };
                if n < least {
                    return Err(DecodeError::new(
                        "a number that is not in its shortest form",
                    ));
                }
                n
            }
            31 if (BYTES..=MAP).contains(&major) => return Ok(Self { major, n: None }),
            _ => {
                return Err(DecodeError::new(format_args!(
                    "the byte {first:#04x} begins no item"
                )));
            }
        };
        Ok(Self { major, n: Some(n) })
    }
}

/// Returns the offset after the `n` bytes of a text or byte string that begin at `at`.
fn skip_bytes(bytes: &[u8], at: usize, n: u64) -> Result<usize, DecodeError> {
    let end = usize::try_from(n).ok().and_then(|n| at.checked_add(n));
    end.filter(|end| *end <= bytes.len()).ok_or_else(incomplete)
}

/// Returns the offset after a text or byte string of indefinite length whose chunks begin at `at`.
fn skip_chunks(bytes: &[u8], mut at: usize, major: u8) -> Result<usize, DecodeError> {
    while bytes.get(at) != Some(&BREAK) {
        let head = ItemHead::read(bytes, &mut at)?;
        let n = head.n.filter(|_| head.major == major);
        let n = n.ok_or_else(|| {
            DecodeError::new("a text or byte string with a chunk of another type")
        })?;
        at = skip_bytes(bytes, at, n)?;
    }
    Ok(at + 1)
}

#[cold]
fn incomplete() -> DecodeError {
    DecodeError::new("it ends within an item")
}

#[cold]
fn too_deep() -> DecodeError {
    DecodeError::new(format_args!(
        "a value is nested deeper than {DEPTH_MAX} levels"
    ))
}

/// Serializes an item as the CBOR type that it has, for values whose Rust types are not known.
///
/// A tagged item is serialized without its tag, except for a bignum of at most 128 bits, which is serialized as a number. A
/// key of a map that is not a text or an integer is serialized as its diagnostic notation, since JSON has only text keys.
pub(crate) struct Item<'b>(pub &'b [u8]);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut d = Decoder::new(self.0);
        let wrong = |e: DecodeError| S::Error::custom(e);
        let cbor = |e: minicbor::decode::Error| S::Error::custom(e);
        match d.datatype().map_err(cbor)? {
            Type::Bool => serializer.serialize_bool(d.bool().map_err(cbor)?),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                serializer.serialize_u64(d.u64().map_err(cbor)?)
            }
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                serializer.serialize_i64(d.i64().map_err(cbor)?)
            }
            Type::Int => serializer.serialize_i128(d.int().map_err(cbor)?.into()),
            Type::F16 => serializer.serialize_f32(d.f16().map_err(cbor)?),
            Type::F32 => serializer.serialize_f32(d.f32().map_err(cbor)?),
            Type::F64 => serializer.serialize_f64(d.f64().map_err(cbor)?),
            Type::String => serializer.serialize_str(d.str().map_err(cbor)?),
            Type::StringIndef => {
                let pieces = d.str_iter().map_err(cbor)?;
                let whole: String = pieces.collect::<Result<_, _>>().map_err(cbor)?;
                serializer.serialize_str(&whole)
            }
            Type::Bytes => serializer.serialize_bytes(d.bytes().map_err(cbor)?),
            Type::BytesIndef => {
                let pieces = d.bytes_iter().map_err(cbor)?;
                let whole: Vec<&[u8]> = pieces.collect::<Result<_, _>>().map_err(cbor)?;
                serializer.serialize_bytes(&whole.concat())
            }
            Type::Array | Type::ArrayIndef => {
                let n = d.array().map_err(cbor)?;
                let mut list = serializer.serialize_seq(n.and_then(|n| usize::try_from(n).ok()))?;
                let mut i = 0;
                while has_more(&mut d, n, i).map_err(wrong)? {
                    list.serialize_element(&Item(raw_item(&mut d).map_err(wrong)?))?;
                    i += 1;
                }
                list.end()
            }
            Type::Map | Type::MapIndef => {
                let n = d.map().map_err(cbor)?;
                let mut map = serializer.serialize_map(n.and_then(|n| usize::try_from(n).ok()))?;
                let mut i = 0;
                while has_more(&mut d, n, i).map_err(wrong)? {
                    let key = raw_item(&mut d).map_err(wrong)?;
                    match key.first().map(|first| first & 0xe0) {
                        Some(UINT | NEGATIVE | TEXT) => map.serialize_key(&Item(key))?,
                        _ => map.serialize_key(&display(key))?,
                    }
                    map.serialize_value(&Item(raw_item(&mut d).map_err(wrong)?))?;
                    i += 1;
                }
                map.end()
            }
            Type::Tag => {
                let tag = d.tag().map_err(cbor)?.as_u64();
                let inner = raw_item(&mut d).map_err(wrong)?;
                match bignum(tag, inner) {
                    Some(Bignum::Positive(n)) => serializer.serialize_u128(n),
                    Some(Bignum::Negative(n)) => serializer.serialize_i128(n),
                    None => Item(inner).serialize(serializer),
                }
            }
            _ => serializer.serialize_unit(),
        }
    }
}

/// Returns whether an array or map of `n` items, or of indefinite length, has an item with the index `i`.
fn has_more(d: &mut Decoder<'_>, n: Option<u64>, i: u64) -> Result<bool, DecodeError> {
    match n {
        Some(n) => Ok(i < n),
        None if d.datatype()? == Type::Break => Ok(false),
        None => Ok(true),
    }
}

/// An integer that CBOR encodes as a tagged byte string.
enum Bignum {
    Positive(u128),
    Negative(i128),
}

/// Returns the value of a tagged item, if it is a bignum of at most 128 bits.
fn bignum(tag: u64, item: &[u8]) -> Option<Bignum> {
    let bytes = Decoder::new(item).bytes().ok().filter(|b| b.len() <= 16)?;
    let n = bytes.iter().fold(0, |n, byte| n << 8 | u128::from(*byte));
    match tag {
        2 => Some(Bignum::Positive(n)),
        3 => i128::try_from(n).ok().map(|n| Bignum::Negative(-1 - n)),
        _ => None,
    }
}

/// Returns a value in the diagnostic notation of RFC 8949, on one line.
pub(crate) fn display(bytes: &[u8]) -> String {
    let mut text = String::new();
    display_into(bytes, &mut text);
    text
}

/// Appends the text that [`display`] returns.
pub(crate) fn display_into(bytes: &[u8], text: &mut String) {
    let mut d = Decoder::new(bytes);
    let rendered = raw_item(&mut d)
        .and_then(|item| render(&mut Decoder::new(item), text))
        .and_then(|()| end(&d));
    if let Err(e) = rendered {
        let _ = write!(text, " ({e})");
    }
}

/// Renders an item that [`raw_item`] returned, which bounds the depth of the recursion.
fn render(d: &mut Decoder<'_>, out: &mut String) -> Result<(), DecodeError> {
    match d.datatype()? {
        // The escapes of Rust's `Debug` keep line ends and quotes out of the text.
        Type::String => render_text(d.str()?, out),
        Type::StringIndef => {
            let mut whole = String::new();
            for piece in d.str_iter()? {
                whole += piece?;
            }
            render_text(&whole, out);
        }
        Type::Array | Type::ArrayIndef => {
            let n = d.array()?;
            render_list(d, out, ['[', ']'], n, render)?;
        }
        Type::Map | Type::MapIndef => {
            let n = d.map()?;
            render_list(d, out, ['{', '}'], n, |d, out| {
                render(d, out)?;
                *out += ": ";
                render(d, out)
            })?;
        }
        Type::Tag => {
            let tag = d.tag()?.as_u64();
            let _ = write!(out, "{tag}(");
            render(d, out)?;
            out.push(')');
        }
        // Most keys of maps are small numbers.
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let _ = write!(out, "{}", d.u64()?);
        }
        _ => {
            let _ = write!(out, "{}", minicbor::display(raw_item(d)?));
        }
    }
    Ok(())
}

fn render_text(text: &str, out: &mut String) {
    let _ = write!(out, "{text:?}");
}

fn render_list(
    d: &mut Decoder<'_>,
    out: &mut String,
    [open, close]: [char; 2],
    n: Option<u64>,
    item: impl Fn(&mut Decoder<'_>, &mut String) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    out.push(open);
    let mut i = 0;
    while has_more(d, n, i)? {
        if i > 0 {
            *out += ", ";
        }
        item(d, out)?;
        i += 1;
    }
    if n.is_none() {
        // The break.
        d.set_position(d.position() + 1);
    }
    out.push(close);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(bytes: &[u8]) -> Result<usize, String> {
        item_len(bytes).map_err(|e| e.to_string())
    }

    #[test]
    fn any_value_is_rendered_on_one_line() {
        let mut bytes = Vec::new();
        let value = (1, vec![Some("a\nb\"c\u{1b}"), None], [("k", -2)]);
        crate::value::encode(&value, &mut bytes).expect("it can be written");
        let text = display(&bytes);
        assert_eq!(text, r#"[1, ["a\nb\"c\u{1b}", null], [["k", -2]]]"#);
        assert!(display(&bytes[..5]).contains('('));
        assert!(display(&[0x00, 0x00]).starts_with("0 ("));
        // Indefinite lengths, a text in chunks, and a tag.
        let bytes = [
            0x9f, 0x01, 0xbf, 0x61, b'a', 0x7f, 0x61, b'x', 0x61, b'y', 0xff, 0xff, 0xc2, 0x41, 7,
            0xff,
        ];
        assert_eq!(len(&bytes), Ok(bytes.len()));
        assert_eq!(display(&bytes), r#"[1, {"a": "xy"}, 2(h'07')]"#);
    }

    #[test]
    fn the_length_of_an_item_is_that_of_minicbor() {
        let items: [&[u8]; 15] = [
            &[0x17],
            &[0x18, 0x18],
            &[0x19, 0x01, 0x00],
            &[0x1a, 0x00, 0x01, 0x00, 0x00],
            &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x42, 1, 2],
            &[0x61, b'a'],
            &[0x80],
            &[0x82, 0x80, 0xa1, 0x01, 0x02],
            &[0xc1, 0xa0],
            &[0xf6],
            &[0xf9, 0x00, 0x00],
            &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x9f, 0xbf, 0xff, 0xff],
            &[0xbf, 0x01, 0x9f, 0x02, 0xff, 0xbf, 0xff, 0x03, 0xff],
        ];
        for item in items {
            let mut d = Decoder::new(item);
            d.skip().expect("an item");
            assert_eq!(len(item), Ok(d.position()), "{item:x?}");
            for cut in 0..item.len() {
                assert!(len(&item[..cut]).is_err(), "{item:x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn items_that_are_malformed_or_not_in_their_shortest_form_are_rejected() {
        for bytes in [
            &[0x18, 0x17][..],
            &[0x19, 0x00, 0xff],
            &[0x1a, 0x00, 0x00, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0x78, 0x01, b'a'],
            &[0xf8, 0x1f],
            &[0x1c],
            &[0x1f],
            &[0xff],
            &[0x81, 0xff],
            // A map that ends after a key.
            &[0xbf, 0x01, 0xff],
            &[0xbf, 0x01, 0x02, 0x03, 0xff],
            &[0x5f, 0x61, b'a', 0xff],
            &[0x7f, 0x7f, 0xff, 0xff],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(len(bytes).is_err(), "{bytes:x?}");
            // `display` reports the error in its text.
            assert!(display(bytes).contains('('), "{bytes:x?}");
        }
    }

    #[test]
    fn the_limit_of_nesting_is_checked_without_recursion() {
        for (open, close) in [(&[0x81][..], &[][..]), (&[0x9f], &[0xff]), (&[0xc1], &[])] {
            let nested = |n: usize| [open.repeat(n), vec![0], close.repeat(n)].concat();
            let least = nested(DEPTH_MAX);
            assert_eq!(len(&least), Ok(least.len()));
            assert!(!display(&least).contains("deeper"));
            let refused = len(&nested(DEPTH_MAX + 1)).unwrap_err();
            assert_eq!(refused, "a value is nested deeper than 256 levels");
            assert!(display(&nested(1_000_000)).contains("deeper"));
        }
    }
}
