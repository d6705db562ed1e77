//! A key, of one field or several, is unique, and is free again when its entity is deleted.

use super::*;

#[test]
fn a_key_of_several_fields_is_unique_as_a_whole() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    let second = order(&mut store, "ada", 2);
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(first));
    assert_eq!(store.find::<Order>(&(2026, 2)), Some(second));
    assert_eq!(store.find::<Order>(&(2025, 2)), None);
    let again = Ordered {
        customer: "bob".into(),
        year: 2026,
        number: 2,
    };
    let refused = store.try_step(again).expect_err("the key is taken");
    assert_eq!(
        refused.to_string(),
        "Ordered: Order 2026, 2 exists already; choose another key"
    );
    assert_eq!(store.find::<Customer>("bob"), None);
    store.step(OrderDropped { order: second });
    assert_eq!(store.find::<Order>(&(2026, 2)), None);
    let third = order(&mut store, "ada", 2);
    assert_eq!(store.find::<Order>(&(2026, 2)), Some(third));
    assert_sound(&store);
}
