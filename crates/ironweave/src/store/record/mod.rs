//! The record of a transaction: its metadata, its firings and its facts.
//!
//! All sources of transactions deliver the same type, [`Record`]: the log, subscriptions, histories, folds, and events that
//! were tried on a snapshot. A record owns one decoded frame behind an `Arc`, so that a clone is O(1) and can be sent to
//! another thread. The other types are views that borrow from it and are computed on demand:
//!
//! | view | of |
//! |---|---|
//! | [`Firing`] | one firing of an event, with its fields and facts (`firing`) |
//! | [`Facts`], [`Fact`] | the changes of the graph, with names and values (`facts`) |
//! | [`Occupant`] | an entity in a net change (`net`) |
//!
//! [`Changes`] owns facts that are not those of a single transaction. `json` serializes these types.
//!
//! Architecture invariant: a record holds the events of its transaction as one run of bytes, its facts as one list and
//! their values as another. No firing, fact or value has an allocation of its own until it is read.

mod changes;
mod fact;
mod facts;
mod firing;
mod foreign;
mod json;
mod net;
mod origin;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

pub use changes::Changes;
pub use fact::{Fact, FactEntity, FactKind};
pub use facts::{FactIter, Facts};
pub use firing::{Field, Firing, RecordedEvent};
pub(crate) use foreign::{ToProgram, TypedFirings};
pub use net::Occupant;
use net::SlotChanges;
pub(crate) use net::about;
use origin::Origin;

use crate::base::error::FrameLocation;
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::db::entity::{Entity, Place};
use crate::graph::Graph;
use crate::graph::storage::{Flat, Storage};
use crate::log::{Frame, FrameHeader, FrameKind};
use crate::schema::EntityIx;
use crate::step::dynamic::Dynamic;
use crate::step::event::Event;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::bad_frame;
use crate::store::epochs::Epochs;
use crate::store::frame::Decoded;
use crate::store::tags::Encodings;
use crate::store::version::Version;

/// A decoded transaction, without the type of its model.
pub(crate) struct DecodedTransaction {
    pub seq: Seq,
    /// `None` for a transaction that is in no log.
    pub position: Option<Position>,
    /// The fingerprint of the graph after it.
    pub fingerprint: u128,
    pub decoded: Decoded,
    /// How the values are encoded, by the schema under which the transaction was written.
    pub encodings: Arc<Encodings>,
    pub plan: Arc<Plan>,
    /// Whether it is a part of a migration, whose facts belong to no event.
    pub is_migration: bool,
    /// Where its frame is, for errors.
    pub origin: Origin,
    /// The items of the model of the store, if its indexes are those of a logged schema.
    pub foreign: Option<Arc<ToProgram>>,
    /// Its firings as the program reads them, if its indexes are those of a logged schema.
    pub typed: TypedFirings,
    /// What its facts say about generations, once it is needed.
    slot_changes: OnceLock<SlotChanges>,
}

impl DecodedTransaction {
    /// Decodes a frame of the log. `plan` is that of the store.
    pub(crate) fn read(
        frame: &Frame,
        epochs: &Epochs,
        plan: &Arc<Plan>,
    ) -> Result<Self, StorageError> {
        let place = (frame.position, frame.location.clone());
        Self::decode(&frame.header, &frame.payload, place, epochs, plan)
    }

    /// As [`DecodedTransaction::read`], of a frame in parts.
    pub(crate) fn decode(
        header: &FrameHeader,
        payload: &[u8],
        (position, location): (Position, Option<FrameLocation>),
        epochs: &Epochs,
        plan: &Arc<Plan>,
    ) -> Result<Self, StorageError> {
        let seq = header.seq;
        let decoded = epochs.decode((seq, header.kind), payload)?;
        let (own, foreign) = (epochs.plan(seq, plan), epochs.foreign(seq));
        let typed = foreign.map(|foreign| foreign.firings(&own.layout.schema, &decoded));
        let typed = typed.transpose().map_err(|e| bad_frame(seq, e))?;
        Ok(Self {
            seq,
            position: Some(position),
            fingerprint: header.fingerprint,
            decoded,
            typed: typed.unwrap_or_default(),
            encodings: Arc::clone(&epochs.tags(seq)?.encodings),
            plan: Arc::clone(own),
            is_migration: header.kind == FrameKind::Migration,
            origin: Origin::of(location),
            foreign: foreign.cloned(),
            slot_changes: OnceLock::new(),
        })
    }

    /// A transaction that is in no log, with the fingerprint of the graph after it.
    pub(crate) fn tried(seq: Seq, fingerprint: u128, decoded: Decoded, plan: &Arc<Plan>) -> Self {
        Self {
            seq,
            position: None,
            fingerprint,
            decoded,
            encodings: Encodings::of_this_program(),
            plan: Arc::clone(plan),
            is_migration: false,
            origin: Origin::Unknown,
            foreign: None,
            typed: TypedFirings::default(),
            slot_changes: OnceLock::new(),
        }
    }

