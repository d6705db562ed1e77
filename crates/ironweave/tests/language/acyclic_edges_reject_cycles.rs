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
