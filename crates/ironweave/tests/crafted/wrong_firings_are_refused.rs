//! A reader refuses wrong firings and metadata: one case for each rule of `docs/log-format.md`, *What is refused*, that is
//! about format version 3.

use ironweave::Store;

use crate::cbor::{Array, Item, Map, Raw, Uint, parse, text};
use crate::forge;
use crate::models::shop;
use crate::records::{Records, change, id};
use crate::scratch_dir;
use crate::wrong_frames_are_refused::refused;
use crate::wrong_records_are_refused::{bank_refused, shop, shop_refused};

#[test]
fn the_ends_of_firings_are_in_order_and_those_of_their_parts() {
    let words = "the ends of its firings are not in order";
    for end in [0, 3, 5, u32::MAX] {
        bank_refused(2, words, |records| records.firings[0].facts_end = end);
    }
    for end in [32, u32::MAX] {
        bank_refused(2, words, |records| records.firings[0].binding_end = end);
    }
    for (end, words) in [
        (0, "an event ends before its last field"),
        (8, "a value has 4 bytes, and 0 are left"),
        (16, "an event ends before its last field"),
    ] {
        bank_refused(2, words, |records| records.firings[0].binding_end = end);
    }
    // Of two firings.
    shop_refused(6, words, |records| {
        records.firings[0].facts_end = records.firings[1].facts_end + 1;
    });
    shop_refused(6, words, |records| {
        records.firings[0].binding_end = records.firings[1].binding_end + 8;
    });
    bank_refused(2, words, |records| records.firings.clear());
    bank_refused(2, "event 9 is not in the schema", |records| {
        records.firings[0].event = 9;
    });
}

#[test]
fn an_event_has_a_word_for_each_field() {
    // The length of the name, the name with padding, the balance.
    let set_binding = |records: &mut Records, bindings: Vec<u8>| {
        records.firings[0].binding_end = bindings.len() as u32;
        records.bindings = bindings;
    };
    bank_refused(2, "an event ends before its last field", |records| {
        let binding = records.bindings[..16].to_vec();
        set_binding(records, binding);
    });
    bank_refused(2, "an event has 8 bytes behind its fields", |records| {
        let binding = [&*records.bindings, &[0; 8]].concat();
        set_binding(records, binding);
    });
    bank_refused(2, "an event has 1 bytes behind its fields", |records| {
        let binding = [&*records.bindings, &[0; 1]].concat();
        set_binding(records, binding);
    });
    bank_refused(2, "is not followed by zeros", |records| {
        records.bindings[15] = 1
    });
    bank_refused(2, "are left", |records| records.bindings[0] = 200);
    bank_refused(2, "are left", |records| records.bindings[7] = 200);
    bank_refused(2, "ends within an item", |records| records.bindings[0] = 3);
    bank_refused(2, "ends within an item", |records| records.bindings[0] = 0);
    bank_refused(2, "begins no item", |records| records.bindings[8] = 0xff);
    // A field that names an entity by its id, and an immediate event, which does so.
    bank_refused(3, "no value of the form Id has the word", |records| {
        records.bindings[7] = 1
    });
    shop_refused(6, "is not an id", |records| {
        let end = records.firings[1].binding_end as usize;
        records.bindings[end - 1] = 1;
    });
    shop_refused(6, "an event has 8 bytes behind its fields", |records| {
        let end = records.firings[1].binding_end as usize;
        records.bindings.splice(end..end, [0; 8]);
        for firing in &mut records.firings[1..] {
            firing.binding_end += 8;
        }
    });
}

#[test]
fn the_metadata_is_a_map_without_a_time() {
    let key = |code, value| (Uint(code), value);
    bank_refused(2, "the metadata has a second time", |records| {
        records.metadata = Map(vec![key(0, Uint(1))]).bytes();
    });
    bank_refused(2, "1 bytes follow it", |records| {
        records.metadata = Map(vec![key(1, text("ann"))]).bytes();
        records.metadata.push(0);
    });
    bank_refused(2, "unexpected type", |records| records.metadata = vec![0]);
    bank_refused(2, "without the names of its events", |records| {
        records.metadata = Map(vec![key(4, text("once"))]).bytes();
    });
    bank_refused(2, "is before that of the previous transaction", |records| {
        records.time = 0
    });
    bank_refused(1, "is before that of the previous transaction", |records| {
        records.time = i64::MIN;
    });
}

