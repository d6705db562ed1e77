//! Simulation of a model (feature `simulate`): its own events fire in simulated time, after delays that are drawn from distributions
//! or from the past of a store. Many replications say how long something takes, how long queues are and what waits for what.
//!
//! ```
//! # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
//! use std::time::Duration;
//!
//! use ironweave::prelude::*;
//! use ironweave::simulate::{Delay, Simulation};
//! use lamps::{Bought, Discarded, Lamp, Lit};
//!
//! const DAY: Duration = Duration::from_secs(86_400);
//!
//! // Lamps are bought every few days, last some forty days, and are then discarded.
//! let report = Simulation::<lamps::Model>::new()
//!     .entities::<Lamp>(100)
//!     .delay::<Bought>(Delay::exponential(4 * DAY))
//!     .delay::<Discarded>(Delay::log_normal(40 * DAY, 8 * DAY)?)
//!     .without::<Lit>()
//!     .until_time(1000 * DAY)
//!     .warm_up(200 * DAY)
//!     .monitor("lamps", |db| db.count::<Lamp, Any>() as f64)
//!     .replications(20)
//!     .seed(1)
//!     .run()?;
//!
//! // As many as are bought while one lasts.
//! let lamps = report.monitor("lamps").expect("a name").mean();
//! let (low, high) = lamps.confidence_interval().expect("twenty values");
//! assert!(low < 10.0 && 10.0 < high, "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When events fire
//!
//! A *binding* is an event with values for all of its fields. The bindings of a state are found as a
//! [checker](crate::check::Checker) finds them, among the entities that exist, the values that were given for other fields, or those
//! that a function returns. A binding is *enabled* if the event would fire: the real guards, handlers, immediate events and invariants
//! decide.
//!
//! A binding that becomes enabled draws a delay. When the delay has passed, it fires, unless it was disabled before. If it is enabled
//! again later, or still is after it has fired, it draws another delay. So each binding has a clock of its own, and if two bindings
//! disable each other, the one whose clock ends first decides. This is the race policy with enabling memory of generalized
//! stochastic Petri nets (M. Ajmone Marsan, G. Balbo, G. Conte, S. Donatelli, G. Franceschinis: *Modelling with Generalized Stochastic
//! Petri Nets*, Wiley 1995), with entities for tokens and an infinite-server semantics: ten running jobs are ten bindings.
//!
//! | rule | |
//! |---|---|
//! | an event with [`#[due(..)]`](macro@crate::model) | needs no delay: it fires for an entity when the simulated time reaches the due time, or at once if it is reached already. If the entity gets another time, it fires at that one. It is tested at its time, and if it is rejected then, again after each event |
//! | several bindings are due at the same time | the one that was enabled first fires first; of those that were enabled by the same event, the one whose event is declared first, then the one that is found first. Before them fire events whose due time was reached earlier, in order of that time |
//! | .. and the first of them is of an event with a [weight](Simulation::weight) | one of those with weights is chosen at random |
//! | whether a binding is enabled | is tested after each event, not while time passes: a guard that depends on the time is tested when something else happens, and when the delay has passed |
//! | what a function of [`bindings`](Simulation::bindings) returns | is the same binding as before if all of its fields are the same. Of other events, the next key of an entity that is created and a field with the time may change |
//! | the time | `meta.time` of the event; [`now`] in functions that get a store |
//! | bounds of [`entities`](Simulation::entities) | are capacities: an event that would exceed one is not enabled. Without a bound there is none |
//! | the end | of a replication is when a condition or time is reached, or when nothing can fire any more |
//!
//! # Replications
//!
//! Each replication begins at the same state and has a stream of random numbers of its own. The same seed gives the same report, with
//! any number of threads. The mean of each monitor has a confidence interval over the replications ([`Estimate`]).
//!
//! Nothing is written: the simulation runs in memory, on an empty store or on a fork of a [snapshot](Simulation::begin_at).

