//! A bell that wakes one thread or one task, which may have to look at several things: a clock, a store, its own end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "async")]
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[cfg(feature = "async")]
use crate::base::signal::wake;

/// A bell. It stays rung until its thread or task has seen it, so that no ring is lost.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    ended: bool,
    #[cfg(feature = "async")]
    waker: Option<Waker>,
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The bell was rung, or the time has passed.
    Awake,
    /// The bell will not be rung again.
    Ended,
}

impl Alarm {
    // Each change under this lock is complete after every statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread or task.
    pub(crate) fn ring(&self) {
        self.change(|state| state.rung = true);
    }

    /// Wakes the thread or task for the last time.
    pub(crate) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        #[cfg(feature = "async")]
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        // The code of an executor, which wakers run, does not run under the lock.
        #[cfg(feature = "async")]
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// Waits until the bell is rung, for at most `timeout` if there is one.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Woken {
        let silent = |state: &mut State| !state.rung && !state.ended;
        let held = self.lock();
        let mut state = match timeout {
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(held, timeout, silent);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.changed.wait_while(held, silent);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        state.seen().unwrap_or(Woken::Awake)
    }

    /// Returns whether the bell was rung. The task is woken when it is.
    #[cfg(feature = "async")]
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Woken> {
        let waker = context.waker().clone();
        let (polled, replaced) = {
            let mut state = self.lock();
            match state.seen() {
                Some(woken) => (Poll::Ready(woken), None),
                None => (Poll::Pending, state.waker.replace(waker)),
            }
        };
        drop(replaced);
        polled
    }
}

impl State {
    /// Why there is something to do, if there is. A ring is seen once.
    fn seen(&mut self) -> Option<Woken> {
        if self.ended {
            return Some(Woken::Ended);
        }
        std::mem::take(&mut self.rung).then_some(Woken::Awake)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let alarm = Alarm::default();
        alarm.ring();
        assert_eq!(alarm.wait(None), Woken::Awake);
        // Without a ring, the wait ends with the time.
        assert_eq!(alarm.wait(Some(Duration::ZERO)), Woken::Awake);
        alarm.end();
        assert_eq!(alarm.wait(None), Woken::Ended);
        assert!(alarm.has_ended());
    }

    #[test]
    fn a_ring_wakes_a_thread() {
        let alarm = Arc::new(Alarm::default());
        let waiting = {
            let alarm = Arc::clone(&alarm);
            thread::spawn(move || alarm.wait(None))
        };
        alarm.ring();
        assert_eq!(waiting.join().expect("it ends"), Woken::Awake);
    }

    #[cfg(feature = "async")]
    #[test]
    fn a_ring_wakes_a_task_and_is_seen_once() {
        use std::task::Wake;

        struct Rings(Alarm);
        impl Wake for Rings {
            fn wake(self: Arc<Self>) {
                self.0.ring();
            }
        }
        let alarm = Alarm::default();
        let woken = Arc::new(Rings(Alarm::default()));
        let waker = Waker::from(Arc::clone(&woken));
        assert_eq!(alarm.poll(&Context::from_waker(&waker)), Poll::Pending);
        alarm.ring();
        assert_eq!(woken.0.wait(None), Woken::Awake);
        let context = Context::from_waker(&waker);
        assert_eq!(alarm.poll(&context), Poll::Ready(Woken::Awake));
        assert_eq!(alarm.poll(&context), Poll::Pending);
        alarm.end();
        assert_eq!(alarm.poll(&context), Poll::Ready(Woken::Ended));
    }
}
