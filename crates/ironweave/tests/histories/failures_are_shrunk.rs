//! A failing history is shrunk to a short one. Each history on the way is valid.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::check::{Checker, Domains, History, HistoryTree, histories};
use ironweave::prelude::*;
use ironweave::{Db, Model};
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::build::{self, built_twice};
use crate::machine::{Step, machine};
use crate::ward::ward::{self, Arrived, Bed, Patient, PatientDischarged};
use crate::{cases, events, of_the_ward, runner, tree};

/// Replays a history, and returns whether a condition held after each event.
fn holds<M: Model>(history: &History<M>, condition: impl Fn(&Store<M>) -> bool) -> bool {
    let mut store = Store::memory();
    let mut held = true;
    let replayed = history.replay(&mut store, |store, _| {
        held &= condition(store);
        Ok(())
    });
    replayed.expect("each history is valid");
    held
}

/// Shrinks as `proptest` does, and returns how many histories were tested.
fn shrink<M: Model>(tree: &mut HistoryTree<M>, passes: impl Fn(&History<M>) -> bool) -> usize {
    assert!(!passes(&tree.current()), "it does not fail at first");
    let mut tested = 0;
    let mut goes_on = tree.simplify();
    while goes_on {
        tested += 1;
        goes_on = match passes(&tree.current()) {
            true => tree.complicate(),
            false => tree.simplify(),
        };
    }
    assert!(!passes(&tree.current()), "it does not fail in the end");
    tested
}

/// A number that depends on the text of a history.
fn hash<M: Model>(history: &History<M>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher as _};
    let mut hasher = DefaultHasher::new();
    events(history).hash(&mut hasher);
    hasher.finish()
}

#[test]
fn each_history_on_the_way_is_valid_whatever_fails() {
    let drawn = of_the_ward(1..60)
        .rejected(0.3)
        .strategy::<Arrived, _>("name", "[a-z]{1,3}");
    let mut tested = 0;
    for seed in 0..60 {
        let mut tree = tree(&drawn, seed);
        let first = tree.current().len();
        // The tests fail or pass at random, so that the way is a random one.
        let sparsity = 2 + u64::from(seed % 3);
        let is_first = Cell::new(true);
        let mut last = first;
        let passes = |history: &History<ward::Model>| {
            assert!(holds(history, |store| store.check().is_empty()));
            assert!((1..=first).contains(&history.len()));
            !is_first.take() && !hash(history).is_multiple_of(sparsity)
        };
        assert!(!passes(&tree.current()));
        let mut goes_on = tree.simplify();
        while goes_on {
            tested += 1;
            let history = tree.current();
            assert!(
                history.len() <= last,
                "a proposal is not longer than what failed last"
            );
            goes_on = match passes(&history) {
                true => tree.complicate(),
                false => {
                    last = history.len();
                    tree.simplify()
                }
            };
        }
        assert_eq!(tree.current().len(), last);
    }
    assert!(tested > 1_000, "{tested}");
}

#[test]
fn what_always_fails_becomes_the_shortest_history() {
    for seed in 0..20 {
        let mut from_one = tree(&of_the_ward(1..100).rejected(0.2), seed);
        shrink(&mut from_one, |_| false);
        assert_eq!(from_one.current().len(), 1);
        let mut from_none = tree(&of_the_ward(0..100), seed);
        shrink(&mut from_none, |_| false);
        assert!(from_none.current().is_empty());
        // The least length is kept.
        let mut from_ten = tree(&of_the_ward(10..100), seed);
        shrink(&mut from_ten, |_| false);
        assert_eq!(from_ten.current().len(), 10);
    }
}

fn domains_of_built_twice() -> Domains<built_twice::Model> {
    Domains::new()
        .entities::<built_twice::Want>(3)
        .entities::<built_twice::Partition>(3)
        .entities::<built_twice::JobRun>(6)
        .values::<built_twice::JobFailed, _>("exit", [1, 2])
}

