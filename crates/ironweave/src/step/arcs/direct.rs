//! A faster way for events each of whose arcs acts on one entity that the event names or creates, as nearly all do.
//!
//! The arcs are read from the plan as in [`Arcs::run`]. But no entities need to be collected before they act, and where the
//! type of the event is known this is compiled for it, so that its fields are read without `dyn`.

use crate::base::error::StepError;
use crate::graph::layout::ends;
use crate::graph::storage::{Storage, ahead};
use crate::step::arcs::{Arcs, not_in_place};
use crate::step::event::EventValues;
use crate::step::plan::{Effect, Reach};

impl<S: Storage, V: EventValues> Arcs<'_, S, V> {
    /// Checks and executes the declared arcs of an event that is [direct](crate::step::plan::EventPlan::direct).
    #[inline(always)]
    pub(in crate::step) fn run_direct(mut self) -> Result<(), StepError> {
        let def = self.def;
        if !def.creates.is_empty() {
            self.create()?;
        }
        for required in &def.source_states {
            let slot = self.bound(required.at);
            if !(required.states).contains(self.graph.state_of(required.entity, slot)) {
                return Err(not_in_place(self.graph, def, required, slot));
            }
        }
        // Not earlier: a rejected event need not wait for memory.
        if self.graph.is_large() {
            ahead(|| self.fetch());
        }
        for effect in &def.effects {
            match effect {
                Effect::Link(arc) => {
                    let (near, far) = (self.bound(arc.at), self.bound(arc.with));
                    self.change_link(arc, near, far)?;
                }
                Effect::Set(set) => self.write(&set.value, self.bound(set.at))?,
                Effect::Move(arc) => self.change_state(arc, self.bound(arc.at))?,
                Effect::Delete => {}
            }
        }
        Ok(())
    }

    /// The entity that a direct arc acts on. The plan has only `At` here, so that no branch is needed.
    #[inline(always)]
    fn bound(&self, reach: Reach) -> u32 {
        let (Reach::At(at) | Reach::Named(at) | Reach::Walked(at)) = reach;
        self.bindings.at(at).slot
    }

    /// Reads what the arcs will change, so that the cache misses overlap instead of following one another. This pays off
    /// only if the graph is larger than the cache.
    #[inline(never)]
    fn fetch(&self) {
        for effect in &self.def.effects {
            match effect {
                Effect::Link(arc) => {
                    let (from, to) = ends(arc.hop, self.bound(arc.at), self.bound(arc.with));
                    self.graph.fetch_link(arc.hop.edge, from, to);
                }
                Effect::Set(set) => {
                    let slot = self.bound(set.at);
                    self.graph.column(set.value.column).fetch(slot);
                }
                Effect::Move(_) | Effect::Delete => {}
            }
        }
    }
}
