//! `batch_256_os`, `batch_256_always`: a step of 256 that are written together, beside steps that are written alone.
//! `tickets_256`: a durable step of 256 whose tickets 4 threads wait for, beside 64 threads that each wait for their own steps.
//!
//! The store is in the target directory, since a file system in memory has no cost for a sync.

use std::error::Error;
use std::fmt::Write as _;
use std::thread;

use ironweave::prelude::*;

use crate::harness::{Row, row, sample};
use crate::rows::Scratch;
use crate::yard::ours::{Ours, plain};
use crate::{Measured, Options};

/// The number of tasks, each of which takes part in one step of a round.
const TASKS: usize = 256;
/// The number of threads that each wait for their own steps.
const CALLERS: usize = 64;
/// The number of threads that wait for tickets.
const WAITERS: usize = 4;

/// Measures steps alone and together. In a round each task starts and then stops.
pub fn together(
    options: &Options,
    bench: &'static str,
    durability: Durability,
    rounds: usize,
) -> Measured {
    let steps = 2 * TASKS * rounds;
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..options.samples {
        let (dir, ours) = filled(durability)?;
        let Ours {
            mut store, tasks, ..
        } = ours;
        alone.push(sample(steps, || {
            for _ in 0..rounds {
                for &task in &tasks {
                    store.step(plain::Started { task });
                }
                for &task in &tasks {
                    store.step(plain::Stopped { task });
                }
            }
        }));
        together.push(sample(steps, || {
            for _ in 0..rounds {
                let started = tasks.iter().map(|&task| plain::Started { task });
                assert!(store.step_all(started).iter().all(Result::is_ok));
                let stopped = tasks.iter().map(|&task| plain::Stopped { task });
                assert!(store.step_all(stopped).iter().all(Result::is_ok));
            }
        }));
        check(&dir, store, 2 * steps)?;
    }
    Ok(vec![
        row(bench, "alone", TASKS, alone),
        row(bench, "together", TASKS, together),
    ])
}

/// Measures threads that each wait for their own steps, and fewer threads that wait for tickets.
pub fn tickets(options: &Options, bench: &'static str, rounds: usize) -> Measured {
    let steps = 2 * TASKS * rounds;
    let (mut callers, mut waiters) = (Vec::new(), Vec::new());
    for _ in 0..options.samples {
        let (dir, ours) = filled(Durability::Always)?;
        let (store, tasks) = (ours.store.share(), ours.tasks);
        callers.push(sample(steps, || {
            each(CALLERS, &tasks, |own| {
                for _ in 0..rounds {
                    for &task in own {
                        store.step(plain::Started { task });
                    }
                    for &task in own {
                        store.step(plain::Stopped { task });
                    }
                }
            });
        }));
        waiters.push(sample(steps, || {
            each(WAITERS, &tasks, |own| {
                for _ in 0..rounds {
                    let submit = |&task| store.submit(plain::Started { task });
                    for ticket in own.iter().map(submit).collect::<Vec<_>>() {
                        ticket.wait().expect("it can happen");
                    }
                    let submit = |&task| store.submit(plain::Stopped { task });
                    for ticket in own.iter().map(submit).collect::<Vec<_>>() {
                        ticket.wait().expect("it can happen");
                    }
                }
            });
        }));
        drop(store);
        check(&dir, Store::open(&dir.0)?, 2 * steps)?;
    }
    Ok(vec![
        row(bench, "64 callers", TASKS, callers),
        row(bench, "4 waiters", TASKS, waiters),
    ])
}

/// Calls `work` in so many threads, each with its part of the tasks.
fn each(threads: usize, tasks: &[plain::Task], work: impl Fn(&[plain::Task]) + Sync) {
    thread::scope(|s| {
        for own in tasks.chunks(tasks.len() / threads) {
            let work = &work;
            s.spawn(move || work(own));
        }
    });
}

fn filled(durability: Durability) -> Result<(Scratch, Ours), Box<dyn Error>> {
    let dir = Scratch::new("batch")?;
    let store = Store::options().durability(durability).open(&dir.0)?;
    Ok((dir, Ours::on(store, TASKS, TASKS / 2)))
}

/// Checks that the log has all steps.
fn check(dir: &Scratch, store: Store<plain::Model>, steps: usize) -> Result<(), Box<dyn Error>> {
    let seq = store.seq();
    store.close()?;
    let store = Store::<plain::Model>::open(&dir.0)?;
    assert_eq!(store.seq(), seq);
    assert!(seq.is_some_and(|seq| seq.get() >= steps as u64), "{seq:?}");
    Ok(())
}

/// The table that is printed, with ratios to the last line.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<14}{:>12}{:>24}{:>10}\n",
        "", "ns/step", "least - greatest", "ratio"
    );
    let last = rows.last().map_or(f64::NAN, |row| row.ns_per_op);
    for row in rows {
        let spread = format!("{:.0} - {:.0}", row.least, row.greatest);
        let ratio = row.ns_per_op / last;
        let _ = writeln!(
            text,
            "{:<14}{:>12.0}{spread:>24}{ratio:>10.1}",
            row.contender, row.ns_per_op
        );
    }
    text
}
