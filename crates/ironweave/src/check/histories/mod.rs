//! Strategies of `proptest` for histories of events (feature `proptest`).
//!
//! 1. `generate` draws the events one after the other on a store (`course`), and counts them (`tally`, `coverage`).
//! 2. The result is a `HistoryTree` (`shrink`), which proposes shorter histories while the test of the user fails.
//! 3. `history` is what the test gets.

mod course;
mod coverage;
mod drawn;
mod generate;
mod history;
mod shrink;
mod tally;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::arbitrary::any;
use proptest::collection::SizeRange;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Reason, TestRunner};
use serde::Serialize;

use crate::check::given::Domains;
use crate::check::histories::drawn::{DrawValues, DrawnField};
use crate::check::values::encoded;
use crate::step::event::Event;
use crate::step::model::Model;

pub use coverage::Coverage;
pub use history::{History, Step};
pub use shrink::HistoryTree;

/// Returns a strategy for histories of a model, whose lengths are in a range. See [`Histories`].
pub fn histories<M: Model>(len: impl Into<SizeRange>) -> Histories<M> {
    Histories {
        len: len.into(),
        domains: Domains::new(),
        weights: Vec::new(),
        rejected: 0.0,
        drawn: Vec::new(),
        interval: Duration::ZERO,
        coverage: None,
    }
}

