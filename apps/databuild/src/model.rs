//! The state of databuild, and the events that change it.
//!
//! databuild builds partitions of data. A **reference** is the name of a partition. A **partition** is one instance of what is
//! named, and is built once: if it is stale or has failed, another instance takes its place, which the reference then has as its
//! `current` one. A **want** is a request for references, and awaits their current instances. Each partition is made by a job. A
//! **run** of a job is a process, which reports the partitions that it read and those that it missed. This is the log of a
//! partition that misses another one:
//!
//! ```text
//! WantCreated      report is wanted           want 0: New -> Idle
//! JobQueued        a run will build it        report: Missing -> Building          want 0: -> Building
//! JobStarted       the run has a pid
//! DepMissed        it missed `manifest`       report: Building -> UpstreamBuilding want 0: -> UpstreamBuilding
//!                  which is now wanted too    manifest: Missing                    want 1: New -> Idle
//! ...              manifest is built          manifest: -> Live                    want 1: -> Successful
//!                  no upstream is missing     report: -> UpForRetry                want 0: -> Idle
//! JobQueued        a second run               report: -> Building                  want 0: -> Building
//! JobSucceeded     it has read `manifest`     report: -> Live                      want 0: -> Successful
//! SourcesChanged   the lock file was edited   manifest: Live -> Stale              report: Live -> Stale
//! PartitionReplaced before it is built again  manifest: Stale -> Replaced          the next instance: Missing
//! ```
//!
//! A partition that is stale only because its inputs are is **checked** before it is built again. Its inputs are built first. If each
//! has the content that the partition was made from, it is live again, and no run was needed:
//!
//! ```text
//! WantCreated      report is wanted again     want 2: New -> Idle
//! CheckBegun       its inputs are wanted      report: Stale -> Checking            want 3: New -> Idle
//! ...              manifest is built again, with the same content, so manifest is Live
//! CheckEnded       immediate                  report: Checking -> Stale
//! ContentKept      it is made from the same   report: Stale -> Live                want 2: -> Successful
//! ```
//!
//! It stays the same instance, so that what is made from it in turn is made from an instance that is live, and needs no change.
//!
//! A person **taints** a partition whose data is wrong: it counts for no run any more, and it is built again when it is wanted. Three times
//! of the wall clock are in the model, each with an event that is due then: a partition is stale when its time to live (ttl) has passed, a want
//! expires at its deadline, and a want is late when the time that was promised for it (its service level agreement, sla) has passed.
//!
//! Every consequence in the columns on the right is declared below, as an arc of the event or as an immediate event.
//! No other code changes state. Both ends of each edge are declared, so the readers of a partition and
//! the partitions that wait for it are read from the store rather than from indexes that are maintained by hand.

// These lints would report the types and the functions that the macro generates.
#![allow(clippy::module_name_repetitions, clippy::too_many_arguments)]

/// Wants, runs and partitions.
#[ironweave::model]
pub mod build {
    use std::time::Duration;

    use ironweave::prelude::*;

    /// The name of a partition, which points to its current instance.
    #[entity]
    pub struct PartitionRef {
        /// The reference, `sloc/serde-1.0.228`, which is also the path in the data directory.
        #[key]
        pub name: String,
        /// The current instance. The reference has one from the step on in which it is created.
        pub current: Option<Partition>,
        /// All instances that there ever were, in their order.
        #[inverse(Partition::of)]
        pub instances: Many<Partition>,
        /// All wants that ever requested it.
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
        /// The partitions whose last run missed it.
        #[inverse(Partition::missed)]
        pub missed_by: Many<Partition>,
    }
    /// The lifecycle of a reference.
    #[states(PartitionRef)]
    pub enum PartitionRefState {
        /// Just created; it leaves this state in the same step.
        #[initial]
        #[to(Known)]
        New,
        /// It has a current instance.
        #[terminal]
        Known,
    }

