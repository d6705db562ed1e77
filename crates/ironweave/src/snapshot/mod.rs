//! Snapshots: immutable values of a whole graph, and what can be asked of them.
//!
//! A [`Snapshot`] is a graph of shared pages ([`crate::graph::paged`]). It is read through [`Db`] as a store is, on
//! any thread, and never changes. [`with`](Snapshot::with) gives another one, in which an event has fired;
//! [`into_store`](Snapshot::into_store) a store in memory that begins there; [`diff`](Snapshot::diff) what leads from
//! one to another.
//!
//! `store.rs` is what this layer adds to the store. Snapshots are clones of its [`replica`]; [`keyframes`] keeps some of
//! them for questions about the past.

mod diff;
pub(crate) mod keyframes;
mod reader;
pub(crate) mod replica;
mod store;
mod with;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

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
/// // Two that could happen, and neither does.
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
            model: PhantomData,
        }
    }

    /// The last frame of the log that is in it; of one that [`with`](Snapshot::with) gave, the one that its event
    /// would have had.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.state.at.seq
    }

    /// The position of the last frame in it; `None` of one that [`with`](Snapshot::with) gave, since no log has its event,
    /// and of a store without a log.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.state.at.position
    }

    /// The time of the last transaction in it.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.state.at.time
    }

    /// A digest of the graph; see [`Store::fingerprint`](crate::Store::fingerprint).
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.state.graph.fingerprint
    }

    /// The model as plain data.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.state.plan.layout.schema
    }

    /// As [`Store::check`](crate::Store::check).
    #[must_use]
    pub fn check(&self) -> Vec<Inconsistency> {
        self.state.differences()
    }
}

impl<M: Model> Clone for Snapshot<M> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.state))
    }
}

impl<M: Model> fmt::Debug for Snapshot<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq().map_or_else(String::new, |seq| seq.to_string());
        write!(f, "Snapshot<{}>({seq})", M::NAME)
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
