//! A store keeps idempotency keys as long as its options say. A key that has expired is an error, and never fires its events again,
//! also after the store was opened again, from its log or from a checkpoint.

use std::path::Path;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{KeyRetention, Meta, Options};

use crate::desk::{self, *};
use crate::harness::{temp_dir, unsynced};

type Desk = Store<desk::Model>;

fn options(retention: KeyRetention) -> Options<desk::Model> {
    unsynced().keep_keys(retention)
}

/// Opens ticket `number`, at that second, under a key of that number.
fn request(store: &mut Desk, number: u64) -> Result<bool, StepError> {
    let meta = Meta::new()
        .with_idempotency_key(format!("request {number}"))
        .with_time(Timestamp::from_secs(number as i64));
    Ok(store.try_step_with(meta, Opened { number })?.repeated)
}

/// Repeats all requests, of which those up to a number must have expired.
fn assert_expired(store: &mut Desk, all: u64, expired: u64) {
    let count = store.count::<Ticket, Any>();
    let (seq, fingerprint) = (store.seq(), store.fingerprint());
    for number in 1..=all {
        match request(store, number) {
            Ok(repeated) => assert!(repeated && number > expired, "{number}"),
            Err(StepError::KeyExpired { key }) => {
                assert_eq!(key, format!("request {number}"));
                assert!(number <= expired, "{number}");
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!((store.seq(), store.fingerprint()), (seq, fingerprint));
    assert_eq!(store.count::<Ticket, Any>(), count);
}

fn filled(dir: &Path, retention: KeyRetention, requests: u64) -> Desk {
    let mut store = options(retention).open(dir).expect("it opens");
    for number in 1..=requests {
        assert!(!request(&mut store, number).expect("the number is new"));
    }
    store
}

#[test]
fn by_the_age_and_by_the_number_of_transactions() {
    let forever = KeyRetention::forever();
    let cases = [
        (forever, 0),
        (forever.transactions(50), 2_950),
        (forever.age(Duration::from_secs(50)), 2_949),
        (forever.age(Duration::from_secs(50)).transactions(20), 2_980),
        (forever.transactions(5_000), 0),
    ];
    for (retention, expired) in cases {
        let dir = temp_dir();
        let mut store = filled(dir.path(), retention, 3_000);
        assert_expired(&mut store, 3_000, expired);
        drop(store);
        // Replay gives the same, and so does a checkpoint.
        let mut store = options(retention).open(dir.path()).expect("it opens");
        assert_expired(&mut store, 3_000, expired);
        store.checkpoint().expect("it is written");
        drop(store);
        let mut store = options(retention).open(dir.path()).expect("it opens");
        assert!(store.opened_from().checkpoint().is_some());
        assert_expired(&mut store, 3_000, expired);
        // A key that is unused fires.
        assert!(!request(&mut store, 3_001).expect("the number is new"));
    }
}

#[test]
fn an_expired_key_stays_so_with_a_longer_retention_and_a_checkpoint() {
    let dir = temp_dir();
    let retention = KeyRetention::forever().transactions(10);
    let mut store = filled(dir.path(), retention, 100);
    store.checkpoint().expect("it is written");
    drop(store);
    let mut store = Desk::open(dir.path()).expect("it opens");
    assert_expired(&mut store, 100, 90);
    drop(store);
    // The log itself has all keys.
    for entry in std::fs::read_dir(dir.path()).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|end| end == "checkpoint") {
            std::fs::remove_file(path).expect("it can be removed");
        }
    }
    let mut store = Desk::open(dir.path()).expect("it opens");
    assert_expired(&mut store, 100, 0);
}

#[test]
fn a_transaction_without_a_key_ages_the_others() {
    let retention = KeyRetention::forever().age(Duration::from_secs(10));
    let mut store = options(retention).memory();
    assert!(!request(&mut store, 1).expect("the number is new"));
    let opened = |second| Meta::new().with_time(Timestamp::from_secs(second));
    store
        .try_step_with(opened(11), Opened { number: 2 })
        .expect("it fires");
    assert_expired(&mut store, 1, 0);
    store
        .try_step_with(opened(12), Opened { number: 3 })
        .expect("it fires");
    assert_expired(&mut store, 1, 1);
    let shared = store.share();
    let meta = Meta::new().with_idempotency_key("request 1");
    let refused = shared.try_step_with(meta, Opened { number: 1 });
    assert!(matches!(refused, Err(StepError::KeyExpired { .. })));
}
