//! What is due costs what it is, however many entities are in other states or due later, and one call fires a limited number.

use crate::base::time::Timestamp;
use crate::store::cost::rows;
use crate::store::{DueReport, Store};

/// Tasks that keep their deadlines when they are done.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod office {
    use crate::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: u64,
        pub deadline: Option<Timestamp>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Late, Done)]
        Open,
        #[terminal]
        Late,
        #[terminal]
        Done,
    }

    #[event]
    #[create(task: Task { name, deadline })]
    pub struct Assign {
        pub name: u64,
        pub deadline: Option<Timestamp>,
    }
    #[event]
    #[moves(task: Open -> Done)]
    pub struct Finish {
        pub task: Key<Task>,
    }
    #[event]
    #[due(task.deadline)]
    #[moves(task: Open -> Late)]
    pub struct Miss {
        pub task: Task,
    }
}

use office::{Assign, Finish, Model};

fn secs(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs as i64)
}

fn assign(store: &mut Store<Model>, name: u64, deadline: Option<u64>) {
    let deadline = deadline.map(secs);
    store.step(Assign { name, deadline });
}

/// So many tasks that are done, without a deadline and due later each, and three that are due.
fn store(others: u64) -> Store<Model> {
    let mut store = Store::<Model>::memory();
    for n in 0..others {
        let name = 100 + 10 * n;
        assign(&mut store, name, Some(1));
        store.step(Finish { task: name.into() });
        assign(&mut store, name + 1, None);
        assign(&mut store, name + 2, Some(1_000 + n));
    }
    for name in 0..3 {
        assign(&mut store, name, Some(10 + name));
    }
    store
}

#[test]
fn what_is_due_costs_the_same_beside_many_others() {
    let costs = |others| {
        let mut store = store(others);
        let (next, time) = rows(|| store.next_due());
        assert_eq!(time, Some(secs(10)));
        let (listed, found) = rows(|| store.due(secs(100)).count());
        assert_eq!(found, 3);
        let (fired, report) = rows(|| store.fire_due(secs(100)));
        assert_eq!(report.map(|report| report.fired.len()).ok(), Some(3));
        (next, listed, fired)
    };
    assert_eq!(costs(10), costs(3_000));
}

#[test]
fn a_call_tries_a_limited_number_of_events() {
    let mut store = store(10);
    let mut report = DueReport::default();
    let tried = store.fire_due_at_most(secs(100), 2, &mut report);
    assert!(tried.is_ok() && !report.is_complete);
    assert_eq!(report.fired.len(), 2);
    let mut report = DueReport::default();
    let tried = store.fire_due_at_most(secs(100), 2, &mut report);
    assert!(tried.is_ok() && report.is_complete);
    assert_eq!(report.fired.len(), 1);
}
