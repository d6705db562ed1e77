//! The record of a transaction: what happened in it, for programs and for people.
//!
//! There is one type for it, [`Record`], wherever a transaction comes from: the log, a subscription, a history, a fold, or
//! an event that was only tried on a snapshot. It owns one decoded frame and shares it, so that a clone is O(1) and it can
//! be sent to another thread. Everything else is a view that borrows from it and is computed on demand:
//!
//! | view | of |
//! |---|---|
//! | [`Firing`] | one firing of an event, with its fields and facts (`firing`) |
//! | [`Facts`], [`Fact`] | the changes of the graph, with names and values (`facts`) |
//! | [`Occupant`] | which entity changed, on balance (`net`) |
//!
//! [`Changes`] is a list of facts that is not, or not only, one transaction. `json` writes all of it for serde.
//!
//! Architecture invariant: a record holds the events of its transaction as one run of bytes, its facts as one list and
//! their values as another. No firing, fact or value has an allocation of its own until it is read.

mod changes;
mod fact;
mod facts;
mod firing;
mod json;
mod net;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use changes::Changes;
pub use fact::{Fact, FactEntity, FactKind};
pub use facts::{FactIter, Facts};
pub use firing::{Field, Firing, RecordedEvent};
pub use net::Occupant;
pub(crate) use net::about;

use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::db::entity::{Entity, Place};
use crate::log::Frame;
use crate::schema::EntityIx;
use crate::step::event::Event;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::bad_frame;
use crate::store::frame::{self, Decoded, Tags};
use crate::store::tags::Encodings;
use crate::store::version::Version;

/// A transaction that was decoded, without the type of its model.
pub(crate) struct Logged {
    pub seq: Seq,
    /// None of a transaction that is in no log.
    pub position: Option<Position>,
    /// Of the graph after it.
    pub fingerprint: u128,
    pub decoded: Decoded,
    /// How the values are encoded, by the schema under which the transaction was written.
    pub encodings: Arc<Encodings>,
    pub plan: Arc<Plan>,
}

impl Logged {
    /// Decodes a frame of the log.
    pub(crate) fn read(frame: &Frame, tags: &Tags, plan: &Arc<Plan>) -> Result<Self, StorageError> {
        let seq = frame.header.seq;
        Ok(Self {
            seq,
            position: Some(frame.position),
            fingerprint: frame.header.fingerprint,
            decoded: frame::decode(&frame.payload, tags).map_err(|e| bad_frame(seq, e))?,
            encodings: Arc::clone(&tags.encodings),
            plan: Arc::clone(plan),
        })
    }
}

/// Gives access to the graph after a transaction, for layers above.
///
/// Facts refer to slots. The log does not contain the generation of a slot that the transaction neither occupied nor freed.
pub(crate) trait Surroundings: Any + Send + Sync {
    /// Returns the generation of the entity that is at a slot after the transaction, if there is one.
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32>;
}

impl Surroundings for Version {
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32> {
        let there = slot < self.graph.slots(entity) && self.graph.is_alive(entity, slot);
        there.then(|| self.graph.id(entity, slot).generation)
    }
}

/// What happened in one transaction: when it committed, what its caller said of it, the events that fired, and the facts
/// that they led to.
///
/// | from | by |
/// |---|---|
/// | the log | [`Store::frames`](crate::Store::frames), [`since`](crate::Store::since), [`tx_range`](crate::Store::tx_range) |
/// | a subscription, also as a stream | [`Subscription`](crate::Subscription) |
/// | the history of an entity | [`HistoryEntry::record`](crate::HistoryEntry::record) |
/// | an event that was only tried | [`Outcome::record`](crate::Outcome::record) |
/// | a table that is folded | [`Fold::fold`](crate::Fold::fold) |
///
/// A clone is O(1), and a record can be sent to another thread. `Display` gives one line, `Debug` all of it, and serde
/// writes it as
///
/// ```json
/// {
///   "seq": 7, "position": "..", "time": "2026-11-28T12:00:00Z", "actor": "ann",
///   "firings": [{
///     "event": {"Froze": {"account": "Account/1.1", "why": "a doubt"}},
///     "facts": [
///       {"fact": "move", "entity": "Account/1", "from": "Open", "to": "Frozen"},
///       {"fact": "set", "entity": "Account/1", "field": "why", "value": "a doubt"}
///     ]
///   }]
/// }
/// ```
///
/// where `event` is what [`AnyEvent`](crate::AnyEvent) reads; of an event that fired by itself it is
/// `"immediate": {"Satisfied": {"want": "Want/3.1"}}`. A fact names the entity that it creates or deletes with its
/// generation, others by their slots. A serializer that cannot write a field of an event, as JSON cannot write a map whose
/// keys are tuples, fails; the values of facts can always be written.
pub struct Record<M: Model> {
    logged: Arc<Logged>,
    surroundings: Option<Arc<dyn Surroundings>>,
    behind: u64,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Clone for Record<M> {
    fn clone(&self) -> Self {
        Self {
            logged: Arc::clone(&self.logged),
            surroundings: self.surroundings.clone(),
            behind: self.behind,
            model: PhantomData,
        }
    }
}

impl<M: Model> Record<M> {
    pub(crate) fn new(logged: Arc<Logged>) -> Self {
        Self {
            logged,
            surroundings: None,
            behind: 0,
            model: PhantomData,
        }
    }

