//! Queries cost what is taken of their results.

use std::sync::Arc;

use super::yard::state::{Busy, Idle, Ready, Running};
use super::*;
use crate::db::Db;
use crate::db::entity::Any;
use crate::snapshot::Snapshot;
use crate::store::record::{DecodedTransaction, Fact, GraphContext, Record};

/// Returns for each query the rows that it touches, and how many entities it found.
fn asked(db: &impl Db) -> Vec<(&'static str, usize, usize)> {
    let mut costs = Vec::new();
    let mut note = |what, ask: &dyn Fn() -> usize| {
        let (rows, found) = rows(ask);
        costs.push((what, rows, found));
    };
    macro_rules! each_way {
        ($what:literal, $query:expr) => {
            note(concat!($what, ", the first"), &|| {
                $query.next().into_iter().count()
            });
            note(concat!($what, ", the first ten"), &|| {
                $query.take(10).count()
            });
        };
    }
    each_way!("by weights", Task::by_weight_range(db, ..));
    each_way!("by heavy ones", Task::by_weight_range(db, Some(100)..));
    note("by few weights", &|| {
        Task::by_weight_range(db, Some(100)..=Some(120)).count()
    });
    note("by one weight", &|| Task::by_weight(db, &Some(7)).count());
    note("by no weight", &|| Task::by_weight(db, &None).count());
    each_way!("by kind", Task::by_kind(db, &1));
    note("by no kind", &|| Task::by_kind(db, &9).count());
    each_way!("all", db.place::<Task, Any>());
    each_way!("in a state", db.place::<Task, Ready>());
    each_way!("in two states", db.place::<Task, (Ready, Running)>());
    let (ready, running) = (Task::in_place::<Ready>, Task::in_place::<Running>);
    let (idle, busy) = (Worker::in_place::<Idle>, Worker::in_place::<Busy>);
    each_way!("of a state", db.select(ready()));
    each_way!("not of a state", db.select(!running()));
    each_way!("of either state", db.select(ready() | running()));
    each_way!("linked", db.select(Task::WORKER.any(idle())));
    each_way!("linked with many", db.select(Worker::TASKS.any(ready())));
    each_way!("both", db.select(ready() & Task::WORKER.any(idle())));
    each_way!(
        "both, the other way",
        db.select(Task::WORKER.any(idle()) & ready())
    );
    each_way!(
        "linked twice",
        db.select(Task::WORKER.any(Worker::TASKS.any(ready())))
    );
    each_way!(
        "linked and not",
        db.select(Task::WORKER.any(idle()) & !Task::NEEDS.any(running()))
    );
    note("linked with none", &|| {
        db.select(Task::WORKER.any(busy())).count()
    });
    note("both, with none", &|| {
        db.select(running() & Task::WORKER.any(idle())).count()
    });
    note("in both states, with none", &|| {
        db.select(ready() & running()).count()
    });
    note("not of the only state, with none", &|| {
        db.select(!ready()).count()
    });
    note("in neither state, with none", &|| {
        db.select(!(ready() | running())).count()
    });
    note("not in either state, with none", &|| {
        db.select(!!(running() & ready())).count()
    });
    note("both none", &|| {
        db.select(running() & Task::WORKER.any(busy())).count()
    });
    costs
}

#[test]
fn a_query_touches_what_is_taken_of_its_result() {
    let small = {
        let store = yard(1_000, 3);
        let snapshot = store.snapshot();
        (asked(&store), asked(&snapshot))
    };
    assert!(
        small
            .0
            .iter()
            .all(|(_, rows, found)| *rows > 0 || *found == 0)
    );
    for tasks in [30_000, 200_000] {
        let mut store = yard(tasks, 3);
        let snapshot: Snapshot<Model> = store.snapshot();
        // Empty words are skipped 4,096 slots at a time, in at most two states and three sets.
        let skipped = tasks as usize / 4_096 * 6;
        let transaction = asked(&store.begin().reader());
        let of_store = (asked(&store), &small.0);
        let of_snapshot = (asked(&snapshot), &small.1);
        for (costs, small) in [of_store, of_snapshot, (transaction, &small.0)] {
            for ((what, rows, found), (_, rows_small, found_small)) in costs.iter().zip(small) {
                assert_eq!(found, found_small, "{what}, {tasks} tasks");
                let most = rows_small + if what.contains("none") { skipped } else { 0 };
                assert!(*rows <= most, "{what}, {tasks} tasks: {rows}, {rows_small}");
            }
        }
    }
}

