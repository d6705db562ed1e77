//! Where a query with conditions on several parts of an index begins.

use ironweave::prelude::*;

use crate::hospital::state::*;
use crate::hospital::*;

#[test]
fn an_index_is_used_if_the_filter_excludes_what_is_not_in_it() {
    let mut store = Store::<Model>::memory();
    let mut wards = ["icu", "er"].into_iter().map(|name| {
        let (hospital, name, rank) = (1, name.to_owned(), 0);
        store
            .step(WardOpened {
                hospital,
                name,
                rank,
            })
            .created
            .ward
    });
    let (Some(icu), Some(er)) = (wards.next(), wards.next()) else {
        unreachable!("there are two")
    };
    drop(wards);
    for number in 0..1_000 {
        let (colour, weight) = (None, 0.0);
        let ward = if number % 100 == 0 { er } else { icu };
        let bed = store
            .step(BedBought {
                number,
                colour,
                weight,
                ward,
            })
            .created
            .bed;
        if number % 3 == 0 {
            let name = format!("p{}", number % 6);
            let patient = store
                .step(Admitted {
                    name,
                    age: Some(number as i64),
                })
                .created
                .patient;
            store.step(Bedded {
                patient,
                bed,
                since: number,
            });
        }
    }
    let way = |filter: Filter<Bed>| filter.explain(&store).way().map(str::to_owned);
    let several = |name: &str| Some(format!("the index Bed.{name}"));
    let late = Bed::WARD.is(icu) & Bed::NUMBER.ge(990);
    assert_eq!(
        way(late.clone() & Bed::in_place::<Free>()),
        several("ward_number")
    );
    assert_eq!(
        way(late.clone() & Bed::in_place::<(Free, Broken)>()),
        several("ward_number")
    );
    // The index has no occupied beds.
    assert_ne!(way(late.clone()), several("ward_number"));
    assert_ne!(
        way(late & Bed::in_place::<(Free, Occupied)>()),
        several("ward_number")
    );
    // This one has the beds with this data only.
    let long = Bed::WARD.is(icu) & Bed::<Occupied>::SINCE.lt(9);
    assert_eq!(way(long.clone()), several("by_since"));
    assert_eq!(long.count(&store), 2);
    assert_ne!(
        way(Bed::WARD.is(icu) & Bed::NUMBER.ge(990)),
        several("by_since")
    );
    let named = Patient::NAME.eq("p3") & Patient::AGE.within(Some(900)..Some(930));
    let plan = named.explain(&store);
    assert_eq!(
        (plan.way(), plan.found()),
        (Some("the index Patient.name_age"), 5)
    );
    assert!(plan.read() < 100, "{plan}");
}
