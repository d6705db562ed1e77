//! A condition variable that costs who rings it next to nothing while nobody listens: that of the standard library
//! calls the kernel each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// See the module. It belongs to one mutex, which is held by who listens and by who rings.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Condvar,
    /// How many listen. Changed and read under the mutex only.
    listening: AtomicUsize,
}

impl Bell {
    /// Waits until it rings, or for so long; now and then for no reason.
    pub(crate) fn listen<'m, T>(
        &self,
        held: MutexGuard<'m, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'m, T> {
        self.listening.fetch_add(1, Ordering::Relaxed);
        // The locks that it is used with hold nothing that a panic could leave half done.
        let held = match timeout {
            Some(timeout) => {
                let waited = self.rung.wait_timeout(held, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => (self.rung.wait(held)).unwrap_or_else(PoisonError::into_inner),
        };
        self.listening.fetch_sub(1, Ordering::Relaxed);
        held
    }

    /// Wakes all who listen.
    #[inline]
    pub(crate) fn ring<T>(&self, _held: &MutexGuard<'_, T>) {
        if self.listening.load(Ordering::Relaxed) > 0 {
            self.rung.notify_all();
        }
    }
}
