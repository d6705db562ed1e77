//! Logged events that today's events cannot be read from by the names of their fields are read by the upcasters of the model, by each
//! reader alike. What nothing reads is shown as it was logged.

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{Record, RecordedEvent, Seq};

use crate::harness::temp_dir;

#[ironweave::model]
mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub number: u32,
        #[default]
        pub nights: u32,
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
    #[create(room: Room { number })]
    pub struct Built {
        pub number: u32,
    }

    #[event]
    #[set(room.nights = until)]
    #[moves(room: Clean -> Dirty)]
    pub struct Booked {
        pub room: Key<Room>,
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

/// `Booked` has other fields, `Cleaned` another name and one more field, and `Painted` is removed.
#[ironweave::model]
mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub number: u32,
        #[default]
        pub nights: u32,
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
    #[create(room: Room { number })]
    pub struct Built {
        pub number: u32,
    }

    #[event]
    #[upcast(from = "Booked", with = super::nights)]
    #[set(room.nights = until)]
    #[moves(room: Clean -> Dirty)]
    pub struct Booked {
        pub room: Key<Room>,
        pub nights: u32,
        pub until: u32,
    }

    #[event]
    #[upcast(from = "Cleaned", with = super::by_the_night_shift)]
    #[moves(room: Dirty -> Clean)]
    pub struct Washed {
        pub room: Room,
        pub by: String,
    }
}

fn nights(logged: &LoggedEvent<'_>) -> Result<v2::Booked, UpcastError> {
    let (from, until): (u32, u32) = (logged.get("from")?, logged.get("until")?);
    let nights = until.checked_sub(from);
    Ok(v2::Booked {
        room: logged.get("room")?,
        nights: nights
            .ok_or_else(|| UpcastError::new(format!("it ends before it begins: {logged:?}")))?,
        until,
    })
}

fn by_the_night_shift(logged: &LoggedEvent<'_>) -> Result<v2::Washed, UpcastError> {
    assert_eq!((logged.name(), logged.has("by")), ("Cleaned", false));
    Ok(v2::Washed {
        room: logged.get("room")?,
        by: "the night shift".to_owned(),
    })
}

/// A log with each event. The second booking has an idempotency key.
fn logged(dir: &std::path::Path) -> u128 {
    let mut store = Store::<v1::Model>::open(dir).expect("the store opens");
    let room = store.step(v1::Built { number: 7 }).created.room;
    let booked = |from, until| v1::Booked {
        room: Key::new(7u32),
        from,
        until,
    };
    store.step(booked(3, 5));
    store.step(v1::Cleaned { room });
    let meta = Meta::new().with_idempotency_key("second");
    store
        .try_step_with(meta, booked(6, 10))
        .expect("the event fires");
    store.step(v1::Painted {
        room: Key::new(7u32),
        color: "red".to_owned(),
    });
    store.fingerprint()
}

fn shown(records: impl Iterator<Item = Record<v2::Model>>) -> Vec<String> {
    let firings = records.flat_map(|record| {
        let shown = record.firings().map(|firing| {
            let text = firing.to_string();
            let event = text.split(" => ").next().unwrap_or_default();
            format!("{} {event}", record.seq())
        });
        shown.collect::<Vec<_>>()
    });
    firings.collect()
}

