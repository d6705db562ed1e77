//! Determines the result of a run, from the exit status of its process, its output, and the store.

use std::collections::BTreeSet;

use ironweave::prelude::*;

use crate::apart::Parents;
use crate::jobs::Jobs;
use crate::model::build::Partition;
use crate::model::build::state::Live;
use crate::protocol::RunOutput;
use crate::rules::{current, name};
use crate::text::{chain, few, shown};

/// A run that has ended.
pub struct Case<'a> {
    /// The partition of the run.
    pub partition: Partition,
    /// Its exit status.
    pub exit: i32,
    /// The exit status as text.
    pub status: &'a str,
    /// Its output on stdout.
    pub output: Result<RunOutput, String>,
    /// The partitions that it read and that were not live then, or have become stale since.
    pub not_live: &'a BTreeSet<String>,
    /// Returns whether a live partition was live when the run began. The answer depends on a counter, not on a clock,
    /// which may be set back.
    pub was_live: &'a dyn Fn(Partition) -> bool,
    /// Returns the error because of which a live partition is not known to be up to date, if there is one.
    pub unknown: &'a dyn Fn(Partition) -> Option<&'a str>,
    /// The parents of the known names.
    pub parents: &'a Parents,
    /// The partitions that the runs of this databuild have missed so far.
    pub missed_before: &'a BTreeSet<String>,
    /// The maximum number of partitions that they may miss.
    pub discovery_max: usize,
}

/// The result of a run.
pub enum Verdict {
    /// It built its partition.
    Succeeded {
        /// The digest of what the content is a function of; empty if it is not compared.
        digest: String,
        /// The partitions that it read.
        reads: Vec<Partition>,
        /// Those of them that the content is made from.
        inputs: Vec<Partition>,
    },
    /// It needs partitions that are not live.
    Missed {
        /// The missed partitions.
        missed: BTreeSet<String>,
        /// The live partitions that it read.
        reads: Vec<Partition>,
        /// Those of them that determine what it needs.
        inputs: Vec<Partition>,
    },
    /// It failed, for this reason.
    Failed(String),
    /// It failed for a reason that may be gone when the next databuild starts, although nothing that it is made from has changed.
    Hindered(String),
}

/// Determines the result of a run.
pub fn of(db: &impl Db, jobs: &Jobs, case: Case<'_>) -> Verdict {
    let partition = case.partition;
    let output = match case.output {
        Ok(output) => output,
        Err(why) => return Verdict::Failed(why),
    };
    let live = |names: &BTreeSet<String>| -> Vec<Partition> {
        names
            .iter()
            .filter_map(|n| current(n, db))
            .filter(|p| p.is::<Live>(db))
            .collect()
    };
    let (reads, inputs) = (live(&output.reads), live(&output.inputs));
    let is_live = |name: &str| current(name, db).is_some_and(|p| p.is::<Live>(db));
    // A partition that it read and that is not live counts as missed. It may have read the old data of a stale partition.
    let too_early = output.reads.into_iter().filter(|n| !is_live(n));
    let too_early: BTreeSet<String> = too_early.chain(case.not_live.iter().cloned()).collect();
    // That a run fails that has read old data says nothing.
    if case.exit != 0 && too_early.is_empty() {
        return Verdict::Failed(format!("it {}", case.status));
    }
    for read in &reads {
        if let Some(why) = (case.unknown)(*read) {
            let name = name(*read, db);
            return Verdict::Hindered(format!(
                "it read `{name}`, which is not known to be up to date: {why}"
            ));
        }
    }
    let missed: BTreeSet<String> = output.missed.into_iter().chain(too_early).collect();
    if !missed.is_empty() {
        let missing = Missing {
            jobs,
            partition,
            missed: &missed,
            was_live: case.was_live,
            parents: case.parents,
            before: case.missed_before,
            discovery_max: case.discovery_max,
        };
        return match missing.refusal(db) {
            Some(_) if case.exit != 0 => Verdict::Failed(format!("it {}", case.status)),
            Some(why) => Verdict::Failed(why),
            None => Verdict::Missed {
                missed,
                reads,
                inputs,
            },
        };
    }
    let name = name(partition, db);
    let compared = jobs.job_for(name).is_ok_and(|job| job.digest.is_some());
    match output.digest {
        None if compared => Verdict::Failed(
            "it printed no {\"digest\": ..}, which is required because its job has a `digest` command".to_owned(),
        ),
        digest => Verdict::Succeeded { digest: digest.unwrap_or_default(), reads, inputs },
    }
}

/// The reason not to wait for partitions that a job declares as inputs, if there is one.
pub fn refusal(
    db: &impl Db,
    jobs: &Jobs,
    partition: Partition,
    missed: &BTreeSet<String>,
    parents: &Parents,
    (before, discovery_max): (&BTreeSet<String>, usize),
) -> Option<String> {
    if missed.contains(name(partition, db)) {
        return Some("its job declares it as its own input".to_owned());
    }
    let missing = Missing {
        jobs,
        partition,
        missed,
        was_live: &|_| false,
        parents,
        before,
        discovery_max,
    };
    missing.refusal(db)
}

/// The partitions that a run missed, to decide whether to wait for them.
struct Missing<'a> {
    jobs: &'a Jobs,
    partition: Partition,
    missed: &'a BTreeSet<String>,
    was_live: &'a dyn Fn(Partition) -> bool,
    parents: &'a Parents,
    before: &'a BTreeSet<String>,
    discovery_max: usize,
}

