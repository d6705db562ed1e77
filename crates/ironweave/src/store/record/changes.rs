//! Owned facts: the difference of two snapshots, or the facts of several transactions.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Facts, GraphContext, net};
use crate::graph::fact::Facts as RawFacts;
use crate::graph::layout::Layout;

/// Owned facts that are not those of a single transaction: the difference of two snapshots, or the facts of several
/// transactions one after the other.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Discarded, Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let start = store.seq().expect("the log begins with its schema");
/// store.step(Lit { lamp: "hall".into() });
/// store.step(Lit { lamp: "kitchen".into() });
/// store.step(Discarded { lamp: "hall".into() });
///
/// // The net changes since `start`.
/// let mut changes = store.begin().facts().to_changes();
/// for record in store.since(start)? {
///     changes.append(record?.facts());
/// }
/// assert_eq!(changes.facts().created::<Lamp>().len(), 1);
/// let burning = changes.facts().entered::<Lamp, On>();
/// let kitchen = store.find::<Lamp>("kitchen");
/// assert_eq!(burning.iter().map(|lamp| lamp.handle()).collect::<Vec<_>>(), [kitchen]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Changes<M> {
    facts: RawFacts,
    layout: Arc<Layout>,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Changes<M> {
    fn clone(&self) -> Self {
        Self {
            facts: self.facts.clone(),
            layout: Arc::clone(&self.layout),
            model: PhantomData,
        }
    }
}

impl<M> Changes<M> {
    pub(crate) fn new(facts: RawFacts, layout: Arc<Layout>) -> Self {
        Self {
            facts,
            layout,
            model: PhantomData,
        }
    }

    /// The facts that lead to a graph, in which the generations of entities are looked up.
    pub(crate) fn before(
        after: &dyn GraphContext,
        mut facts: RawFacts,
        layout: Arc<Layout>,
    ) -> Self {
        let all = 0..facts.list.len();
        let generations = net::generations(&facts, all, &layout, Some(after));
        facts.generations = generations.unwrap_or_default();
        Self::new(facts, layout)
    }

    /// Returns the facts without the type of the model.
    #[cfg(feature = "sqlite")]
    pub(crate) fn raw(&self) -> &RawFacts {
        &self.facts
    }

    /// Returns the facts in order.
    #[must_use]
    pub fn facts(&self) -> Facts<'_, M> {
        Facts::new(&self.facts, &self.layout)
    }

    /// Returns the number of facts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.list.len()
    }

    /// Returns whether there are no facts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.list.is_empty()
    }

    /// Appends facts that happened after these. O(appended facts and their values).
    ///
    /// If facts of format version 2 are appended whose record does not know the generations of all entities, those of all
    /// facts are forgotten; see [`Occupant`](crate::Occupant).
    #[inline]
    pub fn append(&mut self, facts: Facts<'_, M>) {
        facts.append_to(&mut self.facts);
    }

    /// Removes all facts and keeps the allocated memory.
    pub fn clear(&mut self) {
        self.facts.clear();
    }
}

/// Two lists are equal if they have the same facts with the same values in the same order.
impl<M> PartialEq for Changes<M> {
    fn eq(&self, other: &Self) -> bool {
        self.facts() == other.facts()
    }
}

impl<M> fmt::Display for Changes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.facts(), f)
    }
}

impl<M> fmt::Debug for Changes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.facts(), f)
    }
}
