//! What databuild knows, and all that can happen to it.
//!
//! databuild thinks in partitions of data. Somebody **wants** partitions; for each there is a job that makes
//! it; a **run** of that job is a process, which says what it read and what it missed. The story of a
//! partition that misses something, as the log tells it:
//!
//! ```text
//! WantCreated      report is wanted           want 0: New -> Idle
//! JobQueued        a run is to build it       report: Missing -> Building          want 0: -> Building
//! JobStarted       it has a pid
//! DepMissed        it missed `manifest`       report: Building -> UpstreamBuilding want 0: -> UpstreamBuilding
//!                  which now is wanted too    manifest: Missing                    want 1: New -> Idle
//! ...              manifest is built          manifest: -> Live                    want 1: -> Successful
//!                  nothing is missed any more report: -> UpForRetry                want 0: -> Idle
//! JobQueued        a second run               report: -> Building                  want 0: -> Building
//! JobSucceeded     it has read `manifest`     report: -> Live                      want 0: -> Successful
//! SourcesChanged   the lock file was edited   manifest: Live -> Stale              report: Live -> Stale
//! ```
//!
//! Every consequence in the columns on the right is declared below, as an arc of the event or as an immediate event;
//! there is no other code that changes state. Both ends of each edge are declared, so "what reads this?" and
//! "who waits for this?" are questions to the store, not indexes kept by hand.

// The macro writes the types; this lint would speak of what it writes.
#![allow(clippy::module_name_repetitions)]

