//! The schema and the types of a model are made when a store opens, and not by the operations of the store.

use std::time::Duration;

use crate::base::meta::Meta;
use crate::db::Db as _;
use crate::step::model::MADE;
use crate::store::Store;

/// Lamps that can be dimmed.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod lamps {
    use crate::prelude::*;

    #[entity]
    pub struct Lamp {
        #[key]
        pub room: String,
        #[default]
        pub level: u64,
    }

    #[event]
    #[set(lamp.level = level)]
    pub struct Dimmed {
        pub lamp: Ensure<Lamp>,
        pub level: u64,
    }
}

use lamps::{Dimmed, Lamp, Model};

fn dimmed(level: u64) -> Dimmed {
    let lamp = "hall".into();
    Dimmed { lamp, level }
}

/// Returns how many times `act` makes the schema of a model, and its result.
fn made<R>(act: impl FnOnce() -> R) -> (usize, R) {
    let before = MADE.get();
    let result = act();
    (MADE.get() - before, result)
}

#[test]
fn the_model_is_made_once_when_a_store_opens() {
    let (times, mut store) = made(Store::<Model>::memory);
    assert_eq!(times, 1);
    store.step(dimmed(0));
    let lamp = store.find::<Lamp>("hall").expect("it is there");
    let (times, reader) = made(|| {
        // The first query of the past replays the log, and the first reader copies the graph.
        store.as_of(1).expect("it is in the log");
        assert_eq!(store.verify().expect("it verifies"), 1);
        store.reader()
    });
    assert_eq!(times, 0);

    let writes = |store: &mut Store<Model>| {
        let seq = store.step(dimmed(1)).seq;
        let all = store.step_all([dimmed(2), dimmed(3)]);
        assert!(all.iter().all(Result::is_ok));
        let key = || Meta::new().with_idempotency_key("again").expect(seq);
        let first = store.try_step_with(Meta::new().with_idempotency_key("k"), dimmed(4));
        let again = store.try_step_with(Meta::new().with_idempotency_key("k"), dimmed(4));
        assert!(again.expect("it repeats").repeated && first.is_ok());
        assert!(store.try_step_with(key(), dimmed(5)).is_err(), "changed");
        let asked = store.what_if(|t| t.apply(dimmed(6)).map(drop));
        let done = store.transaction(|t| {
            t.apply(dimmed(7)).map(drop)?;
            t.apply(dimmed(8)).map(drop)
        });
        asked.and(done.map(drop)).expect("they can happen");
    };
    let reads = |store: &Store<Model>| {
        let last = store.seq().expect("a frame");
        let snapshot = store.snapshot();
        let tried = snapshot.with(dimmed(10)).expect("it can happen").snapshot;
        assert_eq!(tried.diff(&snapshot).expect("of one store").len(), 1);
        assert_eq!(snapshot.check(), []);
        let now = reader.wait_until(last, Duration::MAX).expect("it is there");
        assert_eq!(now.seq(), store.reader().snapshot().seq());
        for frame in last.get() - 3..last.get() {
            store.as_of(frame).expect("it is in the log");
            reader.as_of(frame).expect("it is in the log");
        }
        for record in store.frames(0).expect("there is a log") {
            let record = record.expect("it is in the log");
            assert!(!format!("{record:?}{:?}", record.facts()).is_empty());
        }
        assert!(reader.since(0).expect("there is a log").count() > 5);
        assert!(store.tx_range(1..).expect("there is a log").count() > 5);
        assert!(store.history(lamp).expect("there is a log").len() > 3);
        store.locate(1).expect("it is in the log");
        assert!(store.position().is_some());
        let mut all = store.subscribe(0).expect("there is a log");
        assert!(all.try_next().expect("it is in the log").is_some());
        let mut after = store.subscribe_after(snapshot).expect("of this store");
        assert!(after.try_next().expect("it is in the log").is_none());
        assert_eq!(store.check(), []);
    };
    let (times, ()) = made(|| {
        writes(&mut store);
        reads(&store);
    });
    assert_eq!(times, 0);

    let shared = store.share();
    let (times, ()) = made(|| {
        let ticket = shared.submit(dimmed(9));
        let past = shared.as_of(2).expect("it is in the log");
        assert_eq!(past.check(), []);
        let now = shared.snapshot().expect("it is not stopped");
        assert_eq!(Some(ticket.wait().expect("it can happen").seq), now.seq());
        assert!(shared.history(lamp).expect("there is a log").len() > 3);
        assert!(shared.since(0).expect("there is a log").count() > 5);
        shared.read(reads).expect("it is not stopped");
    });
    assert_eq!(times, 0);
}
