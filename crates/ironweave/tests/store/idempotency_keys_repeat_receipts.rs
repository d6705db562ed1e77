//! A transaction whose idempotency key and events are known gives its first receipts and does nothing.

use ironweave::prelude::*;

use crate::desk::{self, state::*, *};
use crate::harness::temp_dir;

#[test]
fn the_same_key_and_events_give_the_first_receipt() {
    let dir = temp_dir();
    let mut store = Store::<desk::Model>::open(dir.path()).expect("the store opens");
    let meta = || Meta::new().with_idempotency_key("request 1");
    let first = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("the event fires");
    let again = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("the key is known");
    assert_eq!(
        (again.seq, again.created.ticket),
        (first.seq, first.created.ticket)
    );
    assert_eq!(store.count::<Ticket, Open>(), 1);
    // So it is after the store was opened again and other transactions were committed.
    let ticket = first.created.ticket;
    store.step(Shut { ticket });
    drop(store);
    let mut store = Store::<desk::Model>::open(dir.path()).expect("the store opens");
    let again = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("the key is known");
    assert_eq!((again.seq, again.created.ticket), (first.seq, ticket));
    assert!(ticket.is::<Closed>(&store));
}

#[test]
fn the_same_key_and_other_events_reject() {
    let mut store = store();
    let meta = || Meta::new().with_idempotency_key("request 1");
    let seq = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("the event fires")
        .seq;
    let refused = store.try_step_with(meta(), Opened { number: 2 });
    let refused = refused.expect_err("another payload");
    assert_eq!(
        refused.to_string(),
        format!(
            "the idempotency key `request 1` belongs to transaction {seq}, which had other events; \
             repeat exactly those, or choose another key"
        )
    );
    assert_eq!(store.count::<Ticket, Any>(), 1);
}

#[test]
fn a_repetition_without_events_is_committed() {
    let mut store = store();
    let meta = || Meta::new().with_idempotency_key("request 1");
    let mut t = store.begin_with(meta()).expect("the transaction begins");
    assert_eq!(t.repeats(), None);
    t.apply(Opened { number: 1 }).expect("it fires");
    let seq = t
        .commit()
        .expect("it commits")
        .seq()
        .expect("it was written");

    let t = store.begin_with(meta()).expect("the transaction begins");
    assert_eq!(t.repeats(), Some(seq));
    let committed = t.commit().expect("it commits");
    assert_eq!(
        (committed.seq(), committed.is_repeated()),
        (Some(seq), true)
    );
    assert_eq!(store.count::<Ticket, Any>(), 1);

    // An event that the first transaction did not have still rejects, even if its rejection is ignored.
    let mut t = store.begin_with(meta()).expect("the transaction begins");
    let refused = t.apply(Opened { number: 2 });
    assert!(matches!(refused, Err(StepError::KeyReused { .. })));
    assert!(matches!(t.commit(), Err(StepError::KeyReused { .. })));
    let mut t = store.begin();
    assert_eq!(t.repeats(), None);
    t.apply(Opened { number: 2 }).expect("it fires");
    assert_eq!(t.repeats(), None);
}

#[test]
fn a_transaction_of_several_events_is_repeated_as_a_whole() {
    let mut store = store();
    let meta = || Meta::new().with_idempotency_key("both");
    let mut t = store.begin_with(meta()).expect("the transaction begins");
    let a = t
        .apply(Opened { number: 1 })
        .expect("the event fires")
        .created
        .ticket;
    let b = t
        .apply(Opened { number: 2 })
        .expect("the event fires")
        .created
        .ticket;
    t.apply(Linked {
        ticket: a,
        others: vec![b],
    })
    .expect("the event fires");
    t.commit().expect("the transaction commits");
    let print = store.fingerprint();
    let mut t = store.begin_with(meta()).expect("the transaction begins");
    assert_eq!(
        t.apply(Opened { number: 1 })
            .expect("the key is known")
            .created
            .ticket,
        a
    );
    assert_eq!(
        t.apply(Opened { number: 2 })
            .expect("the key is known")
            .created
            .ticket,
        b
    );
    let known = t.apply(Linked {
        ticket: a,
        others: vec![b],
    });
    assert_eq!(known.expect("the key is known").bound.others, [b]);
    t.commit().expect("all of it came");
    // A part of the events is another transaction.
    let mut t = store.begin_with(meta()).expect("the transaction begins");
    t.apply(Opened { number: 1 }).expect("the key is known");
    assert!(matches!(t.commit(), Err(StepError::KeyReused { .. })));
    assert_eq!(store.fingerprint(), print);
}

#[test]
fn a_rejected_transaction_does_not_consume_its_key() {
    let mut store = store();
    open(&mut store, 1);
    let meta = || Meta::new().with_idempotency_key("k");
    assert!(store.try_step_with(meta(), Opened { number: 1 }).is_err());
    store
        .try_step_with(meta(), Opened { number: 2 })
        .expect("the key is free");
}

#[test]
fn an_event_of_a_repetition_says_that_it_changed_nothing() {
    let mut store = store();
    for (time, repeated) in [("first", false), ("second", true)] {
        let meta = Meta::new().with_idempotency_key("request 1");
        let mut t = store.begin_with(meta).expect("the transaction begins");
        let applied = t.apply(Opened { number: 1 }).expect("it fires");
        assert_eq!(applied.repeated, repeated, "the {time} time");
        let any = desk::model::AnyEvent::Opened(Opened { number: 2 });
        let applied = t.apply_any(&any).expect("it fires");
        assert_eq!(applied.repeated, repeated, "the {time} time");
        t.commit().expect("it commits");
    }
    assert_eq!(store.count::<Ticket, Any>(), 2);
}
