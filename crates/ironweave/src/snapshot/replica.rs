//! The replica: the graph of a store a second time, in shared pages, from which snapshots are cloned.
//!
//! 1. The first snapshot copies the store's graph. A store that is never asked for one has no replica and does
//!    nothing for it.
//! 2. From then on, each commit puts its facts into a queue.
//! 3. A thread that asks for a snapshot takes the queue, applies it to the replica and clones that. The writer never
//!    waits for it, and readers wait only for each other.
//! 4. Other threads see only what is acknowledged ([`Acknowledged`]).
//! 5. A commit that finds the queue too long replaces it with a copy of the graph, if a handle exists that can ask for
//!    snapshots without the store ([`Snapshots`]). Otherwise it drops the replica, and the next snapshot copies the graph.
//!    Such a commit takes time proportional to the graph. The limits grow with the graph, so that on average copies cost a
//!    constant for each fact.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::base::notifier::Notifier;
use crate::base::position::Seq;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::graph::{Graph, Journal};
use crate::snapshot::Snapshot;
use crate::snapshot::keyframes::{Keyframes, RECENT, SPACING};
use crate::step::flat;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::Store;
use crate::store::commit::{Acknowledged, Commit, Follower};
use crate::store::version::{At, Version};

/// How many facts wait at most, where the graph is small.
const FACTS_MAX: usize = 1 << 14;
/// How many bytes of values wait at most.
const BYTES_MAX: usize = 1 << 26;
/// So many times as much, and so many facts for each entity, where there is somebody who may ask for a snapshot soon.
const BUSY: usize = 4;

pub(crate) struct Replica {
    plan: Arc<Plan>,
    paranoid: bool,
    lineage: u64,
    keyframes: Arc<Keyframes>,
    /// How far other callers than the writer may look.
    acknowledged: Acknowledged,
    queue: Mutex<Queue>,
    /// Something came into the queue, or the store is gone.
    came: Notifier,
    /// Taken before `queue` by whoever takes both.
    current: Mutex<Current>,
    /// A frame is being applied to the graph, or user code has panicked when it was (a `Deserialize`, `Clone` or `Ord`). It
    /// is written under the lock of `current`. Reading it without the lock only tells whether to look under the lock.
    halfway: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// The graph after all that came before the batch, where that was too much to wait.
    copy: Option<(Graph<Paged>, At)>,
    batch: Batch,
    /// The last frame that ever came in.
    last: Option<Seq>,
    /// There will be no more.
    closed: bool,
}

/// How much is in a queue.
#[derive(Clone, Copy, Default)]
pub(crate) struct Waiting {
    facts: usize,
    bytes: usize,
}

impl Waiting {
    /// Whether it may be too much.
    #[inline]
    pub(crate) fn is_long(self) -> bool {
        self.facts > FACTS_MAX || self.bytes > BYTES_MAX
    }

    /// Whether a copy of the graph is the better way to bring a replica up to date than so many facts, or the values
    /// take too much memory.
    fn outweighs(self, facts: usize) -> bool {
        self.facts > facts || self.bytes > BUSY * BYTES_MAX
    }
}

/// Frames, one after the other.
#[derive(Default)]
struct Batch {
    facts: Facts,
    frames: Vec<Queued>,
}

/// One frame of a batch.
struct Queued {
    at: At,
    /// Where the store keeps one.
    fingerprint: Option<u128>,
    /// Where its facts end.
    end: usize,
}

struct Current {
    graph: Graph<Paged>,
    journal: Journal,
    at: At,
    /// The snapshot of this, once somebody has asked for it.
    newest: Option<Arc<Version>>,
    /// What has been taken from the queue, and how many frames and facts of it have been applied.
    batch: Batch,
    applied: (usize, usize),
    /// The last one that was durable, where the graph is further.
    durable: Option<Arc<Version>>,
}

