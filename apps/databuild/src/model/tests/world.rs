//! A databuild without processes and files, for the tests of the model.

use ironweave::prelude::*;

use crate::model::build::state::*;
use crate::model::build::{self, *};

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
        self.store
            .step(WantCreated {
                partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
            })
            .created
            .want
    }

    pub fn partition(&self, name: &str) -> Partition {
        self.store
            .find::<Partition>(name)
            .unwrap_or_else(|| panic!("no partition {name}"))
    }

    pub fn all(&self, names: &[&str]) -> Vec<Partition> {
        names.iter().map(|n| self.partition(n)).collect()
    }

    /// Queues and starts a run.
    pub fn run(&mut self, name: &str) -> JobRun<Running> {
        let partition = self.partition(name);
        let wants = partition
            .wanted_by(&self.store)
            .filter(|w| crate::rules::is_open(*w, &self.store))
            .collect();
        let queued = JobQueued {
            label: name.into(),
            partitions: vec![partition],
            wants,
        };
        let run = self.store.step(queued).created.run;
        let run = run.in_state::<Queued>(&self.store).expect("just queued");
        self.store.step(JobStarted { run, pid: 7 }).bound.run
    }

    /// Runs a job that succeeds after reading its inputs.
    pub fn build(&mut self, name: &str, inputs: &[&str]) {
        let run = self.run(name);
        let inputs = self.all(inputs);
        self.store.step(JobSucceeded {
            run,
            digest: format!("digest of {name}"),
            reads: inputs.clone(),
            inputs,
        });
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
        });
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
                PartitionState::UpstreamBuilding(_) => "UpstreamBuilding",
                PartitionState::UpForRetry(_) => "UpForRetry",
                PartitionState::UpstreamFailed(_) => "UpstreamFailed",
                PartitionState::Stale(_) => "Stale",
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
            assert_eq!(self.store.check(), []);
            self.store.verify().expect("the same facts again");
        }
    }
}
