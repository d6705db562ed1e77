//! By hand, as well as it can be done: a vector per field, slots for names, bits for the state, and for each task its
//! place in its worker's list, so that unlinking is O(1); for a watched edge, how many of the worker's tasks run.

use rustc_hash::FxHashMap;

use super::{Fact, Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers};

/// What was recorded is dropped after so many operations.
pub const KEPT: usize = 1 << 14;

/// The state.
pub struct Flat {
    names: FxHashMap<Box<str>, u32>,
    running: Vec<u64>,
    value: Vec<u64>,
    worker: Vec<u32>,
    /// Where a task stands in its worker's list.
    position: Vec<u32>,
    tasks: Vec<Vec<u32>>,
    undo: Vec<Undo>,
    facts: Vec<Fact>,
}

#[derive(Clone, Copy)]
#[expect(
    dead_code,
    reason = "what a rollback would need; no row here rolls back"
)]
enum Undo {
    Move {
        task: u32,
    },
    Unlink {
        worker: u32,
        task: u32,
        position: u32,
    },
    Link {
        worker: u32,
        task: u32,
    },
}

impl Flat {
    fn attach(&mut self, worker: u32, task: u32) {
        let list = &mut self.tasks[worker as usize];
        self.position[task as usize] = list.len() as u32;
        self.worker[task as usize] = worker;
        list.push(task);
    }

    fn detach(&mut self, worker: u32, task: u32) -> u32 {
        let position = self.position[task as usize];
        let list = &mut self.tasks[worker as usize];
        list.swap_remove(position as usize);
        if let Some(moved) = list.get(position as usize) {
            self.position[*moved as usize] = position;
        }
        position
    }

    fn record(&mut self, undo: Undo, fact: Fact) {
        self.undo.push(undo);
        self.facts.push(fact);
    }

    /// Applies a fact that was recorded.
    pub fn replay(&mut self, fact: Fact) {
        match fact {
            Fact::Move { task, running } => {
                let bit = 1 << (task % 64);
                let word = &mut self.running[task as usize / 64];
                *word = if running { *word | bit } else { *word & !bit };
            }
            Fact::Unlink { worker, task } => {
                self.detach(worker, task);
            }
            Fact::Link { worker, task } => self.attach(worker, task),
        }
    }
}

impl Yard for Flat {
    const NAME: &'static str = "flat";

    fn new(tasks: usize, fan_in: usize) -> Self {
        let mut flat = Self {
            names: (0..tasks as u32).map(|t| (name(t).into(), t)).collect(),
            running: vec![0; tasks.div_ceil(64)],
            value: (0..tasks as u32).map(value).collect(),
            worker: vec![0; tasks],
            position: vec![0; tasks],
            tasks: vec![Vec::new(); workers(tasks, fan_in)],
            undo: Vec::new(),
            facts: Vec::new(),
        };
        for task in 0..tasks {
            flat.attach(first_worker(tasks, fan_in, task), task as u32);
        }
        flat
    }

    fn relink(&mut self, task: u32, worker: u32) {
        if self.facts.len() >= KEPT {
            self.commit();
        }
        let old = self.worker[task as usize];
        let position = self.detach(old, task);
        let undo = Undo::Unlink {
            worker: old,
            task,
            position,
        };
        self.record(undo, Fact::Unlink { worker: old, task });
        self.attach(worker, task);
        self.record(Undo::Link { worker, task }, Fact::Link { worker, task });
    }

    fn run(&mut self, task: u32, running: bool) {
        self.running[task as usize / 64] ^= 1 << (task % 64);
        self.record(Undo::Move { task }, Fact::Move { task, running });
    }

    fn commit(&mut self) {
        self.facts.clear();
        self.undo.clear();
    }

    fn running(&mut self) -> (usize, u64) {
        let (mut count, mut sum) = (0, 0);
        for (i, word) in self.running.iter().enumerate() {
            let mut bits = *word;
            while bits != 0 {
                count += 1;
                sum += self.value[i * 64 + bits.trailing_zeros() as usize];
                bits &= bits - 1;
            }
        }
        (count, sum)
    }

    fn running_of(&mut self, worker: u32) -> Option<usize> {
        let runs = |task: &&u32| self.running[**task as usize / 64] >> (**task % 64) & 1 == 1;
        Some(self.tasks[worker as usize].iter().filter(runs).count())
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        let task = self.names.get(name)?;
        Some(self.value[*task as usize])
    }

    fn picture(&self) -> Picture {
        let running = |task: u32| self.running[task as usize / 64] >> (task % 64) & 1 == 1;
        let tasks = 0..self.value.len() as u32;
        let sorted = |list: &Vec<u32>| {
            let mut list = list.clone();
            list.sort_unstable();
            list
        };
        Picture {
            tasks: tasks
                .clone()
                .map(|t| (running(t), self.value[t as usize], self.worker[t as usize]))
                .collect(),
            workers: self.tasks.iter().map(sorted).collect(),
            running: tasks.filter(|t| running(*t)).collect(),
        }
    }
}

/// One that notices.
pub struct Watching {
    flat: Flat,
    /// By worker, how many of its tasks run.
    count: Vec<u32>,
    full: Vec<bool>,
    filled: Vec<(u32, bool)>,
}

impl Watched for Watching {
    const NAME: &'static str = "flat";

    fn new(tasks: usize, fan_in: usize) -> Self {
        let workers = workers(tasks, fan_in);
        Self {
            flat: Flat::new(tasks, fan_in),
            count: vec![0; workers],
            full: vec![false; workers],
            filled: Vec::new(),
        }
    }

    fn run(&mut self, task: u32, running: bool) {
        if self.flat.facts.len() >= KEPT {
            self.commit();
        }
        self.flat.run(task, running);
        let worker = self.flat.worker[task as usize] as usize;
        if running {
            self.count[worker] += 1;
        } else {
            self.count[worker] -= 1;
        }
        let full = self.count[worker] as usize == self.flat.tasks[worker].len();
        if self.full[worker] != full {
            self.full[worker] = full;
            self.filled.push((worker as u32, full));
        }
    }

    fn commit(&mut self) {
        self.flat.commit();
        self.filled.clear();
    }

    fn picture(&mut self) -> WatchedPicture {
        let full = 0..self.full.len() as u32;
        WatchedPicture {
            running: self.flat.picture().running,
            full: full.filter(|w| self.full[*w as usize]).collect(),
        }
    }
}
