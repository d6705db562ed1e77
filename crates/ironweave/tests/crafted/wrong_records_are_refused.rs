//! A reader refuses wrong headers and facts: one case for each rule of `docs/log-format.md`, *What is refused*, that is about
//! format version 3. `wrong_firings_are_refused` has those of firings and metadata.

use ironweave::Seq;
use ironweave::prelude::*;

use crate::cbor::{Raw, text};
use crate::forge::{self, Forged, FrameKind};
use crate::models::{first, shop};
use crate::records::{FactRecord, Records, change, id};
use crate::wrong_frames_are_refused::refused;
use crate::{committed, scratch_dir};

type Bank = first::bank::Model;

const CREATE: u8 = 0;
const DELETE: u8 = 1;
const MOVE: u8 = 2;
const SET: u8 = 3;
const LINK: u8 = 4;
const UNLINK: u8 = 5;
const SET_LINK: u8 = 6;
/// The forms of values.
const WORD: u8 = 1;
const CBOR: u8 = 2;

/// The index of the entity type of lines in the schema of the shop.
const LINE: u16 = 2;

/// Frames of the bank: the schema, two accounts, the end of the second.
pub fn bank() -> Vec<Forged> {
    let mut frames = forge::frames(&committed("version3/epochs"));
    frames.truncate(4);
    frames
}

/// Frames of the shop.
pub fn shop() -> Vec<Forged> {
    forge::frames(&committed("version3/constructs"))
}

/// A change of the records of the bank's log in one frame.
#[track_caller]
pub fn bank_refused(seq: usize, words: &str, wrong: impl FnOnce(&mut Records)) {
    let mut frames = bank();
    change(&mut frames[seq], wrong);
    refused::<Bank>(frames, seq, words);
}

/// A change of the records of the shop's log in one frame.
#[track_caller]
pub fn shop_refused(seq: usize, words: &str, wrong: impl FnOnce(&mut Records)) {
    let mut frames = shop();
    change(&mut frames[seq], wrong);
    refused::<shop::Model>(frames, seq, words);
}

/// A change of the bytes of a frame of the bank's log.
#[track_caller]
fn bytes_refused(words: &str, wrong: impl FnOnce(&mut Vec<u8>)) {
    let mut frames = bank();
    let Raw(bytes) = &mut frames[2].payload else {
        panic!("it has records");
    };
    wrong(bytes);
    refused::<Bank>(frames, 2, words);
}

#[test]
fn the_unchanged_logs_are_accepted() {
    let dir = scratch_dir();
    forge::write(&dir.path().join("bank"), &bank());
    let mut frames = shop();
    for frame in &mut frames {
        if frame.kind == FrameKind::Transaction {
            change(frame, |_| ());
        }
    }
    forge::write(&dir.path().join("shop"), &frames);
    let store = Store::<Bank>::open(dir.path().join("bank")).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
    let store = Store::<shop::Model>::open(dir.path().join("shop")).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 37);
}

#[test]
fn a_payload_whose_lengths_are_not_its_own_is_refused() {
    // Firings, facts, bytes of bindings, of metadata and of values.
    for at in [12, 16, 20, 24, 28] {
        for number in [0x7fff_ffff, u32::MAX, 1 << 20, 100] {
            bytes_refused("is not the sum of the lengths in it", |bytes| {
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            });
        }
    }
    for len in [0, 1, 31] {
        bytes_refused(&format!("it has {len} bytes"), |bytes| bytes.truncate(len));
    }
    bytes_refused("is not the sum", |bytes| bytes.truncate(32));
    bytes_refused("is not the sum", |bytes| bytes.push(0));
    bytes_refused("is not the sum", |bytes| {
        bytes.pop();
    });
}

