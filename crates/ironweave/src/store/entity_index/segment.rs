//! Indexing the frames of a segment.

use std::sync::Arc;

use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::graph::fact::Facts;
use crate::log::{FrameKind, ReadPoint, Sealed, Segments};
use crate::step::plan::Plan;
use crate::store::entity_index::hashes::{Indexer, TypeNameEpochs};
use crate::store::entity_index::places::{GrowingIndex, SortedIndex};
use crate::store::{Epochs, no_schema};

/// The schemas by which the frames of a log are decoded.
#[derive(Clone, Copy)]
pub(crate) struct Schemas<'a> {
    pub epochs: &'a Epochs,
    /// The plan of the store.
    pub plan: &'a Arc<Plan>,
    /// The names of types, by index in facts.
    pub names: &'a TypeNameEpochs,
}

/// Computes the hashes of the frames of a segment, or of a log in memory, in order.
#[derive(Default)]
pub(crate) struct FrameIndexer {
    indexer: Indexer,
    /// The facts of a frame. Reused.
    room: Facts,
}

impl FrameIndexer {
    /// Calls `add` with each hash of a frame, perhaps repeatedly. A frame without facts has none.
    pub(crate) fn index(
        &mut self,
        schemas: Schemas<'_>,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
        add: impl FnMut(u64),
    ) -> Result<(), StorageError> {
        if !kind.has_facts() {
            return Ok(());
        }
        let names = (schemas.names.iter().rev()).find(|(from, _)| *from <= seq);
        let (_, names) = names.ok_or_else(|| no_schema(seq))?;
        let room = std::mem::take(&mut self.room);
        let facts = (schemas.epochs).decode_facts_alone((seq, kind), payload, room)?;
        let plan = schemas.epochs.plan(seq, schemas.plan);
        (self.indexer).index(&facts, &plan.layout, names, add);
        self.room = facts;
        Ok(())
    }
}

/// Returns the index of a whole segment. O(bytes of the segment).
pub(crate) fn index_segment(
    segments: Segments<'_>,
    sealed: &Sealed,
    schemas: Schemas<'_>,
) -> Result<SortedIndex, StorageError> {
    let (mut frames, mut index) = (FrameIndexer::default(), GrowingIndex::default());
    let mut mark = ReadPoint::start(sealed.first);
    segments.scan(&mut mark, sealed.next, |place, header, payload| {
        let frame = (header.seq, header.kind);
        frames.index(schemas, frame, payload, |hash| index.put(hash, place))
    })?;
    Ok(index.into_sorted())
}
