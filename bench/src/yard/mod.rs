//! The work of the other rows: tasks have names and are ready or running, and workers hold them. Each row measures one
//! operation, at several sizes and fan-ins.
//!
//! `compare` checks before anything is measured that all contenders do the same work: after the same random history, all
//! have the same [`Picture`].

#[cfg(feature = "peers")]
pub mod bevy;
pub mod flat;
pub mod maps;
#[cfg(feature = "peers")]
pub mod minigraf;
pub mod ours;
#[cfg(feature = "peers")]
pub mod sqlite;
#[cfg(feature = "peers")]
pub mod steps;

pub use crate::work::Picture;

/// A name that a task is found by.
pub fn name(task: u32) -> String {
    format!("task/{task}")
}

/// The value of a task.
pub fn value(task: u32) -> u64 {
    u64::from(task) * 7 + 1
}

/// How many workers there are, where each has so many tasks.
pub fn workers(tasks: usize, fan_in: usize) -> usize {
    (tasks / fan_in).max(2)
}

/// Who has a task at first.
pub fn first_worker(tasks: usize, fan_in: usize, task: usize) -> u32 {
    (task / fan_in % workers(tasks, fan_in)) as u32
}

/// Someone who can be asked and told of tasks and workers.
pub trait Yard {
    /// The name in the table.
    const NAME: &'static str;
    /// Operations in one sample: fewer for those who take long.
    const BATCH: usize = 100_000;
    /// The most entities that it is measured at: beyond it, it takes minutes to fill.
    const ENTITIES_MAX: usize = 1 << 30;

    /// Tasks that are ready, `fan_in` of them with each worker.
    fn new(tasks: usize, fan_in: usize) -> Self;
    /// Relinks a task to another worker, in a way that could be rolled back, and records it.
    fn relink(&mut self, task: u32, worker: u32);
    /// Moves a task, likewise.
    fn run(&mut self, task: u32, running: bool);
    /// What is done after so many operations: a transaction that comes to its end.
    fn commit(&mut self) {}
    /// Relinks many, one after the other.
    fn relink_all(&mut self, ops: &[(u32, u32)]) {
        ops.iter()
            .for_each(|(task, worker)| self.relink(*task, *worker));
        self.commit();
    }
    /// Moves many, one after the other.
    fn run_all(&mut self, ops: &[(u32, bool)]) {
        ops.iter()
            .for_each(|(task, running)| self.run(*task, *running));
        self.commit();
    }
    /// How many tasks run, and the sum of their values.
    fn running(&mut self) -> (usize, u64);
    /// How many tasks of a worker run; `None` if that is not compared.
    fn running_of(&mut self, _worker: u32) -> Option<usize> {
        None
    }
    /// The value of the task with a name.
    fn find(&mut self, name: &str) -> Option<u64>;
    /// The whole state.
    fn picture(&self) -> Picture;
}

/// What everybody is to know of a watched edge.
#[derive(Debug, PartialEq, Eq)]
pub struct WatchedPicture {
    /// The tasks that run.
    pub running: Vec<u32>,
    /// The workers of whom all tasks run.
    pub full: Vec<u32>,
}

/// Someone who notices when all tasks of a worker run, and when that is over.
pub trait Watched {
    /// The name in the table.
    const NAME: &'static str;
    /// Operations in one sample.
    const BATCH: usize = 100_000;
    /// The most entities that it is measured at.
    const ENTITIES_MAX: usize = 1 << 30;

    /// Tasks that are ready, `fan_in` of them with each worker.
    fn new(tasks: usize, fan_in: usize) -> Self;
    /// Moves a task, and its worker where all tasks of it run from now on, or no longer do.
    fn run(&mut self, task: u32, running: bool);
    /// As [`Yard::commit`].
    fn commit(&mut self) {}
    /// Moves many, one after the other.
    fn run_all(&mut self, ops: &[(u32, bool)]) {
        ops.iter()
            .for_each(|(task, running)| self.run(*task, *running));
        self.commit();
    }
    /// The whole state.
    fn picture(&mut self) -> WatchedPicture;
}

/// One change, as the hand-written contenders record it.
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    /// A task started or stopped.
    Move { task: u32, running: bool },
    /// A worker no longer has a task.
    Unlink { worker: u32, task: u32 },
    /// A worker has a task.
    Link { worker: u32, task: u32 },
}

/// xorshift64* (Vigna 2016).
pub struct Random(pub u64);

