//! Runs so many operations of one contender and nothing else, for a profiler or a counter of instructions.
//!
//! ```text
//! valgrind --tool=callgrind target/release/instructions ironweave graph 10000 100000
//! ```
//!
//! The difference of two counts excludes the initial state.

#[path = "../contenders/mod.rs"]
#[allow(dead_code)]
mod contenders;
#[path = "../work.rs"]
#[allow(dead_code)]
mod work;
#[path = "../yard/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod yard;

use std::process::ExitCode;

use contenders::persistent::{Imbl, Rpds};
use contenders::{flat, ironweave, logged, maps};
use work::{Contender, Keeps, Op, Value, operations};
use yard::Yard;

/// What to do with each operation.
#[derive(Clone, Copy)]
enum Row {
    Step(Keeps),
    WhatIf(usize),
    Reject,
}

fn run<C: Contender>(row: Row, entities: usize, steps: usize) {
    let keeps = match row {
        Row::Step(keeps) => keeps,
        Row::WhatIf(_) | Row::Reject => Keeps::Log,
    };
    let mut contender = C::new(entities, keeps);
    let events = |contender: &C, start: Option<bool>| -> Vec<C::Event> {
        (operations(entities, steps, 7).into_iter())
            .map(|op| {
                contender.event(Op {
                    start: start.unwrap_or(op.start),
                    ..op
                })
            })
            .collect()
    };
    match row {
        Row::Step(_) => {
            for event in events(&contender, None) {
                contender.step(event);
            }
        }
        // All tasks are ready.
        Row::WhatIf(n) => {
            for some in events(&contender, Some(true)).chunks(n) {
                contender.step_and_undo(some);
            }
        }
        Row::Reject => {
            for event in events(&contender, Some(false)) {
                contender.reject(event);
            }
        }
    }
    assert!(!contender.picture().tasks.is_empty());
}

/// Values of the graph: what to do with each operation.
fn value<V: Value>(row: &str, entities: usize, steps: usize) {
    let (mut value, ops) = (V::new(entities), operations(entities, steps, 7));
    let mut held = std::collections::VecDeque::new();
    for op in ops {
        match row {
            // All tasks are ready.
            "with" => drop(std::hint::black_box(value.with(Op { start: true, ..op }))),
            "snapshot" => {
                value.step(op);
                held.push_back(value.clone());
                if held.len() > 4 {
                    held.pop_front();
                }
            }
            _ => _ = std::hint::black_box(value.read(op.task)),
        }
    }
}

/// Finds entities by their keys, and reads a field of each.
fn find<Y: Yard>(entities: usize, steps: usize) {
    let mut yard = Y::new(entities, 10);
    let mut random = yard::Random(13);
    // All names, so that the number of names that are made up does not depend on the number of steps.
    let names: Vec<String> = (0..entities as u32).map(yard::name).collect();
    for _ in 0..steps {
        let name = &names[random.below(entities)];
        assert!(std::hint::black_box(yard.find(std::hint::black_box(name))).is_some());
    }
}

/// Relinks a task to another worker. Each worker has a tenth of the tasks.
fn relink<Y: Yard>(entities: usize, steps: usize) {
    let mut yard = Y::new(entities, entities / 10);
    yard.relink_all(&yard::relinks(entities, entities / 10, steps, 5));
    std::hint::black_box(&yard);
}

/// Steps of ironweave with a log in memory, beside a reader from which no snapshot is taken. The queue of the reader becomes
/// long after about 26,000 of them.
fn followed(entities: usize, steps: usize) {
    let mut ours = ironweave::Ours::new(entities, Keeps::Log);
    let reader = ours.store.reader();
    for op in operations(entities, steps, 7) {
        ours.step(ours.event(op));
    }
    assert!(reader.seq().is_some());
}

/// The number of events of each entity in `history`.
const VERSIONS: usize = 200;

/// Histories of entities of a log on disk, each of another entity. The indexes are made before.
fn history(entities: usize, steps: usize) {
    let exe = std::env::current_exe().expect("a program has a path");
    let dir = exe.with_file_name(format!("history-{}", std::process::id()));
    let options = ::ironweave::Store::options().durability(::ironweave::Durability::Os);
    let store = options.open(&dir).expect("a new store");
    let mut ours = ironweave::Ours::on(store, entities);
    for i in 0..entities * VERSIONS {
        let (task, there) = ((i % entities) as u32, (i / entities).is_multiple_of(2));
        let first = work::first_worker(entities, task as usize);
        let other = (first as usize + 1) % work::workers(entities);
        let worker = if there { other as u32 } else { first };
        let value = i as u64;
        let start = there;
        ours.step(ours.event(Op {
            task,
            worker,
            value,
            start,
        }));
    }
    let mut tasks = ours.tasks.iter();
    let last = tasks.next_back().expect("there are some");
    assert!(!ours.store.history(*last).expect("it reads").is_empty());
    for task in tasks.take(steps) {
        let history = ours.store.history(*task).expect("it reads");
        assert!(history.len() >= VERSIONS);
    }
    drop(ours);
    std::fs::remove_dir_all(dir).expect("it is there");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let ([name, row, ..], [entities, steps]) = (arguments.as_slice(), numbers.as_slice()) else {
        eprintln!("usage: instructions CONTENDER ROW ENTITIES STEPS");
        return ExitCode::FAILURE;
    };
    if row == "history" {
        history(*entities, *steps);
        return ExitCode::SUCCESS;
    }
    if row == "step_followed" {
        followed(*entities, *steps);
        return ExitCode::SUCCESS;
    }
    if ["with", "snapshot", "snapshot_read"].contains(&row.as_str()) {
        match name.as_str() {
            "imbl" => value::<Imbl>(row, *entities, *steps),
            "rpds" => value::<Rpds>(row, *entities, *steps),
            _ => value::<ironweave::Valued>(row, *entities, *steps),
        }
        return ExitCode::SUCCESS;
    }
    if row == "relink" {
        match name.as_str() {
            "flat" => relink::<yard::flat::Flat>(*entities, *steps),
            "fxhash" => relink::<yard::maps::fxhash::Maps>(*entities, *steps),
            _ => relink::<yard::ours::OursGraph>(*entities, *steps),
        }
        return ExitCode::SUCCESS;
    }
    if row == "find" {
        match name.as_str() {
            "flat" => find::<yard::flat::Flat>(*entities, *steps),
            "btree" => find::<yard::maps::btree::Maps>(*entities, *steps),
            "ironweave" => find::<yard::ours::Ours>(*entities, *steps),
            _ => find::<yard::maps::fxhash::Maps>(*entities, *steps),
        }
        return ExitCode::SUCCESS;
    }
    let row = match row.as_str() {
        "step_graph" => Row::Step(Keeps::Nothing),
        "step_recorded" => Row::Step(Keeps::Facts),
        "step_logged" => Row::Step(Keeps::Log),
        "what_if_1" => Row::WhatIf(1),
        "reject" => Row::Reject,
        other => {
            eprintln!("there is no row `{other}`");
            return ExitCode::FAILURE;
        }
    };
    match name.as_str() {
        "flat" => run::<flat::Flat>(row, *entities, *steps),
        "fxhash" => run::<maps::fxhash::Maps>(row, *entities, *steps),
        "fxhash_logged" => run::<logged::FxHashLogged>(row, *entities, *steps),
        "btree" => run::<maps::btree::Maps>(row, *entities, *steps),
        "ironweave" => run::<ironweave::Ours>(row, *entities, *steps),
        other => {
            eprintln!("there is no contender `{other}`");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
