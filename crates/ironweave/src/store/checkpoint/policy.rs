//! When a store writes checkpoints by itself.

use std::time::{Duration, Instant};

/// When a store writes a [checkpoint](crate::Store::checkpoint) by itself: once one of the given quantities has been reached since
/// the last checkpoint. [`Options::checkpoint_every`](crate::Options::checkpoint_every) sets it.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use std::time::Duration;
///
/// use ironweave::prelude::*;
/// use ironweave::CheckpointPolicy;
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let policy = CheckpointPolicy::never().frames(100_000).every(Duration::from_secs(600));
/// let store = Store::<lamps::Model>::options().checkpoint_every(policy).open(dir)?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy does nothing until a store is opened with it"]
pub struct CheckpointPolicy {
    frames: u64,
    bytes: u64,
    every: Option<Duration>,
}

/// The bytes of log after which a store writes a checkpoint by default.
const DEFAULT_BYTES: u64 = 64 << 20;

impl Default for CheckpointPolicy {
    /// Returns the default policy: a checkpoint after each 64 MiB of log; see [`CheckpointPolicy::bytes`].
    fn default() -> Self {
        Self::never().bytes(DEFAULT_BYTES)
    }
}

impl CheckpointPolicy {
    /// Returns the policy of a store that writes no checkpoint by itself.
    pub const fn never() -> Self {
        Self {
            frames: u64::MAX,
            bytes: u64::MAX,
            every: None,
        }
    }

    /// Also writes a checkpoint once this many frames were written since the last one. At least 1.
    pub const fn frames(self, frames: u64) -> Self {
        let frames = if frames == 0 { 1 } else { frames };
        Self { frames, ..self }
    }

    /// Also writes a checkpoint once the log has grown by this many bytes, and by as many as the last checkpoint has. So the time for checkpoints
    /// of a large graph stays proportional to what is written to the log.
    pub const fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Also writes a checkpoint at the first transaction that is committed this long after the last one, or after the store was
    /// opened. A store without new transactions writes none.
    pub const fn every(self, interval: Duration) -> Self {
        Self {
            every: Some(interval),
            ..self
        }
    }

    /// Returns whether the policy writes no checkpoint.
    pub(in crate::store) fn is_never(&self) -> bool {
        *self == Self::never()
    }
}

/// What was written to a log since its last checkpoint.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Growth {
    pub frames: u64,
    pub bytes: u64,
    pub since: Instant,
}

impl Growth {
    pub(super) fn none() -> Self {
        Self::since(0, 0)
    }

    pub(in crate::store) fn since(frames: u64, bytes: u64) -> Self {
        Self {
            frames,
            bytes,
            since: Instant::now(),
        }
    }

    /// Returns whether a checkpoint may be due; [`Growth::is_due`] decides.
    #[inline]
    pub(super) fn may_be_due(&self, policy: &CheckpointPolicy) -> bool {
        self.bytes >= policy.bytes || self.frames >= policy.frames || policy.every.is_some()
    }

    /// Returns whether a checkpoint is due after one of this length.
    pub(super) fn is_due(&self, policy: &CheckpointPolicy, last_bytes: u64) -> bool {
        let bytes = self.bytes >= policy.bytes && self.bytes >= last_bytes;
        let time = |interval| self.frames > 0 && self.since.elapsed() >= interval;
        bytes || self.frames >= policy.frames || policy.every.is_some_and(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_at_the_first_quantity_that_is_reached() {
        let policy = CheckpointPolicy::never().frames(10).bytes(1_000);
        let due = |frames, bytes, last| {
            let growth = Growth {
                frames,
                bytes,
                ..Growth::none()
            };
            growth.may_be_due(&policy) && growth.is_due(&policy, last)
        };
        assert!(!due(9, 999, 0));
        assert!(due(10, 0, 0));
        assert!(due(1, 1_000, 0));
        // A checkpoint that is longer than the log has grown is not written again, unless frames or time require it.
        assert!(due(1, 1_000, 1_000));
        assert!(!due(1, 1_000, 1_001));
        assert!(due(1, 1_001, 1_001));
        assert!(due(10, 1_000, 5_000));
    }

    #[test]
    fn time_alone_writes_no_checkpoint_of_an_unchanged_log() {
        let policy = CheckpointPolicy::never().every(Duration::ZERO);
        let mut growth = Growth::none();
        assert!(growth.may_be_due(&policy) && !growth.is_due(&policy, 0));
        growth.frames = 1;
        assert!(growth.is_due(&policy, u64::MAX));
        assert!(!growth.is_due(&CheckpointPolicy::never().every(Duration::MAX), 0));
    }

    #[test]
    fn never_is_never_due() {
        let growth = Growth {
            frames: u64::MAX - 1,
            bytes: u64::MAX - 1,
            ..Growth::none()
        };
        assert!(!growth.may_be_due(&CheckpointPolicy::never()));
        assert!(CheckpointPolicy::never().is_never());
        assert!(!CheckpointPolicy::default().is_never());
    }
}
