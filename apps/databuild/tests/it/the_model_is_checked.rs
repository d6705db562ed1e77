//! The model is checked: all that a few wants, partitions and runs can do, in every order.

use databuild::model::build::Want;
use databuild::model::build::state::UpstreamBuilding;
use ironweave::prelude::*;

use crate::checked::{Scope, checker};

#[test]
fn every_want_can_end_and_nothing_is_built_twice() {
    let scope = Scope {
        wants: 2,
        references: 3,
        partitions: 3,
        runs: 4,
        all: false,
        stale: false,
        wrong: false,
    };
    let report = checker(scope)
        .sometimes("a want waits", |store| {
            store.count::<Want, UpstreamBuilding>() > 0
        })
        .assert_properties();
    println!("{report}");
    let is_large = report.is_complete() && report.states() >= 100_000;
    assert!(is_large, "{report}");
    // An entity leaves these in the step that creates it.
    let of_others = [
        "JobRun: Canceled",
        "Partition: Backoff",
        "Partition: Checking",
        "Partition: Tainted",
        "Want: Expired",
    ];
    for place in ["PartitionRef: New", "Want: New"].iter().chain(&of_others) {
        assert!(report.unreached().iter().any(|p| p == place), "{report}");
    }
    assert_eq!(report.unreached().len(), 7, "{report}");
    let mut never = report.never_fired();
    assert!(never.all(|event| event != "QuestionWentStale"), "{report}");
}

#[test]
fn so_it_is_if_wants_are_canceled_and_jobs_tried_again() {
    let scope = Scope {
        wants: 2,
        references: 2,
        partitions: 2,
        runs: 2,
        all: true,
        stale: false,
        wrong: false,
    };
    let report = checker(scope).assert_properties();
    println!("{report}");
    assert!(report.is_complete(), "{report}");
    let mut never: Vec<_> = report.never_fired().collect();
    never.retain(|event| !OF_STALE.contains(event) && !OF_TIMES.contains(event));
    assert_eq!(never, ["QuestionWentStale"], "it needs three partitions");
    let unreached = [
        "PartitionRef: New",
        "Partition: Checking",
        "Partition: Tainted",
        "Want: New",
        "Want: Expired",
    ];
    assert_eq!(report.unreached(), unreached);
}

const OF_STALE: [&str; 4] = [
    "CheckBegun",
    "ContentKept",
    "CheckWasNeedless",
    "CheckEnded",
];

/// The events of data that is wrong and of times, which have tests of their own.
const OF_TIMES: [&str; 8] = [
    "CheckOfTaintedBegun",
    "CheckOfTaintedEnded",
    "CheckOfTaintedWasNeedless",
    "PartitionsTainted",
    "TtlPassed",
    "TtlPassedWhileStale",
    "WantExpired",
    "WantLate",
];

#[test]
fn so_it_is_if_data_is_wrong_or_too_old() {
    let scope = Scope {
        wants: 3,
        references: 2,
        partitions: 3,
        runs: 3,
        all: false,
        stale: true,
        wrong: true,
    };
    let report = checker(scope).assert_properties();
    println!("{report}");
    assert!(report.is_complete(), "{report}");
    let mut never = report.never_fired();
    // No want is canceled, and none has a time.
    let is_of_wants = ["WantExpired", "WantLate", "CheckOfTaintedWasNeedless"];
    assert!(
        never.all(|event| !OF_TIMES.contains(&event) || is_of_wants.contains(&event)),
        "{report}"
    );
}

#[test]
fn so_it_is_if_what_is_stale_is_checked() {
    let scope = Scope {
        wants: 3,
        references: 2,
        partitions: 3,
        runs: 3,
        all: false,
        stale: true,
        wrong: false,
    };
    let report = checker(scope).assert_properties();
    println!("{report}");
    assert!(report.is_complete(), "{report}");
    let mut never = report.never_fired();
    // No want is canceled.
    assert!(
        never.all(|event| event == "CheckWasNeedless" || !OF_STALE.contains(&event)),
        "{report}"
    );
}