impl Random {
    /// A number below another.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Random tasks, each with a worker who does not have it.
pub fn relinks(tasks: usize, fan_in: usize, count: usize, seed: u64) -> Vec<(u32, u32)> {
    let mut random = Random(seed | 1);
    let workers = workers(tasks, fan_in);
    let mut holders: Vec<u32> = (0..tasks)
        .map(|task| first_worker(tasks, fan_in, task))
        .collect();
    (0..count)
        .map(|_| {
            let task = random.below(tasks);
            let step = 1 + random.below(workers - 1);
            holders[task] = ((holders[task] as usize + step) % workers) as u32;
            (task as u32, holders[task])
        })
        .collect()
}

/// Random tasks, each with what it is not.
pub fn runs(tasks: usize, count: usize, seed: u64) -> Vec<(u32, bool)> {
    let mut random = Random(seed | 1);
    let mut running = vec![false; tasks];
    (0..count)
        .map(|_| {
            let task = random.below(tasks);
            running[task] = !running[task];
            (task as u32, running[task])
        })
        .collect()
}

fn worked<Y: Yard>(tasks: usize, fan_in: usize, seed: u64) -> Picture {
    let mut yard = Y::new(tasks, fan_in);
    let relinks = relinks(tasks, fan_in, 300, seed);
    let runs = runs(tasks, 300, seed + 1);
    for (some, others) in relinks.chunks(70).zip(runs.chunks(70)) {
        yard.relink_all(some);
        yard.run_all(others);
    }
    let picture = yard.picture();
    let sum = picture.running.iter().map(|t| value(*t)).sum();
    assert_eq!(yard.running(), (picture.running.len(), sum), "{}", Y::NAME);
    assert_eq!(yard.find("no such task"), None, "{}", Y::NAME);
    for task in 0..tasks as u32 {
        assert_eq!(yard.find(&name(task)), Some(value(task)), "{}", Y::NAME);
    }
    picture
}

fn watched<W: Watched>(tasks: usize, fan_in: usize, seed: u64) -> WatchedPicture {
    let mut yard = W::new(tasks, fan_in);
    for some in runs(tasks, 400, seed).chunks(70) {
        yard.run_all(some);
    }
    yard.picture()
}

/// Does something with each contender in turn, whose type is `$c`: those that the build has.
macro_rules! each_yard {
    ($c:ident => $does:expr) => {{
        each_yard!(@ $c => $does; flat::Flat, maps::fxhash::Maps, maps::btree::Maps, ours::Ours, ours::OursInOne, ours::OursGraph);
        #[cfg(feature = "peers")]
        each_yard!(@ $c => $does; bevy::Bevy, bevy::BevyVec, sqlite::Sqlite, minigraf::Graf);
    }};
    (@ $c:ident => $does:expr; $($module:ident$(::$path:ident)*),*) => {
        $({
            type $c = crate::yard::$module$(::$path)*;
            $does
        })*
    };
}

/// The same of those who notice.
macro_rules! each_watched {
    ($c:ident => $does:expr) => {{
        each_yard!(@ $c => $does; flat::Watching, maps::fxhash::Watching, maps::btree::Watching, ours::Watching, ours::WatchingInOne, ours::WatchingGraph);
        #[cfg(feature = "peers")]
        each_yard!(@ $c => $does; bevy::Watching, sqlite::Watching, minigraf::Watching);
    }};
}

pub(crate) use {each_watched, each_yard};

/// Sees to it that all do the same work.
///
/// # Panics
/// Where one does not.
pub fn compare(tasks: usize, fan_in: usize, seed: u64) {
    let flat = worked::<flat::Flat>(tasks, fan_in, seed);
    assert!(!flat.running.is_empty() && flat.running.len() < tasks);
    each_yard!(C => assert_eq!(worked::<C>(tasks, fan_in, seed), flat, "{}", C::NAME));
    let flat = watched::<flat::Watching>(tasks, fan_in, seed);
    each_watched!(C => assert_eq!(watched::<C>(tasks, fan_in, seed), flat, "{}", C::NAME));
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_do_the_same_work() {
        for (tasks, fan_in, seed) in [(20, 1, 1), (57, 3, 2), (200, 50, 3)] {
            super::compare(tasks, fan_in, seed);
        }
        #[cfg(feature = "peers")]
        super::steps::compare(57, 2);
    }

    #[test]
    fn some_worker_is_full_at_times() {
        assert!(
            !super::watched::<super::flat::Watching>(20, 1, 1)
                .full
                .is_empty()
        );
        assert!(
            !super::watched::<super::flat::Watching>(57, 3, 2)
                .full
                .is_empty()
        );
    }
}
