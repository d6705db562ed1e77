//! Threads for work that blocks, such as reading a log, which exist only while there is work.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::base::signal::Signal;

type Work = Box<dyn FnOnce() + Send>;

/// A queue of work, and the number of threads that do it. A thread is started for work that finds fewer than the maximum,
/// and ends when the queue is empty.
pub(crate) struct Workers {
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    threads: usize,
}

impl Workers {
    pub(crate) fn new(name: &'static str, threads_max: usize) -> Arc<Self> {
        Arc::new(Self {
            name,
            threads_max,
            state: Mutex::default(),
        })
    }

    // Under this lock a thread may be started, and no work runs.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues work. Its panics are dropped, so it must catch those that matter.
    ///
    /// # Errors
    /// If the operating system cannot start a thread and there is none. The work is dropped.
    pub(crate) fn run(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.lock();
        state.queue.push_back(Box::new(work));
        if state.threads >= self.threads_max {
            return Ok(());
        }
        let workers = Arc::clone(self);
        let thread = thread::Builder::new().name(self.name.to_owned());
        // Under the lock, so that no other caller relies on a thread that does not start.
        let Err(error) = thread.spawn(move || workers.work()) else {
            state.threads += 1;
            return Ok(());
        };
        if state.threads > 0 {
            return Ok(());
        }
        // Without a thread, this work is the only one in the queue.
        let dropped = state.queue.pop_back();
        drop(state);
        drop(dropped);
        Err(error)
    }

    /// Does work and returns its result. It is queued when the future is first polled, and is done even if the future is dropped
    /// after that. A panic of the work continues in the task.
    ///
    /// # Errors
    /// As [`Workers::run`].
    pub(crate) async fn call<R: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> io::Result<R> {
        let done = Arc::new((Mutex::new(None), Signal::default()));
        let of_thread = Arc::clone(&done);
        self.run(move || {
            let (result, signal) = &*of_thread;
            let returned = catch_unwind(AssertUnwindSafe(work));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
            signal.set();
        })?;
        let (result, signal) = &*done;
        signal.wait().await;
        let returned = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The signal is set after the result is there, and only this future takes it.
        let returned = returned.ok_or_else(|| io::Error::other("its result was taken"))?;
        Ok(returned.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn work(&self) {
        loop {
            let work = {
                let mut state = self.lock();
                let Some(work) = state.queue.pop_front() else {
                    state.threads -= 1;
                    return;
                };
                work
            };
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_is_done_by_at_most_that_many_threads_which_end() {
        let workers = Workers::new("worker", 2);
        let (ids, all) = mpsc::channel();
        for i in 0..100 {
            let ids = ids.clone();
            let work = move || {
                assert_eq!(thread::current().name(), Some("worker"));
                ids.send((i, thread::current().id()))
                    .expect("the test runs");
                assert_ne!(i, 50, "a panic ends no thread");
            };
            workers.run(work).expect("a thread starts");
            assert!(workers.lock().threads <= 2);
        }
        drop(ids);
        // The wait is limited, so that a failing test ends.
        let limit = Duration::from_secs(60);
        let mut done: Vec<usize> = (0..100)
            .map(|_| all.recv_timeout(limit).expect("all is done").0)
            .collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        while workers.lock().threads > 0 {
            thread::yield_now();
        }
    }
}
