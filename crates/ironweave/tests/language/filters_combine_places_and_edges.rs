//! Filters select entities by places and edges, and combine with `&`, `|` and `!`.

use super::*;

#[test]
fn filters_join_places_and_edges() {
    let mut store = store();
    let [a, b, c] = [1, 2, 3].map(|n| order(&mut store, "ada", n));
    line(&mut store, 1, "screw", 1);
    let nail = line(&mut store, 2, "nail", 1);
    line(&mut store, 2, "bolt", 1);
    store.step(Packing { line: nail });
    let event = Payment {
        order: c,
        by: "card".into(),
    };
    store.step(event);
    let select = |filter: Filter<Order>| store.select(filter).collect::<Vec<_>>();
    let packed = || Order::LINES.any(Line::in_place::<Packed>());
    let wanted = || Order::LINES.any(Line::in_place::<Wanted>());
    let open = Order::in_place::<Open>;
    assert_eq!(select(packed()), [b]);
    assert_eq!(select(wanted()), [a, b]);
    assert_eq!(select(wanted() & !packed()), [a]);
    assert_eq!(select(open() & packed()), [b]);
    assert_eq!(select(!open() | packed()), [b, c]);
    assert_eq!(select(!(open() | packed())), [c]);
    assert_eq!(select(!(open() & packed())), [a, c]);
    assert_eq!(select(!!packed()), [b]);
    let with_open = Customer::ORDERS.any(open());
    assert_eq!(store.select(with_open).count(), 1);
    let of_packed = Line::ORDER.any(packed()) & Line::in_place::<Wanted>();
    assert_eq!(store.select(of_packed).count(), 1);
}

#[test]
fn any_is_the_place_of_all_and_a_state_prints_its_name() {
    let mut store = store();
    let [a, b] = [1, 2].map(|n| order(&mut store, "ada", n));
    let by = "card".into();
    store.step(Payment { order: b, by });
    assert_eq!(store.place::<Order, Any>().collect::<Vec<_>>(), [a, b]);
    let unpaid = Order::in_place::<Any>() & !Order::in_place::<Paid>();
    assert_eq!(store.select(unpaid).collect::<Vec<_>>(), [a]);
    assert_eq!(format!("{:>5}", b.state(&store)), " Paid");
}

#[test]
fn a_counted_end_tells_how_many_are_in_a_place() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    line(&mut store, 1, "nail", 3);
    store.step(Packing { line: screw });
    assert_eq!(order.lines_in::<Wanted>(&store), 1);
    assert_eq!(order.lines_in::<Packed>(&store), 1);
    assert_eq!(order.lines_in::<(Wanted, Packed)>(&store), 2);
    assert_sound(&store);
}
