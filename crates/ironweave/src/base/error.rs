//! Errors: an enum for each operation whose callers distinguish its outcomes, and one [`ErrorKind`] for all of them.
//!
//! This file has the errors of a step. Each names the entities, states and other items that it concerns, and the events
//! that led to it. The submodule `display` has the messages.

mod carried;
mod display;
mod inconsistency;
mod kind;
mod migration;
mod name;
mod open;
mod outcome;
mod read;
mod reject;
#[cfg(test)]
mod tests;
mod trial;
mod upgrade;

use std::fmt;
use std::sync::Arc;

pub(crate) use carried::CarriedCell;
pub use carried::NotCarried;
pub use inconsistency::Inconsistency;
pub use kind::ErrorKind;
pub use migration::{Incomplete, MigrationError, Problem};
pub use name::NameError;
pub(crate) use name::similar;
pub use open::{FrameLocation, OpenError, RefusedDifference};
pub use read::ReadError;
pub use reject::{Reason, Reject};
pub use trial::{NeededCode, TrialError};
pub use upgrade::UpgradeError;

use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};

/// A name of the model. Clones share the text.
pub type Name = Arc<str>;

/// An entity that an error or a receipt refers to. It prints with its key if that is known, as in `Ward "icu"` or
/// `Bed "icu", 4`, and otherwise with its id, as in `Partition/3.1`.
///
/// Two references are equal if they refer to the same entity, whether or not they have its key.
#[derive(Clone)]
pub struct EntityRef {
    /// The type of the entity.
    pub entity: Name,
    /// The id of the entity.
    pub id: Id,
    /// The key of the entity, with its parts separated by commas. It is present in an error if the type has a key and the
    /// entity existed when the event was rejected.
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

/// The events that led to a rejection. The program fired the first. The others are immediate events, each enabled by the
/// one before it. See [`StepError::chain`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Chain(Option<Arc<[Name]>>);

impl Chain {
    /// Returns the chain of these events, in the order in which they fired.
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

/// The limit on immediate events that a step reached.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopLimit {
    /// [`Options::firings_max`](crate::Options::firings_max).
    Firings(u32),
    /// [`Options::creation_depth_max`](crate::Options::creation_depth_max).
    CreationDepth(u32),
    /// [`Options::created_firings_max`](crate::Options::created_firings_max).
    CreatedFirings(u32),
}

/// The error of a step, a transaction or a what-if. The graph is unchanged.
#[non_exhaustive]
#[derive(Debug)]
pub enum StepError {
    /// The handle does not refer to an entity: the entity was deleted, or the handle is of another store.
    StaleHandle {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// No entity has the key that the event refers to.
    UnknownKey {
        /// The event.
        event: Name,
        /// The type of the entity.
        entity: Name,
        /// The key, with its parts separated by commas.
        key: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An entity is not in the state that a token or a `moves` requires.
    NotInPlace {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The required states, as written in the model: `Idle | Building`.
        expected: Name,
        /// The state that the entity is in.
        found: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A `when` condition does not hold.
    When {
        /// The event.
        event: Name,
        /// The condition, as written in the model.
        condition: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Too few entities can be chosen by a `choose`.
    NothingToChoose {
        /// The event.
        event: Name,
        /// The name that the event chooses entities for.
        name: Name,
        /// The arc, as written in the model: `choose(bed: ward.beds in Free by number)`.
        candidates: Name,
        /// How many entities can be chosen.
        found: usize,
        /// How many it chooses.
        wanted: usize,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A value that the event calculates, or that a `when` compares, overflows.
    Overflow {
        /// The event.
        event: Name,
        /// The calculation or the condition, as written in the model: `meta.time + hold`.
        calculation: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A guard rejected the event.
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
    /// The handler of the event rejected it.
    Rejected {
        /// The event.
        event: Name,
        /// The reason that it gave.
        reason: Reason,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Arcs of one event conflict: two of them move an entity, one moves and one deletes it, or two set the same field.
    TwoArcs {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// One entity occurs twice in a set that the event binds.
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
    /// An entity with the same key exists already.
    Duplicate {
        /// The entity that has the key.
        entity: EntityRef,
        /// The key, with its parts separated by commas.
        key: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An end of an edge would have too few or too many links.
    Cardinality {
        /// The entity.
        entity: EntityRef,
        /// The end of the edge: `Want.partitions`.
        edge: Name,
        /// The number of links that the entity would have.
        found: usize,
        /// The allowed number of links, as text.
        allowed: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The edge links the two entities already.
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
    /// The edge does not link the two entities.
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
    /// An entity cannot be deleted while an edge with `on_delete = restrict` links it.
    Restricted {
        /// The entity that was to be deleted.
        entity: EntityRef,
        /// The end of that edge: `Partition.built_by`.
        edge: Name,
        /// An entity that it is linked with there.
        by: EntityRef,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Links of an `acyclic` edge would form a cycle.
    Cycle {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entities of the cycle, in order. The last is linked with the first. Of a cycle of more than eight, these are
        /// the first four and the last four.
        entities: Vec<EntityRef>,
        /// How many entities the cycle has.
        len: usize,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// An invariant does not hold at the end of the transaction.
    Invariant {
        /// The invariant.
        invariant: Name,
        /// The entity that violates it.
        entity: EntityRef,
        /// The reason that it gave.
        reason: Reason,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// Immediate events would enable each other without end.
    Loop {
        /// The entity on which the last of them would have fired.
        entity: EntityRef,
        /// The events that enabled each other, in order. The last enables the first again, and `chain` has the events
        /// before them. Empty if the event that reached the limit did not enable itself. That event is then the last of
        /// `chain`.
        cycle: Vec<Name>,
        /// The limit that the events reached.
        limit: LoopLimit,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A table is full: 2^32 − 1 entities of a type, or 4 GiB of values in one transaction.
    Full {
        /// The table.
        what: Name,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// A value cannot be encoded, or would be decoded as a different value.
    Unwritable {
        /// The column or field: `Partition.name`.
        what: Name,
        /// The reason why the value cannot be encoded, or the value as which it would be decoded.
        reason: String,
        /// The events that led to it; see [`StepError::chain`].
        chain: Chain,
    },
    /// The explicit time of a transaction is before that of the last transaction.
    TimeGoesBack {
        /// The time of the last transaction. If there is none yet, 1970-01-01, the earliest time of a transaction.
        last: crate::base::time::Timestamp,
        /// The explicit time.
        asked: crate::base::time::Timestamp,
    },
    /// Optimistic-concurrency conflict: an entity that the event binds was changed after the transaction that the caller
    /// expected to be the last to change it. See [`Meta::expect`](crate::Meta::expect).
    Changed {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The transaction that the caller expected.
        expected: Seq,
        /// The last transaction that changed the entity.
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
    /// The idempotency key belongs to a transaction that was committed longer ago than keys are
    /// [kept](crate::Options::keep_keys). No event has fired.
    KeyExpired {
        /// The key.
        key: String,
    },
    /// The transaction was committed earlier under its idempotency key, and this event was rejected then.
    RejectedBefore {
        /// The transaction that has the key.
        seq: Seq,
        /// The message of that rejection.
        reason: String,
    },
    /// The transaction was committed earlier under its idempotency key, by a version of the model in which its event did not
    /// bind or create this name. Its receipt cannot be restored.
    ReceiptLost {
        /// The transaction that has the key.
        seq: Seq,
        /// The event.
        event: Name,
        /// The name for which the log has no entities.
        name: Name,
    },
    /// The savepoint is of another transaction, or a rollback to an earlier savepoint has removed it.
    StaleSavepoint,
    /// The metadata refers to a transaction that the log does not have, or the store has no log.
    Metadata(Box<ReadError>),
    /// The store is open for reading only.
    ReadOnly,
    /// The log rejected the transaction, and nothing was written.
    Storage(StorageError),
    /// A write or fsync of the log failed. The transaction may or may not be in it, which opening the store again shows.
    Indeterminate(StorageError),
}

// The limit of clippy's `result_large_err` is 128 bytes.
const _: () = assert!(size_of::<StepError>() <= 120);

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The message of this error is that of the failure, so the source is the cause of the failure.
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
    /// Converts an error of looking up the frames that metadata refers to.
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Storage(e) => Self::Storage(e),
            e => Self::Metadata(Box::new(e)),
        }
    }
}
