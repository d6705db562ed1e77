//! The same by hand over persistent collections: a clone is O(1), and so a value of the graph is a clone. Nothing is
//! checked, recorded or rolled back.

use imbl::{OrdSet, Vector};
use rpds::{RedBlackTreeSetSync, VectorSync};

use crate::work::{Op, Picture, Value, first_worker, workers};

#[derive(Clone, Copy)]
struct Task {
    running: bool,
    value: u64,
    worker: u32,
}

impl Task {
    fn after(op: Op) -> Self {
        Self {
            running: op.start,
            value: op.value,
            worker: op.worker,
        }
    }
}

fn first(tasks: usize) -> impl Iterator<Item = Task> {
    (0..tasks).map(move |task| Task {
        running: false,
        value: 0,
        worker: first_worker(tasks, task),
    })
}

/// Over imbl: relaxed radix balanced vectors and B-trees.
#[derive(Clone)]
pub struct Imbl {
    tasks: Vector<Task>,
    workers: Vector<OrdSet<u32>>,
    running: OrdSet<u32>,
}

impl Value for Imbl {
    const NAME: &'static str = "imbl";

    fn new(tasks: usize) -> Self {
        let mut lists: Vec<OrdSet<u32>> = vec![OrdSet::new(); workers(tasks)];
        for (task, first) in first(tasks).enumerate() {
            lists[first.worker as usize].insert(task as u32);
        }
        Self {
            tasks: first(tasks).collect(),
            workers: lists.into_iter().collect(),
            running: OrdSet::new(),
        }
    }

    fn with(&self, op: Op) -> Self {
        let mut next = self.clone();
        next.step(op);
        next
    }

    fn step(&mut self, op: Op) {
        let task = &mut self.tasks[op.task as usize];
        let before = task.worker;
        *task = Task::after(op);
        self.workers[before as usize].remove(&op.task);
        self.workers[op.worker as usize].insert(op.task);
        if op.start {
            self.running.insert(op.task);
        } else {
            self.running.remove(&op.task);
        }
    }

    fn read(&self, task: u32) -> (u64, bool, usize) {
        let task = &self.tasks[task as usize];
        let list = &self.workers[task.worker as usize];
        (task.value, task.running, list.len())
    }

    fn walk(&self, task: u32) -> u64 {
        let worker = self.tasks[task as usize].worker;
        let list = self.workers[worker as usize].iter();
        list.map(|t| self.tasks[*t as usize].value).sum()
    }

    fn picture(&self) -> Picture {
        let row = |t: &Task| (t.running, t.value, t.worker);
        Picture {
            tasks: self.tasks.iter().map(row).collect(),
            workers: (self.workers.iter())
                .map(|list| list.iter().copied().collect())
                .collect(),
            running: self.running.iter().copied().collect(),
        }
    }
}

/// Over rpds: bit-partitioned tries and red-black trees.
#[derive(Clone)]
pub struct Rpds {
    tasks: VectorSync<Task>,
    workers: VectorSync<RedBlackTreeSetSync<u32>>,
    running: RedBlackTreeSetSync<u32>,
}

impl Value for Rpds {
    const NAME: &'static str = "rpds";

    fn new(tasks: usize) -> Self {
        let mut lists = vec![RedBlackTreeSetSync::new_sync(); workers(tasks)];
        for (task, first) in first(tasks).enumerate() {
            lists[first.worker as usize].insert_mut(task as u32);
        }
        Self {
            tasks: first(tasks).collect(),
            workers: lists.into_iter().collect(),
            running: RedBlackTreeSetSync::new_sync(),
        }
    }

    fn with(&self, op: Op) -> Self {
        let mut next = self.clone();
        next.step(op);
        next
    }

    fn step(&mut self, op: Op) {
        let there = "the operations name tasks that exist";
        let task = self.tasks.get_mut(op.task as usize).expect(there);
        let before = task.worker;
        *task = Task::after(op);
        let from = self.workers.get_mut(before as usize).expect(there);
        from.remove_mut(&op.task);
        let to = self.workers.get_mut(op.worker as usize).expect(there);
        to.insert_mut(op.task);
        if op.start {
            self.running.insert_mut(op.task);
        } else {
            self.running.remove_mut(&op.task);
        }
    }

    fn read(&self, task: u32) -> (u64, bool, usize) {
        let task = &self.tasks[task as usize];
        let list = &self.workers[task.worker as usize];
        (task.value, task.running, list.size())
    }

    fn walk(&self, task: u32) -> u64 {
        let worker = self.tasks[task as usize].worker;
        let list = self.workers[worker as usize].iter();
        list.map(|t| self.tasks[*t as usize].value).sum()
    }

    fn picture(&self) -> Picture {
        let row = |t: &Task| (t.running, t.value, t.worker);
        Picture {
            tasks: self.tasks.iter().map(row).collect(),
            workers: (self.workers.iter())
                .map(|list| list.iter().copied().collect())
                .collect(),
            running: self.running.iter().copied().collect(),
        }
    }
}
