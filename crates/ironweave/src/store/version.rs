//! Versions: immutable values of a whole graph, each with the place in its log at which it stands. Snapshots, keyframes
//! and the beginning of a store are versions.

use std::sync::Arc;

use crate::base::position::{Position, Seq};
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::step::plan::Plan;

/// Where a graph stands in its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// The last frame in it.
    pub seq: Option<Seq>,
    /// The time of the last transaction.
    pub time: Timestamp,
    /// The position of the last frame; none if no log has it, because it was only tried or no log is kept.
    pub position: Option<Position>,
}

impl At {
    /// The sequence of the next frame.
    pub(crate) fn next(self) -> Seq {
        self.seq.map_or(Seq::ZERO, |seq| seq + 1)
    }
}

/// A value of the graph, without the type of its model.
pub(crate) struct Version {
    pub plan: Arc<Plan>,
    pub graph: Graph<Paged>,
    pub at: At,
    /// Whether its store is paranoid.
    pub paranoid: bool,
    /// Shared by a store and the stores that begin at its snapshots, and by no others.
    pub lineage: u64,
}
