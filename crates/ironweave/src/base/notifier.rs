//! A condition variable whose notification costs one atomic load while no thread waits. `std::sync::Condvar` makes a
//! system call for each notification.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// A condition variable of one mutex, which both the waiting and the notifying thread must hold.
#[derive(Default)]
pub(crate) struct Notifier {
    condvar: Condvar,
    /// The number of waiting threads. It is changed and read only under the mutex, so relaxed ordering suffices.
    waiting: AtomicUsize,
}

impl Notifier {
    /// Releases the lock, waits for a notification for at most `timeout`, and returns the lock acquired again. Wakeups
    /// may be spurious, so the caller must check its condition.
    pub(crate) fn wait<'m, T>(
        &self,
        held: MutexGuard<'m, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'m, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The data under these locks is valid after every statement, so a poisoned lock can be used.
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
