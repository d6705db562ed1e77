//! An event is tried on a snapshot by the schema of its log, and an event that needs code of the program is refused with an error
//! that names the code. `tests/oracle/by_schema.rs` compares random events of many models with what the program does.

use ironweave::dynamic::{Dynamic, NeededCode, TrialError, code_needed_by};
use ironweave::prelude::*;
use ironweave::{ErrorKind, Seq, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::temp_dir;

#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Colour {
    Red,
    Green,
}

pub const STOCK: u32 = 7;

#[ironweave::model]
pub mod shelf {
    use ironweave::prelude::*;

    use super::{Colour, STOCK};

    #[entity]
    pub struct Crate {
        #[key]
        pub row: u8,
        #[key]
        pub name: String,
        #[default(3_u32)]
        pub size: u32,
        #[default(None)]
        pub label: Option<String>,
        #[edge(data = u32)]
        pub holds: Many<Item>,
    }
    #[states(Crate)]
    pub enum CrateState {
        #[initial]
        #[to(Full)]
        Open,
        #[to(reopen -> Open)]
        Full { since: Timestamp },
    }

    #[entity]
    pub struct Item {
        #[key]
        pub name: String,
        #[default(STOCK)]
        pub stock: u32,
        pub colour: Option<Colour>,
        #[inverse(Crate::holds)]
        pub held_by: Option<Crate>,
    }
    #[states(Item)]
    pub enum ItemState {
        #[initial]
        #[to(Worn)]
        New,
        #[to(Gone)]
        Worn,
        #[terminal]
        Gone,
    }

    /// Also one that is not there yet.
    #[event]
    #[set(of.label = label)]
    pub struct Labelled {
        pub of: Ensure<Crate>,
        pub label: Option<String>,
    }

    #[event]
    #[create(item: Item { name, stock })]
    pub struct Bought {
        pub name: String,
        pub stock: u32,
    }

    /// Its stock is a constant of the program.
    #[event]
    #[create(item: Item { name })]
    pub struct Found {
        pub name: String,
    }

    /// The stock of an item that is not there is a constant of the program.
    #[event]
    #[moves(item: New -> Worn)]
    pub struct Used {
        pub item: Ensure<Item>,
    }

    #[event]
    #[set(item.colour = colour)]
    pub struct Painted {
        pub item: Key<Item>,
        pub colour: Option<Colour>,
    }

    #[event]
    #[set(item.colour = colour)]
    pub struct Dyed {
        pub item: Key<Item>,
        pub colour: Colour2,
    }

    pub type Colour2 = Option<Colour>;

    #[event]
    #[when(item.stock >= number)]
    #[set(item.stock = item.stock - number)]
    #[relink(of.holds += item { data = number })]
    pub struct Packed {
        pub of: Key<Crate>,
        pub item: Key<Item>,
        pub number: u32,
    }

    #[event]
    #[moves(of: Open -> Full { since = meta.time })]
    pub struct Closed {
        pub of: Crate<Open>,
    }

    #[event]
    #[delete(items)]
    pub struct Dropped {
        pub items: Vec<Key<Item>>,
    }

    #[event]
    #[guard(super::never)]
    #[delete(item)]
    pub struct Sold {
        pub item: Key<Item>,
    }

    #[event]
    #[may(Item: New -> Worn)]
    pub struct Dented {
        pub item: Key<Item>,
    }

    /// A full box wears what it holds.
    #[immediate]
    #[when(any of.holds in New)]
    #[moves(of: Full -> Open)]
    #[may(Item: New -> Worn)]
    pub struct Wears {
        pub of: Crate,
    }

    #[invariant(Item, super::has_name)]
    pub struct HasName;
}

use shelf::{Bought, Dented, Labelled, Model, Packed, Wears};

fn never(_: &shelf::Sold, _: &impl Db) -> Result<(), Reject> {
    Err(Reject::new("nothing is sold"))
}

fn has_name(item: shelf::Item, db: &impl Db) -> Result<(), Reject> {
    match item.name(db) {
        "" => Err(Reject::new("it has no name")),
        _ => Ok(()),
    }
}

impl Apply for Dented {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

impl Apply for Wears {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for item in bound.of.holds(tx) {
            if let shelf::ItemState::New(item) = item.state(tx) {
                item.to_worn(tx)?;
            }
        }
        Ok(())
    }
}

/// What a program that does not have the model sees of a log: boxes `a` and `b`, and the items `pen` (5) and `ink` (2).
fn stored(test: impl FnOnce(&Snapshot<Dynamic>)) {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("a new store");
    for name in ["a", "b"] {
        let of = Ensure::new((1, name.to_owned()));
        store.step(Labelled { of, label: None });
    }
    for (name, stock) in [("pen", 5), ("ink", 2)] {
        let name = name.to_owned();
        store.step(Bought { name, stock });
    }
    let of = Key::new((1, "a".to_owned()));
    let item = "ink".into();
    store.step(Packed {
        of,
        item,
        number: 1,
    });
    drop(store);
    let store = Store::<Dynamic>::open_read_only(dir.path()).expect("it can be read");
    test(&store.snapshot());
}

