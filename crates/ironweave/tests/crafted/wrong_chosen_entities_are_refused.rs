//! Wrong content in what the log has of the entities that an event chose.

use ironweave::prelude::*;

use crate::forge;
use crate::inn::{inn, log};
use crate::records::{Records, change, id};
use crate::scratch_dir;
use crate::wrong_frames_are_refused::refused;

/// A change of the records of the frame in which one room is booked, or of that in which two are chosen.
#[track_caller]
fn firing_refused(frame: usize, words: &str, wrong: impl FnOnce(&mut Records)) {
    let mut frames = log();
    change(&mut frames[frame], wrong);
    refused::<inn::Model>(frames, frame, words);
}

/// The words at the end of the only binding of a frame.
fn last_words(records: &mut Records, count: usize) -> &mut [u8] {
    let start = records.bindings.len() - 8 * count;
    &mut records.bindings[start..]
}

#[test]
fn as_many_are_chosen_as_a_name_can_hold() {
    let words =
        |n: u64| format!("an event chose {n} entities for a name, which it cannot have chosen");
    for n in [0, 2, u64::MAX] {
        firing_refused(6, &words(n), |records| {
            last_words(records, 2)[..8].copy_from_slice(&n.to_le_bytes());
        });
    }
    // Of two rooms: more than there are bytes for.
    for n in [3, u64::MAX / 8, u64::MAX] {
        firing_refused(7, &words(n), |records| {
            last_words(records, 3)[..8].copy_from_slice(&n.to_le_bytes());
        });
    }
    firing_refused(7, "an event has 8 bytes behind its fields", |records| {
        last_words(records, 3)[..8].copy_from_slice(&1u64.to_le_bytes());
    });
    firing_refused(6, "is not an id", |records| {
        last_words(records, 1).copy_from_slice(&u64::MAX.to_le_bytes());
    });
    firing_refused(
        6,
        "an event without the entities that it chose",
        |records| {
            records.firings[0].flags = 0;
        },
    );
    firing_refused(6, "ends before its last field", |records| {
        let len = records.bindings.len() - 16;
        records.bindings.truncate(len);
        records.firings[0].binding_end = len as u32;
    });
    // An event that chooses nothing.
    firing_refused(5, "a firing with the flags 0x1", |records| {
        records.firings[0].flags = 1;
    });
}

/// Replay applies the facts. That another entity was chosen than the arc chooses is found by `verify`.
#[test]
fn another_choice_is_found_by_verify() {
    let other = |frame: usize, words: &[&str], wrong: &dyn Fn(&mut Records)| {
        let mut frames = log();
        change(&mut frames[frame], wrong);
        let dir = scratch_dir();
        forge::write(dir.path(), &frames);
        let store = Store::<inn::Model>::open(dir.path()).expect("the graph is right");
        assert!(store.check().is_empty());
        let e = store.verify().expect_err("another entity was chosen");
        for words in words {
            assert!(e.to_string().contains(words), "no `{words}` in: {e}");
        }
    };
    // Another room, one that is too expensive, and one that does not exist.
    for slot in [3, 0, 77] {
        let wrong = id(slot, 1);
        other(6, &["Booked", "it chooses `room`: Room/2.1"], &|records| {
            last_words(records, 1).copy_from_slice(&wrong.to_le_bytes());
        });
    }
    // The two in another order, and one of them twice.
    other(
        7,
        &["Noted", "it chooses `rooms`: Room/3.1, Room/1.1"],
        &|records| {
            last_words(records, 2).rotate_left(8);
        },
    );
    other(
        7,
        &["Noted", "it chooses `rooms`: Room/3.1, Room/1.1"],
        &|records| {
            let first = id(3, 1).to_le_bytes();
            last_words(records, 1).copy_from_slice(&first);
        },
    );
    // One room instead of the two that the arc chooses.
    other(
        7,
        &["Noted", "it chooses `rooms`: Room/3.1, Room/1.1"],
        &|records| {
            last_words(records, 3)[..8].copy_from_slice(&1u64.to_le_bytes());
            let len = records.bindings.len() - 8;
            records.bindings.truncate(len);
            records.firings[0].binding_end = len as u32;
        },
    );
}
