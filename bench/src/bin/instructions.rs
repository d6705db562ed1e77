//! One contender, so many operations, and nothing else: for a profiler or a counter of instructions.
//!
//! ```text
//! valgrind --tool=callgrind target/release/instructions ironweave 10000 100000
//! ```

#[path = "../contenders/mod.rs"]
#[allow(dead_code)]
mod contenders;
#[path = "../work.rs"]
#[allow(dead_code)]
mod work;

use std::process::ExitCode;

use contenders::{flat, ironweave, maps};
use work::{Contender, operations};

fn run<C: Contender>(entities: usize, steps: usize) {
    let mut contender = C::new(entities);
    for op in operations(entities, steps, 7) {
        contender.step(op);
    }
    assert!(!contender.picture().tasks.is_empty());
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let ([name, ..], [entities, steps]) = (arguments.as_slice(), numbers.as_slice()) else {
        eprintln!("usage: instructions CONTENDER ENTITIES STEPS");
        return ExitCode::FAILURE;
    };
    match name.as_str() {
        "flat" => run::<flat::Flat>(*entities, *steps),
        "fxhash" => run::<maps::fxhash::Maps>(*entities, *steps),
        "btree" => run::<maps::btree::Maps>(*entities, *steps),
        "ironweave" => run::<ironweave::Ours>(*entities, *steps),
        other => {
            eprintln!("there is no contender `{other}`");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
