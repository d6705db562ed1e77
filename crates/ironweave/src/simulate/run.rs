//! Runs all replications, on several threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::check::Fork;
use crate::simulate::error::SimulationError;
use crate::simulate::replication::{Replication, Runner, Timing};
use crate::simulate::report::Report;
use crate::simulate::{Progress, Rule, Simulation};
use crate::step::any_event::AnyEvent as _;
use crate::step::model::Model;

/// The results by the number of the replication. A function of the user may have panicked.
type Results = BTreeMap<usize, std::thread::Result<Result<Replication, SimulationError>>>;

pub(super) fn run<M: Model>(simulation: &Simulation<M>) -> Result<Report, SimulationError> {
    // What is missing is known before any thread is started.
    let runner = runner(simulation)?;
    let names = runner.names();
    let started = Instant::now();
    let shared = Shared {
        simulation,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        events: AtomicU64::new(0),
        results: Mutex::new(BTreeMap::new()),
        reported: Mutex::new(Instant::now()),
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = simulation.threads.unwrap_or_else(cores);
    std::thread::scope(|scope| {
        for _ in 1..threads.min(simulation.replications) {
            let thread = std::thread::Builder::new().spawn_scoped(scope, || {
                // It is made of the same values as the first one, which has everything.
                if let Ok(runner) = self::runner(simulation) {
                    shared.work(runner);
                }
            });
            // If the system has no more threads, those that there are run all replications.
            if thread.is_err() {
                break;
            }
        }
        shared.work(runner);
    });
    shared.report_progress();
    let results = std::mem::take(&mut *shared.results());
    // Of several errors and panics, that of the first replication: it is the same with any number of threads.
    let mut replications = Vec::with_capacity(results.len());
    for result in results.into_values() {
        replications.push(result.unwrap_or_else(|panic| resume_unwind(panic))?);
    }
    Ok(Report::new(
        simulation,
        names,
        &replications,
        started.elapsed(),
    ))
}

/// Returns what runs replications, or what it does not know.
fn runner<M: Model>(simulation: &Simulation<M>) -> Result<Runner<'_, M>, SimulationError> {
    let mut lines = Vec::new();
    if simulation.replications == 0 {
        lines.push("the number of replications is 0: .replications(100)".to_owned());
    }
    if simulation.threads == Some(0) {
        lines.push("the number of threads is 0: leave out .threads(0)".to_owned());
    }
    if simulation.events_at_once_max == 0 {
        lines.push("no event may fire: .events_at_once_max(100_000)".to_owned());
    }
    if let Some(end) = simulation
        .until_time
        .filter(|end| *end < simulation.warm_up)
    {
        lines.push(format!(
            "the warm-up of {:?} is longer than a replication, which ends after {end:?}: give a shorter .warm_up(..)",
            simulation.warm_up
        ));
    }
    for (event, weight) in &simulation.weights {
        if !(weight.is_finite() && *weight > 0.0) {
            lines.push(format!(
                "the weight of `{event}` is {weight}; give a finite number that is greater than zero"
            ));
        }
    }
    let mut names: Vec<&str> = simulation.observers.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup_by(|a, b| {
        let is_same = a == b;
        if is_same {
            lines.push(format!(
                "two monitors have the name {a:?}; give each its own"
            ));
        }
        is_same
    });
    let without: Vec<&'static str> = (simulation.rules.iter())
        .filter(|(_, rule)| matches!(rule, Rule::Without))
        .map(|(name, _)| *name)
        .collect();
    let schema = M::binding().schema;
    let is_due = |name: &&str| {
        let mut events = schema.events.iter();
        events.any(|event| event.name == *name && event.due.is_some())
    };
    for event in M::Event::NAMES {
        if !simulation.rules.contains_key(event) && !is_due(event) {
            lines.push(format!(
                "when `{event}` fires: .delay::<{event}>(Delay::exponential(mean)), or .without::<{event}>() if it does not occur"
            ));
        }
    }
    let fork = match Fork::new(&simulation.domains, &without, simulation.base.as_ref()) {
        Ok(fork) if lines.is_empty() => fork,
        Ok(_) => return Err(SimulationError::Missing { lines }),
        Err(missing) => {
            lines.extend(missing.into_lines());
            return Err(SimulationError::Missing { lines });
        }
    };
    let mut timing = Timing {
        delays: Vec::new(),
        weights: Vec::new(),
    };
    for event in fork.names() {
        timing.delays.push(match simulation.rules.get(event) {
            Some(Rule::Delay(delay)) => Some(delay),
            // Without a rule, it is a due event.
            Some(Rule::Without) | None => None,
        });
        timing.weights.push(simulation.weights.get(event).copied());
    }
    Ok(Runner::new(simulation, timing, fork))
}

/// What the threads share.
struct Shared<'s, M: Model> {
    simulation: &'s Simulation<M>,
    /// The replication that the next free thread runs.
    next: AtomicUsize,
    done: AtomicUsize,
    events: AtomicU64,
    results: Mutex<Results>,
    /// When progress was reported last.
    reported: Mutex<Instant>,
}

impl<M: Model> Shared<'_, M> {
    /// The results. Nothing panics while they are locked.
    fn results(&self) -> std::sync::MutexGuard<'_, Results> {
        self.results
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Runs replications until there are no more, or until one of this thread fails. All before that one are run by then or by others.
    fn work(&self, mut runner: Runner<'_, M>) {
        loop {
            let replication = self.next.fetch_add(1, Ordering::Relaxed);
            if replication >= self.simulation.replications {
                return;
            }
            // The runner is not used again after a panic.
            let result = catch_unwind(AssertUnwindSafe(|| {
                runner.run(replication, &mut |events| self.tick(events))
            }));
            let is_failed = !matches!(result, Ok(Ok(_)));
            self.results().insert(replication, result);
            self.done.fetch_add(1, Ordering::Relaxed);
            if is_failed {
                // No other replication begins.
                self.next
                    .store(self.simulation.replications, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Counts events, and reports progress if it is time.
    fn tick(&self, events: u64) {
        self.events.fetch_add(events, Ordering::Relaxed);
        let Some((interval, _)) = &self.simulation.progress else {
            return;
        };
        // Another thread reports it.
        let Ok(mut reported) = self.reported.try_lock() else {
            return;
        };
        if reported.elapsed() >= *interval {
            *reported = Instant::now();
            drop(reported);
            self.report_progress();
        }
    }

    fn report_progress(&self) {
        if let Some((_, report)) = &self.simulation.progress {
            report(&Progress {
                done: self.done.load(Ordering::Relaxed),
                of: self.simulation.replications,
                events: self.events.load(Ordering::Relaxed),
            });
        }
    }
}
