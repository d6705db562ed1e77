//! Tests of the names for any schema, and of the conversion of values of any type.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::names::{Names, folded};
use super::tables::Tables;
use super::value::{Kind, sql_value};
use crate::schema::{ColumnDef, EdgeDef, EndDef, EntityDef, EntityIx, Schema, StateDef, StateIx};
use crate::value::encode;

/// A linear congruential generator of random numbers, with the constants of Knuth (MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = (self.0)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Returns a name of a few parts, so that many names are equal or similar.
    fn name(&mut self) -> String {
        const PARTS: [&str; 36] = [
            "a",
            "A",
            "b",
            "_",
            "_2",
            "_3",
            "2",
            "view",
            "_view",
            "VIEW",
            "to",
            "_to",
            "from_",
            "slot",
            "Slot",
            "id",
            "state",
            "STATE",
            "sqlite",
            "SQLite_",
            "sqlite_schema",
            "master",
            "ironweave",
            "Ironweave",
            "_objects",
            "order",
            "Order",
            "select",
            "rowid",
            "data",
            "ä",
            "Ä",
            "\"",
            " ",
            "main",
            "json_each",
        ];
        (0..=self.below(3)).map(|_| self.one_of(&PARTS)).collect()
    }
}

/// Returns a schema with random names. Some are equal, although the names of a model never are.
fn random_schema(random: &mut Random) -> Schema {
    let entities = 1 + random.below(5);
    let end = |random: &mut Random| EndDef {
        entity: EntityIx::new(random.below(entities) as u16),
        name: random.name(),
        ..EndDef::default()
    };
    let mut schema = Schema {
        name: "random".to_owned(),
        ..Schema::default()
    };
    for entity in EntityIx::all(entities) {
        let states = (0..1 + random.below(3)).map(|_| StateDef {
            name: random.name(),
            terminal: true,
            ..StateDef::default()
        });
        let states: Vec<StateDef> = states.collect();
        for _ in 0..random.below(8) {
            let state = random.below(2 * states.len());
            schema.columns.push(ColumnDef {
                entity,
                state: (state < states.len()).then_some(StateIx::new(state as u8)),
                name: random.name(),
                ty: "u32".to_owned(),
                key: state >= states.len() && random.below(3) == 0,
                ..ColumnDef::default()
            });
        }
        schema.entities.push(EntityDef {
            name: random.name(),
            states,
            ..EntityDef::default()
        });
    }
    for _ in 0..random.below(6) {
        schema.edges.push(EdgeDef {
            from: end(random),
            to: end(random),
            data: (random.below(2) == 0).then(|| "u32".to_owned()),
            ..EdgeDef::default()
        });
    }
    schema
}

#[test]
fn sqlite_accepts_the_names_of_any_schema_and_a_unique_name_is_unchanged() {
    let mut random = Random(11);
    for round in 0..400 {
        let schema = random_schema(&mut random);
        let prefix = ["", "a", "sqlite_", "Order_"][round % 4];
        let tables = Tables::of_times(schema.clone(), prefix).expect("there are few columns");
        let database = Connection::open_in_memory().expect("it opens");
        for registry in super::registry::CREATE {
            database.execute_batch(registry).expect("it is SQL");
        }
        for statement in &tables.statements {
            let done = database.execute_batch(&statement.sql);
            done.unwrap_or_else(|e| panic!("round {round}: {}: {e}", statement.sql));
        }
        // SQLite resolves the names in a view only when it is queried, so each view and statement is prepared.
        for statement in tables.statements.iter().filter(|s| s.kind != "index") {
            let name = super::names::quoted(&statement.name);
            let asked = database.prepare(&format!("SELECT * FROM {name}"));
            asked.unwrap_or_else(|e| panic!("round {round}: {}: {e}", statement.sql));
        }
        for sql in tables.all_sql() {
            let prepared = database.prepare(sql);
            prepared.unwrap_or_else(|e| panic!("round {round}: {sql}: {e}"));
        }
        let names = Names::new(&schema, prefix);
        assert_eq!(names, Names::new(&schema, prefix));
        check_unchanged_names(&schema, prefix, &names);
    }
}

/// Asserts that a table has its preferred name if no other table has the same preferred name.
fn check_unchanged_names(schema: &Schema, prefix: &str, names: &Names) {
    let preferred = |name: &str| format!("{prefix}{name}");
    let edges = schema.edges.iter().map(|edge| {
        let entity = &schema[edge.from.entity].name;
        preferred(&format!("{entity}_{}", edge.from.name))
    });
    let preferred = schema.entities.iter().map(|entity| preferred(&entity.name));
    let preferred: Vec<String> = preferred.chain(edges).collect();
    let given = names.entities.iter().chain(&names.edges);
    for (name, given) in preferred.iter().zip(given) {
        let others = preferred
            .iter()
            .filter(|other| folded(other) == folded(name));
        let taken = ["ironweave", "ironweave_objects"].contains(&&*folded(name));
        if others.count() == 1 && !taken && !folded(name).starts_with("sqlite_") {
            assert_eq!(*name, given.table);
        }
    }
}

#[test]
fn an_entity_with_more_fields_than_a_table_has_columns_is_refused_by_name() {
    let mut schema = random_schema(&mut Random(1));
    schema.entities[0].name = "Wide".to_owned();
    let column = |n: usize| ColumnDef {
        name: format!("f{n}"),
        ty: "u32".to_owned(),
        ..ColumnDef::default()
    };
    schema.edges.clear();
    schema.columns = (0..1_997).map(column).collect();
    let tables = Tables::of_times(schema.clone(), "").expect("they fit");
    let database = Connection::open_in_memory().expect("it opens");
    for statement in &tables.statements {
        database.execute_batch(&statement.sql).expect("it is SQL");
    }
    let view = database.prepare("SELECT * FROM Wide_view");
    assert_eq!(view.expect("it is SQL").column_count(), 1_999);
    schema.columns.push(column(1_997));
    let error = Tables::of_times(schema, "").err().expect("they do not fit");
    let error = error.at("wide.sqlite").to_string();
    assert!(error.contains("`Wide` would have 2001 columns"), "{error}");
}

