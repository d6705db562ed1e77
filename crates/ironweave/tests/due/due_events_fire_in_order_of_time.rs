//! Due events are listed and fired in order of their time, then of the declaration of their events, then of slots.

use ironweave::prelude::*;

use crate::desk::*;
use crate::harness::{assert_sound, temp_dir, unsynced};

fn assign(store: &mut Store<Model>, name: &str, deadline: Option<i64>, remind_at: Option<i64>) {
    store.step(Assign {
        name: name.into(),
        owner: "Ada".into(),
        deadline: deadline.map(secs),
        remind_at: remind_at.map(secs),
    });
}

#[test]
fn an_event_is_due_when_the_time_is_reached_and_not_before() {
    let (mut store, clock) = store();
    assert_eq!(store.next_due(), None);
    store.step(reserve(7, 1010));
    assert_eq!(store.next_due(), Some(secs(1010)));
    let just_before = Timestamp::from_micros(secs(1010).as_micros() - 1);
    assert_eq!(store.due(just_before).count(), 0);
    assert!(store.fire_due(just_before).unwrap().fired.is_empty());
    assert_eq!(due(&store, 1010), ["1010 Expire Seat 7"]);
    let before = store.seq();
    clock.set(secs(1010));
    let report = store.fire_due(clock.now()).unwrap();
    assert_eq!(fired(&report), ["1010 Expire Seat 7"]);
    assert!(report.is_complete && report.rejected.is_empty());
    // It is an ordinary event of the log.
    assert_eq!(Some(report.fired[0].seq), store.seq());
    assert_eq!(report.fired[0].seq, before.unwrap() + 1);
    let record = store.frames(report.fired[0].seq).unwrap().next().unwrap();
    let record = record.unwrap();
    assert_eq!(record.time(), secs(1010));
    assert_eq!(record.firings().next().unwrap().name(), "Expire");
    assert_eq!((store.next_due(), store.count::<Seat, Free>()), (None, 1));
    assert!(store.fire_due(secs(9999)).unwrap().fired.is_empty());
    assert_eq!(assert_sound(&store), 2);
}

#[test]
fn events_are_in_order_of_time_and_declaration_and_slot() {
    let (mut store, _) = store();
    assign(&mut store, "b", Some(1002), Some(1002));
    assign(&mut store, "a", Some(1002), Some(1001));
    store.step(reserve(9, 1002));
    store.step(reserve(8, 1003));
    store.step(reserve(5, 1002));
    store.step(grant("client", 1002, 100));
    let expected = [
        "1001 Remind Task \"a\"",
        "1002 Expire Seat 9",
        "1002 Expire Seat 5",
        "1002 Miss Task \"b\"",
        "1002 Miss Task \"a\"",
        "1002 Remind Task \"b\"",
        "1002 Renew Lease \"client\", 1",
        "1003 Expire Seat 8",
    ];
    assert_eq!(due(&store, 1500), expected);
    assert_eq!(due(&store, 1002), expected[..7]);
    assert_eq!(fired(&store.fire_due(secs(1002)).unwrap()), expected[..7]);
    assert_eq!(store.next_due(), Some(secs(1003)));
}

#[test]
fn an_entity_without_a_time_or_in_another_state_is_not_due() {
    let (mut store, _) = store();
    assign(&mut store, "a", Some(1001), None);
    store.step(reserve(7, 1001));
    assert_eq!(store.due(secs(1001)).count(), 2);
    store.step(Sell { seat: 7.into() });
    store.step(Finish { task: "a".into() });
    assert_eq!((store.due(secs(1001)).count(), store.next_due()), (0, None));
    // The deadline is still there when the task is open again.
    store.step(Reopen { task: "a".into() });
    assert_eq!(due(&store, 1001), ["1001 Miss Task \"a\""]);
    store.step(Plan {
        task: "a".into(),
        deadline: None,
        remind_at: Some(secs(1001)),
    });
    assert_eq!(due(&store, 1001), ["1001 Remind Task \"a\""]);
    // A `when none` on the entity itself is a condition on its state.
    store.step(Finish { task: "a".into() });
    assert_eq!((store.due(secs(1001)).count(), store.next_due()), (0, None));
}

