//! Random filters on random hospitals find what plain loops over rows find, in each kind of `Db`.

use std::rc::Rc;

use ironweave::prelude::*;
use ironweave::query::{FieldPath, Ordered, PageToken};

use crate::ask::{Ask, Asked, draw};
use crate::harness::random::Random;
use crate::hospital::state::Occupied;
use crate::hospital::*;
use crate::world::{BedIs, World};

/// All pages of a query, which are asked for one after the other.
fn pages<T>(mut page: impl FnMut(Option<&PageToken>) -> (Vec<T>, Option<PageToken>)) -> Vec<T> {
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let (items, after) = page(next.as_ref());
        all.extend(items);
        assert!(all.len() < 100_000, "the pages do not end");
        let Some(after) = after else { return all };
        // As a client sends it back.
        let read: PageToken = after.to_string().parse().expect("it was written");
        assert_eq!(read, after);
        next = Some(read);
    }
}

fn check<T: Asked>(db: &impl Db, world: &World, ask: &Ask<T>, most: usize) {
    let Ask {
        filter,
        holds,
        text,
    } = ask;
    let rows = T::in_order(world);
    let is = |row: &usize| holds(world, *row);
    let expected: Vec<T> = (rows.iter().filter(|row| is(row)))
        .filter_map(|row| T::living(world, *row))
        .collect();
    let found: Vec<T> = db.select(filter.clone()).collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(filter.count(db), expected.len(), "{text}");
    assert_eq!(filter.first(db), expected.first().copied(), "{text}");
    assert_eq!(filter.exists(db), !expected.is_empty(), "{text}");
    assert_eq!(filter.explain(db).found(), expected.len(), "{text}");
    for row in 0..T::len(world) {
        let Some(entity) = T::living(world, row) else {
            continue;
        };
        assert_eq!(filter.accepts(db, entity), is(&row), "{text}, {entity:?}");
    }
    let paged = pages(|after| {
        let page = filter.page(db, after, most).expect("it is of this order");
        assert!(page.items.len() <= most && (page.next.is_none() || page.items.len() == most));
        (page.items, page.next)
    });
    assert_eq!(paged, expected, "{text}, in pages of {most}");
}

fn check_order<T: Asked, V: ironweave::Value + Ord>(
    db: &impl Db,
    world: &World,
    ask: &Ask<T>,
    most: usize,
    path: FieldPath<T, V, Ordered>,
    value: impl Fn(&World, usize) -> V,
) {
    let Ask {
        filter,
        holds,
        text,
    } = ask;
    let mut rows = T::in_order(world);
    rows.retain(|row| holds(world, *row));
    // The sort is stable, so that entities with equal values stay in order of slots.
    rows.sort_by_key(|row| value(world, *row));
    for descending in [false, true] {
        let mut sorted = filter.clone().order_by(path);
        if descending {
            sorted = sorted.descending();
            rows.reverse();
        }
        let expected: Vec<T> = rows
            .iter()
            .filter_map(|row| T::living(world, *row))
            .collect();
        assert_eq!(sorted.first(db), expected.first().copied(), "{text}");
        let paged = pages(|after| {
            let page = sorted.page(db, after, most).expect("it is of this order");
            (page.items, page.next)
        });
        assert_eq!(
            paged, expected,
            "{text}, in pages of {most}, descending: {descending}"
        );
    }
}

fn since(world: &World, bed: usize) -> Option<u64> {
    match world.beds[bed].state {
        BedIs::Occupied(since) => Some(since),
        _ => None,
    }
}

fn check_all(db: &impl Db, world: &World, rng: &mut Random) {
    let most = 1 + rng.below(5);
    let depth = rng.below(4);
    match rng.below(4) {
        0 => {
            let ask = draw::<Ward>(rng, world, depth);
            check(db, world, &ask, most);
            check_order(db, world, &ask, most, Ward::RANK, |w, i| w.wards[i].rank);
        }
        1 => {
            let mut ask = draw::<Bed>(rng, world, depth);
            check(db, world, &ask, most);
            // Only beds with a patient have a place in the order.
            let all = ask.holds;
            ask.holds = Rc::new(move |w, i| all(w, i) && since(w, i).is_some());
            check_order(db, world, &ask, most, Bed::<Occupied>::SINCE, |w, i| {
                since(w, i).unwrap_or(0)
            });
        }
        2 => {
            let ask = draw::<Patient>(rng, world, depth);
            check(db, world, &ask, most);
            check_order(db, world, &ask, most, Patient::AGE, |w, i| {
                w.patients[i].age
            });
        }
        _ => check(db, world, &draw::<Doctor>(rng, world, depth), most),
    }
}

fn run(seed: u64, steps: usize) {
    let mut rng = Random(seed);
    let mut store = Store::<Model>::memory();
    let mut world = World::default();
    let mut old: Vec<(ironweave::Seq, Snapshot<Model>, World)> = Vec::new();
    for round in 0..4 {
        let mut t = store.begin();
        for _ in 0..steps {
            world.step(&mut rng, &mut t).expect("it can happen");
        }
        for _ in 0..6 {
            check_all(&t, &world, &mut rng);
            check_all(&t.reader(), &world, &mut rng);
        }
        let committed = t.commit().expect("it is written");
        let seq = committed.seq().expect("it has events");
        for _ in 0..6 {
            check_all(&store, &world, &mut rng);
        }
        old.push((seq, store.snapshot(), world.clone()));
        if round == 3 {
            for (seq, snapshot, world) in &old {
                let past = store.as_of(*seq).expect("it is in the log");
                for _ in 0..4 {
                    check_all(snapshot, world, &mut rng);
                    check_all(&past, world, &mut rng);
                }
            }
        }
    }
}

#[test]
fn in_small_hospitals() {
    for seed in 0..120 {
        run(seed, 25);
    }
}

#[test]
fn in_hospitals_whose_places_are_larger_than_the_first_budget() {
    for seed in 1_000..1_012 {
        run(seed, 600);
    }
}
