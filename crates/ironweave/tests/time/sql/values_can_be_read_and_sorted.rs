//! Values of each type in tables and views: they can be read, and sort as they do in Rust.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use ironweave::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::{asked, int, text};
use model::{Joined, Made, Model, Moved, state};

use crate::harness::temp_dir;

/// A type of a user's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    Bare,
    Sized(u8),
    Named {
        text: String,
    },
}

/// Types that have another name.
pub type Digest = [u8; 32];
pub type Letters = Option<Box<[u8]>>;
pub type Moment = Timestamp;

#[ironweave::model]
pub mod model {
    use std::collections::BTreeMap;

    use super::{Digest, Kind, Letters, Moment};
    use ironweave::prelude::*;

    #[entity]
    pub struct Thing {
        #[key]
        pub made: Timestamp,
        #[key]
        pub number: u32,
        pub large: u64,
        pub wide: u128,
        pub signed: i128,
        pub real: f64,
        pub single: f32,
        pub letter: char,
        pub yes: bool,
        pub bytes: Vec<u8>,
        pub four: [u8; 4],
        pub digest: Digest,
        pub letters: Letters,
        pub maybe: Option<Moment>,
        pub maybe_large: Option<u64>,
        pub kind: Kind,
        pub map: BTreeMap<u32, Vec<Kind>>,
        #[edge(data = Timestamp)]
        pub before: Many<Thing>,
        #[inverse(Thing::before)]
        pub after: Many<Thing>,
    }
    #[states(Thing)]
    pub enum ThingState {
        #[initial]
        #[to(Done)]
        Begun,
        #[terminal]
        Done { at: Timestamp, code: Option<char> },
    }

    #[event]
    #[create(thing: Thing {
        made, number, large, wide, signed, real, single, letter, yes, bytes, four, digest, letters, maybe,
        maybe_large, kind, map
    })]
    pub struct Made {
        pub made: Timestamp,
        pub number: u32,
        pub large: u64,
        pub wide: u128,
        pub signed: i128,
        pub real: f64,
        pub single: f32,
        pub letter: char,
        pub yes: bool,
        pub bytes: Vec<u8>,
        pub four: [u8; 4],
        pub digest: Digest,
        pub letters: Letters,
        pub maybe: Option<Moment>,
        pub maybe_large: Option<u64>,
        pub kind: Kind,
        pub map: BTreeMap<u32, Vec<Kind>>,
    }
    #[event]
    #[link(thing.before += other { data = since })]
    pub struct Joined {
        pub thing: Thing,
        pub other: Thing,
        pub since: Timestamp,
    }
    #[event]
    #[moves(thing: Begun -> Done { at, code })]
    pub struct Moved {
        pub thing: Thing<Begun>,
        pub at: Timestamp,
        pub code: Option<char>,
    }
}

/// Values at the bounds of what SQLite has, and some between.
fn things() -> Vec<Made> {
    let edges = |bits: u32| {
        [
            0,
            1,
            1 << (bits - 1),
            (1 << (bits - 1)) - 1,
            u128::MAX >> (128 - bits),
        ]
    };
    let mut numbers: Vec<u128> = [8, 32, 53, 63, 64, 65, 100, 127, 128]
        .into_iter()
        .flat_map(edges)
        .collect();
    numbers.extend((0..60).map(|i| (u128::MAX / 7_u128.pow(i % 40)) ^ u128::from(i)));
    let reals = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        1e300,
        -1e-300,
        0.1,
        2.0_f64.powi(60),
    ];
    let thing = |(i, wide): (usize, u128)| {
        let signed = wide.cast_signed();
        // Seconds of every age, and all that there are of others.
        let micros = (wide as i64) >> (i % 13);
        Made {
            made: Timestamp::from_micros(micros),
            number: i as u32,
            large: wide as u64,
            wide,
            // Those below -2^63 are texts, and the only ones that do not sort.
            signed: signed.max(i64::MIN.into()),
            real: reals[i % reals.len()] * if i % 2 == 0 { 1.0 } else { wide as f64 },
            single: wide as f32,
            letter: char::from_u32(wide as u32 % 0xd800).unwrap_or('x'),
            yes: i % 2 == 0,
            bytes: wide.to_be_bytes()[..i % 17].to_vec(),
            four: (wide as u32).to_be_bytes(),
            digest: [i as u8; 32],
            letters: (i % 2 == 0).then(|| [i as u8].into()),
            maybe: (i % 3 == 0).then(|| Timestamp::from_micros(micros)),
            maybe_large: (i % 3 > 0).then_some(wide as u64),
            kind: [
                Kind::Bare,
                Kind::Sized(i as u8),
                Kind::Named {
                    text: "\"ä\n".repeat(i % 4),
                },
            ][i % 3]
                .clone(),
            map: BTreeMap::from([
                (i as u32, vec![Kind::Bare, Kind::Sized(1)]),
                (1, Vec::new()),
            ]),
        }
    };
    numbers.into_iter().enumerate().map(thing).collect()
}

