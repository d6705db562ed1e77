//! The project's own commands: `cargo xtask test | oracle | demo-kill | bench | api`.
#![forbid(unsafe_code)]

mod api;
mod bench;
mod crates;
mod demo;
mod demo_kill;
mod figures;
mod oracle;
mod rng;
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
    /// Check everything: format, lints, tests, doctests, the benchmarks' contenders, the demo, and a killed demo
    Test {
        /// Only the part with this name
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Print the names of the parts
        #[arg(long)]
        list: bool,
    },
    /// Random histories of random models, each step compared with an oracle; what fails is printed as a test
    Oracle {
        /// How many models, of a hundred events each
        #[arg(long, value_name = "N")]
        seeds: u64,
        /// The number of the first; a number is always the same model and history
        #[arg(long, value_name = "S", default_value_t = 0)]
        from: u64,
    },
    /// Kill the demo of databuild at random instants, and check that it goes on as if nothing had been
    DemoKill {
        /// The instants follow from this number
        #[arg(long, value_name = "N")]
        seed: u64,
        /// How often to kill it at most
        #[arg(long, value_name = "K", default_value_t = 8)]
        kills: u32,
    },
    /// Measure; see bench/
    Bench(bench::Bench),
    /// Write the public items of the crates that are published to docs/api.txt, or compare them with an older list
    Api(api::Api),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Not as `main` would show it, with a backtrace where one is asked for: it is not our code that is wrong.
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
        Command::Oracle { seeds, from } => oracle::run(seeds, from),
        Command::DemoKill { seed, kills } => {
            tools::build_tests()?;
            demo_kill::run(seed, kills)
        }
        Command::Bench(bench) => bench::run(&bench),
        Command::Api(api) => api::run(&api),
    }
}
