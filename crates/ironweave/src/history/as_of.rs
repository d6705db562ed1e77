//! The graph at a point in the past: the last keyframe or checkpoint before that point, with the facts between the two applied.

mod far;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use parse::ParseAsOfError;

use crate::base::error::ReadError;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::log::{Frame, FrameKind};
use crate::snapshot::keyframes::{Keyframes, SPACING};
use crate::snapshot::replica::Replica;
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::bad_frame;
use crate::store::checkpoint::read::{Loaded, Loader};
use crate::store::version::{At, Version};
use crate::store::view::LogView;

/// A checkpoint is read if it is at least so many frames nearer than a version in memory: it takes O(size of the graph).
const CHECKPOINT_FRAMES: u64 = if cfg!(test) { 64 } else { 1 << 12 };

/// A point in the past: after a frame of the log, or at a time. [`Store::as_of`](crate::Store::as_of) accepts a [`Seq`], an
/// integer, a [`Position`] or a [`Timestamp`]. A text is parsed as a sequence number, a time or a day, of which the first moment is
/// meant: `42`, `2026-11-28T12:00:00Z`, `2026-11-28`.
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
        let segments = self.view.log().segments();
        let kept = segments.map_or(Seq::ZERO, |log| log.kept());
        let start = match self.checkpoint(&start, when) {
            Some(version) => version,
            None if start.at.next() < kept => return Err(self.dropped(when, kept).into()),
            None => start,
        };
        let until = match when {
            AsOf::Seq(seq) => (seq + 1).min(self.view.next()),
            AsOf::Position(_) => self.view.next(),
            AsOf::Time(time) => far::first_after(self.view, time, start.at.next())?,
        };
        let start = far::approach((self.view, self.keyframes), start, until)?;
        Ok(replay_until(
            start,
            (when, until),
            self.view,
            self.keyframes,
        )?)
    }

    /// Returns the version of the last checkpoint before a point in the past, if it is at least [`CHECKPOINT_FRAMES`] frames
    /// nearer to the point than another version.
    fn checkpoint(&self, start: &Version, when: AsOf) -> Option<Arc<Version>> {
        let view = self.view;
        let left = view.log().segments().map_or(Seq::ZERO, |log| log.left());
        if view.epochs.are_of_the_log() && left == Seq::ZERO {
            return None;
        }
        let worth = match start.at.next() {
            // Any checkpoint is better than an archive.
            next if next < left => next,
            next => next.saturating_add(CHECKPOINT_FRAMES),
        };
        if worth >= view.next() || matches!(when, AsOf::Seq(seq) if seq < worth) {
            return None;
        }
        let loader = Loader::of_view(view);
        let may = |at: At| when.includes(at) && at.next() <= view.next();
        let (loaded, at) = loader.before(Some(worth), may)?;
        Some(self.loaded(loaded, at))
    }

    /// Keeps the version that was read from a checkpoint.
    fn loaded(&self, loaded: Loaded<Paged>, at: At) -> Arc<Version> {
        let version = Arc::new(Version {
            plan: loaded.plan,
            graph: loaded.graph,
            at,
            paranoid: self.view.paranoid,
            lineage: self.view.lineage,
        });
        self.keyframes.keep(Arc::clone(&version));
        version
    }

    /// Returns the error for a point in the past for which the graph cannot be built, because frames were dropped.
    fn dropped(&self, when: AsOf, kept: Seq) -> StorageError {
        let loader = Loader::of_view(self.view);
        let first = match loader.oldest::<Paged>() {
            Some((_, at)) => format!(
                "the first graph that can be built is that after frame {} ({})",
                at.seq.unwrap_or_default(),
                at.time
            ),
            None => "no checkpoint of a later frame can be read".into(),
        };
        let asked = match when {
            AsOf::Seq(seq) => format!("after frame {seq}"),
            AsOf::Position(position) => format!("after frame {}", position.seq()),
            AsOf::Time(time) => format!("at {time}"),
        };
        let what = format!(
            "the graph {asked} cannot be built: the frames before {kept} were dropped, and {first}; ask for that or a later one, or \
             restore an older backup to another directory"
        );
        StorageError::at(StorageFailure::Dropped, kept, what)
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

/// Returns the first frame after which the graph can be built, if there is one.
pub(super) fn first_graph(view: &LogView<'_>) -> Option<Seq> {
    let segments = view.log().segments();
    let kept = segments.map_or(Seq::ZERO, |log| log.kept());
    match &view.base {
        Some(base) if base.at.next() >= kept => base.at.seq,
        None if kept == Seq::ZERO => view.last.map(|_| Seq::ZERO),
        _ => Loader::of_view(view).oldest::<Paged>()?.1.seq,
    }
}

/// Applies the following frames to a version, up to a point, which is before the frame `until`. Keeps the result as a keyframe,
/// and versions before it whose distances decrease toward it. Each keyframe lets later changes copy the pages that it shares,
/// so none is made that would be removed again.
fn replay_until(
    start: Arc<Version>,
    (when, until): (AsOf, Seq),
    view: &LogView<'_>,
    keyframes: &Keyframes,
) -> Result<Arc<Version>, StorageError> {
    let epochs = &view.epochs;
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
    let mut kept = start.at.next();
    // The graph before a schema whose migration was not applied to its end.
    let mut before_migration = None;
    for frame in view.frames(start.at.next())? {
        let Frame {
            header,
            payload,
            position,
            ..
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
        if let Some(before) = epochs.before_migration_of(seq)
            && before_migration.is_none()
            && Some(before) == at.seq
            && matches!(when, AsOf::Time(_))
        {
            before_migration = Some((core.graph.fork(), at, Arc::clone(&plan)));
        }
        if header.kind == FrameKind::Schema {
            for (_, own) in epochs.begun(seq.checked_sub(1), seq) {
                epoch::enter(&mut core.graph, own, Some(header.fingerprint))
                    .map_err(|e| epochs.not_entered(view.log(), (seq, &own.layout.schema), e))?;
                plan = Arc::clone(own);
            }
        }
        if header.kind.has_facts() {
            let decoded = epochs.decode_replayed((seq, header.kind), &payload, facts)?;
            after.time = decoded.time;
            if !when.includes(after) {
                break;
            }
            count_replayed();
            let replayed = match header.kind {
                FrameKind::Migration => core.replay_part(&decoded.facts, Some(header.fingerprint)),
                _ => core.replay(&decoded.facts, header.fingerprint),
            };
            replayed.map_err(|e| bad_frame(seq, e))?;
            facts = decoded.facts;
        }
        at = after;
        if epochs.before_migration_of(seq).is_some() {
            continue;
        }
        before_migration = None;
        let (gap, left) = (
            at.next().get() - kept.get(),
            until.get().saturating_sub(at.next().get()),
        );
        if gap >= SPACING.max(left / 2) && left > 0 {
            keep(&core, &plan, at);
            kept = at.next();
        }
    }
    // The time of a migration is after the point, and its schema has no time.
    if let Some((graph, before, own)) = before_migration {
        (core.graph, at, plan) = (graph, before, own);
    }
    if at == start.at {
        return Ok(start);
    }
    Ok(keep(&core, &plan, at))
}

/// Counts the transactions that are applied to shared pages, in tests only.
fn count_replayed() {
    #[cfg(test)]
    REPLAYED.set(REPLAYED.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// The number of transactions that this thread has applied to shared pages.
    static REPLAYED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
