//! A transaction that expects its entities unchanged is rejected with a conflict where they were changed, and can be retried.

use ironweave::prelude::*;

use crate::desk::*;

#[test]
fn expect_rejects_where_a_bound_entity_has_changed_since() {
    let mut store = store();
    let (a, b) = (open(&mut store, 1), open(&mut store, 2));
    let seen = store.seq().expect("two steps");
    store.step(Shut { ticket: b });
    // Another entity has changed.
    store
        .try_step_with(Meta::new().expect(seen), Shut { ticket: a })
        .expect("it has not changed");
    let refused = store
        .try_step_with(
            Meta::new().expect(seen),
            Reopened {
                ticket: Key::new(2u64),
            },
        )
        .expect_err("it has changed");
    assert!(refused.is_retryable());
    assert_eq!(
        refused.to_string(),
        format!(
            "Reopened: Ticket 2 was changed by transaction {}, and nothing after transaction {seen} was expected to \
             change it; read it again",
            seen + 1
        )
    );
    let now = store.seq().expect("steps");
    store
        .try_step_with(
            Meta::new().expect(now),
            Reopened {
                ticket: Key::new(2u64),
            },
        )
        .expect("nothing since");
    // A new link changes the entities at both ends.
    store.step(Linked {
        ticket: a,
        others: vec![b],
    });
    let refused = store.try_step_with(Meta::new().expect(now + 1), Shut { ticket: b });
    assert!(matches!(refused, Err(StepError::Changed { .. })));
}

#[test]
fn retry_repeats_after_a_conflict_and_after_nothing_else() {
    let mut store = store();
    let ticket = open(&mut store, 1);
    let old = store.seq().expect("a step");
    store.step(Linked {
        ticket,
        others: vec![],
    });
    store.step(Shut { ticket });
    let mut asked = 0;
    let done = store.retry(3, |db| {
        asked += 1;
        // The first attempt expects an old state.
        let seen = if asked == 1 { Some(old) } else { db.seq() };
        let meta = Meta::new().expect(seen.expect("steps"));
        let ticket = Key::new(1u64);
        Ok::<_, StepError>((meta, Reopened { ticket }))
    });
    assert!(done.is_ok() && asked == 2);
    let mut asked = 0;
    let refused = store.retry(3, |_| {
        asked += 1;
        Ok::<_, StepError>((Meta::new().expect(old), Shut { ticket }))
    });
    assert!(matches!(refused, Err(StepError::Changed { .. })) && asked == 3);
    // Other errors are not retried.
    let mut asked = 0;
    let refused = store.retry(3, |_| {
        asked += 1;
        Ok::<_, StepError>((Meta::new(), Opened { number: 1 }))
    });
    assert!(matches!(refused, Err(StepError::Duplicate { .. })) && asked == 1);
}

/// The error of a program.
#[derive(Debug)]
enum Failed {
    Step(StepError),
    Own(&'static str),
}

impl From<StepError> for Failed {
    fn from(e: StepError) -> Self {
        Self::Step(e)
    }
}

#[test]
fn the_error_of_a_closure_reaches_the_caller_as_it_is() {
    fn own<R>(result: Result<R, Failed>) -> bool {
        matches!(result, Err(Failed::Own("no")))
    }
    fn of_the_store<R>(result: Result<R, Failed>) -> bool {
        matches!(result, Err(Failed::Step(StepError::Duplicate { .. })))
    }
    let no = || Failed::Own("no");
    let twice = || Opened { number: 1 };
    let mut store = store();
    open(&mut store, 1);
    let before = store.fingerprint();
    assert!(own(store.retry(3, |_| Err::<(Meta, Opened), _>(no()))));
    assert!(of_the_store(
        store.retry(3, |_| Ok::<_, Failed>((Meta::new(), twice())))
    ));
    assert!(own(store.transaction(|t| {
        t.apply(Opened { number: 2 })?;
        Err::<(), _>(no())
    })));
    assert!(of_the_store(
        store.transaction(|t| Ok::<_, Failed>(t.apply(twice())?.repeated))
    ));
    assert!(own(store.what_if(|t| {
        t.apply(Opened { number: 2 })?;
        Err::<(), _>(no())
    })));
    assert!(of_the_store(
        store.what_if(|t| Ok::<_, Failed>(t.apply(twice())?.repeated))
    ));
    assert_eq!(store.fingerprint(), before);

    let store = store.share();
    assert!(own(store.retry(3, |_| Err::<(Meta, Opened), _>(no()))));
    assert!(of_the_store(
        store.retry(3, |_| Ok::<_, Failed>((Meta::new(), twice())))
    ));
    assert!(own(store.transaction(|t| {
        t.apply(Opened { number: 2 })?;
        Err::<(), _>(no())
    })));
    assert!(of_the_store(
        store.transaction(|t| Ok::<_, Failed>(t.apply(twice())?.repeated))
    ));
    assert!(own(store.what_if(|t| {
        t.apply(Opened { number: 2 })?;
        Err::<(), _>(no())
    })));
    assert!(of_the_store(
        store.what_if(|t| Ok::<_, Failed>(t.apply(twice())?.repeated))
    ));
    assert_eq!(store.read(|db| db.fingerprint()).unwrap(), before);
}
