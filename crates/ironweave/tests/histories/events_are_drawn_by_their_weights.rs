//! Weights count among the events that are enabled, and bindings are drawn evenly.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::check::{Coverage, histories};
use proptest::strategy::ValueTree as _;

use crate::build::build;
use crate::ward::ward::{
    Arrived, BedAdded, BedRemoved, Hired, Model, PatientAdmitted, PatientDischarged,
};
use crate::{events, of_the_ward, tree};

/// The names of the first events of many histories, with how many times each is drawn.
fn counts(strategy: &ironweave::check::Histories<Model>, at: usize) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for seed in 0..=255 {
        let events = events(&tree(strategy, seed).current());
        let name = events[at].split(' ').next().expect("a name").to_owned();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[test]
fn among_the_events_that_are_enabled() {
    // In an empty ward only these three are enabled.
    let weighted = of_the_ward(1)
        .weight::<BedAdded>(2.0)
        .weight::<Arrived>(6.0)
        .weight::<BedRemoved>(1e100);
    let counts = counts(&weighted, 0);
    assert_eq!(counts.values().sum::<u32>(), 256);
    let near = |name: &str, expected: u32| counts[name].abs_diff(expected) < 25;
    assert!(
        near("BedAdded", 57) && near("Arrived", 171) && near("Hired", 28),
        "{counts:?}"
    );
}

#[test]
fn so_an_event_that_needs_a_rare_state_occurs_when_it_can() {
    // Each patient who arrives is admitted and discharged at once, since nothing else has such a weight.
    let strategy = of_the_ward(60)
        .weight::<PatientAdmitted>(1e9)
        .weight::<PatientDischarged>(1e9)
        .weight::<BedRemoved>(0.0);
    let events = events(&tree(&strategy, 3).current());
    let count = |name: &str| {
        events
            .iter()
            .filter(|event| event.starts_with(name))
            .count()
    };
    assert_eq!(count("PatientAdmitted"), count("Arrived"));
    assert_eq!(count("PatientDischarged"), count("Arrived"));
    assert_eq!(count("BedRemoved"), 0);
}

#[test]
fn and_each_binding_is_as_likely() {
    let strategy = of_the_ward(1)
        .start(|store| {
            (1..=4).for_each(|number| {
                store.step(BedAdded { number });
            });
        })
        .weight::<BedAdded>(0.0)
        .weight::<Arrived>(0.0)
        .weight::<Hired>(0.0);
    let mut removed = BTreeMap::new();
    for seed in 0..=255 {
        let event = events(&tree(&strategy, seed).current()).remove(0);
        *removed.entry(event).or_insert(0u32) += 1;
    }
    assert_eq!(removed.len(), 4);
    assert!(
        removed.values().all(|count| count.abs_diff(64) < 28),
        "{removed:?}"
    );
}

#[test]
fn sets_of_all_sizes_are_drawn() {
    let strategy = of_the_ward(1)
        .start(|store| {
            ["a", "b", "c", "d", "e"].iter().for_each(|name| {
                store.step(Arrived {
                    name: (*name).into(),
                    urgent: false,
                });
            });
        })
        .weight::<BedAdded>(0.0)
        .weight::<Arrived>(0.0);
    let mut sizes = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for seed in 0..=255 {
        let event = events(&tree(&strategy, seed).current()).remove(0);
        if event.matches("Patient/").count() == 2 {
            pairs.insert(event.clone());
        }
        *sizes
            .entry(event.matches("Patient/").count())
            .or_insert(0u32) += 1;
    }
    // A bound of 1, 2, 4 or 5, each as likely, and then a size up to it.
    let expected = |size: usize| {
        let bounds = [1, 2, 4, 5].into_iter().filter(|bound| *bound >= size);
        bounds
            .map(|bound| 64.0 / f64::from(bound as u32 + 1))
            .sum::<f64>()
    };
    for size in 0..=5 {
        let count = f64::from(sizes[&size]);
        assert!((count - expected(size)).abs() < 25.0, "{sizes:?}");
    }
    // About 45 times one of 20 pairs in an order.
    assert!(pairs.len() > 12, "{pairs:?}");
}

#[test]
fn an_event_with_one_binding_among_many_is_found() {
    // Of 900 pairs of a person and a counter, a guard permits those with one counter.
    use crate::ward::queue::{Called, Came, Counter, Model, Opened, Person};
    let coverage = Coverage::<Model>::new();
    let strategy = histories::<Model>(1)
        .entities::<Counter>(30)
        .entities::<Person>(90)
        .start(|store| {
            let names = (0..30).map(|i| format!("{i}"));
            let counters: Vec<Counter> = names
                .map(|name| store.step(Opened { name }).created.counter.any())
                .collect();
            for counter in &counters {
                store.step(Came {
                    counter: *counter,
                    is_child: false,
                });
                store.step(Called { counter: *counter });
                (0..2).for_each(|_| {
                    store.step(Came {
                        counter: *counter,
                        is_child: false,
                    });
                });
            }
            store.step(Called {
                counter: counters[17],
            });
        })
        .weight::<Opened>(0.0)
        .weight::<Came>(0.0)
        .weight::<Called>(0.0)
        .coverage(&coverage);
    for seed in 0..20 {
        tree(&strategy, seed);
    }
    assert_eq!(coverage.fired("CameBack"), Some(20));
}

#[test]
fn an_event_with_more_bindings_than_are_all_tried_is_drawn_more_often() {
    // Of 1,680 pairs of a person and a counter, a guard permits those with two of the counters: 16 of them are often all rejected.
    use crate::ward::queue::{Called, Came, Counter, Model, Opened, Person};
    let coverage = Coverage::<Model>::new();
    let strategy = histories::<Model>(1)
        .entities::<Counter>(40)
        .entities::<Person>(130)
        .start(|store| {
            for i in 0..40 {
                let name = format!("{i}");
                let counter: Counter = store.step(Opened { name }).created.counter.any();
                let came = || Came {
                    counter,
                    is_child: false,
                };
                store.step(came());
                store.step(Called { counter });
                store.step(came());
                store.step(came());
                if i < 2 {
                    store.step(Called { counter });
                }
            }
        })
        .weight::<Opened>(0.0)
        .weight::<Came>(0.0)
        .weight::<Called>(0.0)
        .coverage(&coverage);
    for seed in 0..20 {
        tree(&strategy, seed);
    }
    assert_eq!(coverage.fired("CameBack"), Some(20));
}

#[test]
fn a_model_without_progress_ends_early() {
    // Wants are created, but nothing else happens.
    let coverage = Coverage::new();
    let strategy = histories::<build::Model>(1..=50)
        .entities::<build::Want>(1)
        .entities::<build::Partition>(1)
        .entities::<build::JobRun>(0)
        .values::<build::JobFailed, _>("exit", [1])
        .coverage(&coverage);
    let mut shorter = 0;
    for seed in 0..40 {
        let history = tree(&strategy, seed).current();
        assert!(history.len() <= 2, "{history:?}");
        shorter += u64::from(history.len() < 2);
    }
    assert!(coverage.ended_early() + shorter >= 39, "{coverage}");
}
