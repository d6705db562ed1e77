//! An event with a due time fires at that time or later, in order of time, also in a history that was shrunk.

use std::cell::Cell;
use std::time::Duration;

use ironweave::check::{Coverage, Histories, History, histories};
use ironweave::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use desk::desk::*;

use crate::{cases, events, tree};

mod desk {
    #[ironweave::model]
    pub mod desk {
        use std::time::Duration;

        use ironweave::prelude::*;

        #[entity]
        pub struct Seat {
            #[key]
            pub number: u64,
            pub locked: bool,
        }
        #[states(Seat)]
        pub enum SeatState {
            #[initial]
            #[to(Reserved)]
            Free,
            #[to(Free, Sold)]
            Reserved { until: Timestamp },
            #[terminal]
            Sold,
        }

        #[entity]
        pub struct Lease {
            #[key]
            pub client: u64,
            pub ends_at: Option<Timestamp>,
        }

        #[event]
        #[create(seat: Seat { number, locked })]
        pub struct Build {
            pub number: u64,
            pub locked: bool,
        }
        #[event]
        #[moves(seat: Free -> Reserved { until = meta.time + hold })]
        pub struct Reserve {
            pub seat: Seat<Free>,
            pub hold: Duration,
        }
        #[event]
        #[moves(seat: Reserved -> Sold)]
        pub struct Sell {
            pub seat: Seat<Reserved>,
        }
        /// A locked seat stays reserved.
        #[event]
        #[due(seat.Reserved.until)]
        #[when(meta.time >= seat.Reserved.until)]
        #[when(seat.locked == false)]
        #[moves(seat: Reserved -> Free)]
        pub struct Expire {
            pub seat: Seat<Reserved>,
        }
        #[event]
        #[create(lease: Lease { client, ends_at })]
        pub struct Grant {
            pub client: u64,
            pub ends_at: Option<Timestamp>,
        }
        #[event]
        #[due(lease.ends_at)]
        #[delete(lease)]
        pub struct End {
            pub lease: Key<Lease>,
        }
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A time, or none.
fn at(n: i64) -> Option<Timestamp> {
    (n > 0).then_some(Timestamp::from_secs(n))
}

fn of_the_desk() -> Histories<desk::desk::Model> {
    histories(1..60)
        .time(Timestamp::from_secs(1000))
        .entities::<Seat>(4)
        .entities::<Lease>(3)
        .values::<Build, _>("locked", [false, false, true])
        .values::<Reserve, _>("hold", [5, 300, 60, 7].map(seconds))
        .values::<Grant, _>("ends_at", [1006, 1200, 0].map(at))
}

/// Whether an event with a due time fires in its turn: no other one that would fire is due before it. Counts those that fire, and those that are
/// passed over since they are rejected.
fn fires_in_turn(
    history: &History<desk::desk::Model>,
    (fired, passed_over): (&Cell<u32>, &Cell<u32>),
) -> Result<(), TestCaseError> {
    let clock = ironweave::ManualClock::starting_at(Timestamp::default());
    let mut store = Store::options().clock(clock.clone()).memory();
    history.begin(&mut store)?;
    let mut before = None;
    for step in history.steps() {
        prop_assert!(
            before.is_none_or(|before| before <= step.time()),
            "{}",
            step
        );
        before = Some(step.time());
        clock.set(step.time());
        if matches!(step.event(), AnyEvent::Expire(_) | AnyEvent::End(_)) && !step.is_rejected() {
            fired.set(fired.get() + 1);
            let json = |event: &AnyEvent| serde_json::to_value(event).expect("events serialize");
            let all: Vec<_> = store.due(Timestamp::from_micros(i64::MAX)).collect();
            let at = all
                .iter()
                .position(|due| json(&due.event) == json(step.event()));
            let at = at.ok_or_else(|| TestCaseError::fail(format!("{step} is not due")))?;
            prop_assert!(all[at].time <= step.time(), "{}", step);
            passed_over.set(passed_over.get() + at as u32);
            for earlier in &all[..at] {
                let tried = store.try_step_any(&earlier.event);
                prop_assert!(tried.is_err(), "{:?} is due before {}", earlier, step);
            }
        }
        let stepped = store.try_step_any(step.event());
        prop_assert_eq!(stepped.is_err(), step.is_rejected(), "{}", step);
    }
    Ok(())
}

#[test]
fn at_their_time_and_in_order() {
    for (interval, share) in [
        (Duration::ZERO, 0.0),
        (seconds(4), 0.2),
        (seconds(100), 0.0),
    ] {
        let (fired, passed_over, coverage) = (Cell::new(0), Cell::new(0), Coverage::new());
        let strategy = of_the_desk()
            .interval(interval)
            .rejected(share)
            .coverage(&coverage);
        proptest!(cases(60), |(history in strategy)| {
            fires_in_turn(&history, (&fired, &passed_over))?;
            let mut store = Store::memory();
            history.replay(&mut store, |_, _| Ok(()))?;
        });
        assert!(fired.get() > 100 && passed_over.get() > 20, "{coverage}");
        coverage.assert_all();
    }
}

#[test]
fn the_time_moves_to_the_due_time_and_on_from_there() {
    let strategy = of_the_desk().interval(seconds(1));
    let (jumps, late) = (Cell::new(0), Cell::new(0));
    proptest!(cases(40), |(history in strategy)| {
        let mut store = Store::memory();
        history.begin(&mut store)?;
        let mut expected = None;
        for step in history.steps() {
            let is_due = matches!(step.event(), AnyEvent::Expire(_) | AnyEvent::End(_));
            let json = |event: &AnyEvent| serde_json::to_value(event).expect("events serialize");
            let due = store.due(Timestamp::from_micros(i64::MAX));
            let due = due.filter(|_| is_due).find(|due| json(&due.event) == json(step.event()));
            let time = expected.unwrap_or(step.time()).max(due.map_or(step.time(), |due| due.time));
            if is_due {
                let count = if expected == Some(time) { &late } else { &jumps };
                count.set(count.get() + 1);
            } else {
                prop_assert_eq!(expected.unwrap_or(time), step.time());
            }
            prop_assert_eq!(time, step.time(), "{}", step);
            expected = Some(step.time() + seconds(1));
            let meta = Meta::new().with_time(step.time());
            prop_assert!(store.try_step_any_with(meta, step.event()).is_ok());
        }
    });
    assert!(jumps.get() > 50 && late.get() > 5, "{jumps:?} {late:?}");
}

#[test]
fn also_while_a_failure_is_shrunk() {
    let fails = |history: &History<desk::desk::Model>| {
        let mut long = false;
        let mut store = Store::memory();
        let replayed = history.replay(&mut store, |store, step| {
            // It fails when a seat expires that was held for five minutes.
            long |= matches!(step.event(), AnyEvent::Expire(_))
                && step.time() >= history.steps()[0].time() + seconds(300)
                && store.count::<Seat, Any>() >= 2;
            Ok(())
        });
        assert!(replayed.is_ok(), "{history:?}");
        long
    };
    let mut failures = 0;
    for seed in 0..30 {
        let mut tree = tree(&of_the_desk(), seed);
        if !fails(&tree.current()) {
            continue;
        }
        failures += 1;
        let mut is_left = tree.simplify();
        while is_left {
            let proposal = tree.current();
            fires_in_turn(&proposal, (&Cell::new(0), &Cell::new(0)))
                .unwrap_or_else(|e| panic!("{e}\n{proposal:?}"));
            is_left = match fails(&proposal) {
                true => tree.simplify(),
                false => tree.complicate(),
            };
        }
        let least = tree.current();
        assert!(fails(&least));
        let least_events = events(&least);
        assert!(least_events.len() <= 7, "{least_events:?}");
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn the_printed_test_sets_the_time() {
    let seed = (0..50).find(|seed| {
        let history = tree(&of_the_desk(), *seed).current();
        events(&history)
            .iter()
            .any(|event| event.starts_with("Expire"))
    });
    let history = tree(&of_the_desk(), seed.expect("a seat expires")).current();
    let printed = format!("{history:?}");
    let at = (history.steps().iter())
        .position(|step| matches!(step.event(), AnyEvent::Expire(_)))
        .expect("a seat expires");
    let micros = history.steps()[at].time().as_micros();
    let set = format!("    clock.set(Timestamp::from_micros({micros}));\n");
    let (before, after) = printed
        .split_once(&set)
        .unwrap_or_else(|| panic!("{printed}"));
    assert!(
        !before.contains("Expire") && after.contains("Expire"),
        "{printed}"
    );
    assert!(before.contains("ManualClock::starting_at"), "{printed}");
    // It also begins at the time of the history if no time passes, since arcs read the time.
    let early = of_the_desk().weight::<Expire>(0.0).weight::<End>(0.0);
    let printed = format!("{:?}", tree(&early, 0).current());
    let clock = "ManualClock::starting_at(Timestamp::from_micros(1000000000))";
    assert!(
        printed.contains(clock) && !printed.contains("clock.set"),
        "{printed}"
    );
}

#[test]
fn one_without_weight_does_not_fire_and_holds_up_no_other() {
    let fired = Cell::new(0);
    let strategy = of_the_desk().weight::<End>(0.0);
    proptest!(cases(40), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, step| {
            prop_assert!(!matches!(step.event(), AnyEvent::End(_)));
            fired.set(fired.get() + i32::from(matches!(step.event(), AnyEvent::Expire(_))));
            Ok(())
        })?;
    });
    assert!(fired.get() > 40, "{fired:?}");
}

#[test]
fn a_function_gives_those_that_fire_at_any_time() {
    let early = Cell::new(0);
    let strategy = of_the_desk().bindings::<End>(|store| {
        let leases = store.place::<Lease, Any>();
        leases
            .map(|lease| End {
                lease: lease.client(store).into(),
            })
            .collect()
    });
    proptest!(cases(20), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, step| {
            let is_first = step.time() == history.steps()[0].time();
            let is_end = matches!(step.event(), AnyEvent::End(_));
            early.set(early.get() + i32::from(is_first && is_end));
            Ok(())
        })?;
    });
    assert!(early.get() > 5, "{early:?}");
}
