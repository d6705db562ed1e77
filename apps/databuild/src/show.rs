//! `databuild log` and `databuild status`: what the store says, also of one that a running databuild writes to.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::dirs::Dirs;
use crate::engine::BuildStore;
use crate::model::build::state::{
    Building, Canceled, DepMiss, Failed, Idle, Live, Lost, Missing, New, Queued, Running, Stale,
    Succeeded, Successful, UpForRetry, UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Partition, Want};
use crate::start::open_read_only;

/// What is said where there is no room behind `>`.
const UNWRITABLE: &str = "cannot write to stdout";

/// Prints every event with its facts, one line each: sequence, time, the event with its fields, and what changed. An
/// event that fired by itself is indented.
pub fn log(dirs: &Dirs) -> Result<()> {
    let store = open_read_only(dirs)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let unreadable =
        |e: StorageError| anyhow::anyhow!("cannot read the log in {}: {e}", dirs.shown().display());
    for frame in store.frames(0).map_err(unreadable)? {
        let frame = frame.map_err(unreadable)?;
        for firing in &frame.firings {
            let indent = if firing.immediate { "  " } else { "" };
            let firing = one_line(&firing.to_string());
            writeln!(out, "{:>6} {} {indent}{firing}", frame.seq, frame.time)
                .context(UNWRITABLE)?;
        }
    }
    out.flush().context(UNWRITABLE)
}

/// A text with its line ends, and whatever else would command a terminal, made visible: what a job wrote to stderr is in
/// the log as it was.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

macro_rules! counts {
    ($store:expr, $entity:ident: $($state:ident),*) => {
        [$((stringify!($state), $store.count::<$entity, $state>())),*]
    };
}

/// Prints the wants, runs and partitions by state.
pub fn status(dirs: &Dirs) -> Result<()> {
    let store = open_read_only(dirs)?;
    let mut out = String::new();
    let partitions = counts!(
        store, Partition: Missing, Building, Live, Failed, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale
    );
    line(&mut out, "partitions", &partitions);
    let runs = counts!(store, JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost);
    line(&mut out, "runs", &runs);
    let wants = counts!(store, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled);
    line(&mut out, "wants", &wants);
    open_wants(&mut out, &store);
    for run in store.place::<JobRun, Running>() {
        let (label, pid) = (run.label(&store), run.pid(&store));
        out += &format!("running: {label} (pid {pid})\n");
    }
    for partition in store.place::<Partition, Failed>() {
        let reason = partition.reason(&store).lines().next().unwrap_or_default();
        let reason = one_line(reason);
        out += &format!("failed: {}: {reason}\n", partition.name(&store));
    }
    for partition in store.place::<Partition, (Stale, UpstreamFailed)>() {
        let what = if partition.is::<Stale>(&store) {
            "stale"
        } else {
            "upstream failed"
        };
        out += &format!("{what}: {}\n", partition.name(&store));
    }
    std::io::stdout()
        .write_all(out.as_bytes())
        .context(UNWRITABLE)
}

fn line(out: &mut String, what: &str, counts: &[(&str, usize)]) {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    let equals = if parts.is_empty() { "" } else { " = " };
    *out += &format!("{what}: {all}{equals}{}\n", parts.join(" + "));
}

fn open_wants(out: &mut String, store: &BuildStore) {
    for want in store.place::<Want, (New, Idle, Building, UpstreamBuilding)>() {
        let mut names = want.partitions(store).map(|p| p.name(store));
        let first: Vec<&str> = names.by_ref().take(3).collect();
        let more = match names.count() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let by = want
            .asked_by(store)
            .map_or_else(String::new, |run| format!(", for {}", run.label(store)));
        *out += &format!("wanted: {}{more}{by}\n", first.join(", "));
    }
}
