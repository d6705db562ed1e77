//! The README's model, random events of it ([`events`]), and a naive oracle that says what each must do ([`oracle`]).
#![allow(dead_code, missing_docs)]

pub mod events;
pub mod oracle;

use build::*;
use ironweave::prelude::*;

#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    /// A named piece of data, built by at most one run at a time.
    #[entity]
    pub struct Partition {
        #[key]
        pub name: String, // unique, indexed, immutable
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>, // at most one
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
        Live { at: Timestamp }, // data that exists only in this state
        #[to(Building)]
        Failed { reason: String },
    }

    #[entity]
    pub struct JobRun {
        pub label: String,
        pub builds: Many<Partition>, // the declaring end of an edge
        pub services: Many<Want>,
    }
    #[states(JobRun)]
    pub enum JobRunState {
        #[initial]
        #[to(Running, fail -> Failed)]
        Queued,
        #[to(succeed -> Succeeded, fail -> Failed)]
        // verbs of your own; without one it is `to_succeeded`
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

    /// A person wants partitions.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += partitions)]
    pub struct WantCreated {
        pub partitions: Vec<Ensure<Partition>>,
    } // created in the initial state where absent

    #[event]
    #[moves(want: Idle | Building -> Canceled)]
    pub struct WantCanceled {
        pub want: Want,
    }

    #[event]
    #[create(run: JobRun { label })]
    #[link(run.services += wants)]
    #[relink(run.builds += partitions)] // takes over the Option end from an earlier run
    #[moves(each partitions: Missing | Failed -> Building)]
    pub struct JobQueued {
        pub label: String,
        pub partitions: Vec<Partition>,
        pub wants: Vec<Want>,
    }

    #[event]
    #[guard(crate::readme::rules::has_capacity)]
    #[moves(run: Queued -> Running)]
    #[moves(those run.services: Idle -> Building)] // the ones that are Idle; `each` would demand all
    pub struct JobStarted {
        pub run: JobRun<Queued>,
    } // a token: with a Succeeded run it does not compile

    #[event]
    #[moves(run: Running -> Succeeded)]
    #[moves(each run.builds: Building -> Live { at })] // target data from fields of the event
    pub struct JobSucceeded {
        pub run: JobRun<Running>,
        pub at: Timestamp,
    }

    #[event]
    #[moves(run: Queued | Running -> Failed { exit })]
    #[may(Partition: Building -> Failed)] // permitted to the handler, which you write
    pub struct JobFailed {
        pub run: JobRun,
        pub exit: i32,
    }

    /// Fires by itself.
    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: Idle | Building -> Successful)]
    pub struct WantSatisfied {
        pub want: Want,
    }

    #[invariant(Partition, via = [built_by], crate::readme::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;
}

impl Apply for build::JobFailed {
    // only where an event has #[may(..)]
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for partition in bound.run.builds(tx) {
            // bound.run: JobRun<Failed>, after the declared moves
            if let PartitionState::Building(p) = partition.state(tx) {
                // p: Partition<Building>
                p.to_failed(tx, format!("exit {}", self.exit))?; // consumed; gives Partition<Failed>
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
