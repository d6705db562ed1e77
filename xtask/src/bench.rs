//! `cargo xtask bench`: hands over to the workspace in `bench/`, which is apart since it has the peers as
//! dependencies.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::tools::{self, cargo, root};

/// What to measure, as the benchmarks are told.
#[derive(clap::Args)]
pub struct Bench {
    /// Only the benchmark with this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks
    #[arg(long)]
    list: bool,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many samples to take
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The sizes to measure, in entities
    #[arg(long, value_name = "N,N")]
    entities: Option<String>,
}

/// Runs the benchmarks.
pub fn run(bench: &Bench) -> Result<()> {
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
    if bench.list {
        command.arg("--list");
    }
    if let Some(file) = &bench.json {
        // Relative to where the caller is, not to the root.
        command.arg("--json").arg(std::path::absolute(file)?);
    }
    if let Some(samples) = bench.samples {
        command.args(["--samples", &samples.to_string()]);
    }
    if let Some(entities) = &bench.entities {
        command.args(["--entities", entities]);
    }
    tools::run(&mut command)
}