    /// Returns the record with access to the graph after it.
    pub(crate) fn within(mut self, surroundings: Option<Arc<dyn Surroundings>>) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Returns the record as one that a subscription delivered with this number of frames left.
    pub(crate) fn delivered(mut self, behind: u64) -> Self {
        self.behind = behind;
        self
    }

    pub(crate) fn logged(&self) -> &Logged {
        &self.logged
    }

    pub(crate) fn surroundings(&self) -> Option<&dyn Surroundings> {
        self.surroundings.as_deref()
    }

    /// Returns the sequence number of the transaction.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.logged.seq
    }

    /// The position of its frame, which a consumer keeps to go on after it; see
    /// [`Store::subscribe_since`](crate::Store::subscribe_since). `None` of a transaction that was only tried: no log
    /// has it.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.logged.position
    }

    /// The [fingerprint](crate::Store::fingerprint) of the graph after it.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.logged.fingerprint
    }

    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.logged.decoded.time
    }

    /// Returns the metadata of the transaction: actor, correlation, causation and idempotency key.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.logged.decoded.meta
    }

    /// Returns the number of frames after it when a subscription delivered it. It is 0 for other records.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.behind
    }

    /// Returns the firings in order. Each firing of an event that the program applied is followed by those of the immediate
    /// events that it enabled.
    #[must_use]
    pub fn firings(&self) -> impl ExactSizeIterator<Item = Firing<'_, M>> + DoubleEndedIterator {
        (0..self.logged.decoded.firings.len()).map(|index| Firing::new(self, index))
    }

    /// Returns the events of one type that fired in the transaction, in order.
    ///
    /// # Errors
    /// `is_damage` for an event that can no longer be read as its type.
    pub fn events<E: Event<Model = M>>(&self) -> impl Iterator<Item = Result<E, StorageError>> {
        self.firings().filter_map(|firing| firing.decode::<E>())
    }

    /// All events that fired in it, in order: those that the program applied as the model's `AnyEvent`, and between them
    /// the immediate events.
    ///
    /// # Errors
    /// `is_damage` for an event that can no longer be read as its type.
    pub fn all_events(&self) -> impl Iterator<Item = Result<RecordedEvent<M>, StorageError>> {
        self.firings().map(|firing| firing.event())
    }

    /// Returns all facts of the transaction, in order.
    #[must_use]
    pub fn facts(&self) -> Facts<'_, M> {
        let Logged {
            decoded,
            plan,
            encodings,
            ..
        } = &*self.logged;
        Facts::new(&decoded.facts, &plan.layout)
            .encoded_by(encodings)
            .within(self.surroundings())
    }

    /// Returns the entities of a type that exist after the transaction and did not exist before it. O(facts).
    #[must_use]
    pub fn created<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.facts().created()
    }

    /// Returns the entities of a type that existed before the transaction and do not exist after it. O(facts).
    #[must_use]
    pub fn deleted<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.facts().deleted()
    }

    /// Returns the entities that are in a place after the transaction and were not before it, because they moved or were
    /// created there. O(facts). See [`Facts::entered`].
    #[must_use]
    pub fn entered<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.facts().entered::<T, S>()
    }

    /// Returns the entities that were in a place before the transaction and are not after it, because they moved away or were
    /// deleted. O(facts). See [`Facts::left`].
    #[must_use]
    pub fn left<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.facts().left::<T, S>()
    }
}

/// To go on after a record, or to acknowledge it: by its position where it has one, otherwise by its sequence.
impl<M: Model> From<&Record<M>> for FrameRef {
    fn from(record: &Record<M>) -> Self {
        match record.position() {
            Some(position) => position.into(),
            None => record.seq().into(),
        }
    }
}

/// The sequence, the time and the names of the events.
impl<M: Model> fmt::Display for Record<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq(), self.time())?;
        for (i, firing) in self.firings().enumerate() {
            write!(f, "{}{}", if i == 0 { " " } else { ", " }, firing.name())?;
        }
        Ok(())
    }
}

impl<M: Model> fmt::Debug for Record<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = f.debug_struct("Record");
        record
            .field("seq", &self.seq())
            .field("time", &format_args!("{}", self.time()));
        let meta = self.meta();
        for (name, text) in [
            ("actor", &meta.actor),
            ("correlation", &meta.correlation),
            ("idempotency_key", &meta.key),
        ] {
            if let Some(text) = text {
                record.field(name, text);
            }
        }
        if let Some(causation) = meta.causation {
            record.field("causation", &causation);
        }
        let firings: Vec<Firing<'_, M>> = self.firings().collect();
        record.field("firings", &firings).finish()
    }
}
