//! How long entities stayed in a place is read from the log, and is a delay.

use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::Stays;
use ironweave::{ManualClock, Place};

use crate::bank::bank::{self, state::*, *};

/// The seconds of the stays that have ended, with the events that ended them.
fn ended<S: Place<Customer>>(store: &Store<bank::Model>) -> Vec<(u64, String)> {
    let stays = Stays::<Customer, S>::of(store.frames(0).unwrap()).unwrap();
    let ended = stays.ended().iter();
    ended
        .map(|stay| (stay.duration().as_secs(), stay.event.clone()))
        .collect()
}

#[test]
fn of_places_of_one_or_more_states() {
    let clock = ManualClock::starting_at(Timestamp::from_secs(0));
    let mut store = Store::<bank::Model>::options()
        .clock(clock.clone())
        .memory();
    let advance = |seconds| clock.advance(Duration::from_secs(seconds));
    let clerk = store.step(Hired {}).created.clerk;
    let mut customers = Vec::new();
    for seconds in [1, 2, 4] {
        let called = clock.now();
        customers.push(store.step(Arrived { called }).created.customer);
        advance(seconds);
    }
    for customer in &customers[..2] {
        let started = Started {
            customer: customer.in_state::<Waiting>(&store).unwrap(),
            clerk: clerk.in_state::<Idle>(&store).unwrap(),
        };
        let bound = store.step(started).bound;
        advance(16);
        store.step(Finished {
            customer: bound.customer,
            clerk: bound.clerk,
        });
    }
    let waiting = [7, 6 + 16].map(|seconds| (seconds, "Started".to_owned()));
    assert_eq!(ended::<Waiting>(&store), waiting);
    let served = [16, 16].map(|seconds| (seconds, "Finished".to_owned()));
    assert_eq!(ended::<Served>(&store), served);
    // A move within the place is no end.
    let all = [23, 22 + 16].map(|seconds| (seconds, "Finished".to_owned()));
    assert_eq!(ended::<Any>(&store), all);
    assert_eq!(ended::<(Waiting, Served)>(&store), all);

    let stays = Stays::<Customer, Waiting>::of(store.frames(0).unwrap()).unwrap();
    assert_eq!(stays.open(), [(customers[2], Timestamp::from_secs(3))]);
    assert!(
        stays.ended()[0].is_ended_by::<Started>() && !stays.ended()[0].is_ended_by::<Finished>()
    );
    assert_eq!(stays.ended()[1].entity, customers[1]);
    assert!(
        stays
            .delay(|stay| stay.duration() > Duration::from_secs(100))
            .is_err()
    );
    let by_slot = stays.delays_by(|stay| Some(stay.entity.id().slot()).filter(|slot| *slot > 0));
    assert_eq!(by_slot.keys().copied().collect::<Vec<_>>(), [1]);

    // Of the last records, a stay that began before is not known.
    let last = store.since(4).unwrap();
    let stays = Stays::<Customer, Waiting>::of(last).unwrap();
    assert_eq!((stays.ended().len(), stays.open().len()), (0, 0));
    // The slot of the first one is used again.
    store.step(Arrived {
        called: clock.now(),
    });
    let stays = Stays::<Customer, Waiting>::of(store.frames(0).unwrap()).unwrap();
    assert_eq!((stays.ended().len(), stays.open().len()), (2, 2));
}
