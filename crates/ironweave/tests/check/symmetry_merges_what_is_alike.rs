//! With symmetry, the checker finds as many states as there are classes of states that a permutation of entities makes equal.

use ironweave::Model;
use ironweave::check::{Checker, Report, Symmetry, ViolationKind};
use ironweave::prelude::*;

use crate::all_states_are_found::{next_beds, queue_events, ward_events};
use crate::build::{self, built_twice, left_building, no_retry};
use crate::orbits::{self, Renamed};
use crate::violations_are_shown_as_tests::{is_printed, printed};
use crate::ward::{queue, ward};

/// Fails unless symmetry was used, and all that was sampled agreed.
fn agreed<M: Model>(report: &Report<M>) {
    println!("{report}");
    assert!(report.is_complete());
    let Symmetry::Used { steps, .. } = report.symmetry() else {
        panic!("{}", report.symmetry());
    };
    assert!(*steps > 0);
}

#[test]
fn of_all_types() {
    let renamed = Renamed {
        types: &["Bed", "Patient", "Doctor"],
        keys: &["Bed", "Patient"],
    };
    for (beds, patients, doctors) in [(1, 1, 1), (3, 0, 0), (1, 2, 0), (0, 1, 2)] {
        let within = move |store: &Store<ward::Model>| {
            store.count::<ward::Bed, Any>() <= beds
                && store.count::<ward::Patient, Any>() <= patients
                && store.count::<ward::Doctor, Any>() <= doctors
        };
        let expected = orbits::count(ward_events, within, |_| String::new(), false, renamed);
        let checker = || {
            Checker::<ward::Model>::new()
                .entities::<ward::Bed>(beds)
                .entities::<ward::Patient>(patients)
                .entities::<ward::Doctor>(doctors)
        };
        let all = checker().assert_properties();
        let report = checker().symmetry().assert_properties();
        agreed(&report);
        assert_eq!(report.states(), expected);
        assert!(report.states() <= all.states());
    }
}

#[test]
fn of_one_type() {
    let within = |beds, patients| {
        move |store: &Store<ward::Model>| {
            store.count::<ward::Bed, Any>() <= beds
                && store.count::<ward::Patient, Any>() <= patients
                && store.count::<ward::Doctor, Any>() == 0
        }
    };
    let checker = |beds, patients| {
        Checker::<ward::Model>::new()
            .entities::<ward::Bed>(beds)
            .entities::<ward::Patient>(patients)
            .entities::<ward::Doctor>(0)
    };
    let patients = Renamed {
        types: &["Patient"],
        keys: &["Patient"],
    };
    // Three beds have free slots, which keep their meaning.
    for (beds, people) in [(1, 2), (3, 0)] {
        let expected = orbits::count(
            ward_events,
            within(beds, people),
            next_beds,
            false,
            patients,
        );
        let report = checker(beds, people)
            .symmetric::<ward::Patient>()
            .assert_properties();
        agreed(&report);
        assert_eq!(report.states(), expected);
    }

    let beds = Renamed {
        types: &["Bed"],
        keys: &["Bed"],
    };
    let no_more = |_: &mut Store<ward::Model>| String::new();
    let expected = orbits::count(ward_events, within(2, 1), no_more, false, beds);
    let report = checker(2, 1).symmetric::<ward::Bed>().assert_properties();
    agreed(&report);
    assert_eq!(report.states(), expected);
}

