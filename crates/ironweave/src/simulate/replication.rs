//! One replication: bindings become enabled, wait and fire, until the end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::check::{Binding, Fork};
use crate::simulate::delay::unit;
use crate::simulate::error::SimulationError;
use crate::simulate::monitor::{Observed, Observer};
use crate::simulate::{DelayFn, Fired, Simulation};
use crate::step::any_event::AnyEvent as _;
use crate::step::model::Model;

/// How many of the events that fire at one time are counted for the error of a livelock.
const LIVELOCK_COUNTED: u64 = 1000;
/// After how many events progress is reported.
const EVENTS_PER_TICK: u64 = 256;

/// Why a replication ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The condition holds.
    Condition,
    /// The time is over.
    Time,
    /// Nothing can fire any more.
    Idle,
    /// Too many events have fired.
    Events,
}

/// The result of a replication.
pub(super) struct Replication {
    pub end: End,
    /// The simulated time, in nanoseconds.
    pub nanos: u64,
    /// By event, how often it fired after the warm-up.
    pub fired: Vec<u64>,
    /// How many events fired in all.
    pub events: u64,
    /// By observer.
    pub observed: Vec<Observed>,
}

/// When events fire, by their index in [`Fork::names`].
pub(super) struct Timing<'s, M: Model> {
    /// `None` for an event that fires at its due time.
    pub delays: Vec<Option<&'s DelayFn<M>>>,
    pub weights: Vec<Option<f64>>,
}

/// A binding that is enabled.
#[derive(Clone, Copy)]
struct Scheduled {
    /// When it fires, in nanoseconds. `None` for never.
    due: Option<u64>,
    /// How long before that its due time was reached, in nanoseconds.
    overdue: u64,
    /// Its place in the order in which bindings became enabled.
    order: u64,
    /// As it was found in the present state.
    binding: Binding,
    /// The number of the search that found it.
    search: u64,
}

/// What runs one replication after the other.
pub(super) struct Runner<'s, M: Model> {
    simulation: &'s Simulation<M>,
    timing: Timing<'s, M>,
    fork: Fork<'s, M>,
    /// The bindings that are enabled, by their numbers.
    enabled: BTreeMap<u32, Scheduled>,
    /// How often bindings were searched.
    searches: u64,
    /// How often a binding became enabled.
    orders: u64,
    /// The simulated time, in nanoseconds.
    now: u64,
    /// How many events were tried at the present time.
    at_once: u64,
    /// Reused.
    found: Vec<Binding>,
    replication: usize,
    random: ChaCha8Rng,
    /// By event, how often it fired after the warm-up.
    fired: Vec<u64>,
    events: u64,
    observed: Vec<Observed>,
}

impl<'s, M: Model> Runner<'s, M> {
    pub(super) fn new(
        simulation: &'s Simulation<M>,
        timing: Timing<'s, M>,
        fork: Fork<'s, M>,
    ) -> Self {
        Self {
            simulation,
            timing,
            fork,
            enabled: BTreeMap::new(),
            searches: 0,
            orders: 0,
            now: 0,
            at_once: 0,
            found: Vec::new(),
            replication: 0,
            random: ChaCha8Rng::seed_from_u64(0),
            fired: Vec::new(),
            events: 0,
            observed: Vec::new(),
        }
    }

    /// The names of the events that can occur.
    pub(super) fn names(&self) -> Vec<String> {
        self.fork.names().map(str::to_owned).collect()
    }

    /// Runs a replication. `tick` is called now and then with the number of events that have fired since the last call.
    pub(super) fn run(
        &mut self,
        replication: usize,
        tick: &mut impl FnMut(u64),
    ) -> Result<Replication, SimulationError> {
        self.fork.restart();
        self.enabled.clear();
        (self.now, self.at_once, self.events) = (0, 0, 0);
        self.replication = replication;
        self.random = ChaCha8Rng::seed_from_u64(self.simulation.seed);
        self.random.set_stream(replication as u64);
        self.fired = vec![0; self.timing.delays.len()];
        let observers = self.simulation.observers.iter();
        self.observed = observers
            .map(|(_, observer)| Observed::nothing(observer))
            .collect();
        let end = self.run_to_end(tick)?;
        tick(self.events % EVENTS_PER_TICK);
        // The numbers over time have a value although no time has passed.
        self.pass_to(self.now)?;
        Ok(Replication {
            end,
            nanos: self.now,
            fired: std::mem::take(&mut self.fired),
            events: self.events,
            observed: std::mem::take(&mut self.observed),
        })
    }

