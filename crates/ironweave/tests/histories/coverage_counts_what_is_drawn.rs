//! The report of what the histories of a test contain agrees with the logs of their stores.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ironweave::check::{Coverage, histories};
use ironweave::prelude::*;
use ironweave::{FactKind, Model};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::ward::queue;
use crate::ward::ward::{self, Bed, Doctor, Patient};
use crate::{cases, of_the_ward, runner, tree};

/// Counts the events and transitions in the log of a store.
#[derive(Default)]
struct Counted {
    events: BTreeMap<String, u64>,
    transitions: BTreeMap<String, u64>,
}

impl Counted {
    fn add<M: Model>(&mut self, store: &Store<M>) {
        for record in store.frames(1).expect("the log").flatten() {
            for firing in record.firings() {
                for fact in firing
                    .facts()
                    .iter()
                    .filter(|fact| fact.kind() == FactKind::Move)
                {
                    let (from, to) = (fact.from().expect("a state"), fact.to().expect("a state"));
                    let entity = fact.entity().type_name();
                    let text = format!("{entity}: {from} -> {to} by {}", firing.name());
                    *self.transitions.entry(text).or_default() += 1;
                }
                *self.events.entry(firing.name().to_owned()).or_default() += 1;
            }
        }
    }

    fn agrees<M: Model>(&self, coverage: &Coverage<M>) {
        for event in &Store::<M>::memory().schema().events {
            let counted = self.events.get(&event.name).copied().unwrap_or_default();
            assert_eq!(coverage.fired(&event.name), Some(counted), "{}", event.name);
        }
        let mut transitions = coverage.transitions();
        transitions.sort_unstable();
        assert_eq!(
            transitions,
            self.transitions.keys().cloned().collect::<Vec<_>>()
        );
        for (transition, times) in &self.transitions {
            assert_eq!(coverage.times(transition), *times, "{transition}");
        }
    }
}

#[test]
fn as_the_logs_have_it() {
    let coverage = Coverage::new();
    let counted = RefCell::new(Counted::default());
    let (steps, rejected) = (Cell::new(0), Cell::new(0));
    let strategy = of_the_ward(1..60).rejected(0.2).coverage(&coverage);
    proptest!(cases(40), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        counted.borrow_mut().add(&store);
        steps.set(steps.get() + history.len() as u64);
        let now = history.steps().iter().filter(|step| step.is_rejected()).count() as u64;
        rejected.set(rejected.get() + now);
    });
    counted.borrow().agrees(&coverage);
    assert_eq!((coverage.histories(), coverage.steps()), (40, steps.get()));
    let all = [
        "BedAdded",
        "BedRemoved",
        "Arrived",
        "PatientAdmitted",
        "PatientDischarged",
        "Hired",
        "Reassigned",
    ];
    let reasons = all.iter().flat_map(|event| coverage.rejected(event));
    assert_eq!(reasons.map(|(_, times)| times).sum::<u64>(), rejected.get());
    coverage.assert_all();
}

#[test]
fn with_the_transitions_of_handlers_and_the_reasons_of_rejections() {
    let coverage = Coverage::new();
    let counted = RefCell::new(Counted::default());
    let strategy = histories::<queue::Model>(1..100)
        .entities::<queue::Counter>(2)
        .entities::<queue::Person>(5)
        .rejected(0.5)
        .coverage(&coverage);
    proptest!(cases(40), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        counted.borrow_mut().add(&store);
    });
    counted.borrow().agrees(&coverage);
    let reasons = |event: &str| -> Vec<String> {
        coverage
            .rejected(event)
            .into_iter()
            .map(|(reason, _)| reason)
            .collect()
    };
    assert_eq!(reasons("Called"), ["the handler"]);
    assert_eq!(reasons("Opened"), ["a key that an entity has"]);
    let came_back = reasons("CameBack");
    assert!(
        came_back.contains(&"guard crate::ward::has_room".to_owned()),
        "{came_back:?}"
    );
    assert!(
        came_back.contains(&"the state of an entity".to_owned()),
        "{came_back:?}"
    );
    assert_eq!(coverage.fired("Left"), None);
    coverage.assert_all();
}

#[test]
fn with_events_that_remove_the_data_of_a_state() {
    use crate::library::library::{Book, Bought, Model, Shelf};
    let coverage = Coverage::new();
    let counted = RefCell::new(Counted::default());
    let strategy = histories::<Model>(1..60)
        .entities::<Book>(8)
        .entities::<Shelf>(3)
        .values::<Bought, _>("tags", [Vec::<String>::new()])
        .time(Timestamp::from_secs(43_200))
        .coverage(&coverage);
    proptest!(cases(30), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        counted.borrow_mut().add(&store);
        // Keys are used in their order, since nothing tells one from another.
        let mut names: Vec<_> = store.place::<Shelf, Any>().map(|shelf| shelf.name(&store).to_owned()).collect();
        names.sort_unstable();
        prop_assert_eq!(&names[..], &["a", "b", "c"][..names.len()]);
    });
    counted.borrow().agrees(&coverage);
    coverage.assert_all();
}

