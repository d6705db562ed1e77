//! A query about the past of a shared store is answered from its view, whatever is written meanwhile.

use super::*;
use crate::base::meta::Meta;
use crate::db::Db;
use crate::db::entity::Any;
use crate::snapshot::Snapshot;
use crate::snapshot::replica::SnapshotFollower;
use crate::store::{SharedStore, Store};

/// A bell that can be hung up.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod bells {
    use crate::prelude::*;

    #[entity]
    pub struct Bell {}

    #[event]
    #[create(bell: Bell)]
    pub struct Hung {}
}

use bells::{Bell, Hung, Model};

fn hang(store: &SharedStore<Model>, secs: i64) {
    let meta = Meta::new().with_time(Timestamp::from_secs(secs));
    store.try_step_with(meta, Hung {}).expect("it is hung up");
}

#[test]
fn a_time_is_answered_from_the_view_though_later_versions_are_kept() {
    let store = Store::<Model>::memory().share();
    hang(&store, 10);
    let _ = store.snapshot().expect("it reads");
    let view = store.view().expect("it reads");
    hang(&store, 20);
    let (keyframes, replica) = store.exclusive(|store| {
        let slot: &SnapshotFollower = store.followers.get();
        (Arc::clone(slot.keyframes()), slot.get().map(Arc::clone))
    });
    let query = PastQuery {
        view: &view,
        keyframes: &keyframes,
        replica: replica.as_deref(),
    };
    // Twice, since the first one makes keyframes.
    for _ in 0..2 {
        let then = query.as_of(Timestamp::from_secs(30).into());
        let then = Snapshot::<Model>::of(then.expect("it reads"));
        assert_eq!((then.seq(), then.count::<Bell, Any>()), (view.last, 1));
    }
    let now = store.as_of(Timestamp::from_secs(30)).expect("it reads");
    assert_eq!(now.count::<Bell, Any>(), 2);
}

#[test]
fn a_point_far_back_is_read_from_the_checkpoint_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = || {
        let options = Store::<Model>::options().durability(crate::Durability::Os);
        options.open(dir.path()).expect("it opens")
    };
    let mut store = open();
    let mut checkpoints = Vec::new();
    for n in 1..=1_000 {
        store.step(Hung {});
        if n % 300 == 0 {
            checkpoints.push(store.checkpoint().expect("it is written").seq());
        }
    }
    for damaged in [false, true] {
        if damaged {
            let name = format!("{:020}.checkpoint", checkpoints[1]);
            std::fs::write(dir.path().join(name), "damaged").expect("it is written");
        }
        drop(store);
        store = open();
        let then = store.as_of(700u64).expect("it reads");
        assert_eq!(then.count::<Bell, Any>(), 700);
        assert_eq!(then.position(), store.locate(700u64).ok());
        let slot: &SnapshotFollower = store.followers.get();
        let first = slot.keyframes().seqs()[0];
        let start = checkpoints[usize::from(!damaged)];
        assert_eq!(first, start.get() + 1, "damaged: {damaged}");
    }
    let then = store.as_of(100u64).expect("it reads");
    assert_eq!(then.count::<Bell, Any>(), 100);
}

#[test]
fn a_point_far_back_copies_pages_only_for_keyframes_that_stay() {
    let mut store = Store::<Model>::memory();
    for _ in 0..100 * SPACING {
        store.step(Hung {});
    }
    let copied = crate::graph::storage::COPIED.get();
    let then = store.as_of(99 * SPACING).expect("it reads");
    assert_eq!(then.count::<Bell, Any>() as u64, 99 * SPACING);
    let copied = crate::graph::storage::COPIED.get() - copied;
    let slot: &SnapshotFollower = store.followers.get();
    let kept = slot.keyframes().seqs();
    // The last of them are within the frames that are not gone in vectors.
    let near = kept
        .iter()
        .filter(|next| **next > 98 * SPACING - far::LAST_FRAMES);
    assert!((4..=8).contains(&near.count()), "{kept:?}");
    // A keyframe at each 512 frames would copy eight times as many.
    assert!(copied <= 10 * kept.len(), "{copied} pages for {kept:?}");
}

#[test]
fn most_of_a_long_way_is_gone_in_vectors() {
    let mut store = Store::<Model>::memory();
    let mut hang = |time: u64| {
        let meta = Meta::new().with_time(Timestamp::from_secs(time as i64));
        store.try_step_with(meta, Hung {}).expect("it is hung up");
    };
    // Two transactions at each second.
    let frames = 2 * far::FAR_FRAMES;
    (0..frames).for_each(|n| hang(n / 2));
    let replayed = |act: &dyn Fn() -> Snapshot<Model>| {
        let before = REPLAYED.get();
        (act(), REPLAYED.get() - before)
    };
    // Before the last keyframe, so that each starts at the beginning.
    for when in [8, 7, 6, 5, 3, 1].map(|n| n * frames / 8) {
        let (then, count) = replayed(&|| store.as_of(when).expect("it reads"));
        assert_eq!(
            (then.seq(), then.count::<Bell, Any>() as u64),
            (Some(Seq::new(when)), when)
        );
        assert_eq!(then.position(), store.locate(when).ok());
        assert_eq!(then.check(), []);
        assert!(count <= far::FAR_FRAMES, "{when}: {count}");
        if when >= far::FAR_FRAMES {
            assert!(count <= far::LAST_FRAMES, "{when}: {count}");
        }
        let time = Timestamp::from_secs((when / 2) as i64 - 1);
        let (then, count) = replayed(&|| store.as_of(time).expect("it reads"));
        assert_eq!(
            (then.time(), then.count::<Bell, Any>() as u64),
            (time, when / 2 * 2)
        );
        assert!(count <= far::LAST_FRAMES, "{when}: {count}");
    }
    let beginning = store.as_of(Timestamp::from_secs(-1)).expect("it reads");
    assert_eq!(beginning.count::<Bell, Any>(), 0);
}

/// The first frame after a time is found in a log with frames that have no time.
#[test]
fn the_first_frame_after_a_time_is_found_by_halving() {
    let store = Store::<Model>::memory().share();
    (0..40).for_each(|n| hang(&store, n / 4));
    let view = store.view().expect("it reads");
    for time in -1..12 {
        let expected = match time {
            -1 => 0,
            _ => (4 * (time + 1)).min(40) as u64 + 1,
        };
        for from in [0, 1, 7, 40, 41] {
            let found = far::first_after(&view, Timestamp::from_secs(time), Seq::new(from));
            let found = found.expect("it reads").get();
            // The schema has no time, and the first transaction is after -1.
            let least = expected.max(from);
            assert!(
                found == least || time == -1 && found <= 1.max(from),
                "{time} {from}: {found}"
            );
        }
    }
}
