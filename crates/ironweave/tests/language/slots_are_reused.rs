//! A slot is reused with the next generation, so that no two entities ever have one id.

use super::*;

#[test]
fn a_slot_is_reused_with_the_next_generation() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    store.step(OrderDropped { order: first });
    let refused = store.try_step(OrderDropped { order: first }).err();
    assert_eq!(
        refused.expect("it is gone").to_string(),
        "OrderDropped: Order/0.1 does not exist; it was deleted, or its handle is of another store"
    );
    let asked = store.what_if(|t| -> Result<_, StepError> {
        let event = Ordered {
            customer: "ada".into(),
            year: 1,
            number: 1,
        };
        Ok(t.apply(event)?.created.order)
    });
    let second = order(&mut store, "ada", 2);
    assert_eq!(asked.expect("the event fires"), second);
    assert_eq!(second.to_string(), "Order/0.2");
    assert!(!first.alive(&store) && first != second);
    assert_sound(&store);
}
