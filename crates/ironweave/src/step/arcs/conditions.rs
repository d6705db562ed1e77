//! The conditions of an event, `when(..)`: states of entities, numbers of entities, and comparisons of values.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::storage::Storage;
use crate::schema::{Path, Quantifier};
use crate::step::arcs::targets::reach;
use crate::step::arcs::values::{Given, NoValue, overflows};
use crate::step::calculate::ordered;
use crate::step::event::EventValues;
use crate::step::plan::{ConditionPlan, EventPlan, Requirement};

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
                match quantifier {
                    Quantifier::All => states_of.all(|s| states.contains(s)),
                    Quantifier::Any => states_of.any(|s| states.contains(s)),
                    Quantifier::None => !states_of.any(|s| states.contains(s)),
                }
            }),
            Requirement::Count {
                path,
                entity,
                states,
                comparison,
                with,
                function,
            } => {
                let with = match self.value(with) {
                    Ok(with) => with,
                    Err(none) => return self.without_value(def, condition, none),
                };
                let with = self.values.function(function.get()).number(with.get());
                let counted = self.reached(path, slots, |reached| {
                    let is_counted = |s: &&u32| states.contains(self.graph.state_of(*entity, **s));
                    reached.iter().filter(is_counted).count() as i128
                });
                ordered(*comparison, Some(counted.cmp(&with)))
            }
            Requirement::Compare {
                left,
                comparison,
                right,
                function,
            } => match self
                .value(left)
                .and_then(|left| Ok((left, self.value(right)?)))
            {
                Ok((left, right)) => {
                    let function = self.values.function(function.get());
                    function.holds(*comparison, left.get(), right.get())
                }
                Err(none) => return self.without_value(def, condition, none),
            },
        };
        if holds {
            return Ok(());
        }
        Err(does_not_hold(def, condition))
    }

    /// Calls a function with the entities that a path reaches.
    fn reached<R>(&self, path: &Path, slots: &mut Vec<u32>, of: impl FnOnce(&[u32]) -> R) -> R {
        let start = slots.len();
        reach(self.graph, self.bindings, path, slots);
        let result = of(&slots[start..]);
        slots.truncate(start);
        result
    }

    /// The error for a condition on a value that does not exist.
    fn without_value(
        &self,
        def: &EventPlan,
        condition: &ConditionPlan,
        none: NoValue,
    ) -> Result<(), StepError> {
        Err(match none {
            NoValue::Absent(..) => does_not_hold(def, condition),
            NoValue::Overflow => overflows(def, &condition.text),
        })
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
