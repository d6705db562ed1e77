//! Facts and fields give their values, of whatever type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ironweave::prelude::*;
use ironweave::{Fact, FactKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub x: i32,
    pub y: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metres(pub f32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Nothing,
    Round(u8),
    Line(i8, char),
    Box { from: Point, to: Point },
}

/// As large numbers, texts and collections as there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct All {
    pub signed: (i8, i16, i32, i64, i128),
    pub unsigned: (u8, u16, u32, u64, u128),
    pub floats: (f32, f64),
    pub texts: (char, String, Option<String>),
    pub yes: bool,
    pub map: BTreeMap<String, Vec<u16>>,
    pub pairs: BTreeMap<(u8, u8), String>,
    pub set: BTreeSet<i64>,
    pub array: [u8; 4],
    pub nothing: (),
}

#[ironweave::model]
pub mod samples {
    use super::{All, Metres, Point, Shape};
    use ironweave::prelude::*;

    #[entity]
    pub struct Sample {
        #[key]
        pub name: String,
        pub count: u64,
        pub depth: i64,
        pub ratio: f64,
        pub is_new: bool,
        pub taken: Timestamp,
        pub note: Option<String>,
        pub raw: Vec<u8>,
        pub point: Point,
        pub length: Metres,
        pub shapes: Vec<Shape>,
        pub all: All,
        #[edge(data = Point)]
        pub near: Many<Sample>,
        #[inverse(Sample::near)]
        pub near_to: Many<Sample>,
    }

    #[event]
    #[create(sample: Sample {
        name, count, depth, ratio, is_new, taken, note, raw, point, length, shapes, all
    })]
    pub struct Taken {
        pub name: String,
        pub count: u64,
        pub depth: i64,
        pub ratio: f64,
        pub is_new: bool,
        pub taken: Timestamp,
        pub note: Option<String>,
        pub raw: Vec<u8>,
        pub point: Point,
        pub length: Metres,
        pub shapes: Vec<Shape>,
        pub all: All,
    }
    #[event]
    #[link(sample.near += other { data = at })]
    pub struct Compared {
        pub sample: Sample,
        pub other: Sample,
        pub at: Point,
    }
}

use samples::{Compared, Model, Taken};

fn all() -> All {
    All {
        signed: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN),
        unsigned: (u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX),
        floats: (0.1, -1.5e300),
        texts: ('ß', "a \"b\"\n".into(), None),
        yes: true,
        map: BTreeMap::from([("k".to_owned(), vec![1, 1_000])]),
        pairs: BTreeMap::from([((1, 2), "x".to_owned())]),
        set: BTreeSet::from([-1, 1 << 40]),
        array: [1, 2, 3, 255],
        nothing: (),
    }
}

fn taken(name: &str) -> Taken {
    Taken {
        name: name.into(),
        count: u64::MAX,
        depth: i64::MIN,
        ratio: 0.25,
        is_new: true,
        taken: Timestamp::from_secs(60),
        note: None,
        raw: vec![0, 1, 255],
        point: Point { x: -1, y: None },
        length: Metres(1.5),
        shapes: vec![
            Shape::Nothing,
            Shape::Round(200),
            Shape::Line(-1, 'x'),
            Shape::Box {
                from: Point { x: 0, y: Some(0.5) },
                to: Point { x: 1, y: None },
            },
        ],
        all: all(),
    }
}