fn stored<T: serde::Serialize>(value: &T, kind: Kind) -> Value {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).expect("it can be written");
    sql_value(&bytes, kind).expect("it can be read")
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn integers_beyond_the_range_of_sqlite_are_texts_of_one_length() {
    for (n, expect) in [
        (0, Value::Integer(0)),
        (-1, Value::Integer(-1)),
        (i64::MAX.into(), Value::Integer(i64::MAX)),
        (i64::MIN.into(), Value::Integer(i64::MIN)),
        (1 << 63, text("000000000000000000009223372036854775808")),
        (1 << 64, text("000000000000000000018446744073709551616")),
        (i128::MAX, text("170141183460469231731687303715884105727")),
        (
            -(1 << 63) - 1,
            text("-000000000000000000009223372036854775809"),
        ),
        (
            -(1 << 64) - 1,
            text("-000000000000000000018446744073709551617"),
        ),
        (i128::MIN, text("-170141183460469231731687303715884105728")),
    ] {
        assert_eq!(stored(&n, Kind::Plain), expect);
    }
    let most = text("340282366920938463463374607431768211455");
    assert_eq!(stored(&u128::MAX, Kind::Plain), most);
    assert_eq!(
        stored(&u64::MAX, Kind::Plain),
        text("000000000000000000018446744073709551615")
    );
}

#[test]
fn values_without_a_type_in_sqlite_are_json() {
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct New(u8);
    #[derive(Serialize)]
    enum Kinds {
        Bare,
        One(u8),
        Two(u8, f32),
        Named { a: Option<u8>, text: &'static str },
    }
    #[derive(Serialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, f64>,
    }
    let floats = BTreeMap::from([
        ("least", f64::NEG_INFINITY),
        ("most", f64::INFINITY),
        ("none", f64::NAN),
        ("some", 1e300),
    ]);
    for (value, expect) in [
        (stored(&Unit, Kind::Plain), text("[]")),
        (stored(&New(3), Kind::Plain), Value::Integer(3)),
        (stored(&Kinds::Bare, Kind::Plain), text("Bare")),
        (stored(&Kinds::One(1), Kind::Plain), text(r#"{"One":1}"#)),
        (
            stored(&Kinds::Two(1, 0.1), Kind::Plain),
            text(r#"{"Two":[1,0.1]}"#),
        ),
        (
            stored(
                &Kinds::Named {
                    a: None,
                    text: "\"\\\n\u{1}ä",
                },
                Kind::Plain,
            ),
            text("{\"Named\":{\"a\":null,\"text\":\"\\\"\\\\\\n\\u0001ä\"}}"),
        ),
        (
            stored(&Flat { a: 1, rest: floats }, Kind::Plain),
            text(r#"{"a":1,"least":"-Infinity","most":"Infinity","none":"NaN","some":1e300}"#),
        ),
        (
            stored(&BTreeMap::from([(u128::MAX, true)]), Kind::Plain),
            text(r#"{"340282366920938463463374607431768211455":true}"#),
        ),
        (
            stored(&BTreeMap::from([((1, "a"), Vec::<u8>::new())]), Kind::Plain),
            text(r#"{"[1,\"a\"]":[]}"#),
        ),
        (
            stored(&[[1, 2], [3, 4]], Kind::Plain),
            text("[[1,2],[3,4]]"),
        ),
        (stored(&BTreeMap::<u8, u8>::new(), Kind::Plain), text("{}")),
        (
            stored(&vec![0_u8, 255], Kind::Bytes),
            Value::Blob(vec![0, 255]),
        ),
        (stored(&[256_u32], Kind::Bytes), text("[256]")),
        (stored(&'ß', Kind::Char), text("ß")),
        (stored(&None::<char>, Kind::Char), Value::Null),
        (stored(&f64::NAN, Kind::Plain), text("NaN")),
        (
            stored(&f32::INFINITY, Kind::Plain),
            Value::Real(f64::INFINITY),
        ),
    ] {
        assert_eq!(value, expect);
        if let Value::Text(json) = &value
            && json.starts_with(['[', '{'])
        {
            let database = Connection::open_in_memory().expect("it opens");
            let valid = database.query_row("SELECT json_valid(?1)", [json], |row| row.get(0));
            assert_eq!(valid, Ok(true), "{json}");
        }
    }
}

#[test]
fn a_value_of_any_depth_is_written() {
    // Lists, and maps whose keys are maps; the innermost item is a number.
    for (open, deep) in [
        (vec![0x81], 100_000),
        (vec![0xa1], 30_000),
        (vec![0x9f], 100_000),
    ] {
        let mut bytes = open.repeat(deep);
        bytes.push(1);
        match open[0] {
            0xa1 => bytes.extend([1].repeat(deep)),
            0x9f => bytes.extend([0xff].repeat(deep)),
            _ => {}
        }
        let written = sql_value(&bytes, Kind::Plain).expect("it can be read");
        assert!(matches!(written, Value::Text(_)));
    }
    // A value that is not complete is an error.
    assert!(sql_value(&[0x9f, 1], Kind::Plain).is_err());
    assert!(sql_value(&[0xa1, 1], Kind::Plain).is_err());
    assert!(sql_value(&[], Kind::Plain).is_err());
}
