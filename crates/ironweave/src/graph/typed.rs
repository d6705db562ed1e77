//! Operations for callers that know types and shapes when they are compiled: the type of a value, and which end of an edge
//! holds lists.

use std::any::Any;

use crate::base::error::StepError;
use crate::graph::entry::{Entry, NewValue, OldValue};
use crate::graph::storage::{Storage, touched};
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EdgeIx};
use crate::value::{Value, plain_form, plain_word};

impl<S: Storage> Graph<S> {
    /// As [`Graph::set`], for a value of a known type.
    #[inline(always)]
    pub(crate) fn set_typed<T: Value>(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        value: &T,
    ) -> Result<(), StepError> {
        if let Some((form, word)) = plain_form::<T>().zip(plain_word(value))
            && let Some(values) = S::values_mut::<T>(&mut self.columns[usize::from(column)])
        {
            touched(1);
            let old = std::mem::replace(&mut values[slot as usize], value.clone());
            let old = plain_word(&old).map(|old| OldValue::Plain(form, old));
            journal.push(Entry::set(column, slot, NewValue::Plain(form, word), old));
            return Ok(());
        }
        self.set(journal, column, slot, value)
    }

    /// As [`Graph::relink`]. `FORWARD` says whether the declaring end holds lists, and the other end one link: `holder` is
    /// the entity at the end that holds lists, and `held` the one at the other.
    #[inline(always)]
    pub(crate) fn relink_typed<const FORWARD: bool>(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        holder: u32,
        held: u32,
    ) {
        if self.edges[usize::from(edge)].plain_fan == Some(FORWARD) {
            return self.take_over::<FORWARD>(journal, edge, holder, held);
        }
        let (from, to) = if FORWARD {
            (holder, held)
        } else {
            (held, holder)
        };
        self.relink_each(journal, edge, from, to);
    }

    /// The value of a cell of a known type.
    #[inline(always)]
    pub(crate) fn cell<T: Any>(&self, column: ColumnIx, slot: u32) -> Option<&T> {
        if let Some(cell) = S::cell(&self.columns[usize::from(column)], slot) {
            return cell;
        }
        self.column(column).value(slot)?.downcast_ref()
    }
}
