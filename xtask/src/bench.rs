//! `cargo xtask bench`: runs the benchmarks, which are the workspace `bench/`, and fills the tables of
//! `docs/performance.md`.
//!
//! The benchmarks are a workspace of their own, since they depend on the libraries that they compare with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::figures;
use crate::tools::{self, cargo, root};

/// What to measure. The benchmarks get most of these options as they are.
#[derive(clap::Args)]
pub struct Bench {
    /// Run only the benchmark with this name, or those whose names begin with it: `log` runs all rows about the log
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks, each with what it measures
    #[arg(long)]
    list: bool,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The number of samples of each contender, instead of the default of each benchmark
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Also print the goals for ironweave, each with the figure of this run and whether it is met
    #[arg(long)]
    goals: bool,
    /// The sizes to measure, in entities, instead of the defaults of each benchmark
    #[arg(long, value_name = "N,N")]
    entities: Option<String>,
    /// The directory of files and stores that are measured, on a disk. Default: in the target directory of the benchmarks
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Leave out the programs that are missing (make, ninja, Luigi), instead of installing them
    #[arg(long)]
    no_install: bool,
    /// Fill the tables of docs/performance.md with the figures of this run
    #[arg(long)]
    write: bool,
    /// Run nothing, and fill the tables of docs/performance.md with the figures of a file that `--json` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "list", "json", "samples", "goals", "entities", "no_install", "scratch", "write"])]
    write_from: Option<PathBuf>,
    /// Run nothing, and copy bench/instructions.txt to docs/performance.md
    #[arg(long, conflicts_with_all = ["only", "list", "json", "samples", "goals", "entities", "no_install", "scratch", "write", "write_from"])]
    write_counts: bool,
}

/// Runs the benchmarks, or fills the tables from figures that are there.
pub fn run(bench: &Bench) -> Result<()> {
    if bench.write_counts {
        return figures::write_counts();
    }
    if let Some(file) = &bench.write_from {
        return figures::write(file);
    }
    if !bench.write {
        return measure(bench, bench.json.as_deref());
    }
    let dir = tempfile::tempdir().context("cannot create a temporary directory")?;
    let own = dir.path().join("figures.json");
    let file = bench.json.as_deref().unwrap_or(&own);
    measure(bench, Some(file))?;
    figures::write(file)
}

fn measure(bench: &Bench, json: Option<&Path>) -> Result<()> {
    if !root().join("bench/Cargo.toml").exists() {
        bail!("there is no bench/Cargo.toml in {}", root().display());
    }
    let mut command = cargo(&[
        "run",
        "--release",
        "--quiet",
        "--manifest-path",
        "bench/Cargo.toml",
        "--features",
        "peers",
        "--",
    ]);
    if let Some(name) = &bench.only {
        command.args(["--only", name]);
    }
    if bench.goals {
        command.arg("--goals");
    }
    if bench.list {
        command.arg("--list");
    }
    if bench.no_install {
        command.arg("--no-install");
    }
    if let Some(file) = json {
        // Relative to the directory of the caller, not to the root.
        command.arg("--json").arg(std::path::absolute(file)?);
    }
    if let Some(samples) = bench.samples {
        command.args(["--samples", &samples.to_string()]);
    }
    if let Some(entities) = &bench.entities {
        command.args(["--entities", entities]);
    }
    if let Some(dir) = &bench.scratch {
        command.arg("--scratch").arg(std::path::absolute(dir)?);
    }
    tools::run(&mut command)
}
