//! `as_of_near`, `as_of_far`, `history_1`, `history_1000`.
//!
//! The first question has a figure of its own where it builds what later questions use (`ironweave_first`, which reads the log
//! from its beginning). Between later questions further events fire, so that no point of time is asked for twice.

use std::hint::black_box;
use std::time::Instant;

use super::{Past, compare, each_past, events, once};
use crate::Options;
use crate::harness::{Row, row, sample};
use crate::work::Op;
use crate::yard::Random;

/// The number of events before the first question.
const STEPS: usize = 100_000;
/// The number of events between two questions. It neither divides nor is divided by any distance of kept values.
const BETWEEN: usize = 617;
/// Questions in one sample.
const ASKED: usize = 10;
/// How many events ago the near past is.
const NEAR: usize = 100;

/// The kind of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// A value of a hundred events ago.
    Near,
    /// A value of about half of all events ago.
    Far,
    /// The history of a task with one event.
    Once,
    /// The history of a task with a thousand events.
    Many,
}

/// A contender without its type.
struct Lane<P> {
    past: P,
    tasks: usize,
    done: usize,
    random: Random,
    samples: Vec<f64>,
}

trait Asked {
    fn first(&mut self, asks: Asks) -> Option<f64>;
    fn sample(&mut self, asks: Asks, later: &[Op]);
    fn row(&mut self, bench: &'static str) -> Row;
    fn first_name(&self) -> &'static str;
}

impl<P: Past> Lane<P> {
    fn new(tasks: usize, past: &[Op], later: &[Op]) -> Self {
        Self {
            past: P::new(tasks, past, later),
            tasks,
            done: past.len(),
            random: Random(17),
            samples: Vec::new(),
        }
    }

    /// One question about a point in time, in nanoseconds.
    fn then(&mut self, asks: Asks) -> f64 {
        let back = match asks {
            Asks::Near => NEAR,
            // A tenth of the log more or less, so that no contender has kept just that point.
            _ => self.done * 9 / 20 + self.random.below(self.done / 10),
        };
        let (then, task) = (self.done - back, self.random.below(self.tasks) as u32);
        let began = Instant::now();
        black_box(self.past.as_of(black_box(then), task));
        began.elapsed().as_nanos() as f64
    }
}

impl<P: Past> Asked for Lane<P> {
    fn first(&mut self, asks: Asks) -> Option<f64> {
        let took = match asks {
            Asks::Near | Asks::Far => self.then(asks),
            Asks::Once | Asks::Many => sample(1, || assert_eq!(self.past.history(1), 2)),
        };
        P::FIRST.map(|_| took)
    }

    fn sample(&mut self, asks: Asks, later: &[Op]) {
        let took = match asks {
            Asks::Near | Asks::Far => {
                let mut took = 0.0;
                for some in later.chunks(BETWEEN) {
                    self.past.go_on(some);
                    self.done += some.len();
                    took += self.then(asks);
                }
                took / ASKED as f64
            }
            Asks::Once => {
                let all = 1..=once(self.tasks) as u32;
                sample(all.clone().count(), || {
                    all.for_each(|task| assert_eq!(self.past.history(task), 2));
                })
            }
            Asks::Many => sample(2, || {
                (0..2).for_each(|_| assert_eq!(self.past.history(0), super::MANY + 1));
            }),
        };
        self.samples.push(took);
    }

    fn row(&mut self, bench: &'static str) -> Row {
        row(
            bench,
            P::NAME,
            self.tasks,
            std::mem::take(&mut self.samples),
        )
    }

    fn first_name(&self) -> &'static str {
        P::FIRST.unwrap_or(P::NAME)
    }
}

fn measured(options: &Options, bench: &'static str, asks: Asks) -> Vec<Row> {
    compare(57, 600, 1);
    let of_one = matches!(asks, Asks::Once | Asks::Many);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let later = if of_one {
            0
        } else {
            BETWEEN * ASKED * options.samples
        };
        let (past, later) = events(entities, STEPS, later, entities as u64);
        let mut lanes: Vec<Box<dyn Asked>> = Vec::new();
        each_past!(C => match C::NO_HISTORY {
            Some(why) if of_one => if options.entities.first() == Some(&entities) {
                println!("{} is not there: {why}", C::NAME);
            },
            _ if entities > C::ENTITIES_MAX => {
                println!("{} is not there at {entities}: {}", C::NAME, C::BEYOND);
            }
            _ => lanes.push(Box::new(Lane::<C>::new(entities, &past, &later))),
        });
        for lane in &mut lanes {
            if let Some(first) = lane.first(asks) {
                rows.push(row(bench, lane.first_name(), entities, vec![first]));
            }
        }
        for i in 0..options.samples {
            let later = later.chunks(BETWEEN * ASKED).nth(i).unwrap_or_default();
            lanes.iter_mut().for_each(|lane| lane.sample(asks, later));
        }
        rows.extend(lanes.iter_mut().map(|lane| lane.row(bench)));
    }
    rows
}

/// The graph a hundred events back, and a value in it.
pub fn near(options: &Options) -> Vec<Row> {
    measured(options, "as_of_near", Asks::Near)
}

/// The graph about half of all events back, and a value in it.
pub fn far(options: &Options) -> Vec<Row> {
    measured(options, "as_of_far", Asks::Far)
}

/// All that became of an entity that had one event beside the one that made it.
pub fn history_once(options: &Options) -> Vec<Row> {
    measured(options, "history_1", Asks::Once)
}

/// All that became of an entity that had a thousand.
pub fn history_many(options: &Options) -> Vec<Row> {
    measured(options, "history_1000", Asks::Many)
}
