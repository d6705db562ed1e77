//! Versions of a model of and logs that were written with them.

use std::path::Path;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{AnyEvent, Model, Options, Seq};

use crate::harness::assert_consistent;
use crate::harness::named::contents;

#[ironweave::model]
pub mod v1 {
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
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(patient: Patient { name, age })]
    #[link(patient.bed += bed)]
    pub struct Admitted {
        pub name: String,
        pub age: u16,
        pub bed: Key<Bed>,
    }

    #[event]
    #[moves(bed: Free -> Cleaning { by })]
    pub struct Emptied {
        pub bed: Key<Bed>,
        pub by: String,
    }

    #[event]
    #[moves(bed: Free -> Broken)]
    pub struct Broke {
        pub bed: Key<Bed>,
    }

    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Key<Bed>,
    }
}

pub type First = Store<v1::Model>;

/// Writes beds 1 to 4, of which 2 is deleted and created again, 3 is being cleaned, and 4 has a patient. Returns the last
/// sequence and the fingerprint.
pub fn write_first(dir: &Path) -> (Seq, u128) {
    let mut store = First::open(dir).expect("the store opens");
    fill_first(&mut store);
    let seq = store.seq().expect("frames were written");
    (seq, store.fingerprint())
}

pub fn fill_first(store: &mut First) {
    for number in [1, 2, 3, 4] {
        let (weight, note) = (number * 10, format!("bed {number}"));
        store.step(v1::Bought {
            number,
            weight,
            note,
        });
    }
    store.step(v1::Sold {
        bed: Key::new(2u32),
    });
    store.step(v1::Bought {
        number: 2,
        weight: 22,
        note: "again".into(),
    });
    store.step(v1::Emptied {
        bed: Key::new(3u32),
        by: "eve".into(),
    });
    store.step(v1::Admitted {
        name: "ann".into(),
        age: 40,
        bed: Key::new(4u32),
    });
}

/// Opens a log with a model that continues it, and checks the store, the log, and what others read from it.
#[track_caller]
pub fn continued<M: Model<Event: AnyEvent>>(dir: &Path) -> Store<M> {
    continued_with(Store::options(), dir)
}

#[track_caller]
pub fn continued_with<M: Model>(options: Options<M>, dir: &Path) -> Store<M> {
    let store = options
        .open(dir)
        .unwrap_or_else(|e| panic!("the changes are taken: {e}"));
    assert_consistent(&store);
    store
        .verify()
        .unwrap_or_else(|e| panic!("the log is right: {e}"));
    let at = (store.seq(), store.fingerprint());
    let dynamic = Store::<Dynamic>::open_read_only(dir).expect("any log can be read");
    assert_eq!((dynamic.seq(), dynamic.fingerprint()), at);
    assert_eq!(contents(dynamic.by_name()), contents(store.by_name()));
    assert_consistent(&dynamic);
    dynamic.verify().expect("the facts are right");
    let text = contents(store.by_name());
    drop(store);
    // Nothing is left to do, so nothing is written.
    let reader = Store::<M>::open_read_only(dir).expect("it is the last model");
    assert_eq!((reader.seq(), reader.fingerprint()), at);
    assert_consistent(&reader);
    let store = Store::<M>::open(dir).expect("it is the last model");
    assert_eq!((store.seq(), store.fingerprint()), at);
    assert_eq!(contents(store.by_name()), text);
    assert_consistent(&store);
    store
}
