//! An entity without states is in the state `Exists` while it is alive.

use super::*;

#[test]
fn an_entity_without_states_exists() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let ada = order.customer(&store);
    assert!(ada.is::<Exists>(&store));
    assert_eq!(store.count::<Customer, Exists>(), 1);
    assert_sound(&store);
}
