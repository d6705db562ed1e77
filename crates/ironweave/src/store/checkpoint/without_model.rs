//! Writing a checkpoint of a store without its program.
//!
//! The graph is that of the newest checkpoint and the frames after it, read with the schemas of the log. Its image has the same tables in the same order as that of the program. Values
//! whose encodings have no raw form in such a graph are in CBOR, which every reader of a checkpoint accepts.

use std::path::Path;

use crate::base::error::OpenError;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::{Lock, ReadLog as _, check_exists};
use crate::step::dynamic::Dynamic;
use crate::store::checkpoint::Checkpoint;
use crate::store::checkpoint::write::of_store;
use crate::store::{Backend, Store};

/// Writes a checkpoint of the store in a directory, as [`Store::checkpoint`] does, without the program of the store. The store
/// is opened as by [`Store::open_read_only`], which has the same cost. `archives` is the directory that archived segments are in, if it is not the one that they
/// were [archived](crate::Retention) to.
///
/// # Errors
/// `is_locked` if a program has the store open for writing: it writes its own checkpoints. Otherwise as
/// [`Store::open_read_only`] and [`Store::checkpoint`].
pub fn checkpoint(
    dir: impl AsRef<Path>,
    archives: Option<impl AsRef<Path>>,
) -> Result<Checkpoint, OpenError> {
    let dir = dir.as_ref();
    let archives = archives.as_ref().map(AsRef::as_ref);
    // The lock creates a file, which a directory without a store must not get.
    check_exists(dir)?;
    let _alone = Lock::acquire(dir)?;
    let options = Store::<Dynamic>::options();
    let options = match archives {
        Some(archives) => options.archives(archives),
        None => options,
    };
    let store = options.open_read_only(dir)?;
    let Backend::ReadOnly(log) = &store.log else {
        unreachable!("it is opened for reading only")
    };
    // What a program that was killed has written may not be durable.
    log.sync_last_segment()?;
    let missing = || StorageError::new(StorageFailure::Internal, "the log has no directory");
    let files = log.checkpoints().ok_or_else(missing)?;
    Ok(of_store(&store, files, None)?.finish()?)
}
