//! An acyclic edge rejects links that would form a cycle.

use super::*;

#[test]
fn an_acyclic_edge_rejects_links_that_would_form_a_cycle() {
    let mut store = store();
    let [a, b, c] = [1, 2, 3].map(|n| order(&mut store, "ada", n));
    let follow = |order, follows: &[Order]| Followed {
        order,
        follows: follows.to_vec(),
    };
    store.step(follow(b, &[a]));
    store.step(follow(c, &[b, a]));
    let refused = store.try_step(follow(a, &[c])).expect_err("a circle");
    assert_eq!(
        refused.to_string(),
        "Followed: Order.follows is acyclic, and its links would form a cycle: Order 2026, 3 -> Order 2026, 1 -> \
         Order 2026, 3"
    );
    assert!(matches!(
        store.try_step(follow(a, &[a])),
        Err(StepError::Cycle { .. })
    ));
    assert_eq!(a.follows_count(&store), 0);
    assert_sound(&store);
}

#[test]
fn the_error_for_a_long_cycle_names_its_ends_and_its_length() {
    let mut store = store();
    let orders: Vec<Order> = (0..30).map(|n| order(&mut store, "ada", n)).collect();
    let mut follow = |order, follows| {
        let follows = vec![follows];
        store.try_step(Followed { order, follows }).map(|_| ())
    };
    for pair in orders.windows(2) {
        follow(pair[1], pair[0]).expect("it leads back");
    }
    let mut refused = |order, follows| match follow(order, follows) {
        Err(e @ StepError::Cycle { len, .. }) => (e.to_string(), len),
        other => panic!("{other:?}"),
    };
    let (text, len) = refused(orders[0], orders[29]);
    assert_eq!(
        text,
        "Followed: Order.follows is acyclic, and its links would form a cycle: Order 2026, 29 -> Order 2026, 28 -> \
         Order 2026, 27 -> Order 2026, 26 -> .. 22 more .. -> Order 2026, 3 -> Order 2026, 2 -> Order 2026, 1 -> \
         Order 2026, 0 -> Order 2026, 29"
    );
    assert_eq!(len, 30);
    // Eight are named.
    let (text, len) = refused(orders[0], orders[7]);
    assert_eq!((text.matches(" -> ").count(), len), (8, 8));
    let (text, len) = refused(orders[0], orders[8]);
    assert_eq!((text.matches(" -> ").count(), len), (9, 9));
    assert!(text.contains(" -> .. 1 more .. -> "), "{text}");
    assert_sound(&store);
}
