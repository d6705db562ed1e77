//! Writing a checkpoint, and which older ones are kept.

use std::sync::Arc;

use crate::base::image::{ImageError, ImageSink as _};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::log::{CheckpointFiles, CheckpointHeader, CheckpointWriter, Flush};
use crate::step::model::Model;
use crate::store::checkpoint::Checkpoint;
use crate::store::keys::Keys;
use crate::store::{Epochs, Store};

/// The number of the newest checkpoints that are always kept. If the newest one turns out to be damaged, the next one is used.
const KEPT_NEWEST: usize = 2;

impl<M: Model> Store<M> {
    /// Writes a checkpoint: the current graph, in a file beside the log. The next open starts from it, and replays only the
    /// transactions that were committed since. O(size of the graph). The log is synced first.
    ///
    /// The newest two checkpoints are kept, and older ones at distances that grow with their age, so that reading the past
    /// ([`Store::as_of`]) does not start from the beginning either. A checkpoint is not part of the log, and may be deleted,
    /// unless frames were [dropped](crate::Retention::drop_frames): then the store opens only from one.
    ///
    /// A store also writes checkpoints by itself; see [`Options::checkpoint_every`](crate::Options::checkpoint_every). If it is
    /// just doing so, this call waits for that, since only one is written at a time.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::On};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<lamps::Model>::open(dir)?;
    /// store.try_step(Lit { lamp: "hall".into() })?;
    /// let checkpoint = store.checkpoint()?;
    /// drop(store);
    ///
    /// let store = Store::<lamps::Model>::open(dir)?;
    /// assert_eq!(store.opened_from().checkpoint(), Some(checkpoint.seq()));
    /// assert_eq!(store.count::<Lamp, On>(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// An operation on the disk fails, or the store is in memory or open for reading only. The log and the older checkpoints are as
    /// they were. If an old checkpoint cannot be removed, the new one exists.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, StorageError> {
        let checkpoints = Arc::clone(&self.checkpoints);
        checkpoints.write_alone(|| {
            self.log.sync()?;
            self.begin_checkpoint()?.finish()
        })
    }

    /// Returns the result of the last attempt to write a checkpoint since the store was opened, by its
    /// [policy](crate::CheckpointPolicy) or by [`Store::checkpoint`]. A checkpoint that fails affects nothing else: the log and
    /// the older checkpoints are as they were.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<Result<Checkpoint, StorageError>> {
        self.checkpoints.last()
    }

    /// Returns about how many bytes of the log follow a frame, or how many it has, up to 256 KiB too many. They are what an open replays that
    /// starts from a checkpoint after that frame, so that a program can write one when they have become too many. 0 for a log in memory.
    /// O(log(frames)) for what is known in memory.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::Lit;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<lamps::Model>::open(dir)?;
    /// store.try_step(Lit { lamp: "hall".into() })?;
    /// let written = store.last_checkpoint().and_then(Result::ok);
    /// let last = written.map(|written| written.seq()).max(store.opened_from().checkpoint());
    /// if store.log_bytes_after(last) > 1 << 20 {
    ///     store.checkpoint()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn log_bytes_after(&self, seq: Option<Seq>) -> u64 {
        self.log.log().map_or(0, |log| log.bytes_after(seq))
    }

    /// Writes the content of a checkpoint of the current graph. O(size of the graph). The store may change before it is finished.
    pub(in crate::store) fn begin_checkpoint(
        &mut self,
    ) -> Result<UnfinishedCheckpoint, StorageError> {
        self.core.close();
        (self.core.open.check_whole()).map_err(|e| StorageError::stopped(&e.to_string()))?;
        let files = self.checkpoint_files()?;
        let unfinished = of_store(self, files, self.log.flusher())?;
        self.log.restart_checkpoints();
        Ok(unfinished)
    }

    /// Returns the files of the checkpoints that this store writes.
    fn checkpoint_files(&self) -> Result<CheckpointFiles, StorageError> {
        if self.log.is_read_only() {
            return Err(StorageError::new(
                StorageFailure::ReadOnly,
                "the store is open for reading only; open it with `Store::open` to write a checkpoint",
            ));
        }
        let files = self.log.log().and_then(|log| log.checkpoints());
        files.ok_or_else(|| {
            StorageError::new(
                StorageFailure::NotFound,
                "a store in memory has no checkpoints, and a fork of the process that opened a store writes none; open a \
                 store in a directory",
            )
        })
    }

    /// Returns the header of a checkpoint of the current graph.
    fn checkpoint_header(&self) -> Result<CheckpointHeader, StorageError> {
        let missing = || StorageError::new(StorageFailure::Internal, "the log has no frame");
        Ok(CheckpointHeader {
            position: self.position().ok_or_else(missing)?,
            epoch: self.epochs.current(),
            fingerprint: self.fingerprint(),
            time: self.core.open.last_time().as_micros(),
        })
    }
}

