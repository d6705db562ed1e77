//! `checker`: databuild's model with 2 wants, 3 references, 3 partitions and 2 or 3 runs, whose states `ironweave::check` visits by
//! firing the program's own events, beside the same model written by hand.
//!
//! | contender | what |
//! |---|---|
//! | `ironweave` | `Checker` on `databuild::model`: see `ours.rs` |
//! | `by_hand` | the model of `twin.rs`, a queue and a hash set of its states |
//! | `stateright`, `stateright_2` | the same model, by Stateright's breadth-first search on one thread and on two (feature `stateright`) |
//!
//! Each has to find the same number of states, and of events that fire in them. Each tests the same invariants in every state. The checker
//! and Stateright also keep a shortest way to each state. None tests for deadlocks, which `ours.rs` allows. The model has neither guards
//! nor handlers.

mod ours;
#[cfg(feature = "stateright")]
mod stateright;
mod twin;

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use crate::harness::row;
use crate::{Measured, Options};
use twin::{State, Twin};

/// What a contender found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checked {
    /// The different states.
    states: u64,
    /// The events that fired in them, without those that led beyond the scope.
    fired: u64,
}

/// A contender, with what takes time and what was found.
type Contender = (&'static str, fn([usize; 4]) -> Sample);

type Sample = Result<(Checked, Duration), Box<dyn Error>>;

const BENCH: &str = "checker";
const RUNS: &str = "runs";

/// Returns how many wants, references, partitions and runs there may be.
fn scope(runs: usize) -> [usize; 4] {
    [2, 3, 3, runs]
}

fn contenders() -> Vec<Contender> {
    vec![
        ("ironweave", |scope| {
            ours(scope).map(|(checked, time, _)| (checked, time))
        }),
        ("by_hand", by_hand),
        #[cfg(feature = "stateright")]
        ("stateright", |scope| stateright::check(scope, 1)),
        #[cfg(feature = "stateright")]
        ("stateright_2", |scope| stateright::check(scope, 2)),
    ]
}

/// Also returns the bytes of the tables.
fn ours(scope: [usize; 4]) -> Result<(Checked, Duration, usize), Box<dyn Error>> {
    let checker = ours::checker(scope);
    let began = Instant::now();
    let report = checker.check()?;
    let elapsed = began.elapsed();
    if !report.violations().is_empty() || !report.is_complete() {
        return Err(format!("the model was not checked: {report}").into());
    }
    let checked = Checked {
        states: report.states() as u64,
        fired: report.fired(),
    };
    Ok((checked, elapsed, report.bytes()))
}

fn by_hand(scope: [usize; 4]) -> Sample {
    let twin = Twin(scope);
    let began = Instant::now();
    let (mut seen, mut fired) = (FxHashSet::from_iter([State::default()]), 0);
    let (mut queue, mut actions) = (VecDeque::from([State::default()]), Vec::new());
    while let Some(state) = queue.pop_front() {
        if let Some((property, _)) = twin::ALWAYS.iter().find(|(_, holds)| !holds(&twin, &state)) {
            return Err(format!("not {property}: {state:?}").into());
        }
        actions.clear();
        twin.actions(&state, &mut actions);
        for next in actions
            .iter()
            .filter_map(|action| twin.next(&state, *action))
        {
            fired += 1;
            if !seen.contains(&next) {
                seen.insert(next.clone());
                queue.push_back(next);
            }
        }
    }
    let states = seen.len() as u64;
    Ok((Checked { states, fired }, began.elapsed()))
}

/// Measures all contenders: states in a second, and how many bytes each takes in the checker.
pub fn run(options: &Options) -> Measured {
    let contenders = contenders();
    let mut rows = Vec::new();
    for &runs in &options.entities {
        let (expected, _, bytes) = ours(scope(runs))?;
        let mut samples = vec![Vec::new(); contenders.len()];
        for _ in 0..options.samples {
            for ((name, check), samples) in contenders.iter().zip(&mut samples) {
                let (checked, elapsed) = check(scope(runs))?;
                if checked != expected {
                    return Err(format!("{name}: {checked:?}, and not {expected:?}").into());
                }
                samples.push(elapsed.as_nanos() as f64 / checked.states as f64);
            }
        }
        for ((name, _), samples) in contenders.iter().zip(samples) {
            rows.push(row(BENCH, name, runs, samples).of(RUNS).per_second());
        }
        let each = bytes as f64 / expected.states as f64;
        let row = row("checker/bytes", "ironweave", runs, vec![each]);
        rows.push(row.of(RUNS).in_bytes());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This is what shows that the model by hand is the same one.
    #[test]
    fn all_find_the_same_states_and_events() {
        for scope in [
            [1, 1, 1, 1],
            [1, 1, 3, 2],
            [2, 2, 2, 1],
            [2, 2, 2, 2],
            [2, 3, 3, 2],
        ] {
            let (expected, ..) = ours(scope).expect("it is checked");
            for (name, check) in contenders() {
                let (checked, _) = check(scope).expect("it is checked");
                assert_eq!(checked, expected, "{name}, {scope:?}");
            }
        }
    }
}
