//! A schema that refers to what it does not have is refused.

use ironweave::{Options, Seq, Store};

use crate::cbor::{Item, Map, Raw, Uint, text};
use crate::forge::{self, Forged};
use crate::models::shop;
use crate::{committed, scratch_dir};

fn shop() -> Vec<Forged> {
    forge::frames(&committed("constructs"))
}

fn open(frames: &[Forged]) -> Result<Store<shop::Model>, ironweave::OpenError> {
    let dir = scratch_dir();
    forge::write(dir.path(), frames);
    Store::<shop::Model>::open(dir.path())
}

#[test]
fn a_number_that_names_nothing_is_refused_wherever_it_stands() {
    let frames = shop();
    let count = frames[0].payload.count();
    let mut changed = 0;
    for n in 0..count {
        let mut frames = vec![frames[0].clone()];
        let item = frames[0].payload.nth(&mut n.clone()).expect("an item");
        if !matches!(item, Uint(_)) {
            continue;
        }
        *item = Uint([250, u64::from(u16::MAX), u64::MAX][changed % 3]);
        changed += 1;
        // Bounds on links, and what a literal is asked for by, are no numbers of anything else.
        if let Err(e) = open(&frames) {
            assert_eq!(
                (e.seq(), e.offset()),
                (Some(Seq::ZERO), Some(64)),
                "item {n}: {e}"
            );
        }
    }
    assert!(changed > 100, "{changed} numbers were changed");
}

#[test]
fn an_index_names_fields_that_exist_and_fit() {
    let field = |path: &[&str], value: Item| {
        let mut frames = vec![shop().remove(0)];
        let mut at = &mut frames[0].payload;
        for key in path {
            at = match key.parse::<usize>() {
                Ok(n) => &mut at.items()[n],
                Err(_) => at.get(&text(key)),
            };
        }
        *at = value;
        open(&frames).expect_err("it is refused").to_string()
    };
    for (path, value, words) in [
        (
            &["entities", "0", "initial"][..],
            1,
            "`Customer`: state 1 is out of range, because there are 1",
        ),
        (
            &["entities", "1", "states", "0", "to", "0", "to"],
            4,
            "`Order`: state 4",
        ),
        (
            &["columns", "0", "entity"],
            5,
            "`name`: entity 5 is out of range, because there are 5",
        ),
        (
            &["edges", "0", "from", "entity"],
            9,
            "entity 9 is out of range",
        ),
        (&["edges", "0", "to", "entity"], 4, "is refused"),
        (
            &["events", "0", "names", "0", "entity"],
            9,
            "`Ordered`: entity 9",
        ),
        (&["invariants", "0", "entity"], 9, "entity 9"),
        (
            &["invariants", "0", "entity"],
            0,
            "is not an edge of the entity from which it is followed",
        ),
    ] {
        let message = field(path, Uint(value));
        let words = if words == "is refused" { "`" } else { words };
        assert!(message.contains(words), "{path:?}: {message}");
        assert!(
            message.contains("its schema is invalid"),
            "{path:?}: {message}"
        );
    }
    for (path, name, words) in [
        (
            &["entities", "1", "name"][..],
            "Customer",
            "two entities have the same name",
        ),
        (
            &["entities", "1", "states", "1", "name"],
            "Open",
            "two states of one entity",
        ),
        (
            &["columns", "1", "name"],
            "name",
            "two fields of one entity",
        ),
        (
            &["events", "1", "name"],
            "Ordered",
            "two events have the same name",
        ),
    ] {
        let message = field(path, text(name));
        assert!(message.contains(words), "{path:?}: {message}");
    }
}

