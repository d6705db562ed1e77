//! A record shows values by the schema under which they were written.

use ironweave::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A type of the program that serializes as a time does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment(pub Timestamp);

macro_rules! clock {
    ($program:ident, $time:ty) => {
        mod $program {
            /// Both programs spell the type alike.
            pub type At = $time;

            #[ironweave::model]
            pub mod clock {
                use super::At;
                use ironweave::prelude::*;

                #[entity]
                pub struct Alarm {
                    #[key]
                    pub name: String,
                    pub at: At,
                }

                #[event]
                #[create(alarm: Alarm { name, at })]
                pub struct Added {
                    pub name: String,
                    pub at: At,
                }
            }
        }
    };
}

clock!(before, ironweave::Timestamp);
clock!(
    after,
    crate::values_have_the_encoding_of_their_epoch::Moment
);

#[test]
fn a_value_is_shown_by_the_schema_of_its_epoch() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = Timestamp::from_secs(60);
    let mut store = Store::<before::clock::Model>::open(dir.path()).expect("it opens");
    let first = store.step(before::clock::Added {
        name: "a".into(),
        at,
    });
    drop(store);
    let mut store = Store::<after::clock::Model>::open(dir.path()).expect("it opens");
    let second = store.step(after::clock::Added {
        name: "b".into(),
        at: Moment(at),
    });
    let shown = |seq| {
        let record = store.frames(seq).expect("it reads").next();
        let record = record.expect("it is there").expect("it reads");
        let firing = record.firings().next().expect("it fired");
        let fact = record.facts().get(2).expect("a fact");
        let json = serde_json::to_value(fact).expect("it is JSON");
        let field = firing.fields()[1].to_string();
        (fact.to_string(), json["value"].clone(), field)
    };
    let time = "1970-01-01T00:01:00Z";
    assert_eq!(
        shown(first.seq),
        (
            format!("set Alarm/0.1.at = {time}"),
            json!(time),
            time.into()
        )
    );
    // The encoding of the second epoch says nothing but that serde wrote the value.
    let number = "60000000";
    assert_eq!(
        shown(second.seq),
        (
            format!("set Alarm/1.1.at = {number}"),
            json!(60_000_000),
            number.into()
        )
    );
    // Both are read as either type.
    for seq in [first.seq, second.seq] {
        let record = store.frames(seq).expect("it reads").next();
        let record = record.expect("it is there").expect("it reads");
        let fact = record.facts().get(2).expect("a fact");
        assert_eq!(fact.value::<Timestamp>(), Some(at));
        assert_eq!(fact.value::<Moment>(), Some(Moment(at)));
    }
}

macro_rules! garage {
    ($program:ident, $first:ident, $second:ident) => {
        #[ironweave::model]
        mod $program {
            use ironweave::prelude::*;

            #[entity]
            pub struct $first {
                #[key]
                pub plate: String,
            }

            #[entity]
            pub struct $second {
                #[key]
                pub plate: String,
            }

            #[event]
            #[create(car: Car { plate })]
            pub struct Bought {
                pub plate: String,
                pub instead_of: Option<Van>,
                pub before: Option<Key<Car>>,
            }

            #[event]
            #[create(van: Van { plate })]
            pub struct Leased {
                pub plate: String,
            }
        }
    };
}

garage!(cars_first, Car, Van);
garage!(vans_first, Van, Car);

#[test]
fn an_entity_in_an_encoding_is_found_by_its_name_when_the_order_has_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::<cars_first::Model>::open(dir.path()).expect("it opens");
    let leased = cars_first::Leased { plate: "a".into() };
    let van = store.step(leased).created.van;
    let bought = store.step(cars_first::Bought {
        plate: "b".into(),
        instead_of: Some(van),
        before: None,
    });
    let fields = |record: Vec<String>| record.join(", ");
    let shown = |record: ironweave::Record<cars_first::Model>| {
        let firing = record.firings().next().expect("it fired");
        fields(firing.fields().iter().map(ToString::to_string).collect())
    };
    let record = store.frames(bought.seq).expect("it reads").next();
    let before = shown(record.expect("it is there").expect("it reads"));
    assert!(before.contains("Van/0"), "{before}");
    drop(store);
    let store = Store::<vans_first::Model>::open(dir.path()).expect("it opens");
    let record = store.frames(bought.seq).expect("it reads").next();
    let record = record.expect("it is there").expect("it reads");
    let firing = record.firings().next().expect("it fired");
    let after = fields(firing.fields().iter().map(ToString::to_string).collect());
    assert_eq!(after, before);
}
