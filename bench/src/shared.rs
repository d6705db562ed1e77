//! `shared_1`, `shared_4`, `shared_16`, `shared_64`: durable steps in a second of so many threads that share a store and its
//! syncs, of as many async tasks on one thread, and of one thread that owns its store.
//!
//! The store is in the target directory, since figures of a file system in memory would mean nothing.

use std::error::Error;
use std::thread;

use ironweave::AsyncStore;
use ironweave::prelude::*;

#[cfg(feature = "peers")]
use crate::contenders::logged::{Keeper, Logged};
use crate::harness::{Row, row, sample};
use crate::rows::Scratch;
#[cfg(feature = "peers")]
use crate::work::{Contender as _, operations};
use crate::yard::ours::{Ours, plain};
use crate::{Measured, Options};

/// The number of tasks.
const TASKS: usize = 1_000;
/// The number of steps of each thread in a sample.
const STEPS: usize = 150;

/// Measures a number of threads.
pub fn run(options: &Options, bench: &'static str, threads: usize) -> Measured {
    let mut alone = Vec::new();
    let mut shared = Vec::new();
    let mut async_tasks = Vec::new();
    for _ in 0..options.samples {
        let (dir, ours) = filled()?;
        let Ours {
            mut store, tasks, ..
        } = ours;
        alone.push(sample(STEPS, || {
            for task in tasks.iter().take(STEPS) {
                let event = plain::Started { task: *task };
                store.try_step(event).expect("it can happen");
            }
        }));
        drop(store);
        drop(dir);
        let (dir, ours) = filled()?;
        let (store, tasks) = (ours.store.share(), ours.tasks);
        shared.push(sample(threads * STEPS, || step(&store, threads, &tasks)));
        let seq = store.read(Store::durable)?;
        drop(store);
        let store = Store::<plain::Model>::open(&dir.0)?;
        assert_eq!(store.durable(), seq, "steps with a receipt are in the log");
        drop((store, dir));
        let (_dir, ours) = filled()?;
        let (store, tasks) = (ours.store.share().into_async()?, ours.tasks);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        async_tasks.push(sample(threads * STEPS, || {
            runtime.block_on(step_async(&store, threads, &tasks));
        }));
        runtime.block_on(store.close())?;
    }
    #[allow(unused_mut)]
    let mut rows = vec![
        row(bench, "one thread", threads, alone).per_second(),
        row(bench, "shared", threads, shared).per_second(),
        row(bench, "async tasks", threads, async_tasks).per_second(),
    ];
    #[cfg(feature = "peers")]
    if threads == 1 {
        rows.push(peer::<crate::keepers::Redb>(bench, options.samples));
        rows.push(peer::<crate::keepers::Fjall>(bench, options.samples));
    }
    Ok(rows)
}

/// Steps of hash maps by hand, each with a record that is durable when the step returns.
#[cfg(feature = "peers")]
fn peer<K: Keeper>(bench: &'static str, samples: usize) -> Row {
    let ops = operations(TASKS, STEPS, 5);
    let samples = (0..samples)
        .map(|_| {
            let mut logged = Logged::<K>::with_log(TASKS, true);
            sample(STEPS, || ops.iter().for_each(|op| logged.step(*op)))
        })
        .collect();
    row(bench, K::NAME, 1, samples).per_second()
}

/// Each thread moves its own tasks between two states.
fn step(store: &SharedStore<plain::Model>, threads: usize, tasks: &[plain::Task]) {
    thread::scope(|s| {
        for own in tasks.chunks(TASKS / threads).take(threads) {
            s.spawn(move || {
                for i in 0..STEPS {
                    let task = own[i % own.len()];
                    if i / own.len() % 2 == 0 {
                        store.step(plain::Started { task });
                    } else {
                        store.step(plain::Stopped { task });
                    }
                }
            });
        }
    });
}

/// As [`step`], with async tasks on one thread.
async fn step_async(store: &AsyncStore<plain::Model>, callers: usize, tasks: &[plain::Task]) {
    let of_one = |own: Vec<plain::Task>| {
        let store = store.clone();
        async move {
            for i in 0..STEPS {
                let task = own[i % own.len()];
                let stepped = if i / own.len() % 2 == 0 {
                    store.step(plain::Started { task }).await.map(|r| r.seq)
                } else {
                    store.step(plain::Stopped { task }).await.map(|r| r.seq)
                };
                stepped.expect("it can happen");
            }
        }
    };
    let spawned: Vec<_> = (tasks.chunks(TASKS / callers).take(callers))
        .map(|own| tokio::spawn(of_one(own.to_vec())))
        .collect();
    for task in spawned {
        task.await.expect("no panic");
    }
}

fn filled() -> Result<(Scratch, Ours), Box<dyn Error>> {
    let dir = Scratch::new("shared")?;
    let ours = Ours::on(Store::open(&dir.0)?, TASKS, TASKS / 2);
    Ok((dir, ours))
}

/// The table that is printed.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<14}{:>10}{:>14}\n", "", "callers", "steps/s");
    for row in rows {
        let threads = if ["shared", "async tasks"].contains(&row.contender) {
            row.entities
        } else {
            1
        };
        let steps = row.value.unwrap_or_default();
        text += &format!("{:<14}{threads:>10}{steps:>14.0}\n", row.contender);
    }
    text
}
