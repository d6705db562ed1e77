//! Wants, partitions and runs as answers. Every list is cut at [`LIST_MAX`], and has its full length beside it.
//!
//! The documentation of these types and of their fields is that of the schemas in the description of the API.

use std::collections::BTreeMap;

use ironweave::prelude::*;
use ironweave::{FactKind, HistoryEntry, Id};
use schemars::JsonSchema;
use serde::Serialize;

use crate::fresh::stands_on;
use crate::model::build::state::{
    Checking, Failed, Live, Running, Tainted, UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::rules::{is_open, name, source};
use crate::status::{Link, chain};

/// The number of items of a list inside of an answer at most.
pub const LIST_MAX: usize = 100;
/// The number of bytes of the reason of a failure in a list.
const REASON_BYTES_MAX: usize = 500;

/// The first items of a list, with the count of all.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct List<T> {
    /// At most 100 items.
    #[schemars(length(max = LIST_MAX))]
    pub items: Vec<T>,
    /// The number of all items.
    pub count: usize,
}

impl<T> List<T> {
    /// A list that may be cut.
    pub fn of<I: Into<T>>(items: impl Iterator<Item = I>) -> Self {
        let mut items = items;
        let first: Vec<T> = items.by_ref().take(LIST_MAX).map(Into::into).collect();
        let count = first.len() + items.count();
        Self {
            items: first,
            count,
        }
    }
}

/// Names or ids.
pub type Names = List<String>;

fn names(partitions: impl Iterator<Item = Partition>, db: &impl Db) -> Names {
    List::of(partitions.map(|partition| name(partition, db)))
}

/// The id of an entity: `12.1`.
pub fn id(id: Id) -> String {
    id.to_string()
}

/// The beginning of a reason.
fn brief(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// The number of entities by state, without the states that have none.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Counts(pub BTreeMap<String, usize>);

impl Counts {
    /// Those of an entity type.
    pub fn of(db: &impl Db, entity: &str) -> Self {
        let Ok(of_type) = db.by_name().entity_type(entity) else {
            return Self::default();
        };
        let counts = of_type.states().filter_map(|state| {
            let count = of_type.count_in(state).ok().filter(|count| *count > 0)?;
            Some((state.to_owned(), count))
        });
        Self(counts.collect())
    }
}

/// A want.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Want")]
pub struct WantAnswer {
    /// Its id, such as `12.1`.
    pub id: String,
    /// New, Idle, Building, `UpstreamBuilding`, Successful, Failed, `UpstreamFailed`, Canceled or Expired.
    pub state: String,
    /// Whether it has not ended.
    pub open: bool,
    /// What is wanted.
    pub partitions: Names,
    /// Where it is from: `daemon`, `command line`, `run 3.1`, `input of report`, or `unknown`.
    pub source: String,
    /// What it is for. May be empty.
    pub comment: String,
    /// Wants with a higher priority are served first.
    pub priority: i32,
    /// When it expires.
    pub deadline: Option<String>,
    /// The time that was promised for it.
    pub sla: Option<String>,
    /// Whether it had not ended by then.
    pub late: bool,
    /// The id of the run that missed the partitions, if one did. A client wants what neither a run nor a job has asked for.
    pub asked_by: Option<String>,
    /// The partition whose job declares these as inputs, if one does.
    pub asked_for: Option<String>,
}

impl WantAnswer {
    /// A want, in a few fields.
    pub fn of(want: Want, db: &impl Db) -> Self {
        Self {
            id: id(want.id()),
            state: want.state(db).to_string(),
            open: is_open(want, db),
            partitions: List::of(want.partitions(db).map(|reference| reference.name(db))),
            source: source(want, db),
            comment: want.comment(db).to_owned(),
            priority: want.priority(db),
            deadline: want.deadline(db).map(|at| at.to_string()),
            sla: want.sla(db).map(|at| at.to_string()),
            late: want.late(db),
            asked_by: want.asked_by(db).map(|run| id(run.id())),
            asked_for: want
                .asked_for(db)
                .map(|partition| name(partition, db).to_owned()),
        }
    }
}

/// The number of partitions of a chain at most.
const CHAIN_MAX: usize = 20;
/// The number of chains of a want at most, and of its partitions that are looked at for them.
const CHAINS_MAX: usize = 3;
const CHAINS_FROM_MAX: usize = 1000;

/// Partitions that wait for each other. The last one is in the way of the others.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Chain {
    /// The partitions. Of a long chain, the middle is left out.
    #[schemars(length(max = CHAIN_MAX))]
    pub links: Vec<Link>,
    /// The number of partitions that are left out in the middle.
    pub left_out: usize,
}

