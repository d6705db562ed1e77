//! The five cases of the guide, and what a store is like after its migration: opened again without code, read without types, in
//! the past, verified and continued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ironweave::dynamic::Dynamic;

use super::*;
use crate::harness::{assert_consistent, temp_dir, unsynced};

#[test]
fn each_case_of_the_guide_is_migrated() {
    let dir = temp_dir();
    write_old(dir.path());
    let store = migrating().open(dir.path()).expect("it migrates");
    assert_migrated(&store);
    assert_consistent(&store);
}

#[test]
fn a_store_is_opened_again_without_the_migration() {
    let dir = temp_dir();
    write_old(dir.path());
    let (fingerprint, seq) = {
        let store = migrating().open(dir.path()).expect("it migrates");
        (store.fingerprint(), store.seq())
    };
    let before = files(dir.path());
    // With one it does not run.
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let options = unsynced::<Model>().migrate(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(MigrationError::new("it runs once"))
    });
    let store = options.open(dir.path()).expect("it opens");
    assert_eq!((store.fingerprint(), store.seq()), (fingerprint, seq));
    drop(store);
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    let mut store = Store::<Model>::open(dir.path()).expect("it opens without");
    assert_eq!((store.fingerprint(), store.seq()), (fingerprint, seq));
    assert_migrated(&store);
    assert_consistent(&store);
    assert_eq!(files(dir.path()).len(), before.len());
    // It goes on with the events of the new model.
    store.step(v2::club::Joined {
        member: "eve@club.org".into(),
        team: Key::new(1u32),
        year: 2026,
    });
    store.step(v2::club::Repaired { bike: "A1".into() });
    let fingerprint = store.fingerprint();
    drop(store);
    let store = Store::<Model>::open_read_only(dir.path()).expect("it opens for reading");
    assert_eq!(store.fingerprint(), fingerprint);
    assert!(store.verify().is_ok(), "{:?}", store.verify());
}

#[test]
fn a_log_with_a_migration_is_read_without_types_and_the_past_is_as_it_was() {
    let dir = temp_dir();
    write_old(dir.path());
    let before = Store::<v1::club::Model>::open_read_only(dir.path()).expect("it opens");
    let old = (before.seq().expect("a frame"), before.fingerprint());
    let last = before.frames(old.0).expect("a log").next();
    let last = last.expect("a frame").expect("it is read").time();
    let later = Timestamp::from_micros(last.as_micros() + 5_000_000);
    let options = migrating().clock(ironweave::ManualClock::starting_at(later));
    let store = options.open(dir.path()).expect("it migrates");
    let log = Store::<Dynamic>::open_read_only(dir.path()).expect("it is read");
    assert_eq!(log.fingerprint(), store.fingerprint());
    assert_consistent(&log);
    assert!(log.verify().is_ok(), "{:?}", log.verify());
    let then = log.as_of(old.0).expect("it is there");
    assert_eq!(then.fingerprint(), old.1);
    let bike = then
        .by_name()
        .find("Bike", "A1")
        .expect("the type")
        .expect("it was there");
    assert_eq!(bike.state(), "Broken");
    // The schema has no time. At each time before the facts of the migration, the graph is that of before.
    let between = Timestamp::from_micros(last.as_micros() + 4_999_999);
    for time in [last, between] {
        for at in [
            log.as_of(time).expect("it is there"),
            store.as_of_by_name(time).expect("it is there"),
        ] {
            assert_eq!((at.seq(), at.fingerprint()), (Some(old.0), old.1));
        }
    }
    let at = store.as_of(later).expect("it is migrated");
    assert_eq!(at.fingerprint(), store.fingerprint());
    let now = log
        .by_name()
        .find("Bike", "A1")
        .expect("the type")
        .expect("it is there");
    assert_eq!((now.state(), now.id()), ("Repair", bike.id()));
}

/// A store in memory has no earlier version.
#[test]
fn a_new_store_needs_no_migration() {
    let dir = temp_dir();
    let options = || unsynced::<Model>().migrate(|_, _| Err(MigrationError::new("no")));
    assert!(options().open(dir.path()).is_ok());
    assert_eq!(options().memory().count::<Bike, Any>(), 0);
}
