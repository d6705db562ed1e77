//! `databuild log`, `status` and their kin: what the store says, said and would say, also of one that a running databuild
//! writes to.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ironweave::When;
use ironweave::prelude::*;

use crate::dirs::Dirs;
use crate::jobs::check_name;
use crate::model::build::state::{
    Building, Canceled, DepMiss, Failed, Idle, Live, Lost, Missing, New, Queued, Running, Stale,
    Succeeded, Successful, UpForRetry, UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Partition, Want, WantCreated};
use crate::start::open_read_only;

/// What is said where there is no room behind `>`.
const UNWRITABLE: &str = "cannot write to stdout";

/// Prints every event with its facts, one line each: sequence, time, the event with its fields, and what changed. An
/// event that fired by itself is indented.
pub fn log(dirs: &Dirs) -> Result<()> {
    let store = open_read_only(dirs)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for frame in store.frames(0).map_err(|e| unreadable(dirs, &e))? {
        let frame = frame.map_err(|e| unreadable(dirs, &e))?;
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
    say(&status_of(&open_read_only(dirs)?))
}

/// Prints the same of another time: after a step, or at a time.
pub fn status_as_of(dirs: &Dirs, when: &str) -> Result<()> {
    let when = match when.parse::<u64>() {
        Ok(seq) => When::Seq(seq),
        Err(_) => When::Time(when.parse().map_err(|e| {
            anyhow::anyhow!("{e}, nor a number of a step: `databuild log` has both in each line")
        })?),
    };
    let store = open_read_only(dirs)?;
    let then = store.as_of(when).map_err(|e| unreadable(dirs, &e))?;
    say(&status_of(&then))
}

/// Prints each fact about a partition, with its step and event.
pub fn history(dirs: &Dirs, name: &str) -> Result<()> {
    let store = open_read_only(dirs)?;
    let had = store
        .history_of_key::<Partition>(name)
        .map_err(|e| unreadable(dirs, &e))?;
    anyhow::ensure!(
        !had.is_empty(),
        "nobody ever wanted {name} in {}: `databuild status` tells what there is",
        dirs.shown().display()
    );
    let mut out = String::new();
    for past in had.iter().flat_map(|(_, history)| history) {
        let said = one_line(&format!("{}: {}", past.event, past.words));
        out += &format!("{:>6} {} {said}\n", past.seq, past.time);
    }
    say(&out)
}

/// Prints what would change if somebody wanted partitions.
pub fn what_if_wanted(dirs: &Dirs, refs: &[String]) -> Result<()> {
    refs.iter().try_for_each(|name| check_name(name))?;
    let store = open_read_only(dirs)?;
    let partitions = refs
        .iter()
        .map(|name| Ensure::from(name.as_str()))
        .collect();
    let outcome = store
        .snapshot()
        .with(WantCreated { partitions })
        .map_err(|e| anyhow::anyhow!("the store in {} refuses: {e}", dirs.shown().display()))?;
    let mut out = String::new();
    for fact in outcome.changes.facts() {
        out += &format!("{}\n", one_line(&outcome.changes.words(*fact)));
    }
    let want = outcome.receipt.created.want;
    let state = want.state(&outcome.snapshot);
    out += &format!("the want would be {state}\n");
    say(&out)
}

fn unreadable(dirs: &Dirs, e: &StorageError) -> anyhow::Error {
    anyhow::anyhow!("cannot read the log in {}: {e}", dirs.shown().display())
}

fn say(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context(UNWRITABLE)
}

/// The wants, runs and partitions by state.
fn status_of(store: &impl Db) -> String {
    let mut out = String::new();
    let partitions = counts!(
        store, Partition: Missing, Building, Live, Failed, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale
    );
    line(&mut out, "partitions", &partitions);
    let runs = counts!(store, JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost);
    line(&mut out, "runs", &runs);
    let wants = counts!(store, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled);
    line(&mut out, "wants", &wants);
    open_wants(&mut out, store);
    for run in store.place::<JobRun, Running>() {
        let (label, pid) = (run.label(store), run.pid(store));
        out += &format!("running: {label} (pid {pid})\n");
    }
    for partition in store.place::<Partition, Failed>() {
        let reason = partition.reason(store).lines().next().unwrap_or_default();
        let reason = one_line(reason);
        out += &format!("failed: {}: {reason}\n", partition.name(store));
    }
    for partition in store.place::<Partition, (Stale, UpstreamFailed)>() {
        let what = if partition.is::<Stale>(store) {
            "stale"
        } else {
            "upstream failed"
        };
        out += &format!("{what}: {}\n", partition.name(store));
    }
    out
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

fn open_wants(out: &mut String, store: &impl Db) {
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
