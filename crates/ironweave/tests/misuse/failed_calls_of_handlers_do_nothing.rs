//! A call that fails or panics in a handler does nothing, even where the handler ignores it.

use super::*;

#[test]
fn a_call_that_fails_in_a_handler_does_nothing_even_where_its_error_is_ignored() {
    for what in (0..8).chain(101..106).chain([107]) {
        for (dir, mut store) in stores() {
            let ticket = store.step(Opened { number: 1 }).created.ticket;
            let other = store.step(Opened { number: 2 }).created.ticket;
            let note = fussy("n");
            let label = store
                .step(Labelled {
                    name: "a".into(),
                    note,
                })
                .created
                .label;
            // The delete of the ticket would cascade to a part whose delete is restricted.
            let part = store.step(PartAdded { ticket }).created.part;
            let holder = store.step(PartAdded { ticket: other }).created.part;
            let by = holder;
            store.step(Held { part: by, by: part });
            let (print, next) = (store.fingerprint(), store.seq());
            store.step(Tried {
                what,
                ticket,
                label,
            });
            assert_eq!(store.fingerprint(), print, "call {what}");
            assert!(store.seq() > next, "the event itself fired");
            assert_eq!(store.count::<Label, Any>(), 1);
            assert!(ticket.alive(&store) && label.is::<Fresh>(&store));
            let store = reopened(dir.path(), store);
            assert_eq!(label.note(&store), &fussy("n"));
            assert_eq!(ticket.labels(&store).count(), 0);
        }
    }
}

#[test]
fn immediate_events_that_were_enabled_before_a_failed_call_still_fire() {
    let mut store = Store::<desk::Model>::paranoid();
    let ticket = store.step(Opened { number: 1 }).created.ticket;
    let note = fussy("n");
    let label = store
        .step(Labelled {
            name: "a".into(),
            note,
        })
        .created
        .label;
    let (label, note) = (label.in_state::<Fresh>(&store).unwrap(), fussy("n"));
    store.step(UsedAndTried {
        ticket,
        label,
        note,
    });
    assert!(ticket.is::<Done>(&store));
}
