//! Rows about the past: the graph at an earlier time, and the history of an entity, of ironweave, by hand, of SQLite with a history
//! table, and of minigraf.
//!
//! Each contender does the events of [`crate::work`] and answers questions about the past. [`compare`] checks that all answers
//! are the same. The rows are in [`rows`].

pub mod flat;
#[cfg(feature = "peers")]
pub mod minigraf;
pub mod ours;
pub mod persistent;
pub mod rows;
#[cfg(feature = "peers")]
pub mod sqlite;

use crate::work::{Op, Picture, first_worker, workers};
use crate::yard::Random;

/// The number of events of the first task.
pub const MANY: usize = 1_000;

/// The state of a task from an event on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The number of events before it.
    pub done: usize,
    /// Its value.
    pub value: u64,
    /// Whether it ran.
    pub running: bool,
    /// Who had it.
    pub worker: u32,
}

impl Version {
    /// What an event makes of its task, which is the so manieth.
    pub fn of(done: usize, op: Op) -> Self {
        Self {
            done,
            value: op.value,
            running: op.start,
            worker: op.worker,
        }
    }

    /// What a task is at first.
    pub fn first(tasks: usize, task: usize) -> Self {
        Self {
            done: 0,
            value: 0,
            running: false,
            worker: first_worker(tasks, task),
        }
    }
}

/// Someone who remembers what was.
pub trait Past {
    /// The name in the table.
    const NAME: &'static str;
    /// The name in the table of the very first question, where that is another figure.
    const FIRST: Option<&'static str> = None;
    /// The most entities that it is measured at.
    const ENTITIES_MAX: usize = 1 << 30;
    /// Why it is measured at no more.
    const BEYOND: &'static str = "";
    /// Why it has no history of one entity, if it has none.
    const NO_HISTORY: Option<&'static str> = None;

    /// Tasks as [`crate::work::Contender::new`] has them, to whom the events of `past` have happened, one after the
    /// other. Those of `later` will.
    fn new(tasks: usize, past: &[Op], later: &[Op]) -> Self;
    /// Some more events fire, and the newest value is read.
    fn go_on(&mut self, ops: &[Op]);
    /// The value of a task after so many events.
    fn as_of(&mut self, done: usize, task: u32) -> u64;
    /// All that there was after so many events.
    fn then(&mut self, done: usize) -> Picture;
    /// All that became of a task, in the form in which it is given: how many versions.
    fn history(&mut self, task: u32) -> usize {
        self.versions(task).len()
    }
    /// The same, to be compared.
    fn versions(&mut self, task: u32) -> Vec<Version>;
}

/// How many tasks have one event each, behind the first.
pub fn once(tasks: usize) -> usize {
    (tasks / 4).clamp(1, 64)
}

/// Random events that can happen one after the other: [`MANY`] at most about task 0, spread evenly over the first
/// `steps`; one about each of the next [`once`]; the rest about everybody else. Then so many more, of everybody else.
pub fn events(tasks: usize, steps: usize, later: usize, seed: u64) -> (Vec<Op>, Vec<Op>) {
    let (workers, once) = (workers(tasks), once(tasks));
    let mut random = Random(seed | 1);
    let mut holders: Vec<u32> = (0..tasks).map(|t| first_worker(tasks, t)).collect();
    let mut running = vec![false; tasks];
    let mut about = |task: usize| {
        let step = 1 + random.below(workers - 1);
        holders[task] = ((holders[task] as usize + step) % workers) as u32;
        running[task] = !running[task];
        Op {
            task: task as u32,
            worker: holders[task],
            value: random.below(1 << 20) as u64,
            start: running[task],
        }
    };
    let mut others = Random(seed.wrapping_mul(77) | 1);
    let mut other = || 1 + once + others.below(tasks - 1 - once);
    let mut who = vec![None; steps];
    let many = MANY.min(steps / 2);
    for i in 0..many {
        who[i * steps / many] = Some(0);
    }
    for i in 0..once {
        let mut free = who[i * steps / once..]
            .iter_mut()
            .filter(|who| who.is_none());
        *free.next().expect("at least half is free") = Some(1 + i);
    }
    let mut past: Vec<Op> = (who.into_iter())
        .map(|who| about(who.unwrap_or_else(&mut other)))
        .collect();
    past.extend((0..later).map(|_| about(other())));
    let later = past.split_off(steps);
    (past, later)
}

