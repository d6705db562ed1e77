//! Tests that the number of table rows that an operation touches is the same in a small and in a large graph, and at any
//! fan-in.
//!
//! A row is an entry of a table: a word, a cell, a list, a counter, or 64 bits of the set of entities in a state. An access to
//! a whole list counts all of its rows. The tables count accesses in test builds only (`graph/storage.rs`), so whole steps
//! are measured, from the binding of the event to the frame.

mod choices;
mod choices_in_indexes;
mod due;
mod filters;
mod indexes;
mod models;
mod queries;
mod watches;

use crate::base::error::StepError;
use crate::db::Db as _;
use crate::graph::storage::{COPIED, TOUCHED};
use crate::schema::{EdgeIx, EntityIx, Hop, StateIx};
use crate::step::event::Event;
use crate::store::Store;

/// Returns how many rows `act` touches, and its result.
fn rows<R>(act: impl FnOnce() -> R) -> (usize, R) {
    let before = TOUCHED.get();
    let result = act();
    (TOUCHED.get() - before, result)
}

/// A model of tasks that workers hold and that need other tasks.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod yard {
    use crate::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: u64,
        #[index(ordered)]
        pub weight: Option<u64>,
        #[index]
        #[default]
        pub kind: u64,
        #[inverse(Worker::tasks)]
        #[edge(on_delete = unlink)]
        pub worker: Option<Worker>,
        #[edge(data = u64)]
        pub needs: Many<Task>,
        #[inverse(Task::needs)]
        pub needed_by: Many<Task>,
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
        #[edge(min = 1, counted)]
        pub tasks: Many<Task>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[terminal]
        Busy,
    }

    #[event]
    #[create(task: Task { name })]
    #[link(worker.tasks += task)]
    pub struct Added {
        pub worker: Worker,
        pub name: u64,
    }

    #[event]
    #[create(worker: Worker)]
    #[link(worker.tasks += tasks)]
    pub struct Hired {
        pub tasks: Vec<Task>,
    }

    #[event]
    #[link(worker.tasks += task)]
    pub struct Linked {
        pub worker: Worker,
        pub task: Task,
    }

    #[event]
    #[unlink(worker.tasks -= task)]
    pub struct Unlinked {
        pub worker: Worker,
        pub task: Task,
    }

    #[event]
    #[relink(worker.tasks += task)]
    pub struct Relinked {
        pub worker: Worker,
        pub task: Task,
    }

    #[event]
    #[moves(task: Ready -> Running)]
    pub struct Started {
        pub task: Key<Task>,
    }

    #[event]
    #[moves(task: Running -> Ready)]
    pub struct Stopped {
        pub task: Task,
    }

    #[event]
    #[link(task.needs += other { data = weight })]
    pub struct Needed {
        pub task: Task,
        pub other: Task,
        pub weight: u64,
    }

    #[event]
    #[unlink(task.needs -= other)]
    pub struct Unneeded {
        pub task: Task,
        pub other: Task,
    }

    #[event]
    #[set(task.weight = weight)]
    pub struct Weighed {
        pub task: Task,
        pub weight: Option<u64>,
    }

    #[event]
    #[delete(task)]
    pub struct Dropped {
        pub task: Task,
    }

    #[immediate]
    #[when(all worker.tasks in Running)]
    #[moves(worker: Idle -> Busy)]
    pub struct AllRun {
        pub worker: Worker,
    }
}

use yard::*;

