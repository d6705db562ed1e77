//! The jobs of the demo, each in its own process: `databuild job manifest | sloc | unsafe | report | digest`.
//!
//! They communicate with databuild as every job does (see [`crate::jobs`]): environment, stdin, stdout, exit status.
//! Architecture invariant: this module does not use the store.

pub mod digest;
pub mod lexer;
pub mod manifest;
pub mod packages;
pub mod report;
pub mod sloc;
pub mod sources;
pub mod unsafety;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// A job of the demo.
#[derive(clap::Subcommand)]
pub enum JobCommand {
    /// Lists the packages that the workspace depends on
    Manifest,
    /// Counts the lines of a package
    Sloc {
        /// The partition, sloc/NAME-VERSION
        partition: String,
    },
    /// Counts the uses of `unsafe` in a package
    Unsafe {
        /// The partition, unsafe/NAME-VERSION
        partition: String,
    },
    /// Writes the report from the other partitions
    Report,
    /// Prints the current digests of partitions
    Digest {
        /// The partitions
        partitions: Vec<String>,
    },
}

/// Runs a job of the demo.
pub fn run(command: JobCommand) -> Result<()> {
    match command {
        JobCommand::Manifest => manifest::run(),
        JobCommand::Sloc { partition } => sloc::run(&partition),
        JobCommand::Unsafe { partition } => unsafety::run(&partition),
        JobCommand::Report => report::run(),
        JobCommand::Digest { partitions } => digest::run(&partitions),
    }
}

/// A variable that databuild sets for its jobs.
fn var(name: &str) -> Result<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).with_context(|| {
        format!("{name} is not set: this command is for jobs that databuild starts")
    })
}

/// The directory of the live partitions.
fn data_dir() -> Result<PathBuf> {
    var("DATABUILD_DATA")
}

/// Prints a line for databuild.
fn report_line(key: &str, value: &str) -> Result<()> {
    report_parts(&[(key, value)])
}

/// Prints a line with several entries for databuild.
fn report_parts(parts: &[(&str, &str)]) -> Result<()> {
    let map: serde_json::Map<_, _> = parts
        .iter()
        .map(|(k, v)| ((*k).to_owned(), serde_json::Value::from(*v)))
        .collect();
    // Not println!, which panics if databuild was killed.
    writeln!(std::io::stdout(), "{}", serde_json::Value::Object(map))
        .context("cannot write to stdout")
}

/// The names of all live partitions, from stdin.
fn live_partitions() -> Result<std::collections::HashSet<String>> {
    std::io::stdin()
        .lock()
        .lines()
        .collect::<Result<_, _>>()
        .context("cannot read stdin")
}

/// Writes a file of the partition that is being built.
fn write_out(name: &str, content: &[u8]) -> Result<()> {
    let path = var("DATABUILD_OUT")?.join(name);
    std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a JSON file of the partition that is being built.
fn write_json(name: &str, content: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(content)
        .with_context(|| format!("cannot write {name} as JSON"))?;
    json.push(b'\n');
    write_out(name, &json)
}

/// Reads a file of a live partition.
fn read_data(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
