//! A store has one writer at a time, and readers beside it.

use crate::harness::{assert_consistent, temp_dir};
use crate::lamps::{Lamps, hall, lamps};

#[test]
fn a_store_has_one_writer_and_readers_see_its_steps_when_they_refresh() {
    let dir = temp_dir();
    let mut writer = Lamps::open(dir.path()).expect("the store opens");
    let lamp = hall(&mut writer);
    let second = Lamps::open(dir.path()).map(|_| ()).expect_err("locked");
    assert!(
        second.is_locked() && second.to_string().contains(&std::process::id().to_string()),
        "{second}"
    );

    let mut reader = Lamps::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(lamp.watts(&reader), 40);
    writer.step(lamps::Switched { lamp, watts: 60 });
    assert_eq!(lamp.watts(&reader), 40, "before a refresh");
    assert_eq!(reader.refresh().expect("the log can be read"), writer.seq());
    assert_eq!(lamp.watts(&reader), 60, "after a refresh");
    let refused = reader
        .try_step(lamps::Switched { lamp, watts: 1 })
        .map(|_| ())
        .expect_err("read only");
    assert!(
        matches!(refused, ironweave::StepError::ReadOnly),
        "{refused}"
    );
    assert_eq!(lamp.watts(&reader), 60);
    assert_consistent(&reader);
}

#[test]
fn a_directory_without_a_store_is_not_found() {
    let dir = temp_dir();
    let e = Lamps::open_read_only(dir.path().join("nowhere"))
        .map(|_| ())
        .expect_err("nothing");
    assert!(e.is_not_found(), "{e}");
}

#[test]
fn a_store_can_be_sent_to_another_thread() {
    let mut store = Lamps::paranoid();
    let lamp = hall(&mut store);
    let store = std::thread::spawn(move || {
        store.step(lamps::Switched { lamp, watts: 100 });
        store
    });
    assert_eq!(
        lamp.watts(&store.join().expect("the thread does not panic")),
        100
    );
}
