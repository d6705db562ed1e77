//! The graph at a point in the past: the last keyframe before that point, with the facts between the two applied.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::log::{Frame, FrameKind, Frames};
use crate::snapshot::keyframes::{Keyframes, SPACING};
use crate::snapshot::replica::Replica;
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::version::{At, Version};
use crate::store::view::LogView;
use crate::store::{Epochs, bad_frame};

/// A point in the past: after a frame of the log, or at a time. [`Store::as_of`](crate::Store::as_of) accepts a [`Seq`], an
/// integer, a [`Position`] or a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// After the frame with this sequence.
    Seq(Seq),
    /// After the frame at this position.
    Position(Position),
    /// After the last transaction that has this time or an earlier one.
    Time(Timestamp),
}

impl From<Seq> for AsOf {
    fn from(seq: Seq) -> Self {
        Self::Seq(seq)
    }
}

impl From<u64> for AsOf {
    fn from(number: u64) -> Self {
        Self::Seq(Seq::new(number))
    }
}

impl From<Position> for AsOf {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Timestamp> for AsOf {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl AsOf {
    /// Returns whether a version at `at` is not later than this point.
    fn includes(self, at: At) -> bool {
        match self {
            Self::Seq(seq) => at.seq <= Some(seq),
            Self::Position(position) => at.seq <= Some(position.seq()),
            Self::Time(time) => at.time <= time,
        }
    }
}

/// A query of the graph in the past: the log, and the versions in memory.
pub(super) struct PastQuery<'a> {
    pub view: &'a LogView<'a>,
    pub keyframes: &'a Keyframes,
    /// The replica, if there is one.
    pub replica: Option<&'a Replica>,
}

impl PastQuery<'_> {
    /// Returns the graph at a point in the past; see [`Store::as_of`](crate::Store::as_of).
    pub(super) fn as_of(&self, when: AsOf) -> Result<Arc<Version>, ReadError> {
        self.admit(when)
            .and_then(|when| self.version(when))
            .map_err(|e| e.map_storage(|e| self.view.place(e)))
    }

    fn version(&self, when: AsOf) -> Result<Arc<Version>, ReadError> {
        self.keyframes.enable();
        let keyframe = || {
            // Other threads make keyframes of frames that are written after this view, and may not be shown yet.
            let is_in_view = |at: At| at.next() <= self.view.next();
            let may = |at: At| when.includes(at) && is_in_view(at);
            let found = self.keyframes.last(may);
            found.map(|version| (version.at.seq.map(AsOf::Seq) == Some(when), version))
        };
        let mut found = keyframe();
        if let (None | Some((false, _)), Some(replica)) = (&found, self.replica) {
            // Updating the replica makes keyframes of the last frames.
            drop(replica.newest_acknowledged());
            found = keyframe();
        }
        let start = match found {
            Some((true, version)) => return Ok(version),
            Some((false, version)) => version,
            None => self.beginning(when)?,
        };
        let frames = self.view.frames(start.at.next())?;
        let version = replay_until(start, when, frames, &self.view.epochs, self.keyframes)?;
        Ok(version)
    }

    /// Returns an error for a point after the end of the log. Otherwise, returns the point, with a sequence instead of a position.
    fn admit(&self, when: AsOf) -> Result<AsOf, ReadError> {
        match when {
            AsOf::Seq(seq) => self.view.admit(seq.into()).map(AsOf::Seq),
            AsOf::Position(position) => self.view.admit(position.into()).map(AsOf::Seq),
            AsOf::Time(time) => {
                // Transactions with explicit times may be ahead of the clock.
                let (last, now) = (self.view.time, self.view.plan.clock.now());
                if time <= last.max(now) {
                    return Ok(when);
                }
                Err(ReadError::NotYet { time, last, now })
            }
        }
    }

    /// Returns the version before the first frame of the log: an empty graph, or the snapshot that the store began at.
    fn beginning(&self, when: AsOf) -> Result<Arc<Version>, ReadError> {
        let view = self.view;
        match &view.base {
            Some(base) if when.includes(base.at) => Ok(Arc::clone(base)),
            Some(base) => Err(match when {
                AsOf::Seq(seq) => view.unknown(seq),
                AsOf::Position(position) => view.unknown(position.seq()),
                AsOf::Time(time) => ReadError::BeforeBeginningAt {
                    time,
                    beginning: base.at.time,
                },
            }),
            None => Ok(Arc::new(Version {
                plan: Arc::clone(&view.plan),
                graph: flat::empty(&view.plan),
                at: At::default(),
                paranoid: view.paranoid,
                lineage: view.lineage,
            })),
        }
    }
}

/// Applies the following frames to a version, up to `when`. Keeps the result as a keyframe, and one version in each
/// [`SPACING`] frames.
fn replay_until(
    start: Arc<Version>,
    when: AsOf,
    frames: Frames<'_>,
    epochs: &Epochs,
    keyframes: &Keyframes,
) -> Result<Arc<Version>, StorageError> {
    let mut core = Core::new(start.graph.fork());
    let (mut at, mut facts) = (start.at, Facts::default());
    let mut plan = Arc::clone(&start.plan);
    let keep = |core: &Core<_>, plan: &Arc<Plan>, at| {
        let version = Arc::new(Version {
            plan: Arc::clone(plan),
            graph: core.graph.fork(),
            at,
            ..*start
        });
        keyframes.keep(Arc::clone(&version));
        version
    };
    for frame in frames {
        let Frame {
            header,
            payload,
            position,
        } = frame?;
        let seq = header.seq;
        let mut after = At {
            seq: Some(seq),
            position: Some(position),
            ..at
        };
        if !when.includes(after) {
            break;
        }
        for (_, own) in epochs.begun(seq.checked_sub(1), seq) {
            epoch::enter(&mut core.graph, own, Some(header.fingerprint))
                .map_err(|e| bad_frame(seq, e))?;
            plan = Arc::clone(own);
        }
        if header.kind == FrameKind::Transaction {
            let decoded = epochs.decode_facts(seq, &payload, facts)?;
            after.time = decoded.time;
            if !when.includes(after) {
                break;
            }
            core.replay(&decoded.facts, header.fingerprint)
                .map_err(|e| bad_frame(seq, e))?;
            facts = decoded.facts;
        }
        at = after;
        if seq.get().is_multiple_of(SPACING) {
            keep(&core, &plan, at);
        }
    }
    if at == start.at {
        return Ok(start);
    }
    Ok(keep(&core, &plan, at))
}
