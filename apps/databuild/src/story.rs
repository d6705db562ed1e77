//! What happened to a partition: a line for each step that changed the state of one of its instances, with the run that built it, how long
//! that took, and what has read it. `databuild history` prints it, and `GET /api/history/REF` answers it.
//!
//! It is read from the histories of the instances and of the runs that built them. O(these), however large the store is.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use ironweave::prelude::*;
use ironweave::{FactKind, HistoryEntry, ReadError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::dirs::Dirs;
use crate::model::build::state::{Stale, Tainted};
use crate::model::build::{JobRun, Model, Partition, PartitionRef};
use crate::reports::{LINES_MAX, Origin, reference, unreadable};
use crate::rules::name;
use crate::text::{few, in_words, one_line, shown};

/// The number of names of a list that are kept.
const NAMES_MAX: usize = 100;

/// A step that changed the state of an instance of a partition.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "StoryEntry")]
pub struct Entry {
    /// The step.
    pub seq: u64,
    /// Its time.
    pub time: String,
    /// The event that changed the state.
    pub event: String,
    /// The number of the instance, from 1 on.
    pub instance: usize,
    /// The id of the run that began or ended, if one did.
    pub run: Option<String>,
    /// How long that run took, if it has ended with this step.
    pub seconds: Option<f64>,
    /// What happened, for people.
    pub text: String,
    /// Why the run failed or the data is wrong, or which input became stale. May be empty.
    pub because: String,
    /// The digest that the instance was built with, or that has changed. May be empty.
    pub digest: String,
    /// The partitions whose runs have read what was built, up to 100.
    #[schemars(length(max = NAMES_MAX))]
    pub read_by: Vec<String>,
    /// The run, to find out how long it took.
    #[serde(skip)]
    ended: Option<(JobRun, Timestamp)>,
}

/// The last steps, the latest first, and the number of all.
///
/// # Errors
/// If the log cannot be read.
pub fn of(
    reference: PartitionRef,
    limit: usize,
    from: &impl Origin,
) -> Result<(Vec<Entry>, usize), ReadError> {
    let db = from.graph();
    let mut entries = Vec::new();
    for (number, instance) in (1..).zip(reference.instances(db)) {
        let history = from.history(instance)?;
        let mut chapter = Chapter {
            number,
            instance,
            run: None,
            digest: String::new(),
            inputs: BTreeSet::new(),
        };
        for of_step in history.chunk_by(|a, b| a.seq() == b.seq()) {
            chapter.learn(of_step);
            entries.extend(of_step.iter().filter_map(|entry| chapter.entry(entry, db)));
        }
    }
    // Also of the same step, what came later is first.
    entries.reverse();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    let count = entries.len();
    entries.truncate(limit);
    for entry in &mut entries {
        let Some((run, ended)) = entry.ended else {
            continue;
        };
        let began = from.history(run)?.iter().find_map(|entry| {
            let fact = entry.fact();
            let is_begin = fact.kind() == FactKind::Move && fact.to() == Some("Running");
            is_begin.then(|| entry.time())
        });
        entry.seconds = began.map(|began| ended.duration_since(began).as_secs_f64());
    }
    Ok((entries, count))
}

/// What is known of an instance while its history is read.
struct Chapter {
    number: usize,
    instance: Partition,
    run: Option<JobRun>,
    digest: String,
    /// The inputs that it has, by their slots.
    inputs: BTreeSet<u32>,
}

impl Chapter {
    /// Learns from the facts of a step what its changes of state do not say.
    fn learn(&mut self, step: &[HistoryEntry<Model>]) {
        let own = self.instance.id().slot();
        for entry in step {
            let fact = entry.fact();
            let is_own =
                fact.entity().slot() == own && fact.entity().type_name() == Partition::NAME;
            let other = fact.other().map(|other| other.slot());
            match (fact.kind(), fact.field()) {
                (FactKind::Link, Some("builds")) => {
                    let run = fact.entity().occupant::<JobRun>();
                    self.run = run.and_then(|run| run.handle()).or(self.run);
                }
                (FactKind::Set, Some("digest")) => {
                    let digest: Option<String> = fact.value();
                    if let Some(digest) = digest.filter(|digest| !digest.is_empty()) {
                        self.digest = digest;
                    }
                }
                (FactKind::Link, Some("inputs")) if is_own => self.inputs.extend(other),
                _ => {}
            }
        }
    }

    /// The entry for a fact, if it changed the state.
    fn entry(&self, entry: &HistoryEntry<Model>, db: &impl Db) -> Option<Entry> {
        let fact = entry.fact();
        let to = match fact.kind() {
            FactKind::Create => "Missing",
            FactKind::Move => fact.to()?,
            _ => return None,
        };
        let event = entry.event().to_owned();
        let text = match (to, &*event) {
            ("Missing", "ReferenceWanted") => "wanted for the first time",
            ("Missing", _) => "to be built again",
            ("Building", _) => "a run builds it",
            ("Live", "JobSucceeded") => "built",
            ("Live", _) => "live again, because nothing that it is made from has changed",
            ("Stale", "SourcesChanged") => "stale, because its sources or its job have changed",
            ("Stale", "TtlPassed" | "TtlPassedWhileStale") => {
                "stale, because its time to live has passed"
            }
            ("Stale", "CheckEnded" | "CheckWasNeedless")
            | ("Tainted", "CheckOfTaintedEnded" | "CheckOfTaintedWasNeedless") => {
                "its check has ended"
            }
            ("Stale", _) => "stale, because what it is made from has changed",
            ("Checking", _) => "its inputs are built before it is known whether it is built again",
            ("Tainted", _) => "tainted, because its data is wrong",
            ("Failed", _) => "failed",
            ("Backoff", _) => "failed, to be tried again",
            ("UpstreamBuilding", "InputsNeeded") => "waits for the inputs that its job declares",
            ("UpstreamBuilding", _) => "waits for what its run missed",
            ("UpForRetry", "UpstreamsLive") => "what it waited for is live",
            ("UpForRetry", "RunLost") => "its run was interrupted",
            ("UpForRetry", "RunCanceled") => "its run was canceled",
            ("UpForRetry", _) => "to be built",
            ("UpstreamFailed", _) => "blocked by a failure",
            ("Replaced", _) => "replaced by the next version",
            (other, _) => other,
        };
        let is_end = matches!(
            &*event,
            "JobSucceeded"
                | "DepMissed"
                | "JobFailed"
                | "AttemptFailed"
                | "RunLost"
                | "RunCanceled"
        );
        let run = self.run.filter(|_| is_end || to == "Building");
        let is_built = event == "JobSucceeded";
        let because = match &*event {
            "JobFailed" | "AttemptFailed" | "PartitionsTainted" => reason(entry),
            "InputWentStale" => self.stale_input(entry, db),
            _ => String::new(),
        };
        let has_digest = is_built || event == "SourcesChanged";
        Some(Entry {
            seq: entry.seq().get(),
            time: entry.time().to_string(),
            instance: self.number,
            run: run.map(|run| run.id().to_string()),
            seconds: None,
            text: text.to_owned(),
            because,
            digest: match has_digest {
                true => self.digest.clone(),
                false => String::new(),
            },
            read_by: match is_built {
                true => readers(self.instance, db),
                false => Vec::new(),
            },
            ended: run.filter(|_| is_end).map(|run| (run, entry.time())),
            event,
        })
    }

    /// The inputs that became stale or were tainted with the same step.
    fn stale_input(&self, entry: &HistoryEntry<Model>, db: &impl Db) -> String {
        let facts = entry.record().facts();
        let stale = facts.entered::<Partition, Stale>();
        let tainted = facts.entered::<Partition, Tainted>();
        let causes = [(stale, "went stale"), (tainted, "was tainted")];
        let causes = causes.iter().filter_map(|(of, what)| {
            let inputs = of.iter().filter(|one| self.inputs.contains(&one.slot()));
            let names = inputs.filter_map(|one| one.resolve(db));
            let names = few(names.map(|input| name(input, db)));
            (!names.is_empty()).then(|| format!("{names} {what}"))
        });
        causes.collect::<Vec<_>>().join(", ")
    }
}

/// The first line of why a run failed or data is wrong, as the event says.
fn reason(entry: &HistoryEntry<Model>) -> String {
    let fields = entry.firing().map(|firing| firing.fields());
    let mut fields = fields.iter().flatten();
    let reason = fields.find(|field| field.name() == "reason");
    let reason: Option<String> = reason.and_then(|field| field.value());
    shown(
        reason
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default(),
    )
}

/// The partitions whose runs have read an instance.
fn readers(instance: Partition, db: &impl Db) -> Vec<String> {
    let labels: BTreeSet<&str> = instance.read_by(db).map(|run| run.label(db)).collect();
    labels
        .into_iter()
        .take(NAMES_MAX)
        .map(str::to_owned)
        .collect()
}

/// The story of a partition for people, the last step last.
pub fn history(from: &impl Origin, dirs: &Dirs, of_name: &str, full: bool) -> Result<String> {
    let db = from.graph();
    let reference = reference(of_name, db, dirs)?;
    let most = if full { usize::MAX } else { LINES_MAX };
    let told = of(reference, most, from);
    let (entries, count) = told.map_err(|e| unreadable(dirs, &e))?;
    let earlier = count - entries.len();
    let mut out = match earlier {
        0 => String::new(),
        _ => format!("{earlier} earlier steps (shown by --full)\n"),
    };
    for entry in entries.iter().rev() {
        let (seq, time, text) = (entry.seq, &entry.time, line(entry, full));
        out += &format!("{seq:>6} {time} {}\n", one_line(&text));
    }
    Ok(out)
}

/// A step for people, as in `built by run 4.1, 40 ms → read by report`.
fn line(entry: &Entry, full: bool) -> String {
    // What is wrong is seen first.
    let what = match entry.text.split_once([',', ' ']) {
        Some((first @ ("stale" | "tainted" | "failed"), _)) => {
            format!("{}{}", first.to_uppercase(), &entry.text[first.len()..])
        }
        _ if entry.text == "failed" => "FAILED".to_owned(),
        _ => entry.text.clone(),
    };
    let mut parts = vec![match (&*entry.event, &entry.run) {
        ("JobSucceeded", Some(run)) => format!("{what} by run {run}"),
        ("JobQueued", Some(run)) => format!("run {run} builds it"),
        (_, Some(run)) => format!("{what}, run {run}"),
        (_, None) => what,
    }];
    let took = entry
        .seconds
        .and_then(|took| Duration::try_from_secs_f64(took).ok());
    parts.extend(took.map(in_words));
    if !entry.digest.is_empty() {
        parts.push(format!("digest {}", shown(&entry.digest)));
    }
    let mut line = parts.join(", ");
    if !entry.because.is_empty() {
        line += &format!(": {}", entry.because);
    }
    if !entry.read_by.is_empty() {
        let readers = match full {
            true => entry.read_by.join(", "),
            false => few(&entry.read_by),
        };
        line += &format!(" \u{2192} read by {readers}");
    }
    match entry.instance {
        1 => line,
        later => format!("#{later} {line}"),
    }
}
