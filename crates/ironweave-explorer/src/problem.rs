//! Why a question cannot be answered.

use std::error::Error;
use std::fmt;

use ironweave::{ErrorKind, NameError, OpenError, ReadError, Seq, StepError, StorageError};

/// Why a question about a store cannot be answered, as a sentence, with the kind that determines the HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: ErrorKind,
    message: String,
}

impl Problem {
    /// A problem of a kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// A question that is invalid for every store.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A question about something that does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Returns the kind, which has an HTTP status.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

macro_rules! problems {
    ($($error:ty),*) => { $(impl From<$error> for Problem {
        fn from(e: $error) -> Self {
            Self::new(e.kind(), e.to_string())
        }
    })* };
}

problems!(NameError, OpenError, StepError, StorageError);

impl From<ReadError> for Problem {
    fn from(e: ReadError) -> Self {
        // The advice of the library is for programs.
        let message = match &e {
            ReadError::Ahead { asked, last } => no_such_frame(asked.seq(), *last),
            ReadError::NotYet { time, last, .. } => {
                format!("{time} is in the future; the last transaction of the log was at {last}")
            }
            e => e.to_string(),
        };
        Self::new(e.kind(), message)
    }
}

/// The sentence for a frame that the log does not have.
pub(crate) fn no_such_frame(seq: Seq, last: Option<Seq>) -> String {
    match last {
        Some(last) => format!("the log has no frame {seq}; its last frame is {last}"),
        None => format!("the log has no frame {seq}; it is empty"),
    }
}
