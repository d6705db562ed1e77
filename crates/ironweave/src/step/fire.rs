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
//!
//! On a store, the compiled arcs of an event (`arcs/compiled.rs`) take the place of stages 1 to 4. If one of their checks
//! fails, which is before they change anything, the interpreter executes these stages and finds the error.

use crate::base::error::StepError;
use crate::graph::any::Either;
use crate::graph::fingerprint::FactVisitor;
use crate::graph::storage::{Flat, Storage};
use crate::step::arcs::compiled;
use crate::step::bindings::CompiledNames;
use crate::step::event::{DynEvent, Event};
use crate::step::fields::Fields;
use crate::step::plan::{EventPlan, Plan};
use crate::step::tx::run_handler;
use crate::step::undo::Attempt;
use crate::step::{Core, rejected};

/// What executes the arcs of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Compiled arcs, and the interpreter if the event has none or if one of their checks fails.
    Compiled,
    Interpreter,
}

impl<S: Storage> Core<S> {
    /// Fires an event and all that follows from it; what it bound and created is in `bindings` then. If it is rejected,
    /// or user code panics, the graph and the open transaction are as before.
    pub(crate) fn fire(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
        by: By,
    ) -> Result<(), StepError> {
        let attempt = Attempt::begin(self);
        let core = &mut *attempt.core;
        let fired = if core.paranoid {
            core.fire_twice(plan, event)
        } else {
            core.fire_unguarded(plan, event, by)
        };
        fired.map_err(|e| alone(e, plan, event))?;
        attempt.keep();
        Ok(())
    }

    /// The stages of [`Core::fire`]. On an error the caller undoes what they did.
    pub(crate) fn fire_unguarded(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
        by: By,
    ) -> Result<(), StepError> {
        let def = &plan.events[usize::from(event.index())];
        let start = self.open.journal.position();
        self.bindings.clear();
        let interpreted =
            by == By::Interpreter || self.interpreting || self.open.expects_unchanged();
        if interpreted || !self.act(plan, event)? {
            self.bind(def, event).map_err(|e| rejected(def, e))?;
            if self.open.expects_unchanged() {
                self.check_unchanged(def)?;
            }
            self.run_arcs(def, event)?;
        }
        if def.handler {
            let (graph, names) = (S::graph_mut(&mut self.graph), self.bindings.names());
            run_handler(graph, &mut self.open, def, names, event)?;
        }
        self.conclude(plan, def, event, start)
    }

    /// Executes the compiled arcs of an event; `false` if the interpreter must execute the event.
    fn act(&mut self, plan: &Plan, event: &dyn DynEvent) -> Result<bool, StepError> {
        let graph = S::graph_mut(&mut self.graph);
        event.run_compiled(plan, graph, &mut self.open, &mut self.bindings)
    }

