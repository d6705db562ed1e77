//! Handlers run as they are: their panics are found, what they do differently each time is noticed, and their calls are counted.

use ironweave::check::{Checker, ViolationKind};
use ironweave::prelude::*;

use crate::machine::{Step, machine::*};
use crate::violations_are_shown_as_tests::{is_printed, printed};

#[test]
fn a_panic_is_found() {
    let report = Checker::<Model>::new()
        .entities::<Machine>(2)
        .keys::<Machine, _>(["left", "right"])
        .values::<Raised, _>("by", [Step { by: 1 }, Step { by: 2 }])
        .values::<Drifted, _>("far", [true])
        .check()
        .expect("all domains are given");
    assert_eq!(
        report.violations()[0].message(),
        "a panic: level 4 is too high"
    );
    assert_eq!(report.violations()[0].events().len(), 4);
    is_printed(
        &report,
        ViolationKind::Panic,
        printed!(panic, "panic.rs", panic),
    );
}

#[test]
fn a_handler_that_is_not_deterministic_is_noticed() {
    let report = Checker::<Model>::new()
        .entities::<Machine>(1)
        .values::<Raised, _>("by", [Step { by: 0 }])
        .depth_max(4)
        .check()
        .expect("all domains are given");
    let [violation] = report.violations() else {
        panic!("{report}");
    };
    assert_eq!(violation.kind(), ViolationKind::Unexplorable);
    assert_eq!(
        violation.message(),
        "Drifted does not do the same each time"
    );
    assert_eq!(violation.test(), None);
}

#[test]
fn a_rejected_event_changes_nothing_and_is_counted() {
    let report = Checker::<Model>::new()
        .entities::<Machine>(1)
        .values::<Raised, _>("by", [Step { by: 0 }])
        .values::<Drifted, _>("far", [true])
        .assert_properties();
    // Nothing, a machine that is off, and one that is on.
    assert_eq!((report.states(), report.fired(), report.depth()), (3, 3, 2));
    let drifted = report.event("Drifted").expect("an event");
    assert_eq!((drifted.tried, drifted.fired, drifted.rejected), (2, 0, 2));
    assert_eq!((report.guard_calls(), report.handler_calls()), (0, 3));
    assert_eq!(report.never_fired().collect::<Vec<_>>(), ["Drifted"]);
}

#[test]
fn it_begins_where_it_is_told_and_time_stands_still() {
    let noon = Timestamp::from_secs(43_200);
    let report = Checker::<Model>::new()
        .entities::<Machine>(1)
        .values::<Raised, _>("by", [Step { by: 1 }])
        .bindings::<Drifted>(|_| Vec::new())
        .time(noon)
        .start(|store| {
            store.step(Built {
                name: "press".into(),
            });
        })
        .every::<Machine, _>("it is on since noon", move |machine: Machine, store| {
            machine
                .in_state::<state::On>(store)
                .is_none_or(|on| on.since(store) == noon)
        })
        .every::<Machine, _>("it is low", |machine: Machine, store| {
            machine.level(store) < 2
        })
        .check()
        .expect("all domains are given");
    assert_eq!(
        report.violations()[0].message(),
        "\"it is low\" does not hold of Machine \"press\""
    );
    is_printed(
        &report,
        ViolationKind::Always,
        printed!(low, "low.rs", it_is_low),
    );
}
