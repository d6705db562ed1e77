//! The short way for events of which each arc acts on one entity that the event names or creates: nearly all.
//!
//! Which arcs there are is read from the schema as elsewhere. But nothing needs to be collected before they act, and
//! where the event's type is known this is compiled for it, so that its fields are read where they are.

use crate::base::error::StepError;
use crate::graph::storage::{Storage, ahead};
use crate::step::act::{Acting, ends, not_in_place};
use crate::step::event::Gives;
use crate::step::plan::{Act, Reach};

impl<S: Storage, G: Gives> Acting<'_, S, G> {
    /// Executes the declared arcs of an event that is [straight](crate::step::plan::EventPlan::straight).
    #[inline(always)]
    pub(super) fn go_straight(mut self) -> Result<(), StepError> {
        let def = self.def;
        if !def.creates.is_empty() {
            self.create()?;
        }
        for place in &def.places {
            let slot = self.named(place.at);
            if !(place.from).contains(self.graph.state_of(place.entity, slot)) {
                return Err(not_in_place(self.graph, def, place, slot));
            }
        }
        // Not before it is known that they act: who is rejected waits for nothing.
        if self.graph.is_large() {
            ahead(|| self.fetch());
        }
        for act in &def.acts {
            match act {
                Act::Link(arc) => {
                    let (near, far) = (self.named(arc.at), self.named(arc.with));
                    self.change_link(arc, near, far)?;
                }
                Act::Set(set) => self.write(&set.value, self.named(set.at))?,
                Act::Move(arc) => self.change_place(arc, self.named(arc.at))?,
                Act::Delete => {}
            }
        }
        Ok(())
    }

    /// The entity that a straight arc acts on. It is `At`; no branch is spent on what the plan has excluded.
    #[inline(always)]
    fn named(&self, reach: Reach) -> u32 {
        let (Reach::At(at) | Reach::Named(at) | Reach::Walked(at)) = reach;
        self.names.at(at).slot
    }

    /// Looks at what the arcs will change, so that the processor waits for all of it at once and not for one after the
    /// other. Only worth its while where it is not in the cache.
    #[inline(never)]
    fn fetch(&self) {
        for act in &self.def.acts {
            match act {
                Act::Link(arc) => {
                    let (from, to) = ends(arc.hop, self.named(arc.at), self.named(arc.with));
                    self.graph.fetch_link(arc.hop.edge, from, to);
                }
                Act::Set(set) => {
                    let slot = self.named(set.at);
                    self.graph.column(set.value.column).fetch(slot);
                }
                Act::Move(_) | Act::Delete => {}
            }
        }
    }
}
