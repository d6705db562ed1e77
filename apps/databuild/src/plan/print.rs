//! `databuild plan` on the command line: at most twenty lines, unless `--full` is given, or one JSON object.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::dirs::{Dirs, is_same};
use crate::engine::BuildStore;
use crate::plan::scene::planned;
use crate::plan::{Action, Counts, KnownFrom, Plan, Question, Step};
use crate::reports::{self, Opened, Origin, PlannedBy, Report, Source, cores};
use crate::serve::client::Client;
use crate::simulate;
use crate::start::open_read_only;
use crate::text::{chain, in_words, one_line, shown};

/// The number of steps and of notes that are printed without `--full`.
const STEPS_MAX: usize = 10;
const NOTES_MAX: usize = 5;

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// The jobs file, if one is given.
    pub jobs: Option<PathBuf>,
    /// The maximum number of jobs that run at a time, if it is given.
    pub jobs_max: Option<usize>,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to print all steps.
    pub full: bool,
}

/// Prints what would be built. The daemon that serves the directory makes the plan, unless it is to be by other jobs or another number of runs
/// at a time than the daemon has.
pub fn plan(dirs: &Dirs, question: Question, options: &Options) -> Result<()> {
    let client = Client::find(dirs).ok().flatten();
    let client = client.filter(|client| {
        let is_theirs = |file: &PathBuf| is_same(file, &client.daemon.jobs);
        options.jobs_max.is_none() && options.jobs.as_ref().is_none_or(is_theirs)
    });
    let mut source = match client {
        Some(client) => Source::Daemon(client),
        None => opened(dirs, options)?,
    };
    let report = Report::Plan {
        question,
        full: options.full,
        json: options.json,
    };
    reports::write(&source.ask(&report, dirs)?)
}

fn opened(dirs: &Dirs, options: &Options) -> Result<Source> {
    let jobs = simulate::jobs(dirs, options.jobs.as_deref())?;
    // Where a jobs file says what is to be built, nothing has to be there.
    let store = match jobs.is_some() && !dirs.store().is_dir() {
        true => BuildStore::memory(),
        false => open_read_only(dirs)?,
    };
    let by = PlannedBy {
        jobs: jobs.map(Arc::new),
        jobs_max: options.jobs_max.unwrap_or_else(cores),
    };
    Ok(Source::Store(Box::new(Opened::new(store, by))))
}

/// What would be built, as text or as JSON.
pub fn report(
    from: &impl Origin,
    dirs: &Dirs,
    question: &Question,
    (full, json): (bool, bool),
) -> Result<String> {
    let plan = planned(from, dirs, question)?;
    if json {
        let text = serde_json::to_string_pretty(&plan).context("cannot write JSON")?;
        return Ok(format!("{text}\n"));
    }
    Ok(text(&plan, full))
}

/// The plan for people.
fn text(plan: &Plan, full: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", one_line(&text));
    };
    line(sum(plan));
    let path: Vec<String> = (plan.critical_path.iter())
        .map(|step| format!("{} {}", shown(&step.name), time(step.seconds)))
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if path.len() > 1 && plan.critical_seconds > 0.0 {
        let path = chain(&path, path.len());
        line(format!(
            "critical path, {}: {path}",
            time(plan.critical_seconds)
        ));
    }
    let most = match plan.steps.len() {
        all if full || all <= STEPS_MAX + 1 => all,
        _ => STEPS_MAX,
    };
    for step in &plan.steps[..most] {
        line(of_step(step));
    }
    if plan.steps.len() > most {
        line(format!(
            "and {} more (shown by --full)",
            plan.steps.len() - most
        ));
    }
    let notes = plan.notes.len();
    let most = match full || notes <= NOTES_MAX + 1 {
        true => notes,
        false => NOTES_MAX,
    };
    for note in &plan.notes[..most] {
        line(format!("assumed: {note}"));
    }
    if notes > most {
        line(format!(
            "assumed: and {} more (shown by --full)",
            notes - most
        ));
    }
    out
}

/// The first line.
fn sum(plan: &Plan) -> String {
    let Counts {
        build,
        check,
        keep,
        blocked,
    } = plan.counts;
    let parts = [
        (build, "to build"),
        (check, "to check"),
        (keep, "live again without a run"),
        (blocked, "not built"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        return "nothing is to be built".to_owned();
    }
    let jobs = match plan.jobs_max {
        1 => "1 job at a time".to_owned(),
        jobs => format!("{jobs} jobs at a time"),
    };
    let is_known = |step: &Step| step.known_from != Some(KnownFrom::Nothing);
    let took = match (plan.steps.iter().all(is_known), check) {
        (false, _) => "how long that takes is not known".to_owned(),
        (true, 0) => time(plan.seconds),
        (true, _) => format!("at most {}", time(plan.seconds)),
    };
    format!("{}: {took}, {jobs}", parts.join(", "))
}

fn of_step(step: &Step) -> String {
    let times = match (step.from_seconds, step.seconds) {
        (Some(from), Some(seconds)) => (time(from), time(seconds)),
        (Some(_), None) => ("?".to_owned(), "?".to_owned()),
        (None, _) => (String::new(), String::new()),
    };
    let what = match step.action {
        Action::Build => "build",
        Action::Check => "check",
        Action::Keep => "keep",
        Action::Blocked => "not",
    };
    let (name, why) = (shown(&step.name), shown(&step.why));
    format!("{:>9} {:>9} {what:<5} {name}: {why}", times.0, times.1)
}

/// A number of seconds for people.
fn time(seconds: f64) -> String {
    in_words(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