#[test]
fn a_filter_over_an_edge_does_not_read_the_links_of_a_hub_for_a_few_entities() {
    // All tasks of worker 0 need task 0. That one and the last twenty are running.
    let fan_in = 50_000u32;
    let mut store = yard(2 * fan_in, fan_in);
    for name in [0].into_iter().chain(2 * fan_in - 20..2 * fan_in) {
        step(
            &mut store,
            Started {
                task: crate::db::entity::Key::new(u64::from(name)),
            },
        );
    }
    let running = Task::in_place::<Running>;
    let filter = || running() & Task::NEEDS.any(running());
    let snapshot = store.snapshot();
    for (rows, found) in [
        rows(|| store.select(filter()).count()),
        rows(|| snapshot.select(filter()).count()),
    ] {
        assert_eq!(found, 20);
        assert!(rows < 1_000, "{rows}");
    }
}

#[test]
fn an_intersection_reads_the_links_of_the_entities_in_the_other_set() {
    let mut store = yard(1_000, 500);
    let task = crate::db::entity::Key::new(999u64);
    step(&mut store, Started { task });
    let (ready, running) = (Task::in_place::<Ready>, Task::in_place::<Running>);
    for filter in [
        running() & Task::NEEDS.any(ready()),
        Task::NEEDS.any(ready()) & running(),
    ] {
        let (rows, found) = rows(|| store.select(filter).count());
        assert_eq!(found, 1);
        assert!(rows < 20, "{rows}");
    }
}

#[test]
fn a_range_is_read_from_both_ends() {
    let store = yard(1_000, 3);
    let snapshot = store.snapshot();
    fn both(store: &impl Db, mut ends: impl DoubleEndedIterator<Item = Task>) -> [u64; 4] {
        let mut next = |back: bool| {
            let task = if back { ends.next_back() } else { ends.next() };
            task.expect("there are more").name(store)
        };
        [next(false), next(true), next(true), next(false)]
    }
    let within = Some(10)..Some(20);
    let expected = [10, 19, 18, 11];
    assert_eq!(
        both(&store, Task::by_weight_range(&store, within.clone())),
        expected
    );
    assert_eq!(
        both(&snapshot, Task::by_weight_range(&snapshot, within)),
        expected
    );
    assert_eq!(both(&store, Task::by_kind(&store, &1)), [1, 997, 993, 5]);
    let all: Vec<u64> = Task::by_weight_range(&snapshot, ..)
        .rev()
        .map(|t| t.name(&snapshot))
        .collect();
    assert_eq!(all, (0..1_000).rev().collect::<Vec<u64>>());
}

#[test]
fn a_diff_touches_the_data_of_links_that_may_differ() {
    let cost = |fan_in: u32| {
        let mut store = yard(2 * fan_in, fan_in);
        let find = |store: &Store<Model>, n: u32| store.find::<Task>(&u64::from(n)).expect("there");
        let (task, other) = (find(&store, 2 * fan_in - 1), find(&store, 0));
        let before = store.snapshot();
        store.step(Unneeded { task, other });
        let weight = 7;
        store.step(Needed {
            task,
            other,
            weight,
        });
        let after = store.snapshot();
        let (rows, diff) = rows(|| before.diff(&after).expect("of one store"));
        let facts: Vec<String> = diff.facts().iter().map(|fact| fact.to_string()).collect();
        assert_eq!(facts.len(), 1, "{facts:?}");
        rows
    };
    let cost = cost(50_000);
    assert!(cost < 1_000, "{cost}");
}

