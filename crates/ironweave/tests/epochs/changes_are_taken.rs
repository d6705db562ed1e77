//! Changes that are taken without a word of code.

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;

use crate::harness::named::contents;
use crate::harness::temp_dir;
use crate::hospital::{continued, write_first};

#[ironweave::model]
pub mod added {
    use ironweave::prelude::*;

    #[entity]
    #[index(ordered, fields = [wing, weight], while = Free)]
    #[index(ordered, fields = [Cleaning.by, patient], name = cleaned)]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[default(3u16)]
        pub floor: u16,
        #[index]
        #[default("north".to_owned())]
        pub wing: String,
        pub label: Option<String>,
        #[default]
        #[index(ordered)]
        pub price: i64,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
        #[inverse(Ward::beds)]
        pub ward: Option<Ward>,
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
        #[to(Free)]
        #[allow(unreached)]
        Lent { to: String },
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

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub beds: Many<Bed>,
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

    #[event]
    #[link(ward.beds += bed)]
    pub struct Placed {
        pub ward: Ensure<Ward>,
        pub bed: Key<Bed>,
    }
}

#[test]
fn added_items_are_there_and_added_fields_have_their_defaults() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let mut store = continued::<added::Model>(dir.path());
    // The schema, and one frame with the defaults.
    assert_eq!(store.seq(), Some(last + 2));
    let bed = store.find::<added::Bed>(&3).expect("the bed");
    assert_eq!((bed.floor(&store), bed.price(&store)), (3, 0));
    assert_eq!(bed.wing(&store), "north");
    assert!(bed.label(&store).is_none());
    assert_eq!(bed.weight(&store), 30);
    // An index on entities of the log, by a field that it had and by one that it did not have.
    let free: Vec<added::Bed> = added::Bed::by_wing_weight().iter(&store).collect();
    let mut expected: Vec<added::Bed> = (store.place::<added::Bed, added::state::Free>())
        .map(|bed| bed.any())
        .collect();
    assert!(expected.len() > 1);
    expected.sort_by_key(|bed| (bed.weight(&store), *bed));
    assert_eq!(free, expected);
    assert_eq!(store.check(), []);
    let record = store.frames(last + 2).expect("a log").next();
    let record = record.expect("a record").expect("it can be read");
    assert!(record.is_migration());
    assert_eq!(record.firings().len(), 0);
    assert_eq!(record.facts().iter().count(), 4 * 4);
    let history = store.history(bed).expect("a log");
    let events: Vec<&str> = history.iter().map(|entry| entry.event()).collect();
    let bought = ["Bought"; 4];
    let moved = ["Emptied"; 2];
    let set = ["migration"; 4];
    assert_eq!(events, [&bought[..], &moved[..], &set[..]].concat());

    store.step(added::Placed {
        ward: Ensure::new("north".to_owned()),
        bed: Key::new(3u32),
    });
    store.step(added::Bought {
        number: 9,
        weight: 1,
        note: String::new(),
    });
    drop(store);
    let store = continued::<added::Model>(dir.path());
    let bed = store.find::<added::Bed>(&9).expect("the bed");
    assert_eq!(bed.floor(&store), 3);
}

#[ironweave::model]
pub mod renamed {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        #[renamed(from = "weight")]
        pub kilograms: u32,
        pub note: String,
        #[renamed(from = "patient")]
        #[inverse(Guest::couch)]
        pub guest: Option<Guest>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Washing, Broken)]
        #[renamed(from = "Free")]
        Ready,
        #[to(Ready)]
        #[renamed(from = "Cleaning")]
        Washing {
            #[renamed(from = "by")]
            nurse: String,
        },
        #[to(Ready)]
        Broken,
    }

    #[event]
    #[create(bed: Bed { number, kilograms, note })]
    pub struct Bought {
        pub number: u32,
        #[renamed(from = "weight")]
        pub kilograms: u32,
        pub note: String,
    }

    #[entity]
    #[renamed(from = "Patient")]
    pub struct Guest {
        #[key]
        pub name: String,
        pub age: u16,
        #[renamed(from = "bed")]
        pub couch: Option<Bed>,
    }

    #[event]
    #[renamed(from = "Admitted")]
    #[create(guest: Guest { name, age })]
    #[link(guest.couch += bed)]
    pub struct Lodged {
        pub name: String,
        pub age: u16,
        pub bed: Key<Bed>,
    }

    #[event]
    #[moves(bed: Ready -> Washing { nurse = by })]
    pub struct Emptied {
        pub bed: Key<Bed>,
        pub by: String,
    }

    #[event]
    #[moves(bed: Ready -> Broken)]
    pub struct Broke {
        pub bed: Key<Bed>,
    }

    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Key<Bed>,
    }
}

