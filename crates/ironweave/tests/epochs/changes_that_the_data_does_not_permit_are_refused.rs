//! Changes that stored data does not permit, and models that are older than the log.

use ironweave::prelude::*;

use crate::harness::temp_dir;
use crate::hospital::{First, continued, v1, write_first};

#[ironweave::model]
pub mod needs_more {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        pub price: i64,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning)]
        Free,
        #[to(Free)]
        Cleaning { by: String, since: u64 },
    }

    #[event]
    #[create(bed: Bed { number, weight, note, price })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
        pub price: i64,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Bed,
    }
}

#[test]
fn all_differences_that_are_refused_are_listed_with_the_data() {
    let dir = temp_dir();
    let mut store = First::open(dir.path()).expect("the store opens");
    crate::hospital::fill_first(&mut store);
    store.step(v1::Broke {
        bed: Key::new(1u32),
    });
    drop(store);
    let e = Store::<needs_more::Model>::open(dir.path()).expect_err("it is refused");
    assert!(e.is_schema());
    let e = e.to_string();
    for line in [
        "entity `Bed` now needs `price: i64`: 4 entities exist, first `Bed 1`; give `#[default(..)]` or a migration",
        "state `Bed::Cleaning` now needs `since: u64`: 1 entity is in it, first `Bed 3`;",
        "state `Bed::Broken` was removed: 1 entity is in it, first `Bed 1`;",
    ] {
        assert!(e.contains(line), "`{line}` is not in:\n{e}");
    }
}

#[ironweave::model]
pub mod keyed_by_age {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        Broken,
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }

    #[entity]
    pub struct Patient {
        pub name: String,
        #[key]
        pub age: u16,
        pub bed: Option<Bed>,
    }
}

#[test]
fn a_key_that_does_not_hold_is_refused() {
    let dir = temp_dir();
    write_first(dir.path());
    let mut store = First::open(dir.path()).expect("the store opens");
    store.step(v1::Admitted {
        name: "bob".into(),
        age: 40,
        bed: Key::new(1u32),
    });
    drop(store);
    let e = Store::<keyed_by_age::Model>::open(dir.path()).expect_err("it is refused");
    let e = e.to_string();
    assert!(
        e.contains("1 entity has the key of another one, first `Patient \"bob\"`"),
        "{e}"
    );
}

#[ironweave::model]
pub mod with_rules {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[inverse(Patient::bed)]
        #[edge(min = 1)]
        pub patient: Many<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        Broken,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }

    #[invariant(Patient, super::is_young)]
    pub struct IsYoung;
}

fn is_young(patient: with_rules::Patient, db: &impl Db) -> Result<(), Reject> {
    match patient.age(db) {
        0..18 => Ok(()),
        age => Err(Reject::new(format!("{age} is too old"))),
    }
}

#[test]
fn new_rules_must_hold_for_the_data() {
    let dir = temp_dir();
    write_first(dir.path());
    let e = Store::<with_rules::Model>::open(dir.path()).expect_err("it is refused");
    let e = e.to_string();
    assert!(
        e.contains("3 entities have another number of links, first `Bed 1`"),
        "{e}"
    );
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[default(3u16)]
        pub floor: u16,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        Broken,
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }

    #[event]
    #[create(bed: Bed { number, weight, note, floor })]
    pub struct Purchased {
        pub number: u32,
        pub weight: u32,
        pub note: String,
        pub floor: u16,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }
}

#[test]
fn an_older_model_does_not_take_back_what_a_newer_one_has_changed() {
    let dir = temp_dir();
    write_first(dir.path());
    drop(continued::<v2::Model>(dir.path()));
    let e = First::open(dir.path()).expect_err("it is older");
    assert!(e.is_schema());
    assert!(
        e.to_string().contains(
            "a newer version of `v1` has continued this log with frame 9, and this version would take back its changes; open \
             the store with the newer version, or for reading only"
        ),
        "{e}"
    );
    drop(continued::<v2::Model>(dir.path()));
}

#[test]
fn an_older_model_reads_a_newer_log_without_what_it_does_not_know() {
    let dir = temp_dir();
    let mut first = First::memory();
    crate::hospital::fill_first(&mut first);
    write_first(dir.path());
    let mut store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    let mut reader = First::open_read_only(dir.path()).expect("all differences are additive");
    assert_eq!(reader.seq(), store.seq());
    // What it shows is what it would be without the new fields.
    assert_eq!(reader.fingerprint(), first.fingerprint());
    let unseen: Vec<String> = reader.unseen().iter().map(ToString::to_string).collect();
    assert_eq!(unseen, ["field `Bed.floor`", "event `Purchased`"]);
    store.step(v2::Purchased {
        number: 9,
        weight: 1,
        note: "n".into(),
        floor: 7,
    });
    reader.refresh().expect("it reads on");
    assert_eq!(reader.seq(), store.seq());
    let bed = reader.find::<v1::Bed>(&9).expect("it was bought");
    assert_eq!(bed.weight(&reader), 1);
    assert_eq!(reader.check(), []);
    reader.verify().expect("the facts are right");
    let e = reader.as_of(1).expect("it is of the first epoch");
    assert_eq!(e.find::<v1::Bed>(&1).expect("the bed").weight(&e), 10);
    reader
        .as_of(store.seq().expect("frames"))
        .expect_err("it has the schema of then");
    // Snapshots do not follow into what is shown after the next refresh.
    let snapshot = reader.snapshot();
    assert_eq!(snapshot.fingerprint(), reader.fingerprint());
    reader.refresh().expect("there is nothing new");
    store.step(v2::Purchased {
        number: 10,
        weight: 1,
        note: "n".into(),
        floor: 7,
    });
    let e = reader.refresh().expect_err("there is a snapshot");
    assert!(e.to_string().contains("open the store again"), "{e}");
}

