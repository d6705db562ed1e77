//! A checker of models (feature `check`): it runs a program's own events, with their guards, handlers, immediate events and
//! invariants, from every state that they can reach within bounds, and tests properties in each.
//!
//! ```
//! # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
//! use ironweave::check::Checker;
//! use ironweave::prelude::*;
//! use lamps::{Lamp, state::{Off, On}};
//!
//! let report = Checker::<lamps::Model>::new()
//!     .entities::<Lamp>(2)
//!     .always("a lamp is on or off", |db| {
//!         db.count::<Lamp, On>() + db.count::<Lamp, Off>() == db.count::<Lamp, Any>()
//!     })
//!     .sometimes("both lamps are on", |db| db.count::<Lamp, On>() == 2)
//!     .eventually_possible("all lamps are off", |db| db.count::<Lamp, On>() == 0)
//!     .assert_properties();
//! assert!(report.is_complete());
//! ```
//!
//! # What is explored
//!
//! The exploration begins at an empty graph, or where [`Checker::start`] says, and is breadth first. In each state, every event of
//! the model fires with every binding within the bounds:
//!
//! | field of an event | what is tried |
//! |---|---|
//! | a handle or token | each entity that exists, in the states that the event requires |
//! | a `Key` | the key of each such entity |
//! | an `Ensure` | also each key of the bounds that no entity has; of the default keys only the next one, or the next ones if several fields can give one |
//! | the key of an entity that the event creates | each key that no entity has; of the default keys as for an `Ensure` |
//! | an `Option` or a `Vec` of these | also none; each set of them, in one order |
//! | `bool`, `()`, an enum without data, an `Option` of such a type | all values |
//! | a `Timestamp` | the time of [`Checker::time`] |
//! | any other value | the values of [`Checker::values`] |
//!
//! Bounds and values can be given once for several checkers, as [`Domains`].
//!
//! The number of entities of each type is bounded by [`Checker::entities`]. An event that would exceed a bound is *cut*: the report
//! counts it, and its result is not explored.
//!
//! Two states are the same if no event can tell them apart. The number of times that a slot was reused is ignored, and the order of
//! links is ignored unless the model has guards or handlers, which could read it. [`Report::abstractions`] lists what was ignored.
//!
//! With [`Checker::symmetry`], states that differ only by which entity is which are one state too. That the program does not tell them
//! apart is sampled, and [`Report::symmetry`] says the result.
//!
//! # What is found
//!
//! | | by | a violation is |
//! |---|---|---|
//! | a state in which a condition does not hold | [`Checker::always`], [`Checker::every`] | the shortest list of events to it |
//! | a condition that holds in no state | [`Checker::sometimes`] | that the exploration was complete |
//! | a state after which a condition can never hold again | [`Checker::eventually_possible`] | the shortest list of events to it |
//! | a deadlock: no event can fire, and an entity is in a state that its lifecycle can leave | by default | the same |
//! | a panic in a guard, a handler or an invariant | by default | the same |
//!
//! Each list of events is printed as a Rust test, which fails as long as the violation exists.

#[macro_use]
pub(crate) mod domain_methods;

mod bindings;
mod canonical;
mod domain;
#[cfg(feature = "draw")]
mod drawing;
mod explore;
mod findings;
#[cfg(feature = "simulate")]
mod fork;
pub(crate) mod given;
#[cfg(feature = "proptest")]
mod histories;
mod interned;
mod live;
mod observed;
mod property;
mod random;
mod report;
mod resample;
mod reverse;
mod rust_fields;
mod rust_source;
mod rust_test;
mod states;
mod structure;
mod symmetry;
#[cfg(feature = "proptest")]
mod trial;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::check::domain::resolve;
use crate::check::property::{Failed, Kind, Property, source_path};
use crate::check::symmetry::Requested;
use crate::db::Db as _;
use crate::db::entity::{Any, Entity, Keyed};
use crate::schema::EntityIx;
use crate::step::model::Model;
use crate::store::Store;

#[cfg(feature = "simulate")]
pub(crate) use fork::{Binding, Fork};

pub use domain::MissingDomains;
#[cfg(feature = "draw")]
pub use drawing::TooManyStates;
pub use given::Domains;
#[cfg(feature = "proptest")]
#[cfg_attr(docsrs, doc(cfg(feature = "proptest")))]
pub use histories::{Coverage, Histories, History, HistoryTree, Step, histories};
pub use property::Condition;
pub use report::{EventCounts, Report, Symmetry, Violation, ViolationKind};

