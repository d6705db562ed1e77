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
