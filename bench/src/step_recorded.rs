//! `step_recorded`: one event on a graph, with everything recorded that a log and a rollback need.

use std::hint::black_box;

use crate::Options;
use crate::contenders::{compare, flat, ironweave, maps};
use crate::harness::{Row, row, sample};
use crate::work::{Contender, Op, operations};

/// Operations in one sample.
const BATCH: usize = 100_000;

struct Lane<C> {
    contender: C,
    samples: Vec<f64>,
}

impl<C: Contender> Lane<C> {
    fn new(tasks: usize, warm_up: &[Op]) -> Self {
        let mut contender = C::new(tasks);
        warm_up.iter().for_each(|op| contender.step(*op));
        Self {
            contender,
            samples: Vec::new(),
        }
    }

    fn run(&mut self, batch: &[Op]) {
        let contender = &mut self.contender;
        self.samples.push(sample(batch.len(), || {
            batch.iter().for_each(|op| contender.step(black_box(*op)))
        }));
    }

    fn row(self, entities: usize) -> Row {
        row("step_recorded", C::NAME, entities, self.samples)
    }
}

/// Measures all contenders at all sizes.
pub fn run(options: &Options) -> Vec<Row> {
    compare(57, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let all = operations(entities, BATCH * (options.samples + 1), entities as u64);
        let (warm_up, rest) = all.split_at(BATCH);
        let mut flat = Lane::<flat::Flat>::new(entities, warm_up);
        let mut fxhash = Lane::<maps::fxhash::Maps>::new(entities, warm_up);
        let mut btree = Lane::<maps::btree::Maps>::new(entities, warm_up);
        let mut ours = Lane::<ironweave::Ours>::new(entities, warm_up);
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