#[test]
fn rejections_have_each_reason_that_a_program_can_cause() {
    let coverage = Coverage::new();
    let strategy = of_the_ward(100).rejected(0.5).coverage(&coverage);
    (0..20).for_each(|seed| drop(tree(&strategy, seed)));
    let reasons = |event: &str| -> Vec<String> {
        coverage
            .rejected(event)
            .into_iter()
            .map(|(reason, _)| reason)
            .collect()
    };
    assert_eq!(reasons("BedAdded"), ["a key that an entity has"]);
    assert_eq!(
        reasons("PatientAdmitted"),
        ["a key that no entity has", "the state of an entity"]
    );
    assert_eq!(
        reasons("BedRemoved"),
        ["an entity that was deleted", "the state of an entity"]
    );
}

#[test]
fn and_not_what_is_tried_while_a_failing_history_is_shrunk() {
    let coverage = Coverage::new();
    let strategy = of_the_ward(50).coverage(&coverage);
    let mut runner = TestRunner::new_with_rng(cases(10), runner(1).rng().clone());
    let seen = Cell::new(0);
    let failed = runner.run(&strategy, |history| {
        seen.set(coverage.histories());
        prop_assert!(seen.get() < 3 || history.len() < 20);
        Ok(())
    });
    assert!(failed.is_err());
    assert_eq!((coverage.histories(), coverage.steps()), (3, 150));
}

#[test]
fn from_several_threads() {
    let coverage = Coverage::new();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let coverage = &coverage;
            scope.spawn(move || {
                tree(&of_the_ward(10).coverage(coverage), seed)
                    .current()
                    .len()
            });
        }
    });
    assert_eq!((coverage.histories(), coverage.steps()), (4, 40));
}

/// The message of an assertion.
fn message(asserts: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(asserts).expect_err("it fails");
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn what_is_never_covered_is_listed() {
    let coverage = Coverage::new();
    let strategy = histories::<ward::Model>(5..30)
        .entities::<Bed>(2)
        .entities::<Patient>(2)
        .entities::<Doctor>(0)
        .weight::<ward::PatientDischarged>(0.0)
        .coverage(&coverage);
    (0..20).for_each(|seed| drop(tree(&strategy, seed)));
    let never = [
        "Hired",
        "Reassigned",
        "PatientDischarged",
        "BecameBusy",
        "BecameIdle",
    ];
    let mut sorted = coverage.never();
    sorted.sort_unstable();
    assert_eq!(sorted, {
        let mut never = never;
        never.sort_unstable();
        never
    });
    coverage.assert_all_except(&never);
    let report = coverage.to_string();
    assert!(report.starts_with("20 histories of ward, "), "{report}");
    assert!(
        report.contains("\n  BecameBusy (immediate): fired 0\n"),
        "{report}"
    );
    assert!(
        report.contains("\n  Bed: Free -> Occupied by PatientAdmitted: "),
        "{report}"
    );
    assert!(report.contains("\n  never: Hired"), "{report}");

    let text = message(|| coverage.assert_all());
    assert!(text.starts_with("never covered: "), "{text}");
    assert_eq!(text.matches("never covered: ").count(), 5, "{text}");
    let others = [
        "Hired",
        "Reassigned",
        "PatientDischarged",
        "BecameBusy",
        "BecameIdle",
        "Arrived",
        "BedAded",
    ];
    let text = message(|| coverage.assert_all_except(&others));
    assert!(text.starts_with(
        "covered, so remove it from the exceptions: Arrived\nno event or transition of the model: \"BedAded\"; did you mean \"BedAdded\"?\n"
    ), "{text}");
    // The transitions of an event that never fires need no exception, and may have one.
    let others = [
        &never[..],
        &[
            "Patient: Admitted -> Discharged",
            "Doctor: Busy -> Idle by BecameIdle",
        ],
    ]
    .concat();
    coverage.assert_all_except(&others);
    let covered = [&never[..], &["Bed: Free -> Occupied"]].concat();
    let text = message(|| coverage.assert_all_except(&covered));
    assert!(
        text.starts_with("covered, so remove it from the exceptions: Bed: Free -> Occupied\n"),
        "{text}"
    );
}