/// Returns a yard with this many tasks, written directly as facts. Worker 0 holds the last `fan_in` tasks, which are linked
/// with task 0 by `needs`. Each other worker holds ten tasks.
fn yard(tasks: u32, fan_in: u32) -> Store<Model> {
    let mut store = Store::<Model>::memory();
    let schema = store.schema();
    let entity = |name: &str| -> EntityIx {
        let at = schema.entities.iter().position(|e| e.name == name);
        EntityIx::try_from(at.expect("an entity")).expect("few")
    };
    let edge = |name: &str| -> EdgeIx {
        let at = schema.edges.iter().position(|e| e.from.name == name);
        EdgeIx::try_from(at.expect("an edge")).expect("few")
    };
    let (task, worker) = (entity("Task"), entity("Worker"));
    let (holds, needs) = (edge("tasks"), edge("needs"));
    let core = &mut store.core;
    let columns = core.graph.layout.entities[usize::from(task)]
        .columns
        .clone();
    for w in 0..=(tasks - fan_in).div_ceil(10) {
        assert_eq!(
            core.graph
                .create(&mut core.open.journal, worker, StateIx::default())
                .expect("room"),
            w
        );
    }
    for t in 0..tasks {
        core.graph
            .create(&mut core.open.journal, task, StateIx::default())
            .expect("room");
        core.graph
            .set(&mut core.open.journal, columns[0], t, &u64::from(t))
            .expect("a name");
        core.graph
            .set(&mut core.open.journal, columns[1], t, &Some(u64::from(t)))
            .expect("a weight");
        core.graph
            .set(&mut core.open.journal, columns[2], t, &u64::from(t % 4))
            .expect("a kind");
        let with = if t >= tasks - fan_in { 0 } else { 1 + t / 10 };
        core.graph
            .link(&mut core.open.journal, holds, with, t)
            .expect("free");
        if with == 0 {
            core.graph
                .link(&mut core.open.journal, needs, t, 0)
                .expect("free");
            core.graph
                .set_link(&mut core.open.journal, needs, (t, 0), &1u64)
                .expect("data");
        }
        if t % 4096 == 0 {
            core.keep();
        }
    }
    core.keep();
    store
}

fn step<E: Event<Model = Model>>(store: &mut Store<Model>, event: E) -> usize {
    let (rows, result) = rows(|| store.try_step(event).map(|_| ()));
    result.expect("it can happen");
    rows
}

/// Returns the rows that each operation touches on the last tasks of worker 0.
fn costs(store: &mut Store<Model>, tasks: u32) -> Vec<(&'static str, usize)> {
    let task = |n: u32| {
        store
            .find::<Task>(&u64::from(tasks - 1 - n))
            .expect("there")
    };
    let (last, other, hub) = (task(0), task(1), task(tasks - 1));
    let worker = |slot: u32| {
        let at = store
            .place::<Worker, crate::db::entity::Any>()
            .nth(slot as usize);
        at.expect("a worker")
    };
    let (busy, idle) = (worker(0), worker(1));
    let key = || crate::db::entity::Key::new(u64::from(tasks - 1));
    let mut costs = Vec::new();
    // Each operation runs twice, because a table that grows in the first round does not grow in the second.
    for round in 0..2 {
        let mut note = |what: &'static str, rows: usize| {
            if round == 1 {
                assert!(rows > 0, "{what}: nothing was counted");
                costs.push((what, rows));
            }
        };
        let (worker, task) = (idle, last);
        note("relink", step(store, Relinked { worker, task }));
        let (away, asked) =
            rows(|| store.what_if(|t| t.apply(Relinked { worker: busy, task }).map(|_| ())));
        asked.expect("it can happen");
        note("what-if of a relink to it", away);
        note("relink back", step(store, Relinked { worker: busy, task }));
        let (away, asked) =
            rows(|| store.what_if(|t| t.apply(Relinked { worker, task }).map(|_| ())));
        asked.expect("it can happen");
        note("what-if of a relink away", away);
        note("unlink", step(store, Unlinked { worker: busy, task }));
        note("link", step(store, Linked { worker: busy, task }));
        let (again, linked) = rows(|| store.try_step(Linked { worker: busy, task }));
        assert!(matches!(linked, Err(StepError::AlreadyLinked { .. })));
        note("reject a link", again);

        note("move, by key", step(store, Started { task: key() }));
        let (again, moved) = rows(|| store.try_step(Started { task: key() }));
        assert!(matches!(moved, Err(StepError::NotInPlace { .. })));
        note("reject a move", again);
        note("move back", step(store, Stopped { task }));

        let weight = Some(u64::from(tasks));
        note("set", step(store, Weighed { task, weight }));
        note("unneed", step(store, Unneeded { task, other: hub }));
        let weight = 3;
        let needed = Needed {
            task,
            other: hub,
            weight,
        };
        note("need", step(store, needed));
        let (away, asked) =
            rows(|| store.what_if(|t| t.apply(Unneeded { task, other: hub }).map(|_| ())));
        asked.expect("it can happen");
        note("what-if of an unneed", away);

        let (row, seen) = rows(|| {
            let found = store.find::<Task>(&u64::from(tasks - 1));
            let found = found.expect("there");
            (found.alive(store), found.name(store), found.worker(store))
        });
        assert_eq!(seen, (true, u64::from(tasks - 1), Some(busy)));
        note("lookup", row);
        let (row, _) = rows(|| {
            let held = busy.tasks_contains(store, &other);
            (
                held,
                busy.tasks_count(store),
                busy.tasks_in::<state::Ready>(store),
            )
        });
        note("questions of the list", row);

        let name = u64::from(tasks) + round;
        let (row, made) = rows(|| store.try_step(Added { worker: busy, name }));
        let task = made.expect("new").created.task;
        note("create", row);
        note("delete", step(store, Dropped { task }));
    }
    costs
}

