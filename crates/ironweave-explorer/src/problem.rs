//! Why a question cannot be answered.

use std::error::Error;
use std::fmt;

use ironweave::dynamic::TrialError;
use ironweave::{ErrorKind, NameError, OpenError, ReadError, Seq, StepError, StorageError};

/// Why a question about a store cannot be answered, as a sentence, with the kind that determines the HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: ErrorKind,
    message: String,
    /// The first frame of the log, if the question was about one before it.
    beginning: Option<Seq>,
}

impl Problem {
    /// A problem of a kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind,
            message,
            beginning: None,
        }
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

    /// Returns the first frame that the log has, if the question was about one that was dropped, or that is before the snapshot that the
    /// store began at.
    pub(crate) fn beginning(&self) -> Option<Seq> {
        self.beginning
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

problems!(NameError, OpenError, StepError, StorageError, TrialError);

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
        let beginning = match &e {
            ReadError::BeforeBeginning { beginning, .. } => beginning.checked_add(1),
            ReadError::Storage(e) if e.is_dropped() => e.seq(),
            _ => None,
        };
        Self {
            beginning,
            ..Self::new(e.kind(), message)
        }
    }
}

/// The sentence for a frame that the log does not have.
pub(crate) fn no_such_frame(seq: Seq, last: Option<Seq>) -> String {
    match last {
        Some(last) => format!("the log has no frame {seq}; its last frame is {last}"),
        None => format!("the log has no frame {seq}; it is empty"),
    }
}
