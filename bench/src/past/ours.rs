//! ironweave: a store with its log in memory. It keeps nothing for this, and is asked through its public interface.

use ironweave::{FactKind, HistoryEntry, Seq, Store};

use super::{Past, Version};
use crate::contenders::ironweave::{self as contender, model};
use crate::work::{Contender, Op, Picture};

/// The store, and where its log was when everybody had been made.
pub struct Ours {
    ours: contender::Ours,
    made: Seq,
}

impl Ours {
    /// Fills a store, and steps.
    pub fn on(store: Store<model::Model>, tasks: usize, past: &[Op]) -> Self {
        let mut ours = contender::Ours::on(store, tasks);
        let made = ours.store.seq().expect("the log has frames");
        past.iter().for_each(|op| ours.step(ours.event(*op)));
        Self { ours, made }
    }
}

impl Past for Ours {
    const NAME: &'static str = "ironweave";
    const FIRST: Option<&'static str> = Some("ironweave_first");

    fn new(tasks: usize, past: &[Op], _: &[Op]) -> Self {
        Self::on(Store::memory(), tasks, past)
    }

    fn go_on(&mut self, ops: &[Op]) {
        let ours = &mut self.ours;
        ops.iter().for_each(|op| ours.step(ours.event(*op)));
        drop(ours.store.snapshot());
    }

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        let then = self.ours.store.as_of(self.made + done as u64);
        let then = then.expect("the log has it");
        self.ours.tasks[task as usize].value(&then)
    }

    fn then(&mut self, done: usize) -> Picture {
        let then = self.ours.store.as_of(self.made + done as u64);
        self.ours.picture_of(&then.expect("the log has it"))
    }

    fn history(&mut self, task: u32) -> usize {
        let task = self.ours.tasks[task as usize];
        let facts = self.ours.store.history(task).expect("the log has it");
        facts.chunk_by(|a, b| a.seq() == b.seq()).count()
    }

    fn versions(&mut self, task: u32) -> Vec<Version> {
        let handle = self.ours.tasks[task as usize];
        let facts = self.ours.store.history(handle).expect("the log has it");
        // What it is at first is in its history too.
        let mut last = Version {
            done: 0,
            value: u64::MAX,
            running: false,
            worker: u32::MAX,
        };
        let mut version = |entries: &[HistoryEntry<model::Model>]| {
            last.done = entries[0].seq().get().saturating_sub(self.made.get()) as usize;
            for fact in entries.iter().map(|entry| entry.fact()) {
                match fact.kind() {
                    FactKind::Set => last.value = fact.value().expect("a number"),
                    FactKind::Move => last.running = fact.to() == Some("Running"),
                    FactKind::Link => last.worker = fact.entity().slot(),
                    _ => {}
                }
            }
            last
        };
        let events = facts.chunk_by(|a, b| a.seq() == b.seq());
        events.map(&mut version).collect()
    }
}