    /// The same transaction in a model with another plan of the same schema.
    pub(crate) fn by_plan(self: Arc<Self>, plan: &Arc<Plan>) -> Arc<Self> {
        let Some(transaction) = Arc::into_inner(self) else {
            unreachable!("a transaction that was just tried is not shared")
        };
        Arc::new(Self {
            plan: Arc::clone(plan),
            ..transaction
        })
    }
}

/// The graph around a transaction, for facts that do not have the generations of their entities.
///
/// Frames of format version 2 and the facts of open transactions name entities by slot. The generation of an entity that the
/// transaction neither creates nor deletes is found in this graph.
pub(crate) trait GraphContext: Any + Send + Sync {
    /// Returns the generation of the entity at a slot after the transaction, or `None` if the slot is free.
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32>;
}

impl GraphContext for Graph<Flat> {
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32> {
        generation_in(self, entity, slot)
    }
}

impl GraphContext for Version {
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32> {
        generation_in(&self.graph, entity, slot)
    }
}

fn generation_in<S: Storage>(graph: &Graph<S>, entity: EntityIx, slot: u32) -> Option<u32> {
    let there = slot < graph.slots(entity) && graph.is_alive(entity, slot);
    there.then(|| graph.id(entity, slot).generation)
}

/// The record of one transaction: its sequence, time and metadata, the events that fired, and the facts that they caused.
///
/// | from | by |
/// |---|---|
/// | the log | [`Store::frames`](crate::Store::frames), [`since`](crate::Store::since), [`tx_range`](crate::Store::tx_range) |
/// | a subscription, also as a stream | [`Subscription`](crate::Subscription) |
/// | the history of an entity | [`HistoryEntry::record`](crate::HistoryEntry::record) |
/// | an event that was tried on a snapshot | [`Outcome::record`](crate::Outcome::record) |
/// | a fold | [`Fold::fold`](crate::Fold::fold) |
///
/// A clone is O(1), and a record can be sent to another thread. `Display` renders one line and `Debug` all firings with
/// their facts. Serde serializes a record as
///
/// ```json
/// {
///   "seq": 7, "position": "..", "time": "2026-11-28T12:00:00Z", "actor": "ann",
///   "firings": [{
///     "event": {"Froze": {"account": "Account/1.1", "why": "a doubt"}},
///     "facts": [
///       {"fact": "move", "entity": "Account/1.1", "from": "Open", "to": "Frozen"},
///       {"fact": "set", "entity": "Account/1.1", "field": "why", "value": "a doubt"}
///     ]
///   }]
/// }
/// ```
///
/// where `event` has the form that [`AnyEvent`](crate::AnyEvent) deserializes. The firing of an immediate event has
/// `"immediate": {"Satisfied": {"want": "Want/3.1"}}` instead. A fact names its entity by its id, or by
/// its slot as `"Account/1"` if the generation is not known (see [`Occupant`]). Values are serialized by the encoding in the schema under which the
/// transaction was written: a time as RFC 3339 in a human-readable format, otherwise as microseconds since 1970.
///
/// Serialization fails if the format cannot represent a field of an event, as JSON cannot represent a map whose keys are
/// tuples. The values of facts can always be serialized.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let lit = store.step(Lit { lamp: "hall".into() });
/// for record in store.frames(lit.seq)? {
///     let record = record?;
///     assert_eq!(record.events::<Lit>().count(), 1);
///     assert_eq!(record.created::<Lamp>().first().copied(), store.find::<Lamp>("hall"));
///     assert_eq!(record.entered::<Lamp, On>().len(), 1);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Record<M: Model> {
    transaction: Arc<DecodedTransaction>,
    context: Option<Arc<dyn GraphContext>>,
    behind: u64,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Clone for Record<M> {
    fn clone(&self) -> Self {
        Self {
            transaction: Arc::clone(&self.transaction),
            context: self.context.clone(),
            behind: self.behind,
            model: PhantomData,
        }
    }
}

impl<M: Model> Record<M> {
    pub(crate) fn new(transaction: Arc<DecodedTransaction>) -> Self {
        Self {
            transaction,
            context: None,
            behind: 0,
            model: PhantomData,
        }
    }

    /// Returns the record with the graph around its transaction, if that is known.
    pub(crate) fn with_context(mut self, context: Option<Arc<dyn GraphContext>>) -> Self {
        self.context = context;
        self
    }

    /// Returns the record as one that a subscription delivered with this number of frames left.
    pub(crate) fn delivered(mut self, behind: u64) -> Self {
        self.behind = behind;
        self
    }