    fn run_to_end(&mut self, tick: &mut impl FnMut(u64)) -> Result<End, SimulationError> {
        let simulation = self.simulation;
        let limit = simulation.until_time.map_or(u64::MAX, nanos);
        loop {
            self.see_conditions();
            if let Some(until) = &simulation.until
                && until(self.fork.store())
            {
                return Ok(End::Condition);
            }
            if self.events >= simulation.events_max {
                return Ok(End::Events);
            }
            // Until an event has fired, the state is the same. What is rejected at its time is not enabled any more.
            loop {
                self.schedule()?;
                let Some((next, due)) = self.next() else {
                    return Ok(End::Idle);
                };
                if due > limit {
                    self.pass_to(limit)?;
                    return Ok(End::Time);
                }
                if self.fire(next, due)? {
                    break;
                }
            }
            if self.events.is_multiple_of(EVENTS_PER_TICK) {
                tick(EVENTS_PER_TICK);
            }
        }
    }

    /// Finds the bindings that are enabled. Those that were not before draw a delay.
    fn schedule(&mut self) -> Result<(), SimulationError> {
        self.searches += 1;
        // Those that are still enabled are found again.
        self.fork.forget();
        let found = self.find()?;
        for binding in &found {
            self.see(*binding)?;
        }
        self.found = found;
        let searches = self.searches;
        (self.enabled).retain(|_, scheduled| scheduled.search == searches);
        Ok(())
    }

    /// The bindings in the present state, of which not all are enabled. The caller gives the vector back.
    fn find(&mut self) -> Result<Vec<Binding>, SimulationError> {
        let mut found = std::mem::take(&mut self.found);
        match self.fork.bindings(&mut found) {
            Ok(()) => Ok(found),
            Err(message) => Err(SimulationError::Binding { message }),
        }
    }

    /// Tests whether a binding is enabled.
    fn see(&mut self, binding: Binding) -> Result<(), SimulationError> {
        let known = self.enabled.get_mut(&binding.number);
        // A function may return a binding twice.
        if known.is_some_and(|known| known.search == self.searches) {
            return Ok(());
        }
        let delay = self.timing.delays[binding.of];
        let known = self.enabled.get(&binding.number).copied();
        let due_time = match delay {
            Some(_) => None,
            None => self.due_time(binding),
        };
        if delay.is_none() && due_time.is_none() {
            return Ok(());
        }
        // An event that is due later is not tested yet, since it may depend on the time.
        if due_time.is_none_or(|(due, _)| due == Some(self.now)) {
            let is_enabled = self.fork.is_enabled(binding);
            if !is_enabled.map_err(|message| self.panicked(binding, message))? {
                return Ok(());
            }
        }
        let (due, overdue) = match (due_time, known, delay) {
            (Some(due_time), ..) => due_time,
            (None, Some(known), _) => (known.due, known.overdue),
            (None, None, delay) => (delay.and_then(|delay| self.draw(binding, delay)), 0),
        };
        let order = known.map_or(self.orders, |known| known.order);
        self.orders += u64::from(known.is_none());
        let scheduled = Scheduled {
            due,
            overdue,
            order,
            binding,
            search: self.searches,
        };
        self.enabled.insert(binding.number, scheduled);
        Ok(())
    }

    /// Draws when a binding fires that has become enabled.
    fn draw(&mut self, binding: Binding, delay: &DelayFn<M>) -> Option<u64> {
        let delay = delay(self.fork.event(binding), self.fork.store());
        let due = self.now.checked_add(delay.draw(&mut self.random)?);
        due.filter(|due| *due < u64::MAX)
    }

