//! [`Domains`]: what the user of a checker, of histories or of a simulation gives, which is the same for all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::check::ByEntity;
use crate::check::values::Encoded;
use crate::step::model::Model;
use crate::store::Store;

/// A function that gives the bindings of an event in a state.
pub(crate) type Binder<M> = Arc<dyn Fn(&Store<M>) -> Vec<<M as Model>::Event> + Send + Sync>;

/// A function that steps a store to the first state.
pub(crate) type Start<M> = Arc<dyn Fn(&mut Store<M>) + Send + Sync>;

/// What is tried: how many entities there may be, which keys they have, which values the fields of events have, at which time, and
/// from which state.
///
/// A [`Checker`](crate::check::Checker) and everything else that fires events of a model by itself has the same methods. A value of
/// this type is for several of them, which take it by `within`. Clones share their functions.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::check::{Checker, Domains};
/// use lamps::{Bought, Lamp};
///
/// fn two_rooms() -> Domains<lamps::Model> {
///     Domains::new()
///         .entities::<Lamp>(2)
///         .values::<Bought, _>("room", ["hall", "attic"])
/// }
///
/// let report = Checker::new().within(two_rooms()).assert_properties();
/// assert!(report.is_complete());
/// ```
#[must_use = "domains do nothing until something is explored within them"]
pub struct Domains<M: Model> {
    pub(crate) entities: ByEntity<usize>,
    pub(crate) keys: ByEntity<Encoded>,
    /// The name of an event, the name of a field, and values.
    pub(crate) values: Vec<(&'static str, String, Encoded)>,
    /// The name of an event, and the function that gives its bindings.
    pub(crate) bindings: Vec<(&'static str, Binder<M>)>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) start: Option<Start<M>>,
}

impl<M: Model> Domains<M> {
    /// Returns domains without bounds. Each entity type needs a bound.
    pub fn new() -> Self {
        Self {
            entities: BTreeMap::new(),
            keys: BTreeMap::new(),
            values: Vec::new(),
            bindings: Vec::new(),
            time: None,
            start: None,
        }
    }

    domain_methods!();

    pub(crate) fn domains_mut(&mut self) -> &mut Self {
        self
    }

    /// Adds everything that others give. What both give is as the others say.
    pub(crate) fn extend(&mut self, others: Self) {
        self.entities.extend(others.entities);
        self.keys.extend(others.keys);
        self.values.extend(others.values);
        self.bindings.extend(others.bindings);
        self.time = others.time.or(self.time);
        self.start = others.start.or_else(|| self.start.take());
    }

    /// The time of the first transaction.
    pub(crate) fn first_time(&self) -> Timestamp {
        self.time.unwrap_or_default()
    }

    /// Steps an empty store to the first state.
    pub(crate) fn begin(&self, store: &mut Store<M>) {
        if let Some(start) = &self.start {
            start(store);
        }
    }
}

impl<M: Model> Default for Domains<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> Clone for Domains<M> {
    fn clone(&self) -> Self {
        Self {
            entities: self.entities.clone(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            bindings: self.bindings.clone(),
            time: self.time,
            start: self.start.clone(),
        }
    }
}

impl<M: Model> fmt::Debug for Domains<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.iter().map(|(event, field, _)| (event, field));
        let bindings = self.bindings.iter().map(|(event, _)| event);
        f.debug_struct("Domains")
            .field("model", &M::NAME)
            .field("entities", &self.entities.values())
            .field("values", &values.collect::<Vec<_>>())
            .field("bindings", &bindings.collect::<Vec<_>>())
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
