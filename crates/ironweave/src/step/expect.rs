//! Optimistic concurrency: an event is rejected if an entity that its fields name has changed since the transaction that its caller
//! expects to be the last that changed it ([`Meta::expect`](crate::Meta::expect)). The entities that it chooses are not bound yet.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::storage::Storage;
use crate::schema::NameIx;
use crate::step::Core;
use crate::step::plan::EventPlan;

impl<S: Storage> Core<S> {
    /// Rejects an event whose fields name what has changed since the transaction that the caller knows of.
    pub(super) fn check_unchanged(&self, def: &EventPlan) -> Result<(), StepError> {
        let bindings = &self.bindings;
        let expected = self.open.expected;
        let Some(expected) = expected.filter(|_| !self.open.changed.is_empty()) else {
            return Ok(());
        };
        for (name, plan) in NameIx::all(bindings.len()).zip(&def.names) {
            for id in bindings.ids(name).iter().copied() {
                if let Some(found) = self.open.changed.get(&(plan.entity, id.slot)) {
                    return Err(StepError::Changed {
                        event: Arc::clone(&def.name),
                        entity: self.graph.who(plan.entity, id),
                        expected,
                        found: *found,
                        chain: Chain::default(),
                    });
                }
            }
        }
        Ok(())
    }
}
