//! What all folders of tests share: temporary directories, stores that are closed and opened again, assertions about
//! a whole store or two of them, the content of a store by name, and child processes that are killed while they write.
//!
//! A folder includes it with `#[path = "../harness/mod.rs"] mod harness;`. Beside it are [`random`], and `readme`,
//! the README's model with a naive oracle, which only the folders include that need it.
#![allow(dead_code, missing_docs)]

pub mod child;
pub mod named;
pub mod random;

use std::fs;
use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Inconsistency, Model, Options, Seq};
use tempfile::TempDir;

/// A directory that is removed when the test ends.
pub fn temp_dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A directory in memory, where the system has a place for that: for tests that open thousands of stores, each of
/// which syncs as it opens, and that do not ask what survives a power failure.
pub fn scratch_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary directory")
}

/// Copies a directory with everything in it. The threads of an open store may rename a file between its listing and its copy; it is left
/// out then.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory can be created");
    for entry in fs::read_dir(from).expect("the directory can be listed") {
        let path = entry.expect("the directory can be listed").path();
        let to = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_dir(&path, &to);
        } else if let Err(e) = fs::copy(&path, &to)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            panic!("{} can be copied: {e}", path.display());
        }
    }
}

/// Options of a store that never syncs, for tests that close their stores instead of killing them.
pub fn unsynced<M: Model>() -> Options<M> {
    Store::options().durability(Durability::Os)
}

/// A store or a snapshot, as the assertions see it.
pub trait Graph {
    fn seq(&self) -> Option<Seq>;
    fn fingerprint(&self) -> u128;
    /// Every difference between what is kept incrementally and what is computed from scratch.
    fn inconsistencies(&self) -> Vec<Inconsistency>;
}

impl<M: Model> Graph for Store<M> {
    fn seq(&self) -> Option<Seq> {
        Self::seq(self)
    }

    fn fingerprint(&self) -> u128 {
        Self::fingerprint(self)
    }

    fn inconsistencies(&self) -> Vec<Inconsistency> {
        self.check()
    }
}

impl<M: Model> Graph for Snapshot<M> {
    fn seq(&self) -> Option<Seq> {
        Self::seq(self)
    }

    fn fingerprint(&self) -> u128 {
        Self::fingerprint(self)
    }

    fn inconsistencies(&self) -> Vec<Inconsistency> {
        self.check()
    }
}

/// Asserts that what is kept incrementally (indexes, counters, both ends of edges) is what is computed from scratch.
#[track_caller]
pub fn assert_consistent(graph: &impl Graph) {
    assert_eq!(graph.inconsistencies(), []);
}

/// Asserts that a store is consistent, and that its events give the logged facts again; how many transactions that
/// were.
#[track_caller]
pub fn assert_sound<M: Model>(store: &Store<M>) -> u64 {
    assert_consistent(store);
    let verified = store.verify();
    verified.unwrap_or_else(|e| panic!("the events do not give the logged facts again: {e}"))
}

/// Asserts that two stores or snapshots are at the same transaction with the same graph, and that both are consistent.
#[track_caller]
pub fn assert_same_state(a: &impl Graph, b: &impl Graph) {
    assert_consistent(a);
    assert_consistent(b);
    assert_eq!((a.seq(), a.fingerprint()), (b.seq(), b.fingerprint()));
}

/// Every fact in the log of a store, as text, with the number of its transaction.
pub fn logged_facts<M: Model>(store: &Store<M>) -> Vec<String> {
    let frames = store.frames(0).expect("the store has a log");
    frames
        .map(|frame| frame.expect("the log can be read"))
        .flat_map(|frame| {
            let facts = frame.facts().iter();
            facts
                .map(|fact| format!("{}: {fact}", frame.seq()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Closes a store and opens its log again: the new store has the same graph, the same log, and is sound.
#[track_caller]
pub fn reopened<M: Model>(dir: &Path, store: Store<M>) -> Store<M> {
    reopened_with(Store::options(), dir, store)
}

/// As [`reopened`], with options.
#[track_caller]
pub fn reopened_with<M: Model>(options: Options<M>, dir: &Path, store: Store<M>) -> Store<M> {
    assert_consistent(&store);
    let before = (store.seq(), store.fingerprint());
    let facts = logged_facts(&store);
    drop(store);
    let store = options.open(dir).expect("the log can be opened again");
    assert_eq!((store.seq(), store.fingerprint()), before);
    assert_eq!(logged_facts(&store), facts);
    assert_sound(&store);
    store
}

/// Asserts that an event is rejected and that nothing changes; the error.
#[track_caller]
pub fn rejected<E: Event>(store: &mut Store<E::Model>, event: E) -> StepError {
    let before = (store.seq(), store.fingerprint());
    let Err(error) = store.try_step(event) else {
        panic!("{} was not rejected", E::NAME)
    };
    assert_eq!((store.seq(), store.fingerprint()), before, "{error}");
    assert_consistent(store);
    error
}