// No code of a user runs under these locks but that of values; where that panics, the graph is left to nobody who could
// see it half done: `Replica::halfway` tells.
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
            came: Notifier::default(),
            current: Mutex::new(Current {
                graph,
                journal: Journal::default(),
                at,
                newest: None,
                batch: Batch::default(),
                applied: (0, 0),
                durable: None,
            }),
            halfway: AtomicBool::new(false),
        }
    }

    /// Queues the facts of a frame; how much waits then.
    pub(crate) fn push(&self, at: At, fingerprint: Option<u128>, facts: &Facts) -> Waiting {
        let mut queue = lock(&self.queue);
        queue.batch.facts.append(facts);
        let end = queue.batch.facts.list.len();
        queue.batch.frames.push(Queued {
            at,
            fingerprint,
            end,
        });
        queue.last = at.seq;
        self.came.notify(&queue);
        Waiting {
            facts: end,
            bytes: queue.batch.facts.bytes.len(),
        }
    }

    /// The newest snapshot, durable or not.
    pub(crate) fn newest(&self) -> Arc<Version> {
        let mut current = lock(&self.current);
        if let Some(durable) = self.durable().filter(|durable| current.at.seq <= *durable) {
            self.advance(&mut current, Some(durable));
            let shown = self.now(&mut current);
            self.advance(&mut current, None);
            // Others may not see what followed.
            current.durable = (current.at != shown.at).then_some(shown);
        }
        self.advance(&mut current, None);
        self.now(&mut current)
    }

    /// The newest snapshot that is durable.
    pub(super) fn newest_acknowledged(&self) -> Arc<Version> {
        let mut current = lock(&self.current);
        let durable = self.durable();
        self.advance(&mut current, durable);
        let further = durable.is_some_and(|durable| current.at.seq > durable);
        match &current.durable {
            Some(state) if further => Arc::clone(state),
            _ => {
                current.durable = None;
                self.now(&mut current)
            }
        }
    }

    /// The last frame that may be shown; none, where all may.
    #[allow(clippy::option_option)]
    fn durable(&self) -> Option<Option<Seq>> {
        self.acknowledged.limit()
    }

    /// The snapshot of what has been applied.
    fn now(&self, current: &mut Current) -> Arc<Version> {
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

    /// Applies what is in the queue by now, up to a frame.
    fn advance(&self, current: &mut Current, until: Option<Option<Seq>>) {
        assert!(
            !self.halfway.load(Relaxed),
            "user code panicked when an earlier snapshot was made (a `Deserialize`, `Clone` or `Ord` of a value); \
             `Store::snapshot` copies the graph anew"
        );
        let shown = |at: At| until.is_none_or(|until| at.seq <= until);
        // Once: who writes all the time must not keep away who reads.
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
            // If nobody else has it, its pages need not be copied now.
            current.newest = None;
            self.halfway.store(true, Relaxed);
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
                "the replica is not what its store is"
            );
            self.halfway.store(false, Relaxed);
            current.at = frame.at;
            let (end, left) = (frame.end, current.batch.frames.len() - done);
            current.applied = (done + 1, end);
            if !self.keyframes.wanted() {
                continue;
            }
            if left <= RECENT {
                self.keyframes.follow(self.now(current), end - start);
            }
            if current.at.next().is_multiple_of(SPACING) {
                self.keyframes.keep(self.now(current));
            }
        }
    }

    /// Bounds a queue that has become too long; whether the replica is to be given up. It is, if no other thread can ask
    /// for it (`shared`), until the next snapshot copies the graph.
    #[cold]
    fn relieve(&self, waiting: Waiting, commit: &Commit<'_>, shared: bool) -> bool {
        let population = commit.core.graph.population();
        if !shared {
            return waiting.outweighs(population);
        }
        if waiting.outweighs(BUSY * FACTS_MAX.max(population)) {
            // To apply so much would take the writer ten times as long, and it may have to wait for a reader.
            let graph = (commit.copy)();
            let mut queue = lock(&self.queue);
            queue.copy = Some((graph, commit.at));
            queue.batch = Batch::default();
        }
        false
    }

    /// Takes a copy of the store's graph if its own was left half done.
    fn mend(&self, copy: impl FnOnce() -> (Graph<Paged>, At)) {
        if !self.halfway.load(Relaxed) {
            return;
        }
        let mut current = lock(&self.current);
        if !self.halfway.load(Relaxed) {
            return;
        }
        let (graph, at) = copy();
        // The store is not being changed meanwhile, so all that waits is in the copy.
        let mut queue = lock(&self.queue);
        (queue.copy, queue.batch) = (None, Batch::default());
        (current.graph, current.at, current.newest) = (graph, at, None);
        (current.batch, current.applied) = (Batch::default(), (0, 0));
        self.halfway.store(false, Relaxed);
    }

    /// Says that nothing more will come.
    fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        self.came.notify(&queue);
    }
}

