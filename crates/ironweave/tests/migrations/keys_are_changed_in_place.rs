//! Migrations that change the keys of entities that exist: the entities are found by their new keys, in the store, after it was opened
//! again, and in its history.
#![allow(dead_code)]

use ironweave::dynamic::Dynamic;

use super::*;
use crate::harness::{assert_consistent, temp_dir, unsynced};

#[ironweave::model]
mod before {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub row: u32,
        #[key]
        pub number: u32,
        pub label: String,
    }

    #[entity]
    pub struct Guest {
        #[key]
        pub email: String,
    }

    #[event]
    #[create(seat: Seat { row, number, label })]
    pub struct Built {
        pub row: u32,
        pub number: u32,
        pub label: String,
    }

    #[event]
    #[create(guest: Guest { email })]
    pub struct Invited {
        pub email: String,
    }

    #[event]
    #[delete(guest)]
    pub struct Left {
        pub guest: Key<Guest>,
    }
}

/// Guests need a number, so that a migration runs.
#[ironweave::model]
mod after {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub row: u32,
        #[key]
        pub number: u32,
        pub label: String,
    }

    #[entity]
    pub struct Guest {
        #[key]
        pub email: String,
        pub points: u32,
    }

    #[event]
    #[create(seat: Seat { row, number, label })]
    pub struct Built {
        pub row: u32,
        pub number: u32,
        pub label: String,
    }

    #[event]
    #[create(guest: Guest { email, points = 0 })]
    pub struct Invited {
        pub email: String,
    }

    #[event]
    #[delete(guest)]
    pub struct Left {
        pub guest: Key<Guest>,
    }
}

/// The label of a seat is its key.
#[ironweave::model]
mod labelled {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        pub row: u32,
        pub number: u32,
        #[key]
        pub label: String,
    }

    #[event]
    #[set(seat.row = row)]
    pub struct Moved {
        pub seat: Key<Seat>,
        pub row: u32,
    }
}

/// The parts of the key of a seat are declared in another order.
#[ironweave::model]
mod turned {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub number: u32,
        #[key]
        pub row: u32,
        pub label: String,
    }

    #[entity]
    pub struct Guest {
        #[key]
        pub email: String,
    }
}

use after::{Guest, Seat};

fn write_before(dir: &Path) {
    use before::*;
    let mut store = unsynced::<Model>().open(dir).expect("it opens");
    for (row, number, label) in [(1, 1, "a"), (1, 2, "b"), (2, 1, "c")] {
        let label = label.into();
        store.step(Built { row, number, label });
    }
    for email in ["ada", "bob", "eve"] {
        let email = email.into();
        store.step(Invited { email });
    }
}

