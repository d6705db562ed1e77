//! A due event that is rejected is left out until an entity that it reads changes or its backoff ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::prelude::*;

use crate::desk::*;
use crate::harness::{reopened, temp_dir, unsynced};

/// Ada has a task that reminds her at 1000, and she is away.
fn remind_the_absent(store: &mut Store<Model>) {
    store.step(Assign {
        name: "a".into(),
        owner: "Ada".into(),
        deadline: None,
        remind_at: Some(secs(1000)),
    });
    store.step(Leave {
        person: "Ada".into(),
    });
}

/// Expects one rejection, and returns the time at which the event is tried again, in seconds.
fn rejected(store: &mut Store<Model>, now: i64) -> i64 {
    let report = store.fire_due(secs(now)).unwrap();
    assert!(report.fired.is_empty(), "{report:?}");
    let [rejected] = report.rejected.as_slice() else {
        panic!("one is rejected: {report:?}");
    };
    assert_eq!(store.next_due(), Some(rejected.retry_at));
    rejected.retry_at.as_secs()
}

/// Expects that nothing is tried.
fn waits(store: &mut Store<Model>, now: i64) {
    let report = store.fire_due(secs(now)).unwrap();
    assert!(report.fired.is_empty() && report.rejected.is_empty());
}

#[test]
fn a_rejection_is_given_to_the_caller_and_changes_nothing() {
    let (mut store, _) = store();
    remind_the_absent(&mut store);
    let before = store.fingerprint();
    let report = store.fire_due(secs(1000)).unwrap();
    let rejected = &report.rejected[0];
    assert!(
        matches!(rejected.error, StepError::When { .. }),
        "{rejected:?}"
    );
    assert_eq!(rejected.due.event.name(), "Remind");
    assert_eq!(rejected.due.entity.to_string(), "Task \"a\"");
    assert_eq!(rejected.retry_at, secs(1001));
    assert_eq!(store.fingerprint(), before);
    // It is still due.
    assert_eq!(due(&store, 1000), ["1000 Remind Task \"a\""]);
}

#[test]
fn the_backoff_doubles_up_to_256_seconds() {
    let (mut store, _) = store();
    remind_the_absent(&mut store);
    let mut now = 1000;
    for backoff in [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256] {
        assert_eq!(rejected(&mut store, now), now + backoff);
        waits(&mut store, now + backoff - 1);
        now += backoff;
    }
}

#[test]
fn a_change_of_an_entity_that_it_reads_ends_the_wait() {
    let (mut store, _) = store();
    remind_the_absent(&mut store);
    for n in 0..3 {
        rejected(&mut store, 1000);
        // Another entity has nothing to do with it.
        store.step(reserve(7 + n, 5000));
        waits(&mut store, 1000);
        // Its own.
        store.step(Plan {
            task: "a".into(),
            deadline: None,
            remind_at: Some(secs(999)),
        });
        assert_eq!(store.next_due(), Some(secs(999)));
        // The backoff begins again.
        assert_eq!(rejected(&mut store, 1000), 1001);
        // A rolled back change is none.
        let mut transaction = store.begin();
        transaction
            .apply(Return {
                person: "Ada".into(),
            })
            .unwrap();
        transaction.rollback();
        waits(&mut store, 1000);
        // That of the owner, to whom it is linked.
        store.step(Return {
            person: "Ada".into(),
        });
        assert_eq!(store.next_due(), Some(secs(999)));
        store.step(Leave {
            person: "Ada".into(),
        });
    }
    store.step(Return {
        person: "Ada".into(),
    });
    let report = store.fire_due(secs(1000)).unwrap();
    assert_eq!(fired(&report), ["999 Remind Task \"a\""]);
    assert_eq!(store.next_due(), Some(secs(5000)));
}

#[test]
fn others_fire_beside_a_rejected_one() {
    let (mut store, _) = store();
    remind_the_absent(&mut store);
    store.step(reserve(7, 1000));
    store.step(reserve(8, 1003));
    let report = store.fire_due(secs(1000)).unwrap();
    assert_eq!((report.fired.len(), report.rejected.len()), (1, 1));
    assert_eq!(store.next_due(), Some(secs(1001)));
    rejected(&mut store, 1001);
    assert_eq!(store.next_due(), Some(secs(1003)));
    let report = store.fire_due(secs(1003)).unwrap();
    assert_eq!((report.fired.len(), report.rejected.len()), (1, 1));
}

#[test]
fn the_wait_is_not_kept_over_an_open() {
    let dir = temp_dir();
    let mut store = unsynced::<Model>().open(dir.path()).unwrap();
    remind_the_absent(&mut store);
    rejected(&mut store, 1000);
    waits(&mut store, 1000);
    let mut store = reopened(dir.path(), store);
    assert_eq!(rejected(&mut store, 1000), 1001);
}

#[test]
fn an_entity_that_takes_the_slot_does_not_wait() {
    let (mut store, _) = store();
    store.step(grant("never", 1000, 1));
    store.step(reserve(1, 1000));
    let seat = store.find::<Seat>(&1).unwrap();
    rejected_beside(&mut store);
    // The seat expired. Delete it, and reserve another one in its slot.
    store.step(Remove { seat: 1.into() });
    store.step(reserve(2, 1000));
    assert_eq!(
        store.find::<Seat>(&2).unwrap().id().slot(),
        seat.id().slot()
    );
    let report = store.fire_due(secs(1000)).unwrap();
    assert_eq!(fired(&report), ["1000 Expire Seat 2"]);
}

fn rejected_beside(store: &mut Store<Model>) {
    let report = store.fire_due(secs(1000)).unwrap();
    assert_eq!((report.fired.len(), report.rejected.len()), (1, 1));
}

#[test]
fn an_event_whose_code_panics_waits_too() {
    let (mut store, _) = store();
    store.step(grant("panic", 1000, 5));
    store.step(reserve(7, 1001));
    let panicked = catch_unwind(AssertUnwindSafe(|| store.fire_due(secs(1001))));
    assert!(panicked.is_err());
    // The next call fires the others.
    let report = store.fire_due(secs(1001)).unwrap();
    assert_eq!(fired(&report), ["1001 Expire Seat 7"]);
    assert_eq!(store.next_due(), Some(secs(1002)));
}

#[test]
fn a_store_without_a_log_waits_too() {
    let mut store = Store::<Model>::unlogged();
    remind_the_absent(&mut store);
    rejected(&mut store, 1000);
    store.step(reserve(7, 5000));
    waits(&mut store, 1000);
    store.step(Return {
        person: "Ada".into(),
    });
    assert_eq!(store.fire_due(secs(1000)).unwrap().fired.len(), 1);
}
