//! The subset of JSON that a schema uses. Numbers are integers. A CBOR item that JSON cannot represent is
//! `{"$cbor": "hexadecimal digits"}`.

use std::fmt::Write as _;

use crate::cbor::{CborReader, CborWriter, DEPTH_MAX, TOO_DEEP, Token};
use crate::form::{Input, Kind, Mark, Output, Problem, ReadError};
use crate::unknown::Raw;

/// The only key of a map that represents a CBOR item.
const CBOR: &str = "$cbor";

/// Writes items as JSON.
#[derive(Default)]
pub(crate) struct JsonWriter {
    out: String,
    /// For each list or map that is being written, its closing bracket and whether it has an item.
    open: Vec<(char, bool)>,
    /// Whether a key was written whose value has not been written.
    has_key: bool,
}

impl JsonWriter {
    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// Writes a comma if an item precedes the next one.
    fn separate(&mut self) {
        if std::mem::take(&mut self.has_key) {
            return;
        }
        if let Some((_, begun)) = self.open.last_mut() {
            if *begun {
                self.out.push(',');
            }
            *begun = true;
        }
    }

    fn begin(&mut self, first: char, last: char) {
        self.separate();
        self.out.push(first);
        self.open.push((last, false));
    }
}

impl Output for JsonWriter {
    fn null(&mut self) {
        self.separate();
        self.out += "null";
    }

    fn bool(&mut self, value: bool) {
        self.separate();
        self.out += if value { "true" } else { "false" };
    }

    fn number(&mut self, n: u64) {
        self.separate();
        self.out += &n.to_string();
    }

    fn text(&mut self, text: &str) {
        self.separate();
        quote(&mut self.out, text);
    }

    fn list(&mut self, _: usize) {
        self.begin('[', ']');
    }

    fn map(&mut self, _: usize) {
        self.begin('{', '}');
    }

    fn key(&mut self, key: &str) {
        self.separate();
        quote(&mut self.out, key);
        self.out.push(':');
        self.has_key = true;
    }

    fn end(&mut self) {
        if let Some((last, _)) = self.open.pop() {
            self.out.push(last);
        }
    }

    fn raw(&mut self, raw: &Raw) {
        self.separate();
        self.out += &of_raw(raw);
    }
}

/// Writes each entry of the outer map, and each item of a list in it, on a line of its own. The text is that of a [`JsonWriter`].
pub(crate) fn break_lines(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '[' | '{' => {
                out.push(c);
                depth += 1;
                let is_empty = matches!(chars.peek(), Some(']' | '}'));
                if depth <= 2 && !is_empty {
                    line(&mut out, depth);
                }
            }
            ']' | '}' => {
                depth -= 1;
                if depth < 2 && !out.ends_with(['[', '{']) {
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' if depth <= 2 => {
                out.push(c);
                line(&mut out, depth);
            }
            c => {
                in_text = c == '"';
                out.push(c);
            }
        }
    }
    out.push('\n');
    out
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => *out += "\\\"",
            '\\' => *out += "\\\\",
            '\n' => *out += "\\n",
            c if c < ' ' => {
                // Writing into a `String` cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns a CBOR item as JSON.
pub(crate) fn of_raw(raw: &Raw) -> String {
    let mut out = String::new();
    let mut reader = CborReader::new(raw.as_cbor());
    // A `Raw` is one well-formed item, so this does not fail.
    if item(&mut reader, &mut out).is_err() {
        out.clear();
        hexadecimal(&mut out, raw.as_cbor());
    }
    out
}

fn hexadecimal(out: &mut String, bytes: &[u8]) {
    let _ = write!(out, "{{\"{CBOR}\":\"");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    *out += "\"}";
}

fn item(reader: &mut CborReader<'_>, out: &mut String) -> Result<(), ReadError> {
    let start = reader.mark();
    match reader.token()? {
        Token::Null => *out += "null",
        Token::Bool(value) => *out += if value { "true" } else { "false" },
        Token::Number(n) => *out += &n.to_string(),
        // A JSON reader accepts magnitudes of up to 64 bits. The magnitude of -2^64 has 65 bits.
        Token::Negative(n) if n < u64::MAX => *out += &(-1 - i128::from(n)).to_string(),
        Token::Text(text) => quote(out, text),
        Token::List(n) => {
            out.push('[');
            for i in 0..n {
                if i > 0 {
                    out.push(',');
                }
                item(reader, out)?;
            }
            out.push(']');
        }
        Token::Map(n) => {
            let (before, only) = (out.len(), n == 1);
            out.push('{');
            for i in 0..n {
                match reader.token()? {
                    Token::Text(key) if !(only && key == CBOR) => {
                        if i > 0 {
                            out.push(',');
                        }
                        quote(out, key);
                        out.push(':');
                        item(reader, out)?;
                    }
                    // The key is not a text, or it is the key that marks a CBOR item in JSON.
                    _ => {
                        out.truncate(before);
                        reader.rewind(start);
                        hexadecimal(out, reader.skip()?);
                        return Ok(());
                    }
                }
            }
            out.push('}');
        }
        Token::Bytes | Token::Negative(_) | Token::Tag | Token::Simple => {
            reader.rewind(start);
            hexadecimal(out, reader.skip()?);
        }
    }
    Ok(())
}

/// Reads items from JSON.
pub(crate) struct JsonReader<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
}

