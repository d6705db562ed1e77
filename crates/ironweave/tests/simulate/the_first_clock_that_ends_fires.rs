//! Bindings race: each has a clock of its own from when it becomes enabled, and the first that ends fires. Compared with a simulator
//! of the same floor on plain vectors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Simulation};

use crate::floor::floor::{self, state::*, *};
use crate::floor::parts;
use crate::random::Random;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The delays of `Cut`, `Bent`, `Joined` and `Returned`, in seconds; `None` for never.
type Delays = [Option<u64>; 4];

/// The delay of an event with a part: some parts take longer.
fn delay(seconds: Option<u64>, part: u32) -> Delay {
    let more = u64::from(part % 3);
    seconds.map_or_else(Delay::never, |n| Duration::from_secs(n + more).into())
}

fn simulation(count: usize, delays: Delays) -> Simulation<floor::Model> {
    Simulation::new()
        .start(parts(count))
        .without::<Made>()
        .delay_by::<Cut, _>(move |event, _| delay(delays[0], event.part.id().slot()))
        .delay_by::<Bent, _>(move |event, _| delay(delays[1], event.part.id().slot()))
        .delay_by::<Joined, _>(move |event, _| delay(delays[2], event.left.id().slot()))
        .delay_by::<Returned, _>(move |event, _| delay(delays[3], event.part.id().slot()))
        .replications(1)
}

/// The events that fire, each with its second.
fn traced(simulation: Simulation<floor::Model>) -> Vec<(u64, String)> {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&trace);
    let simulation = simulation.trace(move |fired| {
        let entry = (fired.elapsed.as_secs(), format!("{:?}", fired.event));
        seen.lock().unwrap().push(entry);
    });
    simulation.run().unwrap();
    let trace = trace.lock().unwrap();
    trace.clone()
}

/// The same as text.
fn lines(trace: &[(u64, String)]) -> Vec<String> {
    let line = |(at, event): &(u64, String)| format!("{at} {event}");
    trace.iter().map(line).collect()
}

/// The index of an event, and the parts.
type Binding = (usize, Vec<usize>);

/// The bindings that are enabled, in the order of the declarations and of the parts.
fn enabled(states: &[char]) -> Vec<Binding> {
    let of = |state: char| (0..states.len()).filter(move |part| states[*part] == state);
    let mut all = Vec::new();
    all.extend(of('A').map(|part| (0, vec![part])));
    all.extend(of('B').map(|part| (1, vec![part])));
    all.extend(of('B').flat_map(|left| of('C').map(move |right| (2, vec![left, right]))));
    all.extend(of('D').map(|part| (3, vec![part])));
    all
}

/// The same by hand.
fn by_hand(count: usize, delays: Delays, end: u64) -> Vec<(u64, String)> {
    let mut states = vec!['A'; count];
    let mut clocks: Vec<(Binding, Option<u64>)> = Vec::new();
    let mut now = 0;
    let mut trace = Vec::new();
    loop {
        let bindings = enabled(&states);
        clocks.retain(|(binding, _)| bindings.contains(binding));
        for binding in bindings {
            if !clocks.iter().any(|(known, _)| *known == binding) {
                let more = binding.1[0] as u64 % 3;
                let due = delays[binding.0].map(|delay| now + delay + more);
                clocks.push((binding, due));
            }
        }
        // The first of the least.
        let due = clocks.iter().filter_map(|(_, due)| *due).min();
        let Some(due) = due.filter(|due| *due <= end) else {
            return trace;
        };
        let at = clocks
            .iter()
            .position(|(_, clock)| *clock == Some(due))
            .unwrap();
        let ((event, parts), _) = clocks.remove(at);
        now = due;
        let id = |part: usize| format!("Part/{part}.1");
        let text = match (event, &parts[..]) {
            (0, [part]) => {
                states[*part] = 'B';
                format!("Cut {{ part: {} }}", id(*part))
            }
            (1, [part]) => {
                states[*part] = 'C';
                format!("Bent {{ part: {} }}", id(*part))
            }
            (2, [left, right]) => {
                (states[*left], states[*right]) = ('A', 'D');
                format!("Joined {{ left: {}, right: {} }}", id(*left), id(*right))
            }
            (_, [part, ..]) => {
                states[*part] = 'A';
                format!("Returned {{ part: {} }}", id(*part))
            }
            _ => unreachable!(),
        };
        trace.push((now, text));
    }
}

#[test]
fn as_a_simulator_by_hand_says() {
    let mut random = Random(1);
    let (mut fired, mut joined) = (0, 0);
    for _ in 0..300 {
        let count = 1 + random.below(6);
        let mut delay = |least: usize| {
            let seconds = (least + random.below(6)) as u64;
            Some(seconds).filter(|_| random.chance(95))
        };
        // If all of them were zero, no time would pass.
        let delays = [delay(0), delay(0), delay(0), delay(1)];
        let end = 5 + random.below(40) as u64;
        let expected = by_hand(count, delays, end);
        fired += expected.len();
        joined += (expected
            .iter()
            .filter(|(_, event)| event.starts_with("Joined")))
        .count();
        let found = traced(simulation(count, delays).until_time(seconds(end)));
        assert_eq!(
            found, expected,
            "{count} parts, delays {delays:?}, until {end}"
        );
    }
    assert!(fired > 1500 && joined > 150, "{fired}, {joined}");
}

