//! The whole content of a store as text, read by name: with the types of its model and without them, it is the same text.

use std::fmt::Write as _;
use std::path::Path;

use ironweave::dynamic::{Dynamic, EntityView, GraphView, ValueView};
use ironweave::prelude::*;
use ironweave::{EntityRef, Fact, Model};

/// All entities with their values and links in both directions.
pub fn contents(graph: GraphView<'_>) -> String {
    let columns = &graph.schema().columns;
    let shown = columns.iter().all(|column| column.encoding.is_some());
    contents_as(graph, shown)
}

/// The same. Values are `shown` by their encodings, if the schema has these.
fn contents_as(graph: GraphView<'_>, shown: bool) -> String {
    let mut text = String::new();
    // By name: a log may have the same items in another order.
    let mut types: Vec<_> = graph.entity_types().collect();
    types.sort_by_key(|ty| ty.name());
    for ty in types {
        let mut states: Vec<&str> = ty.states().collect();
        states.sort();
        let counts = states
            .iter()
            .map(|state| ty.count_in(state).expect("a state"));
        let counts: Vec<usize> = counts.collect();
        assert_eq!(counts.iter().sum::<usize>(), ty.count());
        let _ = writeln!(
            text,
            "{} {:?}",
            ty.name(),
            states.iter().zip(&counts).collect::<Vec<_>>()
        );
        let mut found = 0;
        for state in &states {
            let of_state = ty.entities_in(state).expect("a state");
            found += of_state
                .inspect(|entity| assert_eq!(entity.state(), *state))
                .count();
        }
        assert_eq!(found, ty.count());
        let ids: Vec<_> = ty.entities().map(EntityView::id).collect();
        assert!(ids.is_sorted() && ids.len() == found);
        ty.entities()
            .for_each(|entity| one(entity, shown, &mut text));
    }
    text
}

fn one(entity: EntityView<'_>, shown: bool, text: &mut String) {
    let ty = entity.entity_type();
    let label = entity.label();
    let _ = writeln!(text, "{entity} {entity:?} {label:?} {}", entity.state());
    assert_eq!(ty.at(entity.id()), Some(entity));
    if ty.key().next().is_some() {
        assert_eq!(ty.find(&label).expect("a key"), Some(entity), "{label}");
    }
    let mut value = |name: &str, value: &ValueView<'_>| {
        let json = serde_json::to_string(value).unwrap_or_else(|e| e.to_string());
        let text_of = if shown {
            format!("{value} {json} ")
        } else {
            String::new()
        };
        let bytes = hex(value.encoded());
        let _ = writeln!(text, "  {name} = {text_of}{bytes}");
    };
    let mut fields: Vec<_> = entity.fields().collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, field) in fields {
        assert_eq!(entity.field(name).expect("a field"), Some(field.clone()));
        value(name, &field);
    }
    let mut all: Vec<_> = entity.data().collect();
    all.sort_by_key(|(name, _)| *name);
    for (name, data) in all {
        value(name, &data);
    }
    let mut edges: Vec<&str> = ty.edges().collect();
    edges.sort();
    for edge in edges {
        let links = entity.links(edge).expect("an edge");
        assert_eq!(links.len(), entity.degree(edge).expect("an edge"));
        for link in links {
            let data = link.data().map_or_else(String::new, |data| {
                let text_of = if shown {
                    format!(" {data}")
                } else {
                    String::new()
                };
                format!("{text_of} {}", hex(data.encoded()))
            });
            let _ = writeln!(text, "  {edge} -> {:?}{data}", link.entity());
        }
    }
}

