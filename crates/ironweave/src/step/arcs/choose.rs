//! The names that an event chooses are bound, after `create` and before anything else is evaluated.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::choice::plan::{ChoosePlan, TakePlan};
use crate::graph::choice::{ChoiceContext, NoChoice};
use crate::graph::storage::Storage;
use crate::schema::NameIx;
use crate::step::arcs::Arcs;
use crate::step::arcs::values::{Given, overflows};
use crate::step::event::EventValues;
use crate::step::plan::EventPlan;

impl<S: Storage, V: EventValues> ChoiceContext for Given<'_, S, V> {
    fn append_bound(&self, name: NameIx, out: &mut Vec<u32>) {
        out.extend(self.bindings.ids(name).iter().map(|id| id.slot));
    }
}

impl<S: Storage, V: EventValues> Arcs<'_, S, V> {
    /// Binds the names that the event chooses, in written order.
    pub(super) fn choose(&mut self) -> Result<(), StepError> {
        let def = self.def;
        for plan in &def.chooses {
            let (given, slots) = (
                Given {
                    graph: &*self.graph,
                    bindings: &*self.bindings,
                    now: &self.now,
                    meta: self.meta,
                    values: &self.values,
                },
                &mut self.targets.slots,
            );
            let start = slots.len();
            (self.graph.choose(plan, &given, slots))
                .map_err(|none| nothing_to_choose(def, plan, none))?;
            let graph = &*self.graph;
            let mut ids = slots.drain(start..).map(|slot| graph.id(plan.entity, slot));
            match plan.take {
                TakePlan::One => ids
                    .next()
                    .into_iter()
                    .for_each(|id| self.bindings.push_one(id)),
                TakePlan::Many { .. } => self.bindings.push_many(ids),
            }
        }
        Ok(())
    }
}

/// The error for an event that finds too few candidates.
#[cold]
fn nothing_to_choose(def: &EventPlan, plan: &ChoosePlan, none: NoChoice) -> StepError {
    match none {
        NoChoice::TooFew { found, wanted } => StepError::NothingToChoose {
            event: Arc::clone(&def.name),
            name: Arc::clone(&def.names[usize::from(plan.name)].name),
            candidates: Arc::clone(&plan.text),
            found,
            wanted,
            chain: Chain::default(),
        },
        NoChoice::Overflow => overflows(def, &plan.text),
    }
}
