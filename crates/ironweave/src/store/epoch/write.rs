//! The frames of a new epoch: its schema, and the facts of its migration in as many frames as are needed.

use std::ops::Range;

use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{FORMAT_VERSION, StorageError, StorageFailure};
use crate::graph::Graph;
use crate::graph::fact::{Fact, Facts};
use crate::graph::storage::Flat;
use crate::log::{FrameHeader, FrameKind, GroupPart};
use crate::step::{Core, flat};
use crate::store::epoch::Ending;
use crate::store::frame::{self, Tags};

/// The number of bytes of a frame of a migration, unless one fact is longer. Frames end at 2^30 bytes, and replaying one takes a
/// multiple of its length in memory.
const FRAME_BYTES: usize = 64 << 20;

/// The beginning of a payload, before the facts.
const HEADER_BYTES: usize = 64;

/// Returns the frame of the model's schema, on a graph with this fingerprint.
pub(super) fn schema_frame(ending: &Ending<'_>, fingerprint: u128) -> (FrameHeader, Vec<u8>) {
    let epoch = ending.epochs.list.len() as u32;
    let header = FrameHeader::new(ending.at.next(), epoch, FrameKind::Schema, fingerprint);
    (header, ending.plan.layout.schema.to_cbor())
}

/// Returns the frames of the epoch that begins with the graph `before`, which has the fingerprint `begun`, and with the facts of
/// the open transaction. The frames are decoded and applied to `before`, as a replay does.
pub(super) fn frames(
    core: &mut Core,
    ending: &Ending<'_>,
    begun: u128,
    before: Graph<Flat>,
) -> Result<Vec<(FrameHeader, Vec<u8>)>, OpenError> {
    let plan = ending.plan;
    let schema = &plan.layout.schema;
    let mut frames = vec![schema_frame(ending, begun)];
    let mut facts = Facts::default();
    core.graph.append_facts(&core.open.journal, &mut facts);
    let time = core.open.clock.decide();
    let tags = Tags::new(FORMAT_VERSION, schema, schema).ok_or_else(|| {
        StorageError::new(
            StorageFailure::Internal,
            "the model has two items of one name",
        )
    })?;
    let mut replayed = flat::core(plan, None);
    replayed.graph = before;
    let epoch = ending.epochs.list.len() as u32;
    let mut seq: Seq = ending.at.next() + 1;
    for range in parts(&facts, ending.frame_bytes_max.min(FRAME_BYTES)) {
        let payload = frame::encode_facts(time, (&facts, range), &tags);
        let fingerprint =
            replay(&mut replayed, &payload, &tags).map_err(|reason| not_replayed(seq, &reason))?;
        let header = FrameHeader::new(seq, epoch, FrameKind::Migration, fingerprint);
        frames.push((header, payload));
        seq += 1;
    }
    let (found, expected) = (replayed.fingerprint(), core.fingerprint());
    if found != expected || replayed.graph.must_be_whole().is_err() {
        let reason =
            format!("they lead to the fingerprint {found:032x} instead of {expected:032x}");
        return Err(not_replayed(seq, &reason).into());
    }
    GroupPart::mark(&mut frames);
    Ok(frames)
}

/// Applies the facts of a frame, and returns the fingerprint of the graph after it.
fn replay(core: &mut Core, payload: &[u8], tags: &Tags) -> Result<u128, String> {
    let decoded = frame::decode_facts(FrameKind::Migration, payload, tags, Facts::default());
    let decoded = decoded.map_err(|e| e.to_string())?;
    flat::replay_part(core, &decoded.facts, None)?;
    Ok(core.fingerprint())
}

#[cold]
fn not_replayed(seq: Seq, reason: &str) -> StorageError {
    let what = format!(
        "the facts of the migration, in frame {seq}, cannot be replayed, which is a defect of ironweave; nothing was written: \
         {reason}"
    );
    StorageError::at(StorageFailure::Internal, seq, what)
}

/// Divides facts into ranges of at most so many bytes, each with at least one fact.
fn parts(facts: &Facts, bytes_max: usize) -> Vec<Range<usize>> {
    let (mut ranges, mut start, mut bytes) = (Vec::new(), 0, HEADER_BYTES);
    // The entity whose fields are set after its creation, which stay in one frame.
    let mut created = None;
    for (i, fact) in facts.list.iter().enumerate() {
        let more = frame::record_bytes(facts, fact);
        created = match *fact {
            Fact::Create { slot, .. } => Some(slot),
            Fact::Set { slot, .. } => created.filter(|created| *created == slot),
            _ => None,
        };
        let is_field = created.is_some() && !matches!(fact, Fact::Create { .. });
        if i > start && !is_field && bytes + more > bytes_max {
            ranges.push(start..i);
            (start, bytes) = (i, HEADER_BYTES);
        }
        bytes += more;
    }
    if start < facts.list.len() {
        ranges.push(start..facts.list.len());
    }
    ranges
}
