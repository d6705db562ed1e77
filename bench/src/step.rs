//! `step_graph`, `step_recorded`, `step_logged`, `reject`, `what_if_1`, `what_if_100`: one event on a graph, and
//! what is kept of it.

use std::hint::black_box;

use crate::Options;
use crate::contenders::logged::FxHashLogged;
use crate::contenders::{compare, flat, ironweave, maps};
use crate::harness::{Row, row, sample};
use crate::work::{Contender, Keeps, Op, operations};

/// Operations in one sample.
const BATCH: usize = 100_000;

/// What is done with an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It fires.
    Step,
    /// It is rejected.
    Reject,
    /// So many in a row fire and are rolled back together.
    WhatIf(usize),
}

struct Lane<C: Contender> {
    contender: C,
    samples: Vec<f64>,
}

impl<C: Contender> Lane<C> {
    fn new(tasks: usize, keeps: Keeps, warm_up: &[Op]) -> Self {
        let mut contender = C::new(tasks, keeps);
        for op in warm_up {
            contender.step(contender.event(*op));
        }
        Self {
            contender,
            samples: Vec::new(),
        }
    }

    fn run(&mut self, act: Act, batch: &[Op]) {
        let contender = &mut self.contender;
        let events: Vec<C::Event> = batch.iter().map(|op| contender.event(*op)).collect();
        self.samples.push(sample(batch.len(), || match act {
            Act::Step => (events.iter()).for_each(|event| contender.step(black_box(*event))),
            Act::Reject => (events.iter()).for_each(|event| contender.reject(black_box(*event))),
            Act::WhatIf(n) => {
                (events.chunks(n)).for_each(|some| contender.step_and_undo(black_box(some)))
            }
        }));
    }
}

/// Measures all contenders at all sizes, in turns.
fn measured(options: &Options, bench: &'static str, keeps: Keeps, act: Act) -> Vec<Row> {
    compare(57, 1);
    #[cfg(feature = "peers")]
    crate::yard::steps::compare(57, 2);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let (warm_up, rest) = work(entities, options.samples, act);
        let mut flat = Lane::<flat::Flat>::new(entities, keeps, &warm_up);
        let mut fxhash = Lane::<maps::fxhash::Maps>::new(entities, keeps, &warm_up);
        let mut btree = Lane::<maps::btree::Maps>::new(entities, keeps, &warm_up);
        let mut ours = Lane::<ironweave::Ours>::new(entities, keeps, &warm_up);
        // Where nothing is written, it is `fxhash`.
        let has_log = keeps == Keeps::Log && act == Act::Step;
        let mut logged = has_log.then(|| Lane::<FxHashLogged>::new(entities, keeps, &warm_up));
        for batch in rest.chunks(BATCH) {
            flat.run(act, batch);
            fxhash.run(act, batch);
            if let Some(logged) = &mut logged {
                logged.run(act, batch);
            }
            btree.run(act, batch);
            ours.run(act, batch);
        }
        rows.extend([
            row(bench, flat::Flat::NAME, entities, flat.samples),
            row(bench, maps::fxhash::Maps::NAME, entities, fxhash.samples),
            row(bench, maps::btree::Maps::NAME, entities, btree.samples),
            row(bench, ironweave::Ours::NAME, entities, ours.samples),
        ]);
        let logged = logged.map(|lane| row(bench, FxHashLogged::NAME, entities, lane.samples));
        rows.extend(logged);
        #[cfg(feature = "peers")]
        {
            use crate::contenders::logged::Logged;
            use crate::keepers::{Fjall, Redb};
            use crate::yard::steps::{BevySteps, SqliteSteps};
            let few = &rest[..rest.len().min(PEERS_BATCH * options.samples)];
            let (does, work) = ((keeps, act), (warm_up.as_slice(), few));
            rows.push(alone::<BevySteps>(bench, entities, does, work));
            rows.push(alone::<SqliteSteps>(bench, entities, does, work));
            if has_log {
                rows.push(alone::<Logged<Redb>>(bench, entities, does, work));
                rows.push(alone::<Logged<Fjall>>(bench, entities, does, work));
            }
        }
    }
    rows
}

/// Operations in one sample of slow contenders.
#[cfg(feature = "peers")]
const PEERS_BATCH: usize = 5_000;

/// Measures one contender after the others.
#[cfg(feature = "peers")]
fn alone<C: Contender>(
    bench: &'static str,
    entities: usize,
    (keeps, act): (Keeps, Act),
    (warm_up, rest): (&[Op], &[Op]),
) -> Row {
    let mut lane = Lane::<C>::new(entities, keeps, warm_up);
    rest.chunks(PEERS_BATCH)
        .for_each(|batch| lane.run(act, batch));
    row(bench, C::NAME, entities, lane.samples)
}

/// Operations to warm up with, all of which fire, and operations to measure with, which suit `act` after these.
fn work(entities: usize, samples: usize, act: Act) -> (Vec<Op>, Vec<Op>) {
    let mut warm_up = operations(entities, BATCH * (samples + 1), entities as u64);
    let mut rest = warm_up.split_off(BATCH);
    if act == Act::Step {
        return (warm_up, rest);
    }
    // None of these is kept, so that each begins in the state after the warm-up.
    let mut running = vec![false; entities];
    for op in &warm_up {
        running[op.task as usize] = op.start;
    }
    let together = if let Act::WhatIf(n) = act { n } else { 1 };
    for some in rest.chunks_mut(together) {
        for i in 0..some.len() {
            let task = some[i].task;
            let (before, now) = some.split_at_mut(i);
            let last = before.iter().rfind(|op| op.task == task);
            let runs = last.map_or(running[task as usize], |op| op.start);
            now[0].start = runs == (act == Act::Reject);
        }
    }
    (warm_up, rest)
}

/// One event, of which only the graph is kept.
pub fn graph(options: &Options) -> Vec<Row> {
    measured(options, "step_graph", Keeps::Nothing, Act::Step)
}

/// One event that is kept with its facts.
pub fn recorded(options: &Options) -> Vec<Row> {
    measured(options, "step_recorded", Keeps::Facts, Act::Step)
}

/// One event that is written to a log.
pub fn logged(options: &Options) -> Vec<Row> {
    measured(options, "step_logged", Keeps::Log, Act::Step)
}

/// One event that is rejected.
pub fn reject(options: &Options) -> Vec<Row> {
    measured(options, "reject", Keeps::Log, Act::Reject)
}

/// One event that is rolled back.
pub fn what_if_1(options: &Options) -> Vec<Row> {
    measured(options, "what_if_1", Keeps::Log, Act::WhatIf(1))
}

/// One event of a hundred that are rolled back together.
pub fn what_if_100(options: &Options) -> Vec<Row> {
    measured(options, "what_if_100", Keeps::Log, Act::WhatIf(100))
}