impl<'t> JsonReader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let mut reader = Self {
            text,
            at: 0,
            depth: 0,
        };
        reader.space();
        reader
    }

    fn error(&self, what: impl Into<String>) -> ReadError {
        ReadError::new(what, self.at)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t']).len();
    }

    /// Returns an error if text follows the last item.
    pub(crate) fn end(&self) -> Result<(), ReadError> {
        match self.rest() {
            "" => Ok(()),
            _ => Err(self.error("text follows the schema")),
        }
    }

    /// Skips a text and the whitespace after it. Returns whether the text was present.
    fn take(&mut self, text: &str) -> bool {
        let is = self.rest().starts_with(text);
        if is {
            self.at += text.len();
            self.space();
        }
        is
    }

    fn expect(&mut self, text: &str) -> Result<(), ReadError> {
        match self.take(text) {
            true => Ok(()),
            false => Err(self.error(format!("expected `{text}`"))),
        }
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(TOO_DEEP));
        }
        Ok(())
    }

    /// Reads the items between two brackets.
    fn items<E: From<ReadError>>(
        &mut self,
        last: &str,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter()?;
        if !self.take(last) {
            loop {
                each(self)?;
                if self.take(last) {
                    break;
                }
                self.expect(",")?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn digits(&mut self) -> Result<u64, ReadError> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        if behind.starts_with(['.', 'e', 'E']) || (number.len() > 1 && number.starts_with('0')) {
            return Err(self.error("expected an integer"));
        }
        let n = number.parse();
        let n = n.map_err(|_| self.error("expected a number of at most 64 bits"))?;
        self.at += digits;
        self.space();
        Ok(n)
    }

    fn quoted(&mut self) -> Result<String, ReadError> {
        if !self.rest().starts_with('"') {
            return Err(self.error("expected a text"));
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let mut chars = self.rest().chars();
            let Some(c) = chars.next() else {
                return Err(self.error("a text is not terminated"));
            };
            self.at += c.len_utf8();
            match c {
                '"' => break,
                '\\' => out.push(self.escaped()?),
                c if c < ' ' => return Err(self.error("a text contains a control character")),
                c => out.push(c),
            }
        }
        self.space();
        Ok(out)
    }

    fn escaped(&mut self) -> Result<char, ReadError> {
        let escape = self.rest().chars().next();
        self.at += escape.map_or(0, char::len_utf8);
        Ok(match escape {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let high = self.four()?;
                let code = if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let low = self.four()?;
                    let pair = (0xdc00..0xe000).contains(&low);
                    pair.then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                } else {
                    Some(high)
                };
                let c = code.and_then(char::from_u32);
                c.ok_or_else(|| self.error("an escape is not a character"))?
            }
            _ => return Err(self.error("an escape is invalid")),
        })
    }

    fn four(&mut self) -> Result<u32, ReadError> {
        let digits = self.rest().get(..4);
        let is_hex = |d: &&str| d.bytes().all(|b| b.is_ascii_hexdigit());
        let code = digits
            .filter(is_hex)
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// Reads any item into CBOR.
    fn any(&mut self, out: &mut CborWriter) -> Result<(), ReadError> {
        match self.kind()? {
            Kind::Null => {
                Input::null(self)?;
                out.null();
            }
            Kind::Bool => out.bool(Input::bool(self)?),
            Kind::Number => out.number(self.digits()?),
            Kind::Text => out.text(&self.quoted()?),
            Kind::List => {
                self.expect("[")?;
                let (mut n, mut items) = (0, CborWriter::default());
                self.items("]", |reader| {
                    n += 1;
                    reader.any(&mut items)
                })?;
                out.list(n);
                out.bytes.extend(items.bytes);
            }
            Kind::Map => self.any_map(out)?,
            // The only item that remains is a negative number.
            Kind::Other => {
                self.at += 1;
                let n = self.digits()?;
                match n.checked_sub(1) {
                    Some(n) => out.negative(n),
                    None => out.number(0),
                }
            }
        }
        Ok(())
    }

    fn any_map(&mut self, out: &mut CborWriter) -> Result<(), ReadError> {
        self.expect("{")?;
        let (mut n, mut entries) = (0, CborWriter::default());
        let mut cbor = None;
        self.items("}", |reader| {
            let key = reader.quoted()?;
            reader.expect(":")?;
            n += 1;
            if key == CBOR && reader.kind()? == Kind::Text {
                let mark = reader.mark();
                let text = reader.quoted()?;
                cbor = of_digits(&text);
                reader.rewind(mark);
            }
            entries.key(&key);
            reader.any(&mut entries)
        })?;
        if let (1, Some(bytes)) = (n, cbor) {
            let raw = Raw::from_cbor(&bytes)
                .map_err(|_| self.error("the hexadecimal digits are not a CBOR item"))?;
            out.raw(&raw);
        } else {
            out.map(n);
            out.bytes.extend(entries.bytes);
        }
        Ok(())
    }
}

