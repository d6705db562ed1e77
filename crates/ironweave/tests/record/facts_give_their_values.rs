//! Facts and fields return their values, of any type, and show them by their encodings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

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

/// A type that serializes as bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Nothing,
    Round(u8),
    Line(i8, char),
    Box { from: Point, to: Point },
}

/// The extreme numbers, texts, and collections.
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
    use super::{All, Blob, Metres, Point, Shape};
    use ironweave::prelude::*;
    use std::time::Duration;

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
        pub returned: Option<Timestamp>,
        pub seen: Vec<Timestamp>,
        pub grade: char,
        pub serial: u128,
        pub offset: i128,
        pub shelf_life: Duration,
        pub blob: Blob,
        #[edge(data = Point)]
        pub near: Many<Sample>,
        #[inverse(Sample::near)]
        pub near_to: Many<Sample>,
    }

    #[event]
    #[create(sample: Sample {
        name, count, depth, ratio, is_new, taken, note, raw, point, length, shapes, all,
        returned, seen, grade, serial, offset, shelf_life, blob
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
        pub returned: Option<Timestamp>,
        pub seen: Vec<Timestamp>,
        pub grade: char,
        pub serial: u128,
        pub offset: i128,
        pub shelf_life: Duration,
        pub blob: Blob,
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
        returned: Some(Timestamp::from_secs(120)),
        seen: vec![Timestamp::from_secs(0), Timestamp::from_secs(1)],
        grade: 'B',
        serial: u128::MAX,
        offset: i128::MIN,
        shelf_life: Duration::from_millis(1_500),
        blob: Blob(vec![0, 255]),
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
            // The value cannot be read as another type.
            assert!(fact.value::<BTreeMap<u8, Vec<char>>>().is_none(), "{name}");
        )*};
    }
    each! {
        name: String, count: u64, depth: i64, ratio: f64, is_new: bool, taken: Timestamp,
        note: Option<String>, raw: Vec<u8>, point: Point, length: Metres, shapes: Vec<Shape>, all: All,
        returned: Option<Timestamp>, seen: Vec<Timestamp>, grade: char, serial: u128, offset: i128,
        shelf_life: Duration, blob: Blob,
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
    assert_eq!(link.to_string(), "link Sample/0.1.near += Sample/1.1");
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
    // Facts are equal if they make the same change with the same value.
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
    // A `serde_json::Value` cannot hold numbers of 128 bits, so this goes through text.
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
    assert_eq!(value("taken"), json!("1970-01-01T00:01:00Z"));
    assert_eq!(value("returned"), json!("1970-01-01T00:02:00Z"));
    let seen = json!(["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]);
    assert_eq!(value("seen"), seen);
    assert_eq!(value("grade"), json!("B"));
    let shelf_life = json!({"secs": 1, "nanos": 500_000_000});
    assert_eq!(value("shelf_life"), shelf_life);
    // JSON has no bytes.
    assert_eq!(value("blob"), json!([0, 255]));
    // A key that is not a text is shown as one.
    assert_eq!(value("all")["pairs"], json!({"[1, 2]": "x"}));
    let text = serde_json::to_string(&tried.record.facts()).expect("it is JSON");
    // Numbers of 128 bits have all of their digits.
    assert!(text.contains(&u128::MAX.to_string()), "{text}");
    assert!(text.contains(&i128::MIN.to_string()), "{text}");
    let serial = format!("\"serial\",\"value\":{}}}", u128::MAX);
    let offset = format!("\"offset\",\"value\":{}}}", i128::MIN);
    assert!(text.contains(&serial) && text.contains(&offset), "{text}");
}

#[test]
fn a_value_is_printed_as_a_value_of_its_type() {
    let mut store = Store::<Model>::memory();
    let first = store.step(taken("a")).created.sample;
    let record = store.frames(1).expect("it reads").next();
    let record = record.expect("it is there").expect("it reads");
    let firing = record.firings().next().expect("it fired");
    let fields = firing.fields();
    for (name, text) in [
        ("name", "\"a\""),
        ("count", "18446744073709551615"),
        ("taken", "1970-01-01T00:01:00Z"),
        ("note", "null"),
        ("raw", "[0, 1, 255]"),
        ("returned", "1970-01-01T00:02:00Z"),
        ("seen", "[1970-01-01T00:00:00Z, 1970-01-01T00:00:01Z]"),
        ("grade", "'B'"),
        ("serial", "340282366920938463463374607431768211455"),
        ("offset", "-170141183460469231731687303715884105728"),
        ("shelf_life", "1.5s"),
        ("blob", "h'00 ff'"),
    ] {
        let fact = (record.facts().iter()).find(|fact| fact.field() == Some(name));
        let fact = fact.expect("it is set").to_string();
        assert_eq!(fact, format!("set Sample/0.1.{name} = {text}"));
        let field = fields.iter().find(|field| field.name() == name);
        assert_eq!(field.expect("it is there").to_string(), text, "{name}");
    }
    // Only events have handles as fields.
    let other = store.step(taken("b")).created.sample;
    let at = Point { x: 1, y: None };
    let compared = Compared {
        sample: first,
        other,
        at,
    };
    let tried = store.snapshot().with(compared).expect("it fires");
    let firing = tried.record.firings().next().expect("it fired");
    let fields = firing.fields();
    let texts: Vec<String> = fields.iter().map(ToString::to_string).collect();
    let at = "{\"x\": 1, \"y\": null}";
    assert_eq!(texts, ["Sample/0.1", "Sample/1.1", at]);
}
