//! What a run has come to: judged by how its process ended, what it said, and what the store knows.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::prelude::*;

use crate::jobs::{Jobs, check_apart};
use crate::model::build::Partition;
use crate::model::build::state::Live;
use crate::rules::all_partitions;
use crate::said::Said;
use crate::words::{few, shown, way};

/// What is judged.
pub struct Case<'a> {
    /// What the run was to build.
    pub partition: Partition,
    /// Its exit status.
    pub exit: i32,
    /// The same in words.
    pub status: &'a str,
    /// What it said on stdout.
    pub said: Result<Said, String>,
    /// Whether a partition that is live was so when the run began. A question of order, not of clocks, which may be
    /// set back.
    pub was_live: &'a dyn Fn(Partition) -> bool,
    /// Why it is not known whether a partition that is live is up to date, if it is not.
    pub unknown: &'a dyn Fn(Partition) -> Option<&'a str>,
    /// What the runs of this databuild have missed so far.
    pub missed_before: &'a BTreeSet<String>,
    /// How many partitions they may miss, all together.
    pub discovery_max: usize,
}

/// What a run has come to.
pub enum Verdict {
    /// It built its partition.
    Succeeded {
        /// What the content is a function of; empty where nobody compares it.
        digest: String,
        /// What it read.
        reads: Vec<Partition>,
        /// Of that, what the content is made from.
        inputs: Vec<Partition>,
    },
    /// It needs what is not live.
    Missed {
        /// That.
        missed: BTreeSet<String>,
        /// What it read and was live.
        reads: Vec<Partition>,
        /// Of that, what decides what it needs.
        inputs: Vec<Partition>,
    },
    /// It failed, for this reason.
    Failed(String),
}

/// Judges a run.
pub fn of(db: &impl Db, jobs: &Jobs, case: Case<'_>) -> Verdict {
    let partition = case.partition;
    let said = match case.said {
        Ok(said) => said,
        Err(why) => return Verdict::Failed(why),
    };
    if case.exit != 0 {
        return Verdict::Failed(format!("it {}", case.status));
    }
    let live = |names: &BTreeSet<String>| -> Vec<Partition> {
        names
            .iter()
            .filter_map(|n| db.find::<Partition>(n.as_str()))
            .filter(|p| p.is::<Live>(db))
            .collect()
    };
    let (reads, inputs) = (live(&said.reads), live(&said.inputs));
    for read in &reads {
        if let Some(why) = (case.unknown)(*read) {
            let name = read.name(db);
            return Verdict::Failed(format!(
                "it read `{name}`, of which it is not known whether it is up to date: {why}"
            ));
        }
    }
    let is_live = |name: &str| db.find::<Partition>(name).is_some_and(|p| p.is::<Live>(db));
    // What it read that is not live, it read too early: the old data of what has gone stale, for instance.
    let too_early = said.reads.into_iter().filter(|n| !is_live(n));
    let missed: BTreeSet<String> = said.missed.into_iter().chain(too_early).collect();
    if !missed.is_empty() {
        let missing = Missing {
            jobs,
            partition,
            missed: &missed,
            was_live: case.was_live,
            before: case.missed_before,
            discovery_max: case.discovery_max,
        };
        return match missing.refusal(db) {
            Some(why) => Verdict::Failed(why),
            None => Verdict::Missed {
                missed,
                reads,
                inputs,
            },
        };
    }
    let name = partition.name(db);
    let compared = jobs.job_for(name).is_ok_and(|job| job.digest.is_some());
    match said.digest {
        None if compared => Verdict::Failed(
            "it said no {\"digest\": ..}, and its job has a `digest` command to compare with what it says".to_owned(),
        ),
        digest => Verdict::Succeeded { digest: digest.unwrap_or_default(), reads, inputs },
    }
}

/// What a run missed, to see whether it makes sense to wait for it.
struct Missing<'a> {
    jobs: &'a Jobs,
    partition: Partition,
    missed: &'a BTreeSet<String>,
    was_live: &'a dyn Fn(Partition) -> bool,
    before: &'a BTreeSet<String>,
    discovery_max: usize,
}

