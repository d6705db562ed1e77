//! The model of databuild before references were apart from partitions: the model of then of the committed logs.
#![allow(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::module_name_repetitions
)]

#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    #[entity]
    pub struct Partition {
        #[key]
        pub name: String,
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>,
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
        #[inverse(JobRun::reads)]
        pub read_by: Many<JobRun>,
        pub inputs: Many<Partition>,
        #[inverse(Partition::inputs)]
        pub outputs: Many<Partition>,
        pub upstreams: Many<Partition>,
        #[inverse(Partition::upstreams)]
        pub downstreams: Many<Partition>,
    }
    #[states(Partition)]
    pub enum PartitionState {
        #[initial]
        #[to(Building)]
        Missing,
        #[to(Live, Failed, UpstreamBuilding, UpForRetry)]
        Building,
        #[to(Stale)]
        Live { at: Timestamp, digest: String },
        #[to(Missing)]
        Failed { reason: String },
        #[to(UpForRetry, UpstreamFailed)]
        UpstreamBuilding,
        #[to(Building)]
        UpForRetry,
        #[to(Missing)]
        UpstreamFailed,
        #[to(Building)]
        Stale,
    }

    #[entity]
    pub struct JobRun {
        pub label: String,
        pub builds: Many<Partition>,
        pub reads: Many<Partition>,
        pub services: Many<Want>,
        #[inverse(Want::asked_by)]
        pub asks: Many<Want>,
    }
    #[states(JobRun)]
    pub enum JobRunState {
        #[initial]
        #[to(Running, Failed, Lost)]
        Queued,
        #[to(Succeeded, Failed, DepMiss, Lost)]
        Running { pid: u32 },
        #[terminal]
        Succeeded { at: Timestamp },
        #[terminal]
        Failed { exit: i32, reason: String },
        #[terminal]
        DepMiss,
        #[terminal]
        Lost,
    }

    #[entity]
    pub struct Want {
        #[edge(min = 1)]
        pub partitions: Many<Partition>,
        pub asked_by: Option<JobRun>,
        #[inverse(JobRun::services)]
        pub serviced_by: Many<JobRun>,
    }
    #[states(Want)]
    pub enum WantState {
        #[initial]
        #[to(
            Idle,
            Building,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled
        )]
        New,
        #[to(
            Building,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled
        )]
        Idle,
        #[to(Idle, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled)]
        Building,
        #[to(Idle, Building, Successful, Failed, UpstreamFailed, Canceled)]
        UpstreamBuilding,
        #[terminal]
        Successful,
        #[terminal]
        Failed,
        #[terminal]
        UpstreamFailed,
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
    #[create(run: JobRun { label })]
    #[link(run.services += wants)]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[relink(run.builds += partitions)]
    #[moves(each partitions: Missing | UpForRetry | Stale -> Building)]
    #[moves(those partitions.built_by.asks: New | Idle | Building | UpstreamBuilding -> Canceled)]
    pub struct JobQueued {
        pub label: String,
        pub partitions: Vec<Partition>,
        pub wants: Vec<Want>,
    }

    #[event]
    #[moves(run: Queued -> Running { pid })]
    pub struct JobStarted {
        pub run: JobRun<Queued>,
        pub pid: u32,
    }

    #[event]
    #[link(run.reads += reads)]
    #[link(run.builds.inputs += inputs)]
    #[moves(run: Running -> Succeeded { at = meta.time })]
    #[moves(each run.builds: Building -> Live { at = meta.time, digest })]
    pub struct JobSucceeded {
        pub run: JobRun<Running>,
        pub digest: String,
        pub reads: Vec<Partition>,
        pub inputs: Vec<Partition>,
    }

    #[event]
    #[create(want: Want)]
    #[link(want.partitions += missed)]
    #[link(want.asked_by += run)]
    #[link(run.reads += reads)]
    #[link(run.builds.inputs += inputs)]
    #[link(run.builds.upstreams += missed)]
    #[moves(run: Running -> DepMiss)]
    #[moves(each run.builds: Building -> UpstreamBuilding)]
    pub struct DepMissed {
        pub run: JobRun<Running>,
        pub missed: Vec<Ensure<Partition>>,
        pub reads: Vec<Partition>,
        pub inputs: Vec<Partition>,
    }

    #[event]
    #[moves(run: Queued | Running -> Failed { exit, reason })]
    #[moves(each run.builds: Building -> Failed { reason })]
    pub struct JobFailed {
        pub run: JobRun,
        pub exit: i32,
        pub reason: String,
    }

    #[event]
    #[moves(run: Queued | Running -> Lost)]
    #[moves(each run.builds: Building -> UpForRetry)]
    pub struct RunLost {
        pub run: JobRun,
    }

    #[event]
    #[moves(each partitions: Live -> Stale)]
    pub struct SourcesChanged {
        pub partitions: Vec<Partition>,
    }

    #[event]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[unlink(partitions.upstreams -= partitions.upstreams)]
    #[moves(each partitions: Failed | UpstreamFailed -> Missing)]
    pub struct PartitionsRetried {
        pub partitions: Vec<Partition>,
    }

    #[immediate]
    #[when(any partition.inputs in Stale)]
    #[moves(partition: Live -> Stale)]
    pub struct InputWentStale {
        pub partition: Partition,
    }

    #[immediate]
    #[when(any partition.inputs in Stale)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct QuestionWentStale {
        pub partition: Partition,
    }

    #[immediate]
    #[when(all partition.upstreams in Live)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct UpstreamsLive {
        pub partition: Partition,
    }

    #[immediate]
    #[when(any partition.upstreams in Failed | UpstreamFailed)]
    #[moves(partition: UpstreamBuilding -> UpstreamFailed)]
    pub struct UpstreamWentWrong {
        pub partition: Partition,
    }

    #[immediate]
    #[when(any want.partitions in Failed)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Failed)]
    pub struct WantFailed {
        pub want: Want,
    }

    #[immediate]
    #[when(any want.partitions in UpstreamFailed)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> UpstreamFailed)]
    pub struct WantUpstreamFailed {
        pub want: Want,
    }

    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Successful)]
    pub struct WantSatisfied {
        pub want: Want,
    }

    #[immediate]
    #[when(any want.partitions in Building)]
    #[moves(want: New | Idle | UpstreamBuilding -> Building)]
    pub struct WantBuilding {
        pub want: Want,
    }

    #[immediate]
    #[when(none want.partitions in Building)]
    #[when(any want.partitions in UpstreamBuilding)]
    #[moves(want: New | Idle | Building -> UpstreamBuilding)]
    pub struct WantWaits {
        pub want: Want,
    }

    #[immediate]
    #[when(none want.partitions in Building | UpstreamBuilding)]
    #[moves(want: New | Building | UpstreamBuilding -> Idle)]
    pub struct WantIdle {
        pub want: Want,
    }

    #[invariant(Partition, via = [built_by], crate::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;

    #[invariant(Partition, via = [built_by], crate::rules::live_means_a_run_that_succeeded)]
    pub struct LiveWasBuilt;

    #[invariant(Partition, via = [upstreams], crate::rules::waiting_means_something_missed)]
    pub struct WaitingHasACause;
}

