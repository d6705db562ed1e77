//! What declared arcs tell apart keeps its names when states are compared up to a renaming.

use ironweave::Model;
use ironweave::check::{Checker, Report, Symmetry};

/// Runners, of which one overtakes another with a greater name.
#[ironweave::model]
pub mod race {
    use ironweave::prelude::*;

    #[entity]
    pub struct Runner {
        #[key]
        pub name: String,
        pub laps: u8,
    }
    #[states(Runner)]
    pub enum RunnerState {
        #[initial]
        #[to(Leading)]
        Running,
        #[to(Running)]
        Leading,
    }

    #[event]
    #[create(runner: Runner { name, laps = 0 })]
    pub struct Entered {
        pub name: String,
    }

    #[event]
    #[when(runner.laps < 1)]
    #[set(runner.laps = runner.laps + 1)]
    pub struct Lapped {
        pub runner: Runner,
    }

    #[event]
    #[when(first.name < second.name)]
    #[moves(first: Running -> Leading)]
    #[moves(second: Leading -> Running)]
    pub struct Overtook {
        pub first: Runner,
        pub second: Runner,
    }

    #[event]
    #[moves(runner: Running -> Leading)]
    pub struct Led {
        pub runner: Runner,
    }
}

/// Jobs, of which the one with the least name runs next.
#[ironweave::model]
pub mod queue {
    use ironweave::prelude::*;

    #[entity]
    pub struct Job {
        #[key]
        pub name: String,
    }
    #[states(Job)]
    pub enum JobState {
        #[initial]
        #[to(Running)]
        Queued,
        #[to(Queued)]
        Running,
    }

    #[event]
    #[create(job: Job { name })]
    pub struct Added {
        pub name: String,
    }

    #[event]
    #[choose(job: Job in Queued by name)]
    #[moves(job: Queued -> Running)]
    pub struct Started {}

    #[event]
    #[moves(job: Running -> Queued)]
    pub struct Stopped {
        pub job: Job,
    }
}

use crate::plain::admissions;
use race::{Overtook, Runner};

fn checker() -> Checker<race::Model> {
    Checker::new().entities::<Runner>(3).allow_deadlocks()
}

fn used<M: Model>(report: &Report<M>) -> (&[String], &[String], &[String]) {
    match report.symmetry() {
        Symmetry::Used {
            types, keys, kept, ..
        } => (types, keys, kept),
        _ => panic!("{report}"),
    }
}

#[test]
fn keys_that_an_arc_compares_are_not_renamed() {
    let plain = checker().assert_properties();
    let report = checker().symmetry().assert_properties();
    let (types, keys, kept) = used(&report);
    assert_eq!((types, keys), (&["Runner".to_owned()][..], &[][..]));
    let why = "Runner kept its keys, since Overtook compares `Runner.name`";
    assert_eq!(kept, [why]);
    assert!(report.to_string().contains(why), "{report}");
    // The keys say which runner is which, so only the order in which they came is renamed.
    assert!(report.is_complete() && report.states() <= plain.states());
    // Without the event, keys could be renamed, but the arc is there.
    let without = checker()
        .bindings::<Overtook>(|_| Vec::new())
        .symmetry()
        .assert_properties();
    assert!(used(&without).1.is_empty());
}

#[test]
fn a_renaming_that_was_asked_for_by_name_is_an_error() {
    let error = checker().symmetric_keys::<Runner>().check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the checker does not know what to try:
  symmetric keys of `Runner`: Overtook compares `Runner.name`"
    );
}

fn wards() -> Checker<admissions::Model> {
    Checker::new()
        .entities::<admissions::Ward>(2)
        .entities::<admissions::Bed>(2)
        .entities::<admissions::Patient>(1)
}

#[test]
fn entities_that_are_chosen_by_slot_are_not_renamed() {
    let plain = wards().assert_properties();
    let report = wards().symmetry().assert_properties();
    let (types, keys, kept) = used(&report);
    assert_eq!((types, keys), (&["Ward".to_owned()][..], &[][..]));
    assert_eq!(
        kept,
        [
            "Bed kept its ids, since Sold chooses `beds` by slot",
            "Patient kept its ids, since Emptied chooses `patients` by slot",
        ]
    );
    // Two wards are alike. One is its own image in the empty state and where both have no bed, and nowhere else.
    assert!(report.is_complete() && report.states() < plain.states());
    assert!(report.states() * 2 >= plain.states());
    let error = wards().symmetric::<admissions::Bed>().check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the checker does not know what to try:
  symmetry of `Bed`: Sold chooses `beds` by slot"
    );
}

#[test]
fn entities_that_are_chosen_in_the_order_of_their_key_are_renamed() {
    let jobs = || Checker::<queue::Model>::new().entities::<queue::Job>(3);
    let report = jobs().symmetry().assert_properties();
    let (types, keys, kept) = used(&report);
    assert_eq!((types, keys), (&["Job".to_owned()][..], &[][..]));
    assert_eq!(
        kept,
        ["Job kept its keys, since Started compares `Job.name`"]
    );
    // Names are given in their order, so that the states are those of the names.
    assert_eq!(report.states(), jobs().assert_properties().states());
    // With names in any order, the same jobs were created in several orders.
    let any = || jobs().keys::<queue::Job, _>(["a", "b", "c"]);
    assert!(any().symmetry().assert_properties().states() < any().assert_properties().states());
}