#[test]
fn a_binding_that_was_disabled_begins_again() {
    let simulation = Simulation::<floor::Model>::new()
        .start(parts(2))
        .without::<Made>()
        .delay::<Cut>(seconds(1))
        .delay_by::<Bent, _>(|event, _| seconds(if event.part.id().slot() == 0 { 1 } else { 10 }))
        .delay::<Joined>(seconds(4))
        .delay::<Returned>(seconds(100))
        .until_time(seconds(50))
        .replications(1);
    // Part 1 would be bent at 11, but is joined before. It is bent ten seconds after it is cut again.
    assert_eq!(
        lines(&traced(simulation)),
        [
            "1 Cut { part: Part/0.1 }",
            "1 Cut { part: Part/1.1 }",
            "2 Bent { part: Part/0.1 }",
            "6 Joined { left: Part/1.1, right: Part/0.1 }",
            "7 Cut { part: Part/1.1 }",
            "17 Bent { part: Part/1.1 }",
        ]
    );
}

#[test]
fn the_shorter_of_two_exponential_delays_is_chosen_by_their_rates() {
    // A part in B is bent with rate 1 and, if the other is in C, joined with rate 3.
    let report = Simulation::<floor::Model>::new()
        .start(|store| {
            let made = [(); 2].map(|()| store.step(Made {}).created.part);
            for part in made {
                let part = part.in_state::<A>(store).unwrap();
                store.step(Cut { part });
            }
            let part = made[0].in_state::<B>(store).unwrap();
            store.step(Bent { part });
        })
        .without::<Made>()
        .without::<Cut>()
        .without::<Returned>()
        .delay::<Bent>(Delay::exponential(seconds(3)))
        .delay::<Joined>(Delay::exponential(seconds(1)))
        .until(|db| db.count::<Part, B>() == 0)
        .replications(4000)
        .seed(3)
        .run()
        .unwrap();
    let joined = report.event("Joined").unwrap();
    let (low, high) = joined.confidence_interval().unwrap();
    assert!(low < 0.75 && 0.75 < high && high - low < 0.03, "{report}");
    // The time until the first of the two is exponential with the sum of the rates.
    let seconds = report.until().unwrap().seconds();
    let (low, high) = seconds.confidence_interval().unwrap();
    assert!(low < 0.75 && 0.75 < high && high - low < 0.06, "{report}");
    let median = 0.75 * std::f64::consts::LN_2;
    assert!((seconds.quantile(0.5) - median).abs() < 0.05, "{report}");
}

#[test]
fn of_bindings_that_are_due_at_the_same_time_weights_choose() {
    let simulation = |bent: f64, joined: f64| {
        Simulation::<floor::Model>::new()
            .start(|store| {
                let made = [(); 2].map(|()| store.step(Made {}).created.part);
                for part in made {
                    let part = part.in_state::<A>(store).unwrap();
                    store.step(Cut { part });
                }
                let part = made[0].in_state::<B>(store).unwrap();
                store.step(Bent { part });
            })
            .without::<Made>()
            .without::<Cut>()
            .without::<Returned>()
            .delay::<Bent>(seconds(1))
            .delay::<Joined>(seconds(1))
            .weight::<Bent>(bent)
            .weight::<Joined>(joined)
            .replications(2000)
            .run()
            .unwrap()
    };
    let report = simulation(1.0, 4.0);
    let (low, high) = report
        .event("Joined")
        .unwrap()
        .confidence_interval()
        .unwrap();
    assert!(low < 0.8 && 0.8 < high && high - low < 0.05, "{report}");
}

#[test]
fn without_weights_the_one_that_was_enabled_first_fires() {
    let trace = traced(simulation(2, [Some(1), Some(1), Some(1), None]).until_time(seconds(9)));
    assert_eq!(
        lines(&trace),
        [
            "1 Cut { part: Part/0.1 }",
            "2 Cut { part: Part/1.1 }",
            "2 Bent { part: Part/0.1 }",
            "4 Bent { part: Part/1.1 }",
        ]
    );
}

#[test]
fn constant_delays_give_the_exact_end() {
    // They are cut after 2, 3 and 4 s and bent 1, 2 and 3 s later, before they could be joined.
    let report = simulation(3, [Some(2), Some(1), Some(5), Some(1)])
        .run()
        .unwrap();
    assert_eq!(report.seconds().values(), [7.0]);
    assert_eq!(
        (report.idle(), report.event("Bent").unwrap().mean()),
        (1, 3.0)
    );
}

#[test]
fn a_function_gives_each_binding_its_delay() {
    let simulation = Simulation::<floor::Model>::new()
        .start(parts(3))
        .without::<Made>()
        .without::<Bent>()
        .without::<Joined>()
        .without::<Returned>()
        .delay_by::<Cut, _>(|event, store| {
            let is_alone = store.count::<Part, Any>() == 1;
            assert!(!is_alone);
            seconds(10 - u64::from(event.part.id().slot()))
        })
        .replications(1);
    let trace = traced(simulation);
    let times: Vec<u64> = trace.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [8, 9, 10]);
    assert_eq!(trace[0].1, "Cut { part: Part/2.1 }");
}