/// A strategy of `proptest` for histories of a model: lists of events, each of which fires after the ones before it. It needs the
/// feature `proptest`, and the version of `proptest` that ironweave has.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::check::histories;
/// use ironweave::prelude::*;
/// use lamps::{Bought, Lamp, state::On};
/// use proptest::prelude::*;
///
/// let strategy = histories::<lamps::Model>(1..50)
///     .entities::<Lamp>(4)
///     .values::<Bought, _>("room", ["hall", "attic", "cellar"])
///     .weight::<Bought>(3.0)
///     .rejected(0.1);
/// proptest!(|(history in strategy)| {
///     let mut store = Store::memory();
///     history.replay(&mut store, |store, _| {
///         prop_assert!(store.count::<Lamp, On>() <= store.count::<Lamp, Any>());
///         Ok(())
///     })?;
///     prop_assert!(store.verify().is_ok());
/// });
/// ```
///
/// # How events are drawn
///
/// The methods [`entities`](Self::entities), [`keys`](Self::keys), [`values`](Self::values) and so on say what is tried; they are those
/// of a [`Checker`](super::Checker), and the [table of fields](crate::check#what-is-explored) is the same. If something is missing, the
/// test fails with the lines to write.
///
/// 1. With the probability [`rejected`](Self::rejected), the next event is one that is rejected. Otherwise it fires.
/// 2. An event that fires is drawn by the [weights](Self::weight) among the events that are enabled, and then one of its bindings. So an
///    event that needs a rare state occurs whenever it can, as often as its weight says. A binding is drawn field by field, each
///    choice with the same probability. For a set of entities, first a bound of its size is drawn from 1, 2, 4 and so on up to all,
///    then a size up to that bound, and then the entities, in any order.
/// 3. If 16 bindings do not fire, all of them are tried in an order at random, provided that there are at most 1,024. If none
///    of them fires, this is not done again for this event for one step, then for two, up to 16. If no other event is enabled, it is done in
///    any case, and of an event with more bindings 256 are drawn.
/// 4. An event with [`#[due(..)]`](macro@crate::model) fires in its turn, as [`Store::fire_due`](crate::Store::fire_due) fires it. If one
///    of these is drawn, the event fires that is due next, of all that have a weight: at its due time, or now if that is reached
///    already. So the time moves on, and what is due fires in order of time. Those that are rejected are passed over, and at most 1,024
///    are tried. If a function gives the [bindings](Self::bindings) of the event, it fires at any time instead, as if the program fired
///    it.
/// 5. If no event is enabled, the history ends, and is shorter than it should be; [`Coverage::ended_early`] counts these.
///    If none is enabled in the first state, the test fails with a message.
/// 6. Of an event that is to be rejected, half of the bindings are drawn as above, so that conditions, guards and handlers reject it.
///    The other half may also name entities in other states, keys of other entities, keys that no entity has, and entities that were
///    deleted. If none of 16 is rejected, another event is drawn, and if no event is rejected, one that fires.
/// 7. If code of the model panics, that event is the last one of the history. The test then panics when it replays the history, and
///    `proptest` shrinks it.
///
/// The result depends on the random numbers of `proptest` only, so that it can repeat a failure.
///
/// A step costs O(entities) for the entities in the fields of events, and at most 16 tried bindings for each event, amortised 64 more
/// for one with at most 1,024 bindings of which none fires. An event that is tried costs what a rejected step of a store costs.
/// Before the first step, a history costs O(n) for each type with a key of which n entities may exist, in time and memory.
///
/// # How a failing history is shrunk
///
/// Events are left out: the last half, the first half, quarters and so on, down to single ones, until none can be left out
/// (delta debugging). An event whose entities do not exist any more is left out with the one that created them, and so is an event with a
/// due time that is no longer the one that is due next. Then values are replaced
/// by earlier ones of their domain, values that a [strategy](Self::strategy) has drawn are simplified by it, and entities are left out
/// of sets. Handles are renamed, since a missing creation gives later entities other slots. Each history that the test gets meanwhile is
/// valid too. The length does not go below the range. At most 4,096 histories are tried, and the configuration of `proptest` may have a
/// lower limit (`max_shrink_iters`).
#[must_use = "a strategy does nothing until a test uses it"]
pub struct Histories<M: Model> {
    len: SizeRange,
    domains: Domains<M>,
    /// By the name of an event; the last one counts.
    weights: Vec<(&'static str, f64)>,
    rejected: f64,
    drawn: Vec<DrawnField>,
    interval: Duration,
    coverage: Option<Coverage<M>>,
}

impl<M: Model> Clone for Histories<M> {
    fn clone(&self) -> Self {
        Self {
            len: self.len.clone(),
            domains: self.domains.clone(),
            weights: self.weights.clone(),
            rejected: self.rejected,
            drawn: self.drawn.clone(),
            interval: self.interval,
            coverage: self.coverage.clone(),
        }
    }
}

impl<M: Model> fmt::Debug for Histories<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histories")
            .field("len", &self.len)
            .field("domains", &self.domains)
            .field("weights", &self.weights)
            .field("rejected", &self.rejected)
            .field("drawn", &self.drawn)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl<M: Model> Histories<M> {
    domain_methods!();

    fn domains_mut(&mut self) -> &mut Domains<M> {
        &mut self.domains
    }

    /// Sets the weight of an event among those that are enabled: one of weight 2 occurs twice as often as one of weight 1 where both are
    /// enabled. An event of weight 0 does not occur. Default: 1. A weight that is negative or not finite fails the test.
    pub fn weight<E: Event<Model = M>>(mut self, weight: f64) -> Self {
        self.weights.push((E::NAME, weight));
        self
    }

    /// Sets the share of events that are rejected, from 0.0 to 1.0. Default: 0.0. Any other share fails the test.
    pub fn rejected(mut self, share: f64) -> Self {
        self.rejected = share;
        self
    }

    /// Draws the values of a field of an event by a strategy, such as `any::<String>()`. Its values may be of any type that serializes
    /// like that of the field. It takes the place of [`values`](Self::values), and the last call counts.
    pub fn strategy<E: Event<Model = M>, S>(mut self, field: &str, strategy: S) -> Self
    where
        S: Strategy<Value: Serialize> + 'static,
    {
        // One value takes part in the check of the domains, so that a strategy of another type is reported with everything else.
        let example = strategy.new_tree(&mut TestRunner::deterministic());
        let example = match example {
            Ok(tree) => encoded([tree.current()]),
            Err(reason) => Err(reason.to_string()),
        };
        (self.domains.values).push((E::NAME, field.to_owned(), example));
        self.drawn.push(DrawnField {
            event: E::NAME,
            field: field.to_owned(),
            strategy: Arc::new(strategy),
            since: self.domains.values.len(),
        });
        self
    }

    /// Sets the time from one event to the next. Default: zero, so that all have the [time](Self::time) of the first one, until an event
    /// with a due time moves it on.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Counts what each history contains that is drawn. See [`Coverage`].
    pub fn coverage(mut self, coverage: &Coverage<M>) -> Self {
        self.coverage = Some(coverage.clone());
        self
    }

    /// What is not valid among the options.
    fn check(&self) -> Result<(usize, usize), Reason> {
        let (start, end) = (self.len.start(), self.len.end_excl());
        if start >= end {
            return Err(format!("the range of lengths {start}..{end} is empty").into());
        }
        for (event, weight) in &self.weights {
            if !(weight.is_finite() && *weight >= 0.0) {
                return Err(format!(
                    "the weight of {event} is {weight}; it must be a finite number that is not negative"
                )
                .into());
            }
        }
        if !(0.0..=1.0).contains(&self.rejected) {
            return Err(format!(
                "the share of rejected events is {}; it must be from 0.0 to 1.0",
                self.rejected
            )
            .into());
        }
        let given = |event| self.domains.bindings.iter().any(|(name, _)| *name == event);
        if let Some(of) = self.drawn.iter().find(|of| given(of.event)) {
            return Err(format!(
                "a function gives all fields of {0}, so that the strategy for {of:?} would not be used; remove .strategy or \
                 .bindings::<{0}>",
                of.event
            )
            .into());
        }
        Ok((start, end - 1))
    }
}

/// What a strategy and the histories that it has drawn need.
struct Config<M: Model> {
    domains: Domains<M>,
    weights: Vec<(&'static str, f64)>,
    rejected: f64,
    drawn: Vec<DrawnField>,
    interval: Duration,
    len_min: usize,
}

impl<M: Model> Config<M> {
    fn weight(&self, event: &str) -> f64 {
        let given = self.weights.iter().rfind(|(name, _)| *name == event);
        given.map_or(1.0, |(_, weight)| *weight)
    }

