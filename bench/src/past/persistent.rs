//! By hand over persistent collections: the last versions of the whole graph are kept, every thousandth of those before,
//! and all events. What is asked for lies among the last, or is a kept one on which up to a thousand events happen again.
//!
//! To keep all versions would make that as cheap as the near past, at some kilobytes for each event.

use std::collections::VecDeque;

use super::{Past, Version};
use crate::contenders::persistent::{Imbl, Rpds};
use crate::work::{Op, Picture, Value};

/// How many of the last are kept.
const LAST: usize = 128;
/// Of those before, one in so many.
const EVERY: usize = 1_000;

/// Versions of a value.
pub struct Kept<V> {
    now: V,
    last: VecDeque<V>,
    kept: Vec<V>,
    ops: Vec<Op>,
}

/// Over imbl.
pub type OfImbl = Kept<Imbl>;
/// Over rpds.
pub type OfRpds = Kept<Rpds>;

impl<V: Value> Kept<V> {
    fn value_of(&self, done: usize) -> V {
        let back = self.ops.len() - done;
        if back == 0 {
            return self.now.clone();
        }
        if back <= self.last.len() {
            return self.last[self.last.len() - back].clone();
        }
        let from = done / EVERY;
        let mut value = self.kept[from].clone();
        let again = &self.ops[from * EVERY..done];
        again.iter().for_each(|op| value.step(*op));
        value
    }
}

impl<V: Value> Past for Kept<V> {
    const NAME: &'static str = V::NAME;
    const NO_HISTORY: Option<&'static str> =
        Some("a collection does not know who changed when; by hand it is what `flat` does");

    fn new(tasks: usize, past: &[Op], _: &[Op]) -> Self {
        let mut kept = Self {
            now: V::new(tasks),
            last: VecDeque::new(),
            kept: Vec::new(),
            ops: Vec::new(),
        };
        kept.go_on(past);
        kept
    }

    fn go_on(&mut self, ops: &[Op]) {
        for op in ops {
            if self.ops.len().is_multiple_of(EVERY) {
                self.kept.push(self.now.clone());
            }
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(self.now.clone());
            self.now.step(*op);
            self.ops.push(*op);
        }
    }

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        self.value_of(done).read(task).0
    }

    fn then(&mut self, done: usize) -> Picture {
        self.value_of(done).picture()
    }

    fn versions(&mut self, _: u32) -> Vec<Version> {
        Vec::new()
    }
}
