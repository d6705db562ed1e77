//! `databuild status`: what is there, what is wanted, what runs, and what is in the way. At most twenty lines, unless `--full` is given, or
//! one JSON object.

use std::collections::{BTreeMap, HashMap};
use std::mem::discriminant;

use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::build::state::{
    Backoff, Building, Canceled, Checking, DepMiss, Expired, Failed, Idle, Live, Lost, Missing,
    New, Queued, Running, Stale, Succeeded, Successful, Tainted, UpForRetry, UpstreamBuilding,
    UpstreamFailed,
};
use crate::model::build::{JobRun, Partition, PartitionRef, PartitionState, Want};
use crate::rules::{OF_DAEMON, name, open_wants, source};
use crate::text::{few, one_line, shown};

/// The number of groups, failures and chains that are shown without `--full`.
const SHOWN_MAX: usize = 3;
/// The number of partitions of a chain that are shown.
const CHAIN_MAX: usize = 8;

/// How many there are in each state that has some, in the order of the lifecycle.
pub type Counts = Vec<(&'static str, usize)>;

/// The status of a store.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The current instances of references by state.
    #[serde(serialize_with = "as_map")]
    pub partitions: Counts,
    /// Runs by state.
    #[serde(serialize_with = "as_map")]
    pub runs: Counts,
    /// Wants by state.
    #[serde(serialize_with = "as_map")]
    pub wants: Counts,
    /// Partitions by the first segment of their names, the largest group first.
    pub groups: Vec<Group>,
    /// What persons want and is not there.
    pub wanted: Vec<Wanted>,
    /// The runs that have not ended.
    pub running: Vec<RunningRun>,
    /// What has failed.
    pub failed: Vec<Failure>,
    /// Why partitions wait: each chain leads from one to what is in the way.
    pub waiting: Vec<Vec<Link>>,
    /// What was built and is not up to date.
    pub stale: Vec<String>,
    /// What was built and has wrong data.
    pub tainted: Vec<Taint>,
    /// How many runs have lost their output by each limit of the jobs file. Empty for an earlier time, for which it is not known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs_removed: BTreeMap<String, usize>,
}

/// A partition whose data is wrong.
#[derive(Debug, Serialize)]
pub struct Taint {
    /// Its name.
    pub partition: String,
    /// Why, as a person has said.
    pub reason: String,
}

/// The partitions whose names begin with the same segment.
#[derive(Debug, Serialize)]
pub struct Group {
    /// A pattern that matches them.
    pub pattern: String,
    /// How many there are.
    pub all: usize,
    /// By state.
    #[serde(serialize_with = "as_map")]
    pub states: Counts,
}

/// An open want of a person.
#[derive(Debug, Serialize)]
pub struct Wanted {
    /// Its number.
    pub want: u32,
    /// The partitions.
    pub partitions: Vec<String>,
    /// Where it is from.
    pub source: String,
    /// What it is for, if that was said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Wants with a higher priority are served first.
    pub priority: i32,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The time that was promised for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla: Option<Timestamp>,
    /// Whether that has passed.
    pub late: bool,
}

/// A run that has not ended.
#[derive(Debug, Serialize)]
pub struct RunningRun {
    /// Its id.
    pub run: String,
    /// Its partition.
    pub partition: String,
    /// The id of its process, once it is started.
    pub pid: Option<u32>,
}

/// A partition that has failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Its name.
    pub partition: String,
    /// The run that failed.
    pub run: Option<String>,
    /// The error.
    pub reason: String,
}

/// A partition in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ChainLink")]
pub struct Link {
    /// Its name.
    pub partition: String,
    /// Its state, and for the last one why it is in it.
    pub state: String,
}

/// Counts as a JSON object.
fn as_map<S: serde::Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(counts.iter().copied())
}

macro_rules! counts {
    ($store:expr, $entity:ident: $($state:ident),*) => {
        [$((stringify!($state), $store.count::<$entity, $state>())),*]
    };
}

