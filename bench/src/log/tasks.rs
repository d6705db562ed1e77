//! The model and the log that opening is measured with: tasks with keys, and workers who have them.

use ironweave::prelude::*;

/// Tasks with keys, and workers.
#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    /// A task.
    #[entity]
    pub struct Task {
        /// Its name.
        #[key]
        pub name: String,
        /// Its value.
        pub value: u64,
        /// Who has it.
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
    }
    /// The states of a task.
    #[states(Task)]
    pub enum TaskState {
        /// Not begun.
        #[initial]
        #[to(Running)]
        Ready,
        /// Begun.
        #[to(Ready)]
        Running,
    }
    /// A worker.
    #[entity]
    pub struct Worker {
        /// Its tasks.
        pub tasks: Many<Task>,
    }
    /// A worker is hired.
    #[event]
    #[create(worker: Worker)]
    pub struct Hired {}
    /// A task is added.
    #[event]
    #[create(task: Task { name, value })]
    #[link(worker.tasks += task)]
    pub struct Added {
        /// Who gets it.
        pub worker: Worker,
        /// Its name.
        pub name: String,
        /// Its value.
        pub value: u64,
    }
    /// A task changes hands and gets a value.
    #[event]
    #[relink(worker.tasks += task)]
    #[set(task.value = value)]
    pub struct Handed {
        /// The task.
        pub task: Task,
        /// Who gets it.
        pub worker: Worker,
        /// Its new value.
        pub value: u64,
    }
}

use model::{Added, Handed, Hired, Task, Worker};

/// The store.
pub type Tasks = Store<model::Model>;

/// Options for logs that are not synced.
pub fn options() -> ironweave::Options<model::Model> {
    let by_call = ironweave::CheckpointPolicy::never();
    Store::options()
        .durability(Durability::Os)
        .checkpoint_every(by_call)
}

/// Creates tasks and a tenth as many workers, and then hands random tasks over. Returns one of the tasks, and the number of
/// facts.
pub fn fill(store: &mut Tasks, count: usize, steps: usize) -> Result<(Task, usize), StepError> {
    let numbers: Vec<usize> = (0..count).collect();
    let mut workers: Vec<Worker> = Vec::new();
    for some in numbers[..count / 10].chunks(100) {
        let (made, _) = store.transaction(|t| {
            some.iter()
                .map(|_| Ok(t.apply(Hired {})?.created.worker))
                .collect::<Result<Vec<_>, StepError>>()
        })?;
        workers.extend(made);
    }
    let mut tasks = Vec::new();
    for some in numbers.chunks(100) {
        let (made, _) = store.transaction(|t| {
            let mut made = Vec::new();
            for i in some {
                let (worker, name) = (workers[i % workers.len()], format!("task number {i}"));
                let value = *i as u64;
                made.push(
                    t.apply(Added {
                        worker,
                        name,
                        value,
                    })?
                    .created
                    .task,
                );
            }
            Ok::<_, StepError>(made)
        })?;
        tasks.extend(made);
    }
    let mut random = 7u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % n
    };
    for value in 0..steps as u64 {
        let task = tasks[below(tasks.len())];
        let worker = workers[below(workers.len())];
        store.try_step(Handed {
            task,
            worker,
            value,
        })?;
    }
    Ok((tasks[count / 2], count / 10 + 4 * count + 3 * steps))
}
