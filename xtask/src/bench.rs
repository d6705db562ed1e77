//! `cargo xtask bench`: hands over to the workspace in `bench/`, which is apart since it has the peers as
//! dependencies.

use std::path::Path;

use anyhow::{Result, bail};

use crate::tools::{self, cargo, root};

/// Runs the benchmarks.
pub fn run(only: Option<&str>, list: bool, json: Option<&Path>) -> Result<()> {
    if !root().join("bench/Cargo.toml").exists() {
        bail!("there is no bench/Cargo.toml in {}", root().display());
    }
    let mut command = cargo(&[
        "run",
        "--release",
        "--quiet",
        "--manifest-path",
        "bench/Cargo.toml",
        "--",
    ]);
    if let Some(name) = only {
        command.args(["--only", name]);
    }
    if list {
        command.arg("--list");
    }
    if let Some(file) = json {
        // Relative to where the caller is, not to the root.
        command.arg("--json").arg(std::path::absolute(file)?);
    }
    tools::run(&mut command)
}
