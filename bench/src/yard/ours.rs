//! ironweave, through its public interface, on a store in memory: once with a step for each operation; once with a
//! hundred of them in a transaction; once with a hundred in a transaction of a store without a log. With a log, events
//! and facts are encoded and frames are kept.

use ironweave::prelude::*;

use super::{Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers};

/// Operations in one transaction.
const TOGETHER: usize = 100;

/// Tasks and workers.
#[ironweave::model]
pub mod plain {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
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

    #[event]
    #[create(worker: Worker)]
    pub struct Hired {}

    #[event]
    #[create(task: Task { name, value })]
    #[link(worker.tasks += task)]
    pub struct Added {
        pub worker: Worker,
        pub name: String,
        pub value: u64,
    }

    #[event]
    #[relink(worker.tasks += task)]
    pub struct Relinked {
        pub task: Task,
        pub worker: Worker,
    }

    #[event]
    #[moves(task: Ready -> Running)]
    pub struct Started {
        pub task: Task,
    }

    #[event]
    #[moves(task: Running -> Ready)]
    pub struct Stopped {
        pub task: Task,
    }
}

/// The same, with an edge that is watched.
#[ironweave::model]
pub mod alert {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
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
        #[to(Full)]
        Free,
        #[to(Free)]
        Full,
    }

    #[event]
    #[create(worker: Worker)]
    #[create(task: Task)]
    #[link(worker.tasks += task)]
    pub struct Hired {}

    #[event]
    #[create(task: Task)]
    #[link(worker.tasks += task)]
    pub struct Added {
        pub worker: Worker,
    }

    #[event]
    #[moves(task: Ready -> Running)]
    pub struct Started {
        pub task: Task,
    }

    #[event]
    #[moves(task: Running -> Ready)]
    pub struct Stopped {
        pub task: Task,
    }

    #[immediate]
    #[when(all worker.tasks in Running)]
    #[moves(worker: Free -> Full)]
    pub struct Filled {
        pub worker: Worker,
    }

    #[immediate]
    #[when(any worker.tasks in Ready)]
    #[moves(worker: Full -> Free)]
    pub struct Freed {
        pub worker: Worker,
    }
}

/// The store, and handles by number.
pub struct Ours {
    /// The store.
    pub store: Store<plain::Model>,
    /// By number.
    pub tasks: Vec<plain::Task>,
    workers: Vec<plain::Worker>,
}

impl Ours {
    /// Fills a store.
    pub fn on(mut store: Store<plain::Model>, tasks: usize, fan_in: usize) -> Self {
        let hire = |_| store.step(plain::Hired {}).created.worker;
        let workers: Vec<plain::Worker> = (0..workers(tasks, fan_in)).map(hire).collect();
        let mut made = Vec::new();
        for numbers in (0..tasks).collect::<Vec<_>>().chunks(TOGETHER) {
            let mut t = store.begin();
            for task in numbers {
                let worker = workers[first_worker(tasks, fan_in, *task) as usize];
                let (name, value) = (name(*task as u32), value(*task as u32));
                let added = plain::Added {
                    worker,
                    name,
                    value,
                };
                made.push(t.apply(added).expect("it is new").created.task);
            }
            t.commit().expect("it is kept");
        }
        Self {
            store,
            tasks: made,
            workers,
        }
    }

    fn relinked(&self, task: u32, worker: u32) -> plain::Relinked {
        plain::Relinked {
            task: self.tasks[task as usize],
            worker: self.workers[worker as usize],
        }
    }
}

impl Yard for Ours {
    const NAME: &'static str = "ironweave";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self::on(Store::memory(), tasks, fan_in)
    }

    fn relink(&mut self, task: u32, worker: u32) {
        let event = self.relinked(task, worker);
        self.store.try_step(event).expect("it can happen");
    }

    fn run(&mut self, task: u32, running: bool) {
        let task = self.tasks[task as usize];
        if running {
            let event = plain::Started { task };
            self.store.try_step(event).expect("it can happen");
        } else {
            let event = plain::Stopped { task };
            self.store.try_step(event).expect("it can happen");
        }
    }

    fn running(&mut self) -> (usize, u64) {
        let (mut count, mut sum) = (0, 0);
        for task in self.store.place::<plain::Task, plain::state::Running>() {
            count += 1;
            sum += task.value(&self.store);
        }
        (count, sum)
    }

    fn running_of(&mut self, worker: u32) -> Option<usize> {
        let of_worker = plain::Task::WORKER.is(self.workers[worker as usize]);
        let running = plain::Task::in_place::<plain::state::Running>();
        Some((of_worker & running).count(&self.store))
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        let task = self.store.find::<plain::Task>(name)?;
        Some(task.value(&self.store))
    }

    fn picture(&self) -> Picture {
        let db = &self.store;
        let slots = |tasks: &mut dyn Iterator<Item = plain::Task>| {
            let mut list: Vec<u32> = tasks.map(|t| t.id().slot()).collect();
            list.sort_unstable();
            list
        };
        let row = |t: &plain::Task| {
            let worker = t.worker(db).map_or(u32::MAX, |w| w.id().slot());
            (t.is::<plain::state::Running>(db), t.value(db), worker)
        };
        let running = db.place::<plain::Task, plain::state::Running>();
        Picture {
            tasks: self.tasks.iter().map(row).collect(),
            workers: self
                .workers
                .iter()
                .map(|w| slots(&mut w.tasks(db)))
                .collect(),
            running: slots(&mut running.map(|t| t.any())),
        }
    }
}