/// Returns a store, and a transaction of it that changes old tasks and adds new ones.
fn with_changes(tasks: u32) -> (Store<Model>, Snapshot<Model>) {
    let mut store = yard(tasks, tasks);
    let before = store.snapshot();
    let all: Vec<Task> = store.place::<Task, Any>().collect();
    let worker = all[0].worker(&store).expect("it has one");
    let mut t = store.begin();
    for (task, name) in all.into_iter().zip(u64::from(tasks)..) {
        let weight = Some(name);
        t.apply(Weighed { task, weight }).expect("it exists");
        t.apply(Added { worker, name }).expect("a new name");
    }
    // The facts of an open transaction do not have the generations of their entities.
    let facts = t.facts();
    let each: Vec<String> = facts.iter().map(|fact| fact.to_string()).collect();
    let (rows, text) = rows(|| facts.to_string());
    assert_eq!(text, each.join("\n"));
    assert!(rows < 2 * facts.len(), "{rows}");
    let (rows, text) = self::rows(|| format!("{facts:?}"));
    assert_eq!(text, format!("[{}]", each.join(", ")));
    assert!(rows < 2 * facts.len(), "{rows}");
    t.commit().expect("it is written");
    (store, before)
}

#[test]
fn facts_without_generations_are_searched_once() {
    let (store, before) = with_changes(100);
    let after = store.snapshot();
    let seq = before.state.at.next();
    let view = store.view().expect("it has a log");
    let frame = view.frames(seq).expect("it reads").next();
    let frame = frame.expect("a frame").expect("it reads");
    let read = || DecodedTransaction::read(&frame, &view.epochs, &view.plan).expect("it reads");
    let logged = Record::<Model>::new(Arc::new(read()));
    // As a record of format version 2, with the graph after it.
    let without_generations = || {
        let mut transaction = read();
        transaction.decoded.facts.generations.clear();
        let graph = Arc::clone(&after.state) as Arc<dyn GraphContext>;
        Record::<Model>::new(Arc::new(transaction)).with_context(Some(graph))
    };
    let facts = logged.facts().len();
    assert!(facts > 100 && logged.firings().len() > 100);
    let all = |render: &dyn Fn(&Record<Model>) -> String| {
        let record = without_generations();
        let (rows, text) = rows(|| render(&record));
        assert_eq!(text, render(&logged));
        assert!(rows < 2 * facts, "{rows}");
    };
    all(&|record| format!("{record:?}"));
    all(&|record| serde_json::to_string(record).expect("it is JSON"));
    all(&|record| record.facts().to_string());
    all(&|record| {
        let ends = |fact: Fact<'_>| format!("{} {:?}", fact.entity(), fact.other());
        record.facts().iter().map(ends).collect()
    });
}

#[test]
fn a_diff_touches_a_part_of_the_list_of_a_hub() {
    let cost = |fan_in: u32| {
        let mut store = yard(2 * fan_in, fan_in);
        let task = store.find::<Task>(&u64::from(2 * fan_in - 7));
        let task = task.expect("there");
        let workers: Vec<Worker> = store.place::<Worker, Any>().take(2).collect();
        let before = store.snapshot();
        let branch = |event: Relinked| before.with(event).expect("it can happen").snapshot;
        let worker = workers[1];
        let (moved, other) = (branch(Relinked { worker, task }), before.clone());
        let diff = |from: &Snapshot<Model>, to: &Snapshot<Model>, expected: &[&str]| {
            let (rows, diff) = rows(|| from.diff(to).expect("of one store"));
            let facts: Vec<String> = diff.facts().iter().map(|fact| fact.to_string()).collect();
            let kinds: Vec<&str> = facts.iter().filter_map(|f| f.split(' ').next()).collect();
            assert_eq!(kinds, expected, "{facts:?}");
            rows
        };
        // The hub loses a link in the middle of its list, gains it, and gets it back at the end.
        let to = diff(&other, &moved, &["unlink", "link"]);
        let back = diff(&moved, &other, &["unlink", "link"]);
        let worker = workers[0];
        store.step(Unlinked { worker, task });
        let unlinked = diff(&before, &store.snapshot(), &["unlink"]);
        store.step(Linked { worker, task });
        let linked = diff(&before, &store.snapshot(), &[]);
        [to, back, unlinked, linked]
    };
    let (small, large) = (cost(5_000), cost(100_000));
    for (small, large) in small.into_iter().zip(large) {
        assert!(large < 2 * small && small < 6_000, "{small}, {large}");
    }
}
