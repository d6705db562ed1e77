//! A query begins where it costs least: with named entities and their links, with a key or an index. A page costs its
//! entities.

use super::yard::state::Ready;
use super::*;
use crate::db::Db;
use crate::db::query::Filter;
use crate::db::query::page::PageToken;

/// Returns the rows that queries touch that begin with a named entity, a key or an index, and what they find.
fn begun(db: &impl Db) -> Vec<(&'static str, usize, usize)> {
    let task = db.find::<Task>(&17u64).expect("there");
    let worker = task.worker(db).expect("it has one");
    let (ready, named) = (Task::in_place::<Ready>, Task::WORKER.is(worker));
    let few = Task::WEIGHT.within(Some(10)..Some(20));
    let mut costs = Vec::new();
    let mut note = |what, filter: Filter<Task>| {
        let (rows, found) = rows(|| filter.count(db));
        costs.push((what, rows, found));
        let (rows, found) = self::rows(|| filter.exists(db));
        costs.push((what, rows, usize::from(found)));
    };
    note("of a worker", named.clone());
    note("of a worker, in a state", named.clone() & ready());
    note("of a worker, the other way", ready() & named.clone());
    note(
        "of a worker, with a weight",
        named.clone() & Task::WEIGHT.ge(Some(15)),
    );
    note(
        "of a worker, without a weight",
        named.clone() & Task::WEIGHT.ne(15),
    );
    note(
        "of a worker, by a complement",
        named.clone() & !Task::NEEDED_BY.contains(task),
    );
    note("of a key", Task::NAME.eq(17u64));
    note("of several keys", Task::NAME.one_of([3u64, 17, 5_000_000]));
    note("of a weight", Task::WEIGHT.eq(17));
    note("of weights", few.clone());
    note("of weights, in a state", few & ready());
    note(
        "of a worker of a key",
        Task::WORKER.any(Worker::TASKS.any(Task::NAME.eq(17u64))),
    );
    note("given", Filter::of([task]));
    note("of a worker, or of a key", named | Task::NAME.eq(3u64));
    costs
}

#[test]
fn a_query_begins_with_a_named_entity_a_key_or_an_index() {
    let small = {
        let store = yard(1_000, 3);
        (begun(&store), begun(&store.snapshot()))
    };
    for (what, rows, found) in &small.0 {
        assert!(
            *rows < 200 && *found > 0,
            "{what}: {rows} rows, {found} found"
        );
    }
    for tasks in [30_000, 200_000] {
        let mut store = yard(tasks, 3);
        let snapshot = store.snapshot();
        // The summary of the places, which has a word for each 4,096 slots in each of two states.
        let skipped = tasks as usize / 4_096 * 2;
        let transaction = begun(&store.begin().reader());
        for (costs, small) in [
            (begun(&store), &small.0),
            (begun(&snapshot), &small.1),
            (transaction, &small.0),
        ] {
            for ((what, rows, found), (_, rows_small, found_small)) in costs.iter().zip(small) {
                assert_eq!(found, found_small, "{what}, {tasks} tasks");
                // A tree of entries in pages is a level deeper.
                let most = rows_small + skipped + 8;
                assert!(*rows <= most, "{what}, {tasks} tasks: {rows}, {rows_small}");
            }
        }
    }
}

#[test]
fn a_hub_is_asked_whether_it_has_a_link() {
    let store = yard(20_000, 10_000);
    let hub = store.find::<Task>(&0u64).expect("there");
    let last = store.find::<Task>(&19_999u64).expect("there");
    let needs = Task::NEEDED_BY.contains(last);
    let (rows, found) = rows(|| needs.accepts(&store, hub));
    assert!(found && rows < 20, "{rows}");
    let (rows, found) = self::rows(|| needs.count(&store));
    assert!(found == 1 && rows < 100, "{rows}");
    let of_hub = Task::NEEDS.contains(hub);
    let (rows, found) = self::rows(|| of_hub.exists(&store));
    assert!(found && rows < 50_000, "{rows}");
    let (rows, found) = self::rows(|| (of_hub & Task::NAME.eq(19_999u64)).count(&store));
    assert!(found == 1 && rows < 200, "{rows}");
}

