//! The verdict on another type of a value, compared with what carrying it over gives, for all pairs of types.

use std::any::TypeId;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;
use crate::base::time::Timestamp;
use crate::schema::Verdict;
use crate::value::{Value, decode, encode, encoding};

/// A type of values, with some of its values.
struct Type {
    name: String,
    encoding: Encoding,
    values: Vec<Vec<u8>>,
    /// Returns the value that the type reads, in a form in which `1u8`, `Some(1u64)` and `1.0` are equal. The outer option is `None` if
    /// it cannot be read, the inner one if JSON has no such number.
    read: fn(&[u8]) -> Option<Option<serde_json::Value>>,
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).expect("a value");
    bytes
}

/// Returns the type `T`, and options and lists of it.
fn types<T: Value>(name: &str, values: &[T]) -> Vec<Type> {
    fn one<T: Value>(name: String, values: &[T]) -> Type {
        Type {
            name,
            encoding: encoding(TypeId::of::<T>()),
            values: values.iter().map(bytes).collect(),
            read: |value| {
                let value: T = decode(value).ok()?;
                Some(serde_json::to_value(&value).ok())
            },
        }
    }
    let list = values.to_vec();
    let optional: Vec<Option<T>> = list.iter().cloned().map(Some).chain([None]).collect();
    vec![
        one(name.to_owned(), values),
        one(format!("Option<{name}>"), &optional),
        one(format!("Vec<{name}>"), &[vec![], list.clone()]),
        one(
            format!("Option<Vec<{name}>>"),
            &[None, Some(vec![]), Some(list.clone())],
        ),
        one(
            format!("Vec<Option<{name}>>"),
            std::slice::from_ref(&optional),
        ),
        one(format!("Vec<Vec<{name}>>"), &[vec![vec![], list]]),
    ]
}

/// A type that the schema does not know.
#[derive(Clone, Serialize, Deserialize)]
enum Grade {
    First,
    Other(u8),
}

fn all() -> Vec<Type> {
    let unknown = [Grade::First, Grade::Other(2)];
    let times = [0, -1, 1 << 40].map(Timestamp::from_micros);
    let durations = [Duration::ZERO, Duration::new(1 << 40, 5)];
    let texts = ["", "bed"].map(str::to_owned);
    [
        types("()", &[()]),
        types("bool", &[false, true]),
        types("u8", &[0, 23, u8::MAX]),
        types("u16", &[0, u16::MAX]),
        types("u32", &[0, u32::MAX]),
        types("u64", &[0, u64::MAX]),
        types("u128", &[0, 1, u128::MAX]),
        types("i8", &[0, i8::MIN, i8::MAX]),
        types("i16", &[i16::MIN, i16::MAX]),
        types("i32", &[i32::MIN, i32::MAX]),
        types("i64", &[-1, i64::MIN, i64::MAX]),
        types("i128", &[-1, i128::MIN, i128::MAX]),
        types("f32", &[0.0f32, -0.0, 0.1, f32::MAX]),
        types("f64", &[0.1f64, f64::MIN]),
        types("char", &['a', '\u{10ffff}']),
        types("String", &texts),
        types("Timestamp", &times),
        types("Duration", &durations),
        types("Grade", &unknown),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Field,
    Indexed,
    StateData,
    LinkData,
}

/// Two beds, one of which is linked to the other, with a value of a type.
fn beds(place: Place, ty: &Type, is_known: bool) -> Schema {
    let encoding = is_known.then(|| ty.encoding.clone());
    let end = |name: &str| EndDef {
        name: name.into(),
        cardinality: Cardinality::Many,
        ..EndDef::default()
    };
    let mut schema = Schema {
        entities: vec![EntityDef {
            name: "Bed".into(),
            states: vec![StateDef {
                name: "Free".into(),
                ..StateDef::default()
            }],
            ..EntityDef::default()
        }],
        edges: vec![EdgeDef {
            from: end("next"),
            to: end("before"),
            ..EdgeDef::default()
        }],
        ..Schema::default()
    };
    if let Place::LinkData = place {
        schema.edges[0].data = Some(ty.name.clone());
        schema.edges[0].encoding = encoding;
    } else {
        schema.columns.push(ColumnDef {
            name: "value".into(),
            ty: ty.name.clone(),
            encoding,
            state: matches!(place, Place::StateData).then(|| StateIx::new(0)),
            index: matches!(place, Place::Indexed).then_some(crate::schema::IndexKind::Equal),
            ..ColumnDef::default()
        });
    }
    schema
}

/// Returns the value after carrying it over to another schema.
fn carried(was: &Schema, now: &Schema, value: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let ColumnTypes { columns, data } = ColumnTypes::of_log(was);
    let mut graph: Graph<Flat> = Graph::new(Layout::new(was.clone(), &[]), &columns, &data);
    let journal = &mut Journal::default();
    let (bed, free, edge) = (EntityIx::new(0), StateIx::new(0), EdgeIx::new(0));
    for _ in 0..2 {
        graph.create(journal, bed, free).expect("room");
    }
    graph.link(journal, edge, 0, 1).expect("a link");
    let set = match was.columns.is_empty() {
        true => graph.set_link_encoded(journal, edge, (0, 1), value),
        false => graph.set_encoded(journal, ColumnIx::new(0), 0, value),
    };
    set.expect("a value");
    graph.commit(journal);
    let ColumnTypes { columns, data } = ColumnTypes::of_log(now);
    let map = CarryMap::by_name(&was.with_names_of(now), now);
    let graph = graph.carried_over(&Layout::new(now.clone(), &[]), (&columns, &data), &map);
    let graph = graph.map_err(|e| e.to_string())?;
    Ok(match now.columns.is_empty() {
        true => (graph.link_row(edge, 0, 1)).and_then(|(cells, row)| cells.encoded(row)),
        false => graph.column(ColumnIx::new(0)).encoded(0),
    })
}

/// What is taken without a word of code keeps each value: the new type reads it as the same value.
#[test]
fn a_change_of_type_that_is_taken_keeps_all_values() {
    let all = all();
    let mut taken = 0;
    for place in [
        Place::Field,
        Place::Indexed,
        Place::StateData,
        Place::LinkData,
    ] {
        for (a, b, is_known) in
            (all.iter()).flat_map(|a| all.iter().flat_map(move |b| [(a, b, true), (a, b, false)]))
        {
            let (was, now) = (beds(place, a, is_known), beds(place, b, true));
            let compatibility = was.compatibility(&now);
            let is_free = compatibility.is_free();
            if !is_free {
                let is_data = |difference: &crate::schema::Difference| {
                    !matches!(difference.verdict, Verdict::Refused { .. })
                };
                assert!(compatibility.differences.iter().all(is_data));
                continue;
            }
            for value in &a.values {
                let what = format!(
                    "{place:?}, {} -> {}, {is_known}: {value:x?}",
                    a.name, b.name
                );
                let found = carried(&was, &now, value).expect(&what);
                let found = found.expect(&what);
                let read = (b.read)(&found).expect(&what);
                assert_eq!(read, (a.read)(value).expect(&what), "{what}");
                taken += 1;
            }
        }
    }
    assert!(taken > 1_000, "{taken}");
}