impl Chain {
    /// The chain from a partition to what is in its way.
    pub fn of(partition: Partition, db: &impl Db) -> Self {
        let mut links = chain(partition, db);
        let left_out = links.len().saturating_sub(CHAIN_MAX);
        if left_out > 0 {
            links.drain(CHAIN_MAX / 2..CHAIN_MAX / 2 + left_out);
        }
        Self { links, left_out }
    }
}

/// A want, and why it waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OpenWant {
    /// The want.
    #[serde(flatten)]
    pub want: WantAnswer,
    /// Some chains from its partitions to what is in their way.
    #[schemars(length(max = CHAINS_MAX))]
    pub chains: Vec<Chain>,
}

impl OpenWant {
    /// An open want with the chains of the first of its partitions that wait.
    pub fn of(want: Want, db: &impl Db) -> Self {
        let awaited = want.awaits(db).take(CHAINS_FROM_MAX);
        let waiting = awaited.filter(|p| {
            p.is::<UpstreamBuilding>(db) || p.is::<UpstreamFailed>(db) || p.is::<Checking>(db)
        });
        Self {
            want: WantAnswer::of(want, db),
            chains: waiting.take(CHAINS_MAX).map(|p| Chain::of(p, db)).collect(),
        }
    }
}

/// A partition that has failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// The beginning of why it failed: at most 500 bytes.
    pub reason: String,
}

/// A partition that waits for something that failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Blocked {
    /// Its name.
    pub name: String,
    /// What failed.
    pub by: Names,
}

/// A want, with the state of all that it needs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WantInFull {
    /// The want.
    #[serde(flatten)]
    pub want: WantAnswer,
    /// The partitions that it needs, by state.
    pub progress: Counts,
    /// The runs that build what it needs.
    pub running: List<RunAnswer>,
    /// What it needs and has failed.
    pub failed: List<Failure>,
    /// What waits for something that failed.
    pub blocked: List<Blocked>,
}

impl WantInFull {
    /// A want with the state of all that it needs. O(partitions that it needs).
    pub fn of(want: Want, db: &impl Db) -> Self {
        let wanted = want
            .partitions(db)
            .filter_map(|reference| reference.current(db));
        let under = stands_on(db, wanted);
        let mut progress = Counts::default();
        for partition in &under {
            let state = partition.state(db).to_string();
            *progress.0.entry(state).or_default() += 1;
        }
        let built = |p: &Partition| p.built_by(db);
        let running = under
            .iter()
            .filter_map(built)
            .filter(|run| run.is::<Running>(db));
        let failed = under.iter().filter_map(|p| p.in_state::<Failed>(db));
        let failed = failed.map(|p| Failure {
            name: p.of(db).name(db).to_owned(),
            reason: brief(p.reason(db)).to_owned(),
        });
        let blocked = under
            .iter()
            .filter_map(|p| p.in_state::<UpstreamFailed>(db));
        let blocked = blocked.map(|p| {
            let ended = |p: &Partition| p.is::<Failed>(db) || p.is::<UpstreamFailed>(db);
            Blocked {
                name: p.of(db).name(db).to_owned(),
                by: names(p.upstreams(db).filter(ended), db),
            }
        });
        Self {
            want: WantAnswer::of(want, db),
            progress,
            running: List::of(running.map(|run| RunAnswer::of(run, db))),
            failed: List::of(failed),
            blocked: List::of(blocked),
        }
    }
}

/// A partition: a name, with the state of its current instance.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Partition")]
pub struct PartitionAnswer {
    /// Its name.
    pub name: String,
    /// The state of the current instance: Missing, Building, Live, Failed, Backoff, `UpstreamBuilding`, `UpForRetry`, `UpstreamFailed`, Stale,
    /// Checking or Tainted.
    pub state: Option<String>,
    /// How many instances there ever were.
    pub instances: usize,
    /// The id of the run that builds the current instance, or built it last.
    pub run: Option<String>,
    /// Why it failed, or is tainted. In lists, at most 500 bytes.
    pub reason: Option<String>,
}

impl PartitionAnswer {
    /// A reference with its current instance, in a few fields.
    pub fn of(reference: PartitionRef, db: &impl Db) -> Self {
        let current = reference.current(db);
        let failed = current.and_then(|p| p.in_state::<Failed>(db));
        let tainted = current.and_then(|p| p.in_state::<Tainted>(db));
        let reason = failed.map(|p| p.reason(db));
        Self {
            name: reference.name(db).to_owned(),
            state: current.map(|p| p.state(db).to_string()),
            instances: reference.instances_count(db),
            run: (current.and_then(|p| p.built_by(db))).map(|run| id(run.id())),
            reason: (reason.or_else(|| tainted.map(|p| p.reason(db))))
                .map(|reason| brief(reason).to_owned()),
        }
    }
}

