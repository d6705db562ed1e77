//! ironweave, through its public interface, on a store in memory.
//!
//! It does more than the others: handles are checked to be alive, facts hold their values encoded. With a log it also
//! encodes the event, keeps the fingerprint, reads the clock, and appends a frame to the log in memory, which keeps all
//! of them.

use ironweave::{Facts, prelude::*};

use self::model::{Started, Stopped, Task, TasksAdded, Worker, WorkersHired, state};
use crate::work::{Contender, KEPT, Keeps, Op, Picture, first_worker, workers};

/// Tasks and workers.
#[ironweave::model]
mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        pub value: u64,
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Running)]
        Ready,
        #[to(Ready)]
        Running,
    }

    #[entity]
    pub struct Worker {
        pub tasks: Many<Task>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[terminal]
        Hired,
    }

    #[event]
    #[create(worker: Worker)]
    pub struct WorkersHired {}

    #[event]
    #[create(task: Task { value = 0 })]
    #[link(worker.tasks += task)]
    pub struct TasksAdded {
        pub worker: Worker,
    }

    #[event]
    #[relink(worker.tasks += task)]
    #[set(task.value = value)]
    #[moves(task: Ready -> Running)]
    pub struct Started {
        pub task: Task,
        pub worker: Worker,
        pub value: u64,
    }

    #[event]
    #[relink(worker.tasks += task)]
    #[set(task.value = value)]
    #[moves(task: Running -> Ready)]
    pub struct Stopped {
        pub task: Task,
        pub worker: Worker,
        pub value: u64,
    }
}

/// The store, and handles by number.
pub struct Ours {
    store: Store<model::Model>,
    tasks: Vec<Task>,
    workers: Vec<Worker>,
    keeps: Keeps,
    facts: Facts,
    events: Vec<Op>,
}

impl Ours {
    /// Fires an event in a transaction, and keeps what it is to keep.
    fn fire<E: Event<Model = model::Model>>(&mut self, event: E, op: Op) -> Result<(), StepError> {
        if self.keeps != Keeps::Facts {
            return self.store.try_step(event).map(|_| ());
        }
        let mut t = self.store.begin();
        t.apply(event)?;
        self.facts.append(t.facts());
        self.events.push(op);
        t.commit()
    }

    fn step_or_not(&mut self, op: Op) -> Result<(), StepError> {
        let (task, worker, value) = self.named(op);
        if op.start {
            let event = Started {
                task,
                worker,
                value,
            };
            self.fire(event, op)
        } else {
            let event = Stopped {
                task,
                worker,
                value,
            };
            self.fire(event, op)
        }
    }

    fn named(&self, op: Op) -> (Task, Worker, u64) {
        (
            self.tasks[op.task as usize],
            self.workers[op.worker as usize],
            op.value,
        )
    }
}

impl Contender for Ours {
    const NAME: &'static str = "ironweave";

    fn new(count: usize, keeps: Keeps) -> Self {
        let mut store = match keeps {
            Keeps::Log => Store::<model::Model>::memory(),
            Keeps::Nothing | Keeps::Facts => Store::unlogged(),
        };
        let mut t = store.begin();
        let workers: Vec<Worker> = (0..workers(count))
            .map(|_| t.apply(WorkersHired {}).expect("hired").created.worker)
            .collect();
        let tasks = (0..count)
            .map(|i| {
                let worker = workers[first_worker(count, i) as usize];
                t.apply(TasksAdded { worker }).expect("added").created.task
            })
            .collect();
        t.commit().expect("kept");
        Self {
            store,
            tasks,
            workers,
            keeps,
            facts: Facts::default(),
            events: Vec::new(),
        }
    }

    fn step(&mut self, op: Op) {
        if self.events.len() >= KEPT {
            self.events.clear();
            self.facts.clear();
        }
        self.step_or_not(op).expect("it can happen");
    }

    fn reject(&mut self, op: Op) {
        assert!(self.step_or_not(op).is_err(), "it cannot happen");
    }

    fn step_and_undo(&mut self, op: Op) {
        let (task, worker, value) = self.named(op);
        let asked = self.store.what_if(|t| {
            if op.start {
                let event = Started {
                    task,
                    worker,
                    value,
                };
                t.apply(event).map(|_| ())
            } else {
                let event = Stopped {
                    task,
                    worker,
                    value,
                };
                t.apply(event).map(|_| ())
            }
        });
        asked.expect("it can happen");
    }

    fn facts(&self) -> usize {
        self.facts.as_slice().len()
    }

    fn picture(&self) -> Picture {
        let db = &self.store;
        let slots = |tasks: &mut dyn Iterator<Item = Task>| {
            let mut list: Vec<u32> = tasks.map(|t| t.id().slot()).collect();
            list.sort_unstable();
            list
        };
        let row = |t: &Task| {
            let worker = t.worker(db).map_or(u32::MAX, |w| w.id().slot());
            (t.is::<state::Running>(db), t.value(db), worker)
        };
        Picture {
            tasks: self.tasks.iter().map(row).collect(),
            workers: self
                .workers
                .iter()
                .map(|w| slots(&mut w.tasks(db)))
                .collect(),
            running: slots(&mut db.place::<Task, state::Running>().map(|t| t.any())),
        }
    }
}