/// Explores the states of a model within bounds. See the [module](self).
#[must_use = "a checker does nothing until `check` or `assert_properties`"]
pub struct Checker<M: Model> {
    pub(crate) domains: Domains<M>,
    pub(crate) properties: Vec<Property<M>>,
    pub(crate) allows_deadlocks: bool,
    pub(crate) ignores_order: bool,
    pub(crate) symmetry: Requested,
    pub(crate) depth_max: usize,
    pub(crate) states_max: usize,
    pub(crate) memory_max: usize,
    pub(crate) progress: Option<ProgressCallback>,
}

type ProgressCallback = (Duration, Box<dyn Fn(&Progress)>);

impl<M: Model> fmt::Debug for Checker<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker")
            .field("model", &M::NAME)
            .field("properties", &self.properties.len())
            .finish_non_exhaustive()
    }
}

impl<M: Model> Default for Checker<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> Checker<M> {
    /// Returns a checker without bounds and properties. Each entity type needs a bound.
    pub fn new() -> Self {
        Self {
            domains: Domains::new(),
            properties: Vec::new(),
            allows_deadlocks: false,
            ignores_order: false,
            symmetry: Requested::default(),
            depth_max: usize::MAX,
            states_max: usize::MAX,
            memory_max: usize::MAX,
            progress: None,
        }
    }

    domain_methods!();

    fn domains_mut(&mut self) -> &mut Domains<M> {
        &mut self.domains
    }

    /// Requires that a condition holds in every reachable state. A condition returns a `bool` or a `Result`. If it is a function
    /// rather than a closure, the Rust test of a violation calls it.
    #[track_caller]
    pub fn always<R: Condition>(
        self,
        name: impl Into<String>,
        holds: impl Fn(&Store<M>) -> R + 'static,
    ) -> Self {
        self.property(Kind::Always, name.into(), holds)
    }

    /// Requires that a condition holds of every entity of a type in every reachable state. A function that an `#[invariant(..)]`
    /// names is such a condition.
    #[track_caller]
    pub fn every<T: Entity<Model = M>, R: Condition>(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(T, &Store<M>) -> R + 'static,
    ) -> Self {
        self.properties.push(Property {
            name: name.into(),
            kind: Kind::Always,
            path: source_path(&holds),
            every: Some(T::NAME),
            is_result: R::IS_RESULT,
            location: std::panic::Location::caller(),
            holds: Box::new(move |store| {
                (store.place::<T, Any>()).try_for_each(|entity| {
                    holds(entity, store).check().map_err(|reason| Failed {
                        entity: Some(store.core.graph.named(T::INDEX, entity.id().slot)),
                        reason,
                    })
                })
            }),
        });
        self
    }

    /// Requires that a condition holds in at least one reachable state.
    #[track_caller]
    pub fn sometimes<R: Condition>(
        self,
        name: impl Into<String>,
        holds: impl Fn(&Store<M>) -> R + 'static,
    ) -> Self {
        self.property(Kind::Sometimes, name.into(), holds)
    }

    /// Requires that from every reachable state a state can be reached in which a condition holds.
    ///
    /// A state is no violation if an event that would move or delete an entity that exists was cut there by a bound, because it
    /// could lead to the condition. An event that would only create further entities is not taken into account.
    #[track_caller]
    pub fn eventually_possible<R: Condition>(
        self,
        name: impl Into<String>,
        holds: impl Fn(&Store<M>) -> R + 'static,
    ) -> Self {
        self.property(Kind::EventuallyPossible, name.into(), holds)
    }

    #[track_caller]
    fn property<R: Condition>(
        mut self,
        kind: Kind,
        name: String,
        holds: impl Fn(&Store<M>) -> R + 'static,
    ) -> Self {
        self.properties.push(Property {
            name,
            kind,
            path: source_path(&holds),
            every: None,
            is_result: R::IS_RESULT,
            location: std::panic::Location::caller(),
            holds: Box::new(move |store| {
                (holds(store).check()).map_err(|reason| Failed {
                    entity: None,
                    reason,
                })
            }),
        });
        self
    }

    /// Does not report deadlocks.
    pub fn allow_deadlocks(mut self) -> Self {
        self.allows_deadlocks = true;
        self
    }

    /// Ignores the order of links, although the model has guards or handlers. The result is right if none of them depends on it, and
    /// no invariant: a state that differs from a known one in the order of links alone is taken to satisfy the invariants too.
    pub fn ignore_order_of_links(mut self) -> Self {
        self.ignores_order = true;
        self
    }

