//! Where a frame lies: for errors about what it says, which know no more of it than its sequence.

use crate::base::storage_error::StorageError;
use crate::store::Backend;

impl Backend {
    /// The same error about a frame, with the file and the offset of that.
    #[cold]
    pub(crate) fn place(&self, error: StorageError) -> StorageError {
        let segments = match self {
            Self::Writable(log) => log.segments(),
            Self::ReadOnly(log) => Some(log.segments()),
            Self::Unlogged => None,
        };
        let seq = error.seq().filter(|_| error.segment().is_none());
        match segments
            .zip(seq)
            .and_then(|(segments, seq)| segments.place_of(seq))
        {
            Some((segment, offset)) => error.in_file(segment, offset),
            None => error,
        }
    }
}