/// Returns the rows that each operation touches in a yard of about `tasks` tasks, of which one worker holds `fan_in`.
fn costs_of(tasks: u32, fan_in: u32) -> Vec<(&'static str, usize)> {
    // At any size, the last task shares its 64-bit word with the same number of other tasks.
    let tasks = tasks / 64 * 64 + 40;
    let mut store = yard(tasks, fan_in);
    let costs = costs(&mut store, tasks);
    if tasks <= 1_000 {
        let wrong = store.check();
        assert!(wrong.is_empty(), "{:?}", &wrong[..wrong.len().min(5)]);
    }
    costs
}

#[test]
fn no_operation_touches_more_rows_in_a_larger_graph() {
    let small = costs_of(1_000, 3);
    for tasks in [30_000, 1_000_000] {
        assert_eq!(costs_of(tasks, 3), small, "{tasks} tasks");
    }
}

#[test]
fn no_operation_touches_more_rows_at_a_greater_fan_in() {
    let small = costs_of(1_000, 2);
    for fan_in in [3, 100, 100_000] {
        let tasks = (fan_in * 2).max(1_000);
        assert_eq!(costs_of(tasks, fan_in), small, "fan-in {fan_in}");
    }
}

/// Returns for each event that is tried on a snapshot the rows that it touches and the pages that it copies.
fn tried(tasks: u32) -> Vec<(&'static str, usize, usize)> {
    let tasks = tasks / 64 * 64 + 40;
    let store = yard(tasks, 3);
    let snapshot = store.snapshot();
    let find = |n: u32| snapshot.find::<Task>(&u64::from(n)).expect("there");
    let (task, other) = (find(tasks - 1), find(0));
    let worker = store.place::<Worker, crate::db::entity::Any>().nth(1);
    let worker = worker.expect("a worker");
    let key = || crate::db::entity::Key::new(u64::from(tasks - 1));
    let mut costs = Vec::new();
    let mut note = |what, does: &dyn Fn()| {
        let pages = COPIED.get();
        let (rows, ()) = rows(does);
        costs.push((what, rows, COPIED.get() - pages));
    };
    let unneeded = || Unneeded { task, other };
    // After the first event, the tables have grown.
    note("relink", &|| {
        drop(
            snapshot
                .with(Relinked { worker, task })
                .expect("it can happen"),
        )
    });
    note("move", &|| {
        drop(
            snapshot
                .with(Started { task: key() })
                .expect("it can happen"),
        )
    });
    note("unneed", &|| {
        drop(snapshot.with(unneeded()).expect("it can happen"))
    });
    note("reject", &|| {
        assert!(snapshot.with(Linked { worker, task }).is_err())
    });
    costs
}