    /// The stages after the handler.
    #[inline(always)]
    fn conclude<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        def: &EventPlan,
        event: &E,
        start: usize,
    ) -> Result<(), StepError> {
        if def.chooses.is_empty() {
            self.record(plan, event)?;
        } else {
            self.record_with_chosen(plan, event.erased())?;
        }
        self.conclude_recorded(plan, def, start)
    }

    #[inline(always)]
    fn conclude_recorded(
        &mut self,
        plan: &Plan,
        def: &EventPlan,
        start: usize,
    ) -> Result<(), StepError> {
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

/// The error of an event that the program fired.
#[cold]
fn alone(e: StepError, plan: &Plan, event: &dyn DynEvent) -> StepError {
    e.with_chain(|| plan.events[usize::from(event.index())].alone.clone())
}

impl Core<Flat> {
    /// From now on the interpreter executes all arcs; see [`crate::Options::interpreted`].
    pub(crate) fn interpret_arcs(&mut self) {
        self.interpreting = true;
        self.open.fire_indirectly();
    }

    /// The entities that an event names if its compiled arcs can be executed, see [`compiled::check`].
    #[inline(always)]
    pub(crate) fn check_compiled<E: Event>(&self, event: &E) -> Option<CompiledNames> {
        compiled::check(event, &self.graph)
    }

    /// The error of an event whose compiled arcs cannot be executed, found by the first stages of the interpreter without a
    /// transaction. `None` if an earlier stage would create something; then [`Core::fire`] finds it.
    #[inline(never)]
    pub(crate) fn refusal(&mut self, plan: &Plan, event: &dyn DynEvent) -> Option<StepError> {
        let def = &plan.events[usize::from(event.index())];
        if !def.refused_early {
            return None;
        }
        let error = match self.bind(def, event) {
            Err(e) => rejected(def, e),
            Ok(()) => self.arcs(def, event).misplaced()?,
        };
        Some(alone(error, plan, event))
    }

    /// As [`Core::fire`], for an event whose type is known and that [`Core::check_compiled`] permits, in a transaction that
    /// expects nothing and has no idempotency key. Its compiled arcs are inlined. The names are those that the check has
    /// returned; what the event creates is added to them.
    #[inline(always)]
    pub(crate) fn fire_compiled<E: Event>(
        &mut self,
        plan: &Plan,
        event: &E,
        names: &mut CompiledNames,
    ) -> Result<(), StepError> {
        if self.is_infallible::<E>() {
            self.open.journal.discard_facts();
            compiled::act(event, plan, &mut self.graph, &mut self.open, names)?;
            self.open.events += 1;
            return Ok(());
        }
        let attempt = Attempt::begin(self);
        let core = &mut *attempt.core;
        (core.act_compiled(plan, event, names, false)).map_err(|e| alone(e, plan, event))?;
        attempt.keep();
        Ok(())
    }

    /// Whether an event whose compiled arcs can be executed can neither fail nor run user code, and is not recorded. Then it
    /// needs no point to go back to.
    #[inline(always)]
    fn is_infallible<E: Event>(&self) -> bool {
        let index = usize::from(E::INDEX);
        let may_be = const { compiled::may_be_infallible::<E>() };
        may_be
            && index < 64
            && self.infallible_events >> index & 1 == 1
            && !self.open.recording
            && <E::Fields as Fields>::is_faithful()
    }

    /// As [`Core::fire_compiled`], for the only event of a transaction, which is undone with the transaction. Returns whether it
    /// is recorded. It is not if a log has a word for each of its fields and nothing follows from it, since
    /// [`Core::visit_expected`] can probably show its facts. If not, [`Core::record_only`] records it.
    #[inline(always)]
    pub(crate) fn fire_only_compiled<E: Event>(
        &mut self,
        plan: &Plan,
        event: &E,
        names: &mut CompiledNames,
    ) -> Result<bool, StepError> {
        (self.act_compiled(plan, event, names, true)).map_err(|e| alone(e, plan, event))
    }

    /// Returns whether the event is recorded, which it is unless it is the `only` one of its transaction.
    #[inline(always)]
    fn act_compiled<E: Event>(
        &mut self,
        plan: &Plan,
        event: &E,
        names: &mut CompiledNames,
        only: bool,
    ) -> Result<bool, StepError> {
        let start = self.open.journal.position();
        compiled::act(event, plan, &mut self.graph, &mut self.open, names)?;
        let index = usize::from(E::INDEX);
        if index >= 64 || self.quiet_events >> index & 1 == 0 {
            // A copy, so that the names stay in registers otherwise.
            let names = *names;
            return self.conclude_compiled(plan, event, &names, (start, only));
        }
        let unrecorded = only && self.open.recording && compiled::is_expected(event);
        if !unrecorded {
            self.record_unnamed(plan, event)?;
        }
        self.open.events += 1;
        Ok(!unrecorded)
    }

    /// The stages after the compiled arcs, of an event that has more of them than to be recorded.
    #[inline(never)]
    fn conclude_compiled<E: Event>(
        &mut self,
        plan: &Plan,
        event: &E,
        names: &CompiledNames,
        (start, only): (usize, bool),
    ) -> Result<bool, StepError> {
        let def = &plan.events[usize::from(E::INDEX)];
        if def.handler {
            let graph = Either::Flat(&mut self.graph);
            run_handler(graph, &mut self.open, def, names.names(), event)?;
        }
        let unrecorded = only
            && self.open.recording
            && compiled::is_expected(event)
            && self.graph.pending.is_empty();
        if !unrecorded {
            self.record(plan, event)?;
        }
        self.conclude_recorded(plan, def, start)?;
        Ok(!unrecorded)
    }

    /// Shows a visitor the facts of the only event of the open transaction and includes them in the fingerprint, if they are
    /// those that its arcs nearly always make, and if `accepts` is true of the visitor then. Otherwise returns `false`, and the
    /// visitor must be discarded.
    #[inline(always)]
    pub(crate) fn visit_expected<E: Event, V: FactVisitor>(
        &mut self,
        event: &E,
        visitor: &mut V,
        accepts: impl FnOnce(&V) -> bool,
    ) -> bool {
        let (graph, journal) = (&mut self.graph, &mut self.open.journal);
        if !graph.includes_nothing(journal) {
            return false;
        }
        let Some(sum) = compiled::visit(event, graph, journal, visitor) else {
            return false;
        };
        if !accepts(visitor) {
            return false;
        }
        graph.include(sum, journal);
        true
    }

    /// Records the only event of the open transaction.
    #[inline(never)]
    pub(crate) fn record_only<E: Event>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        self.record(plan, event)
    }
}