#[test]
fn a_planted_bug_has_the_shortest_counterexample() {
    // A breadth-first exploration finds the shortest one.
    let report = Checker::new()
        .within(domains_of_built_twice())
        .entities::<built_twice::Want>(1)
        .entities::<built_twice::Partition>(1)
        .entities::<built_twice::JobRun>(2)
        .every::<built_twice::Partition, _>("once", build::built_once_twice)
        .check()
        .expect("all domains are given");
    let shortest = report.violations()[0].events().len();
    let strategy = histories(1..150).within(domains_of_built_twice());
    let mut found = 0;
    for seed in 0..30 {
        let passes = |history: &History<built_twice::Model>| {
            holds(history, |store| {
                let mut all = store.place::<built_twice::Partition, Any>();
                all.all(|partition| build::built_once_twice(partition, store))
            })
        };
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        found += 1;
        let tested = shrink(&mut tree, passes);
        let history = tree.current();
        assert_eq!(history.len(), shortest, "{history:?}");
        assert!(tested < 400, "{tested}");
    }
    assert!(found > 20, "{found}");
}

#[test]
fn handles_are_those_of_the_shorter_history() {
    // Only the patient who was urgent and is discharged counts: of the others nothing is left, so the handles are others.
    let strategy = of_the_ward(1..120).weight::<PatientDischarged>(5.0);
    let passes = |history: &History<ward::Model>| {
        holds(history, |store| {
            let mut left = store.place::<Patient, ward::state::Discharged>();
            !left.any(|patient| patient.urgent(store))
        })
    };
    let mut found = 0;
    for seed in 0..20 {
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        found += 1;
        shrink(&mut tree, passes);
        let history = tree.current();
        let text = events(&history).join("\n");
        let admitted = "PatientAdmitted { patient: Patient/0.1, bed: ";
        let discharged = "PatientDischarged { patient: Patient/0.1, result: None }";
        assert!(
            text.contains(admitted) && text.ends_with(discharged),
            "{text}"
        );
        assert!(text.contains("urgent: true"), "{text}");
        assert_eq!(history.len(), 4, "{text}");
    }
    assert!(found > 10, "{found}");
}

#[test]
fn values_become_the_first_ones_that_fail() {
    let strategy = histories::<machine::Model>(1..60)
        .entities::<machine::Machine>(2)
        .values::<machine::Raised, _>("by", (0..9).map(|by| Step { by }))
        .weight::<machine::Drifted>(0.0);
    // The handler panics at a level of 4.
    let passes = |history: &History<machine::Model>| {
        let replay = || history.replay(&mut Store::memory(), |_, _| Ok(()));
        catch_unwind(AssertUnwindSafe(replay)).is_ok()
    };
    let mut sums = Vec::new();
    for seed in 0..20 {
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        shrink(&mut tree, passes);
        let history = tree.current();
        let text = events(&history).join("\n");
        assert!(text.ends_with(" (panics)"), "{text}");
        let raised = text.lines().filter(|line| line.starts_with("Raised"));
        let by = raised.map(|line| {
            let by = line.rsplit("by: ").next().expect("a level");
            let digits: String = by.chars().filter(char::is_ascii_digit).collect();
            digits.parse::<u32>().expect("a number")
        });
        sums.push(by.sum::<u32>());
    }
    assert!(sums.len() > 5, "{sums:?}");
    assert!(sums.iter().all(|sum| *sum == 4), "{sums:?}");
}

#[test]
fn drawn_values_are_simplified_by_their_strategy() {
    let strategy = of_the_ward(1..60).strategy::<Arrived, _>("name", "[a-z]{1,8}");
    let passes = |history: &History<ward::Model>| {
        holds(history, |store| {
            let mut patients = store.place::<Patient, Any>();
            patients.all(|patient| patient.name(store).len() < 4)
        })
    };
    let mut tree = tree(&strategy, 5);
    shrink(&mut tree, passes);
    let history = tree.current();
    assert_eq!(
        events(&history),
        ["Arrived { name: \"aaaa\", urgent: false }"]
    );
}

#[test]
fn sets_become_smaller() {
    let strategy = of_the_ward(1..=60).weight::<ward::Hired>(3.0);
    let passes = |history: &History<ward::Model>| {
        holds(history, |store| {
            let mut doctors = store.place::<ward::Doctor, Any>();
            doctors.all(|doctor| doctor.patients(store).count() < 2)
        })
    };
    for seed in 0..5 {
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        shrink(&mut tree, passes);
        let text = events(&tree.current());
        assert_eq!(text.len(), 3, "{text:?}");
        assert_eq!(text[2].matches("Patient/").count(), 2, "{text:?}");
    }
}

