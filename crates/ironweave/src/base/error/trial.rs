//! The error of an event that was to be tried by the schema of a log alone.

use std::error::Error;
use std::fmt;

use crate::base::error::{EntityRef, ErrorKind, Name, NotCarried, StepError};

/// Code of a program that an event needs, and that is in no log.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeededCode {
    /// A guard of the event.
    Guard {
        /// The event.
        event: Name,
        /// The path of the guard.
        guard: Name,
    },
    /// The handler of the event.
    Handler {
        /// The event.
        event: Name,
    },
    /// An invariant of an entity that was changed, or that reads one through `via`.
    Invariant {
        /// The invariant.
        invariant: Name,
        /// The entity.
        entity: EntityRef,
    },
    /// A value, comparison or calculation of a type that the program defines.
    Value {
        /// The event.
        event: Name,
        /// What the event does with it: `sets Lamp.colour to Colour::Red`.
        what: String,
    },
    /// A part of the schema that this version does not know, or that an older version has left out.
    Unknown {
        /// The part.
        what: String,
    },
}

impl fmt::Display for NeededCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { event, guard } => write!(f, "the guard `{guard}` of {event}"),
            Self::Handler { event } => write!(f, "the handler of {event}"),
            Self::Invariant { invariant, entity } => {
                write!(f, "the invariant `{invariant}` of {entity}")
            }
            Self::Value { event, what } => write!(f, "a type of the program, since {event} {what}"),
            Self::Unknown { what } => write!(f, "a newer version of ironweave, since {what}"),
        }
    }
}

/// Why an event cannot be tried by the schema of a log alone, or would be rejected.
#[non_exhaustive]
#[derive(Debug)]
pub enum TrialError {
    /// It is not an event of the schema: no event has the name, or a field is unknown, missing or of another type.
    Event {
        /// The reason.
        reason: String,
    },
    /// The event needs code of the program. It may be that of an immediate event that follows from it.
    NeedsCode {
        /// The event that was to be tried.
        event: Name,
        /// The code.
        code: NeededCode,
    },
    /// The event would be rejected.
    Rejected(StepError),
    /// The snapshot has a value that its schema does not permit.
    Graph(Box<NotCarried>),
}

impl TrialError {
    /// Classifies the error by what the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Event { .. } => ErrorKind::Invalid,
            Self::NeedsCode { .. } => ErrorKind::Forbidden,
            Self::Rejected(e) => e.kind(),
            Self::Graph(_) => ErrorKind::Internal,
        }
    }
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { reason } => write!(f, "this is not an event of the model: {reason}"),
            Self::NeedsCode { event, code } => write!(
                f,
                "{event} cannot be tried: it needs {code}, which is not linked in here; try it in the program that has the model"
            ),
            Self::Rejected(e) => fmt::Display::fmt(e, f),
            Self::Graph(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl Error for TrialError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Event { .. } | Self::NeedsCode { .. } | Self::Graph(_) => None,
            // The message of this error is that of the other one, so the source is the cause of the other one.
            Self::Rejected(e) => e.source(),
        }
    }
}