#[test]
fn everything_that_has_a_name_can_get_another_one() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let mut store = continued::<renamed::Model>(dir.path());
    assert_eq!(store.seq(), Some(last + 1), "no facts are needed");
    let washing = store.find::<renamed::Bed>(&3).expect("the bed");
    let place = washing.in_state::<renamed::state::Washing>(&store);
    assert_eq!(place.expect("it was being cleaned").nurse(&store), "eve");
    assert_eq!(washing.kilograms(&store), 30);
    let ann = store.find::<renamed::Guest>("ann").expect("the guest");
    let couch = ann.couch(&store).expect("it has one");
    assert_eq!(couch.number(&store), 4);
    assert_eq!(couch.guest(&store), Some(ann));
    // Histories follow the entity through its names.
    let history = store.history(ann).expect("a log");
    assert_eq!(history.len(), 4);
    store.step(renamed::Lodged {
        name: "bob".into(),
        age: 1,
        bed: Key::new(1u32),
    });
    drop(store);
    continued::<renamed::Model>(dir.path());
}

#[ironweave::model]
pub mod wider {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u64,
        pub note: Option<String>,
        #[inverse(Patient::bed)]
        pub patient: Many<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: Option<String> },
        #[to(Free)]
        Broken,
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u64,
        pub note: Option<String>,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        #[index]
        pub age: i32,
        pub bed: Many<Bed>,
    }

    #[event]
    #[create(patient: Patient { name, age })]
    #[link(patient.bed += bed)]
    pub struct Admitted {
        pub name: String,
        pub age: i32,
        pub bed: Key<Bed>,
    }

    #[event]
    #[moves(bed: Free -> Cleaning { by })]
    pub struct Emptied {
        pub bed: Key<Bed>,
        pub by: Option<String>,
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

#[test]
fn wider_numbers_options_and_looser_edges_read_what_was_there() {
    let dir = temp_dir();
    write_first(dir.path());
    let mut store = continued::<wider::Model>(dir.path());
    let bed = store.find::<wider::Bed>(&4).expect("the bed");
    assert_eq!(bed.weight(&store), 40);
    assert_eq!(bed.note(&store).as_deref(), Some("bed 4"));
    let ann = store.find::<wider::Patient>("ann").expect("the patient");
    assert_eq!(ann.age(&store), 40);
    store.step(wider::Admitted {
        name: "bob".into(),
        age: -1,
        bed: Key::new(4u32),
    });
    assert_eq!(bed.patient(&store).count(), 2);
    drop(store);
    continued::<wider::Model>(dir.path());
}

#[ironweave::model]
pub mod fewer {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }

    #[event]
    #[moves(bed: Free -> Cleaning { by })]
    pub struct Emptied {
        pub bed: Key<Bed>,
        pub by: String,
    }

    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Key<Bed>,
    }
}

#[test]
fn what_nothing_uses_may_be_removed() {
    let dir = temp_dir();
    let mut store = crate::hospital::First::open(dir.path()).expect("the store opens");
    for number in [1, 2] {
        store.step(crate::hospital::v1::Bought {
            number,
            weight: 1,
            note: "n".into(),
        });
    }
    let last = store.seq().expect("frames");
    drop(store);
    let store = continued::<fewer::Model>(dir.path());
    assert_eq!(store.seq(), Some(last + 1));
    assert_eq!(store.count::<fewer::Bed, fewer::state::Free>(), 2);
}

#[ironweave::model]
pub mod other_key {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        #[key]
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
fn another_key_is_taken_if_it_holds() {
    let dir = temp_dir();
    write_first(dir.path());
    let store = continued::<other_key::Model>(dir.path());
    let bed = store.find::<other_key::Bed>(&(2, 22)).expect("the bed");
    assert_eq!(bed.note(&store), "again");
    let ann = store.find::<other_key::Patient>(&40).expect("the patient");
    assert_eq!(ann.name(&store), "ann");
}

#[ironweave::model]
pub mod tidy {
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
        #[to(Cleaning)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        #[allow(unreached)]
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
    #[moves(bed: Free -> Cleaning { by })]
    pub struct Emptied {
        pub bed: Key<Bed>,
        pub by: String,
    }

    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Key<Bed>,
    }

    #[immediate]
    #[moves(bed: Cleaning -> Free)]
    pub struct Cleaned {
        pub bed: Bed,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }
}

/// Only rules have changed, but facts follow from them.
#[test]
fn immediate_events_of_the_model_fire_when_it_continues_the_log() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let store = continued::<tidy::Model>(dir.path());
    assert_eq!(store.seq(), Some(last + 2));
    let bed = store.find::<tidy::Bed>(&3).expect("the bed");
    assert!(bed.is::<tidy::state::Free>(&store));
    let history = store.history(bed).expect("a log");
    let last = history.last().expect("an entry");
    assert_eq!(last.event(), "migration");
    assert_eq!(last.fact().to_string(), "move Bed/2.1 Cleaning -> Free");
}