fn at() -> Meta {
    Meta::new().with_time(Timestamp::from_secs(5_000_000_000))
}

#[test]
fn values_defaults_and_links_are_those_of_the_model() {
    stored(|snapshot| {
        let fire = |event: Value| {
            let outcome = snapshot
                .with_by_name(at(), event)
                .expect("it needs no code");
            assert_eq!(outcome.snapshot.check(), []);
            assert_eq!(outcome.record.seq(), Seq::new(6));
            outcome
        };
        // A box that is not there is created, with its default.
        let event = json!({ "Labelled": { "of": [2, "c"], "label": "new" } });
        let facts = fire(event).record.facts().to_string();
        let expected = "create Crate/2.1 in Open\nset Crate/2.1.row = 2\nset Crate/2.1.name = \"c\"\nset Crate/2.1.size = 3";
        assert!(facts.starts_with(expected), "{facts}");
        // An optional field that is not given is none, as its default is.
        let outcome = fire(json!({ "Labelled": { "of": [1, "a"] } }));
        assert_eq!(outcome.applied.names[0].1[0].to_string(), "Crate/0.1");
        // Time.
        let outcome = fire(json!({ "Closed": { "of": "Crate/1.1" } }));
        let facts = outcome.record.facts().to_string();
        assert!(facts.contains("2128-06-11T08:53:20Z"), "{facts}");
        // Nothing is kept.
        assert_eq!(snapshot.by_name().entity_type("Crate").unwrap().count(), 2);
    });
}

#[test]
fn what_needs_code_of_the_program_is_refused_by_name() {
    stored(|snapshot| {
        let schema = snapshot.schema();
        for (event, of_any_graph, expected) in [
            (
                json!({ "Sold": { "item": "pen" } }),
                true,
                "the guard `super::never` of Sold",
            ),
            (
                json!({ "Dented": { "item": "pen" } }),
                true,
                "the handler of Dented",
            ),
            (
                json!({ "Found": { "name": "nib" } }),
                true,
                "a type of the program, since Found sets Item.stock, which is a `u32`, to `STOCK`",
            ),
            // Only of an item that is not there.
            (
                json!({ "Used": { "item": "nib" } }),
                false,
                "a type of the program, since Used creates a Item whose `stock` is `STOCK`",
            ),
            (
                json!({ "Used": { "item": "pen" } }),
                false,
                "the invariant `HasName` of Item \"pen\"",
            ),
            (
                json!({ "Bought": { "name": "", "stock": 1 } }),
                false,
                "the invariant `HasName`",
            ),
            // The immediate event that follows has a handler.
            (
                json!({ "Closed": { "of": "Crate/0.1" } }),
                false,
                "the handler of Wears",
            ),
        ] {
            let name = event.as_object().unwrap().keys().next().unwrap().clone();
            let e = snapshot.with_by_name(at(), event).unwrap_err();
            let TrialError::NeedsCode { event: of, code } = &e else {
                panic!("{name}: {e}");
            };
            assert_eq!((&**of, e.kind()), (&*name, ErrorKind::Forbidden));
            assert!(code.to_string().starts_with(expected), "{code}");
            let text = format!("{name} cannot be tried: it needs {code}, which is not linked in");
            assert!(e.to_string().starts_with(&text), "{e}");
            let def = schema.events.iter().find(|def| def.name == name).unwrap();
            let needed = code_needed_by(schema, def);
            assert_eq!(needed, of_any_graph.then(|| code.clone()), "{name}");
        }
        // A value of a type of the program may be left out.
        let painted = snapshot.with_by_name(
            at(),
            json!({ "Painted": { "item": "pen", "colour": null } }),
        );
        assert!(matches!(
            painted.unwrap_err(),
            TrialError::NeedsCode {
                code: NeededCode::Invariant { .. },
                ..
            }
        ));
        // It deletes what it touches.
        let dropped = json!({ "Dropped": { "items": ["pen"] } });
        assert!(snapshot.with_by_name(at(), dropped).is_ok());
    });
}

