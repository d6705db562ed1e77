//! The replica: a second copy of the graph of a store, in shared pages, from which snapshots are cloned.
//!
//! 1. The first snapshot copies the store's graph. A store of which no snapshot was taken has no replica, and no cost for it.
//! 2. From then on, each commit puts its facts into a queue.
//! 3. A thread that takes a snapshot applies the queued facts to the replica and clones that. It waits only for others that
//!    take one, and for a few facts that are being applied.
//! 4. Other threads see only transactions that are acknowledged ([`Acknowledged`]).
//! 5. If no snapshot is taken, a thread applies facts from the front of the queue ([`applier`]). A commit that finds the queue
//!    long nevertheless ([`LONG`]) applies facts itself, at most twice the cost of its own. So the queue stays short, and no
//!    commit does work for the graph or for earlier commits. It does nothing while another thread uses the replica, until
//!    the queue has [`FULL`]: then it waits until that thread has applied [`SLICE`].
//! 6. A replica that no handle uses ([`StoreReader`](crate::StoreReader)) is dropped when more facts than the graph has
//!    entities were committed since the last snapshot ([`follower`](self::follower)). The next snapshot copies the graph.

mod applier;
mod follower;
mod queue;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use applier::{Applier, START};
pub(crate) use follower::SnapshotFollower;
use queue::{Batch, Queue, Queued, fact_cost, frame_cost};

use crate::base::notifier::{Notifier, Wait};
use crate::base::position::Seq;
use crate::graph::fact::{Fact, Facts};
use crate::graph::paged::Paged;
use crate::graph::{Graph, Journal};
use crate::snapshot::keyframes::{Keyframes, RECENT, SPACING};
use crate::step::plan::Plan;
use crate::store::commit::Acknowledged;
use crate::store::version::{At, Version};

/// The cost of queued frames at which commits begin to apply facts. Tests need few commits for it.
const LONG: u64 = if cfg!(test) { 1 << 10 } else { 1 << 17 };
/// The cost of queued frames from which a commit waits for a thread that uses the replica.
const FULL: u64 = 4 * LONG;
/// The cost of the facts that a reader applies before it looks whether a commit waits for it.
const SLICE: i64 = 256;

pub(crate) struct Replica {
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
    /// The cost of all frames that were ever applied. It is written under the lock of `current`.
    applied: AtomicU64,
    /// A commit waits for the lock of `current`.
    commit_waits: AtomicBool,
    /// Commits have found the queue long, and apply facts until it has [`START`]. Only the committing thread uses it.
    commits_apply: AtomicBool,
    applier: Applier,
    /// A fact is being applied to the graph, or user code has panicked when one was (a `Deserialize`, `Clone` or `Ord`). It
    /// is written under the lock of `current`. Reading it without the lock only tells whether to look under the lock.
    incomplete: AtomicBool,
}

struct Current {
    /// The plan of the graph.
    plan: Arc<Plan>,
    graph: Graph<Paged>,
    journal: Journal,
    /// The last frame of which all facts were applied. It is durable, unless the graph was copied from a store that had later
    /// frames.
    at: At,
    /// The snapshot of the graph, once it was taken.
    newest: Option<Arc<Version>>,
    /// The snapshot of all queued frames, if some of them were not durable when it was taken.
    ahead: Option<Arc<Version>>,
    /// The batch that was taken from the queue, and the numbers of its frames and facts that have been applied.
    batch: Batch,
    frames: usize,
    facts: usize,
    /// Whether a part of the next frame has been applied.
    partial: bool,
    /// The cost by which commits have exceeded twice their own, because a value was large. Later commits apply less.
    debt: u64,
}

// The only user code that runs under these locks is that of values. If it panics, `Replica::incomplete` keeps other threads from
// reading a graph that has a part of a fact.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies a fact of the store to a copy of its graph.
fn apply(graph: &mut Graph<Paged>, journal: &mut Journal, fact: Fact, facts: &Facts) {
    // The store has checked that only a migration changes keys.
    if let Err(e) = graph.apply_migrated(journal, fact, facts) {
        unreachable!("the store has done what its replica cannot do: {e}");
    }
}

