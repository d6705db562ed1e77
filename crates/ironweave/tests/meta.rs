//! What a transaction says of itself: each rule a test.
#![allow(missing_docs)]

use std::cell::Cell;

use desk::state::*;
use desk::*;
use ironweave::prelude::*;

#[ironweave::model]
pub mod desk {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ticket {
        #[key]
        pub number: u64,
        pub opened_by: Option<String>,
        pub about: Many<Ticket>,
        #[inverse(Ticket::about)]
        pub mentioned_by: Many<Ticket>,
    }
    #[states(Ticket)]
    pub enum TicketState {
        #[initial]
        #[to(Closed)]
        Open,
        #[to(Open)]
        Closed {
            by: Option<String>,
            matter: Option<String>,
            after: Option<u64>,
            at: Timestamp,
        },
    }

    #[event]
    #[create(ticket: Ticket { number, opened_by = meta.actor })]
    pub struct Opened {
        pub number: u64,
    }

    #[event]
    #[moves(ticket: Open -> Closed { by = meta.actor, matter = meta.correlation, after = meta.causation, at = meta.time })]
    pub struct Shut {
        pub ticket: Ticket,
    }

    #[event]
    #[moves(ticket: Closed -> Open)]
    pub struct Reopened {
        pub ticket: Key<Ticket>,
    }

    #[event]
    #[link(ticket.about += others)]
    pub struct Linked {
        pub ticket: Ticket,
        pub others: Vec<Ticket>,
    }

    #[event]
    #[may(Ticket: Closed -> Open)]
    #[guard(crate::maybe)]
    pub struct Whimsical {
        pub ticket: Ticket,
    }

