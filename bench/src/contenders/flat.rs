//! By hand, as well as it can be done: a vector per field, slots for names, bits for the state, and for each task its
//! place in its worker's list, so that unlinking is O(1).

use crate::work::{Contender, Fact, KEPT, Keeps, Op, Picture, first_worker, workers};

/// The state.
pub struct Flat {
    running: Vec<u64>,
    value: Vec<u64>,
    worker: Vec<u32>,
    /// Where a task stands in its worker's list.
    position: Vec<u32>,
    tasks: Vec<Vec<u32>>,
    undo: Vec<Undo>,
    keeps: bool,
    facts: Vec<Fact>,
    events: Vec<Op>,
}

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
    Set {
        task: u32,
        value: u64,
    },
}

impl Flat {
    fn flip(&mut self, task: u32) {
        self.running[task as usize / 64] ^= 1 << (task % 64);
    }

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

    fn keep(&mut self, fact: Fact) {
        if self.keeps {
            self.facts.push(fact);
        }
    }

    fn running(&self, task: u32) -> bool {
        self.running[task as usize / 64] >> (task % 64) & 1 == 1
    }

    /// Whether it happened.
    fn try_apply(&mut self, op: Op) -> bool {
        let can = self.running(op.task) != op.start;
        if can {
            self.apply(op);
        }
        can
    }

    fn apply(&mut self, op: Op) {
        let Op {
            task,
            worker,
            value,
            start,
        } = op;
        let old = self.worker[task as usize];
        let position = self.detach(old, task);
        self.undo.push(Undo::Unlink {
            worker: old,
            task,
            position,
        });
        self.keep(Fact::Unlink { worker: old, task });
        self.attach(worker, task);
        self.undo.push(Undo::Link { worker, task });
        self.keep(Fact::Link { worker, task });
        let before = std::mem::replace(&mut self.value[task as usize], value);
        self.undo.push(Undo::Set {
            task,
            value: before,
        });
        self.keep(Fact::Set { task, value });
        self.flip(task);
        self.undo.push(Undo::Move { task });
        self.keep(Fact::Move {
            task,
            running: start,
        });
    }

    fn rollback(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Move { task } => self.flip(task),
                Undo::Set { task, value } => self.value[task as usize] = value,
                Undo::Link { worker, task } => {
                    self.detach(worker, task);
                }
                Undo::Unlink {
                    worker,
                    task,
                    position,
                } => {
                    self.attach(worker, task);
                    let list = &mut self.tasks[worker as usize];
                    let last = list.len() - 1;
                    list.swap(position as usize, last);
                    self.position[list[last] as usize] = last as u32;
                    self.position[task as usize] = position;
                }
            }
        }
    }
}

impl Flat {
    /// A task's value, whether it runs, and how many tasks its worker has.
    pub fn read(&self, task: u32) -> (u64, bool, usize) {
        let (word, bit) = (task as usize / 64, task % 64);
        let worker = self.worker[task as usize];
        (
            self.value[task as usize],
            self.running[word] >> bit & 1 == 1,
            self.tasks[worker as usize].len(),
        )
    }
}

impl Contender for Flat {
    const NAME: &'static str = "flat";
    type Event = Op;

    fn new(count: usize, keeps: Keeps) -> Self {
        let mut flat = Self {
            running: vec![0; count.div_ceil(64)],
            value: vec![0; count],
            worker: vec![0; count],
            position: vec![0; count],
            tasks: vec![Vec::new(); workers(count)],
            undo: Vec::new(),
            keeps: keeps == Keeps::Facts,
            facts: Vec::new(),
            events: Vec::new(),
        };
        for task in 0..count {
            flat.attach(first_worker(count, task), task as u32);
        }
        flat
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        if self.events.len() >= KEPT {
            self.events.clear();
            self.facts.clear();
        }
        assert!(self.try_apply(op), "it can happen");
        if self.keeps {
            self.events.push(op);
        }
        self.undo.clear();
    }

    fn reject(&mut self, op: Op) {
        assert!(!self.try_apply(op), "it cannot happen");
    }

    fn step_and_undo(&mut self, ops: &[Op]) {
        let facts = self.facts.len();
        for op in ops {
            assert!(self.try_apply(*op), "it can happen");
        }
        self.rollback();
        self.facts.truncate(facts);
    }

    fn facts(&self) -> usize {
        self.facts.len()
    }

    fn picture(&self) -> Picture {
        let running = |task: u32| self.running(task);
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
