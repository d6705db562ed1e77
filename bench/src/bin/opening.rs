//! How long a store takes to open, from its log and from a checkpoint, and the first questions about its past.
//!
//! ```text
//! cargo run --release --bin opening -- 1000000 1000000
//! ```
//!
//! The arguments are the number of tasks, a tenth as many workers, and the number of steps after these were created, each of
//! which is a transaction of three facts.

use std::time::Instant;

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

type Tasks = Store<model::Model>;

fn timed<R>(what: &str, act: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = act();
    println!("{what}: {:.3} s", began.elapsed().as_secs_f64());
    result
}

fn options() -> ironweave::Options<model::Model> {
    let by_call = ironweave::CheckpointPolicy::never();
    Store::options()
        .durability(Durability::Os)
        .checkpoint_every(by_call)
}

fn fill(store: &mut Tasks, count: usize, steps: usize) -> Result<(Task, usize), StepError> {
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|n| n.parse().ok());
    let count: usize = number().unwrap_or(100_000).max(10);
    let steps: usize = number().unwrap_or(count);
    let dir = std::env::current_exe()?.with_file_name(format!("opening-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let outcome = run(&dir, count, steps);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn run(
    dir: &std::path::Path,
    count: usize,
    steps: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut store = options().open(dir)?;
    let (task, facts) = timed("write", || fill(&mut store, count, steps))?;
    drop(store);
    println!("facts: {facts}");
    let began = Instant::now();
    let mut store = options().open(dir)?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "open from the log: {seconds:.3} s, {:.2} M facts/s",
        facts as f64 / seconds / 1e6
    );
    let print = store.fingerprint();
    let middle = store.seq().map_or(0, |seq| seq.get() / 2);
    let history = timed("first history", || store.history(task))?.len();
    let then = timed("first as_of, in the middle", || store.as_of(middle))?.fingerprint();
    println!("entries of the history: {history}");
    let checkpoint = timed("write a checkpoint", || store.checkpoint())?;
    println!("bytes of the checkpoint: {}", checkpoint.bytes());
    drop(store);
    let store = timed("open from the checkpoint", || options().open(dir))?;
    assert_eq!(store.opened_from().checkpoint(), Some(checkpoint.seq()));
    assert_eq!(store.fingerprint(), print);
    let again = timed("as_of, in the middle", || store.as_of(middle))?.fingerprint();
    assert_eq!(again, then);
    let last = store.seq().map_or(0, |seq| seq.get() - 1);
    timed("as_of, at the end", || store.as_of(last))?;
    Ok(())
}