mod delay;
mod error;
mod estimate;
mod monitor;
mod replication;
mod report;
mod run;
mod stays;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::check::Domains;
use crate::check::domain_methods::domain_methods;
use crate::simulate::monitor::{Observer, Observers};
use crate::snapshot::Snapshot;
use crate::step::any_event::{AnyEvent as _, EventVisitor};
use crate::step::event::Event;
use crate::step::model::Model;
use crate::store::Store;

pub use delay::{Delay, InvalidDelay};
pub use error::SimulationError;
pub use estimate::Estimate;
pub use report::{FirstTime, Monitored, Report};
pub use stays::{Stay, Stays};

/// How many events a replication has at most, unless the user says otherwise.
const EVENTS_MAX: u64 = 1_000_000;
/// How many events fire at one time at most, unless the user says otherwise.
const EVENTS_AT_ONCE_MAX: u64 = 100_000;

/// A function that returns the delay of a binding.
type DelayFn<M> = Arc<dyn Fn(&<M as Model>::Event, &Store<M>) -> Delay + Send + Sync>;
/// A condition.
type ConditionFn<M> = Arc<dyn Fn(&Store<M>) -> bool + Send + Sync>;
/// A function that sees each event that fires.
type TraceFn<M> = Arc<dyn Fn(&Fired<'_, M>) + Send + Sync>;
/// A function that sees how far the simulation is.
type ProgressFn = (Duration, Arc<dyn Fn(&Progress) + Send + Sync>);

/// When an event fires.
enum Rule<M: Model> {
    Delay(DelayFn<M>),
    Without,
}

/// Simulates a model. See the [module](self).
#[must_use = "a simulation does nothing until `run`"]
pub struct Simulation<M: Model> {
    domains: Domains<M>,
    base: Option<Snapshot<M>>,
    /// By the name of the event.
    rules: BTreeMap<&'static str, Rule<M>>,
    weights: BTreeMap<&'static str, f64>,
    until: Option<ConditionFn<M>>,
    until_time: Option<Duration>,
    warm_up: Duration,
    observers: Observers<M>,
    trace: Option<TraceFn<M>>,
    progress: Option<ProgressFn>,
    seed: u64,
    replications: usize,
    threads: Option<usize>,
    events_max: u64,
    events_at_once_max: u64,
}

impl<M: Model> fmt::Debug for Simulation<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("model", &M::NAME)
            .field("delays", &self.rules.keys())
            .field("observers", &self.observers)
            .field("seed", &self.seed)
            .field("replications", &self.replications)
            .finish_non_exhaustive()
    }
}

impl<M: Model> Default for Simulation<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> Simulation<M> {
    /// Returns a simulation of an empty store. Each event needs a [`delay`](Self::delay), unless it is left out by
    /// [`without`](Self::without) or fires at its [due time](self#when-events-fire).
    pub fn new() -> Self {
        Self {
            domains: Domains::new(),
            base: None,
            rules: BTreeMap::new(),
            weights: BTreeMap::new(),
            until: None,
            until_time: None,
            warm_up: Duration::ZERO,
            observers: Observers::new(),
            trace: None,
            progress: None,
            seed: 0,
            replications: 100,
            threads: None,
            events_max: EVENTS_MAX,
            events_at_once_max: EVENTS_AT_ONCE_MAX,
        }
    }

    domain_methods!();

    fn domains_mut(&mut self) -> &mut Domains<M> {
        &mut self.domains
    }

    /// Begins each replication at a snapshot of a store, for example of the present one, instead of at an empty store. The function
    /// of [`start`](Self::start) is called after that. The simulated time begins at the time of the snapshot, or at
    /// [`time`](Self::time) if that is later.
    pub fn begin_at(mut self, snapshot: Snapshot<M>) -> Self {
        self.base = Some(snapshot);
        self
    }

    /// Sets the delay of an event: how long each of its bindings is enabled before it fires. It replaces what was said of the event
    /// before, as [`delay_by`](Self::delay_by) and [`without`](Self::without) do. An event with a due time that has a delay does not
    /// fire at its due time.
    pub fn delay<E: Event<Model = M>>(self, delay: impl Into<Delay>) -> Self
    where
        M::Event: From<E>,
    {
        let delay = delay.into();
        self.delay_by::<E, Delay>(move |_, _| delay.clone())
    }