#[test]
fn a_fact_gives_the_value_that_it_sets_as_its_type() {
    let mut store = Store::<Model>::paranoid();
    let seq = store.step(taken("a")).seq;
    let record = store.frames(seq).expect("it reads").next();
    let record = record.expect("it is there").expect("it reads");
    let event = record.events::<Taken>().next();
    let event = event.expect("it fired").expect("it reads");
    let fired = record.firings().next().expect("it fired");
    let fields = fired.fields();
    macro_rules! each {
        ($($field:ident: $ty:ty),* $(,)?) => {$(
            let name = stringify!($field);
            let fact: Fact<'_> = record.facts().iter()
                .find(|fact| fact.field() == Some(name))
                .expect("it is set");
            assert_eq!(fact.kind(), FactKind::Set);
            is_value(&fact.value::<$ty>(), &event.$field, name);
            is_value(&fact.value::<$ty>(), &taken("a").$field, name);
            let field = fields.iter().find(|field| field.name() == name).expect("it is there");
            is_value(&field.value::<$ty>(), &event.$field, name);
            assert_eq!(Some(field.encoded()), fact.encoded(), "{name}");
            // What is not of the type is none.
            assert!(fact.value::<BTreeMap<u8, Vec<char>>>().is_none(), "{name}");
        )*};
    }
    each! {
        name: String, count: u64, depth: i64, ratio: f64, is_new: bool, taken: Timestamp,
        note: Option<String>, raw: Vec<u8>, point: Point, length: Metres, shapes: Vec<Shape>, all: All,
    }
    let create = record.facts().get(0).expect("it is created");
    assert_eq!(
        (create.kind(), create.to(), create.from()),
        (FactKind::Create, Some("Exists"), None)
    );
    assert_eq!((create.field(), create.encoded()), (None, None));
    assert_eq!(create.entity().id().map(|id| id.generation()), Some(1));
}

fn is_value<T: DeserializeOwned + PartialEq + Debug>(found: &Option<T>, expected: &T, name: &str) {
    assert_eq!(found.as_ref(), Some(expected), "{name}");
}

#[test]
fn the_data_of_a_link_is_the_value_of_a_fact() {
    let mut store = Store::<Model>::paranoid();
    let sample = store.step(taken("a")).created.sample;
    let other = store.step(taken("b")).created.sample;
    let at = Point { x: 3, y: Some(2.5) };
    let compared = Compared {
        sample,
        other,
        at: at.clone(),
    };
    let tried = store.snapshot().with(compared).expect("it fires");
    let facts = tried.record.facts();
    let [link, set] = [0, 1].map(|i| facts.get(i).expect("two facts"));
    assert_eq!(link.to_string(), "link Sample/0.near += Sample/1");
    assert_eq!(
        (link.kind(), set.kind()),
        (FactKind::Link, FactKind::SetLink)
    );
    for fact in [link, set] {
        assert_eq!(fact.field(), Some("near"));
        assert_eq!(fact.entity().id(), Some(sample.id()));
        assert_eq!(fact.other().and_then(|other| other.id()), Some(other.id()));
    }
    assert_eq!(set.value::<Point>(), Some(at));
    assert_eq!(link.value::<Point>(), None);
    // Facts are equal if they do the same with the same value.
    let value = |x| {
        let at = Point { x, y: None };
        let compared = Compared { sample, other, at };
        let tried = store.snapshot().with(compared).expect("it fires");
        tried.record.facts().to_changes()
    };
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
}

#[test]
fn values_are_json_whatever_their_type() {
    let mut store = Store::<Model>::memory();
    let tried = store.snapshot().with(taken("a")).expect("it fires");
    store.step(taken("a"));
    // Through text: a `serde_json::Value` holds no number of 128 bits.
    let facts = serde_json::to_string(&tried.record.facts()).expect("it is JSON");
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("it is JSON");
    let value = |name: &str| {
        let all = facts.as_array().expect("a list");
        let fact = all.iter().find(|fact| fact["field"] == name);
        fact.expect("it is set")["value"].clone()
    };
    assert_eq!(value("name"), json!("a"));
    assert_eq!(value("count"), json!(u64::MAX));
    assert_eq!(value("depth"), json!(i64::MIN));
    assert_eq!(value("ratio"), json!(0.25));
    assert_eq!(value("note"), json!(null));
    assert_eq!(value("raw"), json!([0, 1, 255]));
    assert_eq!(value("point"), json!({"x": -1, "y": null}));
    assert_eq!(value("length"), json!(1.5));
    // Keys that JSON does not have are texts.
    assert_eq!(value("all")["pairs"], json!({"[1, 2]": "x"}));
    let text = serde_json::to_string(&tried.record.facts()).expect("it is JSON");
    // Numbers that are larger than JSON's usual ones are there in full.
    assert!(text.contains(&u128::MAX.to_string()), "{text}");
    assert!(text.contains(&i128::MIN.to_string()), "{text}");
}
