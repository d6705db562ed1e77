//! A condition variable whose notification costs one atomic load while no thread waits. `std::sync::Condvar` makes a
//! system call for each notification.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A condition variable of one mutex, which both the waiting and the notifying thread must hold.
#[derive(Default)]
pub(crate) struct Notifier {
    condvar: Condvar,
    /// The number of waiting threads. It is changed and read only under the mutex, so relaxed ordering suffices.
    waiting: AtomicUsize,
}

/// How long a thread waits for a condition.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    Never,
    Until(Instant),
    /// Until the condition is met or cannot be met any more.
    Unlimited,
}

impl Wait {
    /// Returns a wait of at most `timeout`.
    pub(crate) fn within(timeout: Duration) -> Self {
        // A deadline that an `Instant` cannot represent is never reached.
        Instant::now()
            .checked_add(timeout)
            .map_or(Self::Unlimited, Self::Until)
    }
}

impl Notifier {
    /// Releases the lock and waits until a condition is met. Returns the lock acquired again, or `None` if the wait ended
    /// before. `check` returns whether the condition is met, or `None` if it may be met later. It is called under the lock,
    /// at first and after each notification.
    pub(crate) fn wait_until<'m, T>(
        &self,
        mut held: MutexGuard<'m, T>,
        wait: Wait,
        check: impl Fn(&T) -> Option<bool>,
    ) -> Option<MutexGuard<'m, T>> {
        loop {
            if let Some(met) = check(&held) {
                return met.then_some(held);
            }
            let timeout = match wait {
                Wait::Never => return None,
                Wait::Unlimited => None,
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    Some(left)
                }
            };
            held = self.wait(held, timeout);
        }
    }

    /// Waits for a notification for at most `timeout`. Wakeups may be spurious.
    fn wait<'m, T>(&self, held: MutexGuard<'m, T>, timeout: Option<Duration>) -> MutexGuard<'m, T> {
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
