//! Whether an immediate event is enabled on an entity; O(number of its conditions).

use std::any::Any;
use std::cmp::Ordering;

use crate::graph::Graph;
use crate::graph::choice::waiting::Chosen;
use crate::graph::layout::{Immediate, NumberTest, Reached, Requires, ValueTest, ValuesCompared};
use crate::graph::storage::Storage;
use crate::schema::{FunctionIx, Quantifier, Source};
use crate::value::calculate::{
    ImmediateCode, Operands, Overflows, ValueFunction, compares, number_compares, ordered,
};

/// The entity of an immediate event, from which its values are taken.
struct Own<'g, S: Storage> {
    graph: &'g Graph<S>,
    code: &'g ImmediateCode,
    slot: u32,
}

impl<S: Storage> Operands for Own<'_, S> {
    fn given(&self, source: &Source) -> Option<&dyn Any> {
        match source {
            Source::Entity { column, .. } => self.graph.column(*column).value(self.slot),
            Source::Literal { index, .. } => Some(self.code.literal(index.get())),
            _ => unreachable!("the macro refuses other values in conditions of immediate events"),
        }
    }

    fn function(&self, index: FunctionIx) -> ValueFunction {
        self.code.function(index.get())
    }
}

impl<S: Storage> Graph<S> {
    /// Whether an immediate event is enabled on an entity. The error is the index of the arc with a calculation that
    /// overflows, if all other conditions hold.
    pub(crate) fn enabled(&self, immediate: u16, slot: u32) -> Result<bool, usize> {
        Ok(self.enabled_choosing(immediate, slot)?.is_some())
    }

    /// What an immediate event chooses if it is enabled on an entity, as [`Graph::enabled`] says.
    pub(crate) fn enabled_choosing(
        &self,
        immediate: u16,
        slot: u32,
    ) -> Result<Option<Chosen>, usize> {
        let immediate = &self.layout.immediates[usize::from(immediate)];
        if !self.may_be_enabled(immediate, slot) {
            return Ok(None);
        }
        let own = Own {
            graph: self,
            code: &immediate.code,
            slot,
        };
        let mut overflows = None;
        for ValueTest { test, arc } in &immediate.values {
            let holds = match test {
                ValuesCompared::Number {
                    reached,
                    comparison,
                    with,
                    function,
                } => {
                    let number = self.number_reached(reached, slot);
                    number_compares(&own, (number, *comparison, with), *function)
                }
                ValuesCompared::Values {
                    left,
                    comparison,
                    right,
                    function,
                } => compares(&own, (left, *comparison, right), *function),
            };
            match holds {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(Overflows) => overflows = overflows.or(Some(*arc)),
            }
        }
        let chooses = self.chosen(immediate, slot);
        match overflows {
            // It rejects the step only if there is something to choose.
            Some(arc) if !matches!(chooses, Ok(None)) => Err(arc),
            _ => chooses,
        }
    }

    /// Whether the conditions of an immediate event hold, except for those that need functions of the program.
    pub(super) fn may_be_enabled(&self, immediate: &Immediate, slot: u32) -> bool {
        let state = self.state_of(immediate.entity, slot);
        immediate.from.contains(state)
            && (immediate.numbers.iter()).all(|test| self.number_holds(test, slot))
    }

    fn number_holds(&self, NumberTest { reached, requires }: &NumberTest, slot: u32) -> bool {
        let number = self.number_reached(reached, slot);
        match requires {
            Requires::Quantified(Quantifier::All) => number == self.all_reached(reached, slot),
            Requires::Quantified(Quantifier::Any) => number > 0,
            Requires::Quantified(Quantifier::None) => number == 0,
            Requires::Compared(comparison, with) => {
                let ordering: Ordering = (number as i128).cmp(with);
                ordered(*comparison, Some(ordering))
            }
        }
    }

    /// How many of the entities that a path reaches are in the states of its condition; O(1).
    fn number_reached(&self, reached: &Reached, slot: u32) -> usize {
        match (reached.watch, self.near_end(reached, slot)) {
            (Some(watch), Some(at)) => self.counted(watch, at),
            (None, _) => self.all_reached(reached, slot),
            (_, None) => 0,
        }
    }

    /// How many entities a path reaches; O(1).
    fn all_reached(&self, reached: &Reached, slot: u32) -> usize {
        let at = self.near_end(reached, slot);
        at.map_or(0, |at| self.degree(reached.hop, at))
    }

    /// The entity at the near end of the last edge of a path, if there is one.
    fn near_end(&self, reached: &Reached, slot: u32) -> Option<u32> {
        match reached.first {
            None => Some(slot),
            Some(hop) => self.edges[usize::from(hop.edge)].only(hop.forward, slot),
        }
    }
}
