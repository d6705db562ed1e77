//! `relink_fanin_*`, `watched_*`, `place_query`, `edge_query`, `find`: one operation on the graph,
//! of all contenders in `yard`.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Options;
use crate::harness::{Row, row, sample};
use crate::yard::flat::Flat;
use crate::yard::{self, Fact, Random, Watched, Yard, each_watched, each_yard, relinks, runs};

/// A contender and how to take a sample of it.
struct Lane {
    name: &'static str,
    /// Takes a sample. The first one is discarded.
    sample: Box<dyn FnMut(usize) -> f64>,
}

/// Takes samples of all contenders in turns.
fn measure(bench: &'static str, entities: usize, samples: usize, mut lanes: Vec<Lane>) -> Vec<Row> {
    let mut taken: Vec<Vec<f64>> = lanes.iter().map(|_| Vec::new()).collect();
    for i in 0..=samples {
        for (lane, taken) in lanes.iter_mut().zip(&mut taken) {
            let ns = (lane.sample)(i);
            if i > 0 {
                taken.push(ns);
            }
        }
    }
    lanes
        .iter()
        .zip(taken)
        .map(|(lane, taken)| row(bench, lane.name, entities, taken))
        .collect()
}

/// A task is relinked to another worker. Each worker has `fan_in` tasks.
pub fn relink(options: &Options, bench: &'static str, fan_in: usize) -> Vec<Row> {
    yard::compare(57, 3, 1);
    let mut rows = Vec::new();
    for &entities in options.entities.iter().filter(|n| **n >= 2 * fan_in) {
        let mut lanes = Vec::new();
        each_yard!(C => if entities <= C::ENTITIES_MAX {
            let mut yard = C::new(entities, fan_in);
            let ops = relinks(entities, fan_in, C::BATCH * (options.samples + 1), 5);
            lanes.push(Lane {
                name: C::NAME,
                sample: Box::new(move |i| {
                    let ops = &ops[i * C::BATCH..(i + 1) * C::BATCH];
                    sample(ops.len(), || yard.relink_all(black_box(ops)))
                }),
            });
        });
        rows.extend(measure(bench, entities, options.samples, lanes));
    }
    rows
}

/// A task moves. Its worker has `fan_in` tasks and an immediate event that waits until all of them run.
pub fn watched(options: &Options, bench: &'static str, fan_in: usize) -> Vec<Row> {
    yard::compare(57, 3, 1);
    let mut rows = Vec::new();
    for &entities in options.entities.iter().filter(|n| **n >= 2 * fan_in) {
        let mut lanes = Vec::new();
        each_watched!(C => if entities <= C::ENTITIES_MAX {
            let mut yard = C::new(entities, fan_in);
            let ops = runs(entities, C::BATCH * (options.samples + 1), 5);
            lanes.push(Lane {
                name: C::NAME,
                sample: Box::new(move |i| {
                    let ops = &ops[i * C::BATCH..(i + 1) * C::BATCH];
                    sample(ops.len(), || yard.run_all(black_box(ops)))
                }),
            });
        });
        rows.extend(measure(bench, entities, options.samples, lanes));
    }
    rows
}

/// Finds the running tasks, one in a hundred of all, and reads their values. The time is for each task found.
pub fn place_query(options: &Options) -> Vec<Row> {
    yard::compare(57, 3, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let mut lanes = Vec::new();
        let mut random = Random(11);
        let mut run: Vec<u32> = (0..entities.div_ceil(100))
            .map(|_| random.below(entities) as u32)
            .collect();
        run.sort_unstable();
        run.dedup();
        let found = run.len();
        let run: Vec<(u32, bool)> = run.into_iter().map(|task| (task, true)).collect();
        let passes = (20_000 / found).max(1);
        each_yard!(C => if entities <= C::ENTITIES_MAX {
            let mut yard = C::new(entities, 10);
            yard.run_all(&run);
            let passes = if C::BATCH < 1_000 { 1 } else { passes };
            lanes.push(Lane {
                name: C::NAME,
                sample: Box::new(move |_| {
                    sample(passes * found, || {
                        for _ in 0..passes {
                            assert_eq!(black_box(yard.running()).0, found);
                        }
                    })
                }),
            });
        });
        rows.extend(measure("place_query", entities, options.samples, lanes));
    }
    rows
}

/// Counts the running tasks of a worker, who has ten tasks. One task in three runs.
pub fn edge_query(options: &Options) -> Vec<Row> {
    yard::compare(57, 3, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let mut lanes = Vec::new();
        let run: Vec<(u32, bool)> = (0..entities as u32).step_by(3).map(|t| (t, true)).collect();
        let mut expected = vec![0; yard::workers(entities, 10)];
        for (task, _) in &run {
            expected[yard::first_worker(entities, 10, *task as usize) as usize] += 1;
        }
        each_yard!(C => if entities <= C::ENTITIES_MAX {
            let mut yard = C::new(entities, 10);
            yard.run_all(&run);
            if yard.running_of(0).is_some() {
                let mut random = Random(17);
                let workers: Vec<u32> = (0..C::BATCH)
                    .map(|_| random.below(expected.len()) as u32)
                    .collect();
                let expected: Vec<usize> =
                    workers.iter().map(|worker| expected[*worker as usize]).collect();
                lanes.push(Lane {
                    name: C::NAME,
                    sample: Box::new(move |_| {
                        sample(workers.len(), || {
                            for (worker, expected) in workers.iter().zip(&expected) {
                                let found = black_box(yard.running_of(black_box(*worker)));
                                assert_eq!(found, Some(*expected));
                            }
                        })
                    }),
                });
            }
        });
        rows.extend(measure("edge_query", entities, options.samples, lanes));
    }
    rows
}

