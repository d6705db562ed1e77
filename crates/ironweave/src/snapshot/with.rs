//! What would happen: an event fired on a snapshot, and a store that begins at one.

use std::fmt;
use std::sync::Arc;

use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::log::MemoryLog;
use crate::snapshot::{Changes, Snapshot};
use crate::step::Core;
use crate::step::any_event::AnyEvent as _;
use crate::step::bindings::Bindings;
use crate::step::clock::Clock;
use crate::step::event::{DynEvent, Event, Receipt};
use crate::step::model::Model;
use crate::store::version::{At, Version};
use crate::store::{AnyReceipt, Store};

/// What came of an event on a snapshot.
pub struct Outcome<E: Event> {
    /// The snapshot in which it has fired.
    pub snapshot: Snapshot<E::Model>,
    /// As a store gives it, with the sequence that its transaction would have.
    pub receipt: Receipt<E>,
    /// What it changed.
    pub changes: Changes,
}

impl<E: Event<Bound: fmt::Debug, Created: fmt::Debug>> fmt::Debug for Outcome<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("snapshot", &self.snapshot)
            .field("receipt", &self.receipt)
            .field("changes", &self.changes)
            .finish()
    }
}

impl Version {
    /// Fires an event on a clone, as a transaction of its own.
    fn step(
        &self,
        mut meta: Meta,
        event: &dyn DynEvent,
    ) -> Result<(Arc<Self>, Bindings, Changes), StepError> {
        for (frame, _) in meta.take_frames() {
            // Of what was tried there is no position, so that one can be compared with no store's.
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
        core.open.clock = Clock::after(self.at.time);
        if let Some(time) = meta.take_time(self.at.time)? {
            core.open.clock.set(time);
        }
        core.open.meta = meta;
        core.open.stop_recording();
        core.paranoid = self.paranoid;
        let plan = &self.plan;
        core.fire(plan, event)?;
        core.open.check_whole()?;
        core.check_invariants(plan)?;
        let facts = std::mem::take(&mut core.open.journal.facts);
        core.graph.commit(&mut core.open.journal);
        let names = std::mem::take(&mut core.bindings);
        let state = Self {
            plan: Arc::clone(plan),
            at: At {
                seq: Some(self.at.next()),
                time: core.open.clock.now(),
                position: None,
            },
            graph: core.graph,
            paranoid: self.paranoid,
            lineage: self.lineage,
        };
        let changes = Changes::new(facts, Arc::clone(&plan.layout));
        Ok((Arc::new(state), names, changes))
    }
}

impl<M: Model> Snapshot<M> {
    /// Fires an event as a store would, with its guards, its handler, immediate events and invariants, and gives the
    /// snapshot in which it has fired. Nothing is written, this snapshot stays as it is, and it works on any thread.
    ///
    /// O(tables), and what the event touches: the first few entries of a table lie beside the pages that it shares with
    /// this snapshot; for more, pages are copied, as many as the tables are deep.
    ///
    /// # Errors
    /// Whatever the event is rejected for.
    pub fn with<E: Event<Model = M>>(&self, event: E) -> Result<Outcome<E>, StepError> {
        self.with_meta(Meta::new(), event)
    }

    /// As [`with`](Snapshot::with), with metadata. There is no log here, so that an idempotency key and `expect` say
    /// nothing.
    ///
    /// # Errors
    /// As [`with`](Snapshot::with), and `TimeGoesBack`; `Metadata` for a frame that the metadata names and that is
    /// after this snapshot, or of another store.
    pub fn with_meta<E: Event<Model = M>>(
        &self,
        meta: Meta,
        event: E,
    ) -> Result<Outcome<E>, StepError> {
        let (state, names, changes) = self.state.step(meta, &event)?;
        let receipt = Receipt {
            seq: self.state.at.next(),
            repeated: false,
            created: E::created(&names),
            bound: E::bound(&names),
        };
        Ok(Outcome {
            snapshot: Self::of(state),
            receipt,
            changes,
        })
    }

    /// Fires an event that came from outside, see [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`with_meta`](Snapshot::with_meta).
    pub fn with_any(
        &self,
        meta: Meta,
        event: &M::Event,
    ) -> Result<(Self, AnyReceipt, Changes), StepError> {
        let event = event.as_dyn();
        let (state, names, changes) = self.state.step(meta, event)?;
        let receipt = AnyReceipt::new(
            (self.state.at.next(), false),
            event,
            &names,
            &self.state.plan,
        );
        Ok((Self::of(state), receipt, changes))
    }

    /// A store in memory that begins here: to go on from real data without touching it. Its log begins after this
    /// snapshot, with the sequence that would have been next. O(size of the graph).
    #[must_use]
    pub fn into_store(self) -> Store<M> {
        let log = MemoryLog::after(self.state.at.seq, self.state.graph.fingerprint);
        Store::beginning(&self.state, log)
    }
}