    pub(crate) fn transaction(&self) -> &DecodedTransaction {
        &self.transaction
    }

    /// Returns the record without the types of its model, for code that reads the records of any store by name. O(1).
    #[must_use]
    pub fn to_dynamic(&self) -> Record<Dynamic> {
        Record {
            transaction: Arc::clone(&self.transaction),
            context: self.context.clone(),
            behind: self.behind,
            model: PhantomData,
        }
    }

    pub(crate) fn context(&self) -> Option<&dyn GraphContext> {
        self.context.as_deref()
    }

    /// Returns the sequence number of the transaction.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.transaction.seq
    }

    /// Returns the position of the transaction, after which a consumer can continue; see
    /// [`Store::subscribe_since`](crate::Store::subscribe_since). Returns `None` for a transaction that was only tried, since
    /// no log has it.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.transaction.position
    }

    /// Returns the [fingerprint](crate::Store::fingerprint) of the graph after the transaction.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.transaction.fingerprint
    }

    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.transaction.decoded.time
    }

    /// Returns the metadata of the transaction: actor, correlation, causation and idempotency key.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.transaction.decoded.meta
    }

    /// Returns the texts that the metadata has, each with its name.
    fn meta_texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let meta = self.meta();
        let texts = [
            ("actor", &meta.actor),
            ("correlation", &meta.correlation),
            ("idempotency_key", &meta.key),
        ];
        (texts.into_iter()).filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }

    /// Returns the number of frames that followed this one in the log when a subscription delivered the record; 0 for a
    /// record that no subscription delivered.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.behind
    }

    /// Returns the firings in order: each event that the program applied, followed by the immediate events that it enabled.
    #[must_use]
    pub fn firings(&self) -> impl ExactSizeIterator<Item = Firing<'_, M>> + DoubleEndedIterator {
        (0..self.transaction.decoded.firings.len()).map(|index| Firing::new(self, index))
    }

    /// Returns the events of one type that fired in the transaction, in order.
    ///
    /// # Errors
    /// `is_damage` for an event that cannot be decoded as its type.
    pub fn events<E: Event<Model = M>>(&self) -> impl Iterator<Item = Result<E, StorageError>> {
        self.firings().filter_map(|firing| firing.decode::<E>())
    }

    /// Returns all events that fired in the transaction, in order. An event that the program applied is the model's
    /// `AnyEvent`; an immediate event has its name and its entity.
    ///
    /// # Errors
    /// `is_damage` for an event that cannot be decoded as its type.
    pub fn all_events(&self) -> impl Iterator<Item = Result<RecordedEvent<M>, StorageError>> {
        self.firings().map(|firing| firing.event())
    }

    /// Returns whether the record is a part of a migration: what changed when a new version of the model began to continue the
    /// log. Its facts belong to no event.
    #[must_use]
    pub fn is_migration(&self) -> bool {
        self.transaction.is_migration
    }

    /// Returns all facts of the transaction, in order.
    #[must_use]
    pub fn facts(&self) -> Facts<'_, M> {
        let DecodedTransaction {
            decoded,
            plan,
            encodings,
            slot_changes,
            foreign,
            ..
        } = &*self.transaction;
        Facts::new(&decoded.facts, &plan.layout)
            .translated_by(foreign.as_deref())
            .encoded_by(encodings)
            .with_context(self.context())
            .with_slot_changes(slot_changes)
    }

    /// Returns the entities of a type that the transaction created and did not delete. See [`Facts::created`].
    #[must_use]
    pub fn created<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.facts().created()
    }

    /// Returns the entities of a type that existed before the transaction and that it deleted. See [`Facts::deleted`].
    #[must_use]
    pub fn deleted<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.facts().deleted()
    }

    /// Returns the entities that are in a place after the transaction and were not before it. See [`Facts::entered`].
    #[must_use]
    pub fn entered<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.facts().entered::<T, S>()
    }

    /// Returns the entities that were in a place before the transaction and are not after it. See [`Facts::left`].
    #[must_use]
    pub fn left<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.facts().left::<T, S>()
    }
}

/// Refers to the frame of a record by its position, or by its sequence if it has no position.
impl<M: Model> From<&Record<M>> for FrameRef {
    fn from(record: &Record<M>) -> Self {
        match record.position() {
            Some(position) => position.into(),
            None => record.seq().into(),
        }
    }
}

/// Renders the sequence, the time and the names of the events.
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
        for (name, text) in self.meta_texts() {
            record.field(name, &text);
        }
        if let Some(causation) = self.meta().causation {
            record.field("causation", &causation);
        }
        let firings: Vec<Firing<'_, M>> = self.firings().collect();
        record.field("firings", &firings).finish()
    }
}
