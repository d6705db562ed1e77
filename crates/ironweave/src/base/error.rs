//! Errors: one enum of outcomes for each operation whose callers tell them apart, and one [`ErrorKind`] for all.
//!
//! Here is what can come of a step: each outcome with the entities, states and names that it concerns, and the events
//! that led to it. Their messages are in `display`.

mod display;
mod inconsistency;
mod kind;
mod open;
mod outcome;
mod read;
mod reject;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use inconsistency::Inconsistency;
pub use kind::ErrorKind;
pub use open::OpenError;
pub use read::ReadError;
pub use reject::{Reason, Reject};

use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};

/// A name of the model, shared by all that refer to it.
pub type Name = Arc<str>;

/// An entity that an error or a receipt refers to. One of an error prints with its key, `Ward "icu"` or
/// `Bed "icu", 4`, and without one, as in a receipt, with its id: `Partition/3.1`.
///
/// Two are equal if they are the same entity, whether they have the key or not.
#[derive(Clone)]
pub struct EntityRef {
    /// The type of the entity.
    pub entity: Name,
    /// The id of the entity.
    pub id: Id,
    /// The key of the entity, as the log would show it, one part after the other. An error has it where the type has
    /// a key and the entity existed when the event was rejected.
    pub key: Option<Name>,
}

impl PartialEq for EntityRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.entity == other.entity
    }
}

impl Eq for EntityRef {}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} {key}", self.entity),
            None => write!(f, "{}/{}", self.entity, self.id),
        }
    }
}

impl fmt::Debug for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The events that led to a rejection: the one that the program fired, then immediate events, each of which the one
/// before it enabled. Empty until the step fills it in; see [`StepError::chain`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Chain(Option<Arc<[Name]>>);

impl Chain {
    /// A chain of events, in order.
    pub(crate) fn new(events: Vec<Name>) -> Self {
        Self(Some(events.into()))
    }
}

impl std::ops::Deref for Chain {
    type Target = [Name];

