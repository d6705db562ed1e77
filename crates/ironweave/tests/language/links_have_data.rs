//! A link has data, which both of its ends read.

use super::*;

#[test]
fn links_have_data_at_both_ends() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    let nail = line(&mut store, 1, "nail", 3);
    assert_eq!(order.lines_data(&store, &screw), Some(10));
    assert_eq!(nail.order_data(&store), Some(3));
    let token = screw.in_state::<Wanted>(&store).expect("just added");
    store.step(AmountChanged {
        line: token,
        amount: 12,
    });
    assert_eq!(screw.order_data(&store), Some(12));
    assert_eq!(nail.order_data(&store), Some(3));
    store.step(Handled {
        order,
        what: "double".into(),
    });
    assert_eq!(screw.order_data(&store), Some(24));
    assert_eq!(nail.order_data(&store), Some(6));
    assert_sound(&store);
}

#[test]
fn links_between_many_and_many_keep_their_data_apart() {
    let mut store = store();
    let (a, b) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let tagged = |order, tags: &[&str], data: &str| Tagged {
        order,
        tags: tags.iter().map(|t| Ensure::from(*t)).collect(),
        data: data.into(),
    };
    store.step(tagged(a, &["red", "big"], "x"));
    store.step(tagged(b, &["red"], "y"));
    let red = store.find::<Tag>("red").expect("the entity exists");
    let big = store.find::<Tag>("big").expect("the entity exists");
    assert_eq!(a.tags_data(&store, &red), Some("x"));
    assert_eq!(red.orders_data(&store, &b), Some("y"));
    assert_eq!(b.tags_data(&store, &big), None);
    // `relink` of an existing link replaces its data.
    store.step(tagged(a, &["red"], "z"));
    assert_eq!(a.tags_data(&store, &red), Some("z"));
    let before = store.fingerprint();
    let gone = store.what_if(|t| -> Result<_, StepError> {
        t.apply(OrderDropped { order: a })?;
        t.apply(tagged(b, &["big"], "w"))?;
        Ok(big.orders_data(t, &b).map(str::to_owned))
    });
    assert_eq!(gone.expect("the event fires").as_deref(), Some("w"));
    assert_eq!(a.tags_data(&store, &big), Some("x"));
    assert_eq!(store.fingerprint(), before);
    let order = order(&mut store, "ada", 3);
    store.step(Handled {
        order,
        what: "tag".into(),
    });
    assert_sound(&store);
}
