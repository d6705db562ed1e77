//! The options of migrations: the code that changes the stored data, and the dry run.

mod report;

use std::collections::BTreeMap;
use std::path::Path;

pub use report::{Dropped, DroppedKind, MigrationReport, ReportedDifference};

use crate::base::error::{MigrationError, Name, OpenError};
use crate::base::position::Seq;
use crate::db::named::GraphView;
use crate::graph::carry::{CarrySummary, Lost};
use crate::graph::fact::Fact;
use crate::log::{ReadOnlyLog, frame_bytes};
use crate::schema::Difference;
use crate::step::Core;
use crate::step::migrate::{Migration, MigrationCode};
use crate::step::model::Model;
use crate::store::epoch::Prepared;
use crate::store::{Backend, FactKind, Options, Store};

impl<M: Model> Options<M> {
    /// Sets the code that changes the stored data of a store that was written with another version of the model. It runs when the
    /// store is opened for writing and stored data must change, because the new model has another form for it or a rule that it does
    /// not keep, and only then. What it does is logged, at the beginning of a new epoch, so that the next opening does not run it again.
    ///
    /// The first argument is the graph as it was, which is read by the names of the schema of then. The second one is the graph
    /// of the new model, to which everything was carried over that both models have by name: entities with their ids, states,
    /// values, and links in their order. New fields have their defaults. It is read with the types of the model and changed by
    /// name; see [`Migration`].
    ///
    /// With a migration, differences are taken that are refused otherwise. When the code returns, each entity must have its
    /// fields, the data of its state and the links that it must have, and must have been moved or deleted if the model does not
    /// have its state. Then the immediate events that are enabled fire, and invariants must hold. If the code returns an error or
    /// panics, or if something is left undone, the log is unchanged. A crash leaves the old epoch or the whole new one.
    ///
    /// ```
    /// mod v1 {
    ///     #[ironweave::model]
    ///     pub mod desk {
    ///         use ironweave::prelude::*;
    ///
    ///         #[entity]
    ///         pub struct Order {
    ///             #[key]
    ///             pub number: u32,
    ///             pub customer: String,
    ///         }
    ///         #[event]
    ///         #[create(order: Order { number, customer })]
    ///         pub struct Ordered { pub number: u32, pub customer: String }
    ///     }
    /// }
    /// mod v2 {
    ///     #[ironweave::model]
    ///     pub mod desk {
    ///         use ironweave::prelude::*;
    ///
    ///         #[entity]
    ///         pub struct Customer {
    ///             #[key]
    ///             pub name: String,
    ///             #[inverse(Order::customer)]
    ///             pub orders: Many<Order>,
    ///         }
    ///         #[entity]
    ///         pub struct Order {
    ///             #[key]
    ///             pub number: u32,
    ///             pub customer: Customer,
    ///         }
    ///         #[event]
    ///         #[create(order: Order { number })]
    ///         #[link(order.customer += customer)]
    ///         pub struct Ordered { pub number: u32, pub customer: Ensure<Customer> }
    ///     }
    /// }
    /// use ironweave::prelude::*;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<v1::desk::Model>::open(dir)?;
    /// store.try_step(v1::desk::Ordered { number: 1, customer: "Ada".into() })?;
    /// drop(store);
    ///
    /// use v2::desk::{Customer, Model};
    /// let options = Store::<Model>::options().migrate(|old, new| {
    ///     for order in old.entity_type("Order")?.entities() {
    ///         let name: String = order.get("customer")?;
    ///         let customer = match new.find::<Customer>(&name) {
    ///             Some(customer) => customer,
    ///             None => new.create(&[("name", &name)])?,
    ///         };
    ///         new.link(order, "customer", customer)?;
    ///     }
    ///     Ok(())
    /// });
    /// let store = options.open(dir)?;
    /// let ada = store.find::<Customer>("Ada").expect("she was created");
    /// assert_eq!(ada.orders(&store).next().map(|order| order.number(&store)), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn migrate(
        mut self,
        code: impl FnOnce(GraphView<'_>, &mut Migration<'_, M>) -> Result<(), MigrationError>
        + Send
        + 'static,
    ) -> Self {
        self.code = Some(MigrationCode::new(code));
        self
    }

    /// Does what [`open`](Options::open) would do with the store in a directory, and writes nothing. Another process may have the
    /// store open for writing. Takes as much time and memory as an opening and its migration.
    ///
    /// # Errors
    /// As [`Store::open_read_only`]; `Schema` if the model cannot continue the log, and `Migration` if the migration fails.
    pub fn migrate_dry_run(self, dir: impl AsRef<Path>) -> Result<MigrationReport, OpenError> {
        let archives = self.archives.as_deref();
        let log = ReadOnlyLog::open_from_checkpoint(dir.as_ref(), archives)?;
        let log = Backend::ReadOnly(Box::new(log));
        let mut store = Store::<M>::unread(log, self.limits, self.clock, self.bounds)?;
        store.dry_run(self.code)
    }
}

