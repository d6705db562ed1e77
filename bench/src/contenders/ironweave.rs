//! ironweave, through its public interface, on a store in memory.
//!
//! It does more than the others: it checks that handles are alive, and facts hold their values encoded. With a log it also
//! encodes the event, updates the fingerprint, reads the clock, and appends a frame to the log in memory, which keeps all frames.

use ironweave::{Changes, prelude::*};

use self::model::{Started, Stopped, Task, TasksAdded, Worker, WorkersHired, state};
use crate::work::{Contender, KEPT, Keeps, Op, Picture, Value, first_worker, workers};

/// The number of entities of the initial state that one transaction creates.
const TOGETHER: usize = 100;

/// Tasks and workers.
#[ironweave::model]
pub mod model {
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
    /// The store.
    pub store: Store<model::Model>,
    /// By number.
    pub tasks: Vec<Task>,
    workers: Vec<Worker>,
    keeps: Keeps,
    facts: Changes<model::Model>,
    events: Vec<Asked>,
}

/// An event, of either type.
#[derive(Clone, Copy)]
pub struct Asked {
    start: bool,
    task: Task,
    worker: Worker,
    value: u64,
}

impl Asked {
    /// The worker that it links.
    #[allow(dead_code)] // not in each binary that includes this file
    pub fn worker(self) -> Worker {
        self.worker
    }

    /// Returns the event, which starts the task or stops it.
    #[allow(dead_code)] // not in each binary that includes this file
    pub fn event(self) -> Result<Started, Stopped> {
        if self.start {
            Ok(self.started())
        } else {
            Err(self.stopped())
        }
    }

    fn started(self) -> Started {
        let Self {
            task,
            worker,
            value,
            ..
        } = self;
        Started {
            task,
            worker,
            value,
        }
    }

    fn stopped(self) -> Stopped {
        let Self {
            task,
            worker,
            value,
            ..
        } = self;
        Stopped {
            task,
            worker,
            value,
        }
    }
}

impl Ours {
    /// Fills a store, which has a log.
    pub fn on(mut store: Store<model::Model>, count: usize) -> Self {
        let (mut staff, mut tasks) = (Vec::new(), Vec::new());
        // In several transactions, as a program would: the transaction that creates an entity is a part of its history.
        while staff.len() < workers(count) {
            let mut t = store.begin();
            for _ in staff.len()..workers(count).min(staff.len() + TOGETHER) {
                staff.push(t.apply(WorkersHired {}).expect("hired").created.worker);
            }
            t.commit().expect("kept");
        }
        while tasks.len() < count {
            let mut t = store.begin();
            for i in tasks.len()..count.min(tasks.len() + TOGETHER) {
                let worker: Worker = staff[first_worker(count, i) as usize];
                tasks.push(t.apply(TasksAdded { worker }).expect("added").created.task);
            }
            t.commit().expect("kept");
        }
        let facts = store.begin().facts().to_changes();
        Self {
            store,
            tasks,
            workers: staff,
            keeps: Keeps::Log,
            facts,
            events: Vec::new(),
        }
    }

    /// Fires an event in a transaction, and keeps what it is to keep.
    fn fire<E: Event<Model = model::Model>>(
        &mut self,
        event: E,
        asked: Asked,
    ) -> Result<(), StepError> {
        if self.keeps != Keeps::Facts {
            return self.store.try_step(event).map(|_| ());
        }
        let mut t = self.store.begin();
        t.apply(event)?;
        self.facts.append(t.facts());
        self.events.push(asked);
        t.commit().map(|_| ())
    }

    fn try_step(&mut self, asked: Asked) -> Result<(), StepError> {
        if asked.start {
            self.fire(asked.started(), asked)
        } else {
            self.fire(asked.stopped(), asked)
        }
    }
}

impl Contender for Ours {
    const NAME: &'static str = "ironweave";
    type Event = Asked;

    fn new(count: usize, keeps: Keeps) -> Self {
        let store = match keeps {
            Keeps::Log => Store::<model::Model>::memory(),
            Keeps::Nothing | Keeps::Facts => Store::unlogged(),
        };
        Self {
            keeps,
            ..Self::on(store, count)
        }
    }
    fn event(&self, op: Op) -> Asked {
        Asked {
            start: op.start,
            task: self.tasks[op.task as usize],
            worker: self.workers[op.worker as usize],
            value: op.value,
        }
    }

    fn step(&mut self, asked: Asked) {
        if self.events.len() >= KEPT {
            self.events.clear();
            self.facts.clear();
        }
        self.try_step(asked).expect("it can happen");
    }

    fn reject(&mut self, asked: Asked) {
        assert!(self.try_step(asked).is_err(), "it cannot happen");
    }