    /// When a binding fires that fires at its due time, and how long before that the time was reached, in nanoseconds. The outer
    /// `None` is that it is not due for its entity, and the inner one a time that is too late to be reached.
    fn due_time(&self, binding: Binding) -> Option<(Option<u64>, u64)> {
        let time = self.fork.due_time(binding)?;
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).ok();
        let first = self.fork.first_time();
        let due = match time.checked_duration_since(first) {
            Some(after) => nanos(after).filter(|due| *due < u64::MAX),
            None => Some(0),
        };
        let at = due.map(|due| due.max(self.now));
        let present = first + self.elapsed();
        let overdue = present.checked_duration_since(time);
        Some((at, overdue.and_then(nanos).unwrap_or(0)))
    }

    /// The binding that fires next, and when.
    fn next(&mut self) -> Option<(Scheduled, u64)> {
        let due = self.enabled.values().filter(|one| one.due.is_some());
        let first = *due.min_by_key(|one| (one.due, Reverse(one.overdue), one.order))?;
        let at = first.due?;
        let weights = &self.timing.weights;
        if weights[first.binding.of].is_none() {
            return Some((first, at));
        }
        let rivals = (self.enabled.values())
            .filter(|rival| rival.due == first.due)
            .filter_map(|rival| Some((*rival, weights[rival.binding.of]?)));
        let sum: f64 = rivals.clone().map(|(_, weight)| weight).sum();
        let mut left = unit(&mut self.random) * sum;
        let mut rivals = rivals.into_iter();
        let chosen = rivals.find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        // The sum may be rounded.
        Some((chosen.map_or(first, |(rival, _)| rival), at))
    }

    /// Fires a binding at its time. Returns whether it fired: a guard may depend on the time.
    fn fire(&mut self, next: Scheduled, due: u64) -> Result<bool, SimulationError> {
        let mut binding = next.binding;
        if due > self.now {
            self.pass_to(due)?;
            self.at_once = 0;
            // The event may have the time as a field. What a function gave and does not give at this time fires as it was.
            let found = self.find()?;
            let same = found.iter().find(|found| found.number == binding.number);
            binding = same.copied().unwrap_or(binding);
            self.found = found;
        }
        self.at_once += 1;
        if self.at_once > self.simulation.events_at_once_max {
            return Err(self.livelock());
        }
        self.enabled.remove(&binding.number);
        let fired = self.fork.fire(binding);
        if !fired.map_err(|message| self.panicked(binding, message))? {
            return Ok(false);
        }
        self.events += 1;
        if self.is_warm() {
            self.fired[binding.of] += 1;
            self.see_event(binding)?;
        }
        if let Some(trace) = &self.simulation.trace {
            trace(&Fired {
                replication: self.replication,
                elapsed: self.elapsed(),
                event: self.fork.event(binding),
                store: self.fork.store(),
            });
        }
        Ok(true)
    }

    /// The error that names the events which fire at the present time.
    fn livelock(&mut self) -> SimulationError {
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for _ in 0..LIVELOCK_COUNTED {
            if self.schedule().is_err() {
                break;
            }
            let Some((next, _)) = self.next().filter(|(_, due)| *due == self.now) else {
                break;
            };
            self.enabled.remove(&next.binding.number);
            let name = self.fork.event(next.binding).name();
            if self.fork.fire(next.binding) == Ok(true) {
                *counts.entry(name).or_default() += 1;
            }
        }
        let mut events: Vec<(String, u64)> = (counts.into_iter())
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        events.sort_by_key(|(_, count)| Reverse(*count));
        SimulationError::Livelock {
            replication: self.replication,
            elapsed: self.elapsed(),
            limit: self.simulation.events_at_once_max,
            events,
        }
    }

    fn panicked(&self, binding: Binding, message: String) -> SimulationError {
        SimulationError::Panicked {
            replication: self.replication,
            elapsed: self.elapsed(),
            event: self.fork.event(binding).name().to_owned(),
            message,
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    fn is_warm(&self) -> bool {
        self.now >= nanos(self.simulation.warm_up)
    }

    /// Lets time pass. The state has not changed meanwhile.
    fn pass_to(&mut self, time: u64) -> Result<(), SimulationError> {
        let warm = nanos(self.simulation.warm_up);
        let is_warm = time >= warm;
        let passed = time.saturating_sub(self.now.max(warm));
        let observers = self.simulation.observers.iter();
        for ((name, observer), observed) in observers.zip(&mut self.observed) {
            if let (Observer::Value(value), Observed::Numbers(numbers)) = (observer, observed) {
                let value = value(self.fork.store());
                if !value.is_finite() {
                    return Err(not_finite((self.replication, self.now), name, value));
                }
                if is_warm {
                    numbers.add(value, passed as f64);
                }
            }
        }
        self.now = time;
        (self.fork).set_time(self.fork.first_time() + Duration::from_nanos(time));
        Ok(())
    }

    /// Tests the conditions that have not held yet.
    fn see_conditions(&mut self) {
        let observers = self.simulation.observers.iter();
        for ((_, observer), observed) in observers.zip(&mut self.observed) {
            if let (Observer::First(holds), Observed::First(first @ None)) = (observer, observed)
                && holds(self.fork.store())
            {
                *first = Some(self.now);
            }
        }
    }

    /// Records the numbers of an event that has fired.
    fn see_event(&mut self, binding: Binding) -> Result<(), SimulationError> {
        let event = self.fork.event(binding);
        let observers = self.simulation.observers.iter();
        for ((name, observer), observed) in observers.zip(&mut self.observed) {
            if let (Observer::Event(value), Observed::Numbers(numbers)) = (observer, observed)
                && let Some(value) = value(event, self.fork.store())
            {
                if !value.is_finite() {
                    return Err(not_finite((self.replication, self.now), name, value));
                }
                numbers.add(value, 1.0);
            }
        }
        Ok(())
    }
}

fn not_finite((replication, now): (usize, u64), monitor: &str, value: f64) -> SimulationError {
    SimulationError::NotFinite {
        replication,
        elapsed: Duration::from_nanos(now),
        monitor: monitor.to_owned(),
        value,
    }
}

/// The duration in nanoseconds. One that has too many lasts for ever.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
