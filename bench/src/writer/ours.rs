//! ironweave: a store with its log in memory, and [`ironweave::Store::reader`] for the other thread.

use ironweave::StoreReader;

use super::{READS, Read, Reader, Writer};
use crate::contenders::ironweave::{self as contender, model};
use crate::work::{Contender, Keeps, Op};

/// The store.
pub struct Ours(contender::Ours);

/// What gives the newest snapshot, and handles by number.
pub struct Newest {
    snapshots: StoreReader<model::Model>,
    tasks: Vec<model::Task>,
}

impl Writer for Ours {
    const NAME: &'static str = "ironweave";
    const ALONE: &'static str = "ironweave_alone";
    type Event = contender::Asked;
    type Reader = Newest;

    fn new(tasks: usize) -> Self {
        Self(contender::Ours::new(tasks, Keeps::Log))
    }

    fn reader(&mut self) -> Newest {
        Newest {
            snapshots: self.0.store.reader(),
            tasks: self.0.tasks.clone(),
        }
    }

    fn event(&self, op: Op) -> contender::Asked {
        self.0.event(op)
    }

    fn step(&mut self, event: contender::Asked) {
        self.0.step(event);
    }
}

impl Reader for Newest {
    fn look(&mut self, tasks: &[u32]) -> [Read; READS] {
        let now = self.snapshots.snapshot();
        std::array::from_fn(|i| contender::read(&now, self.tasks[tasks[i] as usize]))
    }
}
