//! A replica that another thread uses, and one that is asked all the time. `bounded.rs` has what commits do for it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use serde::{Deserialize, Deserializer, Serialize};

use super::applier::NO_APPLIER;
use super::*;
use crate::base::error::ReadError;
use crate::store::Store;

/// Something that counts.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod meters {
    use crate::prelude::*;

    #[entity]
    pub struct Meter {
        #[key]
        pub number: u64,
        #[default]
        pub value: u64,
        #[default]
        pub slow: super::Slow,
    }

    #[event]
    #[create(meter: Meter { number })]
    pub struct Mounted {
        pub number: u64,
    }

    #[event]
    #[set(meter.slow = slow)]
    pub struct Looked {
        pub meter: Meter,
        pub slow: super::Slow,
    }

    #[event]
    #[set(meter.value = value)]
    pub struct Read {
        pub meter: Meter,
        pub value: u64,
    }
}

use meters::{Looked, Model, Mounted, Read};

/// What the writer has queued last, and what the replica has come to.
static QUEUED: AtomicU64 = AtomicU64::new(0);
static APPLIED: AtomicU64 = AtomicU64::new(0);
const LAST: u64 = 500;

thread_local! {
    /// Whether this is the thread that asks for the newest snapshot. The writer reads its values too, to see that they
    /// come back.
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

/// A value that takes as long to be read from a fact as the writer takes to queue the next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Slow(u64);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let n = u64::deserialize(from)?;
        if !LOOKS.get() {
            return Ok(Self(n));
        }
        APPLIED.store(n, SeqCst);
        while (1..LAST).contains(&n) && QUEUED.load(SeqCst) <= n {
            std::thread::yield_now();
        }
        Ok(Self(n))
    }
}

/// Returns the cost of what is queued and not applied.
pub(super) fn backlog(replica: &Replica) -> u64 {
    lock(&replica.queue).cost() - replica.applied.load(Relaxed)
}

#[test]
fn while_another_thread_uses_the_replica_commits_queue_and_do_not_wait() {
    NO_APPLIER.set(true);
    let mut store = Store::<Model>::memory();
    let meter = store.step(Mounted { number: 1 }).created.meter;
    let reader = store.reader();
    let before = reader.snapshot();
    let current = lock(&reader.replica().current);
    // Each of these frames costs 2.
    let steps = FULL / 2 - 1;
    for value in 1..=steps {
        store.step(Read { meter, value });
    }
    assert_eq!(backlog(reader.replica()), 2 * steps);
    drop(current);
    // Each commit applies as much again as it queues.
    for value in 1..=steps {
        store.step(Read { meter, value });
        let expected = (2 * steps).saturating_sub(2 * value).max(LONG);
        assert!(backlog(reader.replica()).abs_diff(expected) <= 4);
    }
    let now = reader.snapshot();
    assert_eq!((now.seq(), meter.value(&now)), (store.seq(), steps));
    assert_eq!(backlog(reader.replica()), 0);
    assert_eq!(meter.value(&before), 0);
    // It goes on from there.
    store.step(Read { meter, value: 5 });
    let now = reader.snapshot();
    assert_eq!((now.seq(), meter.value(&now)), (store.seq(), 5));
    assert_eq!(now.fingerprint(), store.fingerprint());
}

#[test]
fn who_asks_for_the_newest_is_not_kept_until_nothing_more_comes() {
    let mut store = Store::<Model>::memory();
    let meter = store.step(Mounted { number: 1 }).created.meter;
    let reader = store.reader();
    let first = store.step(Looked {
        meter,
        slow: Slow(1),
    });
    QUEUED.store(1, SeqCst);
    std::thread::scope(|scope| {
        // Whenever it has applied something, there is more.
        let looking = scope.spawn(|| {
            LOOKS.set(true);
            reader.snapshot().seq()
        });
        for n in 2..=LAST {
            while n > APPLIED.load(SeqCst) + 2 && !looking.is_finished() {
                std::thread::yield_now();
            }
            store.step(Looked {
                meter,
                slow: Slow(n),
            });
            QUEUED.store(n, SeqCst);
        }
        let seen = looking.join().expect("it has looked");
        assert!(
            seen >= Some(first.seq) && seen < Some(first.seq + LAST / 2),
            "{seen:?}"
        );
    });
}

#[test]
fn of_a_store_that_is_looked_at_the_near_past_is_kept_and_not_read() -> Result<(), ReadError> {
    let mut store = Store::<Model>::memory();
    let meter = store.step(Mounted { number: 1 }).created.meter;
    let mounted = store.seq().expect("it has happened");
    let _ = store.snapshot();
    store.as_of(mounted)?;
    for value in 1..=1_000 {
        store.step(Read { meter, value });
    }
    let then = store.as_of(mounted + 950)?;
    assert_eq!(meter.value(&then), 950);
    for value in 1_000 + 1 - RECENT as u64..=1_000 {
        let (one, again) = (store.as_of(mounted + value)?, store.as_of(mounted + value)?);
        assert!(Arc::ptr_eq(&one.state, &again.state), "{value} is kept");
        assert_eq!(
            (one.seq(), meter.value(&one)),
            (Some(mounted + value), value)
        );
    }
    Ok(())
}