/// With a hundred operations in a transaction.
pub struct OursInOne(Ours);

impl Yard for OursInOne {
    const NAME: &'static str = "ironweave_tx";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(Ours::new(tasks, fan_in))
    }

    fn relink(&mut self, task: u32, worker: u32) {
        self.0.relink(task, worker);
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
    }

    fn relink_all(&mut self, ops: &[(u32, u32)]) {
        let Ours {
            store,
            tasks,
            workers,
        } = &mut self.0;
        for ops in ops.chunks(TOGETHER) {
            let mut t = store.begin();
            for (task, worker) in ops {
                let event = plain::Relinked {
                    task: tasks[*task as usize],
                    worker: workers[*worker as usize],
                };
                t.apply(event).expect("it can happen");
            }
            t.commit().expect("it is kept");
        }
    }

    fn running(&mut self) -> (usize, u64) {
        self.0.running()
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        self.0.find(name)
    }

    fn picture(&self) -> Picture {
        self.0.picture()
    }
}

/// With a hundred operations in a transaction, of a store without a log.
pub struct OursGraph(OursInOne);

impl Yard for OursGraph {
    const NAME: &'static str = "ironweave_graph";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(OursInOne(Ours::on(Store::unlogged(), tasks, fan_in)))
    }

    fn relink(&mut self, task: u32, worker: u32) {
        self.0.relink(task, worker);
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
    }

    fn relink_all(&mut self, ops: &[(u32, u32)]) {
        self.0.relink_all(ops);
    }

    fn running(&mut self) -> (usize, u64) {
        self.0.running()
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        self.0.find(name)
    }

    fn picture(&self) -> Picture {
        self.0.picture()
    }
}

/// One that notices.
pub struct Watching {
    store: Store<alert::Model>,
    tasks: Vec<alert::Task>,
    workers: Vec<alert::Worker>,
}

impl Watching {
    fn on(mut store: Store<alert::Model>, tasks: usize, fan_in: usize) -> Self {
        let mut workers: Vec<Option<alert::Worker>> = vec![None; workers(tasks, fan_in)];
        let mut made = Vec::new();
        for task in 0..tasks {
            let worker = &mut workers[first_worker(tasks, fan_in, task) as usize];
            // A worker comes with a task, since one without any would be full.
            made.push(match *worker {
                Some(worker) => store.step(alert::Added { worker }).created.task,
                None => {
                    let created = store.step(alert::Hired {}).created;
                    *worker = Some(created.worker);
                    created.task
                }
            });
        }
        Self {
            store,
            tasks: made,
            workers: workers.into_iter().flatten().collect(),
        }
    }
}

impl Watched for Watching {
    const NAME: &'static str = "ironweave";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self::on(Store::memory(), tasks, fan_in)
    }

    fn run(&mut self, task: u32, running: bool) {
        let task = self.tasks[task as usize];
        if running {
            let event = alert::Started { task };
            self.store.try_step(event).expect("it can happen");
        } else {
            let event = alert::Stopped { task };
            self.store.try_step(event).expect("it can happen");
        }
    }

    fn picture(&mut self) -> WatchedPicture {
        let running = self.store.place::<alert::Task, alert::state::Running>();
        let full = |w: &u32| self.workers[*w as usize].is::<alert::state::Full>(&self.store);
        WatchedPicture {
            running: running.map(|t| t.id().slot()).collect(),
            full: (0..self.workers.len() as u32).filter(full).collect(),
        }
    }
}

/// With a hundred operations in a transaction.
pub struct WatchingInOne(Watching);

impl Watched for WatchingInOne {
    const NAME: &'static str = "ironweave_tx";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(Watching::new(tasks, fan_in))
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
    }

    fn run_all(&mut self, ops: &[(u32, bool)]) {
        let Watching { store, tasks, .. } = &mut self.0;
        for ops in ops.chunks(TOGETHER) {
            let mut t = store.begin();
            for (task, running) in ops {
                let task = tasks[*task as usize];
                if *running {
                    t.apply(alert::Started { task }).expect("it can happen");
                } else {
                    t.apply(alert::Stopped { task }).expect("it can happen");
                }
            }
            t.commit().expect("it is kept");
        }
    }

    fn picture(&mut self) -> WatchedPicture {
        self.0.picture()
    }
}

/// With a hundred operations in a transaction, of a store without a log.
pub struct WatchingGraph(WatchingInOne);

impl Watched for WatchingGraph {
    const NAME: &'static str = "ironweave_graph";

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(WatchingInOne(Watching::on(
            Store::unlogged(),
            tasks,
            fan_in,
        )))
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
    }

    fn run_all(&mut self, ops: &[(u32, bool)]) {
        self.0.run_all(ops);
    }

    fn picture(&mut self) -> WatchedPicture {
        self.0.picture()
    }
}
