//! A paranoid store finds guards that are not deterministic, and invariants that read more than they declare.

use crate::desk::*;

#[test]
#[should_panic(expected = "Whimsical is not deterministic: it fired and then was rejected")]
fn a_guard_that_is_not_deterministic_panics_in_a_paranoid_store() {
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
fn an_invariant_that_reads_over_an_undeclared_edge_panics_with_its_name() {
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
fn an_invariant_that_reads_all_entities_panics() {
    LOOKS.with(|l| l.set(3));
    open(&mut store(), 1);
}
