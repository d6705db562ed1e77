//! A graph of a schema of the log that is read with a model of another shape: it is carried over to the model in memory.
//!
//! A program that only reads a log is shown the graph of the last epoch in this way:
//!
//! | the last schema of the log | is shown |
//! |---|---|
//! | has more entities, fields or edges than the model | without them |
//! | has states that the model does not have | if no entity is in them |
//! | lacks fields of the model | with their defaults, if they have any |
//! | differs otherwise | as an opening for writing would take it, or not at all |
//!
//! A graph of the past ([`Snapshot::upgrade`](crate::Snapshot::upgrade)) is carried over only if nothing is left out.

use std::sync::Arc;

use crate::base::error::{MigrationError, OpenError, RefusedDifference};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::carry::CarryMap;
use crate::graph::storage::Flat;
use crate::schema::{Change, Compatibility, Difference, Item, Schema};
use crate::step::clock::TransactionTime;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::epoch::is_of_another_model;
use crate::store::epoch::judge::Judge;
use crate::store::epoch::prepare::{carry, encode_again, set_defaults};
use crate::store::{Epochs, Store};

/// The state of a replay: a graph, and how far the log was applied to it.
pub(in crate::store) struct Replay {
    pub graph: Graph<Flat>,
    pub next: Seq,
    pub epochs: Arc<Epochs>,
    /// The time of the last transaction.
    pub time: Timestamp,
}

impl<M: Model> Store<M> {
    /// Returns the items that the last schema of the log has and the model of this program does not have: entities, states, fields,
    /// edges and events, which the store does not show, and rules. It is empty unless a newer version of the program has continued
    /// the log and the store is open for reading only. O(size of the two schemas).
    #[must_use]
    pub fn unseen(&self) -> Vec<Item> {
        let ours = &self.plan.layout.schema;
        let last = self.epochs.list.last();
        let changes = last.map(|last| last.schema.compatibility(ours).differences);
        let removed = |difference: Difference| match difference.change {
            Change::Removed(item) => Some(item),
            _ => None,
        };
        let changes = changes.unwrap_or_default().into_iter();
        changes.filter_map(removed).collect()
    }

    /// Exchanges the graph of the store, and how far the log was applied to it, with those of a replay.
    pub(in crate::store) fn exchange(&mut self, with: Replay) -> Replay {
        let time = self.core.open.clock.last();
        self.core.open.clock = TransactionTime::after(with.time, &self.plan.clock);
        Replay {
            graph: std::mem::replace(&mut self.core.graph, with.graph),
            next: std::mem::replace(&mut self.next, with.next),
            epochs: std::mem::replace(&mut self.epochs, with.epochs),
            time,
        }
    }

    /// If the graph is that of a schema of another shape, makes it one of the model, and keeps the other to replay what follows.
    pub(in crate::store) fn show_in_program(&mut self) -> Result<(), OpenError> {
        if M::IS_DYNAMIC || self.log.is_writable() || self.epochs.end_in_program() {
            return Ok(());
        }
        let shown = self.carried_to_program();
        let shown = shown.map_err(|e| self.place_open(e))?;
        let (next, epochs) = (self.next, Arc::clone(&self.epochs));
        let time = self.core.open.clock.last();
        let own = self.exchange(Replay {
            graph: shown,
            next,
            epochs,
            time,
        });
        self.replayed = Some(Box::new(own));
        Ok(())
    }

    fn carried_to_program(&self) -> Result<Graph<Flat>, OpenError> {
        let ours = &self.plan.layout.schema;
        let Some(last) = self.epochs.list.last() else {
            let what = "a log without a schema has no graph";
            return Err(StorageError::new(StorageFailure::Internal, what).into());
        };
        let shown = project(&self.core.graph, &last.schema, &self.plan, true);
        let core = shown.map_err(|e| match e {
            NotProjected::Differences(differences) => OpenError::Schema {
                model: ours.name.as_str().into(),
                seq: last.from,
                location: None,
                is_newer: self.epochs.have_schema(ours),
                differences,
            },
            NotProjected::Invalid(e) => e.into(),
        })?;
        Ok(core.graph)
    }
}

/// Why a graph cannot be carried over.
pub(crate) enum NotProjected {
    /// Differences that are not taken without code.
    Differences(Vec<RefusedDifference>),
    /// A value that the model does not read, or something that it needs and the graph lacks.
    Invalid(MigrationError),
}

impl From<MigrationError> for NotProjected {
    fn from(e: MigrationError) -> Self {
        Self::Invalid(e)
    }
}

/// Carries a graph over to a model, by names and defaults alone. What the model does not know is left out if `leaves_out`, except for
/// states that entities are in. Otherwise the graph must have no such data. O(size of the graph).
pub(crate) fn project(
    graph: &Graph<Flat>,
    schema: &Schema,
    plan: &Plan,
    leaves_out: bool,
) -> Result<Core, NotProjected> {
    let ours = &plan.layout.schema;
    let renamed = schema.with_names_of(ours);
    let refused = refused(graph, (schema, &renamed), plan, leaves_out);
    if !refused.is_empty() {
        return Err(NotProjected::Differences(refused));
    }
    let map = CarryMap::by_name(&renamed, ours);
    let mut core: Core = flat::core(plan, None);
    core.graph = carry(graph, plan, &map)?;
    core.begin();
    encode_again(&mut core)?;
    set_defaults(&mut core, plan, &map).map_err(MigrationError::new)?;
    core.graph.must_be_whole().map_err(MigrationError::new)?;
    core.fingerprint();
    core.keep();
    Ok(core)
}

/// Returns the differences because of which a graph is not carried over.
fn refused(
    graph: &Graph<Flat>,
    (schema, renamed): (&Schema, &Schema),
    plan: &Plan,
    leaves_out: bool,
) -> Vec<RefusedDifference> {
    let ours = &plan.layout.schema;
    let is_other = is_of_another_model(renamed, ours);
    let is_left_out = |change: &Change| {
        let Change::Removed(item) = change else {
            return false;
        };
        leaves_out && !is_other && !matches!(item, Item::State { .. } | Item::Unknown(_))
    };
    let mut all = schema.compatibility(ours).differences;
    all.retain(|difference| difference.is_of_shape() && !is_left_out(&difference.change));
    if is_other {
        return all.into_iter().map(RefusedDifference::unchecked).collect();
    }
    let compatibility = Compatibility { differences: all };
    let mut judge = Judge::new(graph, renamed, plan);
    let refused = compatibility.refused(|check| judge.usage(check));
    refused.iter().map(RefusedDifference::of).collect()
}
