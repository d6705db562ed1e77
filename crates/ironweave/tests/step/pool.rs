//! Workers with tasks, and events with each kind of arc, condition and user code.

pub use model::*;

use ironweave::prelude::*;
use model::state::Ready;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Worker {
        #[key]
        pub name: String,
        #[edge(max = 2)]
        pub tasks: Many<Task>,
        pub friends: Many<Worker>,
        #[inverse(Worker::friends)]
        pub friend_of: Many<Worker>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Awake)]
        Asleep,
        #[to(Asleep, Awake)]
        Awake,
    }

    #[entity]
    pub struct Task {
        pub size: u64,
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
        pub log: Log,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Done, Stuck)]
        Ready,
        #[to(Ready)]
        Done { at: Timestamp, by: String },
        #[to(Ready)]
        Stuck,
    }

    #[entity]
    pub struct Log {
        #[inverse(Task::log)]
        pub tasks: Many<Task>,
    }
    #[states(Log)]
    pub enum LogState {
        #[initial]
        #[terminal]
        Open,
    }

    #[event]
    pub struct Hired {
        pub workers: Vec<Ensure<Worker>>,
    }

    #[event]
    #[create(log: Log)]
    #[create(task: Task { size })]
    #[link(task.log += log)]
    pub struct Added {
        pub size: u64,
    }

    #[event]
    #[create(log: Log)]
    #[may(link Task.log)]
    #[create(task: Task { size = 1 })]
    pub struct AddedWithoutALog {}

    #[event]
    #[link(worker.tasks += tasks)]
    pub struct Given {
        pub worker: Key<Worker>,
        pub tasks: Vec<Task>,
    }

    #[event]
    #[unlink(worker.tasks -= tasks)]
    pub struct Taken {
        pub worker: Worker,
        pub tasks: Vec<Task>,
    }

    #[event]
    #[relink(to.tasks += from.tasks)]
    pub struct HandedOver {
        pub from: Worker,
        pub to: Worker,
    }

    #[event]
    #[moves(each worker.tasks: Ready -> Done { at = meta.time, by })]
    pub struct AllDone {
        pub worker: Worker,
        pub by: String,
    }

    #[event]
    #[moves(those worker.tasks: Ready -> Done { at = meta.time, by = "any worker" })]
    pub struct SomeDone {
        pub worker: Worker,
    }

    #[event]
    #[when(all worker.tasks in Done)]
    #[when(none worker.tasks in Stuck)]
    #[moves(worker: Awake -> Asleep)]
    pub struct Rested {
        pub worker: Worker,
    }

    #[event]
    #[when(any worker.tasks in Done)]
    #[moves(worker: Awake -> Asleep)]
    pub struct RestedAfterWork {
        pub worker: Worker,
    }

    #[event]
    #[moves(worker: Asleep -> Awake)]
    pub struct Woken {
        pub worker: Worker<Asleep>,
    }

    #[event]
    #[moves(a: Asleep -> Awake)]
    #[moves(b: Asleep -> Awake)]
    pub struct BothWoken {
        pub a: Worker,
        pub b: Worker,
    }

    #[event]
    #[set(worker.tasks.size = size)]
    pub struct Resized {
        pub worker: Worker,
        pub size: u64,
    }

    #[event]
    #[set(a.size = size)]
    #[set(b.size = size)]
    pub struct BothResized {
        pub a: Task,
        pub b: Task,
        pub size: u64,
    }

    #[event]
    #[link(a.friends += b)]
    pub struct Befriended {
        pub a: Worker,
        pub b: Option<Worker>,
    }

    #[event]
    #[moves(those worker.friends.friends: Asleep -> Awake)]
    pub struct FriendsOfFriendsWoken {
        pub worker: Worker,
    }

    #[event]
    #[guard(crate::pool::guards::fine)]
    #[may(Task: Ready -> Stuck, set Task.size, link Worker.tasks, unlink Worker.tasks, relink Worker.tasks)]
    pub struct Handled {
        pub task: Task<Ready>,
        pub worker: Worker,
        pub how: String,
    }

    #[invariant(Task, via = [worker], crate::pool::guards::no_giants)]
    pub struct NoGiants;
}

pub mod guards {
    use super::model::*;
    use ironweave::prelude::*;

    pub fn fine(event: &Handled, _: &impl Db) -> Result<(), Reject> {
        match event.how.as_str() {
            "guard" => Err(Reject::new("the guard said so")),
            "guard panic" => panic!("in the guard"),
            _ => Ok(()),
        }
    }

    pub fn no_giants(task: Task, db: &impl Db) -> Result<(), Reject> {
        if task.size(db) < 100 {
            Ok(())
        } else {
            Err(Reject::new("too large"))
        }
    }
}

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let (task, worker) = (bound.task, bound.worker);
        task.set_size(tx, 50u64)?;
        assert_eq!(task.size(tx), 50, "a handler sees its own changes");
        match self.how.as_str() {
            "reject" => return Err(Reject::new("the handler said so")),
            "panic" => panic!("in the handler"),
            "giant" => task.set_size(tx, 100u64)?,
            "link twice" => {
                worker.link_tasks(tx, &task)?;
                worker.link_tasks(tx, &task)?;
            }
            "unlink" => worker.unlink_tasks(tx, &task)?,
            _ => worker.relink_tasks(tx, &task)?,
        }
        task.to_stuck(tx)?;
        Ok(())
    }
}

impl Apply for AddedWithoutALog {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

pub type Pool = Store<Model>;

/// Two workers, Ann and Bob, and three tasks.
pub fn pool() -> (Pool, Worker, Worker, Vec<Task>) {
    let mut store = Pool::paranoid();
    let workers = store
        .step(Hired {
            workers: vec!["ann".into(), "bob".into()],
        })
        .bound
        .workers;
    let tasks = (1..=3)
        .map(|size| store.step(Added { size }).created.task)
        .collect();
    (store, workers[0], workers[1], tasks)
}

/// Asserts that an event is rejected by a rule and that nothing changes; the message.
#[track_caller]
pub fn rejected<E: Event<Model = Model>>(store: &mut Pool, event: E) -> String {
    let error = crate::harness::rejected(store, event);
    assert!(error.is_rejection());
    error.to_string()
}

pub fn handled(store: &Pool, task: Task, worker: Worker, how: &str) -> Handled {
    Handled {
        task: task.in_state::<Ready>(store).expect("it is ready"),
        worker,
        how: how.into(),
    }
}