    fn deref(&self) -> &[Name] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The limit that a step reached whose immediate events go on.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopLimit {
    /// How often one immediate event may fire on one entity in one step.
    Firings(u32),
    /// [`Options::creation_depth_max`](crate::Options::creation_depth_max).
    CreationDepth(u32),
    /// [`Options::created_firings_max`](crate::Options::created_firings_max).
    CreatedFirings(u32),
}

/// Why a step, a transaction or a what-if did not happen. The store is then what it was before.
#[non_exhaustive]
#[derive(Debug)]
pub enum StepError {
    /// The entity was deleted, or the handle is of another store.
    StaleHandle {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The event names a key that no entity has.
    UnknownKey {
        /// The event.
        event: Name,
        /// The type of entity looked for.
        entity: Name,
        /// The key, as the log would show it.
        key: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An entity is not in the state that a token or a `moves` demands.
    NotInPlace {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The states demanded, as written: `Idle | Building`.
        expected: Name,
        /// The state it is in.
        found: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A `when` does not hold.
    When {
        /// The event.
        event: Name,
        /// The condition, as written.
        condition: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A guard rejected.
    Guard {
        /// The event.
        event: Name,
        /// The path of the guard.
        guard: Name,
        /// The reason that it gave.
        reason: Reason,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The event's handler rejected.
    Rejected {
        /// The event.
        event: Name,
        /// The reason that it gave.
        reason: Reason,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Two moves of one entity, a move and a delete of it, or two sets of one of its fields, in one event.
    TwoArcs {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// One entity stands twice in a set that the event binds.
    Repeated {
        /// The event.
        event: Name,
        /// The field.
        name: Name,
        /// The entity.
        entity: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A second entity with the same key.
    Duplicate {
        /// The entity that has the key.
        entity: EntityRef,
        /// The key, as the log would show it.
        key: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Too few or too many links at an end of an edge.
    Cardinality {
        /// The entity.
        entity: EntityRef,
        /// The end of the edge: `Want.partitions`.
        edge: Name,
        /// How many links it has, or would have.
        found: usize,
        /// How many are allowed, in words.
        allowed: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The two are linked by this edge already.
    AlreadyLinked {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entity at the declaring end.
        from: EntityRef,
        /// The entity at the inverse end.
        to: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The two are not linked by this edge.
    NotLinked {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entity at the declaring end.
        from: EntityRef,
        /// The entity at the inverse end.
        to: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An entity cannot be deleted while it is linked.
    Restricted {
        /// The entity that was to be deleted.
        entity: EntityRef,
        /// The end of the edge that stands in the way: `Partition.built_by`.
        edge: Name,
        /// An entity that it is linked with there.
        by: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Links of an `acyclic` edge would lead from an entity back to itself.
    Cycle {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entities of the circle, in order; the last is linked with the first.
        entities: Vec<EntityRef>,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An invariant does not hold at the end of the transaction.
    Invariant {
        /// The invariant.
        invariant: Name,
        /// The entity of which it does not hold.
        entity: EntityRef,
        /// The reason that it gave.
        reason: Reason,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Immediate events enable each other without end.
    Loop {
        /// The entity on which the last of them would have fired.
        entity: EntityRef,
        /// The events that enabled each other, in order; the last enables the first again, and `chain` has those
        /// before. Empty where the event of the limit did not enable itself in that way: then it is the last of `chain`.
        cycle: Vec<Name>,
        /// The limit that they reached.
        limit: LoopLimit,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A table is full: 2^32 − 1 entities of a type, or 4 GiB of values in one transaction.
    Full {
        /// What is full.
        what: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A value cannot be written to a log, or would be read back as another.
    Unwritable {
        /// The column or field: `Partition.name`.
        what: Name,
        /// Why not, or what it would be read back as.
        reason: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The explicit time of a transaction lies before that of the last one.
    TimeGoesBack {
        /// The time of the last transaction; 1970-01-01 where there is none yet, the earliest time that one can have.
        last: crate::base::time::Timestamp,
        /// The time asked for.
        asked: crate::base::time::Timestamp,
    },
    /// An entity that the event binds was changed after the transaction that the caller expects to be the last to have
    /// changed it: see [`Meta::expect`](crate::Meta::expect).
    Changed {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The transaction that the caller knows of.
        expected: Seq,
        /// The last one that changed the entity.
        found: Seq,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The idempotency key belongs to a transaction with other events.
    KeyReused {
        /// The key.
        key: String,
        /// The transaction that has it.
        seq: Seq,
    },
    /// The transaction happened before under its idempotency key, and this event was rejected then.
    RejectedBefore {
        /// The transaction that has the key.
        seq: Seq,
        /// What the rejection said.
        reason: String,
    },
    /// The transaction happened before under its idempotency key, by rules under which its event did not bind or create
    /// this name, so that its receipt cannot be given again.
    ReceiptLost {
        /// The transaction that has the key.
        seq: Seq,
        /// The event.
        event: Name,
        /// The name of which the log has no entities.
        name: Name,
    },
    /// The savepoint is of another transaction, or a rollback to an earlier one has undone it.
    StaleSavepoint,
    /// The metadata names a transaction that the log does not have, or the store keeps no log to look in.
    Metadata(Box<ReadError>),
    /// The store is open for reading only.
    ReadOnly,
    /// The log refused or failed, and nothing was written.
    Storage(StorageError),
    /// The log failed while it wrote. The transaction may or may not be in it; opening the store again shows which.
    Indeterminate(StorageError),
}

// Below what clippy takes for a large error, with some room.
const _: () = assert!(size_of::<StepError>() <= 120);

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The message of the failure is that of this error.
            Self::Storage(e) => e.source(),
            Self::Metadata(e) => e.source(),
            Self::Indeterminate(e) => Some(e),
            _ => self.reason()?.source(),
        }
    }
}

impl From<StorageError> for StepError {
    fn from(e: StorageError) -> Self {
        match e.failure() {
            StorageFailure::ReadOnly => Self::ReadOnly,
            _ => Self::Storage(e),
        }
    }
}

impl From<ReadError> for StepError {
    /// For metadata, which names frames of the log.
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Storage(e) => Self::Storage(e),
            e => Self::Metadata(Box::new(e)),
        }
    }
}