#[ironweave::model]
pub mod short_floats {
    use ironweave::prelude::*;

    #[entity]
    pub struct Scale {
        #[key]
        pub number: u32,
        pub weight: f32,
        pub offset: Option<f32>,
        pub readings: Vec<f32>,
        #[edge(data = f32)]
        pub next: Option<Scale>,
        #[inverse(Scale::next)]
        pub previous: Many<Scale>,
    }

    #[event]
    #[create(scale: Scale { number, weight, offset, readings })]
    pub struct Installed {
        pub number: u32,
        pub weight: f32,
        pub offset: Option<f32>,
        pub readings: Vec<f32>,
    }

    #[event]
    #[link(from.next += to { data = factor })]
    pub struct Joined {
        pub from: Key<Scale>,
        pub to: Key<Scale>,
        pub factor: f32,
    }
}

#[ironweave::model]
pub mod long_floats {
    use ironweave::prelude::*;

    #[entity]
    pub struct Scale {
        #[key]
        pub number: u32,
        pub weight: f64,
        pub offset: Option<f64>,
        pub readings: Vec<f64>,
        #[edge(data = f64)]
        pub next: Option<Scale>,
        #[inverse(Scale::next)]
        pub previous: Many<Scale>,
    }

    #[event]
    #[create(scale: Scale { number, weight, offset, readings })]
    pub struct Installed {
        pub number: u32,
        pub weight: f64,
        pub offset: Option<f64>,
        pub readings: Vec<f64>,
    }

    #[event]
    #[link(from.next += to { data = factor })]
    pub struct Joined {
        pub from: Key<Scale>,
        pub to: Key<Scale>,
        pub factor: f64,
    }
}

#[test]
fn wider_floats_have_the_values_that_were_there() {
    let dir = temp_dir();
    let mut store = Store::<short_floats::Model>::open(dir.path()).expect("the store opens");
    for (number, offset) in [(1, Some(0.1)), (2, None)] {
        store.step(short_floats::Installed {
            number,
            weight: 1.1,
            offset,
            readings: vec![0.3, -2.5],
        });
    }
    store.step(short_floats::Joined {
        from: Key::new(1u32),
        to: Key::new(2u32),
        factor: 0.7,
    });
    drop(store);
    let store = continued::<long_floats::Model>(dir.path());
    let first = store.find::<long_floats::Scale>(&1).expect("the scale");
    let second = store.find::<long_floats::Scale>(&2).expect("the scale");
    assert_eq!(first.weight(&store), f64::from(1.1f32));
    assert_eq!(*first.offset(&store), Some(f64::from(0.1f32)));
    assert_eq!(*second.offset(&store), None);
    assert_eq!(*first.readings(&store), [f64::from(0.3f32), -2.5]);
    let bytes = f64::from(0.7f32).to_be_bytes();
    let factor: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = contents(store.by_name());
    assert!(text.contains(&format!("fb{factor}")), "{text}");
    let records = store.frames(0).expect("a log");
    let events = records.flat_map(|record| {
        let record = record.expect("it can be read");
        let events = record.events::<long_floats::Installed>();
        let weights = events.map(|event| event.expect("it is read by name").weight);
        weights.collect::<Vec<_>>()
    });
    assert_eq!(events.collect::<Vec<_>>(), [f64::from(1.1f32); 2]);
}

/// A type that the program defines, before and after it gets another field, which the schema does not show.
mod before {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub struct Address {
        pub street: String,
    }

    #[ironweave::model]
    pub mod shops {
        use ironweave::prelude::*;

        use super::Address;

        #[entity]
        pub struct Shop {
            #[key]
            pub number: u32,
            pub address: Address,
        }
        #[states(Shop)]
        pub enum ShopState {
            #[initial]
            #[to(Closed)]
            Open,
            #[terminal]
            Closed,
        }

        #[event]
        #[create(shop: Shop { number, address })]
        pub struct Opened {
            pub number: u32,
            pub address: Address,
        }

        #[event]
        #[moves(shop: Open -> Closed)]
        pub struct Sold {
            pub shop: Key<Shop>,
        }
    }
}

mod after {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub struct Address {
        pub street: String,
        #[serde(default)]
        pub floor: u8,
    }

    #[ironweave::model]
    pub mod shops {
        use ironweave::prelude::*;

        use super::Address;

        #[entity]
        pub struct Shop {
            #[key]
            pub number: u32,
            pub address: Address,
        }
        #[states(Shop)]
        pub enum ShopState {
            #[initial]
            #[to(Closed)]
            Open,
            #[terminal]
            Closed,
        }