    /// Sets a function that returns the delay of each binding of an event when it becomes enabled.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use std::time::Duration;
    ///
    /// use ironweave::prelude::*;
    /// use ironweave::simulate::Simulation;
    /// use lamps::{Bought, Discarded, Lamp, Lit};
    ///
    /// // A lamp in the hall lasts two years, and one elsewhere five.
    /// let year = Duration::from_secs(31_536_000);
    /// let report = Simulation::<lamps::Model>::new()
    ///     .start(|store| ["hall", "attic"].into_iter().for_each(|room| {
    ///         store.step(Bought { room: room.into() });
    ///     }))
    ///     .keys::<Lamp, _>(["hall", "attic"])
    ///     .delay_by::<Discarded, _>(move |event, _| if *event.lamp.key() == "hall" { 2 * year } else { 5 * year })
    ///     .without::<Bought>()
    ///     .without::<Lit>()
    ///     .first("the hall is dark", |db| db.find::<Lamp>("hall").is_none())
    ///     .replications(1)
    ///     .run()?;
    /// assert_eq!(report.first("the hall is dark").expect("a name").seconds().mean(), 2.0 * year.as_secs_f64());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delay_by<E: Event<Model = M>, D: Into<Delay>>(
        mut self,
        delay: impl Fn(&E, &Store<M>) -> D + Send + Sync + 'static,
    ) -> Self
    where
        M::Event: From<E>,
    {
        let delay: DelayFn<M> = Arc::new(move |event, store| {
            downcast::<M, E>(event).map_or_else(Delay::never, |event| delay(event, store).into())
        });
        self.rules.insert(E::NAME, Rule::Delay(delay));
        self
    }

    /// Leaves out an event: it does not occur in the simulation, and its fields need no values.
    pub fn without<E: Event<Model = M>>(mut self) -> Self
    where
        M::Event: From<E>,
    {
        self.rules.insert(E::NAME, Rule::Without);
        self
    }

    /// Gives an event a weight, by which one of several bindings that are due at the same time is chosen at random, as an immediate
    /// transition of a generalized stochastic Petri net is: one with twice the weight is chosen twice as often. Each binding of the
    /// event has this weight. Bindings of events without a weight do not take part.
    pub fn weight<E: Event<Model = M>>(mut self, weight: f64) -> Self
    where
        M::Event: From<E>,
    {
        self.weights.insert(E::NAME, weight);
        self
    }

    /// Ends a replication when a condition holds. The report has the [times](Report::until) when it did.
    pub fn until(mut self, condition: impl Fn(&Store<M>) -> bool + Send + Sync + 'static) -> Self {
        self.until = Some(Arc::new(condition));
        self
    }

    /// Ends a replication after a simulated time. An event that is due at that time still fires.
    pub fn until_time(mut self, time: Duration) -> Self {
        self.until_time = Some(time);
        self
    }

    /// Lets all monitors and counts begin after a simulated time, so that the state at the beginning does not bias the means of a
    /// system that runs on and on. A replication that ends before has no value of any monitor. It has no effect on
    /// [`first`](Self::first) and [`until`](Self::until).
    pub fn warm_up(mut self, time: Duration) -> Self {
        self.warm_up = time;
        self
    }

    /// Monitors a number: its mean, weighted by how long it had which value, its least and its greatest value. It is evaluated
    /// whenever time passes, so a value that lasts no time is not seen.
    pub fn monitor(
        self,
        name: impl Into<String>,
        value: impl Fn(&Store<M>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.observer(name.into(), Observer::Value(Arc::new(value)))
    }

    /// Records the time at which a condition holds for the first time in a replication. It is evaluated at the beginning and after each
    /// event.
    pub fn first(
        self,
        name: impl Into<String>,
        condition: impl Fn(&Store<M>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.observer(name.into(), Observer::First(Arc::new(condition)))
    }

    /// Records a number each time an event of one type has fired, such as how long a customer had waited when it was served. The
    /// function is called with the store after the event. A `None` is not recorded.
    pub fn observe<E: Event<Model = M>>(
        self,
        name: impl Into<String>,
        value: impl Fn(&E, &Store<M>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self
    where
        M::Event: From<E>,
    {
        let value =
            move |event: &M::Event, store: &Store<M>| value(downcast::<M, E>(event)?, store);
        self.observer(name.into(), Observer::Event(Arc::new(value)))
    }

    fn observer(mut self, name: String, observer: Observer<M>) -> Self {
        self.observers.push(name, observer);
        self
    }

    /// Calls a function with each event that has fired, in all replications, from the threads that run them.
    pub fn trace(mut self, trace: impl Fn(&Fired<'_, M>) + Send + Sync + 'static) -> Self {
        self.trace = Some(Arc::new(trace));
        self
    }

    /// Calls a function about once in an interval, and at the end, from the threads that run the replications.
    pub fn progress(
        mut self,
        interval: Duration,
        report: impl Fn(&Progress) + Send + Sync + 'static,
    ) -> Self {
        self.progress = Some((interval, Arc::new(report)));
        self
    }

    /// Sets the seed of the random numbers. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of replications. Default: 100. The confidence intervals become half as wide with four times as many.
    pub fn replications(mut self, replications: usize) -> Self {
        self.replications = replications;
        self
    }

    /// Sets the number of threads that run the replications. It does not change the report. Default: the number of cores.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Ends a replication after a number of events. The report counts such replications. Memory is needed for the changes of all
    /// events of a replication. Default: a million.
    pub fn events_max(mut self, events: u64) -> Self {
        self.events_max = events;
        self
    }

    /// Sets how many events may fire without any time passing in between. If there are more, the simulation ends with an error that
    /// names them. Default: 100,000.
    pub fn events_at_once_max(mut self, events: u64) -> Self {
        self.events_at_once_max = events;
        self
    }

    /// Runs all replications.
    ///
    /// # Errors
    /// If a delay, a bound or the values of a field are missing or not valid, or if the warm-up is longer than a replication; the
    /// error lists all of them, with what to write. If a guard, handler or invariant panics, if events fire without end while no time
    /// passes, or if a monitor returns a number that is not finite.
    ///
    /// # Panics
    /// If a function that was given panics, such as a monitor or a delay. No further replication begins then.
    pub fn run(self) -> Result<Report, SimulationError> {
        run::run(&self)
    }
}

/// The simulated time, in functions that get the store of a simulation. Elsewhere, the time of the last transaction of a store.
#[must_use]
pub fn now<M: Model>(store: &Store<M>) -> Timestamp {
    let clock = &store.core.open.clock;
    clock.known().unwrap_or_else(|| clock.last())
}

/// An event that has fired in a simulation.
#[non_exhaustive]
pub struct Fired<'s, M: Model> {
    /// The number of the replication, from 0.
    pub replication: usize,
    /// How much time has passed since the beginning of the replication.
    pub elapsed: Duration,
    /// The event.
    pub event: &'s M::Event,
    /// The store after it.
    pub store: &'s Store<M>,
}

impl<M: Model> fmt::Debug for Fired<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fired")
            .field("replication", &self.replication)
            .field("elapsed", &self.elapsed)
            .field("event", &self.event.name())
            .finish_non_exhaustive()
    }
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The number of replications that have ended.
    pub done: usize,
    /// The number of replications.
    pub of: usize,
    /// The number of events that have fired in all of them.
    pub events: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, of, events } = self;
        write!(f, "{done} of {of} replications, {events} events")
    }
}

/// The event as its type, if it is of that type.
fn downcast<M: Model, E: Event>(event: &M::Event) -> Option<&E> {
    struct As<E>(std::marker::PhantomData<E>);
    impl<'e, T: Event> EventVisitor<'e> for As<T> {
        type Output = Option<&'e T>;

        fn visit<E: Event>(self, event: &'e E) -> Option<&'e T> {
            (event as &dyn Any).downcast_ref()
        }
    }
    event.accept(As(std::marker::PhantomData))
}