#[test]
fn what_is_tried_on_a_snapshot_copies_pages_by_the_depth_of_its_tables_and_no_more() {
    let small = tried(10_000);
    for ((what, rows, pages), (_, rows_small, pages_small)) in tried(200_000).iter().zip(&small) {
        assert_eq!(rows, rows_small, "{what}");
        assert!(
            *pages > 0 || *what == "reject",
            "{what}: no page was counted"
        );
        // A map has one more level for about each factor of 16. Changes of arrays are stored beside their pages.
        assert!(*pages <= pages_small * 2, "{what}: {pages}, {pages_small}");
        if ["relink", "move"].contains(what) {
            assert!(pages <= pages_small, "{what}: {pages}, {pages_small}");
        }
    }
}

/// Returns the number of pieces of the list of a worker that the second snapshot does not share with the first, and of all.
fn unshared(
    a: &crate::Snapshot<Model>,
    b: &crate::Snapshot<Model>,
    worker: Worker,
) -> (usize, usize) {
    let schema = a.schema();
    let holds = (schema.edges.iter()).position(|e| e.from.name == "tasks" || e.to.name == "tasks");
    let edge = EdgeIx::try_from(holds.expect("an edge")).expect("few");
    let forward = schema[edge].from.name == "tasks";
    let runs = |snapshot: &crate::Snapshot<Model>| {
        let links = snapshot
            .state
            .graph
            .links(Hop { edge, forward }, worker.id().slot());
        links.runs()
    };
    let before: std::collections::HashSet<_> = runs(a).into_iter().collect();
    let after = runs(b);
    let unshared = after.iter().filter(|run| !before.contains(*run)).count();
    (unshared, after.len())
}

#[test]
fn a_change_at_a_hub_copies_a_few_pages_of_its_list_while_snapshots_are_kept() {
    let tasks = 200_000u32;
    let mut store = yard(tasks, 100_000);
    let find = |store: &Store<Model>, n: u32| store.find::<Task>(&u64::from(n)).expect("there");
    let workers: Vec<Worker> = store
        .place::<Worker, crate::db::entity::Any>()
        .take(2)
        .collect();
    let [hub, other] = workers[..] else {
        panic!("there are two workers");
    };
    let (mut kept, mut fingerprints) = (vec![store.snapshot()], vec![store.fingerprint()]);
    let (mut copied, mut seed) = (0, 7u32);
    for round in 0..400 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Tasks of the hub, from the middle of its list.
        let task = find(&store, tasks - 1 - (seed >> 8) % 90_000);
        let worker = if task.worker(&store) == Some(hub) {
            other
        } else {
            hub
        };
        let pages = COPIED.get();
        match round % 4 {
            0 if task.worker(&store) == Some(hub) => {
                _ = step(&mut store, Unlinked { worker: hub, task })
            }
            1 if task.worker(&store).is_none() => {
                _ = step(&mut store, Linked { worker: hub, task })
            }
            _ => _ = step(&mut store, Relinked { worker, task }),
        }
        let snapshot = store.snapshot();
        copied = copied.max(COPIED.get() - pages);
        let (unshared, all) = unshared(&kept[kept.len() - 1], &snapshot, hub);
        // Members beside the pages of the list split it into more pieces.
        assert!(all >= 190 && unshared <= 100, "{unshared} of {all}");
        kept.push(snapshot);
        fingerprints.push(store.fingerprint());
    }
    assert!(copied > 0 && copied <= 100, "{copied} pages");
    let (unshared, all) = unshared(&kept[0], &kept[kept.len() - 1], hub);
    assert!(unshared > 0 && unshared < all, "{unshared} of {all}");
    for (snapshot, fingerprint) in kept.iter().zip(&fingerprints).step_by(100) {
        let graph = &snapshot.state.graph;
        assert_eq!(
            (graph.fingerprint, graph.recomputed_fingerprint()),
            (*fingerprint, *fingerprint)
        );
    }
}
