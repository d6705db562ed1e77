//! The model of the README without its handler, and copies of it, each with a planted bug.
// Not each rule is tested of each copy.
#![allow(dead_code)]
// The lint sees the methods of tokens here, because the model is in the expansion of another macro.
#![allow(clippy::wrong_self_convention)]

/// Defines the model. The arcs of three events differ.
macro_rules! build {
    (
        $module:ident,
        queued $(#[$($queued:tt)*])*,
        failed $(#[$($failed:tt)*])*,
        built_by $built_by:ty,
        capacity $capacity:path
    ) => {
        #[ironweave::model]
        pub mod $module {
            use ironweave::prelude::*;

            #[entity]
            pub struct Partition {
                #[key]
                pub name: String,
                #[inverse(JobRun::builds)]
                pub built_by: $built_by,
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
                Live,
                #[to(Building)]
                Failed { exit: i32 },
            }

            #[entity]
            pub struct JobRun {
                pub builds: Many<Partition>,
            }
            #[states(JobRun)]
            pub enum JobRunState {
                #[initial]
                #[to(Running, Failed)]
                Queued,
                #[to(Succeeded, Failed)]
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
            }
            #[states(Want)]
            pub enum WantState {
                #[initial]
                #[to(Successful)]
                Idle,
                #[terminal]
                Successful,
            }

            #[event]
            #[create(want: Want)]
            #[link(want.partitions += partitions)]
            pub struct WantCreated {
                pub partitions: Vec<Ensure<Partition>>,
            }

            #[event]
            #[create(run: JobRun)]
            $(#[$($queued)*])*
            pub struct JobQueued {
                pub partitions: Vec<Partition>,
            }

            #[event]
            #[guard($capacity)]
            #[moves(run: Queued -> Running)]
            pub struct JobStarted {
                pub run: JobRun<Queued>,
            }

            #[event]
            #[moves(run: Running -> Succeeded)]
            #[moves(each run.builds: Building -> Live)]
            pub struct JobSucceeded {
                pub run: JobRun<Running>,
            }

            #[event]
            #[moves(run: Queued | Running -> Failed { exit })]
            $(#[$($failed)*])*
            pub struct JobFailed {
                pub run: JobRun,
                pub exit: i32,
            }

            #[immediate]
            #[when(all want.partitions in Live)]
            #[moves(want: Idle -> Successful)]
            pub struct WantSatisfied {
                pub want: Want,
            }
        }
    };
}

build! {
    build,
    queued #[relink(run.builds += partitions)] #[moves(each partitions: Missing | Failed -> Building)],
    failed #[moves(each run.builds: Building -> Failed { exit })],
    built_by Option<JobRun>,
    capacity crate::build::capacity
}

build! {
    left_building,
    queued #[relink(run.builds += partitions)] #[moves(each partitions: Missing | Failed -> Building)],
    failed,
    built_by Option<JobRun>,
    capacity crate::build::capacity_left_building
}

build! {
    no_retry,
    queued #[relink(run.builds += partitions)] #[moves(each partitions: Missing -> Building)],
    failed #[moves(each run.builds: Building -> Failed { exit })],
    built_by Option<JobRun>,
    capacity crate::build::capacity_no_retry
}

build! {
    built_twice,
    queued #[link(run.builds += partitions)] #[moves(those partitions: Missing | Failed -> Building)],
    failed #[moves(those run.builds: Building -> Failed { exit })],
    built_by Many<JobRun>,
    capacity crate::build::capacity_built_twice
}

/// Defines what is required of a copy.
macro_rules! rules {
    ($module:ident, $capacity:ident, $has_run:ident, $all_end:ident, $built_once:ident) => {
        pub fn $capacity(
            _: &$module::JobStarted,
            db: &impl ironweave::Db,
        ) -> Result<(), ironweave::Reject> {
            if db.count::<$module::JobRun, $module::state::Running>() < 2 {
                Ok(())
            } else {
                Err(ironweave::Reject::new("two runs are running"))
            }
        }

        /// A partition in `Building` has a run that has not ended.
        pub fn $has_run(
            partition: $module::Partition,
            db: &impl ironweave::Db,
        ) -> Result<(), ironweave::Reject> {
            use $module::state::*;
            let unfinished = |run: $module::JobRun| run.is::<Queued>(db) || run.is::<Running>(db);
            if !partition.is::<Building>(db) || partition.built_by(db).into_iter().any(unfinished) {
                return Ok(());
            }
            Err(ironweave::Reject::new("no unfinished run builds it"))
        }

        /// No want is open.
        pub fn $all_end(db: &impl ironweave::Db) -> bool {
            db.count::<$module::Want, $module::state::Idle>() == 0
        }

        /// No partition is built by two unfinished runs.
        pub fn $built_once(partition: $module::Partition, db: &impl ironweave::Db) -> bool {
            use $module::state::*;
            let runs = partition.built_by(db).into_iter();
            runs.filter(|run| run.is::<Queued>(db) || run.is::<Running>(db))
                .count()
                < 2
        }
    };
}

rules!(build, capacity, has_run, all_end, built_once);
rules!(
    left_building,
    capacity_left_building,
    has_run_left,
    all_end_left,
    built_once_left
);
rules!(
    no_retry,
    capacity_no_retry,
    has_run_no_retry,
    all_end_no_retry,
    built_once_no_retry
);
rules!(
    built_twice,
    capacity_built_twice,
    has_run_twice,
    all_end_twice,
    built_once_twice
);