#[test]
fn a_fact_has_the_form_and_the_operand_of_its_kind() {
    let fact = |kind, form, value_bytes, operand| FactRecord {
        kind,
        form,
        index: 0,
        value_bytes,
        entity: id(0, 1),
        operand,
    };
    for record in [
        fact(7, 0, 0, 0),
        fact(u8::MAX, 0, 0, 0),
        fact(CREATE, WORD, 0, 0),
        fact(CREATE, CBOR, 0, 0),
        fact(CREATE, 3, 0, 0),
        fact(CREATE, 0, 1, 0),
        fact(CREATE, 0, 0, 256),
        fact(DELETE, 0, 0, 256),
        fact(DELETE, 0, 0, u64::MAX),
        fact(MOVE, 0, 0, 65_536),
        fact(MOVE, WORD, 0, 0),
        fact(SET, 0, 0, 0),
        fact(SET, 3, 0, 0),
        fact(SET, WORD, 1, 0),
        fact(SET, CBOR, 0, 1),
        fact(LINK, WORD, 0, 0),
        fact(UNLINK, CBOR, 0, 0),
        fact(LINK, 0, 1, 0),
        fact(SET_LINK, 0, 0, 0),
        fact(SET_LINK, WORD, 0, 0),
    ] {
        bank_refused(2, "which do not fit", |records| records.push(record));
    }
}

#[test]
fn a_fact_names_what_is_in_the_schema() {
    for kind in [CREATE, DELETE, MOVE, LINK, UNLINK] {
        for index in [9, u16::MAX] {
            bank_refused(2, "is not in the schema", |records| {
                records.push(FactRecord {
                    kind,
                    index,
                    entity: id(0, 1),
                    ..FactRecord::default()
                });
            });
        }
    }
    for kind in [SET, SET_LINK] {
        bank_refused(2, "is not in the schema", |records| {
            records.values.push(0);
            records.push(FactRecord {
                kind,
                form: CBOR,
                index: 9,
                value_bytes: 1,
                entity: id(0, 1),
                operand: 0,
            });
        });
    }
    bank_refused(
        2,
        "column 9 of the schema has no value with the word",
        |records| {
            records.push(FactRecord {
                kind: SET,
                form: WORD,
                index: 9,
                entity: id(0, 1),
                ..FactRecord::default()
            });
        },
    );
    for state in [3, 255] {
        bank_refused(2, "is not in the schema", |records| {
            records.facts[0].operand = state
        });
        bank_refused(3, "is not in the schema", |records| {
            records.facts[0].operand = state << 8;
        });
    }
}

#[test]
fn a_fact_names_an_entity_by_its_generation() {
    for wrong in [1 << 56, u64::MAX] {
        bank_refused(3, "is not an id", |records| records.facts[0].entity = wrong);
        shop_refused(13, "is not an id", |records| {
            records.facts[0].operand = wrong
        });
    }
    // Of a move, of a value, at either end of a link.
    let words = "and the slot has Account/1.1";
    for generation in [0, 2, 0x00ff_ffff] {
        bank_refused(3, words, |records| {
            records.facts[0].entity = id(1, generation)
        });
        bank_refused(2, words, |records| {
            records.facts[3].entity = id(1, generation)
        });
    }
    let words = "and the slot has Order/";
    shop_refused(13, words, |records| records.facts[0].entity += 1);
    shop_refused(13, words, |records| records.facts[0].operand += 1);
    bank_refused(2, "the next id is", |records| {
        records.facts[0].entity = id(1, 2)
    });
    bank_refused(3, "there is no Account/9", |records| {
        records.facts[0].entity = id(9, 1)
    });
}

#[test]
fn a_word_is_one_of_the_encoding_of_its_column() {
    // Order.year is a `u32`, of which no value has more bits. It is the first field of the order of that year.
    for word in [1 << 32, u64::MAX] {
        shop_refused(1, "has no value with the word", |records| {
            let year = (records.facts.iter_mut())
                .find(|fact| fact.kind == SET && fact.form == WORD && fact.operand == 2026);
            year.expect("the year").operand = word;
        });
    }
    // The name is a text, which no word has.
    bank_refused(
        2,
        "column 0 of the schema has no value with the word",
        |records| {
            records.facts[1].form = WORD;
            records.facts[1].value_bytes = 0;
            records.values.clear();
        },
    );
}

