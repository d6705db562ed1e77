//! Renamed items, and the verdicts on stores with data.

use crate::*;

fn field(name: &str, ty: &str) -> EventFieldDef {
    EventFieldDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        ..EventFieldDef::default()
    }
}

/// An entity type with a state, a field, an edge to itself, and an event that names an entity of it.
fn schema(entity: &str) -> Schema {
    let end = |name: &str| EndDef {
        name: name.to_owned(),
        ..EndDef::default()
    };
    let state = StateDef {
        name: "Free".to_owned(),
        ..StateDef::default()
    };
    Schema {
        entities: vec![EntityDef {
            name: entity.to_owned(),
            states: vec![state],
            ..EntityDef::default()
        }],
        columns: vec![ColumnDef {
            name: "label".to_owned(),
            ty: "String".to_owned(),
            ..ColumnDef::default()
        }],
        edges: vec![EdgeDef {
            from: end("next"),
            to: end("before"),
            ..EdgeDef::default()
        }],
        events: vec![EventDef {
            name: "Moved".to_owned(),
            fields: vec![field("bed", &format!("Key<{entity}>"))],
            names: vec![NameDef {
                name: "bed".to_owned(),
                by: BindBy::Key,
                ..NameDef::default()
            }],
            ..EventDef::default()
        }],
        ..Schema::default()
    }
}

fn changes(was: &Schema, now: &Schema) -> Vec<String> {
    was.diff(now).iter().map(ToString::to_string).collect()
}

#[test]
fn a_renamed_entity_is_one_change_and_takes_its_fields_edges_and_events_with_it() {
    let (was, mut now) = (schema("Bed"), schema("Place"));
    assert!(changes(&was, &now).len() > 4, "another entity");
    now.entities[0].renamed = vec!["Cot".to_owned(), "Bed".to_owned()];
    assert_eq!(changes(&was, &now), ["entity `Place` was named `Bed`"]);
    assert_eq!(was.with_names_of(&now), now);
    assert_eq!(changes(&now, &now), [""; 0]);
}

#[test]
fn a_former_name_has_no_effect_on_a_schema_that_has_the_new_name() {
    let (mut was, mut now) = (schema("Bed"), schema("Bed"));
    let moved = |name: &str| EventDef {
        name: name.to_owned(),
        ..EventDef::default()
    };
    was.events = vec![moved("Moved"), moved("Left")];
    now.events = vec![moved("Left")];
    now.events[0].renamed = vec!["Moved".to_owned()];
    assert_eq!(
        changes(&was, &now),
        [
            "event `Moved` was removed",
            "the former name of event `Left` was `none` and is now `Moved`"
        ]
    );
}

#[test]
fn a_schema_without_former_names_is_written_as_if_there_were_none() {
    let mut renamed = schema("Bed");
    let text = renamed.to_json();
    assert!(!text.contains("renamed"), "{text}");
    renamed.columns[0].renamed = vec!["title".to_owned()];
    let text = renamed.to_json();
    assert!(text.contains(r#""renamed":["title"]"#), "{text}");
    assert_eq!(Schema::from_json(&text).expect("a schema"), renamed);
    let read = Schema::from_cbor(&renamed.to_cbor());
    assert_eq!(read.expect("a schema"), renamed);
}

#[test]
fn a_check_of_the_data_refuses_with_how_much_fails_it_and_the_first() {
    let (was, mut now) = (schema("Bed"), schema("Bed"));
    now.columns.push(ColumnDef {
        state: Some(StateIx::new(0)),
        name: "by".to_owned(),
        ty: "String".to_owned(),
        ..ColumnDef::default()
    });
    let compatibility = was.compatibility(&now);
    assert!(!compatibility.is_free() && compatibility.differences[0].is_of_shape());
    let usage = |count| {
        let first = Some("Bed \"4A\"".to_owned()).filter(|_| count > 0);
        move |_: &Check| Usage {
            count,
            first: first.clone(),
        }
    };
    assert!(compatibility.refused(usage(0)).is_empty());
    let refused = compatibility.refused(usage(3));
    assert_eq!(
        refused[0].to_string(),
        "state `Bed::Free` now needs `by: String`: 3 entities are in it, first `Bed \"4A\"`; give `#[default(..)]` or a \
         migration"
    );
}
