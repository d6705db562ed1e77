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
use crate::step::clock::Clock;
use crate::step::event::{DynEvent, Event, Receipt};
use crate::step::model::Model;
use crate::store::frame::Decoded;
use crate::store::record::{Logged, Record, Surroundings};
use crate::store::version::{At, Version};
use crate::store::{AnyReceipt, Store};

/// The result of an event that was tried on a snapshot.
pub struct Outcome<E: Event> {
    /// The snapshot in which it has fired.
    pub snapshot: Snapshot<E::Model>,
    /// The receipt that a store would give, with the sequence that its transaction would have.
    pub receipt: Receipt<E>,
    /// The record of its transaction. It has the sequence that it would have, and no position, since no log has it.
    pub record: Record<E::Model>,
}

impl<E: Event<Bound: fmt::Debug, Created: fmt::Debug>> fmt::Debug for Outcome<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("snapshot", &self.snapshot)
            .field("receipt", &self.receipt)
            .field("record", &self.record)
            .finish()
    }
}

impl Version {
    /// Fires an event on a clone, in a transaction of its own.
    fn step(
        &self,
        mut meta: Meta,
        event: &dyn DynEvent,
    ) -> Result<(Arc<Self>, Bindings, Arc<Logged>), StepError> {
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
        core.reserve_for_one_event();
        core.open.clock = Clock::after(self.at.time);
        if let Some(time) = meta.take_time(self.at.time)? {
            core.open.clock.set(time);
        }
        core.open.meta = meta;
        core.paranoid = self.paranoid;
        let plan = &self.plan;
        core.fire(plan, event)?;
        core.open.check_whole()?;
        core.check_invariants(plan)?;
        let seq = self.at.next();
        let logged = Arc::new(Logged {
            seq,
            position: None,
            fingerprint: core.graph.fingerprint,
            plan: Arc::clone(plan),
            decoded: Decoded::take(&mut core.open),
        });
        core.graph.commit(&mut core.open.journal);
        let names = std::mem::take(&mut core.bindings);
        let state = Arc::new(Self {
            plan: Arc::clone(plan),
            at: At {
                seq: Some(seq),
                time: logged.decoded.time,
                position: None,
            },
            graph: core.graph,
            paranoid: self.paranoid,
            lineage: self.lineage,
        });
        Ok((state, names, logged))
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
    /// Whatever the event is rejected for, as [`Store::try_step`].
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
        let (state, names, logged) = self.state.step(meta, &event)?;
        let receipt = Receipt {
            seq: self.state.at.next(),
            repeated: false,
            created: E::created(&names),
            bound: E::bound(&names),
        };
        Ok(Outcome {
            record: Record::new(logged).within(Some(Arc::clone(&state) as Arc<dyn Surroundings>)),
            snapshot: Self::of(state),
            receipt,
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
    ) -> Result<(Self, AnyReceipt, Record<M>), StepError> {
        let event = event.as_dyn();
        let (state, names, logged) = self.state.step(meta, event)?;
        let receipt = AnyReceipt::new(
            (self.state.at.next(), false),
            event,
            &names,
            &self.state.plan,
        );
        let record = Record::new(logged).within(Some(Arc::clone(&state) as Arc<dyn Surroundings>));
        Ok((Self::of(state), receipt, record))
    }

    /// A store in memory that begins here: to go on from real data without touching it. Its log begins after this
    /// snapshot, with the sequence that would have been next. O(size of the graph).
    #[must_use]
    pub fn into_store(self) -> Store<M> {
        let log = MemoryLog::after(self.state.at.seq, self.state.graph.fingerprint);
        Store::beginning(&self.state, log)
    }
}
