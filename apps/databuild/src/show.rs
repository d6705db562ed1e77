//! `databuild log`, `status`, `as-of`, `history` and `what-if`, which read a store, also while a databuild writes
//! it. Long lists are shortened unless `--full` is given.

use std::collections::HashSet;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{AsOf, NameError, ReadError, Seq};

use crate::dirs::Dirs;
use crate::jobs::check_name;
use crate::model::build::state::{
    Backoff, Building, Canceled, DepMiss, Failed, Idle, Live, Lost, Missing, New, Queued, Running,
    Stale, Succeeded, Successful, UpForRetry, UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Partition, PartitionRef, Want, WantCreated};
use crate::render::Renderer;
use crate::start::open_read_only;
use crate::text::{few, one_line, shown};

/// The context of errors of stdout, such as a full disk.
const UNWRITABLE: &str = "cannot write to stdout";

/// The number of entities of each kind that a status lists without `--full`.
const NAMED_MAX: usize = 20;

/// Prints every event on one line: sequence, time, the event with its fields, and its facts. An
/// immediate event is indented.
pub fn log(dirs: &Dirs, full: bool) -> Result<()> {
    let store = open_read_only(dirs)?;
    let renderer = Renderer::new(&store, full);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for record in store.frames(0).map_err(|e| unreadable(dirs, &e))? {
        let record = record.map_err(|e| unreadable(dirs, &e))?;
        let (seq, time) = (record.seq(), record.time());
        for firing in record.firings() {
            let indent = if firing.is_immediate() { "  " } else { "" };
            let firing = renderer.firing(&firing);
            writeln!(out, "{seq:>6} {time} {indent}{firing}").context(UNWRITABLE)?;
        }
    }
    out.flush().context(UNWRITABLE)
}

macro_rules! counts {
    ($store:expr, $entity:ident: $($state:ident),*) => {
        [$((stringify!($state), $store.count::<$entity, $state>())),*]
    };
}

/// Prints the wants, runs and partitions by state.
pub fn status(dirs: &Dirs, full: bool) -> Result<()> {
    print(&status_of(&open_read_only(dirs)?, full))
}

/// Prints the status after an earlier step, or at an earlier time.
pub fn status_as_of(dirs: &Dirs, when: &str, full: bool) -> Result<()> {
    let when = match when.parse::<u64>() {
        Ok(seq) => AsOf::Seq(Seq::new(seq)),
        Err(_) => AsOf::Time(when.parse().map_err(|e| {
            anyhow::anyhow!("{e}, and it is not the number of a step: each line of `databuild log` begins with both")
        })?),
    };
    let store = open_read_only(dirs)?;
    match store.as_of(when) {
        Ok(then) => print(&status_of(&then, full)),
        Err(ReadError::OtherShape { .. }) => {
            let then = store.as_of_by_name(when);
            let then = then.map_err(|e| unreadable(dirs, &e))?;
            print(&earlier_status(then.by_name())?)
        }
        Err(e) => Err(unreadable(dirs, &e)),
    }
}

/// The wants, runs and partitions by state, as an earlier version of the model had them.
fn earlier_status(graph: GraphView<'_>) -> Result<String> {
    let mut out = String::new();
    for (what, name) in [
        ("partitions", "Partition"),
        ("runs", "JobRun"),
        ("wants", "Want"),
    ] {
        let of_type = graph.entity_type(name)?;
        let counts = of_type
            .states()
            .map(|state| Ok((state, of_type.count_in(state)?)));
        line(
            &mut out,
            what,
            &counts.collect::<Result<Vec<_>, NameError>>()?,
        );
    }
    Ok(out)
}