#[test]
fn rejected_events_stay_rejected() {
    let strategy = of_the_ward(1..80).rejected(0.5);
    let passes = |history: &History<ward::Model>| {
        assert!(holds(history, |_| true));
        let rejected = history.steps().iter().filter(|step| step.is_rejected());
        rejected
            .filter(|step| step.to_string().starts_with("PatientAdmitted"))
            .count()
            < 2
    };
    let mut all = Vec::new();
    for seed in 0..10 {
        let mut tree = tree(&strategy, seed);
        if !passes(&tree.current()) {
            shrink(&mut tree, passes);
            all.push(tree.current().len());
        }
    }
    // A patient, and at best no bed.
    assert!(
        all.len() > 5 && all.iter().all(|len| (3..=6).contains(len)),
        "{all:?}"
    );
}

#[test]
fn bindings_that_a_function_gives_stay_among_those() {
    // The function gives beds only in the order of their numbers, so that none can be left out before another one.
    let strategy = of_the_ward(1..40).bindings::<ward::BedAdded>(|store| {
        let number = store.count::<Bed, Any>() as u32;
        (number < 6)
            .then_some(ward::BedAdded { number })
            .into_iter()
            .collect()
    });
    let strategy = strategy.weight::<ward::BedRemoved>(0.0);
    let passes = |history: &History<ward::Model>| {
        let numbers = holds(history, |store| {
            let mut numbers: Vec<u32> = store
                .place::<Bed, Any>()
                .map(|bed| bed.number(store))
                .collect();
            numbers.sort_unstable();
            numbers
                .iter()
                .zip(0..)
                .all(|(found, expected)| *found == expected)
        });
        assert!(numbers, "{history:?}");
        holds(history, |store| store.count::<Bed, Any>() < 4)
    };
    let mut found = 0;
    for seed in 0..20 {
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        found += 1;
        shrink(&mut tree, passes);
        assert_eq!(tree.current().len(), 4, "{:?}", tree.current());
    }
    assert!(found > 5, "{found}");
}

#[test]
fn an_event_that_happened_to_create_what_others_need_is_left_out() {
    // Each arrival of a book also creates its shelf if there is none, and another one does so where the first is left out.
    use crate::library::library::{Book, Bought, Model, Shelf, state};
    let strategy = histories::<Model>(1..60)
        .entities::<Book>(8)
        .entities::<Shelf>(2)
        .values::<Bought, _>("tags", [vec![], vec!["\"new\"".to_owned()]]);
    let passes =
        |history: &History<Model>| holds(history, |store| store.count::<Book, state::Lent>() < 3);
    let mut found = 0;
    for seed in 0..20 {
        let mut tree = tree(&strategy, seed);
        if passes(&tree.current()) {
            continue;
        }
        found += 1;
        shrink(&mut tree, passes);
        let events = events(&tree.current());
        let bought = events.iter().filter(|event| event.starts_with("Bought"));
        assert_eq!(bought.count(), 3, "{events:?}");
    }
    assert!(found > 10, "{found}");
}

#[test]
fn times_are_those_of_the_shorter_history() {
    // A book can be returned from noon on, which is the time of the eleventh event. No event that makes it noon can be left out.
    use crate::library::library::{Book, Bought, Model, Shelf, state};
    let strategy = histories::<Model>(1..60)
        .entities::<Book>(40)
        .entities::<Shelf>(2)
        .values::<Bought, _>("tags", [Vec::<String>::new()])
        .time(Timestamp::from_secs(43_200 - 600))
        .interval(std::time::Duration::from_secs(60));
    let mut found = 0;
    for seed in 0..20 {
        let mut tree = tree(&strategy, seed);
        let returned = |history: &History<Model>| {
            assert!(holds(history, |store| store.count::<Book, state::Lent>() <= 40));
            (history.steps().iter()).all(|step| !step.to_string().starts_with("Returned"))
        };
        if returned(&tree.current()) {
            continue;
        }
        found += 1;
        shrink(&mut tree, returned);
        assert_eq!(tree.current().len(), 11, "{:?}", tree.current());
    }
    assert!(found > 10, "{found}");
}

