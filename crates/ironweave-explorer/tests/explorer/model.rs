//! The model of the tests: partitions that runs build, with a guard, a handler, an immediate event and an invariant.

use build::{state::*, *};
use ironweave::prelude::*;

#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    #[entity]
    pub struct Partition {
        #[key]
        pub name: String,
        pub note: Option<String>,
        #[default]
        pub size: u64,
        pub tags: Many<Tag>,
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>,
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
    }
    #[states(Partition)]
    pub enum PartitionState {
        #[initial]
        #[to(Building)]
        Missing,
        #[to(Live, Failed)]
        Building,
        #[terminal]
        Live { at: Timestamp },
        #[to(Building)]
        Failed { reason: String },
    }

    #[entity]
    pub struct Tag {
        #[key]
        pub name: String,
        #[inverse(Partition::tags)]
        #[edge(on_delete = unlink)]
        pub partitions: Many<Partition>,
    }

    #[entity]
    pub struct JobRun {
        pub label: String,
        pub builds: Many<Partition>,
        pub services: Many<Want>,
    }
    #[states(JobRun)]
    pub enum JobRunState {
        #[initial]
        #[to(Running, fail -> Failed)]
        Queued,
        #[to(succeed -> Succeeded, fail -> Failed)]
        Running,
        #[terminal]
        Succeeded,
        #[terminal]
        Failed { exit: i32 },
    }

    #[entity]
    pub struct Want {
        #[edge(min = 1)]
        pub partitions: Many<Partition>,
        #[inverse(JobRun::services)]
        pub serviced_by: Many<JobRun>,
    }
    #[states(Want)]
    pub enum WantState {
        #[initial]
        #[to(Building, Successful, Canceled)]
        Idle,
        #[to(Successful, Canceled)]
        Building,
        #[terminal]
        Successful,
        #[terminal]
        Canceled,
    }

    #[event]
    #[create(want: Want)]
    #[link(want.partitions += partitions)]
    pub struct WantCreated {
        pub partitions: Vec<Ensure<Partition>>,
    }

    #[event]
    #[moves(want: Idle | Building -> Canceled)]
    pub struct WantCanceled {
        pub want: Want,
    }

    #[event]
    #[create(run: JobRun { label })]
    #[link(run.services += wants)]
    #[relink(run.builds += partitions)]
    #[moves(each partitions: Missing | Failed -> Building)]
    pub struct JobQueued {
        pub label: String,
        pub partitions: Vec<Partition>,
        pub wants: Vec<Want>,
    }

    #[event]
    #[guard(crate::model::rules::has_capacity)]
    #[moves(run: Queued -> Running)]
    #[moves(those run.services: Idle -> Building)]
    pub struct JobStarted {
        pub run: JobRun<Queued>,
    }

    #[event]
    #[moves(run: Running -> Succeeded)]
    #[moves(each run.builds: Building -> Live { at })]
    pub struct JobSucceeded {
        pub run: JobRun<Running>,
        pub at: Timestamp,
    }

    #[event]
    #[moves(run: Queued | Running -> Failed { exit })]
    #[may(Partition: Building -> Failed)]
    pub struct JobFailed {
        pub run: JobRun,
        pub exit: i32,
    }

    #[event]
    #[set(partition.note = note)]
    #[set(partition.size = size)]
    pub struct Noted {
        pub partition: Key<Partition>,
        pub note: Option<String>,
        pub size: u64,
    }

    #[event]
    #[link(partition.tags += tag)]
    pub struct Tagged {
        pub partition: Key<Partition>,
        pub tag: Ensure<Tag>,
    }

    #[event]
    #[delete(tag)]
    pub struct TagDeleted {
        pub tag: Key<Tag>,
    }

    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: Idle | Building -> Successful)]
    pub struct WantSatisfied {
        pub want: Want,
    }

    #[invariant(Partition, via = [built_by], crate::model::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;
}

impl Apply for build::JobFailed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for partition in bound.run.builds(tx) {
            if let PartitionState::Building(partition) = partition.state(tx) {
                partition.to_failed(tx, format!("exit {}", self.exit))?;
            }
        }
        Ok(())
    }
}

pub mod rules {
    use super::build::{state::*, *};
    use ironweave::prelude::*;

    pub fn has_capacity(_: &JobStarted, db: &impl Db) -> Result<(), Reject> {
        if db.count::<JobRun, Running>() < 4 {
            Ok(())
        } else {
            Err(Reject::new("four runs are running"))
        }
    }

    pub fn building_means_an_unfinished_run(
        partition: Partition,
        db: &impl Db,
    ) -> Result<(), Reject> {
        let unfinished = |run: JobRun| run.is::<Queued>(db) || run.is::<Running>(db);
        if !partition.is::<Building>(db) || partition.built_by(db).is_some_and(unfinished) {
            return Ok(());
        }
        Err(Reject::new("no unfinished run builds it"))
    }
}

/// Fires one event, with an actor.
pub fn fire<E: Event<Model = Model>>(store: &SharedStore<Model>, event: E) -> Receipt<E> {
    let meta = Meta::new().with_actor("ann");
    store.try_step_with(meta, event).expect("it is accepted")
}

/// The days of January that have partitions.
pub const DAYS: u32 = 12;

/// Wants partitions, of which a run builds some and another one fails.
pub fn fill(store: &SharedStore<Model>) {
    let name = |day: u32| format!("daily/2026-01-{day:02}");
    let all = (1..=DAYS).map(|day| name(day).into()).collect();
    let want = fire(store, WantCreated { partitions: all }).created.want;
    fire(
        store,
        WantCreated {
            partitions: vec![name(1).into(), name(2).into()],
        },
    );
    for (label, days) in [
        ("import 1", 1..=2),
        ("import 2", 3..=4),
        ("import 3", 5..=8),
    ] {
        let partitions = days.filter_map(|day| {
            store
                .read(|db| db.find::<Partition>(&name(day)))
                .expect("it is open")
        });
        let queued = JobQueued {
            label: label.into(),
            partitions: partitions.collect(),
            wants: vec![want],
        };
        let run = fire(store, queued).created.run;
        let run = store
            .read(|db| run.in_state::<Queued>(db))
            .expect("it is open");
        let Some(run) = run.filter(|_| label != "import 3") else {
            continue;
        };
        let run = fire(store, JobStarted { run }).bound.run;
        if label == "import 1" {
            fire(
                store,
                JobSucceeded {
                    run,
                    at: Timestamp::now(),
                },
            );
        } else {
            fire(
                store,
                JobFailed {
                    run: run.any(),
                    exit: 3,
                },
            );
        }
    }
    for tag in ["red", "blue"] {
        fire(
            store,
            Tagged {
                partition: name(1).into(),
                tag: tag.into(),
            },
        );
    }
    let note = Some("checked by hand".to_owned());
    fire(
        store,
        Noted {
            partition: name(1).into(),
            note,
            size: 4_096,
        },
    );
    fire(store, TagDeleted { tag: "blue".into() });
}
