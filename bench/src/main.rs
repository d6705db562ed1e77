//! ironweave beside the same written by hand, in one process and one run.
//!
//! ```text
//! cargo xtask bench [--only NAME] [--list] [--json FILE] [--samples N]
//! ```
//!
//! Each line is a contender at a size: the median of several samples of nanoseconds for one operation, the least
//! and the greatest of them, and how many times as long it takes as `flat` at that size. Contenders take turns
//! within each sample, so that a machine which slows down slows all of them. Quote the ratios: the nanoseconds are this
//! machine's.

mod contenders;
mod harness;
mod step_recorded;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use harness::{Row, table};

/// One benchmark: a name, what it measures, and how.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Options) -> Vec<Row>,
}

const BENCHES: [Bench; 1] = [Bench {
    name: "step_recorded",
    about: "one event (a state move, a relink, a field), with its facts, its undo and itself recorded",
    run: step_recorded::run,
}];

#[derive(Parser)]
#[command(about = "ironweave beside the same written by hand")]
struct Options {
    /// Run one benchmark only
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks
    #[arg(long)]
    list: bool,
    /// Also write the figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many samples to take of each contender
    #[arg(long, default_value_t = 15, value_name = "N")]
    samples: usize,
    /// The sizes to measure, in entities
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000], value_name = "N,N")]
    entities: Vec<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for bench in BENCHES {
            println!("{:<16}{}", bench.name, bench.about);
        }
        return ExitCode::SUCCESS;
    }
    let chosen = |bench: &&Bench| options.only.as_ref().is_none_or(|name| *name == bench.name);
    let benches: Vec<&Bench> = BENCHES.iter().filter(chosen).collect();
    if benches.is_empty() {
        eprintln!("there is no such benchmark; `--list` prints their names");
        return ExitCode::FAILURE;
    }
    if options.samples == 0 || options.entities.contains(&0) {
        eprintln!("samples and entities are at least 1");
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    for bench in benches {
        println!("{}: {}", bench.name, bench.about);
        let measured = (bench.run)(&options);
        print!("{}", table(&measured));
        rows.extend(measured);
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
        if let Err(e) = std::fs::write(file, text) {
            eprintln!("cannot write {}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