/// The histories of all entities that there are.
fn histories<M: Model>(store: &Store<M>, shown: bool) -> String {
    let mut text = String::new();
    for ty in store.by_name().entity_types() {
        for entity in ty.entities() {
            let past = |of: &EntityRef, text: &mut String| {
                for entry in store.history_by_name(of).expect("the log can be read") {
                    let (seq, event) = (entry.seq(), entry.event());
                    let fact = one_fact(entry.fact(), shown);
                    let _ = writeln!(text, "{of}: {seq} {event} {fact}");
                }
            };
            past(&entity.entity_ref(), &mut text);
            if ty.key().next().is_some() {
                let of_key = store.history_of_key_by_name(ty.name(), &entity.label());
                for (of, entries) in of_key.expect("the log can be read") {
                    let _ = writeln!(text, "{of} {}: {} facts", of.id, entries.len());
                }
            }
        }
    }
    text
}

/// Asserts that a log in a directory, which `typed` has, is the same without the types of its model.
#[track_caller]
pub fn assert_same_without_types<M: Model>(dir: &Path, typed: &Store<M>) -> Store<Dynamic> {
    let dynamic = Store::<Dynamic>::open_read_only(dir).expect("any log can be opened");
    assert_eq!(dynamic.schema().name, typed.schema().name);
    assert_eq!(
        (dynamic.seq(), dynamic.fingerprint(), dynamic.position()),
        (typed.seq(), typed.fingerprint(), typed.position())
    );
    super::assert_consistent(&dynamic);
    super::assert_consistent(&dynamic.snapshot());
    // Logs of early versions do not have the encodings of values.
    let begin = dynamic.as_of(0).expect("the beginning");
    let columns = begin
        .schema()
        .columns
        .iter()
        .chain(&dynamic.schema().columns);
    let shown = columns.map(|column| &column.encoding).all(Option::is_some);
    let ours = contents_as(typed.by_name(), shown);
    assert_eq!(contents_as(dynamic.by_name(), shown), ours);
    assert_eq!(contents_as(dynamic.snapshot().by_name(), shown), ours);
    assert_eq!(histories(&dynamic, shown), histories(typed, shown));
    let (ours, theirs) = (records(typed, shown), records(&dynamic, shown));
    assert_eq!(theirs, ours);
    for record in dynamic.frames(0).expect("there is a log") {
        let seq = record.expect("the log can be read").seq();
        let (then, past) = (typed.as_of(seq), dynamic.as_of(seq));
        let (then, past) = (then.expect("the past"), past.expect("the past"));
        assert_eq!(then.fingerprint(), past.fingerprint());
        if seq.get() % 8 == 1 {
            let then = contents_as(then.by_name(), shown);
            assert_eq!(contents_as(past.by_name(), shown), then);
        }
    }
    assert_eq!(
        dynamic.verify().expect("the log can be read"),
        ours.len() as u64
    );
    dynamic
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Each transaction of the log.
fn records<M: Model>(store: &Store<M>, shown: bool) -> Vec<String> {
    let frames = store.frames(0).expect("there is a log");
    let record = |record: ironweave::Record<M>| {
        let mut text = format!("{record}\n");
        for firing in record.firings() {
            let mut fields: Vec<String> = (firing.fields().iter())
                .map(|field| {
                    let text_of = if shown {
                        field.to_string()
                    } else {
                        String::new()
                    };
                    format!("{} {text_of} {}", field.name(), hex(field.encoded()))
                })
                .collect();
            fields.sort();
            let _ = writeln!(text, "{} {fields:?}", firing.name());
            for fact in firing.facts() {
                let _ = writeln!(text, "{}", one_fact(fact, shown));
            }
        }
        text
    };
    frames
        .map(|frame| record(frame.expect("the log can be read")))
        .collect()
}

fn one_fact(fact: Fact<'_>, shown: bool) -> String {
    let value = hex(fact.encoded().unwrap_or_default());
    if shown {
        return format!("{fact} {value}");
    }
    let (entity, other) = (fact.entity(), fact.other());
    format!(
        "{:?} {entity} {other:?} {:?} {:?} {value}",
        fact.kind(),
        fact.field(),
        fact.to()
    )
}
