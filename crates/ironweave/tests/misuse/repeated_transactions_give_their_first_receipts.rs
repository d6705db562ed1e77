//! A transaction that is repeated with its idempotency key gives its first receipts, whatever it tried.

use super::*;

#[test]
fn a_repeated_transaction_gives_its_first_receipts_whatever_it_tried() {
    for (dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        let time = Timestamp::now();
        let attempt = |store: &mut Store<desk::Model>| -> Result<_, StepError> {
            let meta = Meta::new().with_idempotency_key("k").with_time(time);
            let mut t = store.begin_with(meta)?;
            let a = t.apply(Opened { number: 2 })?;
            // It is rejected, and the transaction continues.
            let rejected = t.apply(Opened { number: 1 }).err().unwrap().to_string();
            let point = t.savepoint();
            let b = t.apply(Opened { number: 3 })?;
            t.rollback_to(point)?;
            let c = t.apply(Opened { number: 4 })?;
            let now = t.time();
            let seq = t.commit()?.seq();
            let tickets = [a.created.ticket, b.created.ticket, c.created.ticket];
            Ok((
                seq,
                tickets,
                now,
                rejected,
                [a.repeated, b.repeated, c.repeated],
            ))
        };
        let first = attempt(&mut store).unwrap();
        assert_eq!(first.4, [false; 3]);
        // The time of the store is later by now.
        let later = Timestamp::from_micros(time.as_micros() + 1_000_000);
        let meta = Meta::new().with_time(later);
        store.try_step_with(meta, Opened { number: 9 }).unwrap();
        let print = store.fingerprint();
        let mut store = reopened(dir.path(), store);
        for _ in 0..2 {
            let again = attempt(&mut store).unwrap();
            assert_eq!((again.0, again.1, again.2), (first.0, first.1, first.2));
            assert!(again.3.contains(&first.3), "{}", again.3);
            assert_eq!(again.4, [true; 3]);
            assert_eq!(store.fingerprint(), print);
        }
        // Other events are another transaction, even where the first attempt would have rejected them.
        let meta = || Meta::new().with_idempotency_key("k");
        let mut t = store.begin_with(meta()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let other = t.apply(Opened { number: 7 });
        assert!(matches!(other, Err(StepError::KeyReused { .. })));
        drop(t);
        let mut t = store.begin_with(meta()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        assert!(matches!(t.commit(), Err(StepError::KeyReused { .. })));
    }
}

#[test]
fn a_stale_savepoint_of_a_repeated_transaction_is_refused_too() {
    let mut store = Store::<desk::Model>::paranoid();
    let meta = || Meta::new().with_idempotency_key("k");
    store.try_step_with(meta(), Opened { number: 1 }).unwrap();
    let mut t = store.begin_with(meta()).unwrap();
    let first = t.savepoint();
    t.apply(Opened { number: 1 }).unwrap();
    let second = t.savepoint();
    t.rollback_to(first).unwrap();
    stale(t.rollback_to(second));
    t.commit().unwrap();
    assert_eq!(store.count::<Ticket, Any>(), 1);
}

#[test]
fn an_event_that_cannot_be_written_is_recognised_by_its_other_fields() {
    let mut store = Store::<desk::Model>::paranoid();
    let meta = || Meta::new().with_idempotency_key("k");
    let labelled = |name: &str| Labelled {
        name: name.into(),
        note: fussy("n"),
    };
    let mut t = store.begin_with(meta()).unwrap();
    assert!(in_a_mood(Mood::Refuses, || t.apply(labelled("a"))).is_err());
    t.apply(Opened { number: 1 }).unwrap();
    t.commit().unwrap();
    let mut t = store.begin_with(meta()).unwrap();
    let other = in_a_mood(Mood::Refuses, || t.apply(labelled("b")));
    assert!(matches!(other, Err(StepError::KeyReused { .. })));
    drop(t);
    let mut t = store.begin_with(meta()).unwrap();
    let again = in_a_mood(Mood::Refuses, || t.apply(labelled("a")));
    assert!(matches!(again, Err(StepError::RejectedBefore { .. })));
    assert!(t.apply(Opened { number: 1 }).unwrap().repeated);
    t.commit().unwrap();
}
