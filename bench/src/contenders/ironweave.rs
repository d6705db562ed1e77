//! ironweave, through its public interface, on a store in memory.
//!
//! It does more than the others: it checks bindings, source states and bounds, encodes event and facts, keeps the
//! fingerprint, reads the clock, and appends a frame to the log in memory, which keeps all of them.

use ironweave::prelude::*;

use self::model::{Started, Stopped, Task, TasksAdded, Worker, WorkersHired, state};
use crate::work::{Contender, Op, Picture, first_worker, workers};

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
}

impl Contender for Ours {
    const NAME: &'static str = "ironweave";

    fn new(count: usize) -> Self {
        let mut store = Store::<model::Model>::memory();
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
        }
    }

    fn step(&mut self, op: Op) {
        let (task, worker) = (
            self.tasks[op.task as usize],
            self.workers[op.worker as usize],
        );
        if op.start {
            self.store
                .try_step(Started {
                    task,
                    worker,
                    value: op.value,
                })
                .expect("it is ready");
        } else {
            self.store
                .try_step(Stopped {
                    task,
                    worker,
                    value: op.value,
                })
                .expect("it runs");
        }
    }

    fn step_and_undo(&mut self, op: Op) {
        let (task, worker) = (
            self.tasks[op.task as usize],
            self.workers[op.worker as usize],
        );
        let asked = self.store.what_if(|t| {
            if op.start {
                t.apply(Started {
                    task,
                    worker,
                    value: op.value,
                })
                .map(|_| ())
            } else {
                t.apply(Stopped {
                    task,
                    worker,
                    value: op.value,
                })
                .map(|_| ())
            }
        });
        asked.expect("it can happen");
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
