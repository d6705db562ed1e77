//! What the engine does so that no cost grows with the past: checkpoints of the store, and the removal of what old runs printed.

use std::time::SystemTime;

use ironweave::CheckpointPolicy;
use ironweave::prelude::*;

use crate::engine::{BuildStore, Engine};
use crate::keep;
use crate::model::build::PartitionRef;

/// While databuild runs, a thread writes a checkpoint each time the log has grown by so many bytes, and by as many as a checkpoint has. With a
/// quarter of that, the thread took a tenth of the time of a large build. If databuild is killed, the next one replays at most about as much.
const CHECKPOINT_BYTES: u64 = 64 << 20;
/// At its end, databuild writes one if the next opening would replay more bytes of log than this ..
const REPLAYED_MAX: u64 = 512 << 10;
/// .. and than so many for each reference, a twentieth of what a checkpoint has. So the time for checkpoints, which grows with the store, stays a
/// fraction of the time for the runs that were recorded since the last one.
const BYTES_PER_REFERENCE: u64 = 16;

/// When the store writes checkpoints by itself.
pub fn policy() -> CheckpointPolicy {
    CheckpointPolicy::never().bytes(CHECKPOINT_BYTES)
}

/// Returns whether opening the store would take long, compared with writing a checkpoint.
fn is_due(store: &BuildStore) -> bool {
    let written = store.last_checkpoint().and_then(Result::ok);
    let written = written.map(|checkpoint| checkpoint.seq());
    let last = written.max(store.opened_from().checkpoint());
    let references = store.count::<PartitionRef, Any>() as u64;
    store.log_bytes_after(last) > REPLAYED_MAX + references * BYTES_PER_REFERENCE
}

impl Engine {
    /// Removes what is kept of the oldest runs.
    pub(crate) fn prune(&self) {
        keep::prune(&self.dirs, self.jobs.keep(), SystemTime::now());
    }

    /// Writes a checkpoint of the store, if the next opening would take long without one.
    pub(crate) fn checkpoint(&mut self) {
        // One that fails, because the disk is full, makes the next opening slower and nothing else.
        if is_due(&self.store)
            && let Err(e) = self.store.checkpoint()
        {
            let note = format!("no checkpoint of the store was written: {e}");
            self.progress.note(note);
        }
    }
}
