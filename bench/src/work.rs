//! What all contenders do: tasks that are ready or running, held by workers.
//!
//! One operation is one event: it moves a task between `Ready` and `Running`, hands it to another worker, and sets
//! its value. That is four facts (a move, an unlink, a link, a set), and what is needed to take them back.

/// Tasks for each worker.
pub const TASKS_PER_WORKER: usize = 10;
/// What was recorded is dropped after so many operations, the same for all.
pub const KEPT: usize = 1 << 14;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Which task.
    pub task: u32,
    /// Who gets it; another than who has it.
    pub worker: u32,
    /// Its new value.
    pub value: u64,
    /// Whether it starts or stops.
    pub start: bool,
}

/// One change, as the hand-written contenders record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A task started or stopped.
    Move { task: u32, running: bool },
    /// A worker no longer has a task.
    Unlink { worker: u32, task: u32 },
    /// A worker has a task.
    Link { worker: u32, task: u32 },
    /// A task has another value.
    Set { task: u32, value: u64 },
}

/// Everything there is to know, to compare contenders by; lists are sorted.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// By task: whether it runs, its value, its worker.
    pub tasks: Vec<(bool, u64, u32)>,
    /// By worker: its tasks.
    pub workers: Vec<Vec<u32>>,
    /// Those that run.
    pub running: Vec<u32>,
}

/// What remains of an event beside the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: it could have been taken back while it happened.
    Nothing,
    /// The event and its facts, in memory as they are, [`KEPT`] of them.
    Facts,
    /// A frame of a log: event and facts encoded, with time and fingerprint. By hand nobody does; they keep
    /// nothing.
    Log,
}

/// Someone who can do this work.
pub trait Contender {
    /// The name in the table.
    const NAME: &'static str;
    /// An operation as it is asked for: made beforehand, since a program has its handles at hand.
    type Event: Copy;

    /// Tasks that are ready, of value 0, the first ten with the first worker and so on.
    fn new(tasks: usize, keeps: Keeps) -> Self;
    /// An operation as an event.
    fn event(&self, op: Op) -> Self::Event;
    /// Does an event and keeps what it is to keep.
    fn step(&mut self, event: Self::Event);
    /// Tries an event that cannot happen: its task is where the event would take it.
    fn reject(&mut self, event: Self::Event);
    /// Does events and takes them back.
    fn step_and_undo(&mut self, events: &[Self::Event]);
    /// How many facts are kept.
    fn facts(&self) -> usize;
    /// What there is.
    fn picture(&self) -> Picture;
}

/// A value of the graph.
pub trait Value: Clone {
    /// The name in the table.
    const NAME: &'static str;
    /// What there is before the first event.
    fn new(tasks: usize) -> Self;
    /// The value in which an event has happened.
    fn with(&self, op: Op) -> Self;
    /// An event happens, to a value of which clones are held.
    fn step(&mut self, op: Op);
    /// A task's value, whether it runs, and how many tasks its worker has.
    fn read(&self, task: u32) -> (u64, bool, usize);
}

/// How many workers there are.
pub fn workers(tasks: usize) -> usize {
    (tasks / TASKS_PER_WORKER).max(2)
}

/// Who has a task at first.
pub fn first_worker(tasks: usize, task: usize) -> u32 {
    (task / TASKS_PER_WORKER % workers(tasks)) as u32
}

/// Random events that all can happen, one after the other.
pub fn operations(tasks: usize, count: usize, seed: u64) -> Vec<Op> {
    let mut state = seed | 1;
    let mut random = move |n: usize| {
        // xorshift64* (Vigna 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    };
    let workers = workers(tasks);
    let mut holders: Vec<u32> = (0..tasks).map(|t| first_worker(tasks, t)).collect();
    let mut running = vec![false; tasks];
    (0..count)
        .map(|_| {
            let task = random(tasks);
            let step = 1 + random(workers - 1);
            let worker = ((holders[task] as usize + step) % workers) as u32;
            holders[task] = worker;
            running[task] = !running[task];
            Op {
                task: task as u32,
                worker,
                value: random(1 << 20) as u64,
                start: running[task],
            }
        })
        .collect()
}
