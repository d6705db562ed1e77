//! The names that an event chooses are bound, after `create` and before anything else is evaluated.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::Graph;
use crate::graph::choice::plan::{ChoosePlan, TakePlan};
use crate::graph::choice::waiting::Chosen;
use crate::graph::choice::{ChoiceContext, NoChoice};
use crate::graph::storage::Storage;
use crate::schema::NameIx;
use crate::step::arcs::Arcs;
use crate::step::arcs::values::{Given, overflows};
use crate::step::bindings::Bindings;
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
            bind(&*self.graph, plan, self.bindings, slots.drain(start..));
        }
        Ok(())
    }

    /// Binds the names that an immediate event chooses. What it chose before it created anything is still the first of the candidates,
    /// unless it has created one.
    pub(super) fn bind_chosen(&mut self, chosen: &Chosen) -> Result<(), StepError> {
        let def = self.def;
        let is_created = |plan: &ChoosePlan| def.creates.iter().any(|c| c.entity == plan.entity);
        if def.chooses.iter().any(is_created) {
            return self.choose();
        }
        for (plan, (_, slots)) in def.chooses.iter().zip(chosen) {
            bind(&*self.graph, plan, self.bindings, slots.iter().copied());
        }
        Ok(())
    }
}

/// Binds a name to what was chosen.
fn bind<S: Storage>(
    graph: &Graph<S>,
    plan: &ChoosePlan,
    bindings: &mut Bindings,
    slots: impl ExactSizeIterator<Item = u32>,
) {
    let mut ids = slots.map(|slot| graph.id(plan.entity, slot));
    match plan.take {
        TakePlan::One => ids.next().into_iter().for_each(|id| bindings.push_one(id)),
        TakePlan::Many { .. } => bindings.push_many(ids),
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