    /// One instance of a named piece of data, built by at most one run at a time, and with one content.
    #[entity]
    pub struct Partition {
        /// A hash of its content. Empty if it was not built, or by an earlier databuild.
        #[default("")]
        pub content: String,
        /// Its reference.
        pub of: PartitionRef,
        /// The same, unless another instance has replaced it.
        #[inverse(PartitionRef::current)]
        pub current_of: Option<PartitionRef>,
        /// The instance whose place it took.
        pub replaces: Option<Partition>,
        /// The instance that took its place.
        #[inverse(Partition::replaces)]
        pub replaced_by: Option<Partition>,
        /// The run that builds it, or built it last.
        #[inverse(JobRun::builds)]
        pub built_by: Option<JobRun>,
        /// The wants for what its job declares as inputs, or for what it had read before it was stale.
        #[inverse(Want::asked_for)]
        pub asks: Many<Want>,
        /// The open wants that need it.
        #[inverse(Want::awaits)]
        pub awaited_by: Many<Want>,
        /// Runs that read it.
        #[inverse(JobRun::reads)]
        pub read_by: Many<JobRun>,
        /// The partitions that its content is made from, or current ones with the same contents; it becomes stale with any of these.
        pub inputs: Many<Partition>,
        /// The partitions that are made from it.
        #[inverse(Partition::inputs)]
        pub outputs: Many<Partition>,
        /// The references that its last run missed, that its job declares as inputs, or that it is checked for.
        pub missed: Many<PartitionRef>,
        /// The current instances of these, which it waits for. No partition waits for itself, directly or over others.
        #[edge(acyclic)]
        pub upstreams: Many<Partition>,
        /// The partitions that wait for it.
        #[inverse(Partition::upstreams)]
        pub downstreams: Many<Partition>,
    }
    /// The lifecycle of a partition.
    #[states(Partition)]
    pub enum PartitionState {
        /// It is not built yet.
        #[initial]
        #[to(Building, UpstreamBuilding)]
        Missing,
        /// A run builds it.
        #[to(Live, Failed, Backoff, UpstreamBuilding, UpForRetry)]
        Building,
        /// It is built and up to date.
        #[to(Stale, Tainted)]
        Live {
            /// When it became live.
            at: Timestamp,
            /// The digest of what its content is a function of, which is compared when databuild starts.
            digest: String,
            /// When its time to live ends, if its job has one.
            #[default]
            expires: Option<Timestamp>,
        },
        /// Its run failed. It stays so until it is to be built again, or what it is made from changes.
        #[to(Stale, Replaced)]
        Failed {
            /// The error that the run reported, or how the run ended.
            reason: String,
            /// The digest of what its content would be a function of, if the run told it.
            digest: Option<String>,
            /// Whether the next databuild builds it again, because the cause may be gone by then without a trace.
            #[default(true)]
            again: bool,
        },
        /// Its run failed, and the job is run again after a time.
        #[to(UpForRetry)]
        Backoff {
            /// When that time is over, if this databuild still runs.
            until: Timestamp,
        },
        /// Its run missed partitions, which are being built.
        #[to(UpForRetry, UpstreamFailed)]
        UpstreamBuilding,
        /// It can be built again: the missed partitions are live, or have not failed any more, or its run was lost or canceled.
        #[to(Building, UpstreamBuilding)]
        UpForRetry,
        /// The partitions that it missed have ended, and one of them has failed or is itself upstream-failed.
        #[to(UpForRetry, Replaced)]
        UpstreamFailed,
        /// It is built, and no longer known to be up to date.
        #[to(Stale, Tainted, Checking, Live, Replaced)]
        Stale {
            /// Whether it is stale only because inputs are, so that it is live again if these come out the same.
            #[default(false)]
            by_inputs: bool,
            /// The digest that it was built with, if it may be live again.
            #[default("")]
            digest: String,
            /// When its time to live ends, if it may be live again.
            #[default]
            expires: Option<Timestamp>,
        },
        /// It is stale or tainted, and its inputs are being built before it is built again.
        #[to(Stale, Tainted)]
        Checking {
            /// Whether it is stale only because inputs are.
            by_inputs: bool,
            /// The digest that it was built with, if it may be live again.
            digest: String,
            /// When its time to live ends, if it may be live again.
            #[default]
            expires: Option<Timestamp>,
            /// Whether it is tainted, and so again when its check ends.
            #[default(false)]
            tainted: bool,
            /// When a person said that its data is wrong, if it is tainted, and else when its check began.
            #[default]
            since: Timestamp,
            /// Why its data is wrong, if it is tainted.
            #[default("")]
            reason: String,
        },
        /// It is built, and a person has said that its data is wrong.
        #[to(Tainted, Checking, Replaced)]
        Tainted {
            /// When that was said.
            at: Timestamp,
            /// Why.
            reason: String,
        },
        /// Another instance is the current one of its reference.
        #[terminal]
        Replaced,
    }

