//! The two ways of a step. Nearly every event goes the short one: its compiled arcs are checked and executed inline, in a
//! transaction that begins and ends here. The other way is for events without compiled arcs, for events that are going to be
//! rejected, and for stores in an unusual state.

use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::step::bindings::CompiledNames;
use crate::step::event::{Event, Receipt};
use crate::step::fire::By;
use crate::step::model::Model;
use crate::store::{Store, Transaction};

impl<M: Model> Store<M> {
    /// [`Store::try_step`] of an event that is fired by its compiled arcs. Returns its sequence number and the entities that
    /// it bound and created, or `None` if nothing has changed and the interpreter must execute it.
    #[inline(always)]
    pub(super) fn step_compiled<E: Event<Model = M>>(
        &mut self,
        event: &E,
    ) -> Result<Option<(Seq, CompiledNames)>, StepError> {
        let Some(mut names) = self.core.check_compiled(event) else {
            return Ok(None);
        };
        let seq = self.next;
        let transaction = Transaction::first(self);
        let Store { core, plan, .. } = &mut *transaction.store;
        let recorded = match core.fire_only_compiled(plan, event, &mut names) {
            Ok(recorded) => recorded,
            Err(e) => return Err(transaction.fail(e)),
        };
        if recorded {
            transaction.end_usual()?;
        } else {
            transaction.end_unrecorded(event)?;
        }
        Ok(Some((seq, names)))
    }

    /// [`Store::try_step`] of any event in any state of the store.
    #[inline(never)]
    pub(super) fn step_any_way<E: Event<Model = M>>(
        &mut self,
        event: &E,
        by: By,
    ) -> Result<Receipt<E>, StepError> {
        #[cfg(feature = "tracing")]
        let span = Self::step_span::<E>();
        #[cfg(feature = "tracing")]
        let _entered = span.enter();
        if by == By::Interpreter
            && let Some(e) = self.core.refusal(&self.plan, event)
        {
            return Err(self.observe_error(e));
        }
        let mut transaction = self.begin();
        let receipt = transaction.receipt_by(event, by)?;
        transaction.end()?;
        #[cfg(feature = "tracing")]
        span.record("seq", receipt.seq.get());
        Ok(receipt)
    }
}
