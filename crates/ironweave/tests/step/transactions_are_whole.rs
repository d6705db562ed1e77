//! A transaction is written as one frame, with the events that were not rejected.

use super::*;

#[test]
fn a_rejected_event_leaves_its_transaction_unchanged() {
    let (mut store, ann, _, tasks) = pool();
    let mut t = store.begin();
    t.apply(Given {
        worker: "ann".into(),
        tasks: tasks[..1].to_vec(),
    })
    .expect("the event fires");
    let task = tasks[0]
        .in_state::<Ready>(&t)
        .expect("the entity is in that state");
    assert!(
        t.apply(Handled {
            task,
            worker: ann,
            how: "reject".into()
        })
        .is_err()
    );
    assert_eq!(tasks[0].size(&t), 1);
    t.apply(SomeDone { worker: ann }).expect("the event fires");
    t.commit().expect("the transaction commits");
    assert!(tasks[0].is::<Done>(&store));
    assert_eq!(
        store
            .frames(0)
            .expect("a log")
            .last()
            .expect("a frame")
            .expect("read")
            .firings()
            .len(),
        2
    );
}

#[test]
fn a_transaction_without_events_writes_no_frame() {
    let (mut store, ..) = pool();
    let seq = store.seq();
    store.begin().commit().expect("nothing to fail");
    store.begin().rollback();
    assert_eq!(store.seq(), seq);
}

#[test]
fn an_open_transaction_shows_its_facts() {
    let mut store = Pool::paranoid();
    let mut all = store.begin().facts().to_changes();
    for name in ["ann", "eve"] {
        let mut t = store.begin();
        t.apply(Hired {
            workers: vec![name.into()],
        })
        .expect("the event fires");
        all.append(t.facts());
        t.commit().expect("the transaction commits");
    }
    assert!(store.begin().facts().is_empty());
    // Each worker is created and named. A text in CBOR is a byte for its length and its letters.
    let values: Vec<&[u8]> = all.facts().iter().filter_map(|f| f.encoded()).collect();
    assert_eq!(values, [b"\x63ann", b"\x63eve"]);
    assert_eq!(all.len(), 4);
}