impl<M: Model> Store<M> {
    /// Prepares the epoch that an opening would write.
    fn dry_run(&mut self, code: Option<MigrationCode>) -> Result<MigrationReport, OpenError> {
        self.open_from_checkpoint();
        self.check_beginning()?;
        // The graph stays that of the last schema of the log.
        (self.apply_frames(&mut None)).map_err(|e| e.map_storage(|e| self.log.place(e)))?;
        self.core.graph.sort_acyclic_edges();
        (self.epochs.check_all_known()).map_err(|e| self.log.place(e))?;
        let model = self.plan.layout.schema.name.as_str().into();
        let seq = self.seq();
        if self.epochs.list.is_empty() || self.epochs.continue_with(&self.plan.layout.schema) {
            let fingerprint = self.core.graph.fingerprint;
            return Ok(MigrationReport::of_nothing(model, seq, fingerprint));
        }
        let prepared = self.prepare_epoch(code)?;
        let mut report = MigrationReport::of_nothing(model, seq, self.core.fingerprint());
        report.add(&prepared, facts(&self.core));
        Ok(report)
    }
}

/// The facts of the open transaction by kind and item.
fn facts(core: &Core) -> Vec<(FactKind, Name, u64)> {
    let layout = &core.graph.layout;
    let mut counts = BTreeMap::new();
    let seen = core.open.journal.try_each_fact_after(0, |fact| {
        let entity = |ix| &layout.entities[usize::from(ix)].name;
        let end = |ix| &layout.edges[usize::from(ix)].from.path;
        let (kind, item) = match fact {
            Fact::Create { entity: ix, .. } => (FactKind::Create, entity(ix)),
            Fact::Delete { entity: ix, .. } => (FactKind::Delete, entity(ix)),
            Fact::Move { entity: ix, .. } => (FactKind::Move, entity(ix)),
            Fact::Set { column, .. } => (FactKind::Set, &layout.columns[usize::from(column)].path),
            Fact::Link { edge, .. } => (FactKind::Link, end(edge)),
            Fact::Unlink { edge, .. } => (FactKind::Unlink, end(edge)),
            Fact::SetLink { edge, .. } => (FactKind::SetLink, end(edge)),
        };
        let (_, count) = counts.entry((kind as u8, item)).or_insert((kind, 0u64));
        *count += 1;
        Ok::<_, std::convert::Infallible>(())
    });
    let Ok(()) = seen;
    let count = |((_, item), (kind, n)): ((u8, &Name), (FactKind, u64))| (kind, item.clone(), n);
    counts.into_iter().map(count).collect()
}

impl MigrationReport {
    /// The report of an opening that changes no stored data.
    fn of_nothing(model: Name, seq: Option<Seq>, fingerprint: u128) -> Self {
        Self {
            model,
            seq,
            differences: Vec::new(),
            carried: Vec::new(),
            dropped: Vec::new(),
            facts: Vec::new(),
            frames: 0,
            bytes: 0,
            fingerprint,
        }
    }

    /// Adds the epoch that an opening would write.
    fn add(&mut self, prepared: &Prepared, facts: Vec<(FactKind, Name, u64)>) {
        let Prepared {
            compatibility,
            refused,
            frames,
            carried,
        } = prepared;
        let difference = |difference: &Difference| {
            let of = refused
                .iter()
                .find(|refused| refused.difference == *difference);
            ReportedDifference {
                text: of.map_or_else(|| difference.change.to_string(), ToString::to_string),
                is_refused: of.is_some(),
                is_of_data: difference.is_of_shape(),
            }
        };
        self.differences = compatibility.differences.iter().map(difference).collect();
        if let Some(CarrySummary { carried, dropped }) = carried {
            self.carried.clone_from(carried);
            self.dropped = (dropped.iter())
                .map(|(kind, item, count)| Dropped {
                    kind: match kind {
                        Lost::Entities => DroppedKind::Entities,
                        Lost::Values => DroppedKind::Values,
                        Lost::Links => DroppedKind::Links,
                        Lost::LinkData => DroppedKind::LinkData,
                    },
                    item: item.clone(),
                    count: *count,
                })
                .collect();
            self.facts = facts;
        }
        self.frames = frames.len() as u64;
        self.bytes = (frames.iter())
            .map(|(_, payload)| frame_bytes(payload.len()) as u64)
            .sum();
    }
}
