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