#[test]
fn the_printed_test_compiles_and_fails() {
    use crate::library::library::{Book, Bought, Model, Shelf, state};
    mod printed {
        include!("printed/lent.rs");
    }
    let strategy = histories::<Model>(1..60)
        .entities::<Book>(8)
        .entities::<Shelf>(2)
        .values::<Bought, _>("tags", [vec![], vec!["\"new\"".to_owned()]])
        .rejected(0.2);
    let passes = |history: &History<Model>| {
        let is_rejected = history
            .steps()
            .iter()
            .any(ironweave::check::Step::is_rejected);
        holds(history, |store| {
            !is_rejected || store.count::<Book, state::Lent>() < 3
        })
    };
    let mut trees = (0..20).map(|seed| tree(&strategy, seed));
    let mut tree = trees
        .find(|tree| !passes(&tree.current()))
        .expect("one fails");
    shrink(&mut tree, passes);
    // The attribute would make it a test of this suite.
    let text = format!("{:?}", tree.current()).replace("#[test]\nfn", "pub fn");
    let assertion = "assert!(store.count::<Book, Lent>() < 3, \"three are lent\");";
    let text = text.replace("// Here the assertions follow.", assertion);
    let text = text.trim_start();
    if std::env::var("IRONWEAVE_BLESS").is_ok() {
        let path = format!(
            "{}/tests/histories/printed/lent.rs",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::write(path, text).expect("it can be written");
    }
    assert_eq!(
        text,
        include_str!("printed/lent.rs"),
        "run it with `IRONWEAVE_BLESS=1` to write `printed/lent.rs`"
    );
    let panic = catch_unwind(printed::history).expect_err("it fails");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"three are lent"));
}

#[test]
fn a_runner_that_gives_up_gets_a_history_that_fails() {
    let config = proptest::test_runner::Config {
        max_shrink_iters: 7,
        ..cases(1)
    };
    let mut runner = TestRunner::new_with_rng(config, runner(4).rng().clone());
    let tested = Cell::new(0);
    let result = runner.run(&of_the_ward(30..50), |history| {
        tested.set(tested.get() + 1);
        assert!(holds(&history, |_| true));
        match history.len() {
            len @ 33.. => Err(TestCaseError::fail(format!("{len} events"))),
            _ => Ok(()),
        }
    });
    let Err(TestError::Fail(_, history)) = result else {
        panic!("{result:?}");
    };
    assert!(history.len() >= 33);
    assert!(tested.get() <= 9, "{}", tested.get());
}

/// A test that `proptest` runs as a user's does. The message has a Rust test.
#[test]
fn the_message_of_a_failure_is_a_rust_test() {
    let strategy = of_the_ward(1..60)
        .rejected(0.2)
        .values::<PatientDischarged, _>("result", [None::<()>]);
    let mut runner = TestRunner::new_with_rng(cases(100), runner(9).rng().clone());
    let result = runner.run(&strategy, |history| {
        let mut store = Store::memory();
        history.replay(&mut store, |store, _| {
            let left = store.count::<Patient, ward::state::Discharged>();
            match left {
                0 => Ok(()),
                _ => Err(TestCaseError::fail("a patient left")),
            }
        })
    });
    let Err(TestError::Fail(_, history)) = result else {
        panic!("{result:?}");
    };
    let test = format!("{history:?}");
    let lines: Vec<&str> = test.trim().lines().collect();
    assert_eq!(lines.len(), 13, "{test}");
    assert_eq!(lines[0], "/// A history of 4 events.");
    assert_eq!(lines[1..3], ["#[test]", "fn history() {"]);
    assert_eq!(lines[3], "    use crate::ward::ward::{state::*, *};");
    assert!(test.contains(".created.patient;"), "{test}");
    assert!(
        test.contains(".in_state::<Waiting>(&store).expect(\"Waiting\")"),
        "{test}"
    );
    assert!(
        test.ends_with("    // Here the assertions follow.\n}\n"),
        "{test}"
    );
}
