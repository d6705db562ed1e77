//! `log_append`: durable appends in a second, by one caller and by many.
//!
//! An operation is an event of [`crate::work`], a relink, a field and a state move. ironweave logs it with its facts. The plain
//! files get as many bytes as its frame has. SQLite, redb and fjall get the record of `fxhash_logged`, which is shorter, and no
//! graph is kept beside them.

use std::error::Error;
use std::thread;

use ironweave::AsyncStore;
use ironweave::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::bytes::frame_bytes;
use super::callers::{Batches, grouped};
use super::raw::Raw;
use crate::contenders::ironweave::model::{Model, Started, Stopped};
use crate::contenders::ironweave::{Asked, Ours};
#[cfg(feature = "peers")]
use crate::contenders::logged::record;
use crate::harness::{Row, row, sample};
#[cfg(feature = "peers")]
use crate::keepers::{Fjall, Redb, Sqlite};
use crate::rows::Scratch;
use crate::work::{Contender as _, Op, first_worker, workers};
use crate::{Measured, Options};

/// The number of tasks of each caller.
const TASKS: usize = 10;
/// The number of steps of a caller in a sample. Each task moves there and back, so that the samples are alike.
const EACH: usize = 6 * TASKS;

/// One contender.
struct Lane {
    name: &'static str,
    sample: Box<dyn FnMut() -> f64>,
    samples: Vec<f64>,
}

/// Measures each number of callers.
pub fn run(options: &Options) -> Measured {
    let mut rows = Vec::new();
    for &callers in &options.entities {
        rows.extend(measured(callers, options.samples)?);
    }
    Ok(rows)
}

fn measured(callers: usize, samples: usize) -> Measured {
    let frame = vec![7; frame_bytes()? as usize];
    let mut lanes = vec![
        batches("raw", Raw::new(false)?, callers, frame.clone()),
        batches("raw_preallocated", Raw::new(true)?, callers, frame),
        ours(callers)?,
    ];
    if callers > 1 {
        lanes.push(async_tasks(callers)?);
    }
    #[cfg(feature = "peers")]
    lanes.extend([
        batches("sqlite", Sqlite::durable(), callers, record()),
        batches("redb", Redb::durable(), callers, record()),
        batches("fjall", Fjall::durable(), callers, record()),
    ]);
    // The first turn is not counted. Contenders take turns, so that a disk that slows down slows all of them.
    for turn in 0..=samples {
        for lane in &mut lanes {
            let took = (lane.sample)();
            lane.samples.extend((turn > 0).then_some(took));
        }
    }
    let row = |lane: Lane| -> Row {
        let row = row("log_append", lane.name, callers, lane.samples);
        row.per_second().of("callers")
    };
    Ok(lanes.into_iter().map(row).collect())
}

/// Appends of a record to a store with one writer.
fn batches(
    name: &'static str,
    mut keeper: impl Batches + 'static,
    callers: usize,
    record: Vec<u8>,
) -> Lane {
    let alone = [record];
    lane(name, move || match callers {
        1 => sample(EACH, || (0..EACH).for_each(|_| keeper.append_all(&alone))),
        _ => grouped(&mut keeper, callers, EACH, &alone[0]),
    })
}

fn lane(name: &'static str, sample: impl FnMut() -> f64 + 'static) -> Lane {
    Lane {
        name,
        sample: Box::new(sample),
        samples: Vec::new(),
    }
}

/// The directory of a store on disk, the store with the tasks of all callers, and the events of each caller.
type Filled = (Scratch, Store<Model>, Vec<Vec<Asked>>);

fn filled(callers: usize) -> Result<Filled, Box<dyn Error>> {
    let dir = Scratch::new("append")?;
    let tasks = callers * TASKS;
    let ours = Ours::on(Store::open(&dir.0)?, tasks);
    let event = |task: usize, there: bool| {
        let first = first_worker(tasks, task);
        let other = (first as usize + 1) % workers(tasks);
        ours.event(Op {
            task: task as u32,
            worker: if there { other as u32 } else { first },
            value: 1 << 20,
            start: there,
        })
    };
    let of_caller = |caller: usize| {
        let steps = (0..EACH).map(|i| {
            let task = caller * TASKS + i % TASKS;
            event(task, (i / TASKS).is_multiple_of(2))
        });
        steps.collect()
    };
    let events = (0..callers).map(of_caller).collect();
    Ok((dir, ours.store, events))
}

/// ironweave: a store that one caller owns, or threads that share one.
fn ours(callers: usize) -> Result<Lane, Box<dyn Error>> {
    let (dir, mut store, events) = filled(callers)?;
    if callers == 1 {
        return Ok(lane("ironweave", move || {
            let _dir = &dir;
            sample(EACH, || {
                for asked in &events[0] {
                    let stepped = match asked.event() {
                        Ok(started) => store.try_step(started).map(|r| r.seq),
                        Err(stopped) => store.try_step(stopped).map(|r| r.seq),
                    };
                    stepped.expect("it can happen");
                }
            })
        }));
    }
    let store = store.share();
    let step = |store: &SharedStore<Model>, asked: Asked| {
        let stepped = match asked.event() {
            Ok(started) => store.try_step(started).map(|r| r.seq),
            Err(stopped) => store.try_step(stopped).map(|r| r.seq),
        };
        stepped.expect("it can happen");
    };
    Ok(lane("ironweave", move || {
        let _dir = &dir;
        sample(callers * EACH, || {
            thread::scope(|s| {
                for own in &events {
                    s.spawn(|| own.iter().for_each(|asked| step(&store, *asked)));
                }
            });
        })
    }))
}

/// ironweave: async tasks on one thread.
fn async_tasks(callers: usize) -> Result<Lane, Box<dyn Error>> {
    let (dir, store, events) = filled(callers)?;
    let store = store.share().into_async()?;
    let runtime: Runtime = Builder::new_current_thread().build()?;
    Ok(lane("ironweave_async", move || {
        let _dir = &dir;
        sample(callers * EACH, || {
            runtime.block_on(async {
                let tasks: Vec<_> = (events.iter())
                    .map(|own| tokio::spawn(steps(store.clone(), own.clone())))
                    .collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
        })
    }))
}

async fn steps(store: AsyncStore<Model>, events: Vec<Asked>) {
    for asked in events {
        let stepped = match asked.event() {
            Ok(started) => store.step::<Started>(started).await.map(|r| r.seq),
            Err(stopped) => store.step::<Stopped>(stopped).await.map(|r| r.seq),
        };
        stepped.expect("it can happen");
    }
}
