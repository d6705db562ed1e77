//! The rooms of an inn: a model with choices, conditions, due times, orders and an index, and a log of it.

use ironweave::Options;
use ironweave::prelude::*;

use crate::forge::{self, Forged};
use crate::scratch_dir;

#[ironweave::model]
pub mod inn {
    use std::time::Duration;

    use ironweave::prelude::*;

    #[entity]
    pub struct Floor {
        #[key]
        pub level: u64,
        pub limit: u64,
        pub rooms: Many<Room>,
    }

    #[entity]
    #[index(ordered, fields = [floor, price], while = Free)]
    pub struct Room {
        #[key]
        pub number: u64,
        pub price: u64,
        pub note: String,
        #[inverse(Floor::rooms)]
        pub floor: Floor,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Taken)]
        Free,
        #[to(Dirty)]
        Taken { until: Timestamp },
        #[to(Free)]
        Dirty,
    }

    #[event]
    #[create(floor: Floor { level, limit })]
    pub struct Opened {
        pub level: u64,
        pub limit: u64,
    }
    #[event]
    #[create(room: Room { number, price, note })]
    #[link(floor.rooms += room)]
    pub struct Furnished {
        pub floor: Key<Floor>,
        pub number: u64,
        pub price: u64,
        pub note: String,
    }
    #[event]
    #[choose(room: floor.rooms in Free where price <= most by price desc)]
    #[when(count floor.rooms in Free >= 1)]
    #[when(floor.limit >= most)]
    #[moves(room: Free -> Taken { until = meta.time + stay })]
    pub struct Booked {
        pub floor: Key<Floor>,
        pub most: u64,
        pub stay: Duration,
    }
    #[event]
    #[choose(rooms: 2 of Room in Free by price)]
    #[set(rooms.note = note)]
    pub struct Noted {
        pub note: String,
    }
    #[event]
    #[due(room.Taken.until)]
    #[moves(room: Taken -> Dirty)]
    pub struct Left {
        pub room: Room,
    }
    #[immediate(by = room.price desc)]
    #[moves(room: Dirty -> Free)]
    pub struct Cleaned {
        pub room: Room,
    }
}

/// A log: the schema, a floor with four rooms, a choice of one room, a choice of two, and a due event.
pub fn log() -> Vec<Forged> {
    let dir = scratch_dir();
    let clock = ironweave::ManualClock::starting_at(Timestamp::from_secs(1000));
    let options = Options::<inn::Model>::default().clock(clock.clone());
    let mut store = options.open(dir.path()).expect("the store opens");
    store.step(inn::Opened { level: 1, limit: 9 });
    for number in 0..4 {
        store.step(inn::Furnished {
            floor: 1.into(),
            number,
            price: 10 - number,
            note: String::new(),
        });
    }
    store.step(inn::Booked {
        floor: 1.into(),
        most: 8,
        stay: std::time::Duration::from_secs(60),
    });
    store.step(inn::Noted {
        note: "cheap".to_owned(),
    });
    clock.set(Timestamp::from_secs(2000));
    let fired = store.fire_due(clock.now()).expect("the store is open");
    assert_eq!(fired.fired.len(), 1);
    drop(store);
    let frames = forge::frames(dir.path());
    assert_eq!(frames.len(), 9);
    frames
}