#[test]
fn each_rule_of_a_schema_is_checked() {
    let refused = |wrong: &dyn Fn(&mut Item), words: &str| {
        let mut frames = vec![shop().remove(0)];
        wrong(&mut frames[0].payload);
        let message = open(&frames).expect_err("it is refused").to_string();
        assert!(message.contains("its schema is invalid"), "{message}");
        assert!(message.contains(words), "no `{words}` in: {message}");
    };
    fn add(map: &mut Item, key: &str, value: Item) {
        let Map(entries) = map else {
            panic!("it is a map");
        };
        entries.push((text(key), value));
    }
    fn of<'i>(schema: &'i mut Item, list: &str) -> &'i mut Vec<Item> {
        schema.get(&text(list)).items()
    }
    let nothing = |kind: &str| Map(vec![(text(kind), Uint(9))]);
    refused(
        &|schema| {
            let state = of(schema, "columns")
                .iter_mut()
                .map(|column| column.get(&text("state")))
                .find_map(|state| matches!(state, Uint(_)).then_some(state));
            *state.expect("data of a state") = Uint(9);
        },
        "state 9 is out of range",
    );
    let entity = "entity 9 is out of range";
    for list in ["columns", "edges"] {
        let wrong = |schema: &mut Item| add(&mut of(schema, list)[0], "encoding", nothing("Key"));
        refused(&wrong, entity);
    }
    refused(
        &|schema| {
            let field = &mut of(&mut of(schema, "events")[0], "fields")[0];
            add(field, "encoding", nothing("Id"));
        },
        entity,
    );
    refused(
        &|schema| {
            let event = &mut of(schema, "events")[0];
            let fields = of(event, "fields");
            let name = fields[0].get(&text("name")).clone();
            *fields[1].get(&text("name")) = name;
        },
        "two fields have the same name",
    );
    refused(
        &|schema| {
            // Two edges from orders: to customers, and to lines.
            let edges = of(schema, "edges");
            let name = edges[0].get(&text("from")).get(&text("name")).clone();
            *edges[1].get(&text("from")).get(&text("name")) = name;
        },
        "two ends of edges at one entity",
    );
    refused(
        &|schema| *of(schema, "edges")[0].get(&text("acyclic")) = Raw(vec![0xf5]),
        "an acyclic edge connects two different entity types",
    );
    refused(
        &|schema| {
            let states = of(&mut of(schema, "entities")[0], "states");
            for n in 0..250 {
                let mut state = states[0].clone();
                *state.get(&text("name")) = text(&format!("State{n}"));
                states.push(state);
            }
        },
        "251 states are more than the 250",
    );
}

#[test]
fn a_large_schema_is_checked_in_one_pass() {
    let mut frames = vec![shop().remove(0)];
    let columns = frames[0].payload.get(&text("columns")).items();
    // As many as there are numbers for; what is quadratic in them would not end.
    let like = columns[5].clone();
    for n in columns.len()..1 << 16 {
        let mut column = like.clone();
        *column.get(&text("name")) = text(&format!("column_{n}"));
        columns.push(column);
    }
    let bytes = frames[0].payload.bytes().len();
    // The program has no such fields, and nothing is in them.
    let store = open(&frames).expect("the store opens");
    assert_eq!(store.seq(), Some(1.into()));
    let columns = frames[0].payload.get(&text("columns")).items();
    columns.push(like);
    let e = open(&frames).expect_err("there are too many");
    assert!(e.to_string().contains("65537 fields are more"), "{e}");

    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let options = Options::<shop::Model>::default().schema_bytes_max(bytes - 1);
    let e = options.open(dir.path()).expect_err("it is too long");
    assert!(e.storage().is_some_and(|e| e.is_too_large()), "{e}");
}

#[test]
fn an_unknown_value_of_what_the_facts_depend_on_is_a_difference() {
    let mut frames = shop();
    let edge = &mut frames[0].payload.get(&text("edges")).items()[0];
    *edge.get(&text("from")).get(&text("cardinality")) = text("Several");
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let e = Store::<shop::Model>::open_read_only(dir.path()).expect_err("it cannot be read");
    assert!(e.is_schema(), "{e}");
    assert!(
        e.to_string()
            .contains("`cardinality: \"Several\"`, which this version does not know"),
        "{e}"
    );
}