#[test]
fn each_reader_gets_the_events_that_upcasters_read() {
    let dir = temp_dir();
    let print = logged(dir.path());
    let store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    assert_eq!(store.fingerprint(), print);
    let all = [
        "1 Built { number: 7 }",
        "2 Booked { room: 7, nights: 2, until: 5 }",
        "3 Washed { room: Room/0.1, by: \"the night shift\" }",
        "4 Booked { room: 7, nights: 4, until: 10 }",
        "5 Painted { room: 7, color: \"red\" }",
    ];
    let frames = store
        .frames(0)
        .expect("a log")
        .map(|r| r.expect("a record"));
    assert_eq!(shown(frames), all);
    let mut subscription = store.subscribe(0).expect("a subscription");
    let delivered = std::iter::from_fn(|| subscription.try_next().expect("it reads"));
    assert_eq!(shown(delivered), all);
    let room = store.find::<v2::Room>(&7).expect("the room");
    let history = store.history(room).expect("it reads");
    let mut of_room = shown(history.iter().map(|entry| entry.record().clone()));
    of_room.dedup();
    assert_eq!(of_room, all);

    // As types, and as JSON.
    let records: Vec<Record<v2::Model>> = store
        .frames(0)
        .expect("a log")
        .map(|r| r.expect("a record"))
        .collect();
    let booked = records.iter().flat_map(|r| r.events::<v2::Booked>());
    let nights: Vec<u32> = booked.map(|b| b.expect("it is read").nights).collect();
    assert_eq!(nights, [2, 4]);
    let events = records.iter().flat_map(|r| r.all_events());
    let events: Vec<RecordedEvent<v2::Model>> = events.map(|e| e.expect("it is read")).collect();
    let names: Vec<&str> = events.iter().map(RecordedEvent::name).collect();
    assert_eq!(names, ["Built", "Booked", "Washed", "Booked", "Painted"]);
    assert!(matches!(events[4], RecordedEvent::Removed { .. }));
    assert!(records[4].firings().all(|firing| firing.is_removed()));
    let json = serde_json::to_value(&records[1]).expect("it is JSON");
    assert_eq!(
        json["firings"][0]["event"],
        serde_json::json!({ "Booked": { "room": 7, "nights": 2, "until": 5 } })
    );
    let json = serde_json::to_value(&records[4]).expect("it is JSON");
    assert_eq!(
        json["firings"][0]["event"],
        serde_json::json!({ "Painted": { "room": 7, "color": "red" } })
    );
}

#[test]
fn a_verification_fires_what_upcasters_read_and_names_what_it_could_not_fire() {
    let dir = temp_dir();
    logged(dir.path());
    let store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    let verified = store.verify_all().expect("the same facts");
    assert_eq!(verified.agreed, 4);
    let not_fired: Vec<(&str, u64, Seq)> = (verified.not_fired.iter())
        .map(|event| (&*event.event, event.transactions, event.first))
        .collect();
    assert_eq!(not_fired, [("Painted", 1, Seq::new(5))]);
}

#[test]
fn a_repetition_of_what_an_upcaster_reads_gets_its_receipt() {
    let dir = temp_dir();
    logged(dir.path());
    let mut store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    let again = |nights| v2::Booked {
        room: Key::new(7u32),
        nights,
        until: 10,
    };
    let meta = || Meta::new().with_idempotency_key("second");
    let receipt = store.try_step_with(meta(), again(4)).expect("the receipt");
    assert!(receipt.repeated && receipt.seq == Seq::new(4));
    let e = store
        .try_step_with(meta(), again(5))
        .map(|_| ())
        .expect_err("another event");
    assert!(matches!(e, StepError::KeyReused { .. }), "{e}");
}

#[test]
fn the_log_is_unchanged_and_is_read_as_it_was_written_without_the_model() {
    let dir = temp_dir();
    logged(dir.path());
    drop(Store::<v2::Model>::open(dir.path()).expect("the changes are taken"));
    let store = Store::<Dynamic>::open_read_only(dir.path()).expect("it opens");
    let firings: Vec<String> = (store.frames(2).expect("a log"))
        .flat_map(|r| {
            r.expect("a record")
                .firings()
                .map(|f| f.to_string())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(
        firings[0].starts_with("Booked { room: 7, from: 3, until: 5 } => "),
        "{firings:?}"
    );
    assert!(
        firings[1].starts_with("Cleaned { room: Room/0.1 } => "),
        "{firings:?}"
    );
}

#[test]
fn an_upcaster_that_fails_is_an_error_that_names_the_event_and_its_frame() {
    let dir = temp_dir();
    let mut store = Store::<v1::Model>::open(dir.path()).expect("the store opens");
    store.step(v1::Built { number: 7 });
    store.step(v1::Booked {
        room: Key::new(7u32),
        from: 5,
        until: 3,
    });
    drop(store);
    let store = Store::<v2::Model>::open(dir.path()).expect("facts are replayed");
    let mut frames = store.frames(2).expect("a log");
    let e = frames
        .next()
        .expect("a frame")
        .expect_err("it cannot be read")
        .to_string();
    let why = "frame 2 of the log cannot be applied: the event `Booked` cannot be read by its `#[upcast]`: it ends before it begins: \
               Booked { room: 7, from: 5, until: 3 }";
    assert!(e.contains(why), "{e}");
}