    fn step_and_undo(&mut self, events: &[Asked]) {
        let answer = self.store.what_if(|t| -> Result<_, StepError> {
            for asked in events {
                if asked.start {
                    t.apply(asked.started())?;
                } else {
                    t.apply(asked.stopped())?;
                }
            }
            Ok(())
        });
        answer.expect("it can happen");
    }

    fn facts(&self) -> usize {
        self.facts.len()
    }

    fn picture(&self) -> Picture {
        picture(&self.store, &self.tasks, &self.workers)
    }
}

/// Everything that there is in a store or a value.
fn picture(db: &impl Db, tasks: &[Task], workers: &[Worker]) -> Picture {
    let slots = |tasks: &mut dyn Iterator<Item = Task>| {
        let mut list: Vec<u32> = tasks.map(|t| t.id().slot()).collect();
        list.sort_unstable();
        list
    };
    let row = |t: &Task| {
        let worker = t.worker(db).map_or(u32::MAX, |w| w.id().slot());
        (t.is::<state::Running>(db), t.value(db), worker)
    };
    let list = |w: &Worker| slots(&mut w.tasks(db));
    Picture {
        tasks: tasks.iter().map(row).collect(),
        workers: workers.iter().map(list).collect(),
        running: slots(&mut db.place::<Task, state::Running>().map(|t| t.any())),
    }
}

/// A task's value, whether it runs, and how many tasks its worker has.
pub fn read(db: &impl Db, task: Task) -> (u64, bool, usize) {
    let worker = task.worker(db).expect("everybody has one");
    let list = worker.tasks_count(db);
    (task.value(db), task.is::<state::Running>(db), list)
}

/// The sum of the values of all tasks that a task's worker has.
fn walk(db: &impl Db, task: Task) -> u64 {
    let worker = task.worker(db).expect("everybody has one");
    worker.tasks(db).map(|t| t.value(db)).sum()
}

impl Ours {
    /// As [`Value::walk`], from the store.
    pub fn walk(&self, task: u32) -> u64 {
        walk(&self.store, self.tasks[task as usize])
    }

    /// The whole state of a snapshot of this store.
    pub fn picture_of(&self, value: &Snapshot<model::Model>) -> Picture {
        picture(value, &self.tasks, &self.workers)
    }

    /// A task's value, whether it runs, and how many tasks its worker has, from the store.
    pub fn read(&self, task: u32) -> (u64, bool, usize) {
        read(&self.store, self.tasks[task as usize])
    }
}

/// Snapshots: of a store that goes on, or what [`Value::with`] made of one.
pub struct Valued {
    /// Where steps happen; a value that was made by `with` has none, and is stepped by `with`.
    store: Option<Box<Ours>>,
    snapshot: Snapshot<model::Model>,
    handles: std::rc::Rc<(Vec<Task>, Vec<Worker>)>,
}

impl Clone for Valued {
    fn clone(&self) -> Self {
        Self {
            store: None,
            snapshot: self.snapshot.clone(),
            handles: std::rc::Rc::clone(&self.handles),
        }
    }
}

impl Value for Valued {
    const NAME: &'static str = "ironweave";

    fn new(tasks: usize) -> Self {
        let ours = Ours::new(tasks, Keeps::Log);
        Self {
            snapshot: ours.store.snapshot(),
            handles: std::rc::Rc::new((ours.tasks.clone(), ours.workers.clone())),
            store: Some(Box::new(ours)),
        }
    }

    fn with(&self, op: Op) -> Self {
        let asked = Asked {
            start: op.start,
            task: self.handles.0[op.task as usize],
            worker: self.handles.1[op.worker as usize],
            value: op.value,
        };
        let snapshot = if op.start {
            self.snapshot.with(asked.started()).map(|o| o.snapshot)
        } else {
            self.snapshot.with(asked.stopped()).map(|o| o.snapshot)
        };
        Self {
            store: None,
            snapshot: snapshot.expect("it can happen"),
            handles: std::rc::Rc::clone(&self.handles),
        }
    }

    fn step(&mut self, op: Op) {
        match &mut self.store {
            Some(ours) => {
                ours.step(ours.event(op));
                self.snapshot = ours.store.snapshot();
            }
            None => *self = self.with(op),
        }
    }

    fn read(&self, task: u32) -> (u64, bool, usize) {
        read(&self.snapshot, self.handles.0[task as usize])
    }

    fn walk(&self, task: u32) -> u64 {
        walk(&self.snapshot, self.handles.0[task as usize])
    }

    fn picture(&self) -> Picture {
        picture(&self.snapshot, &self.handles.0, &self.handles.1)
    }
}
