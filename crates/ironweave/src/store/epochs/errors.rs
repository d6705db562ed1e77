//! The errors of frames that cannot be applied.

use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::store::frame::FrameError;

/// Returns the error of a frame that no schema precedes.
#[cold]
pub(crate) fn no_schema(seq: Seq) -> StorageError {
    bad_frame(seq, "no schema precedes it")
}

/// Returns the error of a frame that was written, and that the log does not have any more.
#[cold]
pub(crate) fn lost_frame(seq: Seq) -> StorageError {
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "the log does not have frame {seq}, although it was written; no file was changed; restore the log from a backup"
        ),
    )
}

/// Returns the error of a frame whose payload cannot be decoded.
#[cold]
pub(super) fn undecodable(seq: Seq, e: FrameError) -> StorageError {
    match e {
        FrameError::Invalid(e) => bad_frame(seq, e),
        FrameError::Newer(what) => StorageError::at(
            StorageFailure::Version,
            seq,
            format!(
                "frame {seq} has {what}, and this version of ironweave cannot read it; no file was changed; open the store \
                 with a newer version"
            ),
        ),
    }
}

/// The number of characters of a description of an invalid frame.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// Returns the error of a frame whose checksum is right and whose content is invalid. The cause is a defect of the program that
/// wrote the frame or of this one.
pub(crate) fn bad_frame(seq: Seq, what: impl std::fmt::Display) -> StorageError {
    // The description may contain a value that is as long as the frame.
    let mut what = what.to_string();
    if let Some((end, _)) = what.char_indices().nth(DESCRIPTION_CHARS_MAX) {
        what.truncate(end);
        what += " ..";
    }
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "frame {seq} of the log cannot be applied: {what}; no file was changed; open the store with the program that \
             wrote the frame, or restore the log from a backup"
        ),
    )
}