    /// One run of a job, in its own process.
    #[entity]
    pub struct JobRun {
        /// A description for people: the partition that it was started for.
        pub label: String,
        /// How often the job was tried for this instance of its partition, with this time. 0 if an earlier databuild did not count it.
        #[default(0u32)]
        pub attempt: u32,
        /// The version of its job. Empty if an earlier databuild did not record it.
        #[default("")]
        pub version: String,
        /// The partitions that it builds.
        pub builds: Many<Partition>,
        /// The partitions that it read.
        pub reads: Many<Partition>,
        /// The wants that it serves.
        pub services: Many<Want>,
        /// The wants for the partitions that it missed.
        #[inverse(Want::asked_by)]
        pub asks: Many<Want>,
    }
    /// The lifecycle of a run.
    #[states(JobRun)]
    pub enum JobRunState {
        /// It has a directory; its process is about to start.
        #[initial]
        #[to(Running, Failed, Lost, Canceled)]
        Queued,
        /// Its process runs.
        #[to(Succeeded, Failed, DepMiss, Lost, Canceled)]
        Running {
            /// The id of the process.
            pid: u32,
        },
        /// It built its partitions.
        #[terminal]
        Succeeded {
            /// When it succeeded.
            at: Timestamp,
        },
        /// It ended with an error.
        #[terminal]
        Failed {
            /// The exit status, or 128 plus the number of the signal that ended it.
            exit: i32,
            /// The error, with the end of what the run wrote to stderr.
            reason: String,
        },
        /// It ended because partitions that it needs were missing.
        #[terminal]
        DepMiss,
        /// databuild ended while it ran. Its result is unknown, and its output is not used.
        #[terminal]
        Lost,
        /// It was ended because no open want needed its partitions any more.
        #[terminal]
        Canceled,
    }

