//! Facts that own themselves: the difference of two snapshots, or what several transactions add up to.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Facts, Surroundings};
use crate::graph::fact::Facts as RawFacts;
use crate::graph::layout::Layout;

/// Facts that are no single transaction: the difference of two snapshots, or the facts of several transactions one after
/// the other.
///
/// ```
/// # #[ironweave::model]
/// # pub mod lamps {
/// #     use ironweave::prelude::*;
/// #     /// A lamp.
/// #     #[entity]
/// #     pub struct Lamp {
/// #         /// Where it stands.
/// #         #[key]
/// #         pub room: String,
/// #     }
/// #     /// Whether it burns.
/// #     #[states(Lamp)]
/// #     pub enum LampState {
/// #         /// It does not.
/// #         #[initial]
/// #         #[to(On)]
/// #         Off,
/// #         /// It does.
/// #         #[to(Off)]
/// #         On,
/// #     }
/// #     /// Somebody presses the switch.
/// #     #[event]
/// #     #[moves(lamp: Off -> On)]
/// #     pub struct Lit {
/// #         /// Which one.
/// #         pub lamp: Ensure<Lamp>,
/// #     }
/// #     /// Somebody presses it again.
/// #     #[event]
/// #     #[moves(lamp: On -> Off)]
/// #     pub struct Dimmed {
/// #         /// Which one.
/// #         pub lamp: Key<Lamp>,
/// #     }
/// # }
/// use ironweave::prelude::*;
/// use lamps::{Dimmed, Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let start = store.seq().expect("the log begins with its schema");
/// store.step(Lit { lamp: "hall".into() });
/// store.step(Lit { lamp: "kitchen".into() });
/// store.step(Dimmed { lamp: "hall".into() });
///
/// // What has changed since, on balance.
/// let mut changes = store.begin().facts().to_changes();
/// for record in store.since(start)? {
///     changes.append(record?.facts());
/// }
/// assert_eq!(changes.facts().created::<Lamp>().len(), 2);
/// let burning = changes.facts().entered::<Lamp, On>();
/// let kitchen = store.find::<Lamp>("kitchen");
/// assert_eq!(burning.iter().map(|lamp| lamp.handle()).collect::<Vec<_>>(), [kitchen]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Changes<M> {
    facts: RawFacts,
    layout: Arc<Layout>,
    surroundings: Option<Arc<dyn Surroundings>>,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Changes<M> {
    fn clone(&self) -> Self {
        Self {
            facts: self.facts.clone(),
            layout: Arc::clone(&self.layout),
            surroundings: self.surroundings.clone(),
            model: PhantomData,
        }
    }
}

impl<M> Changes<M> {
    pub(crate) fn new(facts: RawFacts, layout: Arc<Layout>) -> Self {
        Self {
            facts,
            layout,
            surroundings: None,
            model: PhantomData,
        }
    }

    /// The same, with what is known of the graph after it.
    pub(crate) fn within(mut self, surroundings: Arc<dyn Surroundings>) -> Self {
        self.surroundings = Some(surroundings);
        self
    }

    /// The facts with their bytes.
    #[cfg(feature = "sqlite")]
    pub(crate) fn raw(&self) -> &RawFacts {
        &self.facts
    }

    /// The facts, in the order in which they apply.
    #[must_use]
    pub fn facts(&self) -> Facts<'_, M> {
        Facts::new(&self.facts, &self.layout).within(self.surroundings.as_deref())
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.list.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.list.is_empty()
    }

    /// Appends facts that follow these; O(facts appended).
    #[inline]
    pub fn append(&mut self, facts: Facts<'_, M>) {
        if self.surroundings.is_some() {
            self.surroundings = None;
        }
        // Those of an open transaction, known as such where this is inlined.
        if facts.start == 0 && facts.end == facts.facts.list.len() {
            self.facts.append(facts.facts);
        } else {
            self.facts.append_range(facts.facts, facts.start..facts.end);
        }
    }

    /// Removes all facts and keeps the memory.
    pub fn clear(&mut self) {
        self.surroundings = None;
        self.facts.clear();
    }
}

/// The same facts with the same values.
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
