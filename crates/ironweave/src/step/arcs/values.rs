//! The values that arcs write and that conditions compare.

use std::any::Any;
use std::sync::Arc;

use crate::base::error::{Chain, Name, StepError};
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::schema::{ColumnIx, FunctionIx, MetaField, NameIx, Source};
use crate::step::bindings::Bindings;
use crate::step::event::EventValues;
use crate::step::plan::{CalculatedPlan, EventPlan};
use crate::value::calculate::{CalculatedValue, NoValue, Operand, Operands, ValueFunction, value};

/// What values are taken from before any arc acts.
pub(super) struct Given<'v, S: Storage, V> {
    pub graph: &'v Graph<S>,
    pub bindings: &'v Bindings,
    pub now: &'v Timestamp,
    pub meta: &'v Meta,
    pub values: &'v V,
}

impl<S: Storage, V: EventValues> Operands for Given<'_, S, V> {
    fn given(&self, source: &Source) -> Option<&dyn Any> {
        match direct(source, self.now, self.meta, self.values) {
            Ok(value) => Some(value),
            Err(Elsewhere::Copied(name, column)) => {
                let slot = self.bindings.ids(name)[0].slot;
                self.graph.column(column).value(slot)
            }
            Err(Elsewhere::Calculated(_)) => None,
        }
    }

    fn function(&self, index: FunctionIx) -> ValueFunction {
        self.values.function(index.get())
    }
}

impl<S: Storage, V: EventValues> Given<'_, S, V> {
    /// Calculates a value that an arc writes.
    pub(super) fn calculated(
        &self,
        def: &EventPlan,
        planned: &CalculatedPlan,
    ) -> Result<CalculatedValue, StepError> {
        match value(self, &planned.source) {
            Ok(Operand::Calculated(value)) => Ok(value),
            Ok(Operand::Given(_)) => unreachable!("a calculated value is not given"),
            Err(NoValue::Absent(name, column)) => {
                Err(absent(self.graph, self.bindings, name, column))
            }
            Err(NoValue::Overflow) => Err(overflows(def, &planned.text)),
        }
    }
}

/// Where a value is that neither the event nor the transaction gives.
pub(super) enum Elsewhere {
    /// A field of a bound entity.
    Copied(NameIx, ColumnIx),
    /// It is calculated by this function.
    Calculated(FunctionIx),
}

/// The value that the event or the transaction gives.
pub(super) fn direct<'v>(
    source: &Source,
    now: &'v Timestamp,
    meta: &'v Meta,
    values: &'v impl EventValues,
) -> Result<&'v dyn Any, Elsewhere> {
    match source {
        Source::Time => Ok(now),
        Source::Meta(field) => Ok(of_meta(meta, *field)),
        Source::Field(index) | Source::Literal { index, .. } => Ok(values.value(index.get())),
        Source::Entity { name, column } => Err(Elsewhere::Copied(*name, *column)),
        Source::Calculated { function, .. } => Err(Elsewhere::Calculated(*function)),
    }
}

/// A field of the metadata.
fn of_meta(meta: &Meta, field: MetaField) -> &dyn Any {
    match field {
        MetaField::Actor => &meta.actor,
        MetaField::Correlation => &meta.correlation,
        MetaField::Causation => &meta.causation,
    }
}

/// The value of a field of the entity that a name is bound to, in CBOR.
pub(super) fn copied<S: Storage>(
    graph: &Graph<S>,
    bindings: &Bindings,
    name: NameIx,
    column: ColumnIx,
) -> Result<Vec<u8>, StepError> {
    let slot = bindings.ids(name)[0].slot;
    match graph.column(column).copied(slot) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(absent(graph, bindings, name, column)),
        Err(reason) => Err(unwritable(graph, column, reason)),
    }
}

/// The error for a value that an entity does not have in its state.
#[cold]
pub(super) fn absent<S: Storage>(
    graph: &Graph<S>,
    bindings: &Bindings,
    name: NameIx,
    column: ColumnIx,
) -> StepError {
    let slot = bindings.ids(name)[0].slot;
    let entity = graph.layout.columns[usize::from(column)].entity;
    let reason = format!("{} does not have it", graph.named(entity, slot));
    unwritable(graph, column, reason)
}

/// The error for a calculation that overflows.
#[cold]
pub(in crate::step) fn overflows(def: &EventPlan, calculation: &Name) -> StepError {
    StepError::Overflow {
        event: Arc::clone(&def.name),
        calculation: Arc::clone(calculation),
        chain: Chain::default(),
    }
}

#[cold]
fn unwritable<S: Storage>(graph: &Graph<S>, column: ColumnIx, reason: String) -> StepError {
    let layout = &graph.layout.columns[usize::from(column)];
    StepError::Unwritable {
        what: Arc::clone(&layout.path),
        reason,
        chain: Chain::default(),
    }
}
