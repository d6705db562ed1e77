//! The time of the simulation is that of the transactions and of fields, and says when a replication ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Simulation, now};

use crate::bank::bank::{self, state::*, *};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Customers arrive every ten seconds, and a clerk serves each for seven.
fn simulation() -> Simulation<bank::Model> {
    Simulation::new()
        .start(|store| {
            store.step(Hired {});
        })
        .without::<Hired>()
        .delay::<Arrived>(seconds(10))
        .delay::<Started>(Duration::ZERO)
        .delay::<Finished>(seconds(7))
        .replications(1)
}

#[test]
fn in_events_and_fields() {
    let noon = Timestamp::from_secs(43_200);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&seen);
    simulation()
        .time(noon)
        .until_time(seconds(25))
        .trace(move |fired| {
            assert_eq!(now(fired.store), noon + fired.elapsed);
            if let bank::AnyEvent::Arrived(event) = fired.event {
                let customer = fired.store.place::<Customer, Waiting>().next().unwrap();
                let arrived = customer.arrived(fired.store);
                assert_eq!(
                    (customer.called(fired.store), event.called),
                    (arrived, arrived)
                );
                times
                    .lock()
                    .unwrap()
                    .push(arrived.duration_since(noon).as_secs());
            }
        })
        .run()
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [10, 20]);
}

#[test]
fn until_a_time_a_condition_or_nothing_can_fire() {
    let report = simulation().until_time(seconds(20)).run().unwrap();
    // What is due at the end fires.
    assert_eq!(report.event("Arrived").unwrap().mean(), 2.0);
    assert_eq!((report.out_of_time(), report.seconds().mean()), (1, 20.0));

    let report = simulation()
        .until(|db| db.count::<Clerk, Busy>() == 1)
        .run()
        .unwrap();
    assert_eq!(report.until().unwrap().seconds().values(), [10.0]);
    let report = simulation()
        .until(|db| db.count::<Clerk, Any>() == 1)
        .run()
        .unwrap();
    assert_eq!(report.until().unwrap().seconds().values(), [0.0]);

    let report = simulation()
        .delay::<Arrived>(Delay::never())
        .until(|_| false)
        .run()
        .unwrap();
    assert_eq!(
        (
            report.idle(),
            report.until().unwrap().never(),
            report.fired()
        ),
        (1, 1, 0)
    );
    assert!(
        report
            .to_string()
            .contains("1 ended as nothing could fire any more"),
        "{report}"
    );

    let report = simulation().events_max(5).run().unwrap();
    assert_eq!((report.out_of_events(), report.fired()), (1, 5));
    let report = simulation().events_max(0).run().unwrap();
    assert_eq!((report.out_of_events(), report.fired()), (1, 0));
    // A clock that would end after the end of time never does.
    let report = simulation()
        .delay::<Arrived>(Duration::MAX)
        .until_time(Duration::MAX)
        .run()
        .unwrap();
    assert_eq!((report.idle(), report.fired()), (1, 0));
}

#[test]
fn monitors_weigh_by_time_and_begin_after_the_warm_up() {
    let simulation = || simulation().monitor("busy", |db| db.count::<Clerk, Busy>() as f64);
    // Busy from 10 to 17 and from 20 on.
    let report = simulation().until_time(seconds(24)).run().unwrap();
    let busy = report.monitor("busy").unwrap();
    assert!((busy.mean().mean() - 11.0 / 24.0).abs() < 1e-12, "{report}");
    let report = simulation()
        .until_time(seconds(24))
        .warm_up(seconds(14))
        .run()
        .unwrap();
    let busy = report.monitor("busy").unwrap();
    assert!((busy.mean().mean() - 7.0 / 10.0).abs() < 1e-12, "{report}");
    assert_eq!(report.event("Arrived").unwrap().mean(), 1.0);
    // No time passes after the warm-up.
    let report = simulation()
        .until_time(seconds(12))
        .warm_up(seconds(12))
        .run()
        .unwrap();
    assert_eq!(report.monitor("busy").unwrap().mean().mean(), 1.0);
    // A replication that ends before the end of the warm-up has no value.
    let report = simulation()
        .until(|db| db.count::<Clerk, Busy>() == 1)
        .warm_up(seconds(12))
        .run()
        .unwrap();
    assert!(
        report.monitor("busy").unwrap().mean().is_empty(),
        "{report}"
    );
    let report = simulation()
        .until_time(seconds(15))
        .warm_up(seconds(12))
        .run()
        .unwrap();
    let busy = report.monitor("busy").unwrap();
    assert_eq!(
        (busy.mean().mean(), busy.min(), busy.max()),
        (1.0, 1.0, 1.0)
    );
}

