//! The error of a migration: what its code did wrong, or what it has left undone.

use std::error::Error;
use std::fmt;

use crate::base::error::{
    EntityRef, ErrorKind, Name, NameError, NotCarried, Reason, Reject, StepError,
};

/// The error of a migration. The log is unchanged.
#[non_exhaustive]
#[derive(Debug)]
pub enum MigrationError {
    /// A model does not have the name.
    Name(NameError),
    /// The entity does not exist in the new graph: it was deleted, or never existed.
    NoEntity {
        /// The entity.
        entity: EntityRef,
    },
    /// The entity is of a type that the new model does not have.
    NoSuchType {
        /// The entity of the old graph.
        entity: EntityRef,
    },
    /// The entity is neither of the old graph nor of the new one.
    OtherGraph {
        /// The entity.
        entity: EntityRef,
    },
    /// The value cannot be read as a value of the type that the model has.
    Value {
        /// The field, the data of a state or the edge: `Bed.since`.
        what: Name,
        /// The type in the new model.
        expected: Name,
        /// The kind of the value and the value, as text.
        found: String,
        /// The reason, if the types do not say it.
        reason: String,
    },
    /// The entity is not in the state to which the data belongs.
    NotInState {
        /// The data: `Bed.Cleaning.by`.
        what: Name,
        /// The entity.
        entity: EntityRef,
        /// The state that the entity is in.
        found: Name,
    },
    /// The end of the edge leads to another entity type.
    WrongEnd {
        /// The end of the edge: `Ward.beds`.
        edge: Name,
        /// The entity type that it leads to.
        expected: Name,
        /// The entity.
        entity: EntityRef,
    },
    /// The links of the edge have no data, and data was given.
    NoData {
        /// The edge, by its declaring end.
        edge: Name,
    },
    /// A change or an immediate event was rejected, for the same reasons as in a step.
    Step(StepError),
    /// The migration has left something undone.
    Incomplete(Vec<Incomplete>),
    /// A value that stays cannot be carried over to the model.
    NotCarried(Box<NotCarried>),
    /// The code of the migration returned an error of its own; see [`MigrationError::new`].
    Failed(Reason),
}

/// What a migration has left undone.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The item of the model that is concerned: `Bed.since`, `Bed::Cleaning`, an invariant.
    pub item: Name,
    /// What is wrong with it.
    pub problem: Problem,
    /// The number of entities or links concerned.
    pub count: u64,
    /// The first of them. Of links, it is the entity at the declaring end.
    pub first: EntityRef,
}

/// What is wrong with an item of the model after a migration.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Entities have no value in the field, or in the data of the state that they are in.
    NoValue,
    /// Entities were in the state, which the new model does not have, and were neither moved nor deleted.
    StateRemoved,
    /// Links have no data.
    NoLinkData,
    /// Entities have too few or too many links.
    Links {
        /// The allowed number, as text.
        allowed: String,
        /// The number of the first entity.
        found: usize,
    },
    /// The invariant does not hold.
    Invariant {
        /// The reason of the first entity.
        reason: String,
    },
}

impl MigrationError {
    /// Returns an error with a text, for the code of a migration.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self::from(Reject::new(reason))
    }

    /// Returns an error with an error of the program, for the code of a migration. That error is its [`source`](Error::source).
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::from(Reject::from_error(error))
    }

    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Step(e) => e.kind(),
            _ => ErrorKind::Internal,
        }
    }
}

impl From<NameError> for MigrationError {
    fn from(e: NameError) -> Self {
        Self::Name(e)
    }
}

impl From<NotCarried> for MigrationError {
    fn from(e: NotCarried) -> Self {
        Self::NotCarried(Box::new(e))
    }
}

impl From<StepError> for MigrationError {
    fn from(e: StepError) -> Self {
        Self::Step(e)
    }
}

impl From<Reject> for MigrationError {
    fn from(e: Reject) -> Self {
        e.into_either(Self::Failed, Self::Step)
    }
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(e) => fmt::Display::fmt(e, f),
            Self::NoEntity { entity } => write!(
                f,
                "{entity} does not exist in the new graph; it was deleted, or never existed"
            ),
            Self::NoSuchType { entity } => write!(
                f,
                "{entity} cannot be changed, since the new model has no type `{}`; create an entity of a type that it has",
                entity.entity
            ),
            Self::OtherGraph { entity } => write!(
                f,
                "{entity} is neither of the old graph nor of the new one; read it from one of the arguments of the migration"
            ),
            Self::Value {
                what,
                expected,
                found,
                reason,
            } => {
                write!(
                    f,
                    "`{what}` is of type `{expected}`, and the value is {found}"
                )?;
                match &**reason {
                    "" => Ok(()),
                    reason => write!(f, ": {reason}"),
                }
            }
            Self::NotInState {
                what,
                entity,
                found,
            } => write!(
                f,
                "`{what}` is data of another state than `{found}`, which {entity} is in; move it with `move_to` before"
            ),
            Self::WrongEnd {
                edge,
                expected,
                entity,
            } => write!(f, "`{edge}` leads to `{expected}`, not to {entity}"),
            Self::NoData { edge } => write!(f, "the links of `{edge}` have no data"),
            Self::Step(e @ StepError::Duplicate { .. }) => write!(
                f,
                "{e}; if two entities exchange their keys, give one of them a third key first"
            ),
            Self::Step(e) => fmt::Display::fmt(e, f),
            Self::Incomplete(left) => {
                f.write_str("the migration has left something undone:")?;
                left.iter().try_for_each(|left| write!(f, "\n- {left}"))
            }
            Self::NotCarried(e) => fmt::Display::fmt(e, f),
            Self::Failed(reason) => fmt::Display::fmt(reason, f),
        }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            item,
            problem,
            count,
            first,
        } = self;
        let of = |one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            n => format!("{n} {many}"),
        };
        match problem {
            Problem::NoValue => write!(
                f,
                "`{item}`: {} no value in it, first {first}; write one with `set`, or give it `#[default(..)]`",
                of("entity has", "entities have")
            ),
            Problem::StateRemoved => write!(
                f,
                "state `{item}` was removed: {} in it, first {first}; move them with `move_to`, or delete them",
                of("entity is", "entities are")
            ),
            Problem::NoLinkData => write!(
                f,
                "`{item}`: {} no data, first of {first}; write it with `set_link`",
                of("link has", "links have")
            ),
            Problem::Links { allowed, found } => write!(
                f,
                "`{item}`: {allowed}, and {} another number of links, first {first} with {found}; use `link` and `unlink`",
                of("entity has", "entities have")
            ),
            Problem::Invariant { reason } => write!(
                f,
                "invariant {item} does not hold for {}, first {first}: {reason}",
                of("entity", "entities")
            ),
        }
    }
}

impl Error for MigrationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The message of this error is that of the inner one, so the source is the cause of that.
            Self::Step(e) => e.source(),
            Self::Failed(reason) => reason.source(),
            _ => None,
        }
    }
}
