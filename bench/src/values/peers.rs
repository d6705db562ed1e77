//! SQLite and minigraf, as far as they have values: each event is kept with when it was, so that a value is a number as of
//! which they can be asked. What is read here is the newest.

use std::hint::black_box;

use crate::harness::{Row, row, sample};
use crate::past::sqlite::Sqlite;
use crate::work::{Op, operations};
use crate::writer::Writer;
use crate::writer::minigraf::{Graf, GrafReader};

/// What is read of a task.
type Read = (u64, bool, usize);

trait Peer {
    const NAME: &'static str;
    /// Operations in one sample.
    const BATCH: usize;
    const ENTITIES_MAX: usize = 1 << 30;

    fn new(tasks: usize) -> Self;
    fn step(&mut self, op: Op);
    fn read(&self, task: u32) -> Read;
    fn walk(&self, task: u32) -> u64;
}

impl Peer for Sqlite {
    const NAME: &'static str = "sqlite";
    const BATCH: usize = 20_000;

    fn new(tasks: usize) -> Self {
        Self::filled(tasks)
    }

    fn step(&mut self, op: Op) {
        Self::step(self, op);
    }

    fn read(&self, task: u32) -> Read {
        Self::read(self, task)
    }

    fn walk(&self, task: u32) -> u64 {
        Self::walk(self, task)
    }
}

/// minigraf and its questions.
struct Asked(Graf, GrafReader);

impl Peer for Asked {
    const NAME: &'static str = "minigraf";
    const BATCH: usize = 500;
    const ENTITIES_MAX: usize = Graf::ENTITIES_MAX;

    fn new(tasks: usize) -> Self {
        let mut graf = Graf::new(tasks);
        let reader = graf.reader();
        Self(graf, reader)
    }

    fn step(&mut self, op: Op) {
        self.0.step(op);
    }

    fn read(&self, task: u32) -> Read {
        self.1.read(task)
    }

    fn walk(&self, task: u32) -> u64 {
        self.1.walk(task)
    }
}

fn measured<P: Peer>(
    bench: &'static str,
    entities: usize,
    samples: usize,
    once: impl Fn(&mut P, &[Op]) -> f64,
) -> Option<Row> {
    if entities > P::ENTITIES_MAX {
        println!("{} is not there at {entities}: {}", P::NAME, Graf::BEYOND);
        return None;
    }
    let mut peer = P::new(entities);
    let ops = operations(entities, P::BATCH * samples, entities as u64);
    let samples = ops.chunks(P::BATCH).map(|ops| once(&mut peer, ops));
    let samples = samples.collect();
    Some(row(bench, P::NAME, entities, samples))
}

/// A step, after which there is a value.
pub fn steps(bench: &'static str, entities: usize, samples: usize) -> Vec<Row> {
    fn once<P: Peer>(peer: &mut P, ops: &[Op]) -> f64 {
        sample(ops.len(), || ops.iter().for_each(|op| peer.step(*op)))
    }
    let sqlite = measured(bench, entities, samples, once::<Sqlite>);
    let minigraf = measured(bench, entities, samples, once::<Asked>);
    sqlite.into_iter().chain(minigraf).collect()
}

/// Point reads.
pub fn reads(bench: &'static str, entities: usize, samples: usize) -> Vec<Row> {
    fn once<P: Peer>(peer: &mut P, ops: &[Op]) -> f64 {
        let took = sample(ops.len(), || {
            ops.iter().for_each(|op| _ = black_box(peer.read(op.task)));
        });
        ops.iter().for_each(|op| peer.step(*op));
        took
    }
    let sqlite = measured(bench, entities, samples, once::<Sqlite>);
    let minigraf = measured(bench, entities, samples, once::<Asked>);
    sqlite.into_iter().chain(minigraf).collect()
}

/// From a task to its worker, and from that one to the values of all its tasks.
pub fn walks(bench: &'static str, entities: usize, samples: usize) -> Vec<Row> {
    fn once<P: Peer>(peer: &mut P, ops: &[Op]) -> f64 {
        let took = sample(ops.len(), || {
            ops.iter().for_each(|op| _ = black_box(peer.walk(op.task)));
        });
        ops.iter().for_each(|op| peer.step(*op));
        took
    }
    let sqlite = measured(bench, entities, samples, once::<Sqlite>);
    let minigraf = measured(bench, entities, samples, once::<Asked>);
    sqlite.into_iter().chain(minigraf).collect()
}

/// All that both read after some events.
#[cfg(test)]
pub fn all_read(tasks: usize, ops: &[Op]) -> [Vec<(Read, u64)>; 2] {
    fn all<P: Peer>(tasks: usize, ops: &[Op]) -> Vec<(Read, u64)> {
        let mut peer = P::new(tasks);
        ops.iter().for_each(|op| peer.step(*op));
        let tasks = 0..tasks as u32;
        tasks.map(|t| (peer.read(t), peer.walk(t))).collect()
    }
    [all::<Sqlite>(tasks, ops), all::<Asked>(tasks, ops)]
}
