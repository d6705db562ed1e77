//! The subset of CBOR (RFC 8949) that a schema uses: heads in their shortest form and definite lengths.
//!
//! The runtime has its own code for frames and values. It writes heads as words of fixed size, because each step writes
//! several, and it reads items of indefinite length, which serde may write.

use crate::form::{Input, Kind, Mark, Output, Problem, ReadError};
use crate::unknown::Raw;

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
/// The maximum nesting depth of items.
pub(crate) const DEPTH_MAX: u32 = 256;
/// The error message for an item that is nested deeper.
pub(crate) const TOO_DEEP: &str = "a value is nested deeper than 256 levels";

/// Appends the head of an item: its major type, 0 to 7, and its argument in the shortest form.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    let major = major << 5;
    match n {
        0..24 => out.push(major | n as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, n as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Writes items as CBOR.
#[derive(Default)]
pub(crate) struct CborWriter {
    pub(crate) bytes: Vec<u8>,
}

impl Output for CborWriter {
    fn null(&mut self) {
        self.bytes.push(NULL);
    }

    fn bool(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    fn number(&mut self, n: u64) {
        head(&mut self.bytes, UINT, n);
    }

    fn text(&mut self, text: &str) {
        head(&mut self.bytes, TEXT, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, len: usize) {
        head(&mut self.bytes, ARRAY, len as u64);
    }

    fn map(&mut self, len: usize) {
        head(&mut self.bytes, MAP, len as u64);
    }

    fn key(&mut self, key: &str) {
        self.text(key);
    }

    fn end(&mut self) {}

    fn raw(&mut self, raw: &Raw) {
        self.bytes.extend_from_slice(raw.as_cbor());
    }
}

impl CborWriter {
    /// Writes the negative integer `-1 - n`.
    pub(crate) fn negative(&mut self, n: u64) {
        head(&mut self.bytes, NEGATIVE, n);
    }
}

/// An item, or the head of a list, map or tag.
pub(crate) enum Token<'b> {
    Number(u64),
    /// `-1 - n`.
    Negative(u64),
    Bytes,
    Text(&'b str),
    List(u64),
    Map(u64),
    Tag,
    Bool(bool),
    Null,
    /// A float or a simple value.
    Simple,
}

/// Reads items from CBOR.
pub(crate) struct CborReader<'b> {
    bytes: &'b [u8],
    at: usize,
    depth: u32,
}

impl<'b> CborReader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    fn error(&self, what: impl Into<String>) -> ReadError {
        ReadError::new(what, self.at)
    }

    /// Returns an error if bytes follow the last item.
    pub(crate) fn end(&self) -> Result<(), ReadError> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(self.error(format!("{} bytes follow it", self.bytes.len() - self.at)))
    }

    fn take(&mut self, len: u64) -> Result<&'b [u8], ReadError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| self.error("the input ends within an item"))?;
        self.at += taken.len();
        Ok(taken)
    }

    /// Reads a head. Returns its major type, its argument, and how many bytes of the argument follow the first byte.
    fn head(&mut self) -> Result<(u8, u64, usize), ReadError> {
        let first = self.take(1)?[0];
        let (major, low) = (first >> 5, first & 31);
        let width = match low {
            0..24 => return Ok((major, low.into(), 0)),
            24..28 => 1usize << (low - 24),
            _ => return Err(self.error("an item has no definite length")),
        };
        let mut n = 0u64;
        for byte in self.take(width as u64)? {
            n = n << 8 | u64::from(*byte);
        }
        let least = match width {
            1 => 24,
            2 => 1 << 8,
            4 => 1 << 16,
            _ => 1 << 32,
        };
        // The argument of a float is its bits, not a number. A simple value below 32 has no second byte.
        let shortest = if major == SIMPLE {
            width > 1 || n >= 32
        } else {
            n >= least
        };
        if !shortest {
            return Err(self.error("a head is not in its shortest form"));
        }
        Ok((major, n, width))
    }

    /// Reads the next head, and the text or bytes that follow it.
    pub(crate) fn token(&mut self) -> Result<Token<'b>, ReadError> {
        let (major, n, width) = self.head()?;
        Ok(match major {
            UINT => Token::Number(n),
            NEGATIVE => Token::Negative(n),
            BYTES => {
                self.take(n)?;
                Token::Bytes
            }
            TEXT => {
                let bytes = self.take(n)?;
                let text = std::str::from_utf8(bytes);
                Token::Text(text.map_err(|_| self.error("a text is not UTF-8"))?)
            }
            ARRAY => Token::List(n),
            MAP => Token::Map(n),
            TAG => Token::Tag,
            _ => match (width, n) {
                (0, 20) => Token::Bool(false),
                (0, 21) => Token::Bool(true),
                (0, 22) => Token::Null,
                _ => Token::Simple,
            },
        })
    }

    /// Skips one item. Returns its bytes.
    pub(crate) fn skip(&mut self) -> Result<&'b [u8], ReadError> {
        let start = self.at;
        // For each list, map or tag that is being read, the number of items that have not been read.
        let mut open: Vec<u64> = vec![1];
        while let Some(left) = open.last_mut() {
            let Some(less) = left.checked_sub(1) else {
                open.pop();
                continue;
            };
            *left = less;
            // The first entry is the item itself, which is not nested.
            if self.depth as usize + open.len() - 1 > DEPTH_MAX as usize {
                return Err(self.error(TOO_DEEP));
            }
            match self.token()? {
                Token::List(n) => open.push(n),
                Token::Map(n) => {
                    let items = n.checked_mul(2);
                    open.push(items.ok_or_else(|| self.error("the input ends within an item"))?);
                }
                Token::Tag => open.push(1),
                _ => {}
            }
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Reads one item without decoding it.
    pub(crate) fn item(&mut self) -> Result<Raw, ReadError> {
        Ok(Raw::of(self.skip()?.to_vec()))
    }

    pub(crate) fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(TOO_DEEP));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