/// A partition, with what it is made from and what it waits for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PartitionInFull {
    /// The partition.
    #[serde(flatten)]
    pub partition: PartitionAnswer,
    /// The ids of the open wants for it.
    pub wanted_by: Names,
    /// Its current instance, if it has one.
    #[serde(flatten)]
    pub instance: Option<Instance>,
}

/// The current instance of a partition.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Instance {
    /// What it is made from.
    pub inputs: Names,
    /// What is made from it.
    pub outputs: Names,
    /// What its last run missed.
    pub waits_for: Names,
    /// What waits for it.
    pub waited_for_by: Names,
    /// Since when it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The digest of what it is a function of, if it is live and its job has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// When its time to live ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl PartitionInFull {
    /// A reference with what its current instance is made from, and what it waits for.
    pub fn of(reference: PartitionRef, db: &impl Db) -> Self {
        let open = reference.wanted_by(db).filter(|want| is_open(*want, db));
        let mut partition = PartitionAnswer::of(reference, db);
        let current = reference.current(db);
        if let Some(failed) = current.and_then(|p| p.in_state::<Failed>(db)) {
            partition.reason = Some(failed.reason(db).to_owned());
        }
        Self {
            partition,
            wanted_by: List::of(open.map(|want| id(want.id()))),
            instance: current.map(|current| {
                let live = current.in_state::<Live>(db);
                Instance {
                    inputs: names(current.inputs(db), db),
                    outputs: names(current.outputs(db), db),
                    waits_for: names(current.upstreams(db), db),
                    waited_for_by: names(current.downstreams(db), db),
                    since: live.as_ref().map(|live| live.at(db).to_string()),
                    digest: live.as_ref().map(|live| live.digest(db).to_owned()),
                    expires: (live.as_ref().and_then(|live| *live.expires(db)))
                        .map(|at| at.to_string()),
                }
            }),
        }
    }
}

/// A run of a job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunAnswer {
    /// Its id, such as `3.1`.
    pub id: String,
    /// The partition that it was started for.
    pub label: String,
    /// Queued, Running, Succeeded, Failed, `DepMiss`, Lost or Canceled.
    pub state: String,
    /// The number of the attempt to build the partition.
    pub attempt: u32,
    /// The process, while it runs.
    pub pid: Option<u32>,
    /// The exit status of a run that failed, or 128 plus the number of a signal.
    pub exit: Option<i32>,
    /// Why it failed. In lists, at most 500 bytes.
    pub reason: Option<String>,
}

impl RunAnswer {
    /// A run, in a few fields.
    pub fn of(run: JobRun, db: &impl Db) -> Self {
        let failed = run.in_state::<Failed>(db);
        Self {
            id: id(run.id()),
            label: run.label(db).to_owned(),
            state: run.state(db).to_string(),
            attempt: run.attempt(db),
            pid: run.in_state::<Running>(db).map(|run| run.pid(db)),
            exit: failed.as_ref().map(|run| run.exit(db)),
            reason: (failed.as_ref()).map(|run| brief(run.reason(db)).to_owned()),
        }
    }
}

/// A run, with what it builds and has read, and with its times.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunInFull {
    /// The run.
    #[serde(flatten)]
    pub run: RunAnswer,
    /// The version of its job.
    pub version: String,
    /// The program and its arguments, without secrets; null if that is not kept any more.
    pub command: Option<Vec<String>>,
    /// What it builds.
    pub builds: Names,
    /// What it has read.
    pub reads: Names,
    /// What it missed.
    pub missed: Names,
    /// The ids of the wants that it serves.
    pub wants: Names,
    /// When it was queued, such as `2026-02-28T12:30:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<String>,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

impl RunInFull {
    /// A run with what it builds and has read, and with the times at which it was queued, started and ended, from its history.
    pub fn of(of: JobRun, history: &[HistoryEntry<Model>], db: &impl Db) -> Self {
        let mut run = RunAnswer::of(of, db);
        if let Some(failed) = of.in_state::<Failed>(db) {
            run.reason = Some(failed.reason(db).to_owned());
        }
        let missed = of.asks(db).flat_map(|want| want.partitions(db));
        let mut answer = Self {
            run,
            version: of.version(db).to_owned(),
            command: None,
            builds: names(of.builds(db), db),
            reads: names(of.reads(db), db),
            missed: List::of(missed.map(|reference| reference.name(db))),
            wants: List::of(of.services(db).map(|want| id(want.id()))),
            queued: None,
            started: None,
            ended: None,
        };
        for entry in history {
            let fact = entry.fact();
            let what = match (fact.kind(), fact.to()) {
                (FactKind::Create, _) => &mut answer.queued,
                (FactKind::Move, Some("Running")) => &mut answer.started,
                (FactKind::Move, _) => &mut answer.ended,
                _ => continue,
            };
            *what = Some(entry.time().to_string());
        }
        answer
    }
}
