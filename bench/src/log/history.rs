//! `log_history`: the history of an entity with 1,000 versions among 100,000 transactions, from a log on disk, beside the history
//! table of a file of SQLite.
//!
//! There are 100 tasks with 1,000 versions each, in random order, so that each question is about another task: the figure
//! without `_again` is that of the first question about a task, whose frames or pages were not read by the program before.
//! Both are in the cache of the operating system. `_first` is the very first question, which may make indexes. `_write` is the
//! time in which all transactions were written: by ironweave one by one, by SQLite as one transaction, which it copies from its
//! log at the end, and without syncs in between.

use std::hint::black_box;
use std::time::Instant;

use ironweave::Durability;
use ironweave::prelude::*;

use crate::harness::{Row, row};
use crate::past::ours::Ours;
#[cfg(feature = "peers")]
use crate::past::sqlite::Sqlite;
use crate::past::{Past, Version};
use crate::rows::Scratch;
use crate::work::Op;
use crate::yard::Random;
use crate::{Measured, Options};

/// The number of tasks.
const TASKS: usize = 100;

/// Measures so many versions of each task.
pub fn run(options: &Options) -> Measured {
    let mut rows = Vec::new();
    for &versions in &options.entities {
        let ops = operations(versions);
        let filled = |name, began: Instant, rows: &mut Vec<Row>| {
            let took = began.elapsed().as_nanos() as f64;
            let row = row("log_history", name, versions, vec![took]);
            rows.push(row.in_unit("ms", 1e6).of("versions"));
        };
        let dir = Scratch::new("history")?;
        let store = Store::options().durability(Durability::Os).open(&dir.0)?;
        let began = Instant::now();
        let mut ours = Ours::on(store, TASKS, &ops);
        filled("ironweave_write", began, &mut rows);
        let answer = asked("ironweave", &mut ours, versions, options.samples, &mut rows);
        drop((ours, dir));
        #[cfg(feature = "peers")]
        {
            let dir = Scratch::new("history")?;
            let began = Instant::now();
            let mut sqlite = Sqlite::on_disk(&dir.0, TASKS, &ops);
            filled("sqlite_write", began, &mut rows);
            let theirs = asked("sqlite", &mut sqlite, versions, options.samples, &mut rows);
            assert_eq!(answer, theirs, "they tell the same");
        }
        black_box(answer);
    }
    Ok(rows)
}

/// The events: each task changes as often, and in random order.
fn operations(versions: usize) -> Vec<Op> {
    let mut random = Random(23);
    let mut order: Vec<usize> = (0..TASKS * versions).map(|i| i % TASKS).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let workers = crate::work::workers(TASKS);
    let mut tasks: Vec<(u32, bool)> = (0..TASKS)
        .map(|task| (crate::work::first_worker(TASKS, task), false))
        .collect();
    let op = |task: usize| {
        let (worker, running) = &mut tasks[task];
        *worker = (*worker + 1) % workers as u32;
        *running = !*running;
        Op {
            task: task as u32,
            worker: *worker,
            value: random.below(1 << 20) as u64,
            start: *running,
        }
    };
    order.into_iter().map(op).collect()
}

/// Asks for the history of each task, and then again of one. Returns the answers about some tasks.
fn asked<P: Past>(
    name: &'static str,
    past: &mut P,
    versions: usize,
    samples: usize,
    rows: &mut Vec<Row>,
) -> Vec<Vec<Version>> {
    let mut ask = |task: u32| {
        let began = Instant::now();
        let answer = black_box(past.versions(black_box(task)));
        let took = began.elapsed().as_nanos() as f64;
        // The first version is that of its creation.
        assert_eq!(answer.len(), versions + 1);
        (took, answer)
    };
    let (first, _) = ask(0);
    let each = (1..TASKS as u32).map(|task| ask(task).0).collect();
    let again = (0..samples).map(|_| ask(7).0).collect();
    let (named_first, named_again) = match name {
        "sqlite" => ("sqlite_first", "sqlite_again"),
        _ => ("ironweave_first", "ironweave_again"),
    };
    let mut push = |name, took| {
        let row = row("log_history", name, versions, took);
        rows.push(row.in_unit("ms", 1e6).of("versions"));
    };
    push(name, each);
    push(named_again, again);
    push(named_first, vec![first]);
    (0..TASKS as u32)
        .step_by(33)
        .map(|task| ask(task).1)
        .collect()
}