    /// A request for partitions, by a person or by a run that missed them.
    #[entity]
    pub struct Want {
        /// Where the request came from, unless a run or a partition made it: `command line` or `daemon`. Empty if an earlier databuild did not record it.
        #[default("")]
        pub source: String,
        /// What the want is for, as its creator described it. May be empty.
        #[default("")]
        pub comment: String,
        /// Wants with a higher priority are served first.
        #[default(0i32)]
        pub priority: i32,
        /// When it expires, if it has not ended by then.
        #[default]
        pub deadline: Option<Timestamp>,
        /// The time that was promised for it (its service level agreement).
        #[default]
        pub sla: Option<Timestamp>,
        /// The same, until it was late.
        #[default]
        pub alarm: Option<Timestamp>,
        /// Whether it had not ended at the promised time.
        #[default(false)]
        pub late: bool,
        /// The requested partitions.
        #[edge(min = 1)]
        pub partitions: Many<PartitionRef>,
        /// The current instances of these, as long as it is open.
        pub awaits: Many<Partition>,
        /// The run that missed these partitions, if one did.
        pub asked_by: Option<JobRun>,
        /// The partition whose job declares these as inputs, or that had read them before it was stale, if there is one. A person wants what
        /// neither has asked for.
        pub asked_for: Option<Partition>,
        /// The runs that serve it.
        #[inverse(JobRun::services)]
        pub serviced_by: Many<JobRun>,
    }
    /// The lifecycle of a want, which is a function of its partitions; see the immediate events below.
    #[states(Want)]
    pub enum WantState {
        /// Just created; it leaves this state in the same step.
        #[initial]
        #[to(
            Idle,
            Building,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled,
            Expired
        )]
        New,
        /// No run serves it yet.
        #[to(
            Building,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled,
            Expired
        )]
        Idle,
        /// One of its partitions is being built.
        #[to(
            Idle,
            UpstreamBuilding,
            Successful,
            Failed,
            UpstreamFailed,
            Canceled,
            Expired
        )]
        Building,
        /// One of its partitions waits for others, and none is being built.
        #[to(Idle, Building, Successful, Failed, UpstreamFailed, Canceled, Expired)]
        UpstreamBuilding,
        /// All its partitions were live at the same time.
        #[terminal]
        Successful,
        /// All its partitions ended, and one of them failed.
        #[terminal]
        Failed,
        /// All its partitions ended, and one of them waited for one that failed.
        #[terminal]
        UpstreamFailed,
        /// A person canceled it, or what asked for it does not wait for it any more.
        #[terminal]
        Canceled,
        /// It had not ended at its deadline.
        #[terminal]
        Expired,
    }

    /// A person wants partitions.
    #[event]
    #[create(want: Want { source, comment, priority, deadline, sla, alarm = sla })]
    #[link(want.partitions += partitions)]
    #[link(want.awaits += partitions.current)]
    pub struct WantCreated {
        /// The partitions, which are created if they are not known.
        pub partitions: Vec<Ensure<PartitionRef>>,
        /// Where the request came from: `command line` or `daemon`.
        #[default("")]
        pub source: String,
        /// What they are for.
        #[default("")]
        pub comment: String,
        /// Wants with a higher priority are served first.
        #[default(0i32)]
        pub priority: i32,
        /// When the want expires.
        #[default]
        pub deadline: Option<Timestamp>,
        /// The time that is promised for it.
        #[default]
        pub sla: Option<Timestamp>,
    }

    /// A partition that is stale or tainted, or has failed, is to be built again: a new instance takes its place. Whatever waits for it waits for
    /// the new one.
    #[event]
    #[create(next: Partition)]
    #[link(next.of += partition.of)]
    #[link(next.replaces += partition)]
    #[relink(partition.of.current += next)]
    #[link(partition.awaited_by.awaits += next)]
    #[unlink(partition.awaited_by.awaits -= partition)]
    #[link(partition.downstreams.upstreams += next)]
    #[unlink(partition.downstreams.upstreams -= partition)]
    #[unlink(partition.inputs -= partition.inputs)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: Stale | Tainted | Failed | UpstreamFailed -> Replaced)]
    pub struct PartitionReplaced {
        /// The partition.
        pub partition: Partition,
    }

    /// A want is not needed any more. Immediate events end what only it needs: partitions that wait for others do not wait any more, and the
    /// wants for these are not needed either.
    #[event]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Canceled)]
    pub struct WantCanceled {
        /// The want.
        pub want: Want,
    }

    /// The deadline of a want has passed, which ends it as if it were canceled.
    #[event]
    #[due(want.deadline)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Expired)]
    pub struct WantExpired {
        /// The want.
        pub want: Want,
    }

    /// A want has not ended at the time that was promised for it. It goes on.
    #[event]
    #[due(want.alarm)]
    #[when(all want in New | Idle | Building | UpstreamBuilding)]
    #[set(want.alarm = None)]
    #[set(want.late = true)]
    pub struct WantLate {
        /// The want.
        pub want: Want,
    }

    /// A run is queued to build partitions. It replaces their earlier run; the inputs of the partitions are dropped.
    #[event]
    #[create(run: JobRun { label, attempt, version })]
    #[link(run.services += wants)]
    #[unlink(partitions.inputs -= partitions.inputs)]
    #[relink(run.builds += partitions)]
    #[moves(each partitions: Missing | UpForRetry -> Building)]
    pub struct JobQueued {
        /// The label of the run.
        pub label: String,
        /// How often the job was tried for these instances, with this time.
        #[default(0u32)]
        pub attempt: u32,
        /// The version of the job.
        #[default("")]
        pub version: String,
        /// The partitions to build.
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
        /// The id of its process.
        pub pid: u32,
    }

    /// A run succeeded: its partitions are live.
    #[event]
    #[link(run.reads += reads)]
    #[link(run.builds.inputs += inputs)]
    #[set(run.builds.content = content)]
    #[moves(run: Running -> Succeeded { at = meta.time })]
    #[moves(each run.builds: Building -> Live { at = meta.time, digest, expires })]
    pub struct JobSucceeded {
        /// The run.
        pub run: JobRun<Running>,
        /// The digest of what the content is a function of.
        pub digest: String,
        /// The partitions that it read.
        pub reads: Vec<Partition>,
        /// Those of them that the content is made from.
        pub inputs: Vec<Partition>,
        /// A hash of what the run made.
        #[default("")]
        pub content: String,
        /// When the time to live of its partitions ends.
        #[default]
        pub expires: Option<Timestamp>,
    }

    /// A run ended because it needs partitions that are not live. These are wanted, and the partitions of the run wait for them.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += missed)]
    #[link(want.awaits += missed.current)]
    #[link(want.asked_by += run)]
    #[link(run.reads += reads)]
    #[link(run.builds.inputs += inputs)]
    #[link(run.builds.missed += missed)]
    #[link(run.builds.upstreams += missed.current)]
    #[moves(run: Running -> DepMiss)]
    #[moves(each run.builds: Building -> UpstreamBuilding)]
    pub struct DepMissed {
        /// The run.
        pub run: JobRun<Running>,
        /// The partitions that it missed, which are created if they are not known.
        pub missed: Vec<Ensure<PartitionRef>>,
        /// The partitions that it read.
        pub reads: Vec<Partition>,
        /// Those of them that determine what it missed.
        pub inputs: Vec<Partition>,
    }

    /// A partition needs others that are not live, as its job declares, so it waits for them before a run begins.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += missed)]
    #[link(want.awaits += missed.current)]
    #[link(want.asked_for += partition)]
    #[link(partition.missed += missed)]
    #[link(partition.upstreams += missed.current)]
    #[moves(partition: Missing | UpForRetry -> UpstreamBuilding)]
    pub struct InputsNeeded {
        /// The partition.
        pub partition: Partition,
        /// The inputs that are not live, which are created if they are not known.
        pub missed: Vec<Ensure<PartitionRef>>,
    }

    /// A run ended with an error, or could not be started.
    #[event]
    #[link(run.reads += inputs)]
    #[link(run.builds.inputs += inputs)]
    #[moves(run: Queued | Running -> Failed { exit, reason })]
    #[moves(each run.builds: Building -> Failed { reason, digest, again })]
    pub struct JobFailed {
        /// The run.
        pub run: JobRun,
        /// Its exit status.
        pub exit: i32,
        /// The error.
        pub reason: String,
        /// The digest of what the content would be a function of, if the run told it.
        pub digest: Option<String>,
        /// Whether the next databuild builds the partitions again.
        #[default(true)]
        pub again: bool,
        /// The partitions that it read and that the content would be made from.
        #[default]
        pub inputs: Vec<Partition>,
    }

    /// A run ended with an error, and the job is run again after a time.
    #[event]
    #[moves(run: Queued | Running -> Failed { exit, reason })]
    #[moves(each run.builds: Building -> Backoff { until = meta.time + wait })]
    pub struct AttemptFailed {
        /// The run.
        pub run: JobRun,
        /// Its exit status.
        pub exit: i32,
        /// The error.
        pub reason: String,
        /// The time.
        pub wait: Duration,
    }

    /// The time before a job is run again is over. databuild also measures it with a monotonic clock, in case the wall clock is set back, and ends it
    /// when it starts.
    #[event]
    #[due(partition.Backoff.until)]
    #[moves(partition: Backoff -> UpForRetry)]
    pub struct BackoffEnded {
        /// The partition.
        pub partition: Partition,
    }

    /// The databuild process that started a run has ended, so the result of the run is unknown.
    #[event]
    #[moves(run: Queued | Running -> Lost)]
    #[moves(each run.builds: Building -> UpForRetry)]
    pub struct RunLost {
        /// The run.
        pub run: JobRun,
    }

    /// The process of a run was ended, because no open want needs its partitions any more.
    #[event]
    #[moves(run: Queued | Running -> Canceled)]
    #[moves(each run.builds: Building -> UpForRetry)]
    pub struct RunCanceled {
        /// The run.
        pub run: JobRun,
    }

    /// The digests of partitions have changed since the partitions were built, or since their runs failed. They have to be built again.
    #[event]
    #[unlink(partitions.missed -= partitions.missed)]
    #[unlink(partitions.upstreams -= partitions.upstreams)]
    #[moves(each partitions: Live | Failed | Stale | Checking -> Stale { by_inputs = false, digest = "", expires = None })]
    pub struct SourcesChanged {
        /// The partitions.
        pub partitions: Vec<Partition>,
    }

    /// A person has said that the data of partitions is wrong.
    #[event]
    #[unlink(partitions.missed -= partitions.missed)]
    #[unlink(partitions.upstreams -= partitions.upstreams)]
    #[moves(each partitions: Live | Stale | Checking | Tainted -> Tainted { at = meta.time, reason })]
    pub struct PartitionsTainted {
        /// The partitions.
        pub partitions: Vec<Partition>,
        /// Why.
        pub reason: String,
    }

    /// The time to live of a partition has passed.
    #[event]
    #[due(partition.Live.expires)]
    #[moves(partition: Live -> Stale { by_inputs = false, digest = "", expires = None })]
    pub struct TtlPassed {
        /// The partition.
        pub partition: Partition,
    }

    /// The time to live of a partition has passed that was stale because of its inputs, so it is not live again without a run.
    #[event]
    #[due(partition.Stale.expires)]
    #[moves(partition: Stale -> Stale { by_inputs = false, digest = "", expires = None })]
    pub struct TtlPassedWhileStale {
        /// The partition.
        pub partition: Partition,
    }

    /// A stale partition is to be live again, and what it was made from is not live, so that is built before.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += inputs)]
    #[link(want.awaits += inputs.current)]
    #[link(want.asked_for += partition)]
    #[link(partition.missed += inputs)]
    #[link(partition.upstreams += inputs.current)]
    #[moves(partition: Stale -> Checking { by_inputs = partition.Stale.by_inputs, digest = partition.Stale.digest, expires = partition.Stale.expires, tainted = false, since = meta.time, reason = "" })]
    pub struct CheckBegun {
        /// The partition.
        pub partition: Partition,
        /// The references of what it was made from, or had read, and that is not live.
        pub inputs: Vec<PartitionRef>,
    }

    /// A tainted partition is to be built again, and what it was made from is not live, so that is built before.
    #[event]
    #[create(want: Want)]
    #[link(want.partitions += inputs)]
    #[link(want.awaits += inputs.current)]
    #[link(want.asked_for += partition)]
    #[link(partition.missed += inputs)]
    #[link(partition.upstreams += inputs.current)]
    #[moves(partition: Tainted -> Checking { by_inputs = false, digest = "", expires = None, tainted = true, since = partition.Tainted.at, reason = partition.Tainted.reason })]
    pub struct CheckOfTaintedBegun {
        /// The partition.
        pub partition: Partition,
        /// The references of what it was made from, or had read, and that is not live.
        pub inputs: Vec<PartitionRef>,
    }

    /// The content of each of its inputs is what the partition was made from, so the partition is up to date without a run.
    #[event]
    #[guard(crate::rules::contents_are_the_same)]
    #[when(partition.Stale.by_inputs == true)]
    #[when(all inputs in Live)]
    #[unlink(partition.inputs -= partition.inputs)]
    #[link(partition.inputs += inputs)]
    #[moves(partition: Stale -> Live { at = meta.time, digest = partition.Stale.digest, expires = partition.Stale.expires })]
    pub struct ContentKept {
        /// The partition.
        pub partition: Partition,
        /// The current instances of its inputs, which later staleness comes from.
        pub inputs: Vec<Partition>,
    }

    // The immediate events. Those of references come first, then those of partitions, so that wants follow the final states of
    // partitions.

    /// A new reference gets its first instance.
    #[immediate]
    #[create(partition: Partition)]
    #[link(partition.of += reference)]
    #[link(reference.current += partition)]
    #[link(reference.wanted_by.awaits += partition)]
    #[link(reference.missed_by.upstreams += partition)]
    #[moves(reference: New -> Known)]
    pub struct ReferenceWanted {
        /// The reference.
        pub reference: PartitionRef,
    }

    /// One of its inputs is stale or tainted, so it becomes stale, to any depth.
    #[immediate]
    #[when(any partition.inputs in Stale | Checking | Tainted)]
    #[moves(partition: Live -> Stale { by_inputs = true, digest = partition.Live.digest, expires = partition.Live.expires })]
    pub struct InputWentStale {
        /// The partition.
        pub partition: Partition,
    }

    /// What its run had read before it failed is stale, so it may be built now.
    #[immediate]
    #[when(any partition.inputs in Stale | Checking | Tainted)]
    #[moves(partition: Failed -> Stale { by_inputs = false, digest = "", expires = None })]
    pub struct InputOfFailedWentStale {
        /// The partition.
        pub partition: Partition,
    }

    /// A partition that determined what the run missed is stale, so the run has to be repeated.
    #[immediate]
    #[when(any partition.inputs in Stale | Checking | Tainted)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding | UpstreamFailed -> UpForRetry)]
    pub struct QuestionWentStale {
        /// The partition.
        pub partition: Partition,
    }

    /// No open want needs it any more, so it does not wait.
    #[immediate]
    #[when(count partition.awaited_by == 0)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct WaitingWasNeedless {
        /// The partition.
        pub partition: Partition,
    }

    /// No open want needs it any more, so it is not checked.
    #[immediate]
    #[when(partition.Checking.tainted == false)]
    #[when(count partition.awaited_by == 0)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: Checking -> Stale { by_inputs = partition.Checking.by_inputs, digest = partition.Checking.digest, expires = partition.Checking.expires })]
    pub struct CheckWasNeedless {
        /// The partition.
        pub partition: Partition,
    }

    /// No open want needs it any more, so it is not checked and stays tainted.
    #[immediate]
    #[when(partition.Checking.tainted == true)]
    #[when(count partition.awaited_by == 0)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: Checking -> Tainted { at = partition.Checking.since, reason = partition.Checking.reason })]
    pub struct CheckOfTaintedWasNeedless {
        /// The partition.
        pub partition: Partition,
    }

    /// What it waits for has ended. Whether it is live again or is built depends on the contents.
    #[immediate]
    #[when(partition.Checking.tainted == false)]
    #[when(all partition.upstreams in Live | Failed | UpstreamFailed)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: Checking -> Stale { by_inputs = partition.Checking.by_inputs, digest = partition.Checking.digest, expires = partition.Checking.expires })]
    pub struct CheckEnded {
        /// The partition.
        pub partition: Partition,
    }

    /// What it waits for has ended. It is built now, because it is tainted.
    #[immediate]
    #[when(partition.Checking.tainted == true)]
    #[when(all partition.upstreams in Live | Failed | UpstreamFailed)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: Checking -> Tainted { at = partition.Checking.since, reason = partition.Checking.reason })]
    pub struct CheckOfTaintedEnded {
        /// The partition.
        pub partition: Partition,
    }

    /// All missed partitions are live.
    #[immediate]
    #[when(all partition.upstreams in Live)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamBuilding -> UpForRetry)]
    pub struct UpstreamsLive {
        /// The partition.
        pub partition: Partition,
    }

    /// All missed partitions have ended, and one of them has failed. Until then it waits, so that the others are built, and one that
    /// failed may be built again.
    #[immediate]
    #[when(all partition.upstreams in Live | Failed | UpstreamFailed)]
    #[when(any partition.upstreams in Failed | UpstreamFailed)]
    #[moves(partition: UpstreamBuilding -> UpstreamFailed)]
    pub struct UpstreamWentWrong {
        /// The partition.
        pub partition: Partition,
    }

    /// What had failed is to be built again, and nothing else that it missed has failed.
    #[immediate]
    #[when(none partition.upstreams in Failed | UpstreamFailed)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
    #[moves(partition: UpstreamFailed -> UpForRetry)]
    pub struct FailureForgotten {
        /// The partition.
        pub partition: Partition,
    }

    // An open want is in the state of the first of these events whose conditions hold. The first three end it, when all of its
    // partitions have ended: a failure does not keep the others from being built. Two more end it because it is needless. The conditions
    // of the others are mutually exclusive, so that they cannot form a cycle.

    /// All of its partitions have ended, and one of them failed.
    #[immediate]
    #[when(all want.awaits in Live | Failed | UpstreamFailed)]
    #[when(any want.awaits in Failed)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Failed)]
    pub struct WantFailed {
        /// The want.
        pub want: Want,
    }

    /// All of its partitions have ended, none of them failed, and one waited for one that did.
    #[immediate]
    #[when(all want.awaits in Live | Failed | UpstreamFailed)]
    #[when(any want.awaits in UpstreamFailed)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> UpstreamFailed)]
    pub struct WantUpstreamFailed {
        /// The want.
        pub want: Want,
    }

    /// All of its partitions are live.
    #[immediate]
    #[when(all want.awaits in Live)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Successful)]
    pub struct WantSatisfied {
        /// The want.
        pub want: Want,
    }

    /// A run asked for it, and what that run builds does not wait any more.
    #[immediate]
    #[when(any want.asked_by in DepMiss)]
    #[when(none want.asked_by.builds in UpstreamBuilding)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Canceled)]
    pub struct WantWasNeedless {
        /// The want.
        pub want: Want,
    }

    /// It is for inputs that a job declares or that a stale partition had, and the partition does not wait any more.
    #[immediate]
    #[when(any want.asked_for in Missing | Building | Live | Failed | Backoff | UpForRetry | UpstreamFailed | Stale | Tainted | Replaced)]
    #[unlink(want.awaits -= want.awaits)]
    #[moves(want: New | Idle | Building | UpstreamBuilding -> Canceled)]
    pub struct InputsWereNeedless {
        /// The want.
        pub want: Want,
    }

    /// One of its partitions is being built.
    #[immediate]
    #[when(any want.awaits in Building)]
    #[moves(want: New | Idle | UpstreamBuilding -> Building)]
    pub struct WantBuilding {
        /// The want.
        pub want: Want,
    }

    /// None is being built, and one waits for others.
    #[immediate]
    #[when(none want.awaits in Building)]
    #[when(any want.awaits in UpstreamBuilding | Checking)]
    #[moves(want: New | Idle | Building -> UpstreamBuilding)]
    pub struct WantWaits {
        /// The want.
        pub want: Want,
    }

    /// Some of its partitions are not live, and none is being built or waits for others.
    #[immediate]
    #[when(none want.awaits in Building | UpstreamBuilding | Checking)]
    #[moves(want: New | Building | UpstreamBuilding -> Idle)]
    pub struct WantIdle {
        /// The want.
        pub want: Want,
    }

    /// A partition in `Building` has a run that has not ended.
    #[invariant(Partition, via = [built_by], crate::rules::building_means_an_unfinished_run)]
    pub struct BuildingHasARun;

    /// A partition in `Live` has a run that succeeded.
    #[invariant(Partition, via = [built_by], crate::rules::live_means_a_run_that_succeeded)]
    pub struct LiveWasBuilt;

    /// A partition in `UpstreamBuilding` or `Checking` has an upstream partition.
    #[invariant(Partition, via = [upstreams], crate::rules::waiting_means_something_missed)]
    pub struct WaitingHasACause;
}

#[cfg(test)]
mod tests;
