//! The limits on the lengths of frames, which an opening and each write compare.

use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::FrameKind;
use crate::store::keys::KeyRetention;

/// The limits on the lengths of frames, and on how long their keys are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(in crate::store) schema_bytes: usize,
    pub(in crate::store) transaction_bytes: usize,
    pub(in crate::store) keys: KeyRetention,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            schema_bytes: 16 << 20,
            // More than a frame can contain.
            transaction_bytes: 1 << 30,
            keys: KeyRetention::forever(),
        }
    }
}

impl Bounds {
    /// Returns an error if a frame exceeds its limit.
    #[inline]
    pub(in crate::store) fn check(
        &self,
        kind: FrameKind,
        seq: Seq,
        bytes: usize,
    ) -> Result<(), StorageError> {
        let (option, most) = match kind {
            FrameKind::Schema => ("schema_bytes_max", self.schema_bytes),
            FrameKind::Transaction | FrameKind::Migration => {
                ("transaction_bytes_max", self.transaction_bytes)
            }
        };
        if bytes <= most {
            return Ok(());
        }
        Err(StorageError::at(
            StorageFailure::TooLarge,
            seq,
            format!(
                "frame {seq} has {bytes} bytes, which exceeds the limit of {most}; raise `Options::{option}`, or commit \
                 smaller transactions"
            ),
        ))
    }
}
