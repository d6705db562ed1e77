//! The replica: a second copy of the graph of a store, in shared pages, from which snapshots are cloned.
//!
//! 1. The first snapshot copies the store's graph. A store of which no snapshot was taken has no replica, and no cost for it.
//! 2. From then on, each commit puts its facts into a queue.
//! 3. A thread that takes a snapshot takes the queue, applies it to the replica and clones that. The writer never
//!    waits for this, and readers wait only for each other.
//! 4. Other threads see only transactions that are acknowledged ([`Acknowledged`]).
//! 5. A commit that finds the queue too long replaces it with a copy of the graph, if a handle exists that can ask for
//!    snapshots without the store ([`StoreReader`](crate::StoreReader)). Otherwise it drops the replica, and the next snapshot copies the graph.
//!    Such a commit takes time proportional to the graph. The limits grow with the graph, so that on average copies cost a
//!    constant for each fact.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::notifier::{Notifier, Wait};
use crate::base::position::Seq;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::graph::{Graph, Journal};
use crate::snapshot::keyframes::{Keyframes, RECENT, SPACING};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::Store;
use crate::store::commit::{Acknowledged, Commit, Follower};
use crate::store::version::{self, At, Version};

/// The maximum number of queued facts for a small graph.
const FACTS_MAX: usize = 1 << 14;
/// The maximum number of bytes of queued values.
const BYTES_MAX: usize = 1 << 26;
/// The factor by which both limits grow while a handle exists that can take a snapshot, and the number of facts for each
/// entity then.
const BUSY: usize = 4;

pub(crate) struct Replica {
    plan: Arc<Plan>,
    paranoid: bool,
    lineage: u64,
    keyframes: Arc<Keyframes>,
    /// The last frame that callers other than the writer may see.
    acknowledged: Acknowledged,
    queue: Mutex<Queue>,
    /// Notified when a frame was queued or the store was dropped.
    changed: Notifier,
    /// A thread that locks both locks this before `queue`.
    current: Mutex<Current>,
    /// A frame is being applied to the graph, or user code has panicked when it was (a `Deserialize`, `Clone` or `Ord`). It
    /// is written under the lock of `current`. Reading it without the lock only tells whether to look under the lock.
    incomplete: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// A copy of the graph that replaced the frames before the batch, if the queue was too long.
    copy: Option<(Graph<Paged>, At)>,
    batch: Batch,
    /// The last frame that was queued.
    last: Option<Seq>,
    /// The store was dropped, so no more frames will come.
    closed: bool,
}

/// The size of a queue.
#[derive(Clone, Copy, Default)]
pub(crate) struct QueueSize {
    facts: usize,
    bytes: usize,
}

impl QueueSize {
    /// Returns whether the queue may be too long.
    #[inline]
    pub(crate) fn is_long(self) -> bool {
        self.facts > FACTS_MAX || self.bytes > BYTES_MAX
    }

    /// Returns whether the queue has more than a number of facts, so that a copy of the graph is cheaper than applying them, or
    /// whether its values take too much memory.
    fn exceeds(self, facts: usize) -> bool {
        self.facts > facts || self.bytes > BUSY * BYTES_MAX
    }
}

/// Consecutive frames.
#[derive(Default)]
struct Batch {
    facts: Facts,
    frames: Vec<Queued>,
}

/// One frame of a batch.
struct Queued {
    at: At,
    /// The fingerprint of the graph after the frame, if the store computes it.
    fingerprint: Option<u128>,
    /// The end of its facts in the facts of the batch.
    end: usize,
}

struct Current {
    graph: Graph<Paged>,
    journal: Journal,
    at: At,
    /// The snapshot of the graph, once it was taken.
    newest: Option<Arc<Version>>,
    /// The batch that was taken from the queue, and the numbers of its frames and facts that have been applied.
    batch: Batch,
    applied: (usize, usize),
    /// The snapshot of the last durable frame, if the graph has later frames.
    durable: Option<Arc<Version>>,
}

