//! Threads that do one task after another, so that no thread is started for each process.

use std::io;
use std::sync::mpsc::{Sender, channel};

use super::thread;

/// What a thread does.
type Task = Box<dyn FnOnce() + Send>;

/// A thread that waits for tasks. When this is dropped, the thread ends after those that it has.
pub struct Worker(Sender<Task>);

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start() -> io::Result<Self> {
        let (sender, tasks) = channel::<Task>();
        thread(move || tasks.into_iter().for_each(|task| task()))?;
        Ok(Self(sender))
    }

    /// Gives the thread a task. If the thread is gone because a task panicked, the task is dropped.
    pub fn give(&self, task: impl FnOnce() + Send + 'static) {
        drop(self.0.send(Box::new(task)));
    }
}
