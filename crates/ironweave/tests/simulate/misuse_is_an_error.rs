//! What is missing or contradicts itself is an error that says what to write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Simulation, SimulationError, now};

use crate::bank::bank::{self, Arrived, Customer, Finished, Hired, Started};
use crate::floor::floor::{self, state::*, *};
use crate::floor::parts;

const SECOND: Duration = Duration::from_secs(1);

fn simulation() -> Simulation<floor::Model> {
    Simulation::new()
        .start(parts(2))
        .without::<Made>()
        .delay::<Cut>(SECOND)
        .delay::<Bent>(SECOND)
        .delay::<Joined>(SECOND)
        .delay::<Returned>(SECOND)
        .until_time(10 * SECOND)
        .replications(2)
}

fn error(simulation: Simulation<floor::Model>) -> String {
    simulation.run().expect_err("a mistake").to_string()
}

#[test]
fn all_that_is_missing_is_listed() {
    let error = error(
        Simulation::new()
            .delay::<Cut>(SECOND)
            .without::<Made>()
            .weight::<Cut>(f64::NAN)
            .weight::<Bent>(0.0)
            .monitor("x", |_| 0.0)
            .first("x", |_| true)
            .replications(0)
            .threads(0)
            .events_at_once_max(0)
            .warm_up(11 * SECOND)
            .until_time(10 * SECOND),
    );
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "the simulation cannot run:",
            "  the number of replications is 0: .replications(100)",
            "  the number of threads is 0: leave out .threads(0)",
            "  no event may fire: .events_at_once_max(100_000)",
            "  the warm-up of 11s is longer than a replication, which ends after 10s: give a shorter .warm_up(..)",
            "  the weight of `Bent` is 0; give a finite number that is greater than zero",
            "  the weight of `Cut` is NaN; give a finite number that is greater than zero",
            "  two monitors have the name \"x\"; give each its own",
            "  when `Bent` fires: .delay::<Bent>(Delay::exponential(mean)), or .without::<Bent>() if it does not occur",
            "  when `Joined` fires: .delay::<Joined>(Delay::exponential(mean)), or .without::<Joined>() if it does not occur",
            "  when `Returned` fires: .delay::<Returned>(Delay::exponential(mean)), or .without::<Returned>() if it does not occur",
        ]
    );
}

mod office {
    #[ironweave::model]
    pub mod office {
        use ironweave::prelude::*;

        #[entity]
        pub struct Letter {
            #[key]
            pub number: u32,
            pub pages: u32,
        }
        #[states(Letter)]
        pub enum LetterState {
            #[initial]
            #[to(Read)]
            New,
            #[terminal]
            Read,
        }

        #[event]
        #[create(letter: Letter { number, pages })]
        pub struct LetterCame {
            pub number: u32,
            pub pages: u32,
        }

        #[event]
        #[guard(super::super::is_short)]
        #[moves(letter: New -> Read)]
        pub struct LetterRead {
            pub letter: Letter<New>,
        }
    }
}

use office::office::{Letter, LetterCame, LetterRead};

fn is_short(event: &LetterRead, db: &impl Db) -> Result<(), Reject> {
    match event.letter.any().pages(db) {
        0 => panic!("a letter has pages"),
        1 => Ok(()),
        _ => Err(Reject::new("it is too long")),
    }
}

fn letters() -> Simulation<office::office::Model> {
    Simulation::new()
        .delay::<LetterCame>(SECOND)
        .delay::<LetterRead>(SECOND)
        .until_time(10 * SECOND)
        .replications(3)
        .threads(1)
}

#[test]
fn domains_are_as_those_of_a_checker_but_bounds_are_needed_only_for_keys() {
    let error = letters().run().expect_err("no values");
    assert_eq!(
        error.to_string(),
        "the simulation cannot run:\n  \
         the values of `LetterCame.pages`, which is a `u32`: .values::<LetterCame, _>(\"pages\", [..])\n  \
         how many `Letter` may exist, since each has a key: .entities::<Letter>(100)"
    );
    // Nothing is missing of an event that does not occur.
    letters()
        .without::<LetterCame>()
        .run()
        .expect("nothing is missing");
}

#[test]
fn a_guard_decides_what_is_enabled_and_its_panic_is_an_error() {
    let report = letters()
        .entities::<Letter>(100)
        .values::<LetterCame, _>("pages", [1, 2])
        .run()
        .expect("nothing is missing");
    assert_eq!(
        report.event("LetterRead").map(|fired| fired.mean()),
        Some(9.0),
        "{report}"
    );
    let error = letters()
        .entities::<Letter>(100)
        .values::<LetterCame, _>("pages", [0])
        .run()
        .expect_err("a panic");
    assert_eq!(
        error.to_string(),
        "LetterRead panicked at the time 1s of replication 0: a letter has pages"
    );
}

