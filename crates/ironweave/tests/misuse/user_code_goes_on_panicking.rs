//! User code that panics again while its first panic unwinds, after a handler caught it, or while a snapshot is made, neither
//! aborts the process, nor commits a partial step, nor harms the log.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use garage::*;
use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::{assert_consistent, assert_same_state, temp_dir, unsynced};

/// A value whose `Clone`, `Ord` and `Eq` panic after as many calls as `PATIENCE` says, and at each call after that.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Touchy(pub String);

thread_local! {
    static PATIENCE: Cell<Option<u32>> = const { Cell::new(None) };
}

fn touch() {
    if let Some(left) = PATIENCE.get() {
        assert!(left > 0, "it was touched too often");
        PATIENCE.set(Some(left - 1));
    }
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        touch();
        Self(self.0.clone())
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        touch();
        self.0 == other.0
    }
}

impl Eq for Touchy {}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        touch();
        self.0.cmp(&other.0)
    }
}

#[ironweave::model]
pub mod garage {
    use ironweave::prelude::*;

    #[entity]
    #[index(ordered, fields = [class, rank])]
    pub struct Car {
        pub note: super::Touchy,
        #[index(ordered)]
        pub rank: super::Touchy,
        #[index(ordered)]
        pub class: super::Touchy,
    }

    #[event]
    #[create(car: Car { note = rank, rank, class = rank })]
    pub struct Parked {
        pub rank: super::Touchy,
    }

    /// Its handler sets both indexed fields, and catches panics if it is `careful`.
    #[event]
    #[may(set Car.rank, set Car.class, delete Car)]
    pub struct Ranked {
        pub car: Car,
        pub rank: super::Touchy,
        pub careful: bool,
    }

    #[event]
    pub struct Passed {}
}

impl Apply for Ranked {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let mut set = || {
            bound.car.set_rank(tx, self.rank.clone())?;
            bound.car.set_class(tx, self.rank.clone())?;
            bound.car.delete(tx)
        };
        if self.careful {
            // The handler continues, whether or not the calls succeeded.
            let _ = catch_unwind(AssertUnwindSafe(&mut set));
            let _ = catch_unwind(AssertUnwindSafe(&mut set));
            Ok(())
        } else {
            set()
        }
    }
}

fn touchy(text: &str) -> Touchy {
    Touchy(text.to_owned())
}

/// Runs a closure with user code that panics after so many calls. The result is whether it panicked.
fn with_patience(patience: u32, act: impl FnOnce()) -> bool {
    PATIENCE.set(Some(patience));
    let done = catch_unwind(AssertUnwindSafe(act));
    let left = PATIENCE.take();
    done.is_err() || left == Some(0)
}

fn garage(dir: &tempfile::TempDir) -> Store<garage::Model> {
    unsynced().open(dir.path()).expect("the log is whole")
}

#[test]
fn user_code_that_panics_during_a_rollback_stops_the_store_and_harms_nothing_else() {
    let (mut panicked, mut stopped) = (0, 0);
    for patience in 0..60 {
        for careful in [false, true] {
            let dir = temp_dir();
            let mut store = garage(&dir);
            for rank in ["a", "b", "c"] {
                store.step(Parked { rank: touchy(rank) });
            }
            let car = store.place::<Car, Any>().nth(1).expect("three are there");
            panicked += u32::from(with_patience(patience, || {
                let mut t = store.begin();
                let rank = touchy("z");
                let parked = t.apply(Parked { rank }).map(|_| ());
                let rank = touchy("y");
                let ranked = t.apply(Ranked { car, rank, careful }).map(|_| ());
                // Where the graph could not be restored, the commit is an error.
                let committed = t.commit();
                assert!(parked.and(ranked).is_ok() || committed.is_err());
            }));
            // Every later call returns a result.
            let (seq, print) = match store.try_step(Passed {}) {
                Ok(_) => {
                    assert_consistent(&store);
                    (store.seq(), Some(store.fingerprint()))
                }
                Err(e) => {
                    assert!(e.is_stopped(), "{e}");
                    let again = store.what_if(|t| t.apply(Passed {}).map(|_| ()));
                    assert!(again.is_err());
                    // A snapshot does not show a step that was not completed.
                    assert!(catch_unwind(AssertUnwindSafe(|| store.snapshot())).is_err());
                    stopped += 1;
                    (store.seq(), None)
                }
            };
            drop(store);
            let store = garage(&dir);
            assert_eq!((store.seq(), store.check()), (seq, vec![]));
            assert!(print.is_none_or(|print| print == store.fingerprint()));
        }
    }
    assert!(panicked > 40 && stopped > 10, "{panicked} and {stopped}");
}

#[test]
fn an_event_whose_handler_caught_a_panic_gives_no_partial_snapshot() {
    let mut store = Store::<garage::Model>::memory();
    for rank in ["a", "b", "c"] {
        store.step(Parked { rank: touchy(rank) });
    }
    let car = store.place::<Car, Any>().nth(1).expect("three are there");
    let snapshot = store.snapshot();
    let mut refused = 0;
    for patience in 0..80 {
        let mut outcome = None;
        with_patience(patience, || {
            let rank = touchy("y");
            let careful = true;
            outcome = Some(snapshot.with(Ranked { car, rank, careful }));
        });
        match outcome {
            Some(Ok(outcome)) => {
                assert_consistent(&outcome.snapshot);
                let mut begun = outcome.snapshot.into_store();
                begun.step(Passed {});
                assert_consistent(&begun);
            }
            Some(Err(e)) => {
                assert!(e.is_stopped(), "{e}");
                refused += 1;
            }
            None => {}
        }
        assert_consistent(&snapshot);
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn user_code_that_panics_while_a_snapshot_is_made_harms_no_later_snapshot() {
    let mut panicked = 0;
    for patience in 0..40 {
        let mut store = Store::<garage::Model>::memory();
        let rank = || touchy("a");
        store.step(Parked { rank: rank() });
        let (kept, reader) = (store.snapshot(), store.reader());
        for rank in ["c", "b", "d"] {
            store.step(Parked { rank: touchy(rank) });
        }
        panicked += u32::from(with_patience(patience, || drop(reader.snapshot())));
        let check = |store: &Store<garage::Model>| {
            let snapshot = store.snapshot();
            assert_same_state(&snapshot, store);
            assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
        };
        check(&store);
        store.step(Parked { rank: rank() });
        check(&store);
        assert_eq!((kept.check(), kept.count::<Car, Any>()), (vec![], 1));
    }
    assert!(panicked > 10, "{panicked}");
}
