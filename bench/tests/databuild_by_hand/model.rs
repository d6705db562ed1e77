//! databuild's model, driven by the same events. The hand-written one has no instances of partitions: a partition there is a
//! reference and its current instance here.

use std::collections::BTreeSet;

use databuild::model::build::state::{Queued, Running, Stale};
use databuild::model::build::{self, *};
use ironweave::prelude::*;

use crate::by_hand::{self, Databuild, Event};

/// A store in memory, and its entities in the order in which they were made: the ids of the other side.
pub struct Model {
    pub store: Store<build::Model>,
    partitions: Vec<PartitionRef>,
    runs: Vec<JobRun>,
    wants: Vec<Want>,
}

impl Model {
    pub fn new() -> Self {
        Self {
            store: Store::memory(),
            partitions: Vec::new(),
            runs: Vec::new(),
            wants: Vec::new(),
        }
    }

    /// Fires an event; the error is for messages.
    pub fn step(&mut self, event: &Event) -> Result<(), String> {
        let current = |id: &u32, db: &Transaction<'_, build::Model>| {
            let current = self.partitions[*id as usize].current(db);
            current.expect("each reference has an instance")
        };
        let all = |ids: &[u32]| {
            let partitions = ids.iter().map(|id| self.partitions[*id as usize]);
            let current = partitions.filter_map(|p| p.current(&self.store));
            current.collect::<Vec<_>>()
        };
        match event {
            Event::WantCreated { partitions } => {
                let names = partitions.clone();
                let event = WantCreated {
                    partitions: names.iter().map(|n| n.as_str().into()).collect(),
                    source: String::new(),
                    comment: String::new(),
                    priority: 0,
                    deadline: None,
                    sla: None,
                };
                let want = self.store.try_step(event).map_err(said)?.created.want;
                self.made(want, &names);
            }
            Event::JobQueued {
                label,
                partitions,
                wants,
            } => {
                let wants = wants.iter().map(|id| self.wants[*id as usize]).collect();
                let mut t = self.store.begin();
                for id in partitions {
                    let partition = current(id, &t);
                    if partition.is::<Stale>(&t) {
                        t.apply(PartitionReplaced { partition }).map_err(said)?;
                    }
                }
                let event = JobQueued {
                    label: label.clone(),
                    attempt: 1,
                    version: String::new(),
                    partitions: partitions.iter().map(|id| current(id, &t)).collect(),
                    wants,
                };
                let run = t.apply(event).map_err(said)?.created.run;
                t.commit().map_err(said)?;
                self.runs.push(run);
            }
            Event::JobStarted { run, pid } => {
                let run = self.runs[*run as usize]
                    .in_state::<Queued>(&self.store)
                    .ok_or("no token")?;
                self.fire(JobStarted { run, pid: *pid })?;
            }
            Event::JobSucceeded {
                run,
                digest,
                reads,
                inputs,
            } => {
                let run = self.running(*run)?;
                let (reads, inputs) = (all(reads), all(inputs));
                self.fire(JobSucceeded {
                    run,
                    digest: digest.clone(),
                    reads,
                    inputs,
                    content: String::new(),
                    expires: None,
                })?;
            }
            Event::DepMissed {
                run,
                missed,
                reads,
                inputs,
            } => {
                let run = self.running(*run)?;
                let event = DepMissed {
                    run,
                    missed: missed.iter().map(|n| n.as_str().into()).collect(),
                    reads: all(reads),
                    inputs: all(inputs),
                };
                let want = self.store.try_step(event).map_err(said)?.created.want;
                self.made(want, missed);
            }
            Event::JobFailed { run, exit, reason } => {
                let run = self.runs[*run as usize];
                self.fire(JobFailed {
                    run,
                    exit: *exit,
                    reason: reason.clone(),
                    digest: None,
                    again: false,
                    inputs: Vec::new(),
                })?;
            }
            Event::RunLost { run } => self.fire(RunLost {
                run: self.runs[*run as usize],
            })?,
            Event::SourcesChanged { partitions } => {
                let partitions = all(partitions);
                self.fire(SourcesChanged { partitions })?;
            }
            Event::PartitionsRetried { partitions } => {
                let mut t = self.store.begin();
                for id in partitions {
                    let partition = current(id, &t);
                    if partition.is::<Stale>(&t) {
                        return Err("it has not failed".to_owned());
                    }
                    t.apply(PartitionReplaced { partition }).map_err(said)?;
                }
                t.commit().map_err(said)?;
            }
        }
        Ok(())
    }

    fn fire<E: ironweave::Event<Model = build::Model>>(&mut self, event: E) -> Result<(), String> {
        self.store.try_step(event).map(drop).map_err(said)
    }

    fn running(&self, run: u32) -> Result<JobRun<Running>, String> {
        Ok(self.runs[run as usize]
            .in_state::<Running>(&self.store)
            .ok_or("no token")?)
    }

    /// Takes note of a want that was made, and of partitions that were made with it.
    fn made(&mut self, want: Want, names: &[String]) {
        self.wants.push(want);
        // By hand they are made in the order of the list.
        for name in names {
            let partition = self
                .store
                .find::<PartitionRef>(name.as_str())
                .expect("it is wanted");
            if !self.partitions.contains(&partition) {
                self.partitions.push(partition);
            }
        }
    }

    /// The run of the last instance that has one.
    fn built_by(&self, reference: PartitionRef) -> Option<JobRun> {
        let instances = reference.instances(&self.store);
        instances.filter_map(|p| p.built_by(&self.store)).last()
    }

    /// Compares everything: states with their data, and both ends of each edge.
    pub fn compare(&self, hand: &Databuild, context: &dyn Fn() -> String) {
        let db = &self.store;
        assert_eq!(
            (self.partitions.len(), self.runs.len(), self.wants.len()),
            (hand.partitions.len(), hand.runs.len(), hand.wants.len()),
            "{}",
            context()
        );
        let references = |list: &mut dyn Iterator<Item = PartitionRef>| ids(list, &self.partitions);
        let partitions =
            |list: &mut dyn Iterator<Item = Partition>| references(&mut list.map(|p| p.of(db)));
        let runs = |list: &mut dyn Iterator<Item = JobRun>| ids(list, &self.runs);
        let wants = |list: &mut dyn Iterator<Item = Want>| ids(list, &self.wants);
        let is_current = |p: &Partition| p.current_of(db).is_some();
        for (p, id) in self.partitions.iter().zip(0..) {
            let mut found = hand.partitions[&id].clone();
            // Its clock is the store's.
            if let by_hand::PartitionState::Live { at, .. } = &mut found.state {
                *at = 0;
            }
            let current = p.current(db).expect("each reference has an instance");
            let outputs = p.instances(db).flat_map(|instance| instance.outputs(db));
            let declared = by_hand::Partition {
                name: p.name(db).to_owned(),
                state: partition_state(current, db),
                built_by: runs(&mut self.built_by(*p).into_iter()).pop_first(),
                wanted_by: wants(&mut p.wanted_by(db)),
                read_by: runs(&mut p.instances(db).flat_map(|instance| instance.read_by(db))),
                inputs: partitions(&mut current.inputs(db)),
                outputs: partitions(&mut outputs.filter(is_current)),
                upstreams: partitions(&mut current.upstreams(db)),
                // Without one that waited for itself and was replaced.
                downstreams: partitions(&mut current.downstreams(db).filter(is_current)),
            };
            let missed: BTreeSet<u32> = references(&mut current.missed(db));
            assert_eq!(missed, declared.upstreams, "{}", context());
            assert_eq!(found, declared, "{}", context());
        }
        for (r, id) in self.runs.iter().zip(0..) {
            let mut found = hand.runs[&id].clone();
            if let by_hand::RunState::Succeeded { at } = &mut found.state {
                *at = 0;
            }
            let declared = by_hand::Run {
                label: r.label(db).to_owned(),
                state: run_state(*r, db),
                builds: partitions(
                    &mut r.builds(db).filter(|p| self.built_by(p.of(db)) == Some(*r)),
                ),
                reads: partitions(&mut r.reads(db)),
                services: wants(&mut r.services(db)),
                asks: wants(&mut r.asks(db)),
            };
            assert_eq!(found, declared, "{}", context());
        }
        for (w, id) in self.wants.iter().zip(0..) {
            let declared = by_hand::Want {
                state: want_state(*w, db),
                partitions: references(&mut w.partitions(db)),
                asked_by: runs(&mut w.asked_by(db).into_iter()).pop_first(),
                serviced_by: runs(&mut w.serviced_by(db)),
            };
            assert_eq!(hand.wants[&id], declared, "{}", context());
            let awaited = partitions(&mut w.awaits(db));
            let expected = match databuild::rules::is_open(*w, db) {
                true => declared.partitions,
                false => BTreeSet::new(),
            };
            assert_eq!(awaited, expected, "{}", context());
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn said(e: StepError) -> String {
    e.to_string()
}

fn ids<T: PartialEq>(list: &mut dyn Iterator<Item = T>, all: &[T]) -> BTreeSet<u32> {
    list.map(|one| {
        all.iter()
            .position(|known| *known == one)
            .expect("it was made here") as u32
    })
    .collect()
}

fn partition_state(partition: Partition, db: &impl Db) -> by_hand::PartitionState {
    use by_hand::PartitionState as Hand;
    match partition.state(db) {
        PartitionState::Missing(_) => Hand::Missing,
        PartitionState::Building(_) => Hand::Building,
        PartitionState::Live(p) => Hand::Live {
            at: 0,
            digest: p.digest(db).to_owned(),
        },
        PartitionState::Failed(p) => Hand::Failed {
            reason: p.reason(db).to_owned(),
        },
        PartitionState::Backoff(_) => unreachable!("no job is run again"),
        PartitionState::UpstreamBuilding(_) => Hand::UpstreamBuilding,
        PartitionState::UpForRetry(_) => Hand::UpForRetry,
        PartitionState::UpstreamFailed(_) => Hand::UpstreamFailed,
        PartitionState::Stale(_) => Hand::Stale,
        PartitionState::Checking(_) => unreachable!("nothing is checked"),
        PartitionState::Tainted(_) => unreachable!("nothing is tainted"),
        PartitionState::Replaced(_) => unreachable!("it is current"),
    }
}

fn run_state(run: JobRun, db: &impl Db) -> by_hand::RunState {
    use by_hand::RunState as Hand;
    match run.state(db) {
        JobRunState::Queued(_) => Hand::Queued,
        JobRunState::Running(r) => Hand::Running { pid: r.pid(db) },
        JobRunState::Succeeded(_) => Hand::Succeeded { at: 0 },
        JobRunState::Failed(r) => Hand::Failed {
            exit: r.exit(db),
            reason: r.reason(db).to_owned(),
        },
        JobRunState::DepMiss(_) => Hand::DepMiss,
        JobRunState::Lost(_) => Hand::Lost,
        JobRunState::Canceled(_) => unreachable!("no run is canceled"),
    }
}

fn want_state(want: Want, db: &impl Db) -> by_hand::WantState {
    use by_hand::WantState as Hand;
    match want.state(db) {
        // Settled within the step that makes it; by hand there is no such state.
        WantState::New(_) => unreachable!("a want is new only within a step"),
        WantState::Idle(_) => Hand::Idle,
        WantState::Building(_) => Hand::Building,
        WantState::UpstreamBuilding(_) => Hand::UpstreamBuilding,
        WantState::Successful(_) => Hand::Successful,
        WantState::Failed(_) => Hand::Failed,
        WantState::UpstreamFailed(_) => Hand::UpstreamFailed,
        WantState::Canceled(_) => Hand::Canceled,
        WantState::Expired(_) => unreachable!("no want has a deadline"),
    }
}
