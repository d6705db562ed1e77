//! `writer_idle_reader`: the times of single steps of a store that grows, without readers, beside a reader from which no snapshot is
//! taken, and after one snapshot that was taken and dropped. The worst step is what matters: a step must not pay for the
//! readers of the steps before it.

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
    /// The names of its rows: of the median, of 99.9 % and of the worst step.
    names: [&'static str; 3],
    ours: Ours,
    _reader: Option<ironweave::StoreReader<model::Model>>,
    /// The nanoseconds of each step of the sample.
    took: Vec<u32>,
    /// By sample, the figures of the three rows.
    figures: [Vec<f64>; 3],
}

impl Lane {
    fn new(names: [&'static str; 3], entities: usize, reader: bool, snapshot: bool) -> Self {
        let ours = Ours::new(entities, Keeps::Log);
        let _reader = reader.then(|| ours.store.reader());
        if snapshot {
            drop(ours.store.snapshot());
        }
        Self {
            names,
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
            Lane::new(
                ["alone p50", "alone p99.9", "alone max"],
                entities,
                false,
                false,
            ),
            Lane::new(
                ["idle p50", "idle p99.9", "idle max"],
                entities,
                true,
                false,
            ),
            Lane::new(
                ["dropped p50", "dropped p99.9", "dropped max"],
                entities,
                false,
                true,
            ),
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
            for (name, figures) in lane.names.into_iter().zip(lane.figures) {
                rows.push(row("writer_idle_reader", name, entities, figures));
            }
        }
    }
    Ok(rows)
}

/// The median of the samples for each figure, and the ratio to the store without readers.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>12}{:>24}{:>10}\n",
        "step", "entities", "ns", "least - greatest", "of alone"
    );
    for row in rows {
        let figure = row.contender.split(' ').next_back();
        let alone = rows.iter().find(|r| {
            r.entities == row.entities
                && r.contender.starts_with("alone")
                && r.contender.split(' ').next_back() == figure
        });
        let ratio = alone.map_or(f64::NAN, |alone| row.ns_per_op / alone.ns_per_op);
        let between = format!("{:.0} - {:.0}", row.least, row.greatest);
        let _ = writeln!(
            text,
            "{:<16}{:>10}{:>12.0}{between:>24}{ratio:>10.2}",
            row.contender, row.entities, row.ns_per_op
        );
    }
    text
}
