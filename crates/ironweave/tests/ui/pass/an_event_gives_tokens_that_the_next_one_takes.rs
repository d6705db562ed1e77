use flow::{state::*, *};
use ironweave::prelude::*;

#[ironweave::model]
pub mod flow {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {}
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Running)]
        Queued,
        #[to(Done)]
        Running,
        #[terminal]
        Done,
    }

    #[event]
    #[create(task: Task)]
    pub struct Added {}

    #[event]
    #[moves(each tasks: Queued -> Running)]
    pub struct Started {
        pub tasks: Vec<Task<Queued>>,
    }

    #[event]
    #[moves(task: Running -> Done)]
    pub struct Finished {
        pub task: Option<Task<Running>>,
    }
}

fn main() {
    let mut store = ironweave::Store::<flow::Model>::memory();
    let tasks: Vec<Task<Queued>> = (0..3).map(|_| store.step(Added).bound.task).collect();
    let mut running: Vec<Task<Running>> = store.step(Started { tasks }).bound.tasks;
    let done: Option<Task<Done>> = store
        .step(Finished {
            task: running.pop(),
        })
        .bound
        .task;
    assert!(done.is_some());
    assert_eq!(store.place::<Task, (Queued, Running)>().count(), 2);
}