    /// Makes states one state that differ only by which entity is which, for the entities of all types. There are up to `n!` fewer
    /// states for a type of which `n` entities may exist.
    ///
    /// Renamed are the ids of entities and, where no [`keys`](Self::keys) are given, the keys that the checker chooses by itself.
    /// Other keys and all values keep their meaning; see [`symmetric_keys`](Self::symmetric_keys).
    ///
    /// This is right if guards, handlers, invariants, bindings and conditions tell entities apart by their states, values and links
    /// alone. The checker samples that: all events of the first 100 states and of one in 64 of the others are fired again in a copy
    /// of the state whose entities have other slots and keys, and must give the same result up to the renaming; conditions must hold
    /// in the copy exactly if they hold in the state. If an event or a condition does not agree, the exploration begins again
    /// without symmetry, and [`Report::symmetry`] says which one it was.
    ///
    /// What the declared arcs tell apart keeps its names: the entities of a type that an event chooses by slot, because the `choose` arc
    /// has no order or because several can be equal in it, and keys that an arc compares or orders. [`Report::symmetry`] lists them. For
    /// a type that is named by [`symmetric`](Self::symmetric) or [`symmetric_keys`](Self::symmetric_keys) this is an error.
    ///
    /// A list of events to a violation is real in any case, since its events were fired. Comparing states up to a renaming takes more
    /// time for each event that fires: a search that takes O(e log e) for `e` entities and links that differ, and up to about e²
    /// times that for entities that are alike.
    pub fn symmetry(mut self) -> Self {
        self.symmetry.all = true;
        self
    }

    /// As [`symmetry`](Self::symmetry), for the entities of one type.
    pub fn symmetric<T: Entity<Model = M>>(mut self) -> Self {
        self.symmetry.types.insert(T::INDEX);
        self
    }

    /// As [`symmetric`](Self::symmetric), and keys of the type have no meaning either, although they were given by
    /// [`keys`](Self::keys), [`values`](Self::values) or [`bindings`](Self::bindings).
    pub fn symmetric_keys<T: Keyed<Model = M>>(mut self) -> Self {
        self.symmetry.keys.insert(T::INDEX);
        self
    }

    /// Ends the exploration at a depth, which is a number of events. Default: no limit.
    pub fn depth_max(mut self, depth: usize) -> Self {
        self.depth_max = depth;
        self
    }

    /// Ends the exploration when this number of states was found. Default: no limit.
    pub fn states_max(mut self, states: usize) -> Self {
        self.states_max = states;
        self
    }

    /// Ends the exploration when its tables have this number of bytes. Default: no limit.
    pub fn memory_max(mut self, bytes: usize) -> Self {
        self.memory_max = bytes;
        self
    }

    /// Calls a function about once in an interval, and at the end.
    pub fn progress(mut self, interval: Duration, report: impl Fn(&Progress) + 'static) -> Self {
        self.progress = Some((interval, Box::new(report)));
        self
    }

    /// Explores the model and tests the properties. The exploration ends early when it has found a violation of
    /// [`always`](Self::always), a deadlock or a panic.
    ///
    /// # Errors
    /// If a bound or the values of a field are missing or not valid. The error lists all of them, with what to write.
    pub fn check(self) -> Result<Report<M>, MissingDomains> {
        let of = "the checker";
        let resolved = resolve(&self.domains, of)?;
        let mut binding = M::binding();
        binding.add_encodings();
        let names = (self.symmetry.resolve(&binding.schema, &resolved))
            .map_err(|missing| MissingDomains::new(of, missing))?;
        Ok(explore::explore(self, resolved, names))
    }

    /// As [`check`](Self::check), for tests.
    ///
    /// # Panics
    /// If a bound is missing, or if a property is violated. The message has a Rust test for each violation.
    // A test calls it for the panic.
    #[allow(clippy::must_use_candidate)]
    #[track_caller]
    pub fn assert_properties(self) -> Report<M> {
        match self.check() {
            Ok(report) => {
                report.assert_properties();
                report
            }
            Err(e) => panic!("{e}"),
        }
    }
}

/// How far an exploration is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The number of different states that were found.
    pub states: usize,
    /// The number of these whose events have not been tried yet.
    pub queue: usize,
    /// The number of events that fired.
    pub fired: u64,
    /// The depth of the state whose events are being tried.
    pub depth: usize,
    /// The number of states that were found per second.
    pub rate: f64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} in the queue, depth {}, {:.0} states per second",
            self.states, self.queue, self.depth, self.rate
        )
    }
}

/// Entity types, by their index.
type ByEntity<T> = BTreeMap<EntityIx, T>;
