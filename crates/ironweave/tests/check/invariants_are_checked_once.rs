//! The invariants of a state are checked when it is found, and in a state that is known only where they could have another result.

use ironweave::check::{Checker, Report, ViolationKind};
use ironweave::prelude::*;

#[ironweave::model]
mod depot {
    use ironweave::prelude::*;

    #[entity]
    pub struct Shelf {
        pub parcels: Many<Parcel>,
    }

    #[entity]
    pub struct Parcel {
        #[key]
        pub number: u8,
        #[inverse(Shelf::parcels)]
        pub on: Option<Shelf>,
    }

    #[event]
    #[create(shelf: Shelf)]
    pub struct Built {}

    #[event]
    #[create(parcel: Parcel { number })]
    pub struct Arrived {
        pub number: u8,
    }

    #[event]
    #[relink(shelf.parcels += parcel)]
    pub struct Stored {
        pub shelf: Shelf,
        pub parcel: Parcel,
    }

    /// The first parcel of a shelf has the least number, and none has the number 9.
    #[invariant(Shelf, via = [parcels], super::are_sorted)]
    pub struct Sorted;
}

use depot::*;

fn are_sorted(shelf: Shelf, db: &impl Db) -> Result<(), Reject> {
    let numbers: Vec<u8> = shelf.parcels(db).map(|one| one.number(db)).collect();
    assert!(numbers.len() < 3, "a shelf breaks under three parcels");
    if numbers.contains(&9) {
        return Err(Reject::new("the number 9 is not for shelves"));
    }
    match numbers.iter().min() == numbers.first() {
        true => Ok(()),
        false => Err(Reject::new(
            "the first parcel does not have the least number",
        )),
    }
}

fn checker<const N: usize>(numbers: [u8; N]) -> Checker<Model> {
    Checker::new()
        .entities::<Shelf>(1)
        .entities::<Parcel>(N)
        .keys::<Parcel, _>(numbers)
}

fn stored(report: &Report<Model>) -> (u64, u64) {
    let counts = report.event("Stored").expect("an event");
    (counts.fired, counts.rejected)
}

#[test]
fn a_state_that_an_invariant_rejects_is_not_found_whichever_way_leads_there() {
    for checker in [checker([1, 9]), checker([1, 9]).ignore_order_of_links()] {
        let report = checker.assert_properties();
        // Five without a shelf, since both parcels can arrive in two orders, and those with a shelf, on which parcel 1 may be.
        assert_eq!(report.states(), 5 + 8);
        // Parcel 1 is stored, or stays where it is. Parcel 9 is never stored.
        assert_eq!(stored(&report), (6, 5));
    }
}

#[test]
fn an_invariant_can_depend_on_an_order_that_the_states_do_not_have() {
    // Both parcels are on the shelf in two states, since they can arrive in two orders. Each is found in the order 1 and 2 of its
    // links; the other order is rejected.
    let report = checker([1, 2]).assert_properties();
    assert_eq!((report.states(), stored(&report).1), (5 + 13, 2));
    // If it was said that the order does not matter, the first order to be tried in a state decides.
    let report = checker([1, 2]).ignore_order_of_links().assert_properties();
    assert_eq!((report.states(), stored(&report).1), (5 + 13, 1));
}

#[test]
fn a_panic_of_an_invariant_is_found() {
    for checker in [
        checker([1, 2, 3]),
        checker([1, 2, 3]).ignore_order_of_links(),
    ] {
        let report = checker.check().expect("all domains are given");
        let violation = &report.violations()[0];
        assert_eq!(violation.kind(), ViolationKind::Panic);
        assert_eq!(
            violation.message(),
            "a panic: a shelf breaks under three parcels"
        );
        assert_eq!(violation.events().len(), 7);
    }
}
