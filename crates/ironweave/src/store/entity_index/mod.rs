//! The index of a segment, by which histories find frames. It maps hashes to the places of frames.
//!
//! `hashes.rs` computes the hashes of a frame, `places.rs` has the places by hash, and `segment.rs` indexes a segment, which
//! `background.rs` does for each segment that a store seals. The log has the bytes of an index ([`SegmentIndex`](crate::log::SegmentIndex)), and the layer `history` asks it.

pub(super) mod background;
mod hashes;
mod places;
mod segment;

pub(crate) use hashes::{
    BEFORE_SEGMENT, CreatedKeys, TypeNameEpochs, TypeNames, learn_names, pair,
};
pub(crate) use places::{GrowingIndex, SortedIndex};
pub(crate) use segment::{FrameIndexer, Schemas, index_segment};