/// Keys that are given keep their meaning, unless the user says otherwise.
#[test]
fn of_a_type_with_given_keys() {
    let events = |store: &Store<queue::Model>| {
        let mut events = queue_events(store);
        events.retain(|event| !matches!(event, queue::AnyEvent::Opened(_)));
        let free = ["x", "y"].map(|name| queue::Opened { name: name.into() });
        let free = free
            .into_iter()
            .filter(|opened| store.find::<queue::Counter>(&*opened.name).is_none());
        events.extend(free.map(queue::AnyEvent::from));
        events
    };
    let within = |store: &Store<queue::Model>| {
        store.count::<queue::Counter, Any>() <= 2 && store.count::<queue::Person, Any>() <= 1
    };
    let checker = || {
        Checker::<queue::Model>::new()
            .entities::<queue::Counter>(2)
            .entities::<queue::Person>(1)
            .keys::<queue::Counter, _>(["x", "y"])
    };
    let counters = |keys| Renamed {
        types: &["Counter", "Person"],
        keys,
    };
    let no_more = |_: &mut Store<queue::Model>| String::new();
    let kept = orbits::count(events, within, no_more, true, counters(&[]));
    let report = checker().symmetry().assert_properties();
    agreed(&report);
    assert_eq!(report.states(), kept);

    let renamed = orbits::count(events, within, no_more, true, counters(&["Counter"]));
    let report = checker()
        .symmetry()
        .symmetric_keys::<queue::Counter>()
        .assert_properties();
    agreed(&report);
    assert_eq!(report.states(), renamed);
    assert!(renamed < kept);
}

/// The handler takes the first of a list, whose order is not renamed.
#[test]
fn of_a_model_whose_handler_sees_the_order_of_links() {
    use queue::*;
    let within = |store: &Store<Model>| {
        store.count::<Counter, Any>() <= 1 && store.count::<Person, Any>() <= 2
    };
    let all = Renamed {
        types: &["Counter", "Person"],
        keys: &["Counter"],
    };
    let expected = orbits::count(queue_events, within, |_| String::new(), true, all);
    let report = Checker::<Model>::new()
        .entities::<Counter>(1)
        .entities::<Person>(2)
        .symmetry()
        .assert_properties();
    agreed(&report);
    assert_eq!(report.states(), expected);
}

/// The violations are those without symmetry, with lists of events that are as short, and the printed tests fail.
#[test]
fn violations_are_found_by_events_that_fire() {
    fn checker<M: Model>() -> Checker<M> {
        Checker::new().symmetry()
    }
    {
        use left_building::*;
        let report = checker::<Model>()
            .entities::<Want>(1)
            .entities::<Partition>(2)
            .entities::<JobRun>(2)
            .values::<JobFailed, _>("exit", [1])
            .every::<Partition, _>(
                "a partition in Building has an unfinished run",
                build::has_run_left,
            )
            .check()
            .expect("all domains are given");
        let printed = printed!(
            left,
            "left_building.rs",
            a_partition_in_building_has_an_unfinished_run
        );
        is_printed(&report, ViolationKind::Always, printed);
    }
    {
        use no_retry::*;
        let report = checker::<Model>()
            .entities::<Want>(1)
            .entities::<Partition>(1)
            .entities::<JobRun>(2)
            .values::<JobFailed, _>("exit", [1])
            .allow_deadlocks()
            .eventually_possible("every want can end", build::all_end_no_retry)
            .check()
            .expect("all domains are given");
        let printed = printed!(no_retry_printed, "no_retry.rs", every_want_can_end);
        is_printed(&report, ViolationKind::EventuallyPossible, printed);
    }
    {
        use built_twice::*;
        let report = checker::<Model>()
            .entities::<Want>(1)
            .entities::<Partition>(1)
            .entities::<JobRun>(2)
            .values::<JobFailed, _>("exit", [1])
            .every::<Partition, _>("nothing is built twice at once", build::built_once_twice)
            .check()
            .expect("all domains are given");
        let printed = printed!(twice, "built_twice.rs", nothing_is_built_twice_at_once);
        is_printed(&report, ViolationKind::Always, printed);
    }
}

#[test]
fn a_model_without_a_bug_has_none() {
    use build::build::*;
    let checker = || {
        Checker::<Model>::new()
            .entities::<Want>(2)
            .entities::<Partition>(2)
            .entities::<JobRun>(2)
            .values::<JobFailed, _>("exit", [1])
            .every::<Partition, _>(
                "a partition in Building has an unfinished run",
                build::has_run,
            )
            .eventually_possible("every want can end", build::all_end)
    };
    let all = checker().assert_properties();
    let report = checker().symmetry().assert_properties();
    agreed(&report);
    assert_eq!(report.depth(), all.depth());
    assert!(
        report.states() * 3 < all.states() * 2,
        "{} {}",
        report.states(),
        all.states()
    );
}