#[test]
fn what_becomes_due_fires_in_the_same_call_in_its_turn() {
    let (mut store, _) = store();
    store.step(grant("client", 1001, 1));
    store.step(reserve(7, 1003));
    let report = store.fire_due(secs(1004)).unwrap();
    assert_eq!(
        fired(&report),
        [
            "1001 Renew Lease \"client\", 1",
            "1002 Renew Lease \"client\", 2",
            "1003 Expire Seat 7",
            "1003 Renew Lease \"client\", 3",
            "1004 Renew Lease \"client\", 4",
        ]
    );
    assert_eq!(store.next_due(), Some(secs(1005)));
}

#[test]
fn an_event_fires_once_for_an_entity_in_a_call() {
    let (mut store, _) = store();
    store.step(grant("client", 1000, 10));
    for n in 0..3 {
        let time = 1000 + 10 * n;
        assert_eq!(store.next_due(), Some(secs(time)));
        let report = store.fire_due(secs(1025)).unwrap();
        assert_eq!(
            fired(&report),
            [format!("{time} Renew Lease \"client\", 1")]
        );
    }
    assert!(store.fire_due(secs(1025)).unwrap().fired.is_empty());
    assert_eq!(store.next_due(), Some(secs(1030)));
}

#[test]
fn an_event_that_does_not_change_its_time_waits_as_a_rejected_one() {
    let (mut store, _) = store();
    store.step(grant("client", 1000, 0));
    assert_eq!(store.fire_due(secs(1000)).unwrap().fired.len(), 1);
    assert_eq!(store.due(secs(1000)).count(), 1);
    assert_eq!(store.next_due(), Some(secs(1001)));
    assert!(store.fire_due(secs(1000)).unwrap().fired.is_empty());
    assert_eq!(store.fire_due(secs(1001)).unwrap().fired.len(), 1);
}

#[test]
fn a_program_may_fire_a_due_event_early() {
    let (mut store, _) = store();
    let seat = store.step(reserve(7, 1010)).bound.seat;
    store.step(Expire { seat: seat.any() });
    assert_eq!(store.next_due(), None);
}

#[test]
fn snapshots_and_the_past_list_what_was_due() {
    let dir = temp_dir();
    let mut store = unsynced::<Model>().open(dir.path()).unwrap();
    let reserved = store.step(reserve(7, 1001)).seq;
    let snapshot = store.snapshot();
    let expired = store.fire_due(secs(1001)).unwrap().fired[0].seq;
    assert_eq!(store.due(secs(1001)).count(), 0);
    let names = |snapshot: &ironweave::Snapshot<Model>| {
        let due = snapshot.due(secs(1001));
        due.map(|due| due.event.name()).collect::<Vec<_>>()
    };
    assert_eq!(names(&snapshot), ["Expire"]);
    assert_eq!(names(&store.as_of(reserved).unwrap()), ["Expire"]);
    assert!(names(&store.as_of(expired).unwrap()).is_empty());
    // A store that begins at a snapshot fires on its own.
    let mut begun = snapshot.into_store();
    assert_eq!(begun.fire_due(secs(1001)).unwrap().fired.len(), 1);
}

#[test]
fn a_store_that_is_only_read_lists_and_does_not_fire() {
    let dir = temp_dir();
    let mut store = unsynced::<Model>().open(dir.path()).unwrap();
    store.step(reserve(7, 1001));
    let mut reader = Store::<Model>::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.due(secs(1001)).count(), 1);
    let error = reader.fire_due(secs(1001)).unwrap_err();
    assert!(matches!(error, StepError::ReadOnly), "{error}");
    // A store without the types of the model fires nothing.
    let reader = Store::<ironweave::dynamic::Dynamic>::open_read_only(dir.path()).unwrap();
    assert_eq!(
        (reader.due(secs(1001)).count(), reader.next_due()),
        (0, None)
    );
    assert!(reader.check().is_empty());
}

#[test]
fn the_greatest_times_are_reached_too() {
    let (mut store, _) = store();
    let last = Timestamp::from_micros(i64::MAX);
    let first = Timestamp::from_micros(i64::MIN);
    for (seat, until) in [(1_u64, last), (2, first)] {
        store.step(Reserve {
            seat: seat.into(),
            until,
            guest: String::new(),
        });
    }
    assert_eq!(store.next_due(), Some(first));
    let report = store.fire_due(first).unwrap();
    assert_eq!((report.fired.len(), store.next_due()), (1, Some(last)));
    let report = store.fire_due(last).unwrap();
    assert_eq!((report.fired.len(), store.next_due()), (1, None));
}
