//! The life of one event: from the fields that the program gave to the facts that the log will have.
//!
//! 1. **Bind** (`bind.rs`): each field that names entities is looked up; `Ensure` creates the ones that do not exist.
//! 2. **Expect** (`expect.rs`): nothing that the event binds has changed since the transaction that the caller knows of.
//! 3. **Check** (`arcs/`): after `create`, on the graph as it then is, the conditions and paths are evaluated, then source
//!    states, then arcs that would meet in one entity or compete for one end, then the guards.
//! 4. **Act** (`arcs/`): unlink, relink, link, set, move, delete.
//! 5. **Handle** (`tx.rs`): the handler of an event with `#[may(..)]` does what arcs cannot say.
//! 6. **Record** (`record.rs`): the event is encoded for the log.
//! 7. **Bound** (`bounds.rs`): cardinalities and acyclic edges hold, of all that the event changed.
//! 8. **Follow** (`immediates.rs`): immediate events fire until none is enabled.
//!
//! An error in any stage undoes all of them (`undo.rs`), and so does a panic of user code. When the transaction
//! commits, the invariants of what it touched are checked (`invariants.rs`), and the store writes its facts to the log.

use crate::base::error::StepError;
use crate::graph::storage::Storage;
use crate::step::event::DynEvent;
use crate::step::plan::Plan;
use crate::step::undo::Attempt;
use crate::step::{Core, rejected};

impl<S: Storage> Core<S> {
    /// Fires an event and all that follows from it; what it bound and created is in `bindings` then. If it is rejected,
    /// or user code panics, the graph and the open transaction are as before.
    #[inline(always)]
    pub(crate) fn fire<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let attempt = Attempt::begin(self);
        let fired = if attempt.core.paranoid {
            attempt.core.fire_twice(plan, event.erased())
        } else {
            attempt.core.fire_unguarded(plan, event)
        };
        fired
            .map_err(|e| e.with_chain(|| plan.events[usize::from(event.index())].alone.clone()))?;
        attempt.keep();
        Ok(())
    }

    /// The stages of [`Core::fire`]. On an error the caller undoes what they did.
    #[inline(always)]
    pub(crate) fn fire_unguarded<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let def = &plan.events[usize::from(event.index())];
        let start = self.open.journal.position();
        self.bind(def, event).map_err(|e| rejected(def, e))?;
        if self.open.expects_unchanged() {
            self.check_unchanged(def)?;
        }
        if def.direct {
            self.arcs(def, event).run_direct()?;
        } else {
            self.run_arcs(def, event.erased())?;
        }
        if def.handler {
            self.run_handler(def, event.erased())?;
        }
        self.record(plan, def, event)?;
        if def.bounded {
            self.check_bounds(start)?;
        }
        if !self.graph.pending.is_empty() {
            self.fire_immediates(plan)?;
        }
        self.open.events += 1;
        Ok(())
    }
}
