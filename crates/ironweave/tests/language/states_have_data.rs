//! A state has data, which exists only in that state.

use super::*;

#[test]
fn a_move_from_a_state_to_itself_gives_new_data() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let event = Payment {
        order,
        by: "card".into(),
    };
    let paid = store.step(event).bound.order;
    let paid = store
        .step(Heartbeat {
            order: paid,
            beats: 5,
        })
        .bound
        .order;
    assert_eq!((paid.by(&store), paid.beats(&store)), ("card", 5));
    assert_sound(&store);
}

#[test]
fn data_of_a_state_is_set_only_in_that_state() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let corrected = || PayerCorrected {
        order,
        by: "cash".into(),
    };
    let refused = store.try_step(corrected()).expect_err("it is open");
    assert_eq!(
        refused.to_string(),
        "PayerCorrected: Order 2026, 1 is Open, not Paid"
    );
    let event = Payment {
        order,
        by: "card".into(),
    };
    let paid = store.step(event).bound.order;
    store.step(corrected());
    assert_eq!(paid.by(&store), "cash");
    store.step(Handled {
        order,
        what: "payer".into(),
    });
    assert_eq!(paid.by(&store), "handler");
    assert_sound(&store);
}
