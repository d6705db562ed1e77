//! What a shared store does between two turns of one caller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::db::Db;
use crate::store::commit::{Commit, Follower};
use crate::store::{SharedStore, Store};

/// A counter.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod tally {
    use crate::prelude::*;

    #[entity]
    pub struct Counter {
        #[key]
        pub name: String,
        #[default(0u64)]
        pub count: u64,
    }

    #[event]
    #[set(counter.count = count)]
    pub struct Counted {
        pub counter: Ensure<Counter>,
        pub count: u64,
    }
}

use tally::{Counted, Counter};

fn counted(count: u64) -> Counted {
    let counter = "c".into();
    Counted { counter, count }
}

#[test]
fn a_retry_leaves_the_store_to_others_between_what_it_reads_and_its_step() {
    let store = Store::<tally::Model>::paranoid().share();
    store.step(counted(0));
    let mut asked = 0;
    let mut others = 3;
    let add = |db: &Store<tally::Model>| {
        asked += 1;
        let counter = db.find::<Counter>("c").expect("it is there");
        let meta = Meta::new().expect(db.seq().expect("a step"));
        Ok::<_, StepError>((meta, counted(counter.count(db) + 1)))
    };
    let done = store.retry_between(10, add, || {
        if others > 0 {
            others -= 1;
            // It would panic if this caller still had the store.
            store.step(counted(10 * (3 - others)));
        }
    });
    assert!(done.is_ok());
    assert_eq!(asked, 4, "as often as the others were first, and once more");
    let count = store.read(|db| db.find::<Counter>("c").map(|c| c.count(db)));
    assert_eq!(
        count.expect("it reads"),
        Some(31),
        "nothing that the others did is lost"
    );
}

#[test]
fn a_retry_ends_with_the_last_conflict() {
    let store = Store::<tally::Model>::memory().share();
    store.step(counted(0));
    let mut asked = 0;
    let old = |db: &Store<tally::Model>| {
        asked += 1;
        let meta = Meta::new().expect(db.seq().expect("a step"));
        Ok::<_, StepError>((meta, counted(1)))
    };
    let refused = store.retry_between(3, old, || {
        store.step(counted(5));
    });
    assert!(matches!(refused, Err(StepError::Changed { .. })));
    assert_eq!(asked, 3);
}

#[test]
fn a_caller_that_holds_the_store_is_refused_while_another_one_makes_a_view() {
    let store = Store::<tally::Model>::memory().share();
    store.step(counted(0));
    let other = store.clone();
    let (ready, is_ready) = mpsc::channel();
    let (refused, is_refused) = mpsc::channel();
    // As another caller that has the reader and waits for the store.
    let other = thread::spawn(move || {
        let _reader = other.shared().reader.lock().expect("nothing panicked");
        ready.send(()).expect("the test runs");
        // The wait is limited, so that a failing test ends.
        is_refused.recv_timeout(Duration::from_secs(60)).is_ok()
    });
    is_ready.recv().expect("the thread runs");
    let asked = store.read(|_| catch_unwind(AssertUnwindSafe(|| store.since(0).map(|_| ()))));
    refused.send(()).ok();
    assert!(asked.expect("it reads").is_err(), "it panics");
    assert!(
        other.join().expect("it ends"),
        "the caller waited for the one that waits for it"
    );
    assert_eq!(store.since(0).expect("it reads").count(), 1);
}

#[test]
fn a_store_is_used_in_the_destructor_of_a_thread_local_value() {
    struct Last(std::cell::OnceCell<SharedStore<tally::Model>>);
    impl Drop for Last {
        fn drop(&mut self) {
            if let Some(store) = self.0.take() {
                store.step(counted(2));
                store.since(0).expect("it reads");
            }
        }
    }
    thread_local! {
        // Before the list of stores that the thread holds, so that it is dropped after that.
        static LAST: Last = const { Last(std::cell::OnceCell::new()) };
    }
    let store = Store::<tally::Model>::memory().share();
    let other = store.clone();
    let thread = thread::spawn(move || {
        LAST.with(|last| assert!(last.0.set(other.clone()).is_ok()));
        other.step(counted(1));
    });
    thread.join().expect("it ends");
    let count = store.read(|db| db.find::<Counter>("c").map(|c| c.count(db)));
    assert_eq!(count.expect("it reads"), Some(2));
}

#[test]
fn a_retry_ends_with_an_error_that_is_no_conflict() {
    let store = Store::<tally::Model>::memory().share();
    store.step(counted(0));
    let mut asked = 0;
    let ahead = |db: &Store<tally::Model>| {
        asked += 1;
        let meta = Meta::new().expect(db.seq().expect("a step") + 1);
        Ok::<_, StepError>((meta, counted(1)))
    };
    let refused = store.retry(3, ahead);
    assert!(matches!(refused, Err(StepError::Metadata(_))));
    assert_eq!(asked, 1);
}

/// User code that panics after each commit.
#[derive(Default)]
struct Panics;

impl Follower for Panics {
    fn listens(&self) -> bool {
        true
    }

    fn committed(&mut self, _: &Commit<'_>) {
        panic!("after a commit");
    }
}

#[test]
fn a_store_is_closed_although_user_code_panics_after_the_last_submitted_event() {
    type Close = fn(SharedStore<tally::Model>);
    let closes: [(Close, bool); 3] = [
        (|store| drop(store.close()), true),
        (drop, false),
        // A second panic would abort the process.
        (
            |store| {
                let _store = store;
                panic!("in the thread that has the last handle");
            },
            true,
        ),
    ];
    for (close, panics) in closes {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::<tally::Model>::open(dir.path()).expect("it is new");
        store.followers.get::<Panics>();
        let store = store.share();
        let ticket = store.submit(counted(7));
        let closed = catch_unwind(AssertUnwindSafe(|| close(store)));
        assert_eq!(closed.is_err(), panics);
        // The ticket does not keep the store open.
        let again = Store::<tally::Model>::open(dir.path()).expect("it is closed");
        let counter = again.find::<Counter>("c").expect("the event has fired");
        assert_eq!(counter.count(&again), 7);
        assert!(ticket.is_done());
        assert_eq!(Some(ticket.wait().expect("it is durable").seq), again.seq());
    }
}
