//! Versions: immutable values of a whole graph, each with the last frame that it contains. Snapshots, keyframes and the
//! beginning of a store are versions.

use std::sync::Arc;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::step::epoch;
use crate::step::plan::Plan;
use crate::store::{Epochs, bad_frame};

/// The last frame and transaction that a graph contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// The last frame.
    pub seq: Option<Seq>,
    /// The time of the last transaction.
    pub time: Timestamp,
    /// The position of the last frame. `None` if no log has the frame, because it is speculative or the store has no log.
    pub position: Option<Position>,
}

impl At {
    /// Returns the sequence number of the next frame.
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
    /// A number that a store shares with the stores that begin at its snapshots, and with no others.
    pub lineage: u64,
}

impl Version {
    /// Returns this version after it has entered the epochs that begin after its frame, up to and including the frame `until`. It
    /// is unchanged unless the model is read from the log.
    pub(crate) fn entered(
        self: &Arc<Self>,
        epochs: &Epochs,
        until: Seq,
    ) -> Result<Arc<Self>, StorageError> {
        let mut version = Arc::clone(self);
        for (seq, plan) in epochs.begun(self.at.seq, until) {
            let mut graph = version.graph.fork();
            // The fingerprint was compared when the store read the frame.
            epoch::enter(&mut graph, plan, None).map_err(|e| bad_frame(seq, e))?;
            version = Arc::new(Self {
                plan: Arc::clone(plan),
                graph,
                ..*version
            });
        }
        Ok(version)
    }

    /// Returns a version of the same store with another graph.
    pub(crate) fn with_graph(&self, graph: Graph<Paged>, at: At) -> Arc<Self> {
        Arc::new(Self {
            plan: Arc::clone(&self.plan),
            graph,
            at,
            paranoid: self.paranoid,
            lineage: self.lineage,
        })
    }
}
