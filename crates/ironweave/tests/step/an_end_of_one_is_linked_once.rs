//! An event does not link several entities at an end that holds at most one: it rejects, or all its links are made.

use depot::*;
use ironweave::prelude::*;

use crate::harness::{assert_consistent, rejected};

#[ironweave::model]
pub mod depot {
    use ironweave::prelude::*;

    #[entity]
    pub struct Van {
        #[key]
        pub plate: String,
        pub driver: Option<Driver>,
        pub crew: Many<Driver>,
        pub carries: Many<Parcel>,
    }

    #[entity]
    pub struct Driver {
        #[key]
        pub name: String,
        #[inverse(Van::driver)]
        pub van: Option<Van>,
        #[inverse(Van::crew)]
        pub crews: Many<Van>,
    }

    #[entity]
    pub struct Parcel {
        #[key]
        pub number: u64,
        #[inverse(Van::carries)]
        pub van: Option<Van>,
    }

    /// Vans, with what they carry and who can drive them.
    #[event]
    #[relink(van.carries += parcels)]
    #[relink(van.crew += crew)]
    pub struct Loaded {
        pub van: Ensure<Van>,
        pub parcels: Vec<Ensure<Parcel>>,
        pub crew: Vec<Ensure<Driver>>,
    }

    #[event]
    #[relink(van.driver += van.crew)]
    pub struct CrewDrives {
        pub van: Key<Van>,
    }

    #[event]
    #[link(van.driver += van.crew)]
    pub struct CrewBegins {
        pub van: Key<Van>,
    }

    /// As `CrewDrives`, from the other end.
    #[event]
    #[relink(van.crew.van += van)]
    pub struct CrewTakesVan {
        pub van: Key<Van>,
    }

    #[event]
    #[relink(driver.crews.driver += driver)]
    pub struct DrivesAllItsVans {
        pub driver: Key<Driver>,
    }

    #[event]
    #[relink(a.driver += driver)]
    #[relink(b.driver += driver)]
    pub struct TwoVansOneDriver {
        pub a: Key<Van>,
        pub b: Option<Key<Van>>,
        pub driver: Key<Driver>,
    }

    #[event]
    #[relink(van.driver += a)]
    #[relink(van.driver += b)]
    pub struct OneOrTheOther {
        pub van: Key<Van>,
        pub a: Option<Key<Driver>>,
        pub b: Option<Key<Driver>>,
    }

    #[event]
    #[relink(a.driver += b.driver)]
    #[relink(b.driver += a.driver)]
    pub struct Swapped {
        pub a: Key<Van>,
        pub b: Key<Van>,
    }

    #[event]
    #[relink(van.carries += parcels)]
    #[relink(other.carries += others)]
    pub struct Shared {
        pub van: Key<Van>,
        pub other: Key<Van>,
        pub parcels: Vec<Key<Parcel>>,
        pub others: Vec<Key<Parcel>>,
    }
}

fn store(vans: &[(&str, &[&str])]) -> Store<depot::Model> {
    let mut store = Store::paranoid();
    for (van, crew) in vans {
        store.step(Loaded {
            van: (*van).into(),
            parcels: Vec::new(),
            crew: crew.iter().map(|name| (*name).into()).collect(),
        });
    }
    store
}

fn driver(store: &Store<depot::Model>, van: &str) -> Option<String> {
    let van = store.find::<Van>(van).expect("it was made");
    van.driver(store)
        .map(|driver| driver.name(store).to_owned())
}

/// Asserts that an event rejects because an end would hold two, and that nothing changes.
#[track_caller]
fn rejects<E: Event<Model = depot::Model>>(store: &mut Store<depot::Model>, event: E, end: &str) {
    let error = rejected(store, event);
    let StepError::Cardinality { edge, found: 2, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(&**edge, end);
    let says = format!("at most one is allowed: {} links several there", E::NAME);
    assert!(error.to_string().contains(&says), "{error}");
}

#[test]
fn a_path_to_many_cannot_be_linked_at_an_end_that_holds_one() {
    let mut store = store(&[("a", &["ann", "bob"])]);
    rejects(&mut store, CrewDrives { van: "a".into() }, "Van.driver");
    rejects(&mut store, CrewBegins { van: "a".into() }, "Van.driver");
    rejects(&mut store, CrewTakesVan { van: "a".into() }, "Van.driver");
    assert_eq!(driver(&store, "a"), None);
}

#[test]
fn a_path_to_many_that_leads_to_one_is_linked() {
    let mut store = store(&[("a", &["ann"]), ("b", &["bob"]), ("c", &[])]);
    store.step(CrewDrives { van: "a".into() });
    store.step(CrewBegins { van: "b".into() });
    store.step(CrewDrives { van: "c".into() });
    assert_eq!(driver(&store, "a").as_deref(), Some("ann"));
    assert_eq!(driver(&store, "b").as_deref(), Some("bob"));
    assert_eq!(driver(&store, "c"), None);
}

#[test]
fn many_cannot_take_over_one_end_of_what_they_lead_to() {
    let mut store = store(&[("a", &["ann"]), ("b", &["ann"])]);
    rejects(
        &mut store,
        DrivesAllItsVans {
            driver: "ann".into(),
        },
        "Driver.van",
    );
}

#[test]
fn two_arcs_cannot_take_one_end_from_each_other() {
    let mut store = store(&[("a", &["ann", "bob"]), ("b", &[])]);
    let two = || TwoVansOneDriver {
        a: "a".into(),
        b: Some("b".into()),
        driver: "ann".into(),
    };
    rejects(&mut store, two(), "Driver.van");
    store.step(TwoVansOneDriver {
        b: Some("a".into()),
        ..two()
    });
    assert_eq!(driver(&store, "a").as_deref(), Some("ann"));
    let or = |a: Option<&str>, b: Option<&str>| OneOrTheOther {
        van: "a".into(),
        a: a.map(Key::from),
        b: b.map(Key::from),
    };
    rejects(&mut store, or(Some("ann"), Some("bob")), "Van.driver");
    store.step(or(None, Some("bob")));
    assert_eq!(driver(&store, "a").as_deref(), Some("bob"));
}

#[test]
fn two_vans_swap_their_drivers_in_one_event() {
    let mut store = store(&[("a", &["ann"]), ("b", &["bob"])]);
    store.step(CrewDrives { van: "a".into() });
    store.step(CrewDrives { van: "b".into() });
    store.step(Swapped {
        a: "a".into(),
        b: "b".into(),
    });
    assert_eq!(driver(&store, "a").as_deref(), Some("bob"));
    assert_eq!(driver(&store, "b").as_deref(), Some("ann"));
    assert_consistent(&store);
}

#[test]
fn one_parcel_cannot_go_with_two_vans_of_one_event() {
    let mut store = store(&[("a", &[]), ("b", &[])]);
    store.step(Loaded {
        van: "a".into(),
        parcels: vec![Ensure::from(1), Ensure::from(2)],
        crew: Vec::new(),
    });
    let shared = |others: &[u64]| Shared {
        van: "a".into(),
        other: "b".into(),
        parcels: vec![Key::from(1)],
        others: others.iter().map(|n| Key::from(*n)).collect(),
    };
    rejects(&mut store, shared(&[1, 2]), "Parcel.van");
    store.step(shared(&[2]));
    let of = |van: &str| {
        store
            .find::<Van>(van)
            .expect("it was made")
            .carries_count(&store)
    };
    assert_eq!((of("a"), of("b")), (1, 1));
}
