//! The project's own commands: `cargo xtask test | oracle | crash | demo-kill | bench | screenshot | api`.
#![forbid(unsafe_code)]

mod api;
mod bench;
mod crash;
mod crates;
mod demo;
mod demo_kill;
mod figures;
mod oracle;
mod planted;
mod rng;
mod screenshot;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all checks: format, lints, tests, doctests, documentation, packages, benchmarks' contenders, demo, killed demo
    Test {
        /// Run only the part with this name
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Print the names of the parts
        #[arg(long)]
        list: bool,
    },
    /// Run random histories of random models and compare each step with an oracle; a failure is printed as a test
    Oracle {
        /// How many random models, of a hundred events each; a fiftieth as many histories run of each compiled model
        #[arg(long, value_name = "N")]
        seeds: u64,
        /// The number of the first model; a number always gives the same model and history
        #[arg(long, value_name = "S", default_value_t = 0)]
        from: u64,
        /// Plant bugs in a copy of the runtime crate instead, those whose names contain this text, and expect the models to
        /// find each
        #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
        planted: Option<String>,
    },
    /// Run the tests of logs and stores that crash: failed changes, kills, power cuts, damaged and changed logs
    Crash {
        /// How many random lives of a log, with kills and power cuts; a tenth as many changed logs of each kind
        #[arg(long, value_name = "N", default_value_t = 2_000)]
        seeds: u64,
        /// How many processes that write to a store are killed
        #[arg(long, value_name = "N", default_value_t = 100)]
        kill: u64,
    },
    /// Kill the demo of databuild at random instants, and check that it recovers
    DemoKill {
        /// The seed that the instants are drawn from
        #[arg(long, value_name = "N")]
        seed: u64,
        /// The greatest number of kills
        #[arg(long, value_name = "K", default_value_t = 8)]
        kills: u32,
    },
    /// Run the benchmarks of bench/, and fill the tables of docs/performance.md
    Bench(bench::Bench),
    /// Take the picture of databuild's pages that the README shows
    Screenshot,
    /// Write the public items of the crates that are published to docs/api.txt, or compare them with an older list
    Api(api::Api),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // `main` would print a backtrace where one is asked for, but the failure is not in this program.
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Test { list: true, .. } => {
            test::list();
            Ok(())
        }
        Command::Test { only, list: false } => test::run(only.as_deref()),
        Command::Oracle {
            seeds,
            planted: Some(only),
            ..
        } => planted::run(seeds, &only),
        Command::Oracle { seeds, from, .. } => oracle::run(seeds, from),
        Command::Crash { seeds, kill } => crash::run(seeds, kill),
        Command::DemoKill { seed, kills } => {
            tools::build_tests()?;
            demo_kill::run(seed, kills)
        }
        Command::Bench(bench) => bench::run(&bench),
        Command::Screenshot => screenshot::run(),
        Command::Api(api) => api::run(&api),
    }
}