/// The options of an opening whose migration gives guests their points, and does more.
fn and(
    more: impl FnOnce(&mut Migration<'_, after::Model>) -> Result<(), MigrationError> + Send + 'static,
) -> Options<after::Model> {
    unsynced().migrate(|_, new| {
        for guest in new.place::<Guest, Any>() {
            new.set(guest, "points", 0)?;
        }
        more(new)
    })
}

fn seat(new: &impl Db, row: u32, number: u32) -> Seat {
    new.find(&(row, number)).expect("it is there")
}

/// The keys under which a history is found, each with the entity and how many facts it has.
fn found(store: &Store<after::Model>, key: (u32, u32)) -> Vec<(Seat, usize)> {
    let by_store = store.history_of_key::<Seat>(&key).expect("a log");
    let by_reader = store.reader().history_of_key::<Seat>(&key).expect("a log");
    let counts = |found: Vec<(Seat, Vec<ironweave::HistoryEntry<after::Model>>)>| {
        let count = |(seat, history): (Seat, Vec<_>)| (seat, history.len());
        found.into_iter().map(count).collect::<Vec<_>>()
    };
    let by_store = counts(by_store);
    assert_eq!(counts(by_reader), by_store);
    let text = format!("{}, {}", key.0, key.1);
    let by_name = store.history_of_key_by_name("Seat", &text).expect("a log");
    let by_name = by_name.iter().map(|(_, history)| history.len());
    assert!(by_name.eq(by_store.iter().map(|(_, count)| *count)));
    by_store
}

#[test]
fn an_entity_is_found_by_the_key_that_it_was_given() {
    let dir = temp_dir();
    write_before(dir.path());
    let changed = and(|new| {
        let moved = seat(new, 1, 2);
        // Each part is a change of its own.
        new.set(moved, "row", 7)?;
        new.set(moved, "number", 8)?;
        let eve = new.find::<Guest>("eve").expect("she is there");
        new.set(eve, "email", "zoe")
    });
    let mut store = changed.open(dir.path()).expect("it migrates");
    for opened in 0..3 {
        let moved = seat(&store, 7, 8);
        assert_eq!(moved.label(&store), "b");
        assert_eq!(store.find::<Seat>(&(1, 2)), None);
        assert_eq!(store.find::<Seat>(&(7, 2)), None);
        let eve = store.find::<Guest>("zoe").expect("she is there");
        assert_eq!(store.find::<Guest>("eve"), None);
        assert_consistent(&store);
        // Its creation and fields, and the two changes.
        let history = store.history(moved).expect("a log").len();
        assert_eq!(found(&store, (7, 8)), [(moved, history)], "{opened}");
        assert_eq!(found(&store, (1, 2)), [(moved, history)], "{opened}");
        assert_eq!(found(&store, (7, 2)), [], "{opened}");
        let of = |key: &str| -> Vec<Guest> {
            let found = store.history_of_key::<Guest>(key).expect("a log");
            found.into_iter().map(|(guest, _)| guest).collect()
        };
        assert_eq!((of("zoe"), of("eve")), (vec![eve], vec![eve]));
        let log = Store::<Dynamic>::open_read_only(dir.path()).expect("it is read");
        let by_name = log.history_of_key_by_name("Guest", "zoe").expect("a log");
        assert_eq!(by_name.len(), 1);
        assert_eq!(by_name[0].1.len(), store.history(eve).expect("a log").len());
        drop((log, store));
        // Opened again by a replay, and then from a checkpoint.
        store = unsynced().open(dir.path()).expect("it opens");
        if opened == 1 {
            store.checkpoint().expect("it is written");
        }
    }
    // The keys that were given up can be used, and the histories are in the order of creation.
    let old = seat(&store, 7, 8);
    let new = store.step(after::Built {
        row: 1,
        number: 2,
        label: "d".into(),
    });
    let new = new.created.seat;
    let seats = |key| -> Vec<Seat> {
        found(&store, key)
            .into_iter()
            .map(|(seat, _)| seat)
            .collect()
    };
    assert_eq!(seats((1, 2)), [old, new]);
    assert_eq!(seats((7, 8)), [old]);
    let shared = store.share();
    let found = shared.history_of_key::<Seat>(&(7, 8)).expect("a log");
    assert_eq!((found.len(), found[0].0), (1, old));
}

#[test]
fn a_key_of_an_entity_that_was_deleted_is_given_to_another_one() {
    let dir = temp_dir();
    write_before(dir.path());
    let changed = and(|new| {
        let [ada, bob] = ["ada", "bob"].map(|email| new.find::<Guest>(email).expect("it is there"));
        new.delete(ada)?;
        new.set(bob, "email", "ada")
    });
    let mut store = changed.open(dir.path()).expect("it migrates");
    let bob = store.find::<Guest>("ada").expect("he has it");
    let guests = |store: &Store<after::Model>| -> Vec<Guest> {
        let found = store.history_of_key::<Guest>("ada").expect("a log");
        assert!(found.iter().all(|(_, history)| !history.is_empty()));
        found.into_iter().map(|(guest, _)| guest).collect()
    };
    // The deleted one was created first.
    let both = guests(&store);
    assert_eq!((both.len(), both[1]), (2, bob));
    // An entity that is gone is found by the key that it was created with.
    store.step(after::Left {
        guest: "ada".into(),
    });
    assert_eq!(guests(&store), both[..1]);
    let found = store.history_of_key::<Guest>("bob").expect("a log");
    assert_eq!((found.len(), found[0].0), (1, bob));
}

#[test]
fn two_entities_exchange_their_keys_by_a_third_one() {
    let dir = temp_dir();
    write_before(dir.path());
    let at_once = and(|new| {
        let [ada, bob] = ["ada", "bob"].map(|email| new.find::<Guest>(email).expect("it is there"));
        new.set(ada, "email", "bob")?;
        new.set(bob, "email", "ada")
    });
    let before = files(dir.path());
    let error = at_once.open(dir.path()).expect_err("bob has the key");
    assert_eq!(
        error.to_string(),
        "the migration failed, and the log is unchanged: Guest \"bob\" exists already; choose another key; if two entities \
         exchange their keys, give one of them a third key first"
    );
    assert_eq!(files(dir.path()), before);
    let exchanged = and(|new| {
        let [ada, bob] = ["ada", "bob"].map(|email| new.find::<Guest>(email).expect("it is there"));
        new.set(ada, "email", "")?;
        new.set(bob, "email", "ada")?;
        new.set(ada, "email", "bob")?;
        let [one, two] = [(1, 1), (1, 2)].map(|(row, number)| seat(new, row, number));
        new.set(one, "number", 0)?;
        new.set(two, "number", 1)?;
        new.set(one, "number", 2)
    });
    let mut store = exchanged.open(dir.path()).expect("it migrates");
    for _ in 0..2 {
        let [one, two] = [(1, 1), (1, 2)].map(|(row, number)| seat(&store, row, number));
        assert_eq!((one.label(&store), two.label(&store)), ("b", "a"));
        let [ada, bob] = ["ada", "bob"].map(|email| store.find::<Guest>(email).expect("there"));
        assert!(bob.id().slot() < ada.id().slot());
        // Each of the two was created with one of the keys, and has the other one.
        for key in [(1, 1), (1, 2)] {
            let seats: Vec<Seat> = found(&store, key).iter().map(|(seat, _)| *seat).collect();
            assert_eq!(seats, [two, one]);
        }
        assert_consistent(&store);
        drop(store);
        store = unsynced().open(dir.path()).expect("it opens");
    }
}

#[test]
fn entities_are_found_by_a_field_that_has_become_the_key() {
    let dir = temp_dir();
    write_before(dir.path());
    // The guests are gone, so that no migration is needed.
    let mut old = unsynced::<before::Model>()
        .open(dir.path())
        .expect("it opens");
    for guest in ["ada", "bob", "eve"] {
        old.step(before::Left {
            guest: guest.into(),
        });
    }
    drop(old);
    let mut store = unsynced::<labelled::Model>()
        .open(dir.path())
        .expect("the labels differ");
    let seat = store.find::<labelled::Seat>("b").expect("it is there");
    store.step(labelled::Moved {
        seat: "b".into(),
        row: 9,
    });
    let found = store.history_of_key::<labelled::Seat>("b").expect("a log");
    assert_eq!((found.len(), found[0].0), (1, seat));
    assert_eq!(found[0].1.len(), store.history(seat).expect("a log").len());
    assert_eq!(
        store
            .history_of_key::<labelled::Seat>("1, 2")
            .expect("a log")
            .len(),
        0
    );
}

#[test]
fn a_key_whose_parts_are_declared_in_another_order_is_found_in_the_logged_order() {
    let dir = temp_dir();
    write_before(dir.path());
    let store = unsynced::<turned::Model>()
        .open(dir.path())
        .expect("it opens");
    for (key, label) in [((1, 1), "a"), ((2, 1), "b"), ((1, 2), "c")] {
        let found = store.history_of_key::<turned::Seat>(&key).expect("a log");
        let labels: Vec<&str> = found.iter().map(|(seat, _)| seat.label(&store)).collect();
        assert_eq!(labels, [label]);
    }
}
