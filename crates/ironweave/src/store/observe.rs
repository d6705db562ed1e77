//! What a store counts and traces about its own work, with the feature `tracing`. Without the feature, the functions here do nothing.
//! The guide lists the spans and events (`docs/guide/src/operate.md`).
//!
//! A step that is traced does not take the short way of `step.rs`, so that the code of spans is not generated for each event type.

#[cfg(feature = "tracing")]
use tracing::{level_filters::LevelFilter, span::EnteredSpan};

use crate::base::error::StepError;
use crate::step::model::Model;
use crate::store::{Store, Transaction};
#[cfg(feature = "tracing")]
use crate::{
    base::meter::Meter,
    step::event::{DynEvent, Event},
};

/// Returns whether a subscriber may want to have steps. O(1): one load, and a constant without the feature.
#[inline(always)]
pub(super) fn traces_steps() -> bool {
    #[cfg(feature = "tracing")]
    return LevelFilter::current() >= LevelFilter::DEBUG;
    #[cfg(not(feature = "tracing"))]
    false
}

/// Enters the span of the write of a batch.
#[cfg(feature = "tracing")]
pub(super) fn write_span(transactions: usize) -> EnteredSpan {
    tracing::debug_span!(target: "ironweave::log", "write", transactions).entered()
}

impl<M: Model> Store<M> {
    /// Returns a handle that reads what the store has counted, from any thread. O(1).
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Counts a transaction that was committed; `bytes` is the size of its payload. `next` is already the frame after it.
    #[inline(always)]
    pub(super) fn count_commit(&self, bytes: usize) {
        #[cfg(feature = "tracing")]
        self.meter.committed(bytes as u64, self.next);
        #[cfg(not(feature = "tracing"))]
        let _ = bytes;
    }

    /// Counts and traces the error of an event or a transaction, which is returned.
    #[inline(always)]
    pub(super) fn observe_error(&self, e: StepError) -> StepError {
        #[cfg(feature = "tracing")]
        self.observe(&e);
        e
    }

    #[cfg(feature = "tracing")]
    #[cold]
    #[inline(never)]
    fn observe(&self, e: &StepError) {
        match self.meter.rejected(e) {
            Some(kind) => {
                tracing::debug!(target: "ironweave::step", kind, error = %e, "rejected");
            }
            None => tracing::error!(target: "ironweave::step", error = %e, "the step failed"),
        }
    }

    /// Returns the span of a step.
    #[cfg(feature = "tracing")]
    pub(super) fn step_span<E: Event<Model = M>>() -> tracing::Span {
        tracing::debug_span!(
            target: "ironweave::step", "step", event = E::NAME, seq = tracing::field::Empty
        )
    }

    /// Traces that the store was opened, and what was discarded.
    pub(super) fn trace_open(&self) {
        #[cfg(feature = "tracing")]
        {
            self.meter.set_next(self.next);
            self.meter.use_syncs(self.log.syncs());
            if let Some(torn) = self.recovered() {
                tracing::warn!(
                    target: "ironweave::log",
                    seq = torn.seq.get(), bytes = torn.bytes, kept = %torn.kept.display(),
                    "the torn tail of the log was discarded"
                );
            }
            let checkpoint = self.opened_from().checkpoint().map(|seq| seq.get());
            let seq = self.seq().map(|seq| seq.get());
            tracing::debug!(target: "ironweave::log", model = M::NAME, seq, checkpoint, "opened");
        }
    }

    /// Sets the frame from which the lag of subscriptions is counted, after frames of another process were read.
    pub(super) fn note_refreshed(&self) {
        #[cfg(feature = "tracing")]
        self.meter.set_next(self.next);
    }
}

impl<M: Model> Transaction<'_, M> {
    /// Enters the span of an event, if steps are traced.
    #[cfg(feature = "tracing")]
    pub(super) fn event_span(&self, event: &dyn DynEvent) -> Option<EnteredSpan> {
        traces_steps().then(|| {
            let event = &*self.store.plan.events[usize::from(event.index())].name;
            tracing::debug_span!(target: "ironweave::step", "event", event).entered()
        })
    }

    /// Enters the span of the commit, if steps are traced.
    #[cfg(feature = "tracing")]
    pub(super) fn commit_span(&self) -> Option<EnteredSpan> {
        traces_steps().then(|| {
            let facts = self.facts().len();
            let seq = self.store.next.get();
            tracing::debug_span!(target: "ironweave::step", "commit", seq, facts).entered()
        })
    }
}