#[test]
fn a_value_is_one_item_of_its_length() {
    // The name of the second account: a text of three bytes.
    for (len, words) in [
        (0, "ends within an item"),
        (3, "ends within an item"),
        (5, "a value has 5 bytes, and 4 are left"),
        (u32::MAX, "are left"),
    ] {
        bank_refused(2, words, |records| records.facts[1].value_bytes = len);
    }
    bank_refused(2, "1 bytes of values that are of no fact", |records| {
        records.values.push(0)
    });
    bank_refused(2, "1 bytes follow it", |records| {
        records.values.push(0);
        records.facts[1].value_bytes += 1;
    });
    bank_refused(2, "begins no item", |records| records.values[0] = 0xff);
    for depth in [300, 300_000] {
        bank_refused(2, "nested deeper than 256 levels", |records| {
            records.values = [0x81].repeat(depth).into_iter().chain([0]).collect();
            records.facts[1].value_bytes = depth as u32 + 1;
        });
        bank_refused(2, "nested deeper than 256 levels", |records| {
            let item: Vec<u8> = [0x81].repeat(depth).into_iter().chain([0]).collect();
            let mut bindings = (item.len() as u64).to_le_bytes().to_vec();
            bindings.extend(item);
            bindings.resize(bindings.len().next_multiple_of(8), 0);
            bindings.extend([0; 8]);
            records.firings[0].binding_end = bindings.len() as u32;
            records.bindings = bindings;
        });
    }
    // A number beside the records is read as well, since a writer may not know the encoding.
    let mut frames = bank();
    change(&mut frames[2], |records| {
        records.values.push(7);
        let balance = &mut records.facts[3];
        (balance.form, balance.value_bytes, balance.operand) = (CBOR, 1, 0);
    });
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<Bank>::open(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
}

#[test]
fn facts_that_do_not_fit_the_graph_are_refused() {
    bank_refused(2, "Account/1.1 has no Account.balance", |records| {
        records.remove(3);
        records.remove(2);
    });
    bank_refused(2, "only a migration changes a key", |records| {
        records.values.extend(*b"\x63eve");
        records.push(FactRecord {
            kind: SET,
            form: CBOR,
            index: 0,
            value_bytes: 4,
            entity: id(0, 1),
            operand: 0,
        });
    });
    bank_refused(3, "is in another state", |records| {
        records.facts[0].operand = 0x0201
    });
}

/// Many accounts, whose balances are set after the creation of all of them, the last one first. What is quadratic in them would
/// take minutes.
#[test]
fn the_values_of_a_new_entity_may_be_set_anywhere_after_its_creation() {
    const ACCOUNTS: u64 = 30_000;
    let fact = |kind, form, index, entity| FactRecord {
        kind,
        form,
        index,
        entity,
        ..FactRecord::default()
    };
    let many = |unset: Option<u64>| {
        let mut frames = bank();
        frames.truncate(2);
        change(&mut frames[1], |records| {
            records.facts.clear();
            records.values.clear();
            for slot in 0..ACCOUNTS {
                records.facts.push(fact(CREATE, 0, 0, id(slot, 1)));
                let name = text(&slot.to_string()).bytes();
                records.facts.push(FactRecord {
                    value_bytes: name.len() as u32,
                    ..fact(SET, CBOR, 0, id(slot, 1))
                });
                records.values.extend(name);
            }
            let slots = (0..ACCOUNTS).rev().filter(|slot| Some(*slot) != unset);
            let balances = slots.map(|slot| fact(SET, WORD, 1, id(slot, 1)));
            records.facts.extend(balances);
            records.firings[0].facts_end = records.facts.len() as u32;
        });
        frames
    };
    let dir = scratch_dir();
    let dir = dir.path().join("log");
    forge::write_consistent::<Bank>(&dir, &mut many(None));
    let store = Store::<Bank>::open(&dir).expect("the store opens");
    assert_eq!(store.count::<first::bank::Account, Any>() as u64, ACCOUNTS);
    refused::<Bank>(many(Some(7)), 1, "Account/7.1 has no Account.balance");
}

/// A slot is used again in one transaction: values of the first entity are not those of the second.
#[test]
fn the_values_of_an_entity_that_is_deleted_are_not_those_of_the_next_one() {
    let again = |generation, value_bytes| {
        move |records: &mut Records| {
            let id = id(1, generation);
            let fact = |kind, form, value_bytes| FactRecord {
                kind,
                form,
                value_bytes,
                entity: id,
                ..FactRecord::default()
            };
            let before = records.facts[0].entity;
            records.push(FactRecord {
                entity: before,
                ..fact(DELETE, 0, 0)
            });
            records.push(fact(CREATE, 0, 0));
            records.push(fact(SET, CBOR, value_bytes));
            records.values.extend(*b"\x63eve");
        }
    };
    bank_refused(2, "Account/1.2 has no Account.balance", again(2, 4));
    bank_refused(2, "the next id is 1.2", again(3, 4));
}

#[test]
fn an_entity_that_is_deleted_has_no_values() {
    bank_refused(2, "there is no Account/1", |records| {
        let (entity, balance) = (records.facts[0].entity, records.facts[3]);
        records.push(FactRecord {
            kind: DELETE,
            entity,
            ..FactRecord::default()
        });
        records.push(balance);
    });
}

#[test]
fn an_entity_that_is_created_in_a_state_has_the_data_of_that_state() {
    let mut frames = shop();
    // A line that is packed when it is created.
    let seq = (0..frames.len()).find(|seq| {
        let Raw(bytes) = &frames[*seq].payload else {
            return false;
        };
        let mut facts = Records::parse(bytes).facts.into_iter();
        facts.any(|fact| (fact.kind, fact.index, fact.operand) == (CREATE, LINE, 1))
    });
    let seq = seq.expect("the line");
    change(&mut frames[seq], |records| {
        let created =
            (records.facts.iter()).position(|fact| (fact.kind, fact.index) == (CREATE, LINE));
        let created = created.expect("the line");
        let line = records.facts[created].entity;
        let sets: Vec<usize> = (created..records.facts.len())
            .filter(|i| records.facts[*i].kind == SET && records.facts[*i].entity == line)
            .collect();
        let [_, by] = sets[..] else {
            panic!("a line has two values");
        };
        let len = records.facts[by].value_bytes as usize;
        let at: usize = (records.facts[..by].iter())
            .map(|fact| fact.value_bytes as usize)
            .sum();
        records.values.drain(at..at + len);
        records.facts.remove(by);
        for firing in &mut records.firings {
            if firing.facts_end as usize > by {
                firing.facts_end -= 1;
            }
        }
    });
    refused::<shop::Model>(frames, seq, "has no Line.Packed.by");
}

#[test]
fn the_fingerprint_of_a_schema_is_that_of_the_graph() {
    let mut frames = forge::frames(&committed("version3/epochs"));
    frames[4].fingerprint ^= 1;
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let e = Store::<Bank>::open(dir.path()).expect_err("refused");
    assert!(e.is_damage() && e.seq() == Some(Seq::new(4)), "{e}");
    assert!(
        e.to_string().contains("the graph has the fingerprint"),
        "{e}"
    );
}

#[test]
fn the_version_of_a_frame_is_that_of_its_epoch() {
    let mut frames = bank();
    frames[2].version = 2;
    let words =
        "it is of format version 2, and the schema in frame 0, which it follows, of version 3";
    refused::<Bank>(frames, 2, words);
    let mut frames = bank();
    frames[0].version = 2;
    let words =
        "it is of format version 3, and the schema in frame 0, which it follows, of version 2";
    refused::<Bank>(frames, 1, words);
    // A schema of an earlier version.
    let mut frames = forge::frames(&committed("version3/epochs"));
    frames[4].version = 2;
    refused::<Bank>(frames, 4, "it is of format version 2");
}

#[test]
fn a_part_of_a_migration_follows_a_schema_or_another_part_and_has_no_events() {
    for (seq, words) in [
        (1, "a migration has events or metadata"),
        (2, "does not follow a schema or another part"),
    ] {
        let mut frames = bank();
        frames[seq].kind = FrameKind::Migration;
        refused::<Bank>(frames, seq, words);
    }
}