// The only user code that runs under these locks is that of values. If it panics, `Replica::incomplete` keeps other threads from
// reading a graph that has a part of a frame.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replica {
    fn new(
        (plan, keyframes): (Arc<Plan>, Arc<Keyframes>),
        acknowledged: Acknowledged,
        (paranoid, lineage): (bool, u64),
        graph: Graph<Paged>,
        at: At,
    ) -> Self {
        Self {
            plan,
            paranoid,
            lineage,
            keyframes,
            acknowledged,
            queue: Mutex::new(Queue {
                last: at.seq,
                ..Queue::default()
            }),
            changed: Notifier::default(),
            current: Mutex::new(Current {
                graph,
                journal: Journal::default(),
                at,
                newest: None,
                batch: Batch::default(),
                applied: (0, 0),
                durable: None,
            }),
            incomplete: AtomicBool::new(false),
        }
    }

    /// Queues the facts of a frame. Returns the size of the queue.
    pub(crate) fn push(&self, at: At, fingerprint: Option<u128>, facts: &Facts) -> QueueSize {
        let mut queue = lock(&self.queue);
        queue.batch.facts.append(facts);
        let end = queue.batch.facts.list.len();
        queue.batch.frames.push(Queued {
            at,
            fingerprint,
            end,
        });
        queue.last = at.seq;
        self.changed.notify(&queue);
        QueueSize {
            facts: end,
            bytes: queue.batch.facts.bytes.len(),
        }
    }

    /// Returns the last frame that other callers may see.
    pub(super) fn seq(&self) -> Option<Seq> {
        let last = lock(&self.queue).last;
        self.durable().map_or(last, |durable| last.min(durable))
    }

    /// Waits until a frame is committed and durable. Returns `false` if the wait ended before that.
    pub(super) fn wait_until(&self, seq: Seq, wait: Wait) -> bool {
        let is_queued = |queue: &Queue| match queue.last >= Some(seq) {
            true => Some(true),
            false => queue.closed.then_some(false),
        };
        let queued = (self.changed).wait_until(lock(&self.queue), wait, is_queued);
        queued.map(drop).is_some() && self.acknowledged.wait(seq).is_ok()
    }

    /// Returns the newest snapshot, whether it is durable or not.
    pub(crate) fn newest(&self) -> Arc<Version> {
        let mut current = lock(&self.current);
        if let Some(durable) = self.durable().filter(|durable| current.at.seq <= *durable) {
            self.advance(&mut current, Some(durable));
            let shown = self.current_snapshot(&mut current);
            self.advance(&mut current, None);
            // Other callers may not see later frames.
            current.durable = (current.at != shown.at).then_some(shown);
        }
        self.advance(&mut current, None);
        self.current_snapshot(&mut current)
    }

    /// Returns the newest snapshot that is durable.
    pub(super) fn newest_acknowledged(&self) -> Arc<Version> {
        let mut current = lock(&self.current);
        let durable = self.durable();
        self.advance(&mut current, durable);
        let further = durable.is_some_and(|durable| current.at.seq > durable);
        match &current.durable {
            Some(state) if further => Arc::clone(state),
            _ => {
                current.durable = None;
                self.current_snapshot(&mut current)
            }
        }
    }

    pub(crate) fn keyframes(&self) -> &Keyframes {
        &self.keyframes
    }

    /// Returns the last frame that may be shown. The outer `None` means that there is no limit; see [`Acknowledged::limit`].
    #[allow(clippy::option_option)]
    fn durable(&self) -> Option<Option<Seq>> {
        self.acknowledged.limit()
    }

    /// Returns the snapshot of the frames that have been applied.
    fn current_snapshot(&self, current: &mut Current) -> Arc<Version> {
        let Current {
            graph, at, newest, ..
        } = current;
        Arc::clone(newest.get_or_insert_with(|| self.state(graph, *at)))
    }

    fn state(&self, graph: &Graph<Paged>, at: At) -> Arc<Version> {
        Arc::new(Version {
            plan: Arc::clone(&self.plan),
            graph: graph.fork(),
            at,
            paranoid: self.paranoid,
            lineage: self.lineage,
        })
    }

    /// Applies the queued frames, up to a frame.
    fn advance(&self, current: &mut Current, until: Option<Option<Seq>>) {
        assert!(
            !self.incomplete.load(Relaxed),
            "user code panicked when an earlier snapshot was made (a `Deserialize`, `Clone` or `Ord` of a value); \
             call `Store::snapshot`, which copies the graph"
        );
        let shown = |at: At| until.is_none_or(|until| at.seq <= until);
        // The queue is taken once, so that this ends while another thread commits continuously.
        let mut taken = false;
        loop {
            if current.applied.0 == current.batch.frames.len() {
                current.batch.facts.clear();
                current.batch.frames.clear();
                current.applied = (0, 0);
                let mut queue = lock(&self.queue);
                if taken || queue.copy.as_ref().is_some_and(|copy| !shown(copy.1)) {
                    return;
                }
                if let Some((graph, at)) = queue.copy.take() {
                    (current.graph, current.at, current.newest) = (graph, at, None);
                }
                std::mem::swap(&mut queue.batch, &mut current.batch);
                taken = true;
            }
            let (done, start) = current.applied;
            let Some(frame) = current.batch.frames.get(done) else {
                return;
            };
            if !shown(frame.at) {
                return;
            }
            // If no snapshot shares its pages, applying the frame need not copy them.
            current.newest = None;
            self.incomplete.store(true, Relaxed);
            let facts = &current.batch.facts;
            for fact in &facts.list[start..frame.end] {
                if let Err(e) = current.graph.apply(&mut current.journal, *fact, facts) {
                    unreachable!("the store has done what its replica cannot do: {e}");
                }
            }
            current.graph.commit(&mut current.journal);
            assert!(
                frame
                    .fingerprint
                    .is_none_or(|print| print == current.graph.fingerprint),
                "the replica has another graph than its store"
            );
            self.incomplete.store(false, Relaxed);
            current.at = frame.at;
            let (end, left) = (frame.end, current.batch.frames.len() - done);
            current.applied = (done + 1, end);
            if !self.keyframes.enabled() {
                continue;
            }
            if left <= RECENT {
                self.keyframes
                    .keep_recent(self.current_snapshot(current), end - start);
            }
            if current.at.next().get().is_multiple_of(SPACING) {
                self.keyframes.keep(self.current_snapshot(current));
            }
        }
    }

    /// Shortens a queue that is too long. Returns whether the replica is to be dropped, until the next snapshot copies the
    /// graph. That is so if the queue is longer than the graph and no handle can take a snapshot (`shared`).
    #[cold]
    fn shorten_queue(&self, size: QueueSize, commit: &Commit<'_>, shared: bool) -> bool {
        let population = commit.core.graph.population();
        if !shared {
            return size.exceeds(population);
        }
        // A batch ends soon, with a transaction whose graph can be copied.
        if let Some(copy) = commit.copy
            && size.exceeds(BUSY * FACTS_MAX.max(population))
        {
            // Applying the facts here would take about ten times as long as the copy, and might wait for a reader.
            let graph = copy();
            let mut queue = lock(&self.queue);
            queue.copy = Some((graph, commit.at));
            queue.batch = Batch::default();
        }
        false
    }

    /// Replaces the graph with a copy of the store's graph if a panic left it with a part of a frame.
    fn repair(&self, copy: impl FnOnce() -> (Graph<Paged>, At)) {
        if !self.incomplete.load(Relaxed) {
            return;
        }
        let mut current = lock(&self.current);
        if !self.incomplete.load(Relaxed) {
            return;
        }
        let (graph, at) = copy();
        // The store is borrowed, so the copy has all frames that are queued.
        let mut queue = lock(&self.queue);
        (queue.copy, queue.batch) = (None, Batch::default());
        (current.graph, current.at, current.newest) = (graph, at, None);
        (current.batch, current.applied) = (Batch::default(), (0, 0));
        self.incomplete.store(false, Relaxed);
    }

    /// Records that no more frames will come.
    fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        self.changed.notify(&queue);
    }
}