fn of_digits(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

impl Input for JsonReader<'_> {
    fn kind(&mut self) -> Result<Kind, ReadError> {
        Ok(match self.rest().as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'0'..=b'9') => Kind::Number,
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Map,
            Some(b'-') => Kind::Other,
            Some(_) => return Err(self.error("the input is not JSON")),
            None => return Err(self.error("the input ends within an item")),
        })
    }

    fn null(&mut self) -> Result<(), ReadError> {
        self.expect("null")
    }

    fn bool(&mut self) -> Result<bool, ReadError> {
        if self.take("true") {
            return Ok(true);
        }
        self.expect("false").map(|()| false)
    }

    fn number(&mut self) -> Result<u64, ReadError> {
        self.digits()
    }

    fn text(&mut self) -> Result<String, ReadError> {
        self.quoted()
    }

    fn list(&mut self, each: impl FnMut(&mut Self) -> Result<(), Problem>) -> Result<(), Problem> {
        self.expect("[")?;
        self.items("]", each)
    }

    fn map(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.expect("{")?;
        self.items("}", |reader| {
            let key = reader.quoted()?;
            reader.expect(":")?;
            each(reader, &key)
        })
    }

    fn raw(&mut self) -> Result<Raw, ReadError> {
        let mut out = CborWriter::default();
        self.any(&mut out)?;
        Ok(Raw::of(out.bytes))
    }

    fn mark(&self) -> Mark {
        (self.at, self.depth)
    }

    fn rewind(&mut self, (at, depth): Mark) {
        (self.at, self.depth) = (at, depth);
    }

    fn malformed(&self, what: String) -> ReadError {
        self.error(what)
    }
}
