//! Wrong content in what the newer parts of the language have in the schema of a log: choices, comparisons, counts, due times, orders
//! and indexes.

use ironweave::Seq;
use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;

use crate::cbor::{Array, Item, Map, Raw, Uint, parse, text};
use crate::forge::{self, Forged, FrameKind};
use crate::inn::{inn, log};
use crate::scratch_dir;

const BOOKED: u64 = 2;
const NOTED: u64 = 3;
const LEFT: u64 = 4;
const CLEANED: u64 = 5;

/// The schema of a log.
fn schema(frames: &mut [Forged]) -> &mut Item {
    assert_eq!(frames[0].kind, FrameKind::Schema);
    &mut frames[0].payload
}

/// The item at a path of keys and positions.
fn at<'i>(mut item: &'i mut Item, path: &str) -> &'i mut Item {
    for part in path.split('.') {
        item = match part.parse::<usize>() {
            Ok(n) => &mut item.items()[n],
            Err(_) => item.get(&text(part)),
        };
    }
    item
}

/// The arc of a kind of an event.
fn arc<'s>(schema: &'s mut Item, event: u64, kind: &str) -> &'s mut Item {
    let arcs = at(schema, &format!("events.{event}.arcs")).items();
    let mut found = arcs.iter_mut().filter_map(|arc| match arc {
        Map(entries) if entries[0].0 == text(kind) => Some(&mut entries[0].1),
        _ => None,
    });
    found.next().expect("the event has such an arc")
}

#[test]
fn the_unchanged_log_is_accepted() {
    let frames = log();
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let mut store = Store::<inn::Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 8);
    // Something is due again. Without the types of the model it cannot be fired.
    store.step(inn::Booked {
        floor: 1.into(),
        most: 8,
        stay: std::time::Duration::ZERO,
    });
    assert!(store.next_due().is_some());
    drop(store);
    let store = Store::<Dynamic>::open_read_only(dir.path());
    let store = store.expect("the log is read by its schema");
    assert_eq!(store.due(Timestamp::from_micros(i64::MAX)).count(), 0);
    assert_eq!(store.next_due(), None);
}

/// Asserts that a log with a wrong schema is refused with a reason, by a program with the model and by one without.
#[track_caller]
fn schema_refused(words: &str, wrong: impl FnOnce(&mut Item)) {
    let mut frames = log();
    wrong(schema(&mut frames));
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let with_model = [
        Store::<inn::Model>::open_read_only(dir.path()).err(),
        Store::<inn::Model>::open(dir.path()).err(),
    ];
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).err();
    for e in with_model.into_iter().chain([dynamic]) {
        let e = e.unwrap_or_else(|| panic!("it is not refused: {words}"));
        let message = e.to_string();
        assert!(message.contains("its schema is invalid"), "{message}");
        assert!(message.contains(words), "no `{words}` in: {message}");
        assert_eq!(
            (e.seq(), e.offset()),
            (Some(Seq::ZERO), Some(64)),
            "{message}"
        );
    }
}

/// As [`schema_refused`], with another item at a path in an arc.
#[track_caller]
fn arc_refused(words: &str, (event, kind, path): (u64, &str, &str), value: Item) {
    schema_refused(words, |schema| {
        *at(arc(schema, event, kind), path) = value;
    });
}

fn entity(name: u64, column: u64) -> Item {
    let fields = vec![(text("name"), Uint(name)), (text("column"), Uint(column))];
    Map(vec![(text("Entity"), Map(fields))])
}

fn field(index: u64) -> Item {
    Map(vec![(text("Field"), Uint(index))])
}