/// Its invariants. Their path, `crate::rules`, is in the schema.
pub mod rules {
    use ironweave::prelude::*;

    use super::build;

    pub fn building_means_an_unfinished_run(
        partition: build::Partition,
        db: &impl Db,
    ) -> Result<(), Reject> {
        let unfinished = |run: build::JobRun| {
            run.is::<build::state::Queued>(db) || run.is::<build::state::Running>(db)
        };
        let is_right = !partition.is::<build::state::Building>(db)
            || partition.built_by(db).is_some_and(unfinished);
        is_right
            .then_some(())
            .ok_or_else(|| Reject::new("no run builds it"))
    }

    pub fn live_means_a_run_that_succeeded(
        partition: build::Partition,
        db: &impl Db,
    ) -> Result<(), Reject> {
        let succeeded = |run: build::JobRun| run.is::<build::state::Succeeded>(db);
        let is_right = !partition.is::<build::state::Live>(db)
            || partition.built_by(db).is_some_and(succeeded);
        is_right
            .then_some(())
            .ok_or_else(|| Reject::new("no run built it"))
    }

    pub fn waiting_means_something_missed(
        partition: build::Partition,
        db: &impl Db,
    ) -> Result<(), Reject> {
        let is_right = !partition.is::<build::state::UpstreamBuilding>(db)
            || partition.upstreams_count(db) > 0;
        is_right
            .then_some(())
            .ok_or_else(|| Reject::new("it waits for no partition"))
    }
}
