//! A log of an earlier model opens with one whose types are wider and whose events have more fields. Changes because of which
//! it does not open are listed, each with what to write instead.

use ironweave::StepError;
use ironweave::prelude::*;

use crate::harness::temp_dir;

#[ironweave::model]
pub mod earlier {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub name: String,
        pub area: u32,
        pub seats: u8,
        #[default]
        pub doors: u8,
        #[edge(data = u16)]
        pub next: Many<Room>,
        #[inverse(Room::next)]
        pub before: Option<Room>,
    }
    #[entity]
    pub struct Locker {
        #[key]
        pub number: u32,
        #[index(ordered)]
        #[default]
        pub height: u32,
    }

    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Let)]
        Empty,
        #[to(Empty)]
        Let { rent: i32 },
    }

    #[event]
    #[create(room: Room { name, area, seats })]
    pub struct Built {
        pub name: String,
        pub area: u32,
        pub seats: u8,
    }

    #[event]
    #[set(locker.height = height)]
    pub struct Placed {
        pub locker: Ensure<Locker>,
        pub height: u32,
    }

    #[event]
    #[moves(room: Empty -> Let { rent })]
    pub struct Rented {
        pub room: Key<Room>,
        pub rent: i32,
        pub stars: f32,
    }

    #[event]
    #[link(room.next += next { data = steps })]
    pub struct Joined {
        pub room: Key<Room>,
        pub next: Key<Room>,
        pub steps: u16,
    }
}

/// Wider numbers, options, another order of fields, fields of events that may be missing, and an immediate event on a new type.
#[ironweave::model]
pub mod wider {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub name: Box<str>,
        pub area: u64,
        pub seats: Option<u8>,
        #[default(0)]
        pub doors: Option<u8>,
        #[edge(data = Option<u32>)]
        pub next: Many<Room>,
        #[inverse(Room::next)]
        pub before: Many<Room>,
    }
    #[entity]
    pub struct Locker {
        #[key]
        pub number: u64,
        #[index(ordered)]
        #[default]
        pub height: u64,
    }

    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Let)]
        Empty,
        #[to(Empty)]
        Let { rent: Option<i64> },
    }

    #[entity]
    pub struct Alarm {
        #[key]
        pub name: String,
    }
    #[states(Alarm)]
    pub enum AlarmState {
        #[initial]
        #[to(Off)]
        On,
        #[terminal]
        Off,
    }

    #[event]
    #[create(room: Room { name, area, seats })]
    pub struct Built {
        pub name: Box<str>,
        pub architect: Option<String>,
        pub area: u64,
        pub seats: Option<u8>,
        #[default("wood")]
        pub of: String,
        #[serde(default = "super::two")]
        pub floors: u8,
    }

    #[event]
    #[set(locker.height = height)]
    pub struct Placed {
        pub locker: Ensure<Locker>,
        pub height: u64,
    }

    #[event]
    #[moves(room: Empty -> Let { rent })]
    pub struct Rented {
        pub rent: Option<i64>,
        pub like: Option<Key<Room>>,
        pub room: Key<Room>,
        pub stars: f64,
    }

    #[event]
    #[link(room.next += next { data = steps })]
    pub struct Joined {
        pub room: Key<Room>,
        pub next: Key<Room>,
        pub steps: Option<u32>,
    }

    #[event]
    #[create(alarm: Alarm { name })]
    pub struct Rang {
        pub name: String,
    }

    #[immediate]
    #[when(all alarm in On)]
    #[moves(alarm: On -> Off)]
    pub struct Stopped {
        pub alarm: Alarm,
    }
}

fn two() -> u8 {
    2
}

/// Changes that an old log does not allow.
#[ironweave::model]
pub mod other {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[key]
        pub name: String,
        #[renamed(from = "area")]
        pub size: u32,
        pub seats: u8,
        #[default]
        pub doors: u8,
        pub note: Option<String>,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Let)]
        Empty,
        #[to(Empty)]
        Let { rent: i16 },
    }

    #[event]
    #[create(room: Room { name, size = area, seats, note = None })]
    pub struct Built {
        pub name: String,
        pub area: u32,
        pub seats: u8,
        pub floor: i8,
    }

    #[event]
    #[moves(room: Empty -> Let { rent })]
    pub struct Rented {
        pub room: Key<Room>,
        pub rent: i16,
    }

    #[immediate]
    #[when(all room in Let)]
    #[moves(room: Let -> Empty)]
    pub struct Left {
        pub room: Room,
    }
}

/// A log of the earlier model with two rooms, of which one has 0 in its fields, and a link.
fn rooms(dir: &std::path::Path) -> u128 {
    let mut store = Store::<earlier::Model>::open(dir).expect("the store opens");
    for (name, area, seats) in [("hall", 70, 40), ("attic", 0, 0)] {
        let name = name.to_owned();
        let meta = Meta::new().with_idempotency_key(&*name);
        let mut t = store.begin_with(meta).expect("a transaction");
        let event = earlier::Built { name, area, seats };
        t.apply(event).expect("the event fires");
        t.commit().expect("it is committed");
    }
    store.step(earlier::Rented {
        room: Key::new("attic".to_owned()),
        rent: -5,
        stars: 1.5,
    });
    store.step(earlier::Joined {
        room: Key::new("hall".to_owned()),
        next: Key::new("attic".to_owned()),
        steps: 300,
    });
    store.step(earlier::Placed {
        locker: Ensure::new(7u32),
        height: 200,
    });
    store.fingerprint()
}

