//! A databuild without processes and files, for the tests of the model.

use std::collections::BTreeSet;

use ironweave::prelude::*;

use crate::model::build::state::*;
use crate::model::build::{self, *};
use crate::rules::{current, is_open};
use crate::stale::{self, Next};

/// A store in memory, with methods for the actions of databuild.
pub struct World {
    /// The store.
    pub store: Store<build::Model>,
}

impl World {
    pub fn new() -> Self {
        Self {
            store: Store::memory(),
        }
    }

    pub fn want(&mut self, names: &[&str]) -> Want {
        self.want_by(names, None, None)
    }

    /// Wants partitions until a deadline, and promises them for a time.
    pub fn want_by(
        &mut self,
        names: &[&str],
        deadline: Option<Timestamp>,
        sla: Option<Timestamp>,
    ) -> Want {
        self.store
            .step(WantCreated {
                partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
                source: String::new(),
                comment: String::new(),
                priority: 0,
                deadline,
                sla,
            })
            .created
            .want
    }

    pub fn partition(&self, name: &str) -> Partition {
        current(name, &self.store).unwrap_or_else(|| panic!("no partition {name}"))
    }

    pub fn all(&self, names: &[&str]) -> Vec<Partition> {
        names.iter().map(|n| self.partition(n)).collect()
    }

    /// Queues and starts a run.
    pub fn run(&mut self, name: &str) -> JobRun<Running> {
        let partition = self.partition(name);
        if partition.is::<Stale>(&self.store) || partition.is::<Tainted>(&self.store) {
            self.replace(name);
        }
        let partition = self.partition(name);
        let queued = JobQueued {
            label: name.into(),
            attempt: 1,
            version: "v".into(),
            partitions: vec![partition],
            wants: partition.awaited_by(&self.store).collect(),
        };
        let run = self.store.step(queued).created.run;
        let run = run.in_state::<Queued>(&self.store).expect("just queued");
        self.store.step(JobStarted { run, pid: 7 }).bound.run
    }

    /// Replaces the current instance.
    pub fn replace(&mut self, name: &str) -> Partition {
        let partition = self.partition(name);
        self.store
            .step(PartitionReplaced { partition })
            .created
            .next
    }

    /// Runs a job that succeeds after reading its inputs.
    pub fn build(&mut self, name: &str, inputs: &[&str]) {
        self.make(name, inputs, "");
    }

    /// Runs a job that makes a content, which is live until `expires`, after reading its inputs.
    pub fn make_until(
        &mut self,
        name: &str,
        inputs: &[&str],
        content: &str,
        expires: Option<Timestamp>,
    ) {
        let run = self.run(name);
        let inputs = self.all(inputs);
        self.store.step(JobSucceeded {
            run,
            digest: format!("digest of {name}"),
            reads: inputs.clone(),
            inputs,
            content: content.into(),
            expires,
        });
    }

    /// Says that the data of partitions is wrong.
    pub fn taint(&mut self, names: &[&str]) {
        let partitions = self.all(names);
        let reason = "wrong".into();
        self.store.step(PartitionsTainted { partitions, reason });
    }

    /// Runs a job that makes a content after reading its inputs.
    pub fn make(&mut self, name: &str, inputs: &[&str], content: &str) {
        self.make_until(name, inputs, content, None);
    }

    /// Checks a stale or tainted partition by what is next for it. Returns whether that is a run.
    pub fn check(&mut self, name: &str) -> bool {
        let partition = self.partition(name);
        match stale::next(partition, &self.store, &|_| true, &|_| true) {
            Next::Build => return true,
            Next::Keep(inputs) => drop(self.store.step(ContentKept { partition, inputs })),
            Next::Check(inputs) if partition.is::<Tainted>(&self.store) => {
                drop(self.store.step(CheckOfTaintedBegun { partition, inputs }));
            }
            Next::Check(inputs) => drop(self.store.step(CheckBegun { partition, inputs })),
        }
        false
    }

