//! A delete does at each end what its `on_delete` says, and a rollback restores what was deleted.

use super::*;

#[test]
fn deleting_follows_the_policies_of_the_ends() {
    let mut store = store();
    let (first, second) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let screw = line(&mut store, 1, "screw", 1);
    let nail = line(&mut store, 2, "nail", 1);
    // Restrict: the inverse end of `customer` holds orders.
    let refused = store.try_step(CustomerDropped {
        customer: "ada".into(),
    });
    assert_eq!(
        refused.expect_err("it has orders").to_string(),
        "CustomerDropped: Customer \"ada\" cannot be deleted: at Customer.orders it is linked with Order 2026, 1, \
         and the `on_delete` of Customer.orders is `restrict`; unlink it first"
    );
    // Cascade: its lines are deleted with it. The link to its customer is unlinked.
    store.step(OrderDropped { order: first });
    assert!(!first.alive(&store) && !screw.alive(&store) && nail.alive(&store));
    assert_eq!(store.count::<Line, Wanted>(), 1);
    let ada = second.customer(&store);
    assert_eq!(ada.orders(&store).collect::<Vec<_>>(), [second]);
    // An event may delete the restricting entities too.
    store.step(CustomerDroppedWithAll {
        customer: "ada".into(),
    });
    assert!(!ada.alive(&store) && !second.alive(&store) && !nail.alive(&store));
    assert_eq!(store.count::<Order, Any>(), 0);
    assert_sound(&store);
}

#[test]
fn an_end_that_must_hold_one_cannot_be_left_empty_by_a_delete() {
    let mut store = store();
    let tag = {
        let order = order(&mut store, "ada", 1);
        let event = Tagged {
            order,
            tags: vec!["red".into()],
            data: String::new(),
        };
        store.step(event).bound.tags[0].any()
    };
    let refused = store.try_step(TagsDropped { tags: vec![tag] });
    assert!(matches!(refused, Err(StepError::Restricted { .. })));
    assert_sound(&store);
}

#[test]
fn a_move_and_a_delete_of_one_entity_reject() {
    let mut store = store();
    let (a, b) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let cleared = |dropped| Cleared {
        orders: vec![a],
        dropped,
    };
    assert!(matches!(
        store.try_step(cleared(Some(a))),
        Err(StepError::TwoArcs { .. })
    ));
    store.step(cleared(Some(b)));
    assert!(a.is::<Canceled>(&store) && !b.alive(&store));
    assert_sound(&store);
}

#[test]
fn a_rollback_restores_a_deleted_entity_with_its_links_and_data() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    let (screw, nail) = (
        line(&mut store, 1, "screw", 4),
        line(&mut store, 1, "nail", 5),
    );
    let (print, lines): (u128, Vec<Line>) = (store.fingerprint(), first.lines(&store).collect());
    let mut t = store.begin();
    t.apply(OrderDropped { order: first })
        .expect("the event fires");
    let event = Ordered {
        customer: "bob".into(),
        year: 2026,
        number: 1,
    };
    t.apply(event).expect("the key is free again");
    drop(t);
    assert_eq!(store.fingerprint(), print);
    assert_eq!(first.lines(&store).collect::<Vec<_>>(), lines);
    assert_eq!(screw.order_data(&store), Some(4));
    assert_eq!(nail.sku(&store), "nail");
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(first));
    assert_sound(&store);
}