/// Passes commits to the replica of a store, which exists once a snapshot was taken, and holds the keyframes.
#[derive(Default)]
pub(crate) struct SnapshotFollower {
    replica: OnceLock<Arc<Replica>>,
    keyframes: Arc<Keyframes>,
}

impl SnapshotFollower {
    pub(crate) fn keyframes(&self) -> &Arc<Keyframes> {
        &self.keyframes
    }

    /// Returns the replica, if there is one.
    pub(crate) fn get(&self) -> Option<&Arc<Replica>> {
        self.replica.get()
    }

    /// Returns the replica. Makes it if there is none, and repairs it if a panic left it with a part of a frame.
    pub(super) fn of<M: Model>(store: &Store<M>) -> &Arc<Replica> {
        let slot: &Self = store.followers.get();
        let replica = slot.replica.get_or_init(|| {
            Arc::new(Replica::new(
                (Arc::clone(&store.plan), Arc::clone(&slot.keyframes)),
                store.log.acknowledged(),
                (store.core.paranoid, store.lineage()),
                paged(store),
                store.at(),
            ))
        });
        replica.repair(|| (paged(store), store.at()));
        replica
    }
}

impl Follower for SnapshotFollower {
    fn listens(&self) -> bool {
        self.replica.get().is_some()
    }

    fn committed(&mut self, commit: &Commit<'_>) {
        let Some(replica) = self.replica.get() else {
            return;
        };
        let size = replica.push(commit.at, commit.fingerprint, commit.facts);
        if size.is_long() && replica.shorten_queue(size, commit, Arc::strong_count(replica) > 1) {
            self.replica.take();
        }
    }
}

impl Drop for SnapshotFollower {
    fn drop(&mut self) {
        if let Some(replica) = self.replica.get() {
            replica.close();
        }
    }
}

/// Returns a copy of a store's graph.
///
/// # Panics
/// If user code panicked in the middle of a change and stopped the store.
fn paged<M: Model>(store: &Store<M>) -> Graph<Paged> {
    if let Err(e) = store.core.open.check_whole() {
        panic!("the store has no snapshot, because a change was not completed: {e}");
    }
    version::paged::<M>(&store.core)
}

#[cfg(test)]
mod tests;
