//! An index finds entities by a value of a field, and an ordered index by a range.

use super::*;

#[test]
fn an_index_finds_by_equal_values_and_an_ordered_one_by_ranges() {
    let mut store = store();
    let mut moved = |name: &str, city: Option<&str>, credit| {
        let event = Moved {
            customer: name.into(),
            city: city.map(str::to_owned),
            credit,
        };
        store.step(event).bound.customer
    };
    let ada = moved("ada", Some("London"), 5);
    let bob = moved("bob", Some("Paris"), -3);
    let eve = moved("eve", Some("London"), 5);
    let max = moved("max", None, 9);
    let by = |db: &Store<shop::Model>, city: Option<&str>| -> Vec<Customer> {
        Customer::by_city(db, &city.map(str::to_owned)).collect()
    };
    assert_eq!(by(&store, Some("London")), [ada, eve]);
    assert_eq!(by(&store, Some("Rome")), []);
    assert_eq!(by(&store, None), [max]);
    let range = |db: &Store<shop::Model>, range: std::ops::RangeInclusive<i64>| {
        Customer::by_credit_range(db, range).collect::<Vec<_>>()
    };
    assert_eq!(range(&store, -5..=5), [bob, ada, eve]);
    assert_eq!(range(&store, 6..=9), [max]);
    #[allow(clippy::reversed_empty_ranges)]
    let nothing = range(&store, 9..=6);
    assert_eq!(nothing, []);
    assert_eq!(
        Customer::by_credit(&store, &5).collect::<Vec<_>>(),
        [ada, eve]
    );
    assert_eq!(Customer::by_credit_range(&store, ..).count(), 4);
    // After a what-if the indexes are as before.
    let asked = store.what_if(|t| -> Result<_, StepError> {
        t.apply(Moved {
            customer: "ada".into(),
            city: None,
            credit: 6,
        })?;
        Ok((
            Customer::by_city(t, &None).count(),
            Customer::by_credit_range(t, 6..).next(),
        ))
    });
    assert_eq!(asked.expect("the event fires"), (2, Some(ada)));
    assert_eq!(by(&store, None), [max]);
    assert_eq!(range(&store, 5..=5), [ada, eve]);
    assert_sound(&store);
}
