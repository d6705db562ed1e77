//! A program that tells entities apart by their ids or keys is noticed, and explored without symmetry.

use ironweave::check::{Checker, Report, Symmetry};
use ironweave::prelude::*;

use crate::crew::crew::{state::*, *};

/// A checker without the events that tell workers apart.
fn checker() -> Checker<Model> {
    Checker::new()
        .entities::<Worker>(3)
        .bindings::<StartedById>(|_| Vec::new())
        .bindings::<StartedByName>(|_| Vec::new())
        .bindings::<StartedAlone>(|_| Vec::new())
        .bindings::<StartedFirst>(|_| Vec::new())
}

fn workers(store: &Store<Model>) -> Vec<Worker> {
    store.place::<Worker, Any>().collect()
}

/// The report is the one without symmetry, and says why.
#[track_caller]
fn is_refuted(checker: impl Fn() -> Checker<Model>, why: &str) {
    let report = checker().symmetry().assert_properties();
    let Symmetry::Refuted(found) = report.symmetry() else {
        panic!("{report}");
    };
    assert!(found.contains(why), "{found}");
    assert!(
        report
            .to_string()
            .contains(&format!("symmetry was not used: {found}"))
    );
    same(&report, &checker().assert_properties());
}

fn same(a: &Report<Model>, b: &Report<Model>) {
    assert_eq!(
        (a.states(), a.fired(), a.depth()),
        (b.states(), b.fired(), b.depth())
    );
}

#[test]
fn without_such_events_it_is_used() {
    let report = checker().symmetry().assert_properties();
    let Symmetry::Used {
        types,
        keys,
        states,
        steps,
        ..
    } = report.symmetry()
    else {
        panic!("{report}");
    };
    assert_eq!(
        (&**types, &**keys),
        (&["Worker".to_owned()][..], &["Worker".to_owned()][..])
    );
    // Numbers of workers that are skilled or not, and busy or not: all multisets of up to three of four kinds.
    assert_eq!((report.states(), *states), (1 + 4 + 10 + 20, 35));
    let counts =
        ["Hired", "Started", "Stopped"].map(|name| report.event(name).expect("an event").tried);
    assert_eq!(*steps, counts.iter().sum::<u64>());
}

#[test]
fn a_guard_compares_ids() {
    is_refuted(
        || {
            checker().bindings::<StartedById>(|store| {
                workers(store)
                    .into_iter()
                    .map(|worker| StartedById { worker })
                    .collect()
            })
        },
        "StartedById tells entities apart: StartedById { worker: Worker/",
    );
}

/// The event is rejected wherever it is tried, so only the sample shows that the guard tells entities apart.
#[test]
fn a_guard_rejects_what_would_fire_with_other_ids() {
    is_refuted(
        || {
            checker().bindings::<StartedAlone>(|store| {
                workers(store)
                    .into_iter()
                    .map(|worker| StartedAlone { worker })
                    .collect()
            })
        },
        "StartedAlone tells entities apart: StartedAlone { worker: Worker/0.1 } is rejected, but fires as",
    );
}

#[test]
fn a_guard_compares_keys() {
    let with_event = || {
        checker().bindings::<StartedByName>(|store| {
            workers(store)
                .into_iter()
                .map(|worker| StartedByName { worker })
                .collect()
        })
    };
    is_refuted(
        with_event,
        "StartedByName tells entities apart: StartedByName { worker: Worker/",
    );
    // Keys that are given have a meaning.
    let report = with_event()
        .keys::<Worker, _>(["x", "y", "z"])
        .symmetry()
        .assert_properties();
    assert!(
        matches!(report.symmetry(), Symmetry::Used { .. }),
        "{report}"
    );
    is_refuted(
        || {
            with_event()
                .keys::<Worker, _>(["x", "y", "z"])
                .symmetric_keys::<Worker>()
        },
        "StartedByName tells entities apart",
    );
}

#[test]
fn a_handler_takes_the_first_by_slot() {
    is_refuted(
        || checker().bindings::<StartedFirst>(|_| vec![StartedFirst {}]),
        "StartedFirst tells entities apart: StartedFirst fires, but does something else as StartedFirst when",
    );
}

#[test]
fn a_condition_depends_on_ids() {
    is_refuted(
        || {
            checker().sometimes("the first worker is the only idle one", |store| {
                let idle: Vec<u32> = store
                    .place::<Worker, Idle>()
                    .map(|w| w.id().slot())
                    .collect();
                idle == [0]
            })
        },
        "the condition \"the first worker is the only idle one\"",
    );
}

#[test]
fn bindings_depend_on_ids() {
    is_refuted(
        || {
            checker().bindings::<Started>(|store| {
                let first = workers(store).into_iter().next();
                first.map(|worker| Started { worker }).into_iter().collect()
            })
        },
        "the bindings that were given for Started tell entities apart",
    );
}

/// A key that only states have which are not explored, because they differ by a renaming, is drawn too.
#[test]
fn bindings_depend_on_keys() {
    is_refuted(
        || {
            let hired = |store: &Store<Model>| {
                let name = ["a", "b", "c", "d"][workers(store).len()].to_owned();
                let skilled = true;
                vec![Hired { name, skilled }]
            };
            checker()
                .entities::<Worker>(2)
                .symmetric_keys::<Worker>()
                .bindings::<Hired>(hired)
        },
        "the bindings that were given for Hired tell entities apart",
    );
}

/// A value that names an entity is not renamed, which is noticed.
#[test]
fn a_value_names_an_entity() {
    use crate::crew::shift;
    let report = Checker::<shift::Model>::new()
        .entities::<shift::Shift>(1)
        .entities::<shift::Person>(2)
        .bindings::<shift::Added>(|store| {
            let people = store.place::<shift::Person, Any>();
            people
                .map(|person| shift::Added {
                    led_by: Some(person),
                })
                .collect()
        })
        .allow_deadlocks()
        .symmetry()
        .assert_properties();
    let Symmetry::Refuted(why) = report.symmetry() else {
        panic!("{report}");
    };
    assert!(why.contains("for Added tell entities apart"), "{why}");
}

#[test]
fn a_key_of_several_fields_cannot_be_renamed() {
    use crate::crew::shift;
    let error = Checker::<shift::Model>::new()
        .entities::<shift::Shift>(1)
        .entities::<shift::Person>(1)
        .bindings::<shift::Added>(|_| Vec::new())
        .symmetric_keys::<shift::Shift>()
        .check()
        .expect_err("the key has two fields");
    assert_eq!(
        error.to_string(),
        "the checker does not know what to try:
  symmetric keys of `Shift`: its key has several fields, and only a key of one field can be renamed"
    );
}
