//! What CBOR and JSON have in common: where data is written to and read from, and what can go wrong.

use std::fmt;

use crate::Raw;

/// Why a schema cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    what: String,
    at: usize,
}

impl ReadError {
    pub(crate) fn new(what: impl Into<String>, at: usize) -> Self {
        Self {
            what: what.into(),
            at,
        }
    }

    /// The position in the bytes or in the text at which reading stopped.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the schema cannot be read at byte {}: {}",
            self.at, self.what
        )
    }
}

impl std::error::Error for ReadError {}

/// Why an item was not read.
pub(crate) enum Problem {
    /// It is of a newer version.
    Unknown(ReadError),
    /// It is nothing.
    Malformed(ReadError),
}

impl From<ReadError> for Problem {
    fn from(e: ReadError) -> Self {
        Self::Malformed(e)
    }
}

impl From<Problem> for ReadError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unknown(e) | Problem::Malformed(e) => e,
        }
    }
}

/// Where data is written to.
pub(crate) trait Output {
    fn null(&mut self);
    fn bool(&mut self, value: bool);
    fn number(&mut self, n: u64);
    fn text(&mut self, text: &str);
    /// Begins a list of so many items.
    fn list(&mut self, len: usize);
    /// Begins a map of so many entries.
    fn map(&mut self, len: usize);
    fn key(&mut self, key: &str);
    /// Ends a list or a map.
    fn end(&mut self);
    fn raw(&mut self, raw: &Raw);
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
    Other,
}

/// A place in a source, and how deep that is nested.
pub(crate) type Mark = (usize, u32);

/// Where data is read from.
pub(crate) trait Input: Sized {
    fn kind(&mut self) -> Result<Kind, ReadError>;
    fn null(&mut self) -> Result<(), ReadError>;
    fn bool(&mut self) -> Result<bool, ReadError>;
    fn number(&mut self) -> Result<u64, ReadError>;
    fn text(&mut self) -> Result<String, ReadError>;
    fn list(&mut self, each: impl FnMut(&mut Self) -> Result<(), Problem>) -> Result<(), Problem>;
    fn map(
        &mut self,
        each: impl FnMut(&mut Self, &str) -> Result<(), Problem>,
    ) -> Result<(), Problem>;
    fn raw(&mut self) -> Result<Raw, ReadError>;
    fn mark(&self) -> Mark;
    fn rewind(&mut self, mark: Mark);
    fn malformed(&self, what: String) -> ReadError;
}
