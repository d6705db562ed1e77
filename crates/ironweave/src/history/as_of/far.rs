//! Points that are many frames after the version that a query starts from.
//!
//! Applying facts to pages takes about twice as long as to vectors, because keyframes share the pages, so that changes copy them.
//! So the first frames of a long replay are applied to vectors, which are then copied to pages once. The last frames are applied
//! to pages, with keyframes in between. A replay in which the model changes is applied to pages from its beginning.

use std::sync::Arc;

use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::log::{Frame, FrameKind};
use crate::snapshot::keyframes::Keyframes;
use crate::step::flat;
use crate::store::bad_frame;
use crate::store::version::{At, Version};
use crate::store::view::LogView;

/// The minimal number of frames of a long replay.
pub(super) const FAR_FRAMES: u64 = 1 << 14;
/// The number of the last frames of a long replay, which are applied to pages.
pub(super) const LAST_FRAMES: u64 = 1 << 12;

/// Returns a version that is near a point, and keeps it as a keyframe, if `start` is far from the point. `until` is the frame
/// after that.
pub(super) fn approach(
    (view, keyframes): (&LogView<'_>, &Keyframes),
    start: Arc<Version>,
    until: Seq,
) -> Result<Arc<Version>, StorageError> {
    let frames = until.frames_since(start.at.next()).unwrap_or_default();
    // The graph is copied to vectors and back.
    let worth = FAR_FRAMES.max(start.graph.population() as u64);
    if frames < worth {
        return Ok(start);
    }
    let stop = Seq::new(until.get() - LAST_FRAMES);
    if view.epochs.begun(start.at.seq, stop).next().is_some() {
        return Ok(start);
    }
    let mut core = flat::core(&start.plan, start.at.seq.map(|_| &start.graph));
    let (mut at, mut facts) = (start.at, Facts::default());
    for frame in view.frames(start.at.next())? {
        let Frame {
            header,
            payload,
            position,
            ..
        } = frame?;
        let seq = header.seq;
        if seq >= stop {
            break;
        }
        let mut time = at.time;
        match header.kind {
            FrameKind::Schema => {}
            FrameKind::Transaction => {
                let decoded = (view.epochs).decode_replayed((seq, header.kind), &payload, facts)?;
                flat::replay(&mut core, &decoded.facts, header.fingerprint)
                    .map_err(|e| bad_frame(seq, e))?;
                (time, facts) = (decoded.time, decoded.facts);
            }
            // No version may be in the middle of a migration.
            FrameKind::Migration => return Ok(start),
        }
        at = At {
            seq: Some(seq),
            time,
            position: Some(position),
        };
    }
    let version = start.with_graph(flat::paged(&core, &start.plan), at);
    keyframes.keep(Arc::clone(&version));
    Ok(version)
}

/// Returns the first frame from one on that is after a time, or the frame after the last of the log. The times of transactions
/// ascend. Reads O(log frames) frames.
pub(super) fn first_after(
    view: &LogView<'_>,
    time: Timestamp,
    from: Seq,
) -> Result<Seq, StorageError> {
    // All frames before `low` are not after the time, and `high` is the end or after it.
    let (mut low, mut high) = (from, view.next().max(from));
    while low < high {
        let middle = Seq::new(low.get() + (high.get() - low.get()) / 2);
        // A frame without a time is after the time if the next one with a time is.
        match next_time(view, middle, high)? {
            Some((seq, found)) if found <= time => low = seq + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// Returns the first transaction from a frame on and before `until`, and its time.
fn next_time(
    view: &LogView<'_>,
    from: Seq,
    until: Seq,
) -> Result<Option<(Seq, Timestamp)>, StorageError> {
    for frame in view.frames(from)? {
        let Frame {
            header, payload, ..
        } = frame?;
        if header.seq >= until {
            break;
        }
        if header.kind.has_facts() {
            let frame = (header.seq, header.kind);
            let decoded = (view.epochs).decode_facts(frame, &payload, Facts::default())?;
            return Ok(Some((header.seq, decoded.time)));
        }
    }
    Ok(None)
}
