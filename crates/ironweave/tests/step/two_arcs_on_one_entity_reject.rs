//! Two arcs of one event do not move or delete the same entity, or set the same field of it.

use super::*;

#[test]
fn two_arcs_on_one_entity_reject() {
    let (mut store, ann, bob, tasks) = pool();
    let text = rejected(&mut store, BothWoken { a: ann, b: ann });
    assert_eq!(
        text,
        "BothWoken: two arcs move or delete Worker \"ann\", or set the same field of it; an event does each of these \
         once to an entity"
    );
    store.step(BothWoken { a: ann, b: bob });
    let (a, b) = (tasks[0], tasks[1]);
    assert!(rejected(&mut store, BothResized { a, b: a, size: 7 }).contains("two arcs"));
    store.step(BothResized { a, b, size: 7 });
    assert_eq!((a.size(&store), b.size(&store)), (7, 7));
}