/// Prints each fact about a partition, its reference and its earlier instances, with its step and event.
pub fn history(dirs: &Dirs, name: &str, full: bool) -> Result<()> {
    let store = open_read_only(dirs)?;
    let Some(reference) = store.find::<PartitionRef>(name) else {
        anyhow::bail!(
            "there is no partition {} in {}: `databuild log` shows the known ones",
            shown(name),
            dirs.shown().display()
        );
    };
    let mut all = store.history(reference).map_err(|e| unreadable(dirs, &e))?;
    for instance in reference.instances(&store) {
        all.extend(store.history(instance).map_err(|e| unreadable(dirs, &e))?);
    }
    all.sort_by_key(|entry| entry.seq());
    // A link between two of them is in the history of each.
    let mut seen = HashSet::new();
    all.retain(|entry| seen.insert((entry.seq(), entry.fact().to_string())));
    let renderer = Renderer::new(&store, full);
    let mut out = String::new();
    // The facts of one event are shortened together.
    for of_event in all.chunk_by(|a, b| (a.seq(), a.event()) == (b.seq(), b.event())) {
        let Some(first) = of_event.first() else {
            continue;
        };
        let (seq, time, event) = (first.seq(), first.time(), first.event());
        for fact in renderer.facts(of_event.iter().map(|entry| entry.fact())) {
            out += &format!("{seq:>6} {time} {event}: {fact}\n");
        }
    }
    print(&out)
}

/// Prints what a want for partitions would change.
pub fn what_if_wanted(dirs: &Dirs, refs: &[String], full: bool) -> Result<()> {
    refs.iter().try_for_each(|name| check_name(name))?;
    let store = open_read_only(dirs)?;
    let partitions = refs
        .iter()
        .map(|name| Ensure::from(name.as_str()))
        .collect();
    let outcome = store
        .snapshot()
        .with(WantCreated { partitions })
        .map_err(|e| anyhow::anyhow!("the store in {} rejects it: {e}", dirs.shown().display()))?;
    let renderer = Renderer::new(&outcome.snapshot, full);
    let mut out = String::new();
    for fact in renderer.facts(outcome.record.facts()) {
        out += &format!("{fact}\n");
    }
    let want = outcome.applied.created.want;
    let state = want.state(&outcome.snapshot);
    out += &format!("the want would be {state}\n");
    print(&out)
}

fn unreadable(dirs: &Dirs, e: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot read the log in {}: {e}", dirs.shown().display())
}

fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context(UNWRITABLE)
}

/// The wants, runs and partitions by state.
fn status_of(store: &impl Db, full: bool) -> String {
    let mut out = String::new();
    let partitions = counts!(
        store, Partition: Missing, Building, Live, Failed, Backoff, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale
    );
    line(&mut out, "partitions", &partitions);
    let runs = counts!(store, JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost, Canceled);
    line(&mut out, "runs", &runs);
    let wants = counts!(store, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled);
    line(&mut out, "wants", &wants);
    let open = store.place::<Want, (New, Idle, Building, UpstreamBuilding)>();
    let open = open.map(|want| {
        let names = want.partitions(store).map(|p| p.name(store).to_owned());
        let names = if full {
            names.collect::<Vec<_>>().join(", ")
        } else {
            few(names)
        };
        let by = want
            .asked_by(store)
            .map_or_else(String::new, |run| format!(", for {}", run.label(store)));
        format!("{names}{by}")
    });
    list(&mut out, "wanted", open, full);
    let running = store.place::<JobRun, Running>();
    let running = running.map(|run| format!("{} (pid {})", run.label(store), run.pid(store)));
    list(&mut out, "running", running, full);
    let failed = store.place::<Partition, Failed>().map(|partition| {
        let reason = partition.reason(store).lines().next().unwrap_or_default();
        format!("{}: {}", partition.of(store).name(store), shown(reason))
    });
    list(&mut out, "failed", failed, full);
    let stale = store.place::<Partition, Stale>();
    list(
        &mut out,
        "stale",
        stale.map(|p| p.of(store).name(store).to_owned()),
        full,
    );
    let upstream = store.place::<Partition, UpstreamFailed>();
    let upstream = upstream.map(|p| p.of(store).name(store).to_owned());
    list(&mut out, "upstream failed", upstream, full);
    out
}

/// A line for each item, up to a limit.
fn list(out: &mut String, what: &str, mut lines: impl Iterator<Item = String>, full: bool) {
    let most = if full { usize::MAX } else { NAMED_MAX };
    for text in lines.by_ref().take(most) {
        *out += &format!("{what}: {}\n", one_line(&text));
    }
    let more = lines.count();
    if more > 0 {
        *out += &format!("{what}: and {more} more (shown by --full)\n");
    }
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
