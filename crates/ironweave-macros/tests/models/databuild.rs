/// Partitions of data, the runs that build them and the wants that ask for them.
#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    /// A named piece of data.
    #[entity]
    pub struct Partition {
        #[key]
        pub name: String,
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>,
        #[inverse(JobRun::reads)]
        pub read_by: Many<JobRun>,
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
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
        #[to(Live, Failed, UpstreamBuilding)]
        Building,
        #[to(UpForRetry, UpstreamFailed)]
        UpstreamBuilding,
        #[to(Building)]
        UpForRetry,
        #[terminal]
        Live { at: Timestamp, digest: u64 },
        #[to(Building)]
        Failed { reason: String },
        #[terminal]
        UpstreamFailed,
    }

    /// A run of a job.
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
        #[to(Running)]
        Queued,
        #[to(succeed -> Succeeded, fail -> Failed, DepMiss)]
        Running,
        #[terminal]
        Succeeded,
        #[terminal]
        Failed { exit: i32 },
        #[terminal]
        DepMiss,
    }

    /// A wish for partitions.
    #[entity]
    pub struct Want {
        pub comment: String,
        #[edge(min = 1)]
        pub partitions: Many<Partition>,
        pub asked_by: Option<JobRun>,
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
    #[create(want: Want { comment })]
    #[link(want.partitions += partitions)]
    #[link(want.asked_by += run)]
    pub struct WantCreated {
        pub partitions: Vec<Ensure<Partition>>,
        pub comment: String,
        pub run: Option<JobRun>,
    }

    #[event]
    #[when(none want.partitions in Building)]
    #[moves(want: Idle | Building -> Canceled)]
    #[set(want.comment = reason)]
    pub struct WantCanceled {
        pub want: Want,
        pub reason: String,
    }

    #[event]
    #[create(run: JobRun { label })]
    #[link(run.services += wants)]
    #[relink(run.builds += partitions)]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[moves(each partitions: Missing | UpForRetry | Failed -> Building)]
    #[moves(those wants: Idle -> Building)]
    pub struct JobQueued {
        pub label: String,
        pub partitions: Vec<Partition>,
        pub wants: Vec<Want>,
    }

    #[event]
    #[moves(run: Queued -> Running)]
    pub struct JobStarted {
        pub run: JobRun<Queued>,
    }

    #[event]
    #[link(run.reads += read)]
    #[link(run.builds.inputs += read)]
    #[moves(run: Running -> Succeeded)]
    #[moves(each run.builds: Building -> Live { at = meta.time, digest })]
    pub struct JobSucceeded {
        pub run: JobRun<Running>,
        pub read: Vec<Key<Partition>>,
        pub digest: u64,
    }

    #[event]
    #[create(want: Want { comment = "missed" })]
    #[link(want.partitions += missed)]
    #[relink(want.asked_by += run)]
    #[moves(run: Running -> DepMiss)]
    #[moves(each run.builds: Building -> UpstreamBuilding)]
    #[link(run.builds.upstreams += missed)]
    pub struct JobMissed {
        pub run: JobRun<Running>,
        pub missed: Vec<Ensure<Partition>>,
    }

    #[event]
    #[moves(run: Running -> Failed { exit = -1 })]
    #[may(Partition: Building -> Failed, link JobRun.builds, unlink Partition.built_by)]
    #[may(relink Want.asked_by, set Want.comment)]
    #[derive(Clone, Debug)]
    pub struct JobFailed {
        pub run: JobRun,
    }

    /// Time passes.
    #[event]
    pub struct Tick;

    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: Idle | Building -> Successful)]
    pub struct WantSatisfied {
        pub want: Want,
    }

    #[immediate]
    #[when(any partition.upstreams in Failed | UpstreamFailed)]
    #[moves(partition: UpstreamBuilding -> UpstreamFailed)]
    pub struct UpstreamHasFailed {
        pub partition: Partition,
    }

    #[immediate]
    #[when(all partition.upstreams in Live)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct UpstreamIsLive {
        pub partition: Partition,
    }

    #[invariant(Partition, via = [built_by], super::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;

    #[invariant(Want, super::rules::fine)]
    pub struct Fine;
}
