//! The decoder that is written from the format page reads what this program writes: relinks along edges that are declared at
//! either end, plain columns and others, and state data.

use ironweave::prelude::*;

use crate::a_decoder_of_the_page_agrees::agrees;
use crate::scratch_dir;

/// The one edge is declared at the end that holds many, the other at the end that holds one.
#[ironweave::model]
pub mod team {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
        #[key]
        pub number: u16,
        #[index(ordered)]
        pub value: i64,
        pub weight: f64,
        pub done: bool,
        pub first: Option<u32>,
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
        pub reviewer: Option<Worker>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Running)]
        Ready,
        #[to(Ready)]
        Running { since: Timestamp, by: char },
    }

    #[entity]
    pub struct Worker {
        pub tasks: Many<Task>,
        #[inverse(Task::reviewer)]
        pub reviews: Many<Task>,
    }

    #[event]
    #[create(worker: Worker)]
    pub struct Hired {}

    #[event]
    #[create(task: Task { name, number, value, weight, done, first })]
    #[link(worker.tasks += task)]
    #[link(worker.reviews += task)]
    pub struct Added {
        pub worker: Worker,
        pub name: String,
        pub number: u16,
        pub value: i64,
        pub weight: f64,
        pub done: bool,
        pub first: Option<u32>,
    }

    #[event]
    #[relink(worker.tasks += task)]
    #[relink(reviewer.reviews += task)]
    #[set(task.value = value)]
    pub struct Relinked {
        pub task: Task,
        pub worker: Worker,
        pub reviewer: Worker,
        pub value: i64,
    }

    #[event]
    #[moves(task: Ready -> Running { since = meta.time, by })]
    #[set(task.first = number)]
    pub struct Started {
        pub task: Task,
        pub by: char,
        pub number: Option<u32>,
    }

    #[event]
    #[relink(task.reviewer += reviewer)]
    pub struct Handed {
        pub task: Task,
        pub reviewer: Worker,
    }
}

#[test]
fn the_decoder_of_the_page_reads_what_is_written() {
    use team::*;
    let dir = scratch_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
    let workers: Vec<Worker> = (0..4)
        .map(|_| store.step(Hired {}).created.worker)
        .collect();
    for number in 0..12 {
        let i = usize::from(number);
        let added = store.step(Added {
            worker: workers[i % 4],
            name: format!("task-{number}"),
            number,
            value: -i64::from(number),
            weight: f64::from(number) / 3.0,
            done: number % 2 == 0,
            first: (number % 3 == 0).then_some(7),
        });
        let task = added.created.task;
        store.step(Relinked {
            task,
            worker: workers[(i + 1) % 4],
            reviewer: workers[(i + 2) % 4],
            value: i64::MIN + i64::from(number),
        });
        store.step(Handed {
            task,
            reviewer: workers[(i + 3) % 4],
        });
        let (by, number) = ('ß', (number % 2 == 0).then_some(u32::MAX));
        store.step(Started { task, by, number });
    }
    let fingerprint = store.fingerprint();
    drop(store);
    assert!(agrees::<Model>(dir.path()) > 200);
    let store = Store::<Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.fingerprint(), fingerprint);
    assert_eq!(store.verify().expect("the same facts"), 4 + 4 * 12);
}
