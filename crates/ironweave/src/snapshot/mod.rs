//! Snapshots: immutable values of a whole graph.
//!
//! A [`Snapshot`] is a graph of shared pages ([`crate::graph::paged`]). It is read through [`Db`] as a store is, on
//! any thread, and never changes. [`with`](Snapshot::with) returns a snapshot in which an event has fired.
//! [`into_store`](Snapshot::into_store) returns a store in memory that begins at the snapshot. [`diff`](Snapshot::diff)
//! returns the facts that lead from one snapshot to another.
//!
//! `store.rs` has the methods that this layer adds to the store. Snapshots are clones of its [`replica`]; [`keyframes`]
//! keeps some of them for queries of the past.

mod by_schema;
mod diff;
pub(crate) mod keyframes;
mod reader;
pub(crate) mod replica;
mod store;
mod upgrade;
mod with;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use by_schema::code_needed_by;
pub use reader::StoreReader;
pub use with::{AnyOutcome, Outcome};

use crate::base::error::Inconsistency;
use crate::base::position::Position;
use crate::base::position::Seq;
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::graph::GraphRef;
use crate::schema::Schema;
use crate::step::Core;
use crate::step::due::{DueEvent, due_events};
use crate::step::dynamic::Dynamic;
use crate::step::model::Model;
use crate::store::version::Version;

/// An immutable value of the whole graph, as it was after one transaction. A clone is O(1).
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// store.step(Lit { lamp: "hall".into() });
/// let then = store.snapshot();
///
/// // Events on snapshots leave the store and the snapshot unchanged.
/// let kitchen = then.with(Lit { lamp: "kitchen".into() })?.snapshot;
/// let both = kitchen.with(Lit { lamp: "cellar".into() })?.snapshot;
/// assert!(kitchen.with(Lit { lamp: "hall".into() }).is_err());
/// let burning = |db: &Snapshot<lamps::Model>| db.count::<Lamp, On>();
/// assert_eq!((burning(&then), burning(&kitchen), burning(&both)), (1, 2, 3));
/// assert_eq!(store.count::<Lamp, On>(), 1);
/// # Ok::<(), StepError>(())
/// ```
pub struct Snapshot<M: Model> {
    pub(crate) state: Arc<Version>,
    /// Whether its last frame is within a migration.
    is_partial: bool,
    model: PhantomData<fn() -> M>,
}

impl Version {
    fn differences(&self) -> Vec<Inconsistency> {
        Core::new(self.graph.fork()).differences(&self.plan)
    }
}

impl<M: Model> Snapshot<M> {
    pub(crate) fn of(state: Arc<Version>) -> Self {
        Self {
            state,
            is_partial: false,
            model: PhantomData,
        }
    }

    /// Returns the snapshot of a version whose last frame is within a migration if `is_partial`.
    pub(crate) fn partial_if(mut self, is_partial: bool) -> Self {
        self.is_partial = is_partial;
        self
    }

    /// Returns the sequence of the last frame in the snapshot. A snapshot returned by [`with`](Snapshot::with) has the sequence
    /// that the transaction of its event would have.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.state.at.seq
    }

    /// Returns the position of the last frame in the snapshot, or `None` if no log has it: for a snapshot returned by
    /// [`with`](Snapshot::with), and for a store without a log.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.state.at.position
    }

    /// Returns the time of the last transaction in the snapshot.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.state.at.time
    }

    /// Returns a digest of the graph; see [`Store::fingerprint`](crate::Store::fingerprint).
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.state.graph.fingerprint
    }

    /// Returns the model as plain data.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.state.plan.layout.schema
    }

    /// Returns the snapshot without the types of its model, for code that reads the graphs of any store by name. O(1).
    #[must_use]
    pub fn to_dynamic(&self) -> Snapshot<Dynamic> {
        Snapshot::of(Arc::clone(&self.state)).partial_if(self.is_partial)
    }

    /// Recomputes all derived state and returns every inconsistency, as [`Store::check`](crate::Store::check).
    #[must_use]
    pub fn check(&self) -> Vec<Inconsistency> {
        self.state.differences()
    }
}

impl<M: Model> Clone for Snapshot<M> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.state)).partial_if(self.is_partial)
    }
}

impl<M: Model> fmt::Debug for Snapshot<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq().map_or_else(String::new, |seq| seq.to_string());
        write!(f, "Snapshot<{}>({seq})", M::NAME)
    }
}

impl<M: Model> Snapshot<M> {
    /// Returns the events that are due at a time in this graph, in order; see [`Store::due`](crate::Store::due).
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = DueEvent<M>> {
        due_events(self.graph(), now)
    }
}

impl<M: Model> Db for Snapshot<M> {
    type List<'a, I: Iterator + 'a>
        = I
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> I {
        items
    }

    #[inline]
    fn graph(&self) -> GraphRef<'_> {
        GraphRef::Paged(&self.state.graph)
    }
}