impl Missing<'_> {
    /// Why it makes no sense.
    fn refusal(&self, db: &impl Db) -> Option<String> {
        let missed = self.missed;
        for name in missed {
            if let Err(e) = self.jobs.job_for(name) {
                return Some(format!("it missed `{}`: {e:#}", shown(name)));
            }
        }
        let known: Vec<Partition> = missed
            .iter()
            .filter_map(|n| db.find::<Partition>(n.as_str()))
            .collect();
        if known.len() < missed.len() {
            let all = all_partitions(db).map(|p| p.name(db));
            if let Err(e) = check_apart(all.chain(missed.iter().map(String::as_str))) {
                return Some(format!("it missed what cannot be: {e:#}"));
            }
        }
        let was_live = |p: &Partition| p.is::<Live>(db) && (self.was_live)(*p);
        if known.len() == missed.len() && known.iter().all(was_live) {
            return Some(format!(
                "it missed {}, live when it began: it would say so for ever",
                few(missed)
            ));
        }
        circle(db, self.partition, &known).or_else(|| self.too_many(db))
    }

    /// Whether runs have missed more than they may, and how it came to that.
    fn too_many(&self, db: &impl Db) -> Option<String> {
        let mut new = self.missed.difference(self.before);
        let before = self.before.len();
        if before + new.clone().count() <= self.discovery_max {
            return None;
        }
        let way = way(&self.way_here(db, new.next()?));
        Some(format!(
            "it missed {}, and with these the runs of this databuild have missed more than {} partitions: see that \
             no job asks for others without end, or raise --discovery-max. This is how it came here: {way}",
            few(self.missed),
            self.discovery_max
        ))
    }

    /// From a partition that waits for others, and that no other waits for, to one that was missed now.
    fn way_here<'b>(&self, db: &'b impl Db, to: &'b str) -> Vec<&'b str> {
        let mut way = vec![to];
        let mut seen = BTreeSet::new();
        let mut next = Some(self.partition);
        while let Some(partition) = next.filter(|p| seen.insert(*p)) {
            way.push(partition.name(db));
            next = partition.downstreams(db).next();
        }
        way.reverse();
        way
    }
}

/// If one of `missed` waits for `partition`, over however many others: how.
fn circle(db: &impl Db, partition: Partition, missed: &[Partition]) -> Option<String> {
    let mut came_from: BTreeMap<Partition, Option<Partition>> =
        missed.iter().map(|p| (*p, None)).collect();
    let mut todo = missed.to_vec();
    while let Some(at) = todo.pop() {
        for next in at.upstreams(db) {
            if next == partition {
                let mut names = vec![partition.name(db), at.name(db)];
                let mut from = came_from.get(&at).copied().flatten();
                while let Some(p) = from {
                    names.push(p.name(db));
                    from = came_from.get(&p).copied().flatten();
                }
                names.push(partition.name(db));
                names.reverse();
                return Some(format!(
                    "partitions wait for each other in a circle: {}",
                    way(&names)
                ));
            }
            came_from.entry(next).or_insert_with(|| {
                todo.push(next);
                Some(at)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::state::{Queued, Running};
    use crate::model::build::{self, DepMissed, JobQueued, JobRun, JobStarted, WantCreated};

    fn running(store: &mut Store<build::Model>, name: &str) -> JobRun<Running> {
        let partition = store.find::<Partition>(name).unwrap();
        let queued = JobQueued {
            label: name.into(),
            partitions: vec![partition],
            wants: vec![],
        };
        let run = store.step(queued).created.run;
        let run = run.in_state::<Queued>(store).unwrap();
        store.step(JobStarted { run, pid: 7 }).bound.run
    }

    /// A chain of so many, each of which has missed the next; the last one is given back.
    fn chain(store: &mut Store<build::Model>, length: usize) -> Partition {
        let name = |i: usize| format!("n{i}");
        store.step(WantCreated {
            partitions: vec![Ensure::from(name(1))],
        });
        for i in 1..length {
            let run = running(store, &name(i));
            store.step(DepMissed {
                run,
                missed: vec![Ensure::from(name(i + 1))],
                reads: vec![],
                inputs: vec![],
            });
        }
        running(store, &name(length));
        store.find::<Partition>(&*name(length)).unwrap()
    }

    fn judged(store: &Store<build::Model>, partition: Partition, missed: &str) -> String {
        let jobs = Jobs::parse(
            std::path::Path::new("jobs.toml"),
            "[[job]]\npartitions = '*'\ncommand = ['x']\n",
        )
        .unwrap();
        let mut said = Said::of(partition.name(store));
        said.missed.insert(missed.to_owned());
        let before: BTreeSet<String> = all_partitions(store)
            .map(|p| p.name(store).to_owned())
            .collect();
        let case = Case {
            partition,
            exit: 0,
            status: "",
            said: Ok(said),
            was_live: &|_| false,
            unknown: &|_| None,
            missed_before: &before,
            discovery_max: before.len(),
        };
        match of(store, &jobs, case) {
            Verdict::Failed(why) => why,
            Verdict::Missed { .. } => "missed".to_owned(),
            Verdict::Succeeded { .. } => "succeeded".to_owned(),
        }
    }

    #[test]
    fn a_circle_of_fifty_thousand_has_a_short_message() {
        let mut store = Store::memory();
        let last = chain(&mut store, 50_000);
        let why = judged(&store, last, "n1");
        assert_eq!(
            why,
            "partitions wait for each other in a circle: n50000 -> n1 -> n2 -> .. 49995 more .. -> n49998 -> n49999 -> n50000"
        );
    }

    #[test]
    fn discovery_without_end_meets_a_limit_with_a_short_message() {
        let mut store = Store::memory();
        let last = chain(&mut store, 1000);
        let why = judged(&store, last, "n1001");
        for word in [
            "it missed n1001, ",
            "more than 1000 ",
            "--discovery-max",
            ": n1 -> n2 -> n3 -> .. ",
        ] {
            assert!(why.contains(word), "no `{word}` in {why}");
        }
        assert!(
            why.ends_with(" -> n999 -> n1000 -> n1001") && why.len() < 500,
            "{why}"
        );
    }
}