impl Input for CborReader<'_> {
    fn kind(&mut self) -> Result<Kind, ReadError> {
        let at = self.at;
        let first = self.take(1)?[0];
        self.at = at;
        Ok(match (first >> 5, first) {
            (UINT, _) => Kind::Number,
            (TEXT, _) => Kind::Text,
            (ARRAY, _) => Kind::List,
            (MAP, _) => Kind::Map,
            (_, TRUE | FALSE) => Kind::Bool,
            (_, NULL) => Kind::Null,
            _ => Kind::Other,
        })
    }

    fn null(&mut self) -> Result<(), ReadError> {
        match self.token()? {
            Token::Null => Ok(()),
            _ => Err(self.error("expected null")),
        }
    }

    fn bool(&mut self) -> Result<bool, ReadError> {
        match self.token()? {
            Token::Bool(value) => Ok(value),
            _ => Err(self.error("expected true or false")),
        }
    }

    fn number(&mut self) -> Result<u64, ReadError> {
        match self.token()? {
            Token::Number(n) => Ok(n),
            _ => Err(self.error("expected a number")),
        }
    }

    fn text(&mut self) -> Result<String, ReadError> {
        match self.token()? {
            Token::Text(text) => Ok(text.to_owned()),
            _ => Err(self.error("expected a text")),
        }
    }

    fn list(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Token::List(n) = self.token()? else {
            return Err(self.error("expected a list").into());
        };
        self.enter()?;
        for _ in 0..n {
            each(self)?;
        }
        self.leave();
        Ok(())
    }

    fn map(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Token::Map(n) = self.token()? else {
            return Err(self.error("expected a map").into());
        };
        self.enter()?;
        for _ in 0..n {
            let key = self.text()?;
            each(self, &key)?;
        }
        self.leave();
        Ok(())
    }

    fn raw(&mut self) -> Result<Raw, ReadError> {
        self.item()
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
