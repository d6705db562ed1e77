//! The model does not tell alike entities apart: with symmetry, the checker finds the same of it in fewer states.

use databuild::model::build::state::Failed;
use databuild::model::build::*;
use ironweave::check::{Checker, Symmetry};
use ironweave::prelude::*;

use crate::checked::{Scope, checker};

/// A checker of two of everything. Wants are of references that exist, and of the next ones: the names have no meaning.
fn two_of_everything() -> Checker<Model> {
    let scope = Scope {
        wants: 2,
        references: 2,
        partitions: 2,
        runs: 2,
        all: false,
        stale: false,
        wrong: false,
    };
    checker(scope).bindings::<WantCreated>(move |store| {
        let references = store.place::<PartitionRef, Any>();
        let mut names: Vec<String> = references.map(|of| of.name(store).to_owned()).collect();
        let is_known = |name: &&str| names.iter().any(|known| known == name);
        let unused: Vec<&str> = ["a", "b", "c"]
            .into_iter()
            .filter(|n| !is_known(n))
            .collect();
        let room = scope.references - names.len();
        names.extend(unused.into_iter().take(room).map(str::to_owned));
        let of = |names: &[&String]| WantCreated {
            partitions: names.iter().map(|name| name.as_str().into()).collect(),
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        };
        match (store.count::<Want, Any>() < scope.wants, &*names) {
            (true, [a, b]) => vec![of(&[a]), of(&[b]), of(&[a, b])],
            _ => Vec::new(),
        }
    })
}

#[test]
fn the_same_is_found_in_fewer_states() {
    let all = two_of_everything().assert_properties();
    let report = two_of_everything()
        .symmetry()
        .symmetric_keys::<PartitionRef>()
        .assert_properties();
    println!("{all}\n{report}");
    let Symmetry::Used { steps, .. } = report.symmetry() else {
        panic!("{report}");
    };
    assert!(
        *steps >= 500 && report.states() * 3 < all.states(),
        "{report}"
    );
    assert_eq!(report.unreached(), all.unreached());
    assert!(report.never_fired().eq(all.never_fired()));
    assert_eq!((report.is_complete(), report.depth()), (true, all.depth()));
}

#[test]
fn a_violation_has_a_list_of_events_that_is_as_short() {
    let with_rule = |checker: Checker<Model>| {
        checker
            .always("fewer than two runs fail", |store| {
                store.count::<JobRun, Failed>() < 2
            })
            .check()
            .expect("all domains are given")
    };
    let all = with_rule(two_of_everything());
    let report = with_rule(
        two_of_everything()
            .symmetry()
            .symmetric_keys::<PartitionRef>(),
    );
    let events = |report: &ironweave::check::Report<Model>| match report.violations() {
        [violation] => (violation.message().to_owned(), violation.events().len()),
        _ => panic!("{report}"),
    };
    assert_eq!(events(&report), events(&all));
}