    #[invariant(Ticket, via = [about], crate::looks_around)]
    pub struct LooksAround;
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// What the invariant looks at: 0 itself, 1 what is in its `via`, 2 an edge that is not, 3 all, 4 counts.
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

fn maybe(_: &Whimsical, _: &impl Db) -> Result<(), Reject> {
    let calls = CALLS.with(|c| c.replace(c.get() + 1));
    if calls.is_multiple_of(2) {
        Ok(())
    } else {
        Err(Reject::new("not now"))
    }
}

fn looks_around(ticket: Ticket, db: &impl Db) -> Result<(), Reject> {
    let _seen = match LOOKS.with(Cell::get) {
        0 => u64::from(ticket.is::<Open>(db)),
        1 => ticket.about(db).map(|t| t.number(db)).sum(),
        2 => ticket.mentioned_by(db).map(|t| t.number(db)).sum(),
        3 => db.place::<Ticket, Open>().count() as u64,
        _ => (db.count::<Ticket, Open>() + ticket.mentioned_by_count(db)) as u64,
    };
    Ok(())
}

impl Apply for Whimsical {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn store() -> Store<desk::Model> {
    Store::paranoid()
}

fn open(store: &mut Store<desk::Model>, number: u64) -> Ticket {
    store.step(Opened { number }).created.ticket
}

#[test]
fn metadata_is_in_the_log_and_in_values() {
    let mut store = store();
    let opened = store.try_step_with(Meta::new().actor("ann"), Opened { number: 1 });
    let opened = opened.expect("opened");
    let ticket = opened.created.ticket;
    assert_eq!(ticket.opened_by(&store).as_deref(), Some("ann"));
    let meta = Meta::new()
        .actor("bob")
        .correlation("case 7")
        .causation(opened.seq);
    store
        .try_step_with(meta.clone(), Shut { ticket })
        .expect("shut");
    let closed = ticket.in_state::<Closed>(&store).expect("just shut");
    assert_eq!(closed.by(&store).as_deref(), Some("bob"));
    assert_eq!(closed.matter(&store).as_deref(), Some("case 7"));
    assert_eq!(closed.after(&store), &Some(opened.seq));
    let frames: Vec<_> = store
        .frames(0)
        .expect("a log")
        .map(Result::unwrap)
        .collect();
    assert_eq!(frames[1].meta, meta);
    assert_eq!(frames[1].time, closed.at(&store));
    store.verify().expect("the same again");
}

#[test]
fn the_same_key_and_events_give_the_first_receipt() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::<desk::Model>::open(dir.path()).expect("a store");
    let meta = || Meta::new().idempotency_key("request 1");
    let first = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("opened");
    let again = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("known");
    assert_eq!(
        (again.seq, again.created.ticket),
        (first.seq, first.created.ticket)
    );
    assert_eq!(store.count::<Ticket, Open>(), 1);
    // Also after it was opened again, whatever has happened since.
    let ticket = first.created.ticket;
    store.step(Shut { ticket });
    drop(store);
    let mut store = Store::<desk::Model>::open(dir.path()).expect("a store");
    let again = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("known");
    assert_eq!((again.seq, again.created.ticket), (first.seq, ticket));
    assert!(ticket.is::<Closed>(&store));
}

#[test]
fn the_same_key_and_other_events_reject() {
    let mut store = store();
    let meta = || Meta::new().idempotency_key("request 1");
    let seq = store
        .try_step_with(meta(), Opened { number: 1 })
        .expect("opened")
        .seq;
    let refused = store.try_step_with(meta(), Opened { number: 2 });
    let refused = refused.err().expect("another payload");
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
fn a_transaction_of_several_events_is_repeated_as_a_whole() {
    let mut store = store();
    let meta = || Meta::new().idempotency_key("both");
    let mut t = store.begin_with(meta()).expect("begun");
    let a = t
        .apply(Opened { number: 1 })
        .expect("opened")
        .created
        .ticket;
    let b = t
        .apply(Opened { number: 2 })
        .expect("opened")
        .created
        .ticket;
    t.apply(Linked {
        ticket: a,
        others: vec![b],
    })
    .expect("linked");
    t.commit().expect("kept");
    let print = store.fingerprint();
    let mut t = store.begin_with(meta()).expect("begun");
    assert_eq!(
        t.apply(Opened { number: 1 }).expect("known").created.ticket,
        a
    );
    assert_eq!(
        t.apply(Opened { number: 2 }).expect("known").created.ticket,
        b
    );
    let known = t.apply(Linked {
        ticket: a,
        others: vec![b],
    });
    assert_eq!(known.expect("known").bound.others, [b]);
    t.commit().expect("all of it came");
    // Half of it is another transaction.
    let mut t = store.begin_with(meta()).expect("begun");
    t.apply(Opened { number: 1 }).expect("known");
    assert!(matches!(t.commit(), Err(StepError::KeyReused { .. })));
    assert_eq!(store.fingerprint(), print);
}

#[test]
fn a_rejected_transaction_does_not_use_its_key_up() {
    let mut store = store();
    open(&mut store, 1);
    let meta = || Meta::new().idempotency_key("k");
    assert!(store.try_step_with(meta(), Opened { number: 1 }).is_err());
    store
        .try_step_with(meta(), Opened { number: 2 })
        .expect("the key is free");
}

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
        .err()
        .expect("it has changed");
    assert_eq!(refused.kind(), ironweave::ErrorKind::Conflict);
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
    // A new link changes both ends.
    store.step(Linked {
        ticket: a,
        others: vec![b],
    });
    let refused = store.try_step_with(Meta::new().expect(now + 1), Shut { ticket: b });
    assert!(matches!(refused, Err(StepError::Changed { .. })));
}

#[test]
fn retry_asks_again_after_a_conflict() {
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
        // The first try is of somebody who has not looked for a while.
        let seen = if asked == 1 { Some(old) } else { db.seq() };
        let meta = Meta::new().expect(seen.expect("steps"));
        (
            meta,
            Reopened {
                ticket: Key::new(1u64),
            },
        )
    });
    assert!(done.is_ok() && asked == 2);
    let mut asked = 0;
    let refused = store.retry(3, |_| {
        asked += 1;
        (Meta::new().expect(old), Shut { ticket })
    });
    assert!(matches!(refused, Err(StepError::Changed { .. })) && asked == 3);
    // What is no conflict is not tried again.
    let mut asked = 0;
    let refused = store.retry(3, |_| {
        asked += 1;
        (Meta::new(), Opened { number: 1 })
    });
    assert!(matches!(refused, Err(StepError::Duplicate { .. })) && asked == 1);
}

#[test]
#[should_panic(expected = "Whimsical is not deterministic: it fired and then was rejected")]
fn a_guard_that_changes_its_mind_is_found_out() {
    let mut store = store();
    let ticket = open(&mut store, 1);
    let _ = store.try_step(Whimsical { ticket });
}

#[test]
fn an_invariant_may_read_its_entity_its_via_and_counts() {
    let mut store = store();
    for looks in [0, 1, 4] {
        LOOKS.with(|l| l.set(looks));
        let (a, b) = (
            open(&mut store, 2 * u64::from(looks)),
            open(&mut store, 2 * u64::from(looks) + 1),
        );
        store.step(Linked {
            ticket: a,
            others: vec![b],
        });
    }
}

#[test]
#[should_panic(
    expected = "invariant LooksAround reads Ticket/0.1, which is neither its own entity nor in its `via`: add `mentioned_by` to it"
)]
fn an_invariant_that_reads_over_another_edge_is_told_its_name() {
    let mut store = store();
    let (a, b) = (open(&mut store, 1), open(&mut store, 2));
    LOOKS.with(|l| l.set(2));
    store.step(Linked {
        ticket: a,
        others: vec![b],
    });
}

#[test]
#[should_panic(expected = "invariant LooksAround reads all entities (`place`)")]
fn an_invariant_that_reads_everything_is_found_out() {
    LOOKS.with(|l| l.set(3));
    open(&mut store(), 1);
}
