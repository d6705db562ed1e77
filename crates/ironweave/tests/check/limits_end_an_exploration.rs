//! An exploration that a limit ends says up to which depth it is complete, and which properties it did not decide.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ironweave::check::{Checker, Report};
use ironweave::prelude::*;

use crate::build::{self, build::*};

fn checker() -> Checker<Model> {
    Checker::new()
        .entities::<Want>(2)
        .entities::<Partition>(2)
        .entities::<JobRun>(2)
        .values::<JobFailed, _>("exit", [1])
}

/// The number of states up to a depth.
fn up_to(depth: usize) -> usize {
    let report = checker().depth_max(depth).assert_properties();
    assert_eq!(
        (report.is_complete(), report.complete_depth()),
        (false, depth)
    );
    report.states()
}

#[test]
fn at_a_depth_all_states_up_to_there_were_found() {
    // A want for no partition is rejected, so the first event creates a run, or a want for one or two partitions.
    assert_eq!([0, 1].map(up_to), [1, 4]);
    let all: Report<Model> = checker().assert_properties();
    assert!(all.is_complete() && all.depth() == all.complete_depth());
    assert!(up_to(all.depth() - 1) < all.states());
    assert_eq!(up_to(all.depth()), all.states());
}

#[test]
fn at_a_number_of_states_or_bytes() {
    let report = checker().states_max(100).assert_properties();
    assert!(report.states() >= 100 && !report.is_complete());
    assert!(report.states() >= up_to(report.complete_depth()));
    assert!(
        report
            .to_string()
            .contains("where the limit of states was reached"),
        "{report}"
    );
    let report = checker().memory_max(1).assert_properties();
    assert_eq!((report.states(), report.complete_depth()), (1, 0));

    // The limit is one of the bytes that are reported.
    let all = checker().assert_properties();
    let limited = checker().memory_max(all.bytes() / 2).assert_properties();
    assert!(!limited.is_complete() && limited.bytes() >= all.bytes() / 2);
    assert!(limited.bytes() < all.bytes());
    assert!(
        checker()
            .memory_max(all.bytes() + 1)
            .assert_properties()
            .is_complete()
    );
}

#[test]
fn what_was_not_decided_is_listed() {
    let report = checker()
        .depth_max(2)
        .sometimes("a want has ended", |store| {
            store.count::<Want, state::Successful>() > 0
        })
        .sometimes("a want is open", |store| {
            store.count::<Want, state::Idle>() > 0
        })
        .eventually_possible("every want can end", build::all_end)
        .assert_properties();
    assert_eq!(
        report.undecided(),
        ["a want has ended", "every want can end"]
    );
}

#[test]
fn what_holds_nowhere_is_a_violation_once_all_states_were_found() {
    let report = checker()
        .sometimes("three runs exist", |store| {
            store.count::<JobRun, Any>() == 3
        })
        .check()
        .expect("all domains are given");
    assert_eq!(
        report.violations()[0].message(),
        "\"three runs exist\" holds in no state"
    );
}

#[test]
fn progress_is_reported_at_the_end_at_least() {
    let last = Rc::new(Cell::new((0, 1)));
    let seen = Rc::clone(&last);
    let report = checker()
        .progress(Duration::from_secs(3_600), move |progress| {
            seen.set((progress.states, progress.queue));
        })
        .assert_properties();
    assert_eq!(last.get(), (report.states(), 0));
}