/// Does something with each contender in turn, whose type is `$c`: those that the build has.
macro_rules! each_past {
    ($c:ident => $does:expr) => {{
        each_past!(@ $c => $does; flat::Flat, persistent::OfImbl, persistent::OfRpds, ours::Ours);
        #[cfg(feature = "peers")]
        each_past!(@ $c => $does; sqlite::Sqlite, minigraf::Graf);
    }};
    (@ $c:ident => $does:expr; $($module:ident::$name:ident),*) => {
        $({
            type $c = crate::past::$module::$name;
            $does
        })*
    };
}

pub(crate) use each_past;

/// What a contender answers for each point in time, and for each task.
type Remembered = (Vec<Picture>, Vec<Vec<Version>>);

fn remembered<P: Past>(tasks: usize, (past, later): (&[Op], &[Op])) -> Remembered {
    let mut one = P::new(tasks, past, later);
    let mut pictures = Vec::new();
    let mut done = past.len();
    for some in [&[][..]].into_iter().chain(later.chunks(40)) {
        one.go_on(some);
        done += some.len();
        let back = [0, 1, 7, 100, 101, done / 2, done - 1, done];
        for then in back.map(|back| done.saturating_sub(back)) {
            let picture = one.then(then);
            for (task, (_, value, _)) in picture.tasks.iter().enumerate().step_by(7) {
                assert_eq!(one.as_of(then, task as u32), *value, "{}: {then}", P::NAME);
            }
            pictures.push(picture);
        }
    }
    let mut versions = Vec::new();
    if P::NO_HISTORY.is_none() {
        for task in 0..tasks as u32 {
            versions.push(one.versions(task));
            assert_eq!(
                one.history(task),
                versions[task as usize].len(),
                "{}",
                P::NAME
            );
        }
    }
    (pictures, versions)
}

/// Sees to it that all remember the same.
///
/// # Panics
/// Where one does not.
pub fn compare(tasks: usize, steps: usize, seed: u64) {
    let (past, later) = events(tasks, steps, 120, seed);
    let flat = remembered::<flat::Flat>(tasks, (&past, &later));
    each_past!(C => {
        let (pictures, versions) = remembered::<C>(tasks, (&past, &later));
        assert_eq!(pictures, flat.0, "{}", C::NAME);
        if C::NO_HISTORY.is_none() {
            assert_eq!(versions, flat.1, "{}", C::NAME);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::flat::Flat as Live;
    use crate::work::{Contender, Keeps};

    #[test]
    fn all_remember_the_same() {
        compare(57, 600, 3);
        compare(20, 2_500, 4);
    }

    #[test]
    fn what_is_remembered_is_what_there_was() {
        let (past, later) = events(57, 300, 10, 3);
        let mut live = Live::new(57, Keeps::Nothing);
        let mut flat = flat::Flat::new(57, &past, &later);
        flat.go_on(&later);
        for (done, op) in past.iter().chain(&later).enumerate() {
            assert_eq!(flat.then(done), live.picture());
            live.step(*op);
        }
        assert_eq!(flat.then(310), live.picture());
    }

    #[test]
    fn one_has_many_events_and_some_have_one() {
        let (past, later) = events(1_000, 5_000, 500, 7);
        let about = |task: u32| {
            past.iter()
                .chain(&later)
                .filter(|op| op.task == task)
                .count()
        };
        assert_eq!(about(0), MANY);
        assert!((1..=64).all(|task| about(task) == 1));
        assert_eq!(past.len() + later.len(), 5_500);
    }
}
