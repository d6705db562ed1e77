//! Graphs of the past with the types of a model: those that have them already, and others that are carried over.

use std::any::TypeId;
use std::sync::Arc;

use crate::base::error::{MigrationError, UpgradeError};
use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::snapshot::Snapshot;
use crate::step::dynamic::Dynamic;
use crate::step::flat;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::epoch::{NotProjected, project};
use crate::store::version::Version;

impl Snapshot<Dynamic> {
    /// Returns the snapshot with the types of a model, which may be another one than that of its schema: a graph of the past is read
    /// with the types of today. It is what a store would begin its epoch with if the log ended there and the program had no
    /// migration. Entities have the same ids. What was renamed has its name of today, numbers that were widened and values of types that
    /// have changed inside are read as their types of today, and fields that did not exist yet have their
    /// [`#[default]`](macro@crate::model) or `None`.
    ///
    /// The code of a migration is not run on the past. So differences of the schemas are taken only if they need no code, and if the
    /// graph of then permits them. Nothing is left out: a field, an edge, a state or an entity type that the model does not have any
    /// more must not have been in use.
    ///
    /// The result answers all that a snapshot answers. It has the sequence, the position and the time of this snapshot. Its
    /// [fingerprint](Snapshot::fingerprint) is that of the graph of the model, which is in no log. A rule of the model, such
    /// as an invariant, need not hold in it, and immediate events may be enabled. [`diff`](Snapshot::diff) compares it with
    /// other snapshots of the store.
    ///
    /// ```
    /// mod v1 {
    ///     #[ironweave::model]
    ///     pub mod garden {
    ///         use ironweave::prelude::*;
    ///
    ///         #[entity]
    ///         pub struct Plant {
    ///             #[key]
    ///             pub name: String,
    ///             pub height: u16,
    ///         }
    ///         #[event]
    ///         #[create(plant: Plant { name, height })]
    ///         pub struct Planted { pub name: String, pub height: u16 }
    ///     }
    /// }
    /// mod v2 {
    ///     #[ironweave::model]
    ///     pub mod garden {
    ///         use ironweave::prelude::*;
    ///
    ///         #[entity]
    ///         pub struct Plant {
    ///             #[key]
    ///             pub name: String,
    ///             #[renamed(from = "height")]
    ///             pub centimeters: u32,
    ///             pub bed: Option<String>,
    ///         }
    ///         #[event]
    ///         #[set(plant.bed = bed)]
    ///         pub struct Moved { pub plant: Key<Plant>, pub bed: Option<String> }
    ///     }
    /// }
    /// use ironweave::prelude::*;
    /// use v2::garden::{Model, Moved, Plant};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<v1::garden::Model>::open(dir)?;
    /// let event = v1::garden::Planted { name: "fig".into(), height: 30 };
    /// let planted = store.try_step(event)?.seq;
    /// drop(store);
    /// let mut store = Store::<Model>::open(dir)?;
    /// store.try_step(Moved { plant: "fig".into(), bed: Some("south".into()) })?;
    ///
    /// // The graph of then has another shape, so that it is read by name, or carried over to the model of today.
    /// assert!(store.as_of(planted).is_err());
    /// let then = store.as_of_by_name(planted)?.upgrade::<Model>()?;
    /// let fig = then.find::<Plant>("fig").expect("it was planted");
    /// assert_eq!(fig.centimeters(&then), 30);
    /// assert!(fig.bed(&then).is_none());
    /// assert_eq!(fig.bed(&store).as_deref(), Some("south"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// O(1) if the graph has the types of the model already, as in the epochs that [`Store::as_of`](crate::Store::as_of) reads.
    /// Otherwise O(size of the graph + size of the schemas), with two more copies of the graph in memory until it returns.
    ///
    /// # Errors
    /// - `Schema` with all differences that are not taken, each with the data because of which it is not.
    /// - `WithinMigration` if the last frame of the snapshot is within a migration.
    /// - `Invalid` if a value cannot be read as one of the type of today.
    pub fn upgrade<M: Model>(&self) -> Result<Snapshot<M>, UpgradeError> {
        if self.is_partial && !M::IS_DYNAMIC {
            let seq = self.seq().unwrap_or_default();
            return Err(UpgradeError::WithinMigration { seq });
        }
        if let Some(typed) = self.typed() {
            return Ok(typed);
        }
        let Version {
            plan: own,
            graph,
            at,
            paranoid,
            lineage,
        } = &*self.state;
        let invalid = |reason| UpgradeError::Invalid {
            seq: at.seq,
            reason: Box::new(reason),
        };
        let plan = Plan::of::<M>(own.limits, own.clock.clone());
        let plan = plan.map_err(|e| invalid(MigrationError::new(e)))?;
        let graph = carried_over(graph, own, &plan).map_err(|e| match e {
            NotProjected::Differences(differences) => UpgradeError::Schema {
                model: plan.layout.schema.name.as_str().into(),
                seq: at.seq,
                differences,
            },
            NotProjected::Invalid(e) => invalid(e),
        })?;
        Ok(Snapshot::of(Arc::new(Version {
            plan: Arc::new(plan),
            graph,
            at: *at,
            paranoid: *paranoid,
            lineage: *lineage,
        })))
    }

    /// Returns the snapshot with the types of a model, if it has them already.
    pub(crate) fn typed<M: Model>(&self) -> Option<Snapshot<M>> {
        let is_typed = || !self.is_partial && self.state.plan.model == Some(TypeId::of::<M>());
        let version = || Snapshot::of(Arc::clone(&self.state)).partial_if(self.is_partial);
        (M::IS_DYNAMIC || is_typed()).then(version)
    }
}

/// Carries a graph over to a model without leaving anything out.
fn carried_over(
    graph: &Graph<Paged>,
    own: &Plan,
    plan: &Plan,
) -> Result<Graph<Paged>, NotProjected> {
    let old = flat::core(own, Some(graph));
    let core = project(&old.graph, &graph.layout.schema, plan, false)?;
    drop(old);
    Ok(flat::paged(&core, plan))
}
