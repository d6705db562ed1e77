//! What can come of a step: one enum of outcomes, each with the ids, states and names that it speaks of.

use std::fmt;
use std::sync::Arc;

use crate::id::Id;
use crate::log::{Seq, StorageError};

/// A name of the model, shared so that a rejection costs no allocation of text.
pub type Name = Arc<str>;

/// An entity that an error speaks of; prints as `Partition/3.1`.
#[derive(Clone, PartialEq, Eq)]
pub struct EntityRef {
    /// Its type.
    pub entity: Name,
    /// Which one.
    pub id: Id,
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity, self.id)
    }
}

impl fmt::Debug for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a step, a transaction or a what-if did not happen. The store is then what it was before.
#[non_exhaustive]
#[derive(Debug)]
pub enum StepError {
    /// The event names an entity that is gone.
    Dead {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
    },
    /// The event names a key that no entity has.
    UnknownKey {
        /// The event.
        event: Name,
        /// The type of entity looked for.
        entity: Name,
        /// The key, as the log would show it.
        key: String,
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
    },
    /// A `when` does not hold.
    When {
        /// The event.
        event: Name,
        /// The condition, as written.
        condition: Name,
    },
    /// A guard rejected.
    Guard {
        /// The event.
        event: Name,
        /// The path of the guard.
        guard: Name,
        /// What it said.
        reason: String,
    },
    /// The event's handler rejected.
    Rejected {
        /// The event.
        event: Name,
        /// What it said.
        reason: String,
    },
    /// Two moves of one entity, a move and a delete of it, or two sets of one of its fields, in one event.
    TwoArcs {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
    },
    /// One entity stands twice in a set that the event binds.
    Repeated {
        /// The event.
        event: Name,
        /// The field.
        name: Name,
        /// The entity.
        entity: EntityRef,
    },
    /// A second entity with the same key.
    Duplicate {
        /// The entity that has the key.
        entity: EntityRef,
        /// The key, as the log would show it.
        key: String,
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
    },
    /// The two are linked by this edge already.
    AlreadyLinked {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entity at the declaring end.
        from: EntityRef,
        /// The entity at the inverse end.
        to: EntityRef,
    },
    /// The two are not linked by this edge.
    NotLinked {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entity at the declaring end.
        from: EntityRef,
        /// The entity at the inverse end.
        to: EntityRef,
    },
    /// An entity cannot be deleted while it is linked.
    Restricted {
        /// The entity that was to be deleted.
        entity: EntityRef,
        /// The end of the edge that stands in the way: `Partition.built_by`.
        edge: Name,
        /// An entity that it is linked with there.
        by: EntityRef,
    },
    /// Links of an `acyclic` edge would lead from an entity back to itself.
    Cycle {
        /// The edge, by its declaring end.
        edge: Name,
        /// The entities of the circle, in order; the last is linked with the first.
        entities: Vec<EntityRef>,
    },
    /// An invariant does not hold at the end of the transaction.
    Invariant {
        /// The invariant.
        invariant: Name,
        /// The entity of which it does not hold.
        entity: EntityRef,
        /// What it said.
        reason: String,
    },
    /// Immediate events go on firing on one entity.
    Loop {
        /// The entity.
        entity: EntityRef,
        /// The events that fired on it last, in order.
        cycle: Vec<Name>,
    },
    /// A table is full: 2^32 − 1 entities of a type, or 4 GiB of values in one transaction.
    Full {
        /// What is full.
        what: Name,
    },
    /// A value cannot be written to a log, or would be read back as another.
    Unwritable {
        /// The column or field: `Partition.name`.
        what: Name,
        /// Why not, or what it would be read back as.
        reason: String,
    },
    /// The explicit time of a transaction lies before that of the last one.
    TimeGoesBack {
        /// The time of the last transaction.
        last: crate::Timestamp,
        /// The time asked for.
        asked: crate::Timestamp,
    },
    /// An entity that the event binds has changed since the transaction that the caller expects to be the last
    /// to have done so.
    Changed {
        /// The event.
        event: Name,
        /// The entity.
        entity: EntityRef,
        /// The transaction that the caller knows of.
        expected: Seq,
        /// The last one that changed the entity.
        found: Seq,
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
    /// The savepoint is of another transaction, or a rollback to an earlier one has undone it.
    StaleSavepoint,
    /// Another writer appended first.
    Conflict {
        /// The sequence that this transaction wanted.
        expected: Seq,
        /// The last one in the log.
        found: Seq,
    },
    /// The log refused or failed; see [`StepError::kind`].
    Storage(StorageError),
    /// The log failed while it wrote: whether the transaction is in it, only opening it again tells.
    Indeterminate(StorageError),
}

/// What a caller can do about a [`StepError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The event does not fit the state of the graph; nothing happened.
    Rejected,
    /// The log refused it cleanly, since the disk is full or the store is read only, say; nothing happened.
    Refused,
    /// Somebody was faster: worth a retry.
    Conflict,
    /// The log failed while it wrote: open the store again to see.
    Indeterminate,
    /// The store failed before and takes no more steps: open it again.
    Stopped,
}

