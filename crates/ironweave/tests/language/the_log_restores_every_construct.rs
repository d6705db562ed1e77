//! A store that is opened again has everything that its log says.

use super::*;

#[test]
fn the_log_restores_every_construct() {
    let dir = temp_dir();
    let mut store = Store::<shop::Model>::open(dir.path()).expect("the store opens");
    let first = order(&mut store, "ada", 1);
    line(&mut store, 1, "screw", 4);
    store.step(Tagged {
        order: first,
        tags: vec!["red".into(), "big".into()],
        data: "x".into(),
    });
    store.step(OrderDropped { order: first });
    let second = order(&mut store, "bob", 1);
    let screw = line(&mut store, 1, "screw", 7);
    let mut store = reopened(dir.path(), store);
    assert_eq!(second.lines_data(&store, &screw), Some(7));
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(second));
    // The next id is restored too.
    store.step(OrderDropped { order: second });
    assert_eq!(order(&mut store, "eve", 5).to_string(), "Order/0.3");
    assert_sound(&store);
}