#[test]
fn bindings_and_facts_that_no_firing_has_are_refused() {
    let words = "the ends of its firings are not in order, or not those of its facts and bindings";
    bank_refused(2, words, |records| records.bindings.extend([0; 8]));
    bank_refused(2, words, |records| {
        let last = records.facts[3];
        records.facts.push(last);
    });
}

#[test]
fn a_value_of_an_event_is_one_item_of_its_length() {
    // The name is a text of 4 bytes, and 4 zeros follow.
    for len in 5..=8 {
        let words = format!("{} bytes follow it", len - 4);
        bank_refused(2, &words, |records| records.bindings[0] = len);
    }
}

/// The transaction of frame 4 has an idempotency key.
#[test]
fn the_names_beside_an_idempotency_key_are_those_of_the_firings() {
    let metadata = |records: &mut Records, change: &dyn Fn(&mut Item)| {
        let mut map = parse(&mut &*records.metadata);
        change(&mut map);
        records.metadata = map.bytes();
    };
    let names_refused = |words: &str, change: &dyn Fn(&mut Vec<Item>)| {
        shop_refused(4, words, |records| {
            metadata(records, &|map| change(map.get(&Uint(5)).items()));
        });
    };
    let words = "the names beside an idempotency key are not those of its events";
    names_refused(words, &|events| events.clear());
    names_refused(words, &|events| {
        let first = events[0].clone();
        events.push(first);
    });
    names_refused(words, &|events| {
        events[0].items().pop();
    });
    names_refused(words, &|events| {
        events[0].items().push(Array(vec![Uint(1)]));
    });
    names_refused(words, &|events| events[0].items()[0].items().clear());
    names_refused(words, &|events| {
        events[0].items()[0].items().push(Uint(1));
    });
    names_refused("is not an id", &|events| {
        events[0].items()[0].items()[0] = Uint(1 << 56);
    });
    // One event fired, and the attempts have none or two.
    for fired in [0, 2] {
        let attempt = Array(vec![Uint(1), Uint(2), Raw(vec![0xf6])]);
        let words = "the attempts of a transaction do not match its firings";
        shop_refused(4, words, |records| {
            metadata(records, &|map| {
                let Map(entries) = map else {
                    panic!("it is a map");
                };
                entries.retain(|(code, _)| *code != Uint(6));
                let attempts = vec![attempt.clone(); fired];
                entries.push((Uint(6), Array(attempts)));
            });
        });
    }
    let words = "without the names of its events, or names without a key";
    for code in [4, 5] {
        shop_refused(4, words, |records| {
            metadata(records, &|map| {
                let Map(entries) = map else {
                    panic!("it is a map");
                };
                entries.retain(|(key, _)| *key != Uint(code));
            });
        });
    }
    bank_refused(2, words, |records| {
        records.metadata = Map(vec![(Uint(6), Array(Vec::new()))]).bytes();
    });
    bank_refused(2, "the metadata has the key 1 twice", |records| {
        records.metadata = Map(vec![(Uint(1), text("ann")), (Uint(1), text("bob"))]).bytes();
    });
}

/// A badge may be created beside another one.
#[test]
fn a_name_that_holds_at_most_one_entity_has_no_two() {
    let with_names = |beside: Vec<Item>| {
        let mut frames = shop();
        change(&mut frames[19], |records| {
            let ids = |ids: Vec<Item>| Array(ids);
            let names = vec![
                ids(vec![Uint(id(0, 1))]),
                ids(beside),
                ids(vec![Uint(id(1, 1))]),
            ];
            let names = Array(vec![Array(names)]);
            records.metadata = Map(vec![(Uint(4), text("badge")), (Uint(5), names)]).bytes();
        });
        frames
    };
    for beside in [vec![], vec![Uint(id(0, 1))]] {
        let dir = scratch_dir();
        forge::write(dir.path(), &with_names(beside));
        Store::<shop::Model>::open(dir.path()).expect("the store opens");
    }
    let words = "the names beside an idempotency key are not those of its events";
    let frames = with_names(vec![Uint(id(0, 1)), Uint(id(1, 1))]);
    refused::<shop::Model>(frames, 19, words);
}
