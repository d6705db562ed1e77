//! The steps of `work` by the peers: one event is a state move, a relink and a field.

use super::bevy::{Bevy, HeldBy, Running, Task};
use super::sqlite::Sqlite;
use super::{Yard, first_worker};
use crate::contenders::logged::Logged;
use crate::contenders::{flat, worked};
use crate::keepers::{Fjall, Redb};
use crate::work::{Contender, Fact, KEPT, Keeps, Op, Picture, TASKS_PER_WORKER};

/// What is kept of events.
struct Kept {
    keeps: Keeps,
    facts: Vec<Fact>,
    events: Vec<Op>,
}

impl Kept {
    fn new(keeps: Keeps) -> Self {
        Self {
            keeps,
            facts: Vec::new(),
            events: Vec::new(),
        }
    }

    fn note(&mut self, op: Op, old: u32) {
        if self.keeps != Keeps::Facts {
            return;
        }
        if self.events.len() >= KEPT {
            self.events.clear();
            self.facts.clear();
        }
        let Op {
            task,
            worker,
            value,
            start,
        } = op;
        self.events.push(op);
        self.facts.extend([
            Fact::Unlink { worker: old, task },
            Fact::Link { worker, task },
            Fact::Set { task, value },
            Fact::Move {
                task,
                running: start,
            },
        ]);
    }
}

/// SQLite: one statement for an event, which is a transaction; a savepoint for what is rolled back.
pub struct SqliteSteps {
    sqlite: Sqlite,
    kept: Kept,
}

impl SqliteSteps {
    /// Whether it could happen.
    fn update(&self, op: Op) -> bool {
        let sql =
            "UPDATE task SET running = ?2, value = ?3, worker = ?4 WHERE id = ?1 AND running <> ?2";
        let values = (op.task, op.start, op.value as i64, op.worker);
        self.sqlite.execute(sql, values) == 1
    }
}

impl Contender for SqliteSteps {
    const NAME: &'static str = "sqlite";
    type Event = Op;

    fn new(tasks: usize, keeps: Keeps) -> Self {
        let sqlite = Sqlite::new(tasks, TASKS_PER_WORKER);
        sqlite.execute("UPDATE task SET value = 0", []);
        Self {
            sqlite,
            kept: Kept::new(keeps),
        }
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        let old = if self.kept.keeps == Keeps::Facts {
            self.sqlite.worker(op.task)
        } else {
            0
        };
        assert!(self.update(op), "it can happen");
        self.kept.note(op, old);
    }

    fn reject(&mut self, op: Op) {
        assert!(!self.update(op), "it cannot happen");
    }

    fn step_and_undo(&mut self, events: &[Op]) {
        self.sqlite.execute("SAVEPOINT before", []);
        for op in events {
            assert!(self.update(*op), "it can happen");
        }
        self.sqlite.execute("ROLLBACK TO before", []);
        self.sqlite.execute("RELEASE before", []);
    }

    fn facts(&self) -> usize {
        self.kept.facts.len()
    }

    fn picture(&self) -> Picture {
        self.sqlite.picture()
    }
}

/// bevy_ecs: it cannot take back, so that is done by hand, by another event.
pub struct BevySteps {
    bevy: Bevy,
    kept: Kept,
}

impl BevySteps {
    /// Does it; what takes it back.
    fn apply(&mut self, op: Op) -> Option<Op> {
        let worker = self.bevy.workers[op.worker as usize];
        let old = std::mem::replace(&mut self.bevy.holders[op.task as usize], op.worker);
        let mut task = self
            .bevy
            .world
            .entity_mut(self.bevy.tasks[op.task as usize]);
        if task.contains::<Running>() == op.start {
            self.bevy.holders[op.task as usize] = old;
            return None;
        }
        let mut row = task.get_mut::<Task>().expect("a task");
        let value = std::mem::replace(&mut row.value, op.value);
        if op.start {
            task.insert((HeldBy(worker), Running));
        } else {
            task.insert(HeldBy(worker)).remove::<Running>();
        }
        Some(Op {
            worker: old,
            value,
            start: !op.start,
            ..op
        })
    }
}

impl Contender for BevySteps {
    const NAME: &'static str = "bevy";
    type Event = Op;

    fn new(tasks: usize, keeps: Keeps) -> Self {
        let mut bevy = Bevy::new(tasks, TASKS_PER_WORKER);
        for task in bevy.tasks.clone() {
            bevy.world.get_mut::<Task>(task).expect("a task").value = 0;
        }
        assert_eq!(bevy.holders[0], first_worker(tasks, TASKS_PER_WORKER, 0));
        Self {
            bevy,
            kept: Kept::new(keeps),
        }
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        let back = self.apply(op).expect("it can happen");
        self.kept.note(op, back.worker);
    }

    fn reject(&mut self, op: Op) {
        assert!(self.apply(op).is_none(), "it cannot happen");
    }

    fn step_and_undo(&mut self, events: &[Op]) {
        let undo: Vec<Op> = events
            .iter()
            .map(|op| self.apply(*op).expect("it can happen"))
            .collect();
        for op in undo.into_iter().rev() {
            self.apply(op).expect("it did happen");
        }
    }

    fn facts(&self) -> usize {
        self.kept.facts.len()
    }

    fn picture(&self) -> Picture {
        self.bevy.picture()
    }
}

/// Sees to it that they do the work that the others do.
///
/// # Panics
/// Where one does not.
pub fn compare(tasks: usize, seed: u64) {
    for keeps in [Keeps::Nothing, Keeps::Facts] {
        let flat = worked::<flat::Flat>(tasks, keeps, seed);
        assert_eq!(worked::<SqliteSteps>(tasks, keeps, seed), flat);
        assert_eq!(worked::<BevySteps>(tasks, keeps, seed), flat);
    }
    let flat = worked::<flat::Flat>(tasks, Keeps::Log, seed);
    assert_eq!(worked::<Logged<Redb>>(tasks, Keeps::Log, seed), flat);
    assert_eq!(worked::<Logged<Fjall>>(tasks, Keeps::Log, seed), flat);
}