fn present<const N: usize>(counts: [(&'static str, usize); N]) -> Counts {
    counts.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// The name of the state of a partition.
pub fn state_of(partition: Partition, db: &impl Db) -> String {
    partition.state(db).to_string()
}

impl Status {
    /// Reads the status. O(partitions) for the groups, and otherwise O(what is wanted, runs or is in the way).
    pub fn of(db: &impl Db) -> Self {
        let unfinished = db.place::<JobRun, (Queued, Running)>();
        let running = unfinished.map(|run| RunningRun {
            run: run.id().to_string(),
            partition: run.label(db).to_owned(),
            pid: run.in_state::<Running>(db).map(|run| run.pid(db)),
        });
        let wanted = open_wants(db).into_iter().map(|want| Wanted {
            want: want.id().slot(),
            partitions: (want.partitions(db).map(|r| r.name(db).to_owned())).collect(),
            source: source(want, db),
            comment: want.comment(db).to_owned(),
            priority: want.priority(db),
            deadline: *want.deadline(db),
            sla: *want.sla(db),
            late: want.late(db),
        });
        let failed = db.place::<Partition, Failed>().map(|partition| Failure {
            partition: name(partition.any(), db).to_owned(),
            run: partition.built_by(db).map(|run| run.id().to_string()),
            reason: partition.reason(db).to_owned(),
        });
        let stale = db.place::<Partition, Stale>();
        let tainted = db.place::<Partition, Tainted>().map(|p| Taint {
            partition: name(p.any(), db).to_owned(),
            reason: p.reason(db).to_owned(),
        });
        Self {
            partitions: present(counts!(
                db, Partition: Missing, Building, Live, Failed, Backoff, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale, Checking, Tainted
            )),
            runs: present(
                counts!(db, JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost, Canceled),
            ),
            wants: present(counts!(
                db, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled, Expired
            )),
            groups: groups(db),
            wanted: wanted.collect(),
            running: running.collect(),
            failed: failed.collect(),
            waiting: blocked(db).map(|p| chain(p, db)).collect(),
            stale: stale.map(|p| p.of(db).name(db).to_owned()).collect(),
            tainted: tainted.collect(),
            outputs_removed: BTreeMap::new(),
        }
    }

    /// The status for people.
    pub fn text(&self, full: bool) -> String {
        let mut out = String::new();
        for (what, counts) in [
            ("partitions", &self.partitions),
            ("runs", &self.runs),
            ("wants", &self.wants),
        ] {
            out += &line(what, counts);
        }
        // A store with few groups needs none.
        if self.groups.len() > 1 && self.groups.iter().any(|group| group.all > 1) {
            let groups = self.groups.iter();
            list(
                &mut out,
                "group",
                groups.map(|group| format!("{}: {}", group.pattern, sum(&group.states))),
                full,
            );
        }
        // Wants of a command line and without a priority are the usual ones.
        let wanted = self.wanted.iter().flat_map(|want| {
            let mut notes = Vec::new();
            if want.source == OF_DAEMON {
                notes.push(want.source.clone());
            }
            if want.priority != 0 {
                notes.push(format!("priority {}", want.priority));
            }
            if let Some(sla) = want.sla.filter(|_| want.late) {
                notes.push(format!("LATE, promised for {sla}"));
            }
            notes.extend(want.deadline.map(|at| format!("until {at}")));
            notes.extend(Some(want.comment.clone()).filter(|comment| !comment.is_empty()));
            let notes = match notes.is_empty() {
                true => String::new(),
                false => format!(" ({})", notes.join(", ")),
            };
            let partitions = want.partitions.iter();
            partitions.map(move |name| format!("{name}{notes}"))
        });
        names(&mut out, "wanted", wanted, full);
        let running = self.running.iter().map(|run| match run.pid {
            Some(pid) => format!("{} (pid {pid})", run.partition),
            None => run.partition.clone(),
        });
        names(&mut out, "running", running, full);
        let failed = self.failed.iter().map(|failure| {
            let reason = failure.reason.lines().next().unwrap_or_default();
            format!("{}: {}", failure.partition, shown(reason))
        });
        list(&mut out, "failed", failed, full);
        let waiting = self.waiting.iter().map(|chain| in_one_line(chain));
        list(&mut out, "waiting", waiting, full);
        names(&mut out, "stale", self.stale.iter().cloned(), full);
        let tainted = self.tainted.iter();
        let tainted = tainted.map(|of| format!("{} ({})", of.partition, shown(&of.reason)));
        names(&mut out, "tainted", tainted, full);
        let removed = self.outputs_removed.iter();
        let removed = removed.map(|(limit, runs)| format!("{runs} by `{limit}`"));
        let removed: Vec<String> = removed.collect();
        if !removed.is_empty() {
            let removed = removed.join(", ");
            out += &format!("outputs of runs removed: {removed} in [logs] of the jobs file\n");
        }
        out
    }
}

fn groups(db: &impl Db) -> Vec<Group> {
    // By the first segment of the name, and whether others follow.
    let mut counted: HashMap<(&str, bool), Vec<(PartitionState, usize)>> = HashMap::new();
    let is_same = |a: &PartitionState, b: &PartitionState| discriminant(a) == discriminant(b);
    for reference in db.place::<PartitionRef, Any>() {
        let name = reference.name(db);
        let group = match name.split_once('/') {
            Some((first, _)) => (first, true),
            None => (name, false),
        };
        if let Some(current) = reference.current(db) {
            let states = counted.entry(group).or_default();
            let state = current.state(db);
            match states.iter_mut().find(|(of, _)| is_same(of, &state)) {
                Some((_, count)) => *count += 1,
                None => states.push((state, 1)),
            }
        }
    }
    let groups: BTreeMap<String, BTreeMap<String, usize>> = (counted.into_iter())
        .map(|((first, is_parent), states)| {
            let pattern = match is_parent {
                true => format!("{first}/**"),
                false => first.to_owned(),
            };
            let states = states.into_iter();
            (pattern, states.map(|(of, n)| (of.to_string(), n)).collect())
        })
        .collect();
    // In the order of the lifecycle.
    const STATES: [&str; 11] = [
        "Missing",
        "Building",
        "Live",
        "Failed",
        "Backoff",
        "UpstreamBuilding",
        "UpForRetry",
        "UpstreamFailed",
        "Stale",
        "Checking",
        "Tainted",
    ];
    let mut groups: Vec<Group> = (groups.into_iter())
        .map(|(pattern, counts)| {
            let count = |state: &'static str| Some((state, *counts.get(state)?));
            Group {
                pattern,
                all: counts.values().sum(),
                states: STATES.into_iter().filter_map(count).collect(),
            }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.all));
    groups
}

/// The partitions that wait and that nothing else waits for, so that their chains are the longest ones.
pub fn blocked<D: Db>(db: &D) -> impl Iterator<Item = Partition> {
    let waiting = db.place::<Partition, (UpstreamBuilding, UpstreamFailed, Checking)>();
    waiting.filter(|p| p.downstreams(db).next().is_none())
}

/// The chain from a partition to what is in its way: of what it waits for, what has failed comes first, then what runs.
pub fn chain(partition: Partition, db: &impl Db) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = Some(partition);
    // No partition waits for itself.
    while let Some(partition) = next {
        let upstreams = partition.upstreams(db).filter(|p| !p.is::<Live>(db));
        next = upstreams.min_by_key(|p| match () {
            () if p.is::<Failed>(db) => 0,
            () if p.is::<UpstreamFailed>(db) => 1,
            () if p.is::<Building>(db) => 2,
            () if p.is::<UpstreamBuilding>(db) || p.is::<Checking>(db) => 3,
            () => 4,
        });
        let mut state = state_of(partition, db);
        if let Some(failed) = partition.in_state::<Failed>(db) {
            let reason = failed.reason(db).lines().next().unwrap_or_default();
            state = format!("FAILED: {}", shown(reason));
        } else if let Some(run) = partition
            .built_by(db)
            .filter(|_| partition.is::<Building>(db))
        {
            state = format!("run {} builds it", run.id());
        }
        links.push(Link {
            partition: name(partition, db).to_owned(),
            state,
        });
    }
    links
}

/// A chain, as in `report ← day/1 FAILED: it ended with exit status 3`.
pub fn in_one_line(chain: &[Link]) -> String {
    let mut names: Vec<String> = chain.iter().map(|link| link.partition.clone()).collect();
    if names.len() > CHAIN_MAX {
        let left_out = names.len() - CHAIN_MAX;
        names.splice(
            CHAIN_MAX / 2..CHAIN_MAX / 2 + left_out,
            [format!(".. {left_out} more ..")],
        );
    }
    let end = chain.last().map_or("", |link| &link.state);
    one_line(&format!("{} {end}", names.join(" \u{2190} ")))
}

/// A line for each item, up to a limit. A line that says how many more there are never takes the place of a single item.
fn list(out: &mut String, what: &str, items: impl Iterator<Item = String>, full: bool) {
    let items: Vec<String> = items.collect();
    let most = match items.len() {
        all if full || all <= SHOWN_MAX + 1 => all,
        _ => SHOWN_MAX,
    };
    for text in &items[..most] {
        *out += &format!("{what}: {}\n", one_line(text));
    }
    let more = items.len() - most;
    if more > 0 {
        *out += &format!("{what}: and {more} more (shown by --full)\n");
    }
}

/// One line for all items, or one for each.
fn names(out: &mut String, what: &str, items: impl Iterator<Item = String>, full: bool) {
    if full {
        return list(out, what, items, full);
    }
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        *out += &format!("{what}: {}\n", one_line(&few(items)));
    }
}

/// A line with a sum.
pub fn line(what: &str, counts: &[(&str, usize)]) -> String {
    format!("{what}: {}\n", sum(counts))
}

fn sum(counts: &[(&str, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let parts = counts.iter().filter(|(_, n)| *n > 0);
    let parts: Vec<String> = parts.map(|(state, n)| format!("{n} {state}")).collect();
    match parts.is_empty() {
        true => all.to_string(),
        false => format!("{all} = {}", parts.join(" + ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(count: usize, full: bool) -> Vec<String> {
        let mut out = String::new();
        list(&mut out, "day", (1..=count).map(|n| n.to_string()), full);
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_list_never_leaves_out_a_single_item() {
        assert_eq!(listed(4, false).last().unwrap(), "day: 4");
        let five = listed(5, false);
        assert_eq!(five.len(), 4);
        assert_eq!(five.last().unwrap(), "day: and 2 more (shown by --full)");
        assert_eq!(listed(5, true).len(), 5);
        assert_eq!(listed(0, false).len(), 0);
    }
}
