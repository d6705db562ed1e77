//! A handle parses from what it prints, and from a form for URLs, whether there is such an entity or not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::{ParseHandleError, ParseIdError};

use super::*;

#[test]
fn a_handle_parses_from_what_it_prints_and_from_two_forms_that_fit_a_url() {
    let mut store = Store::<Model>::memory();
    let mut orders = Vec::new();
    for number in 0..200 {
        let customer = format!("customer {}", number % 3);
        let ordered = store.step(Ordered {
            customer: customer.as_str().into(),
            year: 2026,
            number,
        });
        orders.push(ordered.created.order.any());
        // Slots are used again with other generations.
        if number % 3 == 0 {
            let order = orders.remove(0);
            store.step(OrderDropped { order });
        }
    }
    for order in orders {
        let id = order.id();
        for text in [order.to_string(), format!("Order-{id}"), id.to_string()] {
            assert_eq!(text.parse::<Order>(), Ok(order), "{text}");
        }
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(Order::from_id(id), order);
        // Another type of entity has the id too, and not the name.
        let line: Line = id.to_string().parse().expect("it is an id");
        assert_eq!(line.id(), id);
        let e: Result<Line, ParseHandleError> = order.to_string().parse();
        let said = format!("`{order}` is not a Line; write it as `Line/3.1`, `Line-3.1` or `3.1`");
        assert_eq!(e.map_err(|e| e.to_string()), Err(said));
    }
    let e: Result<Id, ParseIdError> = "3".parse();
    assert!(e.is_err());
    // Whether there is one is another question.
    let none: Order = "Order/999999.1".parse().expect("it is well formed");
    assert!(!none.alive(&store));
}

#[test]
fn handles_of_entities_that_never_were_are_dead_and_are_rejected() {
    let mut store = Store::<Model>::memory();
    let ordered = Ordered {
        customer: "ann".into(),
        year: 2026,
        number: 1,
    };
    let order = store.step(ordered).created.order.any();
    let seq = store.seq();
    let (slot, generation) = (order.id().slot(), order.id().generation());
    let greatest = u32::MAX;
    let strange = [
        format!("{slot}.0"),
        format!("{slot}.{}", generation + 1),
        format!("{slot}.16777215"),
        "1.0".into(),
        "1.1".into(),
        format!("{greatest}.0"),
        format!("{greatest}.1"),
        format!("{greatest}.16777215"),
    ];
    let snapshot = store.snapshot();
    for text in strange {
        let order: Order = text.parse().expect("it is well formed");
        assert!(!order.alive(&store) && !order.alive(&snapshot), "{text}");
        assert!(store.history(order).unwrap().is_empty(), "{text}");
        let dropped = store.try_step(OrderDropped { order });
        let e = dropped.expect_err("there is no such order");
        assert!(matches!(e, StepError::StaleHandle { .. }), "{text}: {e:?}");
        let tried = snapshot.with(OrderDropped { order });
        assert!(tried.is_err(), "{text}");
        // As indexing does.
        let read = catch_unwind(AssertUnwindSafe(|| order.number(&snapshot)));
        assert!(read.is_err(), "{text}");
    }
    assert_eq!(store.seq(), seq);
    assert!(order.alive(&store));
    assert_eq!(store.check(), []);
}
