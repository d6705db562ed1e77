//! Speculation: an event that fires on a snapshot, and a store that begins at one.

use std::fmt;
use std::sync::Arc;

use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::log::MemoryLog;
use crate::snapshot::Snapshot;
use crate::step::Core;
use crate::step::any_event::AnyEvent as _;
use crate::step::bindings::Bindings;
use crate::step::clock::TransactionTime;
use crate::step::event::{Applied, DynEvent, Event};
use crate::step::fire::By;
use crate::step::model::Model;
use crate::store::frame::Decoded;
use crate::store::record::{DecodedTransaction, GraphContext, Record};
use crate::store::version::{At, Version};
use crate::store::{AnyApplied, AnyReceipt, Store};

/// The result of an event that was tried on a snapshot.
#[non_exhaustive]
pub struct Outcome<E: Event> {
    /// The snapshot in which the event has fired.
    pub snapshot: Snapshot<E::Model>,
    /// The entities that the event bound and created.
    pub applied: Applied<E>,
    /// The record of the transaction, with the sequence that it would have. It has no position, since no log has it.
    pub record: Record<E::Model>,
}

impl<E: Event<Bound: fmt::Debug, Created: fmt::Debug>> fmt::Debug for Outcome<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("snapshot", &self.snapshot)
            .field("applied", &self.applied)
            .field("record", &self.record)
            .finish()
    }
}

/// The result of an [`AnyEvent`](crate::AnyEvent) that was tried on a snapshot.
#[non_exhaustive]
#[derive(Debug)]
pub struct AnyOutcome<M: Model> {
    /// The snapshot in which the event has fired.
    pub snapshot: Snapshot<M>,
    /// The entities that the event bound and created.
    pub applied: AnyApplied,
    /// The record of the transaction, with the sequence that it would have. It has no position, since no log has it.
    pub record: Record<M>,
}

impl Version {
    /// Fires an event on a clone, in a transaction of its own.
    pub(super) fn step(
        &self,
        mut meta: Meta,
        event: &dyn DynEvent,
    ) -> Result<(Arc<Self>, Bindings, Arc<DecodedTransaction>), StepError> {
        for (frame, _) in meta.take_frames() {
            // A snapshot with a tried event has no position, so the store of a named position cannot be checked.
            let store = self
                .at
                .position
                .or(frame.position())
                .map_or(0, |p| p.store());
            frame.check_end(store, self.at.seq)?;
            if let (Some(named), Some(own)) = (frame.position(), self.at.position)
                && named.seq() == own.seq()
            {
                named.check(own)?;
            }
        }
        let mut core = Core::new(self.graph.fork());
        core.reserve_for_one_event();
        core.open.record_items();
        core.open.clock = TransactionTime::after(self.at.time, &self.plan.clock);
        if let Some(time) = meta.take_time(self.at.time)? {
            core.open.clock.set(time);
        }
        // There is no log in which it could have changed since.
        meta.expect = None;
        core.open.meta = meta;
        core.paranoid = self.paranoid;
        let plan = &self.plan;
        core.fire(plan, event, By::Interpreter)?;
        core.open.check_whole()?;
        core.check_invariants(plan)?;
        let seq = self.at.next();
        let fingerprint = core.fingerprint();
        let decoded = Decoded::take(&mut core.open);
        let transaction = DecodedTransaction::tried(seq, fingerprint, decoded, plan);
        let transaction = Arc::new(transaction);
        core.graph.commit(&mut core.open.journal);
        let names = std::mem::take(&mut core.bindings);
        let at = At {
            seq: Some(seq),
            time: transaction.decoded.time,
            position: None,
        };
        Ok((self.with_graph(core.graph, at), names, transaction))
    }
}

impl<M: Model> Snapshot<M> {
    /// Fires an event as a store would, with its guards, its handler, immediate events and invariants. Returns the snapshot in
    /// which it has fired, the entities that it bound and created, and the record. Nothing is written, and this snapshot does
    /// not change.
    ///
    /// O(tables + log(size of a table) for each cell that the event changes). The first few changes of a table are kept
    /// beside the pages that it shares with this snapshot; further ones copy pages.
    ///
    /// # Errors
    /// If the event is rejected, as [`Store::try_step`].
    pub fn with<E: Event<Model = M>>(&self, event: E) -> Result<Outcome<E>, StepError> {
        self.with_meta(Meta::new(), event)
    }

    /// As [`with`](Snapshot::with), with metadata. An idempotency key and `expect` have no effect, since there is no log.
    ///
    /// # Errors
    /// As [`with`](Snapshot::with); `TimeGoesBack` if the explicit time is before that of the snapshot; `Metadata` if the
    /// metadata refers to a frame that is after this snapshot or of another store.
    pub fn with_meta<E: Event<Model = M>>(
        &self,
        meta: Meta,
        event: E,
    ) -> Result<Outcome<E>, StepError> {
        let (state, names, transaction) = self.state.step(meta, &event)?;
        let applied = Applied {
            repeated: false,
            created: E::created(names.names()),
            bound: E::bound(names.names()),
        };
        Ok(Outcome {
            record: Record::new(transaction)
                .with_context(Some(Arc::clone(&state) as Arc<dyn GraphContext>)),
            snapshot: Self::of(state),
            applied,
        })
    }

    /// As [`with_meta`](Snapshot::with_meta), for an event whose type is known only at runtime. See [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`with_meta`](Snapshot::with_meta).
    pub fn with_any(&self, meta: Meta, event: &M::Event) -> Result<AnyOutcome<M>, StepError> {
        let event = event.as_dyn();
        let (state, names, transaction) = self.state.step(meta, event)?;
        let receipt = AnyReceipt::new(
            (self.state.at.next(), false),
            event,
            &names,
            &self.state.plan,
        );
        let record = Record::new(transaction)
            .with_context(Some(Arc::clone(&state) as Arc<dyn GraphContext>));
        Ok(AnyOutcome {
            snapshot: Self::of(state),
            applied: receipt.into(),
            record,
        })
    }

    /// Returns a store in memory that begins at this snapshot, to try events on real data without changing it. Its log begins
    /// with the sequence after this snapshot. O(size of the graph).
    #[must_use]
    pub fn into_store(self) -> Store<M> {
        let log = MemoryLog::after(self.state.at.seq, self.state.graph.fingerprint);
        Store::beginning(&self.state, log)
    }
}
