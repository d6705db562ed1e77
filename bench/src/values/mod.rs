//! `with`, `with_100`, `snapshot`, `snapshot_read`, `snapshot_walk`: values of the whole graph, of ironweave and by hand with two
//! libraries of persistent collections. SQLite with a history table and minigraf take part where they can ([`peers`]): their
//! value is a number, and they answer questions as of it.

#[cfg(feature = "peers")]
mod peers;

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
/// How many of the last values are held.
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
    fn walks(&mut self, ops: &[Op]) -> f64;
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

    fn walks(&mut self, ops: &[Op]) -> f64 {
        let value = self.value.clone();
        let took = sample(ops.len(), || {
            ops.iter().for_each(|op| _ = black_box(value.walk(op.task)));
        });
        self.go_on(ops);
        took
    }
}

/// Says who cannot do it.
fn no_values() {
    if cfg!(feature = "peers") {
        println!(
            "sqlite and minigraf are not there: they have no values on which an event could be tried"
        );
    }
}

/// Each event on one value, and what comes of it thrown away.
pub fn with(options: &Options) -> Vec<Row> {
    no_values();
    measured(options, "with", |lane, ops| lane.with(ops))
}

/// A hundred events on what the one before gave.
pub fn chain(options: &Options) -> Vec<Row> {
    no_values();
    measured(options, "with_100", |lane, ops| lane.chain(ops))
}

/// A step of the store, and a snapshot after it; the last few are held.
pub fn snapshot(options: &Options) -> Vec<Row> {
    #[allow(unused_mut)]
    let mut rows = measured(options, "snapshot", |lane, ops| lane.snapshots(ops));
    #[cfg(feature = "peers")]
    for &entities in &options.entities {
        rows.extend(peers::steps("snapshot", entities, options.samples));
    }
    rows
}

/// What is read of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// A field, a state and a count.
    Point,
    /// Over a to-one edge, and over a list.
    Walk,
}

/// Reads from a snapshot; from the store too, which the others do not have, and by those who have no values.
fn reads(options: &Options, bench: &'static str, reads: Reads) -> Vec<Row> {
    let mut rows = measured(options, bench, |lane, ops| match reads {
        Reads::Point => lane.reads(ops),
        Reads::Walk => lane.walks(ops),
    });
    for &entities in &options.entities {
        let mut ours = ironweave::Ours::new(entities, Keeps::Nothing);
        let mut flat = flat::Flat::new(entities, Keeps::Nothing);
        let ops = operations(entities, BATCH * options.samples, entities as u64);
        let (mut of_ours, mut of_flat) = (Vec::new(), Vec::new());
        for batch in ops.chunks(BATCH) {
            let tasks = || batch.iter().map(|op| op.task);
            of_ours.push(sample(batch.len(), || match reads {
                Reads::Point => tasks().for_each(|t| _ = black_box(ours.read(t))),
                Reads::Walk => tasks().for_each(|t| _ = black_box(ours.walk(t))),
            }));
            of_flat.push(sample(batch.len(), || match reads {
                Reads::Point => tasks().for_each(|t| _ = black_box(flat.read(t))),
                Reads::Walk => tasks().for_each(|t| _ = black_box(flat.walk(t))),
            }));
            for op in batch {
                ours.step(ours.event(*op));
                flat.step(flat.event(*op));
            }
        }
        rows.push(row(bench, "store", entities, of_ours));
        rows.push(row(bench, "flat", entities, of_flat));
        #[cfg(feature = "peers")]
        rows.extend(match reads {
            Reads::Point => peers::reads(bench, entities, options.samples),
            Reads::Walk => peers::walks(bench, entities, options.samples),
        });
    }
    rows
}

/// Point reads.
pub fn read(options: &Options) -> Vec<Row> {
    reads(options, "snapshot_read", Reads::Point)
}

/// From a task to its worker, and from that one to the values of all its tasks.
pub fn walk(options: &Options) -> Vec<Row> {
    reads(options, "snapshot_walk", Reads::Walk)
}

/// Rows for people, with ratios to ironweave.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>12}{:>26}{:>14}\n",
        "contender", "entities", "ns/op", "least - greatest", "of ironweave"
    );
    for row in rows {
        let is_ours = |r: &&Row| r.contender == "ironweave" && r.entities == row.entities;
        let ours = rows.iter().find(is_ours);
        let ratio = ours.map_or_else(String::new, |ours| {
            format!("{:.4}", row.ns_per_op / ours.ns_per_op)
        });
        let spread = format!("{:.0} - {:.0}", row.least, row.greatest);
        let _ = writeln!(
            text,
            "{:<16}{:>10}{:>12.0}{:>26}{:>14}",
            row.contender, row.entities, row.ns_per_op, spread, ratio
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    type All = Vec<((u64, bool, usize), u64)>;

    fn worked<V: Value>(tasks: usize) -> All {
        let (mut value, mut held) = (V::new(tasks), Vec::new());
        let all = |value: &V| -> All {
            let tasks = 0..tasks as u32;
            tasks.map(|t| (value.read(t), value.walk(t))).collect()
        };
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
        let stores: All = (0..57).map(|t| (store.read(t), store.walk(t))).collect();
        let flats: All = (0..57).map(|t| (flat.read(t), flat.walk(t))).collect();
        assert_eq!((&stores, &flats), (&ours, &ours));
        let sum = |t: u32| ours[t as usize].0.0;
        let walked = |t: u32| {
            let list = &store.picture().workers[store.picture().tasks[t as usize].2 as usize];
            list.iter().map(|t| sum(*t)).sum::<u64>()
        };
        assert!((0..57).all(|t| walked(t) == ours[t as usize].1));
        #[cfg(feature = "peers")]
        assert!(
            peers::all_read(57, &operations(57, 500, 3))
                .iter()
                .all(|all| *all == ours)
        );
    }
}
