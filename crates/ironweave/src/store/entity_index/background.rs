//! The thread that makes the indexes of sealed segments.
//!
//! 1. A store that is open for writing starts it when it has sealed its first segment, and names to it each segment that it seals
//!    from then on.
//! 2. The thread does what a question of a history would do: it reads the segment and writes its index. It takes nothing from the store
//!    but the names of its files and the schemas, which do not change while a store is open for writing. So no step waits for it.
//! 3. With the first segment, the one before it is looked at too. It may have been sealed while the store was opened, or by a process
//!    that was killed before its index was complete.
//! 4. Closing the store waits until the thread has made the indexes of the segments that were named to it.
//!
//! An index that is missing costs only time, so a failure is kept for
//! [`Store::last_index_error`](crate::Store::last_index_error) and never fails a step. The first question of a history that needs the
//! index tries again.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::base::storage_error::StorageError;
use crate::log::{Log, Sealed, SealedSegments};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::entity_index::hashes::{TypeNameEpochs, logged_names};
use crate::store::entity_index::segment::{Schemas, index_segment};
use crate::store::{Epochs, Store};

/// Makes the indexes of the segments that a store seals, on a thread.
pub(in crate::store) struct BackgroundIndexer {
    /// The number of sealed segments that the thread need not look at.
    sealed: usize,
    epochs: Arc<Epochs>,
    plan: Arc<Plan>,
    failure: Failure,
    thread: Option<IndexThread>,
    /// The process that opened the store. Its forks do not have the thread.
    process: u32,
}

struct IndexThread {
    segments: Sender<SealedSegments>,
    thread: JoinHandle<()>,
}

/// The last failure to make an index.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<StorageError>>>);

impl Failure {
    // Each change under this lock is one assignment.
    fn lock(&self) -> MutexGuard<'_, Option<StorageError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BackgroundIndexer {
    /// Returns one for a log with these schemas that was just opened.
    pub(in crate::store) fn new(log: &dyn Log, epochs: &Arc<Epochs>, plan: &Arc<Plan>) -> Self {
        Self {
            sealed: sealed(log).len(),
            epochs: Arc::clone(epochs),
            plan: Arc::clone(plan),
            failure: Failure::default(),
            thread: None,
            process: std::process::id(),
        }
    }

    /// Lets the thread make the indexes of the segments that were sealed since the last call.
    #[inline]
    pub(in crate::store) fn catch_up(&mut self, log: &dyn Log) {
        if sealed(log).len() > self.sealed {
            self.send(log);
        }
    }

    #[cold]
    fn send(&mut self, log: &dyn Log) {
        let Some(segments) = log.segments() else {
            return;
        };
        let known = match &self.thread {
            Some(_) => self.sealed,
            None => self.sealed.saturating_sub(1),
        };
        self.sealed = segments.sealed().len();
        let new = segments.sealed_after(known);
        if self.thread.is_none() {
            self.thread = self.start();
        }
        // The thread ends only when the sender is dropped.
        if let Some(thread) = &self.thread
            && thread.segments.send(new).is_err()
        {
            self.thread = None;
        }
    }

    fn start(&self) -> Option<IndexThread> {
        let (sender, segments) = mpsc::channel();
        let (epochs, plan) = (Arc::clone(&self.epochs), Arc::clone(&self.plan));
        let failure = self.failure.clone();
        let thread = thread::Builder::new().name("ironweave-index".to_owned());
        match thread.spawn(move || run(&segments, &epochs, &plan, &failure)) {
            Ok(thread) => Some(IndexThread {
                segments: sender,
                thread,
            }),
            Err(e) => {
                let what = "the thread that makes the indexes of segments";
                *self.failure.lock() = Some(StorageError::no_thread(what, e));
                None
            }
        }
    }

    /// Returns the last failure.
    pub(in crate::store) fn last_error(&self) -> Option<StorageError> {
        self.failure.lock().as_ref().map(StorageError::duplicate)
    }
}

impl Drop for BackgroundIndexer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if self.process != std::process::id() {
            // The thread may have held a lock of the channel when the process was forked, and does not release it here.
            std::mem::forget(thread);
            return;
        }
        let IndexThread { segments, thread } = thread;
        drop(segments);
        // It runs no user code that could panic.
        let _ = thread.join();
    }
}

fn sealed(log: &dyn Log) -> &[Sealed] {
    log.segments().map_or(&[][..], |segments| segments.sealed())
}

/// Makes the indexes of segments until the sender is dropped.
fn run(segments: &Receiver<SealedSegments>, epochs: &Epochs, plan: &Arc<Plan>, failure: &Failure) {
    let names = logged_names(epochs);
    for of in segments {
        for sealed in of.segments().sealed() {
            if let Err(e) = make(&of, sealed, (epochs, plan, &names)) {
                *failure.lock() = Some(e);
            }
        }
    }
}

/// Makes the index of a segment, unless it has one or is no longer in the directory of the log.
fn make(
    of: &SealedSegments,
    sealed: &Sealed,
    (epochs, plan, names): (&Epochs, &Arc<Plan>, &TypeNameEpochs),
) -> Result<(), StorageError> {
    let segments = of.segments();
    let is_left = || sealed.first >= segments.left();
    if !is_left() || segments.index(sealed).is_some() {
        return Ok(());
    }
    let schemas = Schemas {
        epochs,
        plan,
        names,
    };
    let index = index_segment(segments, sealed, schemas)?;
    // A question of a history may have made it meanwhile, and the segment may have been dropped.
    if !is_left() || segments.index(sealed).is_some() {
        return Ok(());
    }
    segments.write_index(sealed, index.entries()).map(drop)
}

impl<M: Model> Store<M> {
    /// Returns why the index of a segment could not be made last, if the thread that makes them has failed since the store was
    /// opened; see [`Options::index_segments`](crate::Options::index_segments). Such a failure affects nothing else. The first
    /// [`history`](Store::history) makes the index.
    #[must_use]
    pub fn last_index_error(&self) -> Option<StorageError> {
        self.log.last_index_error()
    }
}