/// An event has no `Clone`.
fn again(thing: &Made) -> Made {
    let mut things = things();
    things.swap_remove(thing.number as usize)
}

fn projected(path: &Path, things: &[Made]) -> Store<Model> {
    let mut store = Store::<Model>::memory();
    for thing in things {
        let made = store.step(again(thing)).created.thing;
        if thing.number % 2 == 0 {
            let thing = store
                .find::<model::Thing>(&(thing.made, thing.number))
                .expect("the row exists");
            store.step(Joined {
                thing,
                other: made,
                since: made.made(&store),
            });
        }
    }
    let mut tables = store
        .project_into_sqlite(path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    store
}

/// The numbers of the things in the order of a column.
fn in_order(client: &Connection, column: &str) -> Vec<u32> {
    let sql = format!("SELECT number FROM Thing ORDER BY {column}, number");
    let mut numbers = client.prepare(&sql).expect("the statement is valid SQL");
    let rows = numbers
        .query_map([], |row| row.get(0))
        .expect("the database can be read");
    rows.map(|row| row.expect("the database can be read"))
        .collect()
}

#[test]
fn numbers_sort_in_tables_as_they_do_in_rust() {
    let dir = temp_dir();
    let path = dir.path().join("things.sqlite");
    let things = things();
    projected(&path, &things);
    let client = Connection::open(&path).expect("the store or the database opens");
    let expect = |by: &dyn Fn(&Made, &Made) -> Ordering| {
        let mut sorted: Vec<&Made> = things.iter().collect();
        sorted.sort_by(|a, b| by(a, b));
        sorted
            .iter()
            .map(|thing| thing.number)
            .collect::<Vec<u32>>()
    };
    assert_eq!(
        in_order(&client, "large"),
        expect(&|a, b| a.large.cmp(&b.large))
    );
    assert_eq!(
        in_order(&client, "maybe_large"),
        expect(&|a, b| a.maybe_large.cmp(&b.maybe_large))
    );
    assert_eq!(
        in_order(&client, "wide"),
        expect(&|a, b| a.wide.cmp(&b.wide))
    );
    assert_eq!(
        in_order(&client, "signed"),
        expect(&|a, b| a.signed.cmp(&b.signed))
    );
    assert_eq!(
        in_order(&client, "made"),
        expect(&|a, b| a.made.cmp(&b.made))
    );
    assert_eq!(
        in_order(&client, "bytes"),
        expect(&|a, b| a.bytes.cmp(&b.bytes))
    );
    assert_eq!(
        in_order(&client, "four"),
        expect(&|a, b| a.four.cmp(&b.four))
    );
    assert_eq!(
        in_order(&client, "letter"),
        expect(&|a, b| a.letter.cmp(&b.letter))
    );
    // What is no number comes last.
    let real = |a: &Made, b: &Made| {
        let last = a.real.is_nan().cmp(&b.real.is_nan());
        last.then(a.real.partial_cmp(&b.real).unwrap_or(Ordering::Equal))
    };
    assert_eq!(in_order(&client, "real"), expect(&real));
    let single = |a: &Made, b: &Made| a.single.total_cmp(&b.single);
    assert_eq!(in_order(&client, "single"), expect(&single));
}

#[test]
fn values_are_stored_as_what_sqlite_has_and_else_as_json() {
    let dir = temp_dir();
    let path = dir.path().join("things.sqlite");
    let things = things();
    projected(&path, &things);
    let client = Connection::open(&path).expect("the store or the database opens");
    for thing in &things {
        let sql = format!(
            "SELECT letter, yes, bytes, four, digest, letters, kind ->> '$.Named.text', kind, json_array_length(map, '$.{0}'), \
             map ->> '$.{0}[1].Sized' FROM Thing WHERE number = {0} AND json_valid(map)",
            thing.number
        );
        // A variant without data is text and no JSON.
        let sql = sql.replace("kind ->>", "iif(json_valid(kind), kind, '{}') ->>");
        let named = match &thing.kind {
            Kind::Named { text: named } => text(named),
            _ => "Null".to_owned(),
        };
        let kind = match &thing.kind {
            Kind::Bare => text("Bare"),
            kind => text(&serde_json::to_string(kind).expect("it is JSON")),
        };
        let blob = |bytes: &[u8]| format!("{:?}", Value::Blob(bytes.to_vec()));
        let (length, sized) = if thing.number == 1 {
            (0, "Null".to_owned())
        } else {
            (2, int(1))
        };
        let expect = [
            text(&thing.letter.to_string()),
            int(thing.yes),
            blob(&thing.bytes),
            blob(&thing.four),
            blob(&thing.digest),
            (thing.letters.as_deref()).map_or("Null".to_owned(), blob),
            named,
            kind,
            int(length),
            sized,
        ];
        assert_eq!(asked(&client, &sql), [expect], "{}", thing.number);
    }
}

#[test]
fn views_show_keys_and_times_that_people_can_read() {
    let dir = temp_dir();
    let path = dir.path().join("things.sqlite");
    let things = things();
    let mut store = projected(&path, &things);
    let day = 86_400_000_000;
    let times = [
        0,
        1,
        -1,
        999_999,
        -1_000_000,
        1_700_000_000_123_456,
        951_782_400 * 1_000_000,
        -day,
        day * 365 * 400,
    ];
    for (thing, micros) in things.iter().zip(times) {
        let thing = store
            .find::<model::Thing>(&(thing.made, thing.number))
            .expect("the row exists");
        let token = thing
            .in_state::<state::Begun>(&store)
            .expect("it has begun");
        store.step(Moved {
            thing: token,
            at: Timestamp::from_micros(micros),
            code: Some('ß'),
        });
    }
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    let client = Connection::open(&path).expect("the store or the database opens");
    // What has no text in RFC 3339 stays the number that it is.
    let shown = |time: Timestamp| {
        let is_shown =
            (-62_167_219_200_000_000..=253_402_300_799_999_999).contains(&time.as_micros());
        if is_shown {
            text(&time.to_string())
        } else {
            int(time.as_micros())
        }
    };
    assert!(
        things
            .iter()
            .any(|thing| shown(thing.made) == int(thing.made.as_micros()))
    );
    for (i, thing) in things.iter().enumerate() {
        let sql = format!(
            "SELECT id, state, made, maybe, Done_at, Done_code FROM Thing_view WHERE number = {i}"
        );
        let done = times.get(i).copied();
        let expect = [
            text(&format!("{i}.1")),
            text(if done.is_some() { "Done" } else { "Begun" }),
            shown(thing.made),
            thing.maybe.map_or("Null".to_owned(), shown),
            done.map_or("Null".to_owned(), |micros| {
                shown(Timestamp::from_micros(micros))
            }),
            done.map_or("Null".to_owned(), |_| text("ß")),
        ];
        assert_eq!(asked(&client, &sql), [expect], "{i}");
        let sql = format!("SELECT * FROM Thing_before_view WHERE from_number = {i}");
        let time = shown(thing.made);
        let expect = [
            time.clone(),
            int(i as u32),
            time.clone(),
            int(i as u32),
            time,
        ];
        let expect: Vec<Vec<String>> = (i % 2 == 0).then(|| expect.to_vec()).into_iter().collect();
        assert_eq!(asked(&client, &sql), expect, "{i}");
    }
    let columns = |view: &str| {
        let all = client
            .prepare(&format!("SELECT * FROM {view}"))
            .expect("the row exists");
        all.column_names().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        columns("Thing_before_view"),
        "from_made from_number to_made to_number data"
    );
    assert!(columns("Thing_view").starts_with("id state made number large"));
}