        #[event]
        #[create(shop: Shop { number, address })]
        pub struct Opened {
            pub number: u32,
            pub address: Address,
        }

        #[immediate]
        #[moves(shop: Open -> Closed)]
        pub struct Condemned {
            pub shop: Shop,
        }
    }
}

/// Only rules have changed, as far as the schema shows.
#[test]
fn values_whose_type_has_changed_inside_are_kept() {
    let dir = temp_dir();
    let mut store = Store::<before::shops::Model>::open(dir.path()).expect("the store opens");
    store.step(before::shops::Opened {
        number: 1,
        address: before::Address {
            street: "Elm".to_owned(),
        },
    });
    drop(store);
    let store = Store::<after::shops::Model>::open(dir.path()).expect("the changes are taken");
    let at = (store.seq(), store.fingerprint());
    let shop = store.find::<after::shops::Shop>(&1).expect("the shop");
    assert!(shop.is::<after::shops::state::Closed>(&store));
    drop(store);
    let store = Store::<after::shops::Model>::open(dir.path()).expect("it is the last model");
    assert_eq!((store.seq(), store.fingerprint()), at);
    let shop = store.find::<after::shops::Shop>(&1).expect("the shop");
    assert_eq!(shop.address(&store).floor, 0);
    store.verify().expect("the log is right");
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be read");
    assert_eq!((dynamic.seq(), dynamic.fingerprint()), at);
}

mod optional {
    use crate::changes_are_taken::after::Address;

    #[ironweave::model]
    pub mod shops {
        use ironweave::prelude::*;

        use super::Address;

        #[entity]
        pub struct Shop {
            #[key]
            pub number: u32,
            pub address: Address,
            pub branch: Option<Address>,
        }
        #[states(Shop)]
        pub enum ShopState {
            #[initial]
            #[to(Closed)]
            Open,
            #[terminal]
            Closed,
        }

        #[event]
        #[create(shop: Shop { number, address })]
        pub struct Opened {
            pub number: u32,
            pub address: Address,
            pub branch: Option<Address>,
        }

        #[event]
        #[moves(shop: Open -> Closed)]
        pub struct Sold {
            pub shop: Key<Shop>,
        }
    }
}

/// The schema does not know the encoding of an `Option` around a type of the program.
#[test]
fn an_added_option_may_be_of_any_type() {
    let dir = temp_dir();
    let mut store = Store::<before::shops::Model>::open(dir.path()).expect("the store opens");
    store.step(before::shops::Opened {
        number: 1,
        address: before::Address {
            street: "Elm".to_owned(),
        },
    });
    drop(store);
    let store = continued::<optional::shops::Model>(dir.path());
    let shop = store.find::<optional::shops::Shop>(&1).expect("the shop");
    assert_eq!(*shop.branch(&store), None);
    let record = store.frames(1).expect("a log").next();
    let record = record.expect("a record").expect("it can be read");
    let mut events = record.events::<optional::shops::Opened>();
    let opened = events.next().expect("it is read by name");
    assert_eq!(opened.expect("it is read").branch, None);
}

mod newtype {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub struct Kg(pub f32);

    #[ironweave::model]
    pub mod loads {
        use ironweave::prelude::*;

        use super::Kg;

        #[entity]
        pub struct Load {
            #[key]
            pub number: u32,
            pub weight: Kg,
        }

        #[event]
        #[create(load: Load { number, weight })]
        pub struct Loaded {
            pub number: u32,
            pub weight: Kg,
        }
    }
}

mod plain {
    #[ironweave::model]
    pub mod loads {
        use ironweave::prelude::*;

        #[entity]
        pub struct Load {
            #[key]
            pub number: u32,
            pub weight: f64,
        }

        #[event]
        #[create(load: Load { number, weight })]
        pub struct Weighed {
            pub number: u32,
            pub weight: f64,
        }
    }
}

/// The types are known to differ, and the values are written again as the types of today encode them.
#[test]
fn values_of_another_type_that_reads_them_are_those_of_that_type() {
    let dir = temp_dir();
    let mut store = Store::<newtype::loads::Model>::open(dir.path()).expect("the store opens");
    store.step(newtype::loads::Loaded {
        number: 1,
        weight: newtype::Kg(1.1),
    });
    drop(store);
    let mut store = continued::<plain::loads::Model>(dir.path());
    let load = store.find::<plain::loads::Load>(&1).expect("the load");
    assert_eq!(load.weight(&store), f64::from(1.1f32));
    store.checkpoint().expect("the values can be written");
    store.step(plain::loads::Weighed {
        number: 2,
        weight: 2.0,
    });
    drop(store);
    let store = continued::<plain::loads::Model>(dir.path());
    assert!(store.opened_from().checkpoint().is_some());
}