    /// Runs a job that misses partitions after reading its inputs.
    pub fn miss(&mut self, name: &str, missed: &[&str], inputs: &[&str]) -> JobRun {
        let run = self.run(name);
        let inputs = self.all(inputs);
        let missed = missed.iter().map(|n| Ensure::from(*n)).collect();
        self.store
            .step(DepMissed {
                run,
                missed,
                reads: inputs.clone(),
                inputs,
            })
            .bound
            .run
            .any()
    }

    pub fn fail(&mut self, name: &str) {
        let run = self.run(name).any();
        self.store.step(JobFailed {
            run,
            exit: 3,
            reason: "it broke".into(),
            digest: Some("d".into()),
            again: false,
            inputs: vec![],
        });
    }

    /// Runs a job that fails after reading its inputs.
    pub fn fail_with(&mut self, name: &str, inputs: &[&str]) {
        let run = self.run(name).any();
        let inputs = self.all(inputs);
        self.store.step(JobFailed {
            run,
            exit: 3,
            reason: "it broke".into(),
            digest: None,
            again: false,
            inputs,
        });
    }

    pub fn cancel(&mut self, want: Want) {
        self.store.step(WantCanceled { want });
    }

    pub fn change(&mut self, names: &[&str]) {
        let partitions = self.all(names);
        self.store.step(SourcesChanged { partitions });
    }

    /// The states of partitions, by name.
    pub fn states(&self, names: &[&str]) -> Vec<&'static str> {
        names
            .iter()
            .map(|name| match self.partition(name).state(&self.store) {
                PartitionState::Missing(_) => "Missing",
                PartitionState::Building(_) => "Building",
                PartitionState::Live(_) => "Live",
                PartitionState::Failed(_) => "Failed",
                PartitionState::Backoff(_) => "Backoff",
                PartitionState::UpstreamBuilding(_) => "UpstreamBuilding",
                PartitionState::UpForRetry(_) => "UpForRetry",
                PartitionState::UpstreamFailed(_) => "UpstreamFailed",
                PartitionState::Stale(_) => "Stale",
                PartitionState::Checking(_) => "Checking",
                PartitionState::Tainted(_) => "Tainted",
                PartitionState::Replaced(_) => "Replaced",
            })
            .collect()
    }

    pub fn want_state(&self, want: Want) -> &'static str {
        match want.state(&self.store) {
            WantState::New(_) => "New",
            WantState::Idle(_) => "Idle",
            WantState::Building(_) => "Building",
            WantState::UpstreamBuilding(_) => "UpstreamBuilding",
            WantState::Successful(_) => "Successful",
            WantState::Failed(_) => "Failed",
            WantState::UpstreamFailed(_) => "UpstreamFailed",
            WantState::Canceled(_) => "Canceled",
            WantState::Expired(_) => "Expired",
        }
    }

    /// The wants of a run for the partitions that it missed.
    pub fn asked(&self, run: JobRun) -> Vec<Want> {
        run.asks(&self.store).collect()
    }
}

impl Drop for World {
    /// After every test, the store must be consistent, and the log must match the present code.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_awaits_current(&self.store);
            assert_eq!(self.store.check(), []);
            self.store.verify().expect("the same facts again");
        }
    }
}

/// What waits for references waits for their current instances.
fn assert_awaits_current(db: &impl Db) {
    let current = |refs: Vec<PartitionRef>| {
        let current = refs.iter().filter_map(|r| r.current(db));
        current.collect::<BTreeSet<Partition>>()
    };
    for reference in db.place::<PartitionRef, Any>() {
        let current = reference.current(db).expect("it has an instance");
        assert_eq!(current.of(db), reference.any());
        for instance in reference.instances(db) {
            assert_eq!(instance.is::<Replaced>(db), instance != current);
        }
    }
    for want in db.place::<Want, Any>() {
        let awaited: BTreeSet<Partition> = want.awaits(db).collect();
        match is_open(want.any(), db) {
            true => assert_eq!(awaited, current(want.partitions(db).collect())),
            false => assert!(awaited.is_empty()),
        }
    }
    for partition in db.place::<Partition, Any>() {
        let upstreams: BTreeSet<Partition> = partition.upstreams(db).collect();
        assert_eq!(upstreams, current(partition.missed(db).collect()));
    }
}