/// Wants, runs and partitions.
#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    /// A named piece of data, built by at most one run at a time.
    #[entity]
    pub struct Partition {
        /// Its reference, `sloc/serde-1.0.228`; also its place below the data directory.
        #[key]
        pub name: String,
        /// The run that builds it, or built it last.
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>,
        /// Everybody who ever wanted it.
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
        /// Runs that read it.
        #[inverse(JobRun::reads)]
        pub read_by: Many<JobRun>,
        /// What its content is made from: it goes stale with any of these.
        pub inputs: Many<Partition>,
        /// What was made from it.
        #[inverse(Partition::inputs)]
        pub outputs: Many<Partition>,
        /// What its last run missed.
        pub upstreams: Many<Partition>,
        /// What waits for it.
        #[inverse(Partition::upstreams)]
        pub downstreams: Many<Partition>,
    }
    /// Where a partition stands.
    #[states(Partition)]
    pub enum PartitionState {
        /// Wanted at some time, and never built.
        #[initial]
        #[to(Building)]
        Missing,
        /// A run is at it.
        #[to(Live, Failed, UpstreamBuilding, UpForRetry)]
        Building,
        /// There, and true to its sources.
        #[to(Stale)]
        Live {
            /// When it became so.
            at: Timestamp,
            /// What its content is a function of, to be compared when databuild starts.
            digest: String,
        },
        /// Its run failed.
        #[to(Missing)]
        Failed {
            /// What the run said, or how it ended.
            reason: String,
        },
        /// Its run missed partitions, which are being built.
        #[to(UpForRetry, UpstreamFailed)]
        UpstreamBuilding,
        /// To be built again, since what it missed is there or its run was lost.
        #[to(Building)]
        UpForRetry,
        /// A partition that it missed failed, or is itself upstream-failed.
        #[to(Missing)]
        UpstreamFailed,
        /// There, and no longer true to its sources.
        #[to(Building)]
        Stale,
    }

    /// One run of a job: a process of its own.
    #[entity]
    pub struct JobRun {
        /// What it was started for, in words.
        pub label: String,
        /// What it builds.
        pub builds: Many<Partition>,
        /// What it read of other partitions.
        pub reads: Many<Partition>,
        /// The wants that it serves.
        pub services: Many<Want>,
        /// The wants for what it missed.
        #[inverse(Want::asked_by)]
        pub asks: Many<Want>,
    }
    /// Where a run stands.
    #[states(JobRun)]
    pub enum JobRunState {
        /// It has a directory; its process is about to start.
        #[initial]
        #[to(Running, Failed, Lost)]
        Queued,
        /// Its process runs.
        #[to(Succeeded, Failed, DepMiss, Lost)]
        Running {
            /// The id of the process.
            pid: u32,
        },
        /// It built what it was to build.
        #[terminal]
        Succeeded {
            /// When.
            at: Timestamp,
        },
        /// It ended with an error.
        #[terminal]
        Failed {
            /// The exit status; 128 and the number of the signal where one ended it.
            exit: i32,
            /// What went wrong, with the end of what it wrote to stderr.
            reason: String,
        },
        /// It ended since partitions were missing that it needs.
        #[terminal]
        DepMiss,
        /// databuild ended while it ran: nobody knows what became of it, and nothing it wrote is used.
        #[terminal]
        Lost,
    }

    /// Somebody wants partitions: a person, or a run that missed them.
    #[entity]
    pub struct Want {
        /// What is wanted.
        #[edge(min = 1)]
        pub partitions: Many<Partition>,
        /// The run that missed these partitions; none where a person wants them.
        pub asked_by: Option<JobRun>,
        /// The runs that work for it.
        #[inverse(JobRun::services)]
        pub serviced_by: Many<JobRun>,
    }
    /// Where a want stands: a function of its partitions, see the immediate events below.
    #[states(Want)]
    pub enum WantState {
        /// Just made; settled in the same step.
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
        /// Nobody works for it yet.
        #[to(
            Building,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled
        )]
        Idle,
        /// One of its partitions is being built.
        #[to(Idle, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled)]
        Building,
        /// One of its partitions waits for others, and none is being built.
        #[to(Idle, Building, Successful, Failed, UpstreamFailed, Canceled)]
        UpstreamBuilding,
        /// All its partitions were live at once.
        #[terminal]
        Successful,
        /// One of its partitions failed.
        #[terminal]
        Failed,
        /// One of its partitions waited for one that failed.
        #[terminal]
        UpstreamFailed,
        /// The run that asked has a successor, which asks for itself.
        #[terminal]
        Canceled,
    }

    /// Somebody wants partitions.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += partitions)]
    pub struct WantCreated {
        /// What is wanted; made known where it was not.
        pub partitions: Vec<Ensure<Partition>>,
    }

    /// A run is to build partitions. It takes them over from an earlier run, and with them the question what
    /// they are made from and what they miss.
    #[event]
    #[create(run: JobRun { label })]
    #[link(run.services += wants)]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[relink(run.builds += partitions)]
    #[moves(each partitions: Missing | UpForRetry | Stale -> Building)]
    #[moves(those partitions.built_by.asks: New | Idle | Building | UpstreamBuilding -> Canceled)]
    pub struct JobQueued {
        /// What for, in words.
        pub label: String,
        /// What it is to build.
        pub partitions: Vec<Partition>,
        /// The wants that it serves.
        pub wants: Vec<Want>,
    }

    /// The process of a run was started.
    #[event]
    #[moves(run: Queued -> Running { pid })]
    pub struct JobStarted {
        /// The run.
        pub run: JobRun<Queued>,
        /// Its process.
        pub pid: u32,
    }

    /// A run ended well: what it built is live.
    #[event]
    #[link(run.reads += reads)]
    #[link(run.builds.inputs += inputs)]
    #[moves(run: Running -> Succeeded { at = meta.time })]
    #[moves(each run.builds: Building -> Live { at = meta.time, digest })]
    pub struct JobSucceeded {
        /// The run.
        pub run: JobRun<Running>,
        /// What the content is a function of.
        pub digest: String,
        /// What it read.
        pub reads: Vec<Partition>,
        /// Of that, what the content is made from.
        pub inputs: Vec<Partition>,
    }

    /// A run needs partitions that are not live. It ended; they are wanted; what it was to build waits for them.
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
        /// The run.
        pub run: JobRun<Running>,
        /// What it missed; made known where it was not.
        pub missed: Vec<Ensure<Partition>>,
        /// What it read to know so.
        pub reads: Vec<Partition>,
        /// Of that, what decides what it misses.
        pub inputs: Vec<Partition>,
    }

    /// A run ended with an error, or could not be started.
    #[event]
    #[moves(run: Queued | Running -> Failed { exit, reason })]
    #[moves(each run.builds: Building -> Failed { reason })]
    pub struct JobFailed {
        /// The run.
        pub run: JobRun,
        /// Its exit status.
        pub exit: i32,
        /// What went wrong.
        pub reason: String,
    }

    /// The databuild that started a run is gone, so nobody heard how it ended.
    #[event]
    #[moves(run: Queued | Running -> Lost)]
    #[moves(each run.builds: Building -> UpForRetry)]
    pub struct RunLost {
        /// The run.
        pub run: JobRun,
    }

    /// The digests of partitions are not what they were when these were built.
    #[event]
    #[moves(each partitions: Live -> Stale)]
    pub struct SourcesChanged {
        /// The partitions.
        pub partitions: Vec<Partition>,
    }

    /// What failed gets another chance.
    #[event]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[unlink(partitions.upstreams -= partitions.upstreams)]
    #[moves(each partitions: Failed | UpstreamFailed -> Missing)]
    pub struct PartitionsRetried {
        /// The partitions.
        pub partitions: Vec<Partition>,
    }

    // What follows fires by itself. Partitions come first, so that wants are settled by what came of them.

    /// What it was made from went stale, so it is stale too; to any depth.
    #[immediate]
    #[when(any partition.inputs in Stale)]
    #[moves(partition: Live -> Stale)]
    pub struct InputWentStale {
        /// The partition.
        pub partition: Partition,
    }

    /// What a run read to know what it misses went stale: it must say so anew.
    #[immediate]
    #[when(any partition.inputs in Stale)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct QuestionWentStale {
        /// The partition.
        pub partition: Partition,
    }

    /// All that was missed is there.
    #[immediate]
    #[when(all partition.upstreams in Live)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct UpstreamsLive {
        /// The partition.
        pub partition: Partition,
    }

    /// Something that was missed will not come.
    #[immediate]
    #[when(any partition.upstreams in Failed | UpstreamFailed)]
    #[moves(partition: UpstreamBuilding -> UpstreamFailed)]
    pub struct UpstreamWentWrong {
        /// The partition.
        pub partition: Partition,
    }

    // A want that has not ended is the first of these that holds. The first three end it; the conditions of
    // the others exclude each other, so that they cannot chase each other in a circle.

    /// One of its partitions failed.
    #[immediate]
    #[when(any want.partitions in Failed)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Failed)]
    pub struct WantFailed {
        /// The want.
        pub want: Want,
    }

    /// One of its partitions waited for one that failed.
    #[immediate]
    #[when(any want.partitions in UpstreamFailed)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> UpstreamFailed)]
    pub struct WantUpstreamFailed {
        /// The want.
        pub want: Want,
    }

    /// All that was wanted is there.
    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Successful)]
    pub struct WantSatisfied {
        /// The want.
        pub want: Want,
    }

    /// One of its partitions is being built.
    #[immediate]
    #[when(any want.partitions in Building)]
    #[moves(want: New | Idle | UpstreamBuilding -> Building)]
    pub struct WantBuilding {
        /// The want.
        pub want: Want,
    }

    /// None is being built, and one waits for others.
    #[immediate]
    #[when(none want.partitions in Building)]
    #[when(any want.partitions in UpstreamBuilding)]
    #[moves(want: New | Idle | Building -> UpstreamBuilding)]
    pub struct WantWaits {
        /// The want.
        pub want: Want,
    }

    /// Something is to be built, and nobody is at it.
    #[immediate]
    #[when(none want.partitions in Building | UpstreamBuilding)]
    #[moves(want: New | Building | UpstreamBuilding -> Idle)]
    pub struct WantIdle {
        /// The want.
        pub want: Want,
    }

    /// What is being built is built by somebody.
    #[invariant(Partition, via = [built_by], crate::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;

    /// What is live was built: its run succeeded.
    #[invariant(Partition, via = [built_by], crate::rules::live_means_a_run_that_succeeded)]
    pub struct LiveWasBuilt;

    /// What waits waits for something.
    #[invariant(Partition, via = [upstreams], crate::rules::waiting_means_something_missed)]
    pub struct WaitingHasACause;
}

#[cfg(test)]
mod tests;
