//! A handler creates and deletes what the `may` of its event permits.

use super::*;

#[test]
fn a_handler_creates_and_deletes_what_its_event_may() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    line(&mut store, 1, "nail", 3);
    let handled = |what: &str| Handled {
        order,
        what: what.into(),
    };
    store.step(handled("create"));
    assert_eq!(order.lines_count(&store), 2);
    store.step(handled("delete"));
    assert_eq!(order.lines_count(&store), 0);
    assert_eq!(store.count::<Line, Any>(), 0);
    assert_sound(&store);
}
