//! The interface of the CBOR and JSON readers and writers, and their errors.

use std::fmt;

use crate::Raw;

/// The error of a schema that cannot be read.
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

    /// Returns the byte position in the input at which reading stopped.
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

/// The reason why an item was not read.
pub(crate) enum Problem {
    /// The item is of a newer version.
    Unknown(ReadError),
    /// The item is malformed.
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

/// A writer of CBOR or JSON.
pub(crate) trait Output {
    fn null(&mut self);
    fn bool(&mut self, value: bool);
    fn number(&mut self, n: u64);
    fn text(&mut self, text: &str);
    /// Begins a list of `len` items.
    fn list(&mut self, len: usize);
    /// Begins a map of `len` entries.
    fn map(&mut self, len: usize);
    fn key(&mut self, key: &str);
    /// Ends a list or a map.
    fn end(&mut self);
    fn raw(&mut self, raw: &Raw);
}

/// The kind of the next item.
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

/// A position in the input and its nesting depth.
pub(crate) type Mark = (usize, u32);

/// A reader of CBOR or JSON.
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