/// Finds a task by its name and reads its value.
pub fn find(options: &Options) -> Vec<Row> {
    yard::compare(57, 3, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let mut lanes = Vec::new();
        each_yard!(C => if entities <= C::ENTITIES_MAX {
            let mut yard = C::new(entities, 10);
            let mut random = Random(13);
            let names: Vec<String> = (0..C::BATCH)
                .map(|_| yard::name(random.below(entities) as u32))
                .collect();
            lanes.push(Lane {
                name: C::NAME,
                sample: Box::new(move |_| {
                    sample(names.len(), || {
                        for name in &names {
                            assert!(black_box(yard.find(black_box(name))).is_some());
                        }
                    })
                }),
            });
        });
        rows.extend(measure("find", entities, options.samples, lanes));
    }
    rows
}

/// The history of [`replay`] as facts.
fn facts_of(
    entities: usize,
    fan_in: usize,
    hand_on: &[(u32, u32)],
    moved: &[(u32, bool)],
) -> Vec<Fact> {
    let mut holders: Vec<u32> = (0..entities)
        .map(|task| yard::first_worker(entities, fan_in, task))
        .collect();
    let mut facts = Vec::new();
    for &(task, worker) in hand_on {
        let old = std::mem::replace(&mut holders[task as usize], worker);
        facts.push(Fact::Unlink { worker: old, task });
        facts.push(Fact::Link { worker, task });
    }
    let moves = moved.iter();
    facts.extend(moves.map(|&(task, running)| Fact::Move { task, running }));
    facts
}

/// Replays a history: tasks are created, relinked and moved. The time is for each fact. ironweave reads the history from the
/// log in a directory, the others from an array.
pub fn replay(options: &Options) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let fan_in = 10;
        let hand_on = relinks(entities, fan_in, entities, 5);
        let moved = runs(entities, entities, 6);
        let facts = 7 * entities + yard::workers(entities, fan_in);
        let mut lanes = Vec::new();
        // `flat` replays facts, into vectors of the final size.
        let told = facts_of(entities, fan_in, &hand_on, &moved);
        lanes.push(Lane {
            name: Flat::NAME,
            sample: Box::new(move |_| {
                let mut kept = None;
                let ns = sample(facts, || {
                    let mut flat = Flat::new(entities, fan_in);
                    told.iter().for_each(|fact| flat.replay(*fact));
                    kept = Some(flat);
                });
                drop(kept);
                ns
            }),
        });
        let apart = |name: &str| name == Flat::NAME || name.starts_with("ironweave");
        each_yard!(C => if entities <= C::ENTITIES_MAX && !apart(C::NAME) {
            let (hand_on, moved) = (hand_on.clone(), moved.clone());
            lanes.push(Lane {
                name: C::NAME,
                sample: Box::new(move |_| {
                    let mut kept = None;
                    let ns = sample(facts, || {
                        let mut yard = C::new(entities, fan_in);
                        yard.relink_all(&hand_on);
                        yard.run_all(&moved);
                        kept = Some(yard);
                    });
                    drop(kept);
                    ns
                }),
            });
        });
        let dir = Scratch::new("replay")?;
        let store = ironweave::Store::options()
            .durability(ironweave::Durability::Os)
            .open(&dir.0)?;
        let mut yard = yard::ours::Ours::on(store, entities, fan_in);
        yard.relink_all(&hand_on);
        yard.run_all(&moved);
        let print = yard.store.fingerprint();
        drop(yard);
        lanes.push(Lane {
            name: "ironweave",
            sample: Box::new(move |_| {
                let mut opened = None;
                let ns = sample(facts, || {
                    let store = ironweave::Store::<yard::ours::plain::Model>::open(&dir.0);
                    opened = Some(store.expect("it was written"));
                });
                assert_eq!(opened.map(|store| store.fingerprint()), Some(print));
                ns
            }),
        });
        let told = measure("replay", entities, options.samples, lanes);
        rows.extend(told.into_iter().map(Row::per_second));
    }
    Ok(rows)
}

/// The directory of all scratch directories, if it is not that of this program.
pub static SCRATCH: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();

/// A directory that is removed when this is dropped: in [`SCRATCH`], or beside this program.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    /// Creates it, empty.
    pub fn new(name: &str) -> std::io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench-{name}-{}-{number}", std::process::id());
        let dir = match SCRATCH.get() {
            Some(scratch) => scratch.join(name),
            None => std::env::current_exe()?.with_file_name(name),
        };
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it cannot be removed, it stays in the target directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