/// Gives the newest snapshot of a store to any thread, and waits for what is to come. It is `Clone`.
///
/// Taking a snapshot never blocks the writer, but a handle that takes none has a cost. While a handle exists, each commit
/// queues its facts. If more than four facts for each entity (and more than 65,536), or 256 MiB of values, are queued before
/// a snapshot is taken, the next commit replaces the queue with a copy of the graph, which takes time proportional to the
/// size of the graph. Drop a handle that you no longer use.
///
/// What it gives is as durable as the store promises: what receipts were given for, or may be given for now.
pub struct Snapshots<M: Model> {
    replica: Arc<Replica>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Snapshots<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshots<{}>", M::NAME)
    }
}

impl<M: Model> Clone for Snapshots<M> {
    fn clone(&self) -> Self {
        Self {
            replica: Arc::clone(&self.replica),
            model: PhantomData,
        }
    }
}

impl<M: Model> Snapshots<M> {
    pub(super) fn new(replica: Arc<Replica>) -> Self {
        Self {
            replica,
            model: PhantomData,
        }
    }

    /// The newest snapshot; O(facts since somebody last asked). Once the store is dropped, it stays the last one.
    #[must_use]
    pub fn newest(&self) -> Snapshot<M> {
        Snapshot::of(self.replica.newest_acknowledged())
    }

    /// Waits until a frame is there and durable, and gives the newest snapshot then. `None` after `timeout`, or where
    /// the store is dropped or its log stopped before; [`Duration::MAX`] is as long as it takes.
    #[must_use]
    pub fn wait_until(&self, seq: Seq, timeout: Duration) -> Option<Snapshot<M>> {
        // One that ends later than a clock can say does not end.
        let deadline = Instant::now().checked_add(timeout);
        let mut queue = lock(&self.replica.queue);
        while queue.last < Some(seq) {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if queue.closed || left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            queue = self.replica.came.wait(queue, left);
        }
        drop(queue);
        self.replica.acknowledged.wait(seq).ok()?;
        Some(self.newest())
    }
}

/// The replica of a store, once a snapshot was asked for, and the keyframes.
#[derive(Default)]
pub(crate) struct Slot {
    replica: OnceLock<Arc<Replica>>,
    keyframes: Arc<Keyframes>,
}

impl Slot {
    pub(crate) fn keyframes(&self) -> &Arc<Keyframes> {
        &self.keyframes
    }

    /// The replica, if there is one.
    pub(crate) fn get(&self) -> Option<&Arc<Replica>> {
        self.replica.get()
    }

    /// The replica; it is made if there is none, and repaired if it was left half done.
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
        replica.mend(|| (paged(store), store.at()));
        replica
    }
}

impl Follower for Slot {
    fn listens(&self) -> bool {
        self.replica.get().is_some()
    }

    fn committed(&mut self, commit: &Commit<'_>) {
        let Some(replica) = self.replica.get() else {
            return;
        };
        let waiting = replica.push(commit.at, commit.fingerprint, commit.facts);
        if waiting.is_long() && replica.relieve(waiting, commit, Arc::strong_count(replica) > 1) {
            self.replica.take();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(replica) = self.replica.get() {
            replica.close();
        }
    }
}

/// A copy of a store's graph as it is now.
///
/// # Panics
/// If user code has stopped the store in the middle of a change: there is no graph to show.
fn paged<M: Model>(store: &Store<M>) -> Graph<Paged> {
    if let Err(e) = store.core.open.check_whole() {
        panic!("there is no snapshot of a store that is not whole: {e}");
    }
    let binding = M::binding();
    flat::paged(&store.core, (&binding.columns, &binding.data))
}

#[cfg(test)]
mod tests;