#[test]
fn a_reader_follows_when_a_newer_model_continues_its_log() {
    let dir = temp_dir();
    let (last, print) = write_first(dir.path());
    let mut reader = First::open_read_only(dir.path()).expect("it is its log");
    let mut newer = Store::<v2::Model>::open_read_only(dir.path()).expect("it can be shown");
    let bed = newer.find::<v2::Bed>(&3).expect("the bed");
    assert_eq!(bed.floor(&newer), 3, "the default");
    let store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    reader.refresh().expect("it reads on");
    assert_eq!(
        (reader.seq(), reader.fingerprint()),
        (Some(last + 2), print)
    );
    newer.refresh().expect("it reads on");
    assert_eq!(
        (newer.seq(), newer.fingerprint()),
        (store.seq(), store.fingerprint())
    );
    assert!(newer.unseen().is_empty());
}

/// The first version, in which all patients must be young.
#[ironweave::model]
pub mod young {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        Broken,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }

    #[invariant(Patient, super::age_is_low)]
    pub struct IsYoung;
}

fn age_is_low(patient: young::Patient, db: &impl Db) -> Result<(), Reject> {
    match patient.age(db) {
        0..18 => Ok(()),
        age => Err(Reject::new(format!("{age} is too old"))),
    }
}

#[test]
fn an_invariant_that_the_data_does_not_keep_is_refused_with_a_migration_and_without() {
    let dir = temp_dir();
    let (last, print) = write_first(dir.path());
    // Only rules have changed.
    let e = Store::<young::Model>::open(dir.path()).expect_err("it is refused");
    assert!(e.is_schema(), "{e}");
    let text = e.to_string();
    assert!(
        text.contains("IsYoung") && text.contains("first `Patient"),
        "{text}"
    );
    let migrating = |age: Option<u16>| {
        Store::<young::Model>::options().migrate(move |_, new| {
            for patient in new.place::<young::Patient, Any>() {
                if let Some(age) = age {
                    new.set(patient, "age", age)?;
                }
            }
            Ok(())
        })
    };
    // With a migration, and a change of the data that a field has not.
    for age in [None, Some(40)] {
        let e = migrating(age)
            .open(dir.path())
            .expect_err("they are too old");
        assert!(e.to_string().contains("too old"), "{e}");
    }
    let first = First::open(dir.path()).expect("the log is unchanged");
    assert_eq!((first.seq(), first.fingerprint()), (Some(last), print));
    drop(first);
    let store = migrating(Some(7)).open(dir.path()).expect("they are young");
    assert_eq!(store.check(), []);
    let ages = store
        .place::<young::Patient, Any>()
        .map(|patient| patient.age(&store));
    assert!(ages.collect::<Vec<_>>().iter().all(|age| *age == 7));
}

#[ironweave::model]
pub mod noted {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
        pub note: Option<String>,
        pub next: Many<Task>,
        #[inverse(Task::next)]
        pub previous: Many<Task>,
    }

    #[event]
    #[create(task: Task { name, note })]
    pub struct Planned {
        pub name: String,
        pub note: Option<String>,
    }

    #[event]
    #[link(task.next += next)]
    pub struct Ordered {
        pub task: Key<Task>,
        pub next: Key<Task>,
    }
}

#[ironweave::model]
pub mod ordered {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
        #[edge(acyclic)]
        pub next: Many<Task>,
        #[inverse(Task::next)]
        pub previous: Many<Task>,
    }
}

/// Opens a log of tasks, with links between some of them, as one without notes and without cycles.
fn open_ordered(note: Option<&str>, links: &[(&str, &str)]) -> Result<usize, String> {
    let dir = temp_dir();
    let mut store = Store::<noted::Model>::open(dir.path()).expect("it opens");
    for name in ["a", "b", "c"] {
        let (name, note) = (name.into(), note.filter(|_| name == "b").map(Into::into));
        store.step(noted::Planned { name, note });
    }
    for (task, next) in links {
        let (task, next) = ((*task).into(), (*next).into());
        store.step(noted::Ordered { task, next });
    }
    drop(store);
    let opened = Store::<ordered::Model>::open(dir.path());
    let store = opened.map_err(|e| e.to_string())?;
    assert_eq!(store.check(), []);
    let tasks = store.place::<ordered::Task, Any>();
    Ok(tasks.map(|task| task.next(&store).count()).sum())
}

#[test]
fn a_removed_option_must_be_none_everywhere() {
    assert_eq!(open_ordered(None, &[("a", "b"), ("b", "c")]), Ok(2));
    let text = open_ordered(Some("soon"), &[]).expect_err("it has a value");
    assert!(
        text.contains("note") && text.contains("first `Task \"b\"`"),
        "{text}"
    );
}

#[test]
fn an_edge_that_must_not_have_cycles_any_more_has_none() {
    let text = open_ordered(None, &[("a", "b"), ("b", "c"), ("c", "b")]).expect_err("a cycle");
    assert!(
        text.contains("2 ") && text.contains("`Task \"b\"`"),
        "{text}"
    );
}