#[test]
fn a_monitor_without_a_number_is_named() {
    let bad = |db: &Store<floor::Model>| 1.0 / db.count::<Part, A>() as f64;
    assert_eq!(
        error(simulation().monitor("bad", bad)),
        "the monitor \"bad\" returned inf at the time 1s of replication 0; return a finite number"
    );
    let observed = simulation().observe::<Cut>("worse", |_, _| Some(f64::NAN));
    assert_eq!(
        error(observed),
        "the monitor \"worse\" returned NaN at the time 1s of replication 0; return a finite number"
    );
}

/// The panic is that of the first replication which panics, and ends the others.
#[test]
fn a_function_that_panics_does_so_in_the_caller() {
    for threads in [1, 2] {
        let began = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&began);
        let simulation = simulation()
            .replications(1_000_000)
            .threads(threads)
            .delay_by::<Cut, Delay>(move |event, _| {
                let which = event.part.id().slot();
                assert!(which != 1, "part {which} is unknown");
                seen.fetch_add(1, Ordering::SeqCst);
                SECOND.into()
            });
        let panic = catch_unwind(AssertUnwindSafe(|| simulation.run())).expect_err("a panic");
        assert_eq!(
            panic.downcast_ref::<String>().map(String::as_str),
            Some("part 1 is unknown")
        );
        assert!(began.load(Ordering::SeqCst) <= threads);
    }
}

/// The fields of its bindings differ each time, so that events are forgotten.
#[test]
fn a_function_that_never_returns_a_binding_again() {
    let report = Simulation::<bank::Model>::new()
        .bindings::<Arrived>(|db| {
            let customers = db.count::<Customer, Any>() as u64;
            let called = now(db) + Duration::from_micros(customers);
            vec![Arrived { called }]
        })
        .delay::<Arrived>(SECOND)
        .without::<Hired>()
        .without::<Started>()
        .without::<Finished>()
        .events_max(35_000)
        .replications(1)
        .run()
        .expect("nothing is missing");
    assert_eq!(
        (report.fired(), report.seconds().mean()),
        (35_000, 35_000.0)
    );
}

#[test]
fn more_threads_than_replications_and_one_replication() {
    let report = simulation()
        .replications(1)
        .threads(usize::MAX)
        .run()
        .expect("nothing is missing");
    assert_eq!(report.replications(), 1);
    assert_eq!(report.seconds().confidence_interval(), None);
    assert!(
        report.to_string().starts_with("floor: 1 replication, "),
        "{report}"
    );
}

#[test]
fn a_binding_that_is_returned_twice_is_one() {
    let twice = |store: &Store<floor::Model>| {
        let parts = store.place::<Part, A>().chain(store.place::<Part, A>());
        parts.map(|part| Cut { part }).collect()
    };
    let report = simulation()
        .bindings::<Cut>(twice)
        .run()
        .expect("nothing is missing");
    assert_eq!(
        report.event("Cut").map(|fired| fired.mean()),
        Some(2.0),
        "{report}"
    );
}

#[test]
fn events_without_end_in_no_time_are_named() {
    let error = simulation()
        .delay::<Cut>(Duration::ZERO)
        .delay::<Bent>(SECOND)
        .delay::<Joined>(Duration::ZERO)
        .delay::<Returned>(Duration::ZERO)
        .events_at_once_max(50)
        .run();
    // Two parts in C have nothing to be joined with.
    assert!(error.is_ok(), "{error:?}");
    let error = simulation()
        .start(parts(3))
        .delay::<Cut>(Duration::ZERO)
        .delay_by::<Bent, _>(|event, _| {
            if event.part.id().slot() == 0 {
                Duration::ZERO
            } else {
                SECOND
            }
        })
        .delay::<Joined>(Duration::ZERO)
        .delay::<Returned>(Duration::ZERO)
        .events_at_once_max(50)
        .run()
        .expect_err("no time passes");
    let SimulationError::Livelock {
        elapsed,
        limit,
        events,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*elapsed, *limit), (Duration::ZERO, 50));
    let names: Vec<&str> = events.iter().map(|(name, _)| &**name).collect();
    assert!(
        names.contains(&"Cut") && names.contains(&"Joined") && names.contains(&"Returned"),
        "{error}"
    );
    assert!(error.to_string().contains("no time passes"), "{error}");
}

#[test]
fn a_delay_that_contradicts_itself_is_refused_where_it_is_made() {
    let error = Delay::uniform(2 * SECOND, SECOND).expect_err("not in order");
    assert_eq!(
        error.to_string(),
        "the durations [2s, 1s] of a delay are not in order; give the smallest first and the greatest last"
    );
}
