//! `step_graph`, `step_recorded`, `step_logged`, `reject`, `what_if_1`, `what_if_100`: one event on a graph, and what
//! remains of it.

use std::hint::black_box;

use crate::Options;
use crate::contenders::{compare, flat, ironweave, maps};
use crate::harness::{Row, row, sample};
use crate::work::{Contender, Keeps, Op, operations};

/// Operations in one sample.
const BATCH: usize = 100_000;

/// What is done with each operation of a batch.
type Act<C> = fn(&mut C, Op);

struct Lane<C> {
    bench: &'static str,
    contender: C,
    act: Act<C>,
    samples: Vec<f64>,
}

impl<C: Contender> Lane<C> {
    fn new(bench: &'static str, tasks: usize, keeps: Keeps, warm_up: &[Op], act: Act<C>) -> Self {
        let mut contender = C::new(tasks, keeps);
        warm_up.iter().for_each(|op| contender.step(*op));
        Self {
            bench,
            contender,
            act,
            samples: Vec::new(),
        }
    }

    fn run(&mut self, batch: &[Op]) {
        let (contender, act) = (&mut self.contender, self.act);
        self.samples.push(sample(batch.len(), || {
            batch.iter().for_each(|op| act(contender, black_box(*op)))
        }));
    }

    fn row(self, entities: usize) -> Row {
        row(self.bench, C::NAME, entities, self.samples)
    }
}

/// Measures all contenders at all sizes. What operations do not change the graph for good are made from the one state
/// that the warm-up leaves; then `of` gives the operation that is asked for, from one that follows the warm-up.
fn measured(
    options: &Options,
    bench: &'static str,
    keeps: Keeps,
    acts: (
        Act<flat::Flat>,
        Act<maps::fxhash::Maps>,
        Act<maps::btree::Maps>,
        Act<ironweave::Ours>,
    ),
    batch_of: impl Fn(usize, usize) -> (Vec<Op>, Vec<Op>),
) -> Vec<Row> {
    compare(57, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let (warm_up, rest) = batch_of(entities, options.samples);
        let mut flat = Lane::new(bench, entities, keeps, &warm_up, acts.0);
        let mut fxhash = Lane::new(bench, entities, keeps, &warm_up, acts.1);
        let mut btree = Lane::new(bench, entities, keeps, &warm_up, acts.2);
        let mut ours = Lane::new(bench, entities, keeps, &warm_up, acts.3);
        for batch in rest.chunks(BATCH) {
            flat.run(batch);
            fxhash.run(batch);
            btree.run(batch);
            ours.run(batch);
        }
        rows.extend([
            flat.row(entities),
            fxhash.row(entities),
            btree.row(entities),
            ours.row(entities),
        ]);
    }
    rows
}

/// Operations that happen, one after the other.
fn in_turn(entities: usize, samples: usize) -> (Vec<Op>, Vec<Op>) {
    let mut all = operations(entities, BATCH * (samples + 1), entities as u64);
    let rest = all.split_off(BATCH);
    (all, rest)
}

/// Operations of which each could come next after the warm-up; turned round, none of them could.
fn next(entities: usize, samples: usize, possible: bool) -> (Vec<Op>, Vec<Op>) {
    let warm_up = operations(entities, BATCH, entities as u64);
    let mut running = vec![false; entities];
    let mut holders = vec![u32::MAX; entities];
    for op in &warm_up {
        running[op.task as usize] = op.start;
        holders[op.task as usize] = op.worker;
    }
    let mut asked = operations(entities, BATCH * samples, entities as u64 + 1);
    for op in &mut asked {
        op.start = running[op.task as usize] != possible;
        if op.worker == holders[op.task as usize] {
            op.worker = if op.worker == 0 { 1 } else { op.worker - 1 };
        }
    }
    (warm_up, asked)
}

/// One event, of which nothing remains but the graph.
pub fn graph(options: &Options) -> Vec<Row> {
    let acts = (
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
    );
    measured(options, "step_graph", Keeps::Nothing, acts, in_turn)
}

/// One event, of which itself and its facts remain.
pub fn recorded(options: &Options) -> Vec<Row> {
    let acts = (
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
    );
    measured(options, "step_recorded", Keeps::Facts, acts, in_turn)
}

/// One event, of which a frame of the log remains.
pub fn logged(options: &Options) -> Vec<Row> {
    let acts = (
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
        step as Act<_>,
    );
    measured(options, "step_logged", Keeps::Log, acts, in_turn)
}

/// One event that cannot happen.
pub fn reject(options: &Options) -> Vec<Row> {
    let acts = (
        refuse as Act<_>,
        refuse as Act<_>,
        refuse as Act<_>,
        refuse as Act<_>,
    );
    measured(options, "reject", Keeps::Log, acts, |entities, samples| {
        next(entities, samples, false)
    })
}

fn step<C: Contender>(contender: &mut C, op: Op) {
    contender.step(op);
}

fn refuse<C: Contender>(contender: &mut C, op: Op) {
    contender.reject(op);
}

fn ask<C: Contender>(contender: &mut C, op: Op) {
    contender.step_and_undo(op);
}

/// One event, taken back.
pub fn what_if_1(options: &Options) -> Vec<Row> {
    let acts = (ask as Act<_>, ask as Act<_>, ask as Act<_>, ask as Act<_>);
    measured(
        options,
        "what_if_1",
        Keeps::Log,
        acts,
        |entities, samples| next(entities, samples, true),
    )
}