#[test]
fn conditions_have_the_time_of_their_first_moment() {
    let report = simulation()
        .first("a customer waits", |db| db.count::<Customer, Waiting>() > 0)
        .first("two are there", |db| db.count::<Customer, Any>() == 2)
        .first("a clerk is there", |db| db.count::<Clerk, Any>() > 0)
        .until_time(seconds(100))
        .run()
        .unwrap();
    // A moment that lasts no time is seen.
    assert_eq!(
        report.first("a customer waits").unwrap().seconds().values(),
        [10.0]
    );
    let never = report.first("two are there").unwrap();
    assert_eq!((never.never(), never.seconds().len()), (1, 0));
    assert_eq!(
        report.first("a clerk is there").unwrap().seconds().values(),
        [0.0]
    );
    assert!(report.first("a clerk").is_none() && report.monitor("a").is_none());
}

mod hotel {
    #[ironweave::model]
    pub mod hotel {
        use ironweave::prelude::*;

        #[entity]
        pub struct Guest {
            #[key]
            pub number: u32,
        }

        #[event]
        #[create(guest: Guest { number })]
        pub struct CheckedIn {
            pub number: u32,
        }

        #[event]
        #[delete(guest)]
        pub struct CheckedOut {
            pub guest: Key<Guest>,
        }
    }
}

/// The next key changes when a guest leaves, which does not begin the delay of the next arrival again.
#[test]
fn an_arrival_with_the_next_key_keeps_its_clock() {
    use hotel::hotel::{CheckedIn, CheckedOut, Guest, Model};
    let report = Simulation::<Model>::new()
        .entities::<Guest>(5)
        .delay::<CheckedIn>(seconds(10))
        .delay::<CheckedOut>(seconds(17))
        .monitor("guests", |db| db.count::<Guest, Any>() as f64)
        .until_time(seconds(1000))
        .replications(1)
        .run()
        .unwrap();
    assert_eq!(report.event("CheckedIn").unwrap().mean(), 100.0);
    assert_eq!(report.monitor("guests").unwrap().max(), 2.0);
    // A bound is a capacity. The clock begins when there is room.
    let report = Simulation::<Model>::new()
        .entities::<Guest>(1)
        .delay::<CheckedIn>(seconds(10))
        .delay::<CheckedOut>(seconds(17))
        .until_time(seconds(270))
        .replications(1)
        .run()
        .unwrap();
    assert_eq!(report.event("CheckedIn").unwrap().mean(), 10.0);
}

#[test]
fn a_simulation_of_a_store_begins_there_and_changes_nothing() {
    let mut store = Store::<bank::Model>::memory();
    let noon = Timestamp::from_secs(4_000_000_000);
    let meta = Meta::new().with_time(noon);
    store.try_step_with(meta, Hired {}).unwrap();
    store.step(Hired {});
    let before = (store.fingerprint(), store.seq());
    let last = store.frames(1).unwrap().next().unwrap().unwrap().time();
    let report = simulation()
        .begin_at(store.snapshot())
        .trace(move |fired| assert_eq!(now(fired.store), last + fired.elapsed))
        .monitor("clerks", |db| db.count::<Clerk, Any>() as f64)
        .until_time(seconds(100))
        .replications(3)
        .run()
        .unwrap();
    // One more is hired by the start.
    assert_eq!(report.monitor("clerks").unwrap().min(), 3.0);
    assert_eq!((store.fingerprint(), store.seq()), before);
}
