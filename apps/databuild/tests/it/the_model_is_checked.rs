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
    };
    let report = checker(scope)
        .sometimes("a want waits", |store| {
            store.count::<Want, UpstreamBuilding>() > 0
        })
        .assert_properties();
    println!("{report}");
    let is_large = report.is_complete() && report.states() >= 100_000;
    let all_fire = report.never_fired().next().is_none();
    assert!(is_large && all_fire, "{report}");
    // An entity leaves these in the step that creates it.
    assert_eq!(report.unreached(), ["PartitionRef: New", "Want: New"]);
}
