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
    assert!((8..=16).contains(&kept.len()), "{kept:?}");
    // A keyframe at each 512 frames would copy eight times as many.
    assert!(copied <= 10 * kept.len(), "{copied} pages for {kept:?}");
}
