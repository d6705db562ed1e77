//! Events of other fields and another name, which upcasters read, and an event that is removed. The stored data is the same.

use ironweave::prelude::*;

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub number: u32,
        #[default]
        pub until: u32,
        #[default]
        pub color: String,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Dirty)]
        Clean,
        #[to(Clean)]
        Dirty,
    }

    #[event]
    #[set(room.until = until)]
    #[moves(room: Clean -> Dirty)]
    pub struct Booked {
        pub room: Ensure<Room>,
        pub from: u32,
        pub until: u32,
    }

    #[event]
    #[moves(room: Dirty -> Clean)]
    pub struct Cleaned {
        pub room: Room,
    }

    #[event]
    #[set(room.color = color)]
    pub struct Painted {
        pub room: Key<Room>,
        pub color: String,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub number: u32,
        #[default]
        pub until: u32,
        #[default]
        pub color: String,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Dirty)]
        Clean,
        #[to(Clean)]
        Dirty,
    }

    #[event]
    #[upcast(from = "Booked", with = super::in_nights)]
    #[set(room.until = until)]
    #[moves(room: Clean -> Dirty)]
    pub struct Booked {
        pub room: Ensure<Room>,
        pub nights: u32,
        pub until: u32,
    }

    #[event]
    #[upcast(from = "Cleaned", with = super::by_night)]
    #[moves(room: Dirty -> Clean)]
    pub struct Washed {
        pub room: Room,
        pub by: String,
    }
}

fn in_nights(logged: &LoggedEvent<'_>) -> Result<v2::Booked, UpcastError> {
    let (from, until): (u32, u32) = (logged.get("from")?, logged.get("until")?);
    let nights = until.checked_sub(from);
    Ok(v2::Booked {
        room: logged.get("room")?,
        nights: nights.ok_or_else(|| UpcastError::new("it ends before it begins"))?,
        until,
    })
}

fn by_night(logged: &LoggedEvent<'_>) -> Result<v2::Washed, UpcastError> {
    Ok(v2::Washed {
        room: logged.get("room")?,
        by: "the night shift".to_owned(),
    })
}

pub struct UpcastEvents;

impl Change for UpcastEvents {
    const NAME: &'static str = "upcast_events";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        use v1::*;
        let booked = |number: u32, from, until| Booked {
            room: Ensure::new(number),
            from,
            until,
        };
        fire(store, 1, booked(7, 3, 5))?;
        let room = store.find::<Room>(&7).ok_or("it was booked")?;
        fire(store, 2, Cleaned { room })?;
        fire(store, 3, booked(7, 6, 10))?;
        let (room, color) = (Key::new(7u32), "red".into());
        fire(store, 4, Painted { room, color })
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        let room = store.find::<Room>(&7).ok_or("it was booked")?;
        let by = "max".into();
        fire(store, 60, Washed { room, by })?;
        let (room, nights, until) = (Ensure::new(8u32), 2, 12);
        fire(
            store,
            61,
            Booked {
                room,
                nights,
                until,
            },
        )
    }

    fn assert_read(store: &Store<v2::Model>) {
        use v2::*;
        let records = store.frames(0).expect("the log can be read");
        let records: Vec<_> = records.map(|r| r.expect("it is read")).collect();
        let booked = records.iter().flat_map(|record| record.events::<Booked>());
        let booked = booked.map(|event| event.expect("it is read"));
        let nights: Vec<u32> = booked.map(|event| event.nights).collect();
        assert_eq!(nights, [2, 4, 2]);
        let washed = records.iter().flat_map(|record| record.events::<Washed>());
        let by: Vec<String> = washed.map(|event| event.expect("it is read").by).collect();
        assert_eq!(by, ["the night shift", "max"]);
        let red = store.find::<Room>(&7).expect("the room");
        assert_eq!((red.color(store), red.until(store)), ("red", 10));
    }
}
