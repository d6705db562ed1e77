//! ironweave: a store with its log in memory. It keeps nothing for this, and is asked through its public interface.

use ironweave::{Fact, Seq};

use super::{Past, Version};
use crate::contenders::ironweave as contender;
use crate::work::{Contender, Keeps, Op, Picture};

/// The store, and where its log was when everybody had been made.
pub struct Ours {
    ours: contender::Ours,
    made: Seq,
}

/// An unsigned number in CBOR.
fn number(bytes: &[u8]) -> u64 {
    match bytes {
        [small @ 0..24] => u64::from(*small),
        [_, more @ ..] => more.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)),
        [] => 0,
    }
}

impl Past for Ours {
    const NAME: &'static str = "ironweave";
    const FIRST: Option<&'static str> = Some("ironweave_first");

    fn new(tasks: usize, past: &[Op], _: &[Op]) -> Self {
        let mut ours = contender::Ours::new(tasks, Keeps::Log);
        let made = ours.store.seq().expect("the log has frames");
        past.iter().for_each(|op| ours.step(ours.event(*op)));
        Self { ours, made }
    }

    fn go_on(&mut self, ops: &[Op]) {
        let ours = &mut self.ours;
        ops.iter().for_each(|op| ours.step(ours.event(*op)));
        drop(ours.store.snapshot());
    }

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        let then = self.ours.store.as_of(self.made + done as Seq);
        let then = then.expect("the log has it");
        self.ours.tasks[task as usize].value(&then)
    }

    fn then(&mut self, done: usize) -> Picture {
        let then = self.ours.store.as_of(self.made + done as Seq);
        self.ours.picture_of(&then.expect("the log has it"))
    }

    fn history(&mut self, task: u32) -> usize {
        let task = self.ours.tasks[task as usize];
        let facts = self.ours.store.history(task).expect("the log has it");
        facts.chunk_by(|a, b| a.seq == b.seq).count()
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
        let mut version = |facts: &[ironweave::Past]| {
            last.done = facts[0].seq.saturating_sub(self.made) as usize;
            for past in facts {
                match past.fact {
                    Fact::Set { .. } => last.value = number(past.value.as_ref().expect("a value")),
                    Fact::Move { to, .. } => last.running = to == 1,
                    Fact::Link { from, .. } => last.worker = from,
                    _ => {}
                }
            }
            last
        };
        let events = facts.chunk_by(|a, b| a.seq == b.seq);
        events.map(&mut version).collect()
    }
}
