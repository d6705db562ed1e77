//! By hand, as well as it can be done if the graph is not needed as a value: beside the arrays, each task has a vector of its
//! versions. A version is found by bisection, and the graph of an earlier time by a walk over all tasks.

use super::{Past, Version};
use crate::work::{Op, Picture, workers};

/// The versions by task, the first at the front.
pub struct Flat {
    versions: Vec<Vec<Version>>,
    done: usize,
}

impl Flat {
    fn then_of(&self, done: usize, task: usize) -> &Version {
        let versions = &self.versions[task];
        &versions[versions.partition_point(|v| v.done <= done) - 1]
    }
}

impl Past for Flat {
    const NAME: &'static str = "flat";

    fn new(tasks: usize, past: &[Op], _: &[Op]) -> Self {
        let mut flat = Self {
            versions: (0..tasks).map(|t| vec![Version::first(tasks, t)]).collect(),
            done: 0,
        };
        flat.go_on(past);
        flat
    }

    fn go_on(&mut self, ops: &[Op]) {
        for op in ops {
            self.done += 1;
            self.versions[op.task as usize].push(Version::of(self.done, *op));
        }
    }

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        self.then_of(done, task as usize).value
    }

    fn then(&mut self, done: usize) -> Picture {
        let tasks = self.versions.len();
        let mut picture = Picture {
            tasks: Vec::with_capacity(tasks),
            workers: vec![Vec::new(); workers(tasks)],
            running: Vec::new(),
        };
        for task in 0..tasks {
            let then = self.then_of(done, task);
            (picture.tasks).push((then.running, then.value, then.worker));
            picture.workers[then.worker as usize].push(task as u32);
            if then.running {
                picture.running.push(task as u32);
            }
        }
        picture
    }

    fn versions(&mut self, task: u32) -> Vec<Version> {
        self.versions[task as usize].clone()
    }
}
