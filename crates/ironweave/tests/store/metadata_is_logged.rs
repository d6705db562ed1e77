//! The metadata of a transaction is in the log, and in values of arcs.

use ironweave::prelude::*;

use crate::desk::{state::*, *};
use crate::harness::assert_sound;

#[test]
fn metadata_is_in_the_log_and_in_values() {
    let mut store = store();
    let opened = store.try_step_with(Meta::new().with_actor("ann"), Opened { number: 1 });
    let opened = opened.expect("the event fires");
    let ticket = opened.created.ticket;
    assert_eq!(ticket.opened_by(&store).as_deref(), Some("ann"));
    let meta = Meta::new()
        .with_actor("bob")
        .with_correlation("case 7")
        .with_causation(opened.seq);
    store
        .try_step_with(meta.clone(), Shut { ticket })
        .expect("the event fires");
    let closed = ticket.in_state::<Closed>(&store).expect("just shut");
    assert_eq!(closed.by(&store).as_deref(), Some("bob"));
    assert_eq!(closed.matter(&store).as_deref(), Some("case 7"));
    assert_eq!(closed.after(&store), &Some(opened.seq.get()));
    let frames: Vec<_> = store
        .frames(0)
        .expect("a log")
        .map(Result::unwrap)
        .collect();
    assert_eq!(*frames[1].meta(), meta);
    assert_eq!(frames[1].time(), closed.at(&store));
    assert_sound(&store);
}
