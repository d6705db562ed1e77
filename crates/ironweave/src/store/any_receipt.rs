//! Receipts of events whose type is known only at runtime.

use std::sync::Arc;

use crate::base::error::{EntityRef, Name};
use crate::base::position::Seq;
use crate::schema::NameIx;
use crate::step::bindings::Bindings;
use crate::step::event::DynEvent;
use crate::step::plan::{NamePlan, Plan};

/// The result of an [`AnyEvent`](crate::AnyEvent) in a transaction that is still open, or that was only tried; see
/// [`Applied`](crate::Applied).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyApplied {
    /// Whether the transaction was committed earlier under the same idempotency key, so that the event changed nothing.
    pub repeated: bool,
    /// The entities of each name of the event: first those of its entity fields, then those that it created.
    pub names: Vec<(Name, Vec<EntityRef>)>,
}

impl From<AnyReceipt> for AnyApplied {
    fn from(receipt: AnyReceipt) -> Self {
        let AnyReceipt {
            repeated, names, ..
        } = receipt;
        Self { repeated, names }
    }
}

/// The result of an [`AnyEvent`](crate::AnyEvent) whose transaction was committed: the entities that it bound and created.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyReceipt {
    /// The sequence number of its transaction.
    pub seq: Seq,
    /// Whether the transaction was committed earlier under the same idempotency key, so that the event changed nothing.
    pub repeated: bool,
    /// The entities of each name of the event: first those of its entity fields, then those that it created.
    pub names: Vec<(Name, Vec<EntityRef>)>,
}

impl AnyReceipt {
    pub(crate) fn new(
        (seq, repeated): (Seq, bool),
        event: &dyn DynEvent,
        names: &Bindings,
        plan: &Plan,
    ) -> Self {
        let def = &plan.events[usize::from(event.index())];
        let entities = |(ix, name): (NameIx, &NamePlan)| {
            let entity = &plan.layout.entities[usize::from(name.entity)];
            let refs = names.ids(ix).iter().map(|id| EntityRef {
                entity: Arc::clone(&entity.name),
                id: *id,
                key: None,
            });
            (Arc::clone(&name.name), refs.collect())
        };
        Self {
            seq,
            repeated,
            names: (NameIx::all(def.names.len()).zip(&def.names))
                .map(entities)
                .collect(),
        }
    }
}
