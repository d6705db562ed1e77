//! The step: how an event becomes facts.
//!
//! | | |
//! |---|---|
//! | `fire.rs` | the life of one event, from its fields to what follows from it: begin here |
//! | `bind.rs`, `bindings.rs` | the fields of an event become entities |
//! | `expect.rs` | optimistic concurrency: what the event binds must not have changed |
//! | `arcs/`, `guarded.rs` | the declared arcs are checked and executed, compiled or from the plan; what guards see |
//! | `tx.rs` | what a handler changes the graph through |
//! | `record.rs` | what fired, for the log and for errors |
//! | `bounds.rs` | cardinalities and acyclic edges |
//! | `immediates.rs` | the immediate events that became enabled |
//! | `invariants.rs` | what is checked at commit |
//! | `open.rs`, `clock.rs`, `undo.rs` | the open transaction, its time, and how it is rolled back |
//! | `repeat.rs` | transactions with an idempotency key |
//! | `paranoid.rs` | an event is fired twice and compared |
//! | `replay.rs` | the facts of a logged transaction |
//! | `plan.rs`, `compile.rs` | the arcs of each event, sorted by the stage that executes them; the compiled arcs that follow |
//! | `model.rs`, `event.rs`, `fields.rs`, `any_event.rs`, `functions.rs` | models and events as Rust types |
//! | `dynamic.rs`, `epoch.rs` | the model that is read from a log; how a graph takes the next schema of its log |
//! | `by_schema.rs`, `plan/by_schema.rs` | events that are tried by the schema of a log, without the code of the program |
//! | `migrate/` | the changes that a migration makes, and what must hold after it |
//! | `field_codec.rs` | the fields of an event as bytes |
//! | `flat.rs` | what is compiled once for the store |

pub(crate) mod any_event;
pub(crate) mod arcs;
pub(crate) mod bind;
pub(crate) mod bindings;
mod bounds;
pub(crate) mod by_schema;
pub(crate) mod clock;
pub(crate) mod compile;
pub(crate) mod due;
pub(crate) mod dynamic;
pub(crate) mod epoch;
pub(crate) mod event;
mod expect;
pub(crate) mod field_codec;
pub(crate) mod fields;
pub(crate) mod fire;
pub(crate) mod flat;
pub(crate) mod functions;
pub(crate) mod guarded;
pub(crate) mod immediates;
mod invariants;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod open;
mod paranoid;
pub(crate) mod plan;
mod quiet;
mod record;
pub(crate) mod repeat;
mod replay;
pub(crate) mod review;
#[cfg(feature = "net")]
pub(crate) mod sound;
pub(crate) mod tx;
pub(crate) mod undo;
pub(crate) mod upcast;

use std::sync::Arc;

pub use tx::{Ensured, New, Tx};

use crate::base::error::{Chain, Reject, StepError};
use crate::graph::Graph;
use crate::graph::storage::{Flat, Storage};
use crate::step::arcs::Targets;
use crate::step::bindings::Bindings;
use crate::step::open::OpenTransaction;
use crate::step::plan::EventPlan;

/// A graph and the open transaction on it.
pub struct Core<S: Storage = Flat> {
    pub(crate) graph: Graph<S>,
    pub(crate) open: OpenTransaction,
    /// Whether there is a log.
    pub(crate) logged: bool,
    /// Everything is done twice and compared; see [`crate::Options::paranoid`].
    pub(crate) paranoid: bool,
    /// Whether the interpreter executes all arcs, for tests; see [`crate::Options::interpreted`].
    interpreting: bool,
    /// A bit for each of the first 64 events after whose compiled arcs there is nothing to do but to record it: see
    /// [`Plan::quiet_events`](plan::Plan::quiet_events).
    quiet_events: u64,
    /// A bit for each of the first 64 events that needs no point to go back to: see
    /// [`Plan::infallible_events`](plan::Plan::infallible_events).
    infallible_events: u64,
    /// What the event of the program that fired last bound and created.
    pub(crate) bindings: Bindings,
    /// What the immediate event that fired last bound and created.
    immediate_bindings: Bindings,
    /// How often handlers of immediate events were called, for the checker.
    pub(crate) handler_calls: u64,
    targets: Targets,
}

impl<S: Storage> Core<S> {
    /// A graph on which no transaction is open.
    pub(crate) fn new(graph: Graph<S>) -> Self {
        Self {
            graph,
            open: OpenTransaction::recording(),
            logged: true,
            paranoid: false,
            interpreting: false,
            quiet_events: 0,
            infallible_events: 0,
            bindings: Bindings::default(),
            immediate_bindings: Bindings::default(),
            handler_calls: 0,
            targets: Targets::default(),
        }
    }

    /// The fingerprint of the graph with what the open transaction did so far. O(changes since it was last asked for), if
    /// it is kept.
    #[inline]
    pub(crate) fn fingerprint(&mut self) -> u128 {
        self.graph.update_fingerprint(&mut self.open.journal);
        self.graph.fingerprint
    }
}

/// The error of an event that a binding or its handler rejected.
#[cold]
fn rejected(def: &EventPlan, e: Reject) -> StepError {
    e.into_step(|reason| StepError::Rejected {
        event: Arc::clone(&def.name),
        reason,
        chain: Chain::default(),
    })
}