#[test]
fn what_is_no_event_of_the_schema_is_an_error() {
    stored(|snapshot| {
        for (event, expected) in [
            (json!({}), "expected"),
            (json!(null), "invalid type"),
            (json!("Closed"), "unit variant"),
            (json!({ "Closed": {}, "Bought": {} }), "expected"),
            (json!({ "Opened": {} }), "there is no event `Opened`"),
            (
                json!({ "Wears": { "of": "Crate/0.1" } }),
                "`Wears` is an immediate event",
            ),
            (json!({ "Closed": {} }), "the field `of` is missing"),
            (
                json!({ "Closed": { "of": null } }),
                "`of`: invalid type: null",
            ),
            (
                json!({ "Closed": { "of": "Item/0.1" } }),
                "`of`: it is not an id of a Crate",
            ),
            (json!({ "Closed": { "of": 1 } }), "`of`: invalid type"),
            (
                json!({ "Closed": { "of": "Crate/0.1", "at": 1 } }),
                "Closed has no field `at`",
            ),
            (
                json!({ "Bought": { "name": 1, "stock": 1 } }),
                "`name`: invalid type",
            ),
            (
                json!({ "Bought": { "name": "x", "stock": -1 } }),
                "`stock`: invalid value",
            ),
            (
                json!({ "Bought": { "name": "x", "stock": 4_294_967_296u64 } }),
                "`stock`: invalid value",
            ),
            (
                json!({ "Bought": { "name": "x", "stock": 1.5 } }),
                "`stock`: invalid type",
            ),
            (
                json!({ "Labelled": { "of": [1] } }),
                "`of`: invalid length 1",
            ),
            (
                json!({ "Labelled": { "of": [1, "a", 2] } }),
                "`of`: invalid length 3",
            ),
            (json!({ "Labelled": { "of": "a" } }), "`of`: invalid type"),
            (
                json!({ "Dropped": { "items": "pen" } }),
                "`items`: invalid type",
            ),
            (
                json!({ "Painted": { "item": "pen", "colour": "Red" } }),
                "`colour`: its type is a type of the program",
            ),
        ] {
            let e = snapshot.with_by_name(at(), event.clone()).unwrap_err();
            assert!(matches!(e, TrialError::Event { .. }), "{event}: {e}");
            assert_eq!(e.kind(), ErrorKind::Invalid);
            assert!(e.to_string().contains(expected), "{event}: {e}");
        }
        let twice = r#"{"Closed": {"of": "Crate/0.1", "of": "Crate/0.1"}}"#;
        let twice = snapshot.with_by_name(at(), &mut serde_json::Deserializer::from_str(twice));
        assert!(
            twice
                .unwrap_err()
                .to_string()
                .contains("`of` is given twice")
        );
    });
}

#[test]
fn what_the_program_would_reject_is_rejected() {
    stored(|snapshot| {
        for (event, kind, expected) in [
            (
                json!({ "Closed": { "of": "Crate/9.1" } }),
                ErrorKind::NotFound,
                "Crate/9.1",
            ),
            (
                json!({ "Closed": { "of": "Crate/0.2" } }),
                ErrorKind::NotFound,
                "Crate/0.2",
            ),
            (
                json!({ "Packed": { "of": [9, "a"], "item": "pen", "number": 1 } }),
                ErrorKind::NotFound,
                "there is no Crate 9, \"a\"",
            ),
            (
                json!({ "Packed": { "of": [1, "a"], "item": "pen", "number": 6 } }),
                ErrorKind::Forbidden,
                "item.stock >= number",
            ),
            (
                json!({ "Dropped": { "items": ["pen", "pen"] } }),
                ErrorKind::Invalid,
                "twice",
            ),
            (
                json!({ "Bought": { "name": "pen", "stock": 1 } }),
                ErrorKind::Conflict,
                "pen",
            ),
        ] {
            let e = snapshot.with_by_name(at(), event.clone()).unwrap_err();
            assert!(matches!(e, TrialError::Rejected(_)), "{event}: {e}");
            assert!(e.to_string().contains(expected), "{event}: {e}");
            assert_eq!(e.kind(), kind, "{event}: {e}");
        }
        let before = Meta::new().with_time(Timestamp::from_secs(-5));
        let e = snapshot.with_by_name(before, json!({ "Closed": { "of": "Crate/0.1" } }));
        assert!(matches!(
            e,
            Err(TrialError::Rejected(StepError::TimeGoesBack { .. }))
        ));
    });
}

#[test]
fn a_chain_of_trials_is_one_history() {
    stored(|snapshot| {
        let full = snapshot.with_by_name(at(), json!({ "Closed": { "of": "Crate/1.1" } }));
        let full = full.expect("it needs no code").snapshot;
        let again = full.with_by_name(at(), json!({ "Closed": { "of": "Crate/1.1" } }));
        assert!(again.unwrap_err().to_string().contains("is Full"));
        let label = json!({ "Labelled": { "of": [1, "b"], "label": "x" } });
        let labelled = full.with_by_name(at(), label).expect("it needs no code");
        assert_eq!(labelled.record.seq(), Seq::new(7));
        let found = labelled
            .snapshot
            .by_name()
            .find("Crate", "1, b")
            .unwrap()
            .unwrap();
        assert_eq!(found.state(), "Full");
        let facts = labelled.snapshot.diff(snapshot).expect("one history");
        assert!(!facts.is_empty());
    });
}
