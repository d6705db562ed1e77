//! The direct way for events of which each arc acts on one entity that the event names or creates: nearly all.
//!
//! Which arcs there are is read from the plan as in [`Arcs::run`]. But nothing needs to be collected before they act, and
//! where the type of the event is known this is compiled for it, so that its fields are read where they are.

use crate::base::error::StepError;
use crate::graph::Graph;
use crate::graph::storage::{Storage, ahead};
use crate::step::arcs::{Arcs, ends, not_in_place};
use crate::step::event::EventValues;
use crate::step::plan::{Effect, Reach};

impl<S: Storage, V: EventValues> Arcs<'_, &mut Graph<S>, V> {
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
        // Not before it is known that the arcs act: an event that is rejected waits for no memory.
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

    /// The entity that a direct arc acts on. It is `At`; no branch is spent on what the plan has excluded.
    #[inline(always)]
    fn bound(&self, reach: Reach) -> u32 {
        let (Reach::At(at) | Reach::Named(at) | Reach::Walked(at)) = reach;
        self.bindings.at(at).slot
    }

    /// Reads what the arcs will change, so that the processor waits for all of it at once and not for one after the
    /// other. It is only worth its while where the graph is not in the cache.
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
