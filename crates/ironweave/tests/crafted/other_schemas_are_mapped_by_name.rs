//! A log whose schema has the shape of the program's, and other encodings, orders or names. Indexes are mapped by name, and a
//! writer begins another epoch.

use std::fs;

use ironweave::prelude::*;
use ironweave::{Options, Seq, StepError};

use crate::cbor::{Item, Uint, text};
use crate::forge;
use crate::models::{first, shop};
use crate::records::change;
use crate::wrong_records_are_refused::{bank, shop};
use crate::{committed, scratch_dir};

type Bank = first::bank::Model;

/// The kind of facts that set values, and the forms of these.
const SET: u8 = 3;
const WORD: u8 = 1;
const CBOR: u8 = 2;

/// An item in the CBOR of a schema, by keys and numbers.
#[track_caller]
fn item<'i>(mut at: &'i mut Item, path: &[&str]) -> &'i mut Item {
    for key in path {
        at = match key.parse::<usize>() {
            Ok(n) => &mut at.items()[n],
            Err(_) => at.get(&text(key)),
        };
    }
    at
}

/// A schema without encodings: its values are beside the records, and it is not continued.
#[test]
fn a_log_of_version_3_without_encodings_is_read_and_gets_another_epoch() {
    let mut frames = forge::frames(&committed("epochs"));
    frames.truncate(1);
    frames[0].version = 3;
    let with_encodings = bank();
    frames.extend(with_encodings.into_iter().skip(1).map(|mut frame| {
        change(&mut frame, |records| {
            let mut values = Vec::new();
            let mut rest = &*records.values;
            for fact in records.facts.iter_mut().filter(|fact| fact.kind == SET) {
                if fact.form == WORD {
                    let number = fact.operand as i64;
                    let item = match number {
                        0.. => Uint(number as u64),
                        _ => crate::cbor::Negative(!number as u64),
                    };
                    let item = item.bytes();
                    (fact.form, fact.operand) = (CBOR, 0);
                    fact.value_bytes = item.len() as u32;
                    values.extend(item);
                } else {
                    let (value, more) = rest.split_at(fact.value_bytes as usize);
                    values.extend_from_slice(value);
                    rest = more;
                }
            }
            records.values = values;
            // The fields of the events: a text and a number, or an id.
            let mut bindings = Vec::new();
            let mut field = |item: Vec<u8>| {
                bindings.extend((item.len() as u64).to_le_bytes());
                bindings.extend(item);
                bindings.resize(bindings.len().next_multiple_of(8), 0);
            };
            let word = |at: usize| {
                let bytes = records.bindings[at..at + 8].try_into().expect("a word");
                i64::from_le_bytes(bytes)
            };
            let number = |n: i64| match n {
                0.. => Uint(n as u64).bytes(),
                _ => crate::cbor::Negative(!n as u64).bytes(),
            };
            if records.bindings.len() == 24 {
                field(records.bindings[8..12].to_vec());
                field(number(word(16)));
            } else {
                field(number(word(0)));
            }
            records.firings[0].binding_end = bindings.len() as u32;
            records.bindings = bindings;
        });
        frame
    }));
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<Bank>::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
    drop(store);
    let mut store = Options::<Bank>::default()
        .paranoid()
        .open(dir.path())
        .expect("the store opens");
    assert_eq!(
        store.seq(),
        Some(ironweave::Seq::new(4)),
        "a schema with encodings"
    );
    let (account, balance) = ("eve".into(), -7);
    let counted = first::bank::Counted { account, balance };
    store.try_step(counted).expect("the event fires");
    assert_eq!(store.verify().expect("the same facts"), 4);
}

/// Their bindings have the order of the logged schema.
#[test]
fn the_fields_of_an_event_may_be_in_another_order() {
    let mut frames = bank();
    let schema = &mut frames[0].payload;
    let source = [
        "events", "0", "arcs", "0", "Set", "value", "source", "Field",
    ];
    item(schema, &["events", "0", "fields"]).items().swap(0, 1);
    *item(schema, &source) = Uint(0);
    for frame in &mut frames[1..3] {
        change(frame, |records| records.bindings.rotate_right(8));
    }
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<Bank>::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
}

/// The schema of this program, with all encodings, in a log of version 2: only the version differs.
#[test]
fn a_log_of_version_2_with_the_same_schema_gets_another_epoch() {
    let mut frames = forge::frames(&committed("epochs"));
    frames.truncate(4);
    frames[0].payload = bank()[0].payload.clone();
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let segment = |first| dir.path().join(format!("{first:020}.log"));
    let mut store = Store::<Bank>::open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(4)), "a schema of version 3");
    let (account, balance) = ("eve".into(), -7);
    store.step(first::bank::Counted { account, balance });
    drop(store);
    for (first, version) in [(0, 2), (4, 3)] {
        assert_eq!(fs::read(segment(first)).expect("a segment")[8], version);
    }
    let store = Store::<Bank>::open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(5)));
    assert_eq!(store.verify().expect("the same facts"), 4);
}

/// A receipt that is read again has the names of the event of today, if they are of the same entity and as many.
#[test]
fn a_repetition_finds_the_names_that_its_event_still_has() {
    let again = |renamed: &dyn Fn(&mut Item)| {
        let mut frames = shop();
        let events = item(&mut frames[0].payload, &["events"]).items();
        let added = events
            .iter_mut()
            .find_map(|event| (*event.get(&text("name")) == text("LineAdded")).then_some(event));
        let names = added.expect("the event").get(&text("names")).items();
        let line = names
            .iter_mut()
            .find_map(|name| (*name.get(&text("name")) == text("line")).then_some(name));
        renamed(line.expect("the name"));
        let dir = scratch_dir();
        forge::write(dir.path(), &frames);
        let mut store = Store::<shop::Model>::open(dir.path()).expect("the store opens");
        let meta = Meta::new().with_idempotency_key("lines-1");
        let mut t = store.begin_with(meta)?;
        let added = t.apply(shop::LineAdded {
            order: Key::new((2026, 1)),
            sku: "screw".into(),
            amount: 10,
        });
        added.map(|receipt| receipt.created.line)
    };
    again(&|_| ()).expect("the same names");
    for renamed in [
        &(|name: &mut Item| *name.get(&text("name")) = text("row")) as &dyn Fn(&mut Item),
        &|name| *name.get(&text("count")) = text("Option"),
    ] {
        let e = again(renamed).expect_err("the name is another one");
        assert!(matches!(e, StepError::ReceiptLost { .. }), "{e}");
        assert!(e.to_string().contains("line"), "{e}");
    }
}
