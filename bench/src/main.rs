//! ironweave beside the same written by hand, in one process and one run.
//!
//! ```text
//! cargo xtask bench [--only NAME] [--list] [--json FILE] [--samples N] [--entities N,N]
//! ```
//!
//! Each line is a contender at a size: the median of several samples of nanoseconds for one operation, the least
//! and the greatest of them, and how many times as long it takes as `flat` at that size. Contenders take turns
//! within each sample, so that a machine which slows down slows all of them. Quote the ratios: the nanoseconds are this
//! machine's.
//!
//! `instructions` counts instead of measuring, and is the same on every run; `bench/instructions.txt` has its last table.
//! `compile` is of another kind: it starts cargo on generated models, and has a table of its own, in milliseconds.

mod compile;
mod contenders;
mod counts;
mod harness;
mod step;
mod work;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use harness::{Row, table};

/// The figures, or why there are none.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// One benchmark: a name, what it measures, and how.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// The sizes, where none were asked for.
    entities: &'static [usize],
    /// How many samples, where no number was asked for.
    samples: usize,
    run: fn(&Options) -> Measured,
    table: fn(&[Row]) -> String,
}

const BENCHES: [Bench; 8] = [
    Bench {
        name: "step_graph",
        about: "one event (a state move, a relink, a field) that can be taken back while it happens",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::graph(options)),
        table,
    },
    Bench {
        name: "step_recorded",
        about: "the same, with itself and its facts kept in memory",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::recorded(options)),
        table,
    },
    Bench {
        name: "step_logged",
        about: "the same, with a frame in a log: event and facts encoded, time, fingerprint (by hand: nothing kept)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::logged(options)),
        table,
    },
    Bench {
        name: "reject",
        about: "an event that cannot happen (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::reject(options)),
        table,
    },
    Bench {
        name: "what_if_1",
        about: "one event, taken back (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_1(options)),
        table,
    },
    Bench {
        name: "what_if_100",
        about: "one event of a hundred that are taken back together (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_100(options)),
        table,
    },
    Bench {
        name: "instructions",
        about: "instructions for one event, counted by valgrind",
        entities: &[10_000],
        samples: 1,
        run: counts::run,
        table: counts::table,
    },
    Bench {
        name: "compile",
        about: "cargo check and build of a model, beside plain structs and enums with derives",
        entities: &[10, 50, 200],
        samples: 5,
        run: compile::run,
        table: compile::table,
    },
];

/// The sizes at which steps are measured.
const SIZES: &[usize] = &[1_000, 10_000, 100_000, 1_000_000];

/// How to measure.
struct Options {
    /// How many samples of each contender.
    samples: usize,
    /// The sizes, in entities.
    entities: Vec<usize>,
}

#[derive(Parser)]
#[command(about = "ironweave beside the same written by hand")]
struct Cli {
    /// Run one benchmark only
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks
    #[arg(long)]
    list: bool,
    /// Also write the figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many samples to take of each contender; each benchmark knows how many it needs
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The sizes to measure, in entities; each benchmark has its own
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    entities: Option<Vec<usize>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for bench in BENCHES {
            println!("{:<16}{}", bench.name, bench.about);
        }
        return ExitCode::SUCCESS;
    }
    let chosen = |bench: &&Bench| cli.only.as_ref().is_none_or(|name| *name == bench.name);
    let benches: Vec<&Bench> = BENCHES.iter().filter(chosen).collect();
    if benches.is_empty() {
        eprintln!("there is no such benchmark; `--list` prints their names");
        return ExitCode::FAILURE;
    }
    if cli.samples == Some(0) || cli.entities.iter().flatten().any(|n| *n == 0) {
        eprintln!("samples and entities are at least 1");
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    for bench in benches {
        println!("{}: {}", bench.name, bench.about);
        let options = Options {
            samples: cli.samples.unwrap_or(bench.samples),
            entities: (cli.entities.clone()).unwrap_or_else(|| bench.entities.to_vec()),
        };
        let measured = match (bench.run)(&options) {
            Ok(measured) => measured,
            Err(e) => {
                eprintln!("{}: {e}", bench.name);
                return ExitCode::FAILURE;
            }
        };
        print!("{}", (bench.table)(&measured));
        rows.extend(measured);
    }
    if let Some(file) = &cli.json {
        let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
        if let Err(e) = std::fs::write(file, text) {
            eprintln!("cannot write {}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