#[test]
fn a_choice_names_what_there_is() {
    let choose = |path| (BOOKED, "Choose", path);
    let not_chosen = "which is not a chosen name of the event";
    arc_refused(
        &format!("`Booked`: an arc chooses name 7, {not_chosen}"),
        choose("name"),
        Uint(7),
    );
    arc_refused(
        &format!("an arc chooses name 0, {not_chosen}"),
        choose("name"),
        Uint(0),
    );
    arc_refused(
        "name 9 is not a name of the event",
        choose("from.Path.root"),
        Uint(9),
    );
    arc_refused(
        "edge 7 is not in the schema",
        choose("from.Path.hops.0.edge"),
        Uint(7),
    );
    let words = "is not an edge of the entity from which it is followed";
    arc_refused(words, choose("from.Path.hops.0.forward"), Raw(vec![0xf4]));
    arc_refused(
        "an arc chooses among entities of another type",
        choose("from.Path.hops"),
        Array(vec![]),
    );
    arc_refused("state 9 is out of range", choose("states.0"), Uint(9));
    arc_refused(
        "field 99 is not in the schema",
        choose("conditions.0.column"),
        Uint(99),
    );
    let words = "`level` is not a field of the entity";
    arc_refused(words, choose("conditions.0.column"), Uint(0));
    arc_refused(
        "field 9 is out of range, because there are 3",
        choose("conditions.0.with"),
        field(9),
    );
    arc_refused(
        "name 8 is not a name of the event",
        choose("conditions.0.with"),
        entity(8, 0),
    );
    arc_refused(
        "field 99 is not in the schema",
        choose("order.0.column"),
        Uint(99),
    );
    arc_refused(words, choose("order.0.column"), Uint(0));
    let take = |path| (NOTED, "Choose", path);
    arc_refused(
        "`Noted`: field 9 is out of range",
        take("take.Exactly.number"),
        field(9),
    );
    let exactly = Map(vec![
        (text("number"), field(9)),
        (text("function"), Uint(0)),
    ]);
    let up_to = Map(vec![(text("UpTo"), exactly)]);
    arc_refused("`Noted`: field 9 is out of range", take("take"), up_to);
}

#[test]
fn a_condition_compares_what_there_is() {
    let count = |path| (BOOKED, "Count", path);
    arc_refused(
        "`Booked`: state 9 is out of range",
        count("states.0"),
        Uint(9),
    );
    arc_refused(
        "edge 7 is not in the schema",
        count("path.hops.0.edge"),
        Uint(7),
    );
    arc_refused(
        "name 9 is not a name of the event",
        count("path.root"),
        Uint(9),
    );
    arc_refused("field 77 is out of range", count("with"), field(77));
    arc_refused(
        "name 5 is not a name of the event",
        count("with"),
        entity(5, 0),
    );
    let compare = |path| (BOOKED, "Compare", path);
    for side in ["left", "right"] {
        arc_refused(
            "`Booked`: field 77 is out of range",
            compare(side),
            field(77),
        );
        arc_refused(
            "field 99 is not in the schema",
            compare(side),
            entity(0, 99),
        );
        arc_refused(
            "`number` is not a field of the entity",
            compare(side),
            entity(0, 2),
        );
        arc_refused(
            "name 5 is not a name of the event",
            compare(side),
            entity(5, 0),
        );
    }
}

#[test]
fn an_order_and_a_due_time_are_fields_of_the_entity() {
    let refused = |words: &str, path: &str, value: u64| {
        schema_refused(words, |schema| *at(schema, path) = Uint(value));
    };
    let order = format!("events.{CLEANED}.order.column");
    refused("`Cleaned`: field 99 is not in the schema", &order, 99);
    refused("`level` is not a field of the entity", &order, 0);
    let due = format!("events.{LEFT}.due");
    refused(
        "`Left`: name 3 is not a name of the event",
        &format!("{due}.name"),
        3,
    );
    refused(
        "`Left`: field 99 is not in the schema",
        &format!("{due}.column"),
        99,
    );
    refused(
        "`level` is not a field of the entity",
        &format!("{due}.column"),
        0,
    );
    // The price and the note of a room, which are no times.
    refused(
        "`Left`: the due time `price` is not a time",
        &format!("{due}.column"),
        3,
    );
    refused(
        "`Left`: the due time `note` is not a time",
        &format!("{due}.column"),
        4,
    );
}

#[test]
fn a_due_event_names_one_entity() {
    let refused = |words: &str, wrong: &dyn Fn(&mut Item)| {
        schema_refused(words, |schema| wrong(at(schema, &format!("events.{LEFT}"))));
    };
    let words = "`Left`: an event with a due time has one field, which names an entity";
    refused(words, &|event| {
        let more = event.get(&text("fields")).items()[0].clone();
        event.get(&text("fields")).items().push(more);
        *at(event, "fields.1.name") = text("again");
    });
    refused(words, &|event| {
        *event.get(&text("fields")) = Array(Vec::new())
    });
    refused(words, &|event| *at(event, "names.0.by") = text("Created"));
    refused(words, &|event| *at(event, "immediate") = Raw(vec![0xf5]));
}

