//! The thread that applies queued facts while no snapshot is taken, so that commits need not.
//!
//! 1. A commit that finds more than [`START`] in the queue starts the thread.
//! 2. The thread applies facts in slices and ends when [`LEFT`] is in the queue. It leaves the newest facts to the next
//!    snapshot, because that keeps the versions after the last frames if the past is queried.
//! 3. It also ends if another thread waits for the replica. That thread takes a snapshot, and applies all facts itself.
//! 4. If there is [`LONG`] in the queue nevertheless, the store commits faster than the thread applies. Then commits stop the
//!    thread and apply facts themselves, until there is [`START`] in the queue again.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread;

use crate::snapshot::replica::{LONG, Replica, SLICE, lock};

/// The cost of queued frames at which a commit starts the thread.
pub(super) const START: u64 = LONG / 2;
/// The cost of queued frames at which the thread ends.
const LEFT: u64 = LONG / 4;

/// The state of the thread.
#[derive(Default)]
pub(super) struct Applier {
    /// Whether it runs. Only commits set this, after they have cloned the reference to the replica that the thread drops.
    runs: AtomicBool,
    /// Whether it must end.
    stops: AtomicBool,
    /// The operating system has no thread for it, so commits apply facts.
    is_unavailable: AtomicBool,
    /// The cost of all queued frames from which a commit may start it. So it is not started all the time if it has to
    /// leave the facts in the queue, since they are not durable.
    not_before: AtomicU64,
    /// The number of threads that wait for the replica.
    pub waiting: AtomicUsize,
}

#[cfg(test)]
thread_local! {
    /// Whether commits of this test thread start no thread.
    pub(super) static NO_APPLIER: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Applier {
    /// Returns whether the thread has a reference to the replica.
    pub(super) fn runs(&self) -> bool {
        self.runs.load(Acquire)
    }

    /// Returns whether commits cannot start the thread.
    pub(super) fn is_unavailable(&self) -> bool {
        #[cfg(test)]
        if NO_APPLIER.get() {
            return true;
        }
        self.is_unavailable.load(Relaxed)
    }

    /// Lets the thread end soon.
    pub(super) fn stop(&self) {
        self.stops.store(true, Relaxed);
    }
}

impl Replica {
    /// Starts the thread, unless it runs or was started for nearly the same queue.
    pub(super) fn start_applier(self: &Arc<Self>, backlog: u64) {
        let applier = &self.applier;
        let queued = backlog + self.applied.load(Relaxed);
        if applier.runs() || queued < applier.not_before.load(Relaxed) {
            return;
        }
        applier.not_before.store(queued + LEFT, Relaxed);
        applier.stops.store(false, Relaxed);
        let replica = Arc::clone(self);
        applier.runs.store(true, Relaxed);
        let work = move || {
            // A panic of user code leaves a part of a fact, which the next commit and the next snapshot find.
            let _ = catch_unwind(AssertUnwindSafe(|| while replica.apply_slice() {}));
            replica.applier.runs.store(false, Release);
        };
        let thread = thread::Builder::new().name("ironweave-apply".into());
        if thread.spawn(work).is_err() {
            applier.runs.store(false, Relaxed);
            applier.is_unavailable.store(true, Relaxed);
        }
    }

    /// Applies a few queued facts. Returns whether there are more for the thread to apply.
    fn apply_slice(&self) -> bool {
        let applier = &self.applier;
        if applier.stops.load(Relaxed) || applier.waiting.load(Relaxed) > 0 {
            return false;
        }
        let excess = {
            let queue = lock(&self.queue);
            let backlog = queue.cost().saturating_sub(self.applied.load(Relaxed));
            if queue.closed || backlog <= LEFT {
                return false;
            }
            backlog - LEFT
        };
        let Ok(mut current) = self.current.try_lock() else {
            return false;
        };
        let mut left = SLICE.min(excess as i64);
        !self.incomplete.load(Relaxed) && !self.advance(&mut current, self.seq(), &mut left, false)
    }
}
