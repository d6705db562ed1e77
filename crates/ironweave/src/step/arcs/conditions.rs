//! The conditions of an event, `when(..)`: states of entities, numbers of entities, and comparisons of values.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::storage::Storage;
use crate::schema::{Path, Quantifier};
use crate::step::arcs::targets::reach;
use crate::step::arcs::values::{Given, overflows};
use crate::step::event::EventValues;
use crate::step::plan::{ConditionPlan, EventPlan, Requirement};
use crate::value::calculate::{Overflows, compares, number_compares};

impl<S: Storage, V: EventValues> Given<'_, S, V> {
    /// An error if a condition does not hold.
    pub(super) fn check(
        &self,
        def: &EventPlan,
        condition: &ConditionPlan,
        slots: &mut Vec<u32>,
    ) -> Result<(), StepError> {
        let holds = match &condition.requires {
            Requirement::States {
                quantifier,
                path,
                entity,
                states,
            } => self.reached(path, slots, |reached| {
                let mut states_of = reached.iter().map(|s| self.graph.state_of(*entity, *s));
                Ok(match quantifier {
                    Quantifier::All => states_of.all(|s| states.contains(s)),
                    Quantifier::Any => states_of.any(|s| states.contains(s)),
                    Quantifier::None => !states_of.any(|s| states.contains(s)),
                })
            }),
            Requirement::Count {
                path,
                entity,
                states,
                comparison,
                with,
                function,
            } => self.reached(path, slots, |reached| {
                let is_counted = |s: &&u32| states.contains(self.graph.state_of(*entity, **s));
                let counted = reached.iter().filter(is_counted).count();
                number_compares(self, (counted, *comparison, with), *function)
            }),
            Requirement::Compare {
                left,
                comparison,
                right,
                function,
            } => compares(self, (left, *comparison, right), *function),
        };
        match holds {
            Ok(true) => Ok(()),
            Ok(false) => Err(does_not_hold(def, condition)),
            Err(Overflows) => Err(overflows(def, &condition.text)),
        }
    }

    /// Calls a function with the entities that a path reaches.
    fn reached<R>(&self, path: &Path, slots: &mut Vec<u32>, of: impl FnOnce(&[u32]) -> R) -> R {
        let start = slots.len();
        reach(self.graph, self.bindings, path, slots);
        let result = of(&slots[start..]);
        slots.truncate(start);
        result
    }
}

#[cold]
fn does_not_hold(def: &EventPlan, condition: &ConditionPlan) -> StepError {
    StepError::When {
        event: Arc::clone(&def.name),
        condition: Arc::clone(&condition.text),
        chain: Chain::default(),
    }
}
