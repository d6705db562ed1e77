//! Passes the commits of a store to its replica, and drops a replica that is not used.

use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::fence;
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::snapshot::keyframes::Keyframes;
use crate::snapshot::replica::{LONG, Replica, START, lock};
use crate::step::flat;
use crate::step::model::Model;
use crate::store::Store;
use crate::store::commit::{Commit, Follower};

/// The replica of a store, which exists once a snapshot was taken, and the keyframes.
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

    /// Returns the replica. Makes it if there is none, and repairs it if a panic left it with a part of a fact.
    pub(in crate::snapshot) fn of<M: Model>(store: &Store<M>) -> &Arc<Replica> {
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

    /// Relieves the queue of the replica. Drops the replica if no handle uses it and applying the facts that
    /// were committed since the last snapshot costs more than copying the graph.
    #[cold]
    fn relieve(&mut self, backlog: u64, commit: &Commit<'_>) {
        let Some(replica) = self.replica.get() else {
            return;
        };
        let unread = lock(&replica.queue).unread();
        // In this order, since the thread that applies facts is one of the references that are counted if it runs now.
        let references = Arc::strong_count(replica);
        fence(Acquire);
        let is_used = references > 1 + usize::from(replica.applier.runs());
        if !is_used && unread > commit.core.graph.population().max(LONG as usize) {
            if let Some(replica) = self.replica.take() {
                replica.applier.stop();
                free_on_a_thread(replica);
            }
        } else {
            replica.relieve(backlog, commit.facts);
        }
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
        if let Some((at, plan)) = commit.plan() {
            replica.enter(plan, flat::paged(commit.core, plan), at);
        }
        let backlog = replica.push(commit.at, commit.fingerprint, commit.facts);
        if backlog > START {
            self.relieve(backlog, commit);
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

/// Drops a replica on a thread of its own, since freeing its pages takes time proportional to the graph.
fn free_on_a_thread(replica: Arc<Replica>) {
    let thread = thread::Builder::new().name("ironweave-free".into());
    // If there is no thread, the replica is dropped here.
    let _ = thread.spawn(move || drop(replica));
}

/// Returns a copy of a store's graph.
///
/// # Panics
/// If user code panicked in the middle of a change and stopped the store.
fn paged<M: Model>(store: &Store<M>) -> Graph<Paged> {
    if let Err(e) = store.core.open.check_whole() {
        panic!("the store has no snapshot, because a change was not completed: {e}");
    }
    flat::paged(&store.core, &store.plan)
}