/// A checkpoint whose content is written, and which has not its name yet.
pub(in crate::store) struct UnfinishedCheckpoint {
    to: CheckpointWriter,
    files: CheckpointFiles,
    seq: Seq,
    flusher: Option<Arc<dyn Flush>>,
}

impl UnfinishedCheckpoint {
    /// Makes its frame and then the file durable, gives the file its name, and removes the checkpoints that are not kept. It does not
    /// use the store, which other threads can use meanwhile.
    pub(in crate::store) fn finish(self) -> Result<Checkpoint, StorageError> {
        let Self {
            to,
            files,
            seq,
            flusher,
        } = self;
        if let Some(flusher) = flusher {
            flusher.flush_to(seq)?;
        }
        let (path, bytes) = to.finish()?;
        remove_old(&files, seq)?;
        Ok(Checkpoint { seq, path, bytes })
    }
}

/// Writes the content of a checkpoint of the graph of a store.
pub(super) fn of_store<M: Model>(
    store: &Store<M>,
    files: CheckpointFiles,
    flusher: Option<Arc<dyn Flush>>,
) -> Result<UnfinishedCheckpoint, StorageError> {
    let header = store.checkpoint_header()?;
    let Store {
        epochs, core, keys, ..
    } = store;
    let log = store.log.log();
    let segments = log.map(|log| log.segments_before(header.position.seq));
    let to = files.create(header, &segments.unwrap_or_default())?;
    Ok(UnfinishedCheckpoint {
        to: write(to, header, epochs, &core.graph, keys)?,
        files,
        seq: header.position.seq,
        flusher,
    })
}

/// Writes the content of a checkpoint.
fn write<S: Storage>(
    mut to: CheckpointWriter,
    header: CheckpointHeader,
    epochs: &Epochs,
    graph: &Graph<S>,
    keys: &Keys,
) -> Result<CheckpointWriter, StorageError> {
    let last = (header.position.seq, Timestamp::from_micros(header.time));
    let mut content = || -> Result<(), ImageError> {
        to.put(&(epochs.list.len() as u32).to_le_bytes())?;
        for schema in epochs.list.iter().map(|epoch| epoch.from) {
            to.put(&schema.get().to_le_bytes())?;
        }
        graph.write_image(&mut to)?;
        keys.write(&mut to, last)
    };
    content().map_err(|e| match e {
        ImageError::Storage(e) => e,
        ImageError::Content(what) => StorageError::new(
            StorageFailure::Internal,
            format!("the graph cannot be put into a checkpoint: {what}"),
        ),
    })?;
    Ok(to)
}

/// Removes the checkpoints that are not kept. Those that follow a later frame than `newest` are of a history that the log does
/// not have.
fn remove_old(files: &CheckpointFiles, newest: Seq) -> Result<(), StorageError> {
    let all = files.list()?;
    let ours: Vec<Seq> = all.iter().copied().filter(|seq| *seq <= newest).collect();
    let kept = kept(&ours);
    let mut removed = false;
    for seq in all.iter().filter(|seq| !kept.contains(seq)) {
        files.remove(*seq)?;
        removed = true;
    }
    if removed {
        files.sync_dir()?;
    }
    Ok(())
}

/// Returns which checkpoints are kept, newest first: the newest ones, the oldest one, and between these as many as are
/// necessary for no gap to be longer than the distance of its newer end from the newest checkpoint. So there are O(log frames).
fn kept(all: &[Seq]) -> Vec<Seq> {
    let newest_first: Vec<Seq> = all.iter().rev().copied().collect();
    let mut kept: Vec<Seq> = newest_first.iter().take(KEPT_NEWEST).copied().collect();
    let (Some(&newest), Some(&last)) = (newest_first.first(), kept.last()) else {
        return kept;
    };
    let mut last = last;
    for (i, &seq) in newest_first.iter().enumerate().skip(KEPT_NEWEST) {
        let (gap, age) = match newest_first.get(i + 1) {
            Some(older) => (last.get() - older.get(), newest.get() - last.get()),
            // The oldest one is kept.
            None => (1, 0),
        };
        if gap > age {
            kept.push(seq);
            last = seq;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_thin_out_with_their_age() {
        let mut all: Vec<Seq> = Vec::new();
        for n in 1..=1_000u64 {
            all.push(Seq::new(n * 100));
            let kept = kept(&all);
            all.retain(|seq| kept.contains(seq));
            assert!(all.contains(&Seq::new(n * 100)));
            assert!(n < 2 || all.contains(&Seq::new(n * 100 - 100)), "{n}");
            assert_eq!(all.first(), Some(&Seq::new(100)), "the oldest one is kept");
            let newest = n * 100;
            for pair in all.windows(2) {
                let (gap, age) = (pair[1].get() - pair[0].get(), newest - pair[1].get());
                assert!(gap <= age.max(200), "{n}: {all:?}");
            }
            assert!(all.len() <= 26, "{n}: {all:?}");
        }
    }
}
