//! A transaction has one time, which is never before that of an earlier transaction.

use super::*;

#[test]
fn the_time_of_transactions_never_decreases() {
    let mut store = Pool::paranoid();
    let late = Timestamp::from_secs(20_000_000_000);
    let mut t = store
        .begin_with(Meta::new().with_time(late))
        .expect("it is later");
    t.apply(Hired {
        workers: vec!["ann".into()],
    })
    .expect("the event fires");
    t.commit().expect("the transaction commits");
    assert_eq!(store.begin().time(), late, "the clock is behind");
    let early = store
        .begin_with(Meta::new().with_time(Timestamp::from_secs(1)))
        .map(|_| ())
        .expect_err("earlier");
    assert!(
        early.to_string().contains("is before 2603-10-11T11:33:20Z"),
        "{early}"
    );
}

#[test]
fn a_transaction_has_one_time() {
    let mut store = Pool::paranoid();
    let mut t = store.begin();
    t.apply(Hired {
        workers: vec!["ann".into()],
    })
    .expect("the event fires");
    let time = t.time();
    while Timestamp::now() <= time {
        std::thread::yield_now();
    }
    assert_eq!(t.time(), time);
    t.commit().expect("the transaction commits");
    let mut frames = store.frames(1).expect("readable");
    let frame = frames.next().expect("one").expect("whole");
    assert_eq!(frame.time(), time);
    drop(frames);
    assert!(store.begin().time() > time, "the next has its own");
}
