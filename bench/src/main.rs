//! Compares ironweave with the same work written by hand, in one process and one run.
//!
//! ```text
//! cargo xtask bench [--only NAME] [--list] [--json FILE] [--samples N] [--entities N,N] [--scratch DIR] [--goals] [--write]
//! ```
//!
//! A line of a table is a contender at a size: the median of several samples in nanoseconds for one operation, the least and
//! the greatest sample, and the ratio to `flat` at that size. Contenders take turns within each sample, so that a
//! machine which slows down slows all of them. Quote the ratios: the nanoseconds are those of one machine.
//!
//! The feature `peers`, which `cargo xtask bench` turns on, adds SQLite, redb, fjall, bevy_ecs, minigraf and Stateright. Before anything is
//! measured, all contenders do the same random work, and their results are compared.
//!
//! `instructions` counts instead of measuring and gives the same figures on every run; `bench/instructions.txt` has its last
//! table. `compile` starts cargo on generated models, and has a table of its own, in milliseconds.
//! `docs/performance.md` shows the figures of the central rows; `cargo xtask bench --write` fills its tables.

mod batch;
mod benches;
mod builds;
mod bytes;
mod checker;
mod compile;
mod contenders;
mod counts;
mod forms;
mod goals;
mod harness;
#[cfg(feature = "peers")]
mod keepers;
mod log;
mod nets;
mod past;
mod rows;
mod shared;
mod step;
mod values;
mod work;
mod writer;
mod yard;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use benches::{BENCHES, Bench};
use harness::Row;

/// The figures of a benchmark.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// What a benchmark is asked to measure.
struct Options {
    /// The number of samples of each contender.
    samples: usize,
    /// The sizes, in entities.
    entities: Vec<usize>,
    /// Whether programs that are missing are left out.
    no_install: bool,
}

#[derive(Parser)]
#[command(about = "Compares ironweave with the same work written by hand")]
struct Cli {
    /// Run one benchmark only, or those whose names begin so and with `_`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks, each with what it measures
    #[arg(long)]
    list: bool,
    /// Also write the figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also print the goals for ironweave, each with the figure of this run and whether it is met
    #[arg(long)]
    goals: bool,
    /// The number of samples of each contender, instead of the default of each benchmark
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The sizes to measure, in entities, instead of the defaults of each benchmark
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    entities: Option<Vec<usize>>,
    /// Leave out the programs that are missing (make, ninja, Luigi), instead of installing them
    #[arg(long)]
    no_install: bool,
    /// The directory of files and stores that are measured, on a disk. Default: the directory of this program
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// For processes that this program starts itself: the contender whose memory is counted
    #[arg(long, hide = true)]
    bytes_of: Option<String>,
    #[arg(long, hide = true)]
    write_dots: Option<usize>,
    #[arg(long, hide = true, default_value_t = 0)]
    linked: u8,
    #[arg(long, hide = true)]
    dir: Option<PathBuf>,
}

/// Runs what this program started itself for, if that is so.
fn inner(cli: &Cli) -> Option<Result<(), Box<dyn Error>>> {
    let linked = cli.linked != 0;
    if let (Some(count), Some(dir)) = (cli.write_dots, &cli.dir) {
        return Some(bytes::write(count, linked, dir).map_err(Into::into));
    }
    let contender = cli.bytes_of.as_ref()?;
    let count = *cli.entities.as_ref()?.first()?;
    Some(bytes::child(contender, count, linked).map(|bytes| println!("{bytes}")))
}

fn main() -> ExitCode {
    if builds::is_databuild() {
        return databuild::cli::main();
    }
    let cli = Cli::parse();
    if let Some(done) = inner(&cli) {
        return match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("{e}");
                ExitCode::FAILURE
            }
        };
    }
    if cli.list {
        for bench in BENCHES {
            println!("{:<20}{}", bench.name, bench.about);
        }
        return ExitCode::SUCCESS;
    }
    let named = |name: &String, bench: &Bench| {
        let rest = bench.name.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let is_exact = |name: &String| BENCHES.iter().any(|bench| bench.name == name);
    let chosen = |bench: &&Bench| match &cli.only {
        Some(name) if is_exact(name) => name == bench.name,
        Some(name) => named(name, bench),
        None => true,
    };
    let benches: Vec<&Bench> = BENCHES.iter().filter(chosen).collect();
    if benches.is_empty() {
        eprintln!("there is no such benchmark; `--list` prints their names");
        return ExitCode::FAILURE;
    }
    if let Some(dir) = cli.scratch {
        let _ = rows::SCRATCH.set(dir);
    }
    if cli.samples == Some(0) || cli.entities.iter().flatten().any(|n| *n == 0) {
        eprintln!("samples and entities are at least 1");
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    let (began, count) = (Instant::now(), benches.len());
    let mut exit = ExitCode::SUCCESS;
    for (i, bench) in benches.into_iter().enumerate() {
        let seconds = began.elapsed().as_secs();
        println!(
            "[{}/{count}, after {seconds} s] {}: {}",
            i + 1,
            bench.name,
            bench.about
        );
        let options = Options {
            samples: cli.samples.unwrap_or(bench.samples),
            entities: (cli.entities.clone()).unwrap_or_else(|| bench.entities.to_vec()),
            no_install: cli.no_install,
        };
        match (bench.run)(&options) {
            Ok(measured) => {
                print!("{}", (bench.table)(&measured));
                rows.extend(measured);
            }
            // The figures of the others are not lost.
            Err(e) => {
                eprintln!("{}: {e}", bench.name);
                exit = ExitCode::FAILURE;
            }
        }
    }
    if cli.goals {
        print!("{}", goals::table(&rows));
    }
    println!("measured in {:.0} s", began.elapsed().as_secs_f64());
    if let Some(file) = &cli.json {
        let written = harness::json(&rows).map_err(Into::into);
        if let Err(e) = written.and_then(|text| std::fs::write(file, text)) {
            eprintln!("cannot write {}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    }
    exit
}
