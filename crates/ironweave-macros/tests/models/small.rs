/// Tasks and who does them.
#[ironweave::model]
pub mod work {
    use ironweave::prelude::*;

    /// Something to do.
    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
        /// How much it matters.
        pub weight: u32,
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done { at: Timestamp, note: String },
    }

    /// Somebody.
    #[entity]
    pub struct Worker {
        pub tasks: Many<Task>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[terminal]
        Exists,
    }

    /// A task comes up.
    #[event]
    #[create(task: Task { name, weight = 1 })]
    #[relink(task.worker += worker)]
    #[may(Task: Open -> Done, set Task.weight)]
    pub struct Added {
        pub name: String,
        pub worker: Option<Worker>,
    }

    /// A worker does what was given.
    #[event]
    #[guard(super::may_finish)]
    #[moves(each tasks: Open -> Done { at = meta.time, note = "" })]
    pub struct Finished {
        pub tasks: Vec<Task<Open>>,
    }

    /// A worker takes over an open task.
    #[event]
    #[relink(task.worker += worker)]
    #[set(task.weight = weight)]
    #[moves(task: Open -> Done { at = meta.time, note = "" })]
    pub struct TakenOver {
        pub task: Task,
        pub worker: Worker,
        pub weight: u32,
    }
}
