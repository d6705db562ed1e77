//! A log of an earlier model opens with a later one, if the changes between them do not change stored data.

use ironweave::prelude::*;

use crate::harness::temp_dir;

#[ironweave::model]
mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning)]
        Free,
        #[to(Free)]
        Cleaning,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(bed: Bed { number, weight })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
    }

    #[event]
    #[link(patient.bed += bed)]
    pub struct Admitted {
        pub patient: Ensure<Patient>,
        pub bed: Key<Bed>,
    }
}

/// An entity, a state, an edge, an event, a field of an event and arcs are added, an edge looser and
/// renamed, a field indexed, and an event and one of its fields have another name.
#[ironweave::model]
mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub beds: Many<Bed>,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        #[index(ordered)]
        pub weight: u32,
        #[renamed(from = "patient")]
        #[inverse(Patient::bed)]
        pub patients: Many<Patient>,
        #[inverse(Ward::beds)]
        pub ward: Option<Ward>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[to(Free)]
        Broken { why: String },
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(bed: Bed { number, weight })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
    }

    #[event]
    #[renamed(from = "Admitted")]
    #[link(guest.bed += bed)]
    pub struct Lodged {
        pub why: Option<String>,
        #[renamed(from = "patient")]
        pub guest: Ensure<Patient>,
        pub bed: Key<Bed>,
    }

    #[event]
    #[moves(bed: Free -> Broken { why })]
    #[link(ward.beds += bed)]
    pub struct Broke {
        pub bed: Key<Bed>,
        pub ward: Ensure<Ward>,
        pub why: String,
    }
}

#[test]
fn a_log_is_read_and_continued_by_a_model_with_more_items_and_other_names() {
    let dir = temp_dir();
    let mut store = Store::<v1::Model>::open(dir.path()).expect("the store opens");
    for (number, weight) in [(1, 0), (2, 80)] {
        store.step(v1::Bought { number, weight });
    }
    store.step(v1::Admitted {
        patient: Ensure::new("ann".to_owned()),
        bed: Key::new(2u32),
    });
    let print = store.fingerprint();
    store.checkpoint().expect("it can be written");
    drop(store);

    let mut store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.opened_from().checkpoint(), None);
    let bed = store.find::<v2::Bed>(&2).expect("the bed");
    assert_eq!(bed.patients(&store).count(), 1);
    store.step(v2::Lodged {
        why: None,
        guest: Ensure::new("bob".to_owned()),
        bed: Key::new(2u32),
    });
    store.step(v2::Broke {
        bed: Key::new(1u32),
        ward: Ensure::new("icu".to_owned()),
        why: "old".into(),
    });
    let print = store.fingerprint();
    drop(store);

    let store = Store::<v2::Model>::open_read_only(dir.path()).expect("the log is read again");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(bed.patients(&store).count(), 2);
    let names: Vec<String> = store
        .frames(0)
        .expect("the log can be read")
        .map(|record| record.expect("a record").to_string())
        .collect();
    assert!(names[2].ends_with(" Lodged"), "{names:?}");
    assert_eq!(store.verify().expect("the same facts"), 5);

    // Nothing can stand for the ward in the earlier model.
    let e = Store::<v1::Model>::open(dir.path()).expect_err("a newer model");
    let words = "a newer version of `v1` has continued this log with frame 4";
    assert!(e.is_schema() && e.to_string().contains(words), "{e}");
}