#[test]
fn wider_types_and_more_fields_of_events_are_taken() {
    let dir = temp_dir();
    let print = rooms(dir.path());

    let options = || Store::<wider::Model>::options().paranoid();
    let mut store = options().open(dir.path()).expect("the changes are taken");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.verify().expect("the same facts"), 5);
    let attic = store.find::<wider::Room>("attic").expect("the room");
    assert_eq!((attic.area(&store), attic.seats(&store)), (0, &Some(0)));
    let rented = attic.in_state::<wider::state::Let>(&store);
    assert_eq!(rented.expect("it is let").rent(&store), &Some(-5));

    assert_eq!(attic.doors(&store), &Some(0));
    let locker = store.find::<wider::Locker>(&7).expect("the locker");
    let found: Vec<_> = wider::Locker::by_height_range(&store, 100..300).collect();
    assert_eq!(found, [locker]);

    // A repetition gets its receipt, although its event has one field more now.
    let again = |seats| wider::Built {
        name: "attic".into(),
        architect: None,
        area: 0,
        seats: Some(seats),
        of: "wood".into(),
        floors: 2,
    };
    let mut repeat = |seats| -> Result<wider::Room, StepError> {
        let meta = Meta::new().with_idempotency_key("attic");
        let mut t = store.begin_with(meta)?;
        Ok(t.apply(again(seats))?.created.room)
    };
    assert_eq!(repeat(0).expect("the receipt"), attic);
    let e = repeat(1).expect_err("another event");
    assert!(matches!(e, StepError::KeyReused { .. }), "{e}");

    store.step(wider::Built {
        name: "loft".into(),
        architect: Some("ann".into()),
        area: 1 << 40,
        seats: None,
        of: "stone".into(),
        floors: 1,
    });
    store.step(wider::Rented {
        rent: Some(1 << 40),
        like: Some(Key::new("attic")),
        room: Key::new("loft"),
        stars: 0.1,
    });
    store.step(wider::Joined {
        room: Key::new("loft"),
        next: Key::new("attic"),
        steps: None,
    });
    store.step(wider::Placed {
        locker: Ensure::new(1u64 << 40),
        height: 1 << 40,
    });
    store.step(wider::Rang {
        name: "fire".into(),
    });
    assert_eq!(store.count::<wider::Alarm, wider::state::Off>(), 1);
    let print = store.fingerprint();
    store.close().expect("it is closed");

    let store = options().open(dir.path()).expect("the log is read again");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(attic.before(&store).count(), 2);
    assert_eq!(store.verify().expect("the same facts"), 10);
    // An event is read as it is today, and shown as it was.
    let record = store.frames(1).expect("a log").next().expect("a frame");
    let record = record.expect("a record");
    let firing = record.firings().next().expect("a firing");
    let built = firing.decode::<wider::Built>().expect("the event");
    let built = built.expect("it is decoded");
    assert_eq!((built.architect, built.area), (None, 70));
    assert_eq!((&*built.of, built.floors), ("wood", 2));
    let shown: Vec<&str> = firing.fields().iter().map(|field| field.name()).collect();
    assert_eq!(shown, ["name", "area", "seats"]);
    let record = store.frames(3).expect("a log").next().expect("a frame");
    let record = record.expect("a record");
    let rented = record.events::<wider::Rented>().next().expect("the event");
    assert_eq!(rented.expect("it is decoded").stars, 1.5);
    drop(store);

    let e = Store::<earlier::Model>::open(dir.path()).expect_err("a newer log");
    let words = "a newer version of `earlier` has continued this log with frame 6, and this version would take back its \
                 changes; open the store with the newer version, or for reading only";
    assert!(e.is_schema() && e.to_string().ends_with(words), "{e}");
}

#[test]
fn changes_that_are_not_taken_are_listed_with_what_to_write() {
    let dir = temp_dir();
    rooms(dir.path());
    let e = Store::<other::Model>::open(dir.path()).expect_err("another model");
    let all = r#"the schema in frame 0 is of another model, or of another version of `other`. Changes from the log to the program that are not taken:
- entity `Locker` was removed: 1 entity exists, first `Locker 7`; if it has another name now, write `#[renamed(from = "Locker")]` on it; otherwise delete them before, or write a migration
- the type of data `rent` of state `Room::Let` was `i32` and is now `i16`: 1 entity has a value in it, first `Room "attic"`; `i32` cannot be read as `i16`: keep the type, or write a migration
- the encoding of data `rent` of state `Room::Let` was `i32` and is now `i16`: 1 entity has a value in it, first `Room "attic"`; `i32` cannot be read as `i16`: keep the type, or write a migration
- edge `Room.next <-> Room.before` was removed: 1 link exists, first `Room "hall"`; if it has another name now, write `#[renamed(from = "next")]` on it; otherwise unlink them before, or write a migration
- event `Built` now needs `floor: i8`; the events in the log do not have it: give `#[default(..)]`, make it `Option<i8>`, or write `#[upcast(from = "Built", with = ..)]` on `Built`
- the type of field `rent` of event `Rented` was `i32` and is now `i16`; `i32` cannot be read as `i16` in the events of the log: keep the type, or write `#[upcast(from = "Rented", with = ..)]` on `Rented`
- the encoding of field `rent` of event `Rented` was `i32` and is now `i16`; `i32` cannot be read as `i16` in the events of the log: keep the type, or write `#[upcast(from = "Rented", with = ..)]` on `Rented`
Nothing was written. The program that wrote the log can open it as before"#;
    assert!(e.to_string().ends_with(all), "{e}");
    let store = Store::<earlier::Model>::open(dir.path()).expect("it is untouched");
    assert_eq!(store.verify().expect("the same facts"), 5);
}