impl StepError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } | Self::Changed { .. } => ErrorKind::Conflict,
            Self::Indeterminate(_) => ErrorKind::Indeterminate,
            Self::Storage(e) if e.is_stopped() => ErrorKind::Stopped,
            Self::Storage(_) => ErrorKind::Refused,
            _ => ErrorKind::Rejected,
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead { event, entity } => write!(f, "{event}: {entity} does not exist"),
            Self::UnknownKey { event, entity, key } => {
                write!(f, "{event}: there is no {entity} with key {key}")
            }
            Self::NotInPlace {
                event,
                entity,
                expected,
                found,
            } => {
                write!(f, "{event}: {entity} is {found}, not {expected}")
            }
            Self::When { event, condition } => {
                write!(f, "{event}: it does not hold that {condition}")
            }
            Self::Guard {
                event,
                guard,
                reason,
            } => {
                // Where the function stands is no news to who reads a rejection.
                let name = guard.rsplit("::").next().unwrap_or(guard);
                write!(f, "{event}: guard {name}: {reason}")
            }
            Self::Rejected { event, reason } => write!(f, "{event}: {reason}"),
            Self::TwoArcs { event, entity } => {
                write!(
                    f,
                    "{event}: two arcs move or delete {entity}, or set the same field of it"
                )
            }
            Self::Repeated {
                event,
                name,
                entity,
            } => write!(f, "{event}: {entity} stands twice in `{name}`"),
            Self::Duplicate { entity, key } => write!(f, "{entity} has the key {key} already"),
            Self::Cardinality {
                entity,
                edge,
                found,
                allowed,
            } => {
                write!(f, "{entity} would have {found} links at {edge}: {allowed}")
            }
            Self::AlreadyLinked { edge, from, to } => {
                write!(f, "{from} and {to} are linked by {edge} already")
            }
            Self::NotLinked { edge, from, to } => {
                write!(f, "{from} and {to} are not linked by {edge}")
            }
            Self::Restricted { entity, edge, by } => {
                write!(
                    f,
                    "{entity} cannot be deleted: at {edge} it is linked with {by}, and the `on_delete` of {edge} is `restrict`"
                )
            }
            Self::Cycle { edge, entities } => {
                let mut names: Vec<String> = entities.iter().map(EntityRef::to_string).collect();
                names.extend(entities.first().map(EntityRef::to_string));
                write!(
                    f,
                    "{edge} would go round in a circle: {}",
                    names.join(" -> ")
                )
            }
            Self::Invariant {
                invariant,
                entity,
                reason,
            } => {
                write!(
                    f,
                    "invariant {invariant} does not hold of {entity}: {reason}"
                )
            }
            Self::Loop { entity, cycle } => {
                write!(
                    f,
                    "immediate events go round in circles on {entity}: {}",
                    cycle.join(", ")
                )
            }
            Self::Full { what } => write!(f, "no room left for more of {what}"),
            Self::Unwritable { what, reason } => {
                write!(f, "the value of {what} cannot be written: {reason}")
            }
            Self::TimeGoesBack { last, asked } => {
                write!(
                    f,
                    "the time {asked} lies before {last}, that of the last transaction"
                )
            }
            Self::Changed {
                event,
                entity,
                expected,
                found,
            } => {
                write!(
                    f,
                    "{event}: {entity} has changed in transaction {found}, after {expected}"
                )
            }
            Self::KeyReused { key, seq } => {
                write!(
                    f,
                    "the idempotency key `{key}` belongs to transaction {seq}, which had other events"
                )
            }
            Self::RejectedBefore { seq, reason } => write!(
                f,
                "rejected as when transaction {seq} happened under the same idempotency key: {reason}"
            ),
            Self::StaleSavepoint => f.write_str(
                "the savepoint is not one of this transaction, or a rollback to an earlier savepoint has undone it; \
                 the transaction is as it was and can go on",
            ),
            Self::Conflict { expected, found } => {
                write!(
                    f,
                    "another writer was first: the log stands at {found}, {expected} was wanted"
                )
            }
            Self::Storage(e) => fmt::Display::fmt(e, f),
            Self::Indeterminate(e) => {
                write!(
                    f,
                    "{e}; whether the last transaction was kept shows when the store is opened again"
                )
            }
        }
    }
}

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(e) | Self::Indeterminate(e) => Some(e),
            _ => None,
        }
    }
}

/// What a guard, a handler or an invariant gives to say no: a reason in words, or what an operation on the
/// graph answered.
pub struct Reject(Box<Why>);

enum Why {
    Reason(String),
    Step(StepError),
}

impl Reject {
    /// Rejects for a reason.
    ///
    /// ```
    /// # use ironweave::Reject;
    /// assert_eq!(Reject::new("no capacity").to_string(), "no capacity");
    /// ```
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Why::Reason(reason.into())))
    }

    /// The step error that it carries, or the one that `wrap` makes of its reason.
    pub(crate) fn into_step(self, wrap: impl FnOnce(String) -> StepError) -> StepError {
        match *self.0 {
            Why::Reason(reason) => wrap(reason),
            Why::Step(e) => e,
        }
    }
}

impl From<StepError> for Reject {
    fn from(e: StepError) -> Self {
        Self(Box::new(Why::Step(e)))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Reason(reason) => f.write_str(reason),
            Why::Step(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reject({self})")
    }
}

impl std::error::Error for Reject {}
