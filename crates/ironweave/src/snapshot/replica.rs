//! The replica: the graph of a store a second time, in shared pages, from which snapshots are cloned.
//!
//! 1. The first snapshot copies the store's graph. A store that is never asked for one has no replica and does
//!    nothing for it.
//! 2. From then on, each commit puts its facts into a queue.
//! 3. Who wants a snapshot takes the queue, applies it to the replica and clones that, on its own thread. The
//!    writer waits for nobody, and readers only for each other.
//! 4. A queue that gets long is applied by the writer, if somebody may ask for snapshots without the store
//!    ([`Snapshots`]); else the replica is given up, until the next snapshot copies the store's graph again. The
//!    limit grows with the graph, so that copies cost a constant for each fact.

use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::entity::Model;
use crate::fact::Facts;
use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::log::{Seq, Syncer};
use crate::snapshot::{At, Snapshot, State};
use crate::step::plan::Plan;
use crate::store::Store;

/// How many facts wait at most, where the graph is small.
const FACTS_MAX: usize = 1 << 14;
/// How many bytes of values wait at most.
const BYTES_MAX: usize = 1 << 26;

pub(crate) struct Replica {
    plan: Arc<Plan>,
    paranoid: bool,
    queue: Mutex<Queue>,
    /// Something came into the queue, or the store is gone.
    came: Condvar,
    /// Taken before `queue` by whoever takes both.
    head: Mutex<Head>,
    /// Where a frame can be in the queue before it is durable, as it can where threads share the store.
    syncer: Option<Arc<dyn Syncer>>,
}

#[derive(Default)]
struct Queue {
    facts: Facts,
    frames: Vec<Queued>,
    /// The last frame that ever came in.
    last: Option<Seq>,
    /// There will be no more.
    closed: bool,
}

/// One frame in the queue.
struct Queued {
    at: At,
    fingerprint: u128,
    /// Where its facts end.
    end: usize,
}

struct Head {
    graph: Graph<Paged>,
    at: At,
    /// The snapshot of this, once somebody has asked for it.
    newest: Option<Arc<State>>,
    /// What was taken from the queue, and how many of its frames have been applied.
    taken: Queue,
    applied: usize,
}

// No code of a user runs under these locks but the decoding of values; where that panics, the graph is left to
// nobody who could see it half done: the fingerprint tells.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replica {
    fn new(
        plan: Arc<Plan>,
        paranoid: bool,
        graph: Graph<Paged>,
        at: At,
        syncer: Option<Arc<dyn Syncer>>,
    ) -> Self {
        Self {
            plan,
            paranoid,
            queue: Mutex::new(Queue {
                last: at.seq,
                ..Queue::default()
            }),
            came: Condvar::new(),
            head: Mutex::new(Head {
                graph,
                at,
                newest: None,
                taken: Queue::default(),
                applied: 0,
            }),
            syncer,
        }
    }

    /// Queues the facts of a frame; whether the queue has become too long.
    pub(crate) fn push(&self, at: At, fingerprint: u128, facts: &Facts) -> bool {
        let mut queue = lock(&self.queue);
        queue.facts.append(facts);
        let end = queue.facts.list.len();
        queue.frames.push(Queued {
            at,
            fingerprint,
            end,
        });
        queue.last = at.seq;
        let long = end > FACTS_MAX || queue.facts.bytes.len() > BYTES_MAX;
        drop(queue);
        self.came.notify_all();
        long
    }

    /// The newest snapshot.
    pub(crate) fn newest(&self) -> Arc<State> {
        let mut head = lock(&self.head);
        self.advance(&mut head);
        let Head {
            graph, at, newest, ..
        } = &mut *head;
        let state = newest.get_or_insert_with(|| {
            Arc::new(State {
                plan: Arc::clone(&self.plan),
                graph: graph.fork(),
                at: *at,
                paranoid: self.paranoid,
            })
        });
        Arc::clone(state)
    }

    /// Applies what is in the queue and durable.
    fn advance(&self, head: &mut Head) {
        while self.apply_taken(head) {
            let mut queue = lock(&self.queue);
            if queue.frames.is_empty() {
                return;
            }
            std::mem::swap(&mut queue.facts, &mut head.taken.facts);
            std::mem::swap(&mut queue.frames, &mut head.taken.frames);
        }
    }

    /// Applies what was taken from the queue, as far as it is durable; whether nothing is left of it.
    fn apply_taken(&self, head: &mut Head) -> bool {
        let durable = self.syncer.as_ref().map(|syncer| syncer.durable());
        let Queue { facts, frames, .. } = &mut head.taken;
        while let Some(frame) = frames.get(head.applied) {
            if durable.is_some_and(|durable| durable < frame.at.seq) {
                return false;
            }
            // If nobody else has it, its pages need not be copied now.
            head.newest = None;
            let start = head.applied.checked_sub(1).map_or(0, |i| frames[i].end);
            for fact in &facts.list[start..frame.end] {
                if let Err(e) = head.graph.apply(*fact, facts) {
                    unreachable!("the store has done what its replica cannot do: {e}");
                }
            }
            head.graph.settle();
            assert_eq!(
                head.graph.fingerprint, frame.fingerprint,
                "the replica is not what its store is"
            );
            head.at = frame.at;
            head.applied += 1;
        }
        facts.clear();
        frames.clear();
        head.applied = 0;
        true
    }

    /// Says that nothing more will come.
    fn close(&self) {
        lock(&self.queue).closed = true;
        self.came.notify_all();
    }
}

