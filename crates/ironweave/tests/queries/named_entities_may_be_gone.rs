//! A filter that names a deleted entity, and entities at slots that were reused.

use ironweave::prelude::*;

use crate::hospital::state::*;
use crate::hospital::*;

fn ward(store: &mut Store<Model>, name: &str) -> Ward {
    let (hospital, name, rank) = (1, name.to_owned(), 0);
    store
        .step(WardOpened {
            hospital,
            name,
            rank,
        })
        .created
        .ward
}

fn bed(store: &mut Store<Model>, number: u64, ward: Ward) -> Bed {
    let (colour, weight) = (None, 0.0);
    store
        .step(BedBought {
            number,
            colour,
            weight,
            ward,
        })
        .created
        .bed
}

#[test]
fn a_deleted_entity_is_linked_with_nothing() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    let first = bed(&mut store, 1, icu);
    let filter = Bed::WARD.is(icu);
    assert_eq!(filter.first(&store), Some(first));
    store.step(Scrapped { bed: first });
    assert!(!Filter::of([first]).exists(&store));
    assert!(!Filter::of([first]).accepts(&store, first));
    // The slot has another bed, which is not the one that was named.
    let second = bed(&mut store, 2, icu);
    assert_eq!(second.id().slot(), first.id().slot());
    assert_eq!(Filter::of([first]).count(&store), 0);
    assert_eq!(Ward::BEDS.contains(first).count(&store), 0);
    assert_eq!((!Ward::BEDS.contains(first)).count(&store), 1);
    assert_eq!(Ward::BEDS.contains(second).first(&store), Some(icu));

    store.step(WardClosed { ward: icu });
    let er = ward(&mut store, "er");
    assert_eq!(er.id().slot(), icu.id().slot());
    let third = bed(&mut store, 3, er);
    assert_eq!(filter.count(&store), 0);
    assert_eq!((!filter).first(&store), Some(third));
    assert_eq!(Bed::WARD.any(Filter::of([icu, er, er])).count(&store), 1);
}

#[test]
fn a_token_names_its_entity_whatever_its_state_is_now() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    let bed = bed(&mut store, 1, icu);
    let free = bed.in_state::<Free>(&store).expect("it is new");
    store.step(Broke { bed });
    assert_eq!(Ward::BEDS.contains(free).first(&store), Some(icu));
    assert!(Bed::in_place::<Broken>().accepts(&store, bed));
}

#[test]
fn filters_of_nothing_accept_nothing_and_their_complements_everything() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    bed(&mut store, 1, icu);
    let nothing = [
        Filter::of(Vec::<Bed>::new()),
        Bed::NUMBER.one_of(Vec::<u64>::new()),
        Bed::NUMBER.within(5..5),
        Bed::NUMBER.within((std::ops::Bound::Excluded(1), std::ops::Bound::Excluded(1))),
        Bed::WEIGHT.eq(f64::NAN),
        Bed::WEIGHT.ge(f64::NAN),
        Bed::in_place::<Free>() & Bed::in_place::<Broken>(),
        Bed::WARD.none(Ward::in_place::<Any>()),
    ];
    for filter in nothing {
        assert_eq!(filter.count(&store), 0, "{filter:?}");
        assert_eq!((!filter.clone()).count(&store), 1, "{filter:?}");
        assert_eq!((!!filter).count(&store), 0);
    }
    // An index is asked for a range that ends before it begins.
    let (from, to) = (5, -5);
    assert_eq!(Ward::RANK.within(from..to).count(&store), 0);
    assert_eq!(
        (Ward::RANK.ge(from) & Ward::RANK.lt(to))
            .order_by(Ward::RANK)
            .first(&store),
        None
    );
    assert_eq!(Ward::RANK.within(..).count(&store), 1);
}

#[test]
fn a_filter_has_many_parts() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    for number in 0..100 {
        bed(&mut store, number, icu);
    }
    let all = (0..50_000).fold(Bed::NUMBER.ge(10), |all, number| {
        all & Bed::NUMBER.ne(number % 5)
    });
    assert_eq!(all.count(&store), 90);
    let any = (0..50_000).fold(Bed::NUMBER.eq(7), |any, number| {
        any | Bed::NUMBER.eq(number)
    });
    assert_eq!(any.count(&store), 100);
    assert_eq!((!any).count(&store), 0);
}

#[test]
fn a_filter_has_a_thousand_levels() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    let bed = bed(&mut store, 1, icu);
    let deeper = |filter: Filter<Bed>, level: u64| match level % 4 {
        0 => filter | Bed::NUMBER.eq(level),
        1 => filter & Bed::NUMBER.ne(level),
        2 => !filter,
        _ => Bed::WARD.any(Ward::BEDS.any(filter)),
    };
    // Four rounds make four levels: a complement makes none, and the last makes two.
    let deep = (4..1_000).fold(Bed::NUMBER.eq(1), deeper);
    assert_eq!(deep.count(&store) + (!deep.clone()).count(&store), 1);
    assert_eq!(deep.exists(&store), deep.accepts(&store, bed));
    let deeper = move || drop((4..2_000).fold(Bed::NUMBER.eq(1), deeper));

    let message = std::panic::catch_unwind(deeper).expect_err("it has too many levels");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(
        message.starts_with("a filter on Bed has more than 1000 levels"),
        "{message}"
    );
}

#[test]
fn a_handler_asks_as_a_program_does() {
    let mut store = Store::<Model>::memory();
    let icu = ward(&mut store, "icu");
    for number in 0..5 {
        bed(&mut store, number, icu);
    }
    let broken = store.step(Inspected { ward: icu });
    assert_eq!(broken.bound.ward, icu);
    assert_eq!(Bed::in_place::<Broken>().count(&store), 4);
}
