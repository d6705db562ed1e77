//! Threads that do one task after another, so that no thread is started for each process, and none waits for the engine while there is a task.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::thread;

/// What a thread does.
type Task = Box<dyn FnOnce() + Send>;

/// Threads that take tasks from a queue. When this is dropped, they end after the tasks that are in it.
pub struct Workers {
    queue: Sender<Task>,
    tasks: Arc<Mutex<Receiver<Task>>>,
    threads: usize,
    threads_max: usize,
}

impl Workers {
    /// At most so many threads, of which none is started yet.
    pub fn new(threads_max: usize) -> Self {
        let (queue, tasks) = channel();
        Self {
            queue,
            tasks: Arc::new(Mutex::new(tasks)),
            threads: 0,
            threads_max,
        }
    }

    /// Makes sure that there is a thread for one task more than these.
    ///
    /// # Errors
    /// If none can be started.
    pub fn prepare(&mut self, tasks: usize) -> io::Result<()> {
        if tasks < self.threads || self.threads == self.threads_max {
            return Ok(());
        }
        let tasks = Arc::clone(&self.tasks);
        thread(move || {
            // The lock is released before the task begins.
            let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            while let Ok(task) = next() {
                // The thread is needed for other tasks. The message of a panic is on stderr.
                drop(catch_unwind(AssertUnwindSafe(task)));
            }
        })?;
        self.threads += 1;
        Ok(())
    }

    /// Gives a task to the next thread that has none.
    pub fn give(&self, task: impl FnOnce() + Send + 'static) {
        // This has the receiver, too.
        drop(self.queue.send(Box::new(task)));
    }
}