/// Gives the newest snapshot of a store to any thread, and waits for what is to come. It is `Clone`, and holds up
/// nobody.
///
/// What it gives has been committed, and is as durable as the store promises: exactly what receipts were given for.
pub struct Snapshots<M: Model> {
    replica: Arc<Replica>,
    model: PhantomData<fn() -> M>,
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
    /// The newest snapshot; O(facts since somebody last asked). Once the store is dropped, it stays the last one.
    #[must_use]
    pub fn newest(&self) -> Snapshot<M> {
        Snapshot::of(self.replica.newest())
    }

    /// Waits until a frame is there and durable, and gives the newest snapshot then. `None` after `timeout`, or where
    /// the store is dropped or stops before.
    #[must_use]
    pub fn wait_until(&self, seq: Seq, timeout: Duration) -> Option<Snapshot<M>> {
        let deadline = Instant::now() + timeout;
        let mut queue = lock(&self.replica.queue);
        while queue.last < Some(seq) {
            let left = deadline.saturating_duration_since(Instant::now());
            if queue.closed || left.is_zero() {
                return None;
            }
            let waited = self.replica.came.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(queue);
        if let Some(syncer) = &self.replica.syncer {
            syncer.wait(seq).ok()?;
        }
        Some(self.newest())
    }
}

impl<M: Model> Store<M> {
    /// The graph as it is now, as a value that stays so; see [`Snapshot`]. The first one is O(size of the graph), a
    /// later one O(facts since the last).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<M> {
        Snapshot::of(self.replica().newest())
    }

    /// A handle that gives the newest snapshot to other threads. As long as there is one, each commit costs what it
    /// takes to hand over its facts.
    #[must_use]
    pub fn reader(&self) -> Snapshots<M> {
        Snapshots {
            replica: Arc::clone(self.replica()),
            model: PhantomData,
        }
    }

    /// Where the store stands.
    pub(crate) fn at(&self) -> At {
        At {
            seq: self.seq(),
            time: self.last,
        }
    }

    fn replica(&self) -> &Arc<Replica> {
        self.replica.get_or_init(|| {
            let binding = M::binding();
            let graph = self.core.graph.copy(&binding.columns, &binding.data);
            let plan = Arc::clone(&self.plan);
            let (paranoid, at) = (self.core.paranoid, self.at());
            Arc::new(Replica::new(plan, paranoid, graph, at, self.syncer()))
        })
    }

    /// Tells the replica, if there is one, what the transaction did that has just been written.
    #[inline]
    pub(crate) fn replicate(&mut self) {
        if let Some(replica) = self.replica.get() {
            let graph = &self.core.graph;
            if replica.push(self.at(), graph.fingerprint, &graph.journal.facts) {
                self.relieve();
            }
        }
    }

    /// Shortens a queue that has become long.
    pub(crate) fn relieve(&mut self) {
        let Some(replica) = self.replica.get() else {
            return;
        };
        if Arc::strong_count(replica) > 1 {
            // Who is at it already takes this along, or the next one does.
            if let Ok(mut head) = replica.head.try_lock() {
                replica.advance(&mut head);
            }
        } else if lock(&replica.queue).facts.list.len() > self.core.graph.population() {
            self.replica.take();
        }
    }
}

/// A store's replica, which it tells when it ends.
#[derive(Default)]
pub(crate) struct Slot(std::sync::OnceLock<Arc<Replica>>);

impl Slot {
    pub(crate) fn get(&self) -> Option<&Arc<Replica>> {
        self.0.get()
    }

    fn get_or_init(&self, make: impl FnOnce() -> Arc<Replica>) -> &Arc<Replica> {
        self.0.get_or_init(make)
    }

    fn take(&mut self) {
        self.0.take();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(replica) = self.0.get() {
            replica.close();
        }
    }
}