/// Panics if a graph is not the one of the store after a frame.
fn check_fingerprint(frame: &Queued, graph: &Graph<Paged>) {
    assert!(
        frame
            .fingerprint
            .is_none_or(|print| print == graph.fingerprint),
        "the replica has another graph than its store"
    );
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
            paranoid,
            lineage,
            keyframes,
            acknowledged,
            queue: Mutex::new(Queue::after(at.seq)),
            changed: Notifier::default(),
            current: Mutex::new(Current {
                plan,
                graph,
                journal: Journal::default(),
                at,
                newest: None,
                ahead: None,
                batch: Batch::default(),
                frames: 0,
                facts: 0,
                partial: false,
                debt: 0,
            }),
            applied: AtomicU64::new(0),
            commit_waits: AtomicBool::new(false),
            commits_apply: AtomicBool::new(false),
            applier: Applier::default(),
            incomplete: AtomicBool::new(false),
        }
    }

    /// Queues the facts of a frame. Returns the cost of the frames that are queued and not applied.
    fn push(&self, at: At, fingerprint: Option<u128>, facts: &Facts) -> u64 {
        let mut queue = lock(&self.queue);
        let cost = queue.push(at, fingerprint, facts);
        self.changed.notify(&queue);
        cost.saturating_sub(self.applied.load(Relaxed))
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

    /// Returns the newest snapshot, whether it is durable or not. No other thread may commit.
    pub(super) fn newest(&self) -> Arc<Version> {
        let (last, durable) = self.read();
        let mut current = self.reach(self.lock_current(), durable);
        if current.at.seq >= last {
            return self.current_snapshot(&mut current);
        }
        self.ahead(&mut current, last)
    }

    /// Returns the newest snapshot that is durable.
    pub(crate) fn newest_acknowledged(&self) -> Arc<Version> {
        loop {
            let (_, durable) = self.read();
            let mut current = self.reach(self.lock_current(), durable);
            let undurable = (current.at.seq).filter(|seq| !self.acknowledged.has(*seq));
            let Some(seq) = undurable else {
                return self.current_snapshot(&mut current);
            };
            // The graph was copied from a store with this frame, so there is no earlier snapshot.
            drop(current);
            if self.acknowledged.wait(seq).is_err() {
                return self.current_snapshot(&mut self.lock_current());
            }
        }
    }

    /// Records that a snapshot is taken. Returns the last frame that is queued, and the last one that other callers may see.
    /// Frames that are committed from now on are left, so that a call ends while another thread commits continuously.
    fn read(&self) -> (Option<Seq>, Option<Seq>) {
        let last = lock(&self.queue).read();
        let durable = self.durable();
        (last, durable.map_or(last, |durable| last.min(durable)))
    }

    /// Returns the snapshot of all frames that are queued, of which `last` is the last. They are applied to a copy and stay in
    /// the queue, since they are not durable, and the graph of the replica is the one that other callers see.
    fn ahead(&self, current: &mut Current, last: Option<Seq>) -> Arc<Version> {
        if let Some(ahead) = current.ahead.as_ref().filter(|ahead| ahead.at.seq == last) {
            return Arc::clone(ahead);
        }
        let mut graph = current.graph.fork();
        let (mut journal, mut at) = (Journal::default(), current.at);
        let queue = lock(&self.queue);
        let mut applied = (current.frames, current.facts);
        for batch in std::iter::once(&current.batch).chain(queue.batches()) {
            let (frames, mut start) = std::mem::take(&mut applied);
            for frame in batch.frames.iter().skip(frames) {
                for fact in &batch.facts.list[start..frame.end] {
                    apply(&mut graph, &mut journal, *fact, &batch.facts);
                }
                graph.commit(&mut journal);
                check_fingerprint(frame, &graph);
                (start, at) = (frame.end, frame.at);
            }
        }
        drop(queue);
        let ahead = self.state(&current.plan, &graph, at);
        current.ahead = Some(Arc::clone(&ahead));
        ahead
    }

    pub(crate) fn keyframes(&self) -> &Keyframes {
        &self.keyframes
    }

    /// Returns the last durable frame. The outer `None` means that there is no limit; see [`Acknowledged::limit`].
    #[allow(clippy::option_option)]
    fn durable(&self) -> Option<Option<Seq>> {
        self.acknowledged.limit()
    }

    /// Returns the snapshot of the frames that have been applied.
    fn current_snapshot(&self, current: &mut Current) -> Arc<Version> {
        let Current {
            plan,
            graph,
            at,
            newest,
            ..
        } = current;
        Arc::clone(newest.get_or_insert_with(|| self.state(plan, graph, *at)))
    }

    fn state(&self, plan: &Arc<Plan>, graph: &Graph<Paged>, at: At) -> Arc<Version> {
        Arc::new(Version {
            plan: Arc::clone(plan),
            graph: graph.fork(),
            at,
            paranoid: self.paranoid,
            lineage: self.lineage,
        })
    }

    /// Applies the queued frames up to `until`, which is queued, and the rest of a frame of which a commit has applied a part.
    /// The lock is released in between if a commit waits for it, so other threads may have applied later frames when this returns.
    fn reach<'a>(
        &'a self,
        mut current: MutexGuard<'a, Current>,
        until: Option<Seq>,
    ) -> MutexGuard<'a, Current> {
        while !self.advance(&mut current, until, &mut { SLICE }, true) {
            if self.commit_waits.load(Relaxed) {
                drop(current);
                // A mutex prefers the thread that has just released it.
                while self.commit_waits.load(Relaxed) {
                    thread::yield_now();
                }
                current = self.lock_current();
            }
        }
        current
    }

    /// Locks the replica. The thread that applies facts gives it up for this.
    fn lock_current(&self) -> MutexGuard<'_, Current> {
        if let Ok(current) = self.current.try_lock() {
            return current;
        }
        let waiting = &self.applier.waiting;
        waiting.fetch_add(1, Relaxed);
        let current = lock(&self.current);
        waiting.fetch_sub(1, Relaxed);
        current
    }

    /// Applies queued facts, up to a frame, while their cost is less than `left`, from which it is subtracted. Returns whether
    /// all frames that are queued up to that one are applied.
    fn advance(
        &self,
        current: &mut Current,
        until: Option<Seq>,
        left: &mut i64,
        keyframes: bool,
    ) -> bool {
        assert!(
            !self.incomplete.load(Relaxed),
            "user code panicked when an earlier snapshot was made (a `Deserialize`, `Clone` or `Ord` of a value); \
             call `Store::snapshot`, which copies the graph"
        );
        while current.partial || current.at.seq < until {
            if current.frames == current.batch.frames.len() {
                (current.frames, current.facts) = (0, 0);
                if !lock(&self.queue).take_next(&mut current.batch) {
                    return true;
                }
            }
            let Some(&frame) = current.batch.frames.get(current.frames) else {
                return true;
            };
            if frame.at.seq > until && !current.partial {
                return true;
            }
            if *left <= 0 {
                return false;
            }
            // If no snapshot shares its pages, applying the frame need not copy them.
            (current.newest, current.ahead) = (None, None);
            self.incomplete.store(true, Relaxed);
            let facts = &current.batch.facts;
            let start = current.facts;
            for fact in &facts.list[start..frame.end] {
                if *left <= 0 {
                    break;
                }
                *left -= fact_cost(*fact) as i64;
                current.facts += 1;
                apply(&mut current.graph, &mut current.journal, *fact, facts);
            }
            // A replica is not rolled back. So a part of a frame is committed too, which forgets what it replaced.
            current.graph.commit(&mut current.journal);
            self.incomplete.store(false, Relaxed);
            current.partial = current.facts < frame.end;
            if current.partial {
                return false;
            }
            check_fingerprint(&frame, &current.graph);
            *left -= 1;
            current.at = frame.at;
            current.frames += 1;
            self.applied.store(frame.cost_up_to, Relaxed);
            if keyframes && self.keyframes.enabled() {
                self.keep(current, until, frame.end - start);
            }
        }
        true
    }

    /// Keeps the version after the last frame that was applied for queries of the past, if it is one of those that are kept.
    /// `until` is the frame up to which frames are being applied.
    fn keep(&self, current: &mut Current, until: Option<Seq>, facts: usize) {
        let left = (until.zip(current.at.seq)).and_then(|(until, seq)| until.frames_since(seq));
        if left.is_some_and(|left| left < RECENT as u64) {
            self.keyframes
                .keep_recent(self.current_snapshot(current), facts);
        }
        if current.at.next().get().is_multiple_of(SPACING) {
            self.keyframes.keep(self.current_snapshot(current));
        }
    }

    /// Sees to it that the facts in the queue are applied, for a commit that has found at least [`START`] there.
    #[cold]
    fn relieve(self: &Arc<Self>, backlog: u64, facts: &Facts) {
        if self.applier.is_unavailable() {
            if backlog > LONG {
                self.apply_for_commit(backlog, backlog - LONG, facts);
            }
            return;
        }
        if backlog > LONG {
            self.commits_apply.store(true, Relaxed);
            self.applier.stop();
        }
        if self.commits_apply.load(Relaxed) {
            self.apply_for_commit(backlog, backlog - START, facts);
        } else {
            self.start_applier(backlog);
        }
    }

    /// Applies facts for a commit, at most twice the cost of its own and at most `excess`. It makes no keyframes, since one may
    /// replace another that is the last to hold any number of pages.
    fn apply_for_commit(&self, backlog: u64, excess: u64, facts: &Facts) {
        let Some(mut current) = self.lock_for_commit(backlog) else {
            return;
        };
        let current = &mut *current;
        if self.incomplete.load(Relaxed) {
            // The next snapshot copies the graph of the store.
            self.discard_queue(current);
            return;
        }
        let most = 2 * frame_cost(facts);
        if excess <= most {
            self.commits_apply.store(false, Relaxed);
        }
        let budget = most.min(excess);
        let paid = budget.min(current.debt);
        current.debt -= paid;
        let mut left = (budget - paid) as i64;
        if left > 0 {
            self.advance(current, self.seq(), &mut left, false);
            current.debt = left.min(0).unsigned_abs();
        }
    }

    /// Locks the replica for a commit. Returns `None` if another thread has locked it and the queue is not full.
    fn lock_for_commit(&self, backlog: u64) -> Option<MutexGuard<'_, Current>> {
        match self.current.try_lock() {
            Ok(current) => Some(current),
            Err(TryLockError::Poisoned(e)) => Some(e.into_inner()),
            Err(TryLockError::WouldBlock) if backlog < FULL => None,
            Err(TryLockError::WouldBlock) => {
                self.commit_waits.store(true, Relaxed);
                let current = lock(&self.current);
                self.commit_waits.store(false, Relaxed);
                Some(current)
            }
        }
    }

    /// Discards all frames that are not applied.
    fn discard_queue(&self, current: &mut Current) {
        let mut queue = lock(&self.queue);
        queue.clear();
        self.applied.store(queue.cost(), Relaxed);
        current.batch = Batch::default();
        (current.frames, current.facts, current.partial) = (0, 0, false);
    }

    /// Replaces the graph with a copy of the store's graph if a panic left it with a part of a fact.
    fn repair(&self, copy: impl FnOnce() -> (Graph<Paged>, At)) {
        if !self.incomplete.load(Relaxed) {
            return;
        }
        let mut current = self.lock_current();
        if !self.incomplete.load(Relaxed) {
            return;
        }
        // The store is borrowed, so the copy has all frames that are queued.
        self.restart(&mut current, copy());
    }

    fn restart(&self, current: &mut Current, (graph, at): (Graph<Paged>, At)) {
        self.discard_queue(current);
        (current.graph, current.at) = (graph, at);
        (current.newest, current.ahead) = (None, None);
        current.journal = Journal::default();
        self.current.clear_poison();
        self.incomplete.store(false, Relaxed);
    }

    /// Replaces the graph with a copy of the store's graph, which has taken another schema in a frame of its log.
    fn enter(&self, plan: &Arc<Plan>, graph: Graph<Paged>, at: At) {
        let mut current = self.lock_current();
        self.restart(&mut current, (graph, at));
        current.plan = Arc::clone(plan);
    }

    /// Records that no more frames will come.
    fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        self.changed.notify(&queue);
    }
}

#[cfg(test)]
mod bounded;
#[cfg(test)]
mod grid;
#[cfg(test)]
mod tests;
