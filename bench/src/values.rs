//! `with`, `with_100`, `snapshot`, `snapshot_read`: values of the whole graph, beside the same written by hand over two
//! libraries of persistent collections.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hint::black_box;

use crate::Options;
use crate::contenders::persistent::{Imbl, Rpds};
use crate::contenders::{flat, ironweave};
use crate::harness::{Row, row, sample};
use crate::work::{Contender, Keeps, Op, Value, operations};

/// Operations in one sample.
const BATCH: usize = 20_000;
/// How many of the last values somebody holds.
const HELD: usize = 4;

/// Measures one way to use values, of all contenders in turns.
fn measured(
    options: &Options,
    bench: &'static str,
    once: impl Fn(&mut dyn Lane, &[Op]) -> f64,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let ops = operations(entities, BATCH * options.samples, entities as u64);
        let mut lanes: Vec<(Box<dyn Lane>, Vec<f64>)> = vec![
            (
                Box::new(Held::<ironweave::Valued>::new(entities)),
                Vec::new(),
            ),
            (Box::new(Held::<Imbl>::new(entities)), Vec::new()),
            (Box::new(Held::<Rpds>::new(entities)), Vec::new()),
        ];
        for batch in ops.chunks(BATCH) {
            for (lane, samples) in &mut lanes {
                samples.push(once(&mut **lane, batch));
            }
        }
        for (lane, samples) in lanes {
            rows.push(row(bench, lane.name(), entities, samples));
        }
    }
    rows
}

/// A contender without its type.
trait Lane {
    fn name(&self) -> &'static str;
    fn with(&mut self, ops: &[Op]) -> f64;
    fn chain(&mut self, ops: &[Op]) -> f64;
    fn snapshots(&mut self, ops: &[Op]) -> f64;
    fn reads(&mut self, ops: &[Op]) -> f64;
}

struct Held<V> {
    value: V,
    last: VecDeque<V>,
}

impl<V: Value> Held<V> {
    fn new(tasks: usize) -> Self {
        Self {
            value: V::new(tasks),
            last: VecDeque::new(),
        }
    }

    /// Steps that are not measured.
    fn go_on(&mut self, ops: &[Op]) {
        ops.iter().for_each(|op| self.value.step(*op));
    }
}

impl<V: Value> Lane for Held<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn with(&mut self, ops: &[Op]) -> f64 {
        // Of the first event of each task alone: the others cannot happen yet.
        let mut seen = std::collections::HashSet::new();
        let first: Vec<Op> = ops
            .iter()
            .filter(|op| seen.insert(op.task))
            .copied()
            .collect();
        let took = sample(first.len(), || {
            first
                .iter()
                .for_each(|op| drop(black_box(self.value.with(*op))));
        });
        self.go_on(ops);
        took
    }

    fn chain(&mut self, ops: &[Op]) -> f64 {
        sample(ops.len(), || {
            for some in ops.chunks(100) {
                let last = some[1..]
                    .iter()
                    .fold(self.value.with(some[0]), |value, op| value.with(*op));
                self.value = last;
            }
        })
    }

    fn snapshots(&mut self, ops: &[Op]) -> f64 {
        sample(ops.len(), || {
            for op in ops {
                self.value.step(*op);
                self.last.push_back(self.value.clone());
                if self.last.len() > HELD {
                    self.last.pop_front();
                }
            }
        })
    }

    fn reads(&mut self, ops: &[Op]) -> f64 {
        let value = self.value.clone();
        let took = sample(ops.len(), || {
            ops.iter().for_each(|op| _ = black_box(value.read(op.task)));
        });
        self.go_on(ops);
        took
    }
}

/// Each event on one value, and what comes of it thrown away.
pub fn with(options: &Options) -> Vec<Row> {
    measured(options, "with", |lane, ops| lane.with(ops))
}

/// A hundred events on what the one before gave.
pub fn chain(options: &Options) -> Vec<Row> {
    measured(options, "with_100", |lane, ops| lane.chain(ops))
}

/// A step of the store, and a snapshot after it; the last few are held.
pub fn snapshot(options: &Options) -> Vec<Row> {
    measured(options, "snapshot", |lane, ops| lane.snapshots(ops))
}

/// Point reads, from a snapshot; from the store too, which the others do not have.
pub fn read(options: &Options) -> Vec<Row> {
    let mut rows = measured(options, "snapshot_read", |lane, ops| lane.reads(ops));
    for &entities in &options.entities {
        let mut ours = ironweave::Ours::new(entities, Keeps::Nothing);
        let mut flat = flat::Flat::new(entities, Keeps::Nothing);
        let ops = operations(entities, BATCH * options.samples, entities as u64);
        let (mut of_ours, mut of_flat) = (Vec::new(), Vec::new());
        for batch in ops.chunks(BATCH) {
            of_ours.push(sample(batch.len(), || {
                (batch.iter()).for_each(|op| _ = black_box(ours.read(op.task)));
            }));
            of_flat.push(sample(batch.len(), || {
                (batch.iter()).for_each(|op| _ = black_box(flat.read(op.task)));
            }));
            for op in batch {
                ours.step(ours.event(*op));
                flat.step(flat.event(*op));
            }
        }
        rows.push(row("snapshot_read", "store", entities, of_ours));
        rows.push(row("snapshot_read", "flat", entities, of_flat));
    }
    rows
}

/// Rows for people, with ratios to ironweave.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<14}{:>10}{:>10}{:>20}{:>14}\n",
        "contender", "entities", "ns/op", "least - greatest", "of ironweave"
    );
    for row in rows {
        let is_ours = |r: &&Row| r.contender == "ironweave" && r.entities == row.entities;
        let ours = rows.iter().find(is_ours);
        let ratio = ours.map_or_else(String::new, |ours| {
            format!("{:.2}", row.ns_per_op / ours.ns_per_op)
        });
        let spread = format!("{:.0} - {:.0}", row.least, row.greatest);
        let _ = writeln!(
            text,
            "{:<14}{:>10}{:>10.0}{:>20}{:>14}",
            row.contender, row.entities, row.ns_per_op, spread, ratio
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked<V: Value>(tasks: usize) -> Vec<(u64, bool, usize)> {
        let (mut value, mut held) = (V::new(tasks), Vec::new());
        let all = |value: &V| (0..tasks as u32).map(|t| value.read(t)).collect::<Vec<_>>();
        for op in operations(tasks, 500, 3) {
            let before = all(&value);
            let with = value.with(op);
            assert_eq!(all(&value), before, "{}: a value stays", V::NAME);
            held.push((value.clone(), before));
            value.step(op);
            assert_eq!(all(&value), all(&with), "{}: with is a step", V::NAME);
        }
        for (value, before) in held {
            assert_eq!(all(&value), before, "{}: a value stays", V::NAME);
        }
        all(&value)
    }

    #[test]
    fn all_do_the_same_work_on_values_that_stay() {
        let ours = worked::<ironweave::Valued>(57);
        assert_eq!(worked::<Imbl>(57), ours);
        assert_eq!(worked::<Rpds>(57), ours);
        let (mut store, mut flat) = (
            ironweave::Ours::new(57, Keeps::Nothing),
            flat::Flat::new(57, Keeps::Nothing),
        );
        for op in operations(57, 500, 3) {
            store.step(store.event(op));
            flat.step(flat.event(op));
        }
        let all = (0..57).map(|t| (store.read(t), flat.read(t)));
        for ((store, flat), ours) in all.zip(ours) {
            assert_eq!((store, flat), (ours, ours));
        }
    }
}