#[test]
fn an_index_has_parts_of_its_entity() {
    let refused = |words: &str, wrong: &dyn Fn(&mut Item)| {
        schema_refused(words, |schema| wrong(at(schema, "indexes.0")));
    };
    refused("`floor_price`: entity 7 is out of range", &|index| {
        *index.get(&text("entity")) = Uint(7);
    });
    refused("the index has no part", &|index| {
        *index.get(&text("parts")) = Array(Vec::new())
    });
    refused("edge 7 is not in the schema", &|index| {
        *at(index, "parts.0.End.edge") = Uint(7)
    });
    let words = "is not an edge of the entity from which it is followed";
    refused(words, &|index| match at(index, "parts.0.End.forward") {
        Raw(bytes) => bytes[0] ^= 1,
        other => panic!("{other:?} is not a truth value"),
    });
    refused("field 99 is not in the schema", &|index| {
        *at(index, "parts.1.Column") = Uint(99)
    });
    refused("`level` is not a field of the entity", &|index| {
        *at(index, "parts.1.Column") = Uint(0)
    });
    refused("state 9 is out of range", &|index| {
        *at(index, "states.0") = Uint(9)
    });
    refused("a part of the index is an end with many links", &|index| {
        *index.get(&text("entity")) = Uint(0);
        *index.get(&text("states")) = Array(Vec::new());
        *at(index, "parts.1.Column") = Uint(1);
        match at(index, "parts.0.End.forward") {
            Raw(bytes) => bytes[0] ^= 1,
            other => panic!("{other:?} is not a truth value"),
        }
    });
}

/// Each number of the schema is replaced. What is opened in spite of that has the same graph.
#[test]
fn no_number_of_the_schema_does_harm() {
    let unchanged = log();
    let graph = |frames: &[Forged]| {
        let dir = scratch_dir();
        forge::write(dir.path(), frames);
        let dynamic = Store::<Dynamic>::open_read_only(dir.path());
        let dynamic = dynamic.ok().map(|store| store.fingerprint());
        let store = Store::<inn::Model>::open(dir.path()).ok()?;
        assert!(store.check().is_empty());
        let prices: Vec<u64> = store
            .place::<inn::Room, Any>()
            .map(|room| room.price(&store))
            .collect();
        Some((prices, store.fingerprint(), dynamic))
    };
    let expected = graph(&unchanged).expect("the log is right");
    let (mut opened, mut refused) = (0, 0);
    for n in 0..unchanged[0].payload.count() {
        for number in [0, 1, 2, 250, u64::from(u16::MAX), u64::MAX] {
            let mut frames = unchanged.clone();
            let item = frames[0].payload.nth(&mut n.clone()).expect("an item");
            if !matches!(item, Uint(_)) || *item == Uint(number) {
                continue;
            }
            *item = Uint(number);
            match graph(&frames) {
                Some(graph) => {
                    assert_eq!(graph.0, expected.0, "item {n} is {number}");
                    opened += 1;
                }
                None => refused += 1,
            }
        }
    }
    assert!(opened > 20 && refused > 200, "{opened} {refused}");
}

/// The numbers of functions are those of the program that wrote the log. No reader calls them.
#[test]
fn the_functions_of_another_program_are_not_called() {
    let mut frames = log();
    let schema = schema(&mut frames);
    for path in ["conditions.0.function", "order.0.function"] {
        *at(arc(schema, BOOKED, "Choose"), path) = Uint(60_000);
    }
    *at(arc(schema, NOTED, "Choose"), "take.Exactly.function") = Uint(60_000);
    for kind in ["Count", "Compare"] {
        *at(arc(schema, BOOKED, kind), "function") = Uint(60_000);
    }
    *at(schema, &format!("events.{CLEANED}.order.function")) = Uint(60_000);
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    Store::<Dynamic>::open_read_only(dir.path()).expect("the log is read by its schema");
    let mut store = Store::<inn::Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 8);
    let booked = inn::Booked {
        floor: 1.into(),
        most: 9,
        stay: std::time::Duration::from_secs(60),
    };
    let room = store.step(booked).bound.room;
    assert_eq!(room.any().number(&store), 1);
    assert!(store.check().is_empty());
}

#[test]
fn the_forms_of_arcs_are_where_the_tests_look_for_them() {
    let mut frames = log();
    let bytes = frames[0].payload.bytes();
    assert_eq!(parse(&mut &*bytes), frames[0].payload);
    let schema = schema(&mut frames);
    for (event, name) in [
        (CLEANED, "Cleaned"),
        (BOOKED, "Booked"),
        (NOTED, "Noted"),
        (LEFT, "Left"),
    ] {
        assert_eq!(at(schema, &format!("events.{event}.name")), &text(name));
    }
    for (column, name) in (0..).zip(["level", "limit", "number", "price", "note", "until"]) {
        assert_eq!(at(schema, &format!("columns.{column}.name")), &text(name));
    }
}
