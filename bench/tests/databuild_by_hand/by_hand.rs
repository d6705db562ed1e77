//! databuild's domain by hand, as it is written today: one `step` over B-trees, with every index kept by hand.
//!
//! The states, edges and events are those of databuild's `model.rs`, and so is what they set off. An event is
//! judged whole before anything changes, since nothing here can be taken back. What follows from a change is worked
//! out at its end, in phases whose order matters (`step.rs`).
//!
//! What keeps it right is discipline alone:
//! - a state changes only in `set_partition`, `set_run` and `set_want`, which move the id between the sets by state;
//! - whatever writes one end of an edge writes the other in the same function;
//! - whatever changes what a partition is, or what it waits for, is put into `changed`.

mod step;

use std::collections::{BTreeMap, BTreeSet};

/// A number per kind of thing, in the order of creation.
pub type PartitionId = u32;
/// See [`PartitionId`].
pub type RunId = u32;
/// See [`PartitionId`].
pub type WantId = u32;

/// Where a partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionState {
    Missing,
    Building,
    Live { at: u64, digest: String },
    Failed { reason: String },
    UpstreamBuilding,
    UpForRetry,
    UpstreamFailed,
    Stale,
}

/// The same without its data, for the sets by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartitionKind {
    Missing,
    Building,
    Live,
    Failed,
    UpstreamBuilding,
    UpForRetry,
    UpstreamFailed,
    Stale,
}

impl PartitionState {
    pub fn kind(&self) -> PartitionKind {
        match self {
            Self::Missing => PartitionKind::Missing,
            Self::Building => PartitionKind::Building,
            Self::Live { .. } => PartitionKind::Live,
            Self::Failed { .. } => PartitionKind::Failed,
            Self::UpstreamBuilding => PartitionKind::UpstreamBuilding,
            Self::UpForRetry => PartitionKind::UpForRetry,
            Self::UpstreamFailed => PartitionKind::UpstreamFailed,
            Self::Stale => PartitionKind::Stale,
        }
    }
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    Queued,
    Running { pid: u32 },
    Succeeded { at: u64 },
    Failed { exit: i32, reason: String },
    DepMiss,
    Lost,
}

/// The same without its data, for the sets by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKind {
    Queued,
    Running,
    Succeeded,
    Failed,
    DepMiss,
    Lost,
}

impl RunState {
    pub fn kind(&self) -> RunKind {
        match self {
            Self::Queued => RunKind::Queued,
            Self::Running { .. } => RunKind::Running,
            Self::Succeeded { .. } => RunKind::Succeeded,
            Self::Failed { .. } => RunKind::Failed,
            Self::DepMiss => RunKind::DepMiss,
            Self::Lost => RunKind::Lost,
        }
    }
}

/// Where a want stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WantState {
    Idle,
    Building,
    UpstreamBuilding,
    Successful,
    Failed,
    UpstreamFailed,
    Canceled,
}

impl WantState {
    pub fn is_open(self) -> bool {
        matches!(self, Self::Idle | Self::Building | Self::UpstreamBuilding)
    }
}

/// A named piece of data, with this end of its six edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    pub state: PartitionState,
    pub built_by: Option<RunId>,
    pub wanted_by: BTreeSet<WantId>,
    pub read_by: BTreeSet<RunId>,
    pub inputs: BTreeSet<PartitionId>,
    pub outputs: BTreeSet<PartitionId>,
    pub upstreams: BTreeSet<PartitionId>,
    pub downstreams: BTreeSet<PartitionId>,
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub label: String,
    pub state: RunState,
    pub builds: BTreeSet<PartitionId>,
    pub reads: BTreeSet<PartitionId>,
    pub services: BTreeSet<WantId>,
    pub asks: BTreeSet<WantId>,
}

/// Somebody wants partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    pub state: WantState,
    pub partitions: BTreeSet<PartitionId>,
    pub asked_by: Option<RunId>,
    pub serviced_by: BTreeSet<RunId>,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    WantCreated {
        partitions: Vec<String>,
    },
    JobQueued {
        label: String,
        partitions: Vec<PartitionId>,
        wants: Vec<WantId>,
    },
    JobStarted {
        run: RunId,
        pid: u32,
    },
    JobSucceeded {
        run: RunId,
        digest: String,
        reads: Vec<PartitionId>,
        inputs: Vec<PartitionId>,
    },
    DepMissed {
        run: RunId,
        missed: Vec<String>,
        reads: Vec<PartitionId>,
        inputs: Vec<PartitionId>,
    },
    JobFailed {
        run: RunId,
        exit: i32,
        reason: String,
    },
    RunLost {
        run: RunId,
    },
    SourcesChanged {
        partitions: Vec<PartitionId>,
    },
    PartitionsRetried {
        partitions: Vec<PartitionId>,
    },
}

/// Why an event did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It names something that is not there.
    Unknown,
    /// It names the same thing twice.
    Repeated,
    /// Something is not in the state that it needs.
    NotInState,
    /// A want for nothing.
    Empty,
    /// Partitions would wait for each other in a cycle.
    Cycle,
}

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databuild {
    pub partitions: BTreeMap<PartitionId, Partition>,
    pub runs: BTreeMap<RunId, Run>,
    pub wants: BTreeMap<WantId, Want>,
    pub by_name: BTreeMap<String, PartitionId>,
    pub partitions_by_state: BTreeMap<PartitionKind, BTreeSet<PartitionId>>,
    pub runs_by_state: BTreeMap<RunKind, BTreeSet<RunId>>,
    pub wants_by_state: BTreeMap<WantState, BTreeSet<WantId>>,
}