    /// The strategy that draws the values of a field.
    fn strategy(&self, event: &str, field: &str) -> Option<&dyn DrawValues> {
        let is_of = |of: &&DrawnField| of.event == event && of.field == field;
        let of = self.drawn.iter().rfind(is_of)?;
        let later = self.domains.values.iter().skip(of.since);
        let mut later = later.filter(|(name, of, _)| *name == event && of == field);
        later.next().is_none().then_some(&*of.strategy)
    }
}

impl<M: Model> Strategy for Histories<M> {
    type Tree = HistoryTree<M>;
    type Value = History<M>;

    fn new_tree(&self, runner: &mut TestRunner) -> Result<HistoryTree<M>, Reason> {
        let (min, max) = self.check()?;
        let config = Rc::new(Config {
            domains: self.domains.clone(),
            weights: self.weights.clone(),
            rejected: self.rejected,
            drawn: self.drawn.clone(),
            interval: self.interval,
            len_min: min,
        });
        let (seed, len) = (any::<u64>(), min..=max).new_tree(runner)?.current();
        let drawn = generate::generate(&config, (seed, len), runner)?;
        if drawn.steps.is_empty() && min > 0 {
            return Err(format!(
                "no event of {} can fire in the first state; give another one by .start(|store| ..), or other values",
                M::NAME
            )
            .into());
        }
        if let Some(coverage) = &self.coverage {
            coverage.add(drawn.steps.len(), &drawn.tally);
        }
        Ok(HistoryTree::new(config, drawn))
    }
}
