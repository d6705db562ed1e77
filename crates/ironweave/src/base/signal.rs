//! An event that happens once, for which an async task waits.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A flag that is set once. At most one task waits for it.
#[derive(Default)]
pub(crate) struct Signal(Mutex<State>);

#[derive(Default)]
struct State {
    is_set: bool,
    waker: Option<Waker>,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the flag, and wakes the task that waits for it.
    pub(crate) fn set(&self) {
        let waker = {
            let mut state = self.lock();
            state.is_set = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Returns when the flag is set.
    pub(crate) async fn wait(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// Returns whether the flag is set. The task is woken when it is.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        // The code of an executor, which wakers run, does not run under the lock.
        let waker = context.waker().clone();
        let replaced = {
            let mut state = self.lock();
            if state.is_set {
                return Poll::Ready(());
            }
            state.waker.replace(waker)
        };
        drop(replaced);
        Poll::Pending
    }
}

/// Wakes a task. A panic of its executor would end the thread of the store that wakes it, for which other tasks wait.
pub(crate) fn wake(waker: Waker) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake()));
}
