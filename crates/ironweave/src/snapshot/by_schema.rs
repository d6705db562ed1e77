//! Speculation by the schema of a log alone, without the code of the program.

use std::sync::Arc;

use serde::Deserializer;

use crate::base::error::{Name, NeededCode, NotCarried, StepError, TrialError};
use crate::base::meta::Meta;
use crate::graph::Graph;
use crate::graph::carry::CarryMap;
use crate::graph::column::ColumnTypes;
use crate::graph::paged::Paged;
use crate::schema::{EventDef, Schema};
use crate::snapshot::{AnyOutcome, Snapshot};
use crate::step::Core;
use crate::step::by_schema::{EventBySchema, GivenEvent};
use crate::step::dynamic::Dynamic;
use crate::step::plan::{Plan, SchemaPlan};
use crate::store::AnyReceipt;
use crate::store::record::{GraphContext, Record};
use crate::store::version::Version;

/// Returns the code that an event needs to be fired, whatever the graph is: a guard, its handler, or a type of the program. `None` if
/// it can be tried by its schema alone, see [`Snapshot::with_by_name`](crate::Snapshot::with_by_name). Even then it may need an
/// invariant, or code of the immediate events that follow from it, which depends on the graph. O(size of the schema).
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::dynamic::code_needed_by;
/// use ironweave::prelude::*;
///
/// let store = Store::<lamps::Model>::memory();
/// let schema = store.schema();
/// let lit = schema.events.iter().find(|event| event.name == "Lit").unwrap();
/// assert_eq!(code_needed_by(schema, lit), None);
/// ```
#[must_use]
pub fn code_needed_by(schema: &Schema, event: &EventDef) -> Option<NeededCode> {
    SchemaPlan::unknown_part(schema).or_else(|| SchemaPlan::needs(schema, event))
}

impl Snapshot<Dynamic> {
    /// Fires an event by the schema of the log, without the program that has the model. The event is in any format of serde, with names
    /// and values as [`AnyEvent`](crate::AnyEvent) has them, except that the fields have the names of the schema. Returns what
    /// [`with_any`](Snapshot::with_any) returns in the program: the snapshot in which the event has fired, the entities that it bound
    /// and created, and the record with its facts. Nothing is written, and this snapshot does not change.
    ///
    /// The schema has the arcs of the event and of the immediate events that follow from it. Guards, handlers and invariants are code of
    /// the program, and so are types that it defines. An event that needs one of these is refused with an error that names it, and
    /// never simulated without it. The limits of immediate events are those of a store with default options.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::dynamic::Dynamic;
    /// use ironweave::prelude::*;
    /// use lamps::Bought;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<lamps::Model>::open(dir)?;
    /// store.try_step(Bought { room: "hall".into() })?;
    ///
    /// // In another program, which does not have the module `lamps`:
    /// let mut store = Store::<Dynamic>::open_read_only(dir)?;
    /// let event = serde_json::json!({"Lit": {"lamp": "hall"}});
    /// let outcome = store.snapshot().with_by_name(Meta::new(), event)?;
    /// let hall = outcome.snapshot.by_name().find("Lamp", "hall")?.expect("it was bought");
    /// assert_eq!(hall.state(), "On");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// O(size of the schema + tables + what the event changes). If the model has immediate events, O(size of the graph) too: what
    /// enables them is not counted in a graph that only replays a log.
    ///
    /// # Errors
    /// - `Event` if it is not an event of the schema, or if a field is unknown, missing or of another type.
    /// - `NeedsCode` with the code of the program that it needs.
    /// - `Rejected` if the program would reject it, as [`Store::try_step`](crate::Store::try_step).
    /// - `Graph` if the snapshot has a value that its schema does not permit.
    pub fn with_by_name<'de>(
        &self,
        meta: Meta,
        event: impl Deserializer<'de>,
    ) -> Result<AnyOutcome<Dynamic>, TrialError> {
        if self.is_partial {
            return Err(TrialError::Event {
                reason: "the snapshot is within a migration, when no event can fire".to_owned(),
            });
        }
        let given = GivenEvent::read(self.schema(), event).map_err(|e| TrialError::Event {
            reason: e.to_string(),
        })?;
        self.with_given(meta, given)
    }

    fn with_given(&self, meta: Meta, given: GivenEvent) -> Result<AnyOutcome<Dynamic>, TrialError> {
        let own = &self.state;
        let schema = self.schema();
        let name: Name = schema[given.event].name.as_str().into();
        let needs = |code| TrialError::NeedsCode {
            event: Arc::clone(&name),
            code,
        };
        let plan = SchemaPlan::new(schema, &meta, own.plan.limits, own.plan.clock.clone());
        let event = EventBySchema::new(schema, &plan, given).map_err(needs)?;
        let SchemaPlan {
            plan,
            events,
            noticed,
        } = plan;
        let version = Version {
            graph: by_plan(&own.graph, &plan).map_err(TrialError::Graph)?,
            plan: Arc::new(plan),
            at: own.at,
            paranoid: false,
            lineage: own.lineage,
        };
        let fired = version.step(meta, &event);
        if let Some(code) = noticed.get() {
            return Err(needs(code.clone()));
        }
        let (_, names, transaction) = fired.map_err(|e| match e {
            // No guard and no invariant is linked in, so that each that is asked is needed.
            StepError::Guard { event: of, .. } => {
                let ix = schema.events.iter().position(|def| *def.name == *of);
                let code = ix.and_then(|ix| events[ix].needs.clone());
                needs(code.unwrap_or(NeededCode::Handler { event: of }))
            }
            StepError::Invariant {
                invariant, entity, ..
            } => needs(NeededCode::Invariant { invariant, entity }),
            e => TrialError::Rejected(e),
        })?;
        let receipt = AnyReceipt::new((own.at.next(), false), &event, &names, &version.plan);
        // The snapshot is one of this store: it has its plan, and shares its pages.
        let mut core = Core::new(own.graph.fork());
        (core.replay(&transaction.decoded.facts, transaction.fingerprint)).map_err(|reason| {
            TrialError::Event {
                reason: format!("its facts cannot be applied: {reason}"),
            }
        })?;
        let at = crate::store::version::At {
            seq: Some(transaction.seq),
            time: transaction.decoded.time,
            position: None,
        };
        let state = own.with_graph(core.graph, at);
        let transaction = transaction.by_plan(&own.plan);
        Ok(AnyOutcome {
            record: Record::new(transaction)
                .with_context(Some(Arc::clone(&state) as Arc<dyn GraphContext>)),
            snapshot: Self::of(state),
            applied: receipt.into(),
        })
    }
}

/// Returns a graph of the schema of a plan with what the graph has. O(tables), or O(size of the graph) if it must count what enables
/// immediate events.
fn by_plan(graph: &Graph<Paged>, plan: &Plan) -> Result<Graph<Paged>, Box<NotCarried>> {
    if graph.layout.is_untyped && plan.layout.immediates.is_empty() {
        let mut graph = graph.fork();
        graph.layout = Arc::clone(&plan.layout);
        return Ok(graph);
    }
    let ColumnTypes { columns, data } = &plan.columns;
    let schema = &plan.layout.schema;
    let map = CarryMap::by_name(schema, schema);
    graph.carried_over(&plan.layout, (columns, data), &map)
}
