//! A condition variable whose notification is one load while no thread waits. That of the standard library calls the
//! kernel each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// See the module. It belongs to one mutex, which both the waiting and the notifying thread hold.
#[derive(Default)]
pub(crate) struct Notifier {
    condvar: Condvar,
    /// The number of waiting threads. It is changed and read under the mutex only.
    waiting: AtomicUsize,
}

impl Notifier {
    /// Waits for a notification, at most for `timeout`. It may also return spuriously.
    pub(crate) fn wait<'m, T>(
        &self,
        held: MutexGuard<'m, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'m, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The locks that it is used with hold nothing that a panic could leave half done.
        let held = match timeout {
            Some(timeout) => {
                let waited = self.condvar.wait_timeout(held, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => (self.condvar.wait(held)).unwrap_or_else(PoisonError::into_inner),
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        held
    }

    /// Wakes all waiting threads.
    #[inline]
    pub(crate) fn notify<T>(&self, _held: &MutexGuard<'_, T>) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.condvar.notify_all();
        }
    }
}