/// Returns the rows that a page touches which begins in the middle of about `tasks` tasks.
fn page_in_the_middle(tasks: u32, same_weight: bool) -> [usize; 4] {
    let mut store = yard(tasks, 3);
    if same_weight {
        let core = &mut store.core;
        let weight = core.graph.layout.entities[0].columns[1];
        for task in 0..tasks {
            let journal = &mut core.open.journal;
            (core.graph.set(journal, weight, task, &Some(7u64))).expect("a weight");
            if task % 4_096 == 0 {
                core.keep();
            }
        }
        core.keep();
    }
    fn pages(db: &impl Db, half: usize) -> [usize; 2] {
        let ready = Task::in_place::<Ready>();
        let by_weight = ready.clone().order_by(Task::WEIGHT);
        let (by_id, sorted) = (
            |after: Option<&PageToken>, most| ready.page(db, after, most).expect("a page"),
            |after: Option<&PageToken>, most| by_weight.page(db, after, most).expect("a page"),
        );
        let after = by_id(None, half).next;
        let (of_ids, page) = rows(|| by_id(after.as_ref(), 10));
        assert_eq!(page.items.len(), 10);
        let after = sorted(None, half).next;
        let (of_weights, page) = rows(|| sorted(after.as_ref(), 10));
        assert_eq!(page.items.len(), 10);
        [of_ids, of_weights]
    }
    let half = tasks as usize / 2;
    let (of_store, of_snapshot) = (pages(&store, half), pages(&store.snapshot(), half));
    [of_store[0], of_store[1], of_snapshot[0], of_snapshot[1]]
}

#[test]
fn a_page_costs_its_entities_wherever_it_is() {
    for same_weight in [false, true] {
        let small = page_in_the_middle(1_000, same_weight);
        let large = page_in_the_middle(60_000, same_weight);
        for (small, large) in small.into_iter().zip(large) {
            assert!(small < 100 && large <= small + 16, "{small}, {large}");
        }
    }
}

#[test]
fn an_order_costs_the_cheaper_of_walking_and_sorting() {
    let store = yard(50_000, 3);
    let task = store.find::<Task>(&40_000u64).expect("there");
    let worker = task.worker(&store).expect("it has one");
    // The ten tasks of a worker are far back in the index, and are sorted.
    let of_worker = Task::WORKER.is(worker).order_by(Task::WEIGHT);
    let (rows, page) = rows(|| of_worker.page(&store, None, 3).expect("a page"));
    assert!(page.items.len() == 3 && rows < 400, "{rows}");
    assert_eq!(page.items[0].name(&store), 40_000);
    // A condition on the field begins in the index.
    let heavy = (Task::WEIGHT.ge(45_000) & Task::in_place::<Ready>()).order_by(Task::WEIGHT);
    let (rows, first) = self::rows(|| heavy.first(&store).expect("there is one"));
    assert!(first.name(&store) == 45_000 && rows < 20, "{rows}");
    let (rows, first) = self::rows(|| heavy.clone().descending().first(&store));
    assert!(first.is_some() && rows < 20, "{rows}");
}

#[test]
fn an_explanation_says_what_was_read() {
    let store = yard(1_000, 3);
    let task = store.find::<Task>(&17u64).expect("there");
    let worker = task.worker(&store).expect("it has one");
    let explained = |filter: Filter<Task>| filter.explain(&store).to_string();
    assert_eq!(
        explained(Task::WORKER.is(worker)),
        "Task: 10 of 1000 by the links over Task.worker from named entities, reading 11 values and links"
    );
    assert_eq!(
        explained(Task::in_place::<Ready>()),
        "Task: 1000 of 1000 by places, reading 0 values and links"
    );
    assert_eq!(
        explained(Task::NAME.eq(17u64) & Task::WORKER.is(worker)),
        "Task: 1 of 1000 by the key Task.name, reading 5 values and links"
    );
    let unindexed = Task::WEIGHT
        .matches(|weight| *weight == Some(3))
        .explain(&store);
    assert_eq!(
        (unindexed.found(), unindexed.way()),
        (1, Some("tests of single entities"))
    );
    assert!((1_000..5_000).contains(&unindexed.read()), "{unindexed}");
    let indexed = (Task::WEIGHT.lt(Some(20)) & Task::KIND.eq(1u64)).explain(&store);
    assert_eq!(indexed.way(), Some("the index Task.weight"));
}