impl Missing<'_> {
    /// The reason not to wait, if there is one.
    fn refusal(&self, db: &impl Db) -> Option<String> {
        let missed = self.missed;
        for name in missed {
            if let Err(e) = self.jobs.job_for(name) {
                return Some(format!("it missed `{}`: {e:#}", shown(name)));
            }
        }
        let known: Vec<Partition> = missed.iter().filter_map(|n| current(n, db)).collect();
        if known.len() < missed.len()
            && let Err(e) = self.parents.check_apart(missed, db)
        {
            return Some(format!("it missed a partition that cannot exist: {e:#}"));
        }
        let was_live = |p: &Partition| p.is::<Live>(db) && (self.was_live)(*p);
        if known.len() == missed.len() && known.iter().all(was_live) {
            return Some(format!(
                "it missed {}, which was live when it began, so it would miss it again in every run",
                few(missed)
            ));
        }
        self.too_many(db)
    }

    /// The error if runs have missed more partitions than they may, with the chain that led here.
    fn too_many(&self, db: &impl Db) -> Option<String> {
        let mut new = self.missed.difference(self.before);
        let before = self.before.len();
        if before + new.clone().count() <= self.discovery_max {
            return None;
        }
        let names = self.chain_to(db, new.next()?);
        let chain = chain(&names, names.len());
        Some(format!(
            "it missed {}, so the runs of this databuild have missed more than {} partitions: check that \
             no job asks for others without end, or raise --discovery-max. The chain of partitions: {chain}",
            few(self.missed),
            self.discovery_max
        ))
    }

    /// The chain from a partition that no other one waits for, to one that was missed now.
    fn chain_to<'b>(&self, db: &'b impl Db, to: &'b str) -> Vec<&'b str> {
        let mut chain = vec![to];
        let mut seen = BTreeSet::new();
        let mut next = Some(self.partition);
        while let Some(partition) = next.filter(|p| seen.insert(*p)) {
            chain.push(name(partition, db));
            next = partition.downstreams(db).next();
        }
        chain.reverse();
        chain
    }
}

/// The reason why a run fails whose result the model rejects.
pub fn rejected(db: &impl Db, e: &StepError) -> String {
    let StepError::Cycle { entities, len, .. } = e else {
        return format!("the model rejects its result: {e}");
    };
    // Only `Partition::upstreams` is acyclic. The last one is that of the run; it is linked with the first.
    let cycle = entities.last().into_iter().chain(entities);
    let names: Vec<&str> = cycle
        .map(|entity| name(Partition::from_id(entity.id), db))
        .collect();
    format!(
        "partitions wait for each other in a cycle: {}",
        chain(&names, len + 1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::state::{Queued, Running};
    use crate::model::build::{self, DepMissed, JobQueued, JobRun, JobStarted, WantCreated};
    use crate::rules::all_names;

    fn running(store: &mut Store<build::Model>, name: &str) -> JobRun<Running> {
        let partition = current(name, store).unwrap();
        let queued = JobQueued {
            label: name.into(),
            attempt: 1,
            version: String::new(),
            partitions: vec![partition],
            wants: vec![],
        };
        let run = store.step(queued).created.run;
        let run = run.in_state::<Queued>(store).unwrap();
        store.step(JobStarted { run, pid: 7 }).bound.run
    }

    /// Builds a chain of partitions, each of which has missed the next one, and returns the last one.
    fn chain_of(store: &mut Store<build::Model>, length: usize) -> Partition {
        let name = |i: usize| format!("n{i}");
        store.step(WantCreated {
            partitions: vec![Ensure::from(name(1))],
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
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
        current(&name(length), store).unwrap()
    }

    fn verdict(store: &Store<build::Model>, partition: Partition, missed: &str) -> String {
        let jobs = Jobs::parse(
            std::path::Path::new("jobs.toml"),
            "[[job]]\npartitions = '**'\ncommand = ['x']\n",
        )
        .unwrap();
        let mut output = RunOutput::of(name(partition, store));
        output.missed.insert(missed.to_owned());
        let before: BTreeSet<String> = all_names(store).map(str::to_owned).collect();
        let case = Case {
            partition,
            exit: 0,
            status: "",
            output: Ok(output),
            not_live: &BTreeSet::new(),
            was_live: &|_| false,
            unknown: &|_| None,
            parents: &Parents::default(),
            missed_before: &before,
            discovery_max: before.len(),
        };
        match of(store, &jobs, case) {
            Verdict::Failed(why) | Verdict::Hindered(why) => why,
            Verdict::Missed { .. } => "missed".to_owned(),
            Verdict::Succeeded { .. } => "succeeded".to_owned(),
        }
    }

    #[test]
    fn a_cycle_of_fifty_thousand_has_a_short_message() {
        let mut store = Store::memory();
        let last = chain_of(&mut store, 50_000);
        let run = last.built_by(&store).expect("a run");
        let event = DepMissed {
            run: run.in_state::<Running>(&store).expect("it runs"),
            missed: vec!["n1".into()],
            reads: vec![],
            inputs: vec![],
        };
        let e = store.try_step(event).expect_err("a cycle");
        assert_eq!(
            rejected(&store, &e),
            "partitions wait for each other in a cycle: n50000 -> n1 -> n2 -> .. 49995 more .. -> n49998 -> n49999 -> n50000"
        );
    }

    #[test]
    fn discovery_without_end_meets_a_limit_with_a_short_message() {
        let mut store = Store::memory();
        let last = chain_of(&mut store, 1000);
        let why = verdict(&store, last, "n1001");
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
