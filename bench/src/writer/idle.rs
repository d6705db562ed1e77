//! `writer_idle_reader`: the times of single steps of a store that grows: without readers, beside a reader from which no
//! snapshot is taken, and after one snapshot that was taken and dropped. The slowest steps are compared as well as the median,
//! because a step must not pay for the readers of the steps before it.

use std::fmt::Write as _;
use std::time::Instant;

use crate::contenders::ironweave::{Ours, model};
use crate::harness::{Row, row};
use crate::work::{Contender, Keeps, operations, workers};
use crate::{Measured, Options};

/// Steps in one sample. One in four of them creates a task.
const STEPS: usize = 400_000;
/// Steps of one store before it is the turn of the next one.
const TURN: usize = 1_000;

/// A store and what reads it: nothing is called on the handle.
struct Lane {
    name: &'static str,
    ours: Ours,
    _reader: Option<ironweave::StoreReader<model::Model>>,
    /// The nanoseconds of each step of the sample.
    took: Vec<u32>,
    /// By sample, the median, the 99.9th percentile, and the slowest step.
    figures: [Vec<f64>; 3],
}

impl Lane {
    fn new(name: &'static str, entities: usize, reader: bool, snapshot: bool) -> Self {
        let ours = Ours::new(entities, Keeps::Log);
        let _reader = reader.then(|| ours.store.reader());
        if snapshot {
            drop(ours.store.snapshot());
        }
        Self {
            name,
            ours,
            _reader,
            took: Vec::with_capacity(STEPS),
            figures: Default::default(),
        }
    }

    fn step(&mut self, event: crate::contenders::ironweave::Asked, create: bool) {
        let worker = event.worker();
        let began = Instant::now();
        if create {
            self.ours.store.step(model::TasksAdded { worker });
        } else {
            self.ours.step(event);
        }
        self.took.push(began.elapsed().as_nanos() as u32);
    }

    fn end_sample(&mut self) {
        self.took.sort_unstable();
        let last = self.took.len() - 1;
        for (figures, at) in self
            .figures
            .iter_mut()
            .zip([last / 2, last - last / 1_000, last])
        {
            figures.push(f64::from(self.took[at]));
        }
        self.took.clear();
    }
}

/// Steps of a store that grows, each timed.
pub fn run(options: &Options) -> Measured {
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let mut lanes = [
            Lane::new("alone", entities, false, false),
            Lane::new("idle", entities, true, false),
            Lane::new("dropped", entities, false, true),
        ];
        let ops = operations(entities, STEPS * options.samples, 3);
        assert!(workers(entities) > 1);
        for ops in ops.chunks(STEPS) {
            for turn in ops.chunks(TURN) {
                for lane in &mut lanes {
                    for (i, op) in turn.iter().enumerate() {
                        lane.step(lane.ours.event(*op), false);
                        if i % 3 == 0 {
                            lane.step(lane.ours.event(*op), true);
                        }
                    }
                }
            }
            lanes.iter_mut().for_each(Lane::end_sample);
        }
        for lane in lanes {
            let [medians, p999, max] = lane.figures;
            rows.push(Row {
                p999: Some(median(p999)),
                max: Some(median(max)),
                ..row("writer_idle_reader", lane.name, entities, medians)
            });
        }
    }
    Ok(rows)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The medians of the samples, and the ratios to the store without readers.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<12}{:>10}{:>18}{:>18}{:>22}\n",
        "of alone", "entities", "median ns", "p99.9 ns", "max ns"
    );
    for row in rows {
        let is_alone = |r: &&Row| r.contender == "alone" && r.entities == row.entities;
        let alone = rows.iter().find(is_alone);
        let cell = |figure: fn(&Row) -> Option<f64>| {
            let (figure, alone) = (figure(row), alone.and_then(figure));
            let (figure, alone) = (figure.unwrap_or(f64::NAN), alone.unwrap_or(f64::NAN));
            format!("{figure:.0} ({:.2})", figure / alone)
        };
        let _ = writeln!(
            text,
            "{:<12}{:>10}{:>18}{:>18}{:>22}",
            row.contender,
            row.entities,
            cell(|row| Some(row.ns_per_op)),
            cell(|row| row.p999),
            cell(|row| row.max)
        );
    }
    text
}
