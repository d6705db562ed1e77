//! A reader refuses wrong frames: one case for each rule of `docs/log-format.md`, *What is refused*. These are of format
//! version 2; `wrong_records_are_refused` has what is different in version 3.

use ironweave::{Model, Options, Seq, Store};

use crate::cbor::{Array, Item, Map, Negative, Raw, Uint, text};
use crate::forge::{self, Forged};
use crate::models::{first, shop};
use crate::{committed, scratch_dir};

type Bank = first::bank::Model;
/// The entries of a map.
type Fields = Vec<(Item, Item)>;

/// Frames of the bank: the schema, two accounts, the end of the second.
fn bank() -> Vec<Forged> {
    let mut frames = forge::frames(&committed("epochs"));
    frames.truncate(4);
    frames
}

/// Frames of the shop.
fn shop() -> Vec<Forged> {
    forge::frames(&committed("constructs"))
}

/// The firings of a transaction.
fn firings(frame: &mut Forged) -> &mut Vec<Item> {
    frame.payload.items()[1].items()
}

/// The binding of its first firing.
fn binding(frame: &mut Forged) -> &mut Item {
    &mut firings(frame)[0].items()[1]
}

/// The facts of its last firing.
fn facts(frame: &mut Forged) -> &mut Vec<Item> {
    let last = firings(frame).last_mut().expect("something fired");
    last.items()[2].items()
}

fn fact(parts: &[u64]) -> Item {
    Array(parts.iter().map(|n| Uint(*n)).collect())
}

/// A fact that gives a value.
fn set(parts: &[u64], value: Item) -> Item {
    let mut fact = fact(parts);
    fact.items().push(value);
    fact
}

/// Asserts that a log in which one frame is changed is refused with its file, the frame, its offset and a reason, when it is
/// opened for writing and for reading, and that no file changes.
#[track_caller]
pub fn refused<M: Model>(mut frames: Vec<Forged>, seq: usize, words: &str) {
    let dir = scratch_dir();
    let dir = dir.path().join("log");
    let places = forge::write_consistent::<M>(&dir, &mut frames);
    let segment = dir.join("00000000000000000000.log");
    let before = std::fs::read(&segment).expect("the segment");
    for opened in [
        Store::<M>::open(&dir),
        Store::<M>::open_read_only(&dir),
        Options::<M>::default().open_strict(&dir),
    ] {
        let e = opened.expect_err("it is refused");
        let message = e.to_string();
        assert!(message.contains(words), "no `{words}` in: {message}");
        assert!(message.contains(&format!("frame {seq}")), "{message}");
        assert_eq!(e.seq(), Some(Seq::new(seq as u64)), "{message}");
        assert_eq!(e.segment(), Some(&*segment), "{message}");
        assert_eq!(e.offset(), Some(places[seq]), "{message}");
    }
    assert_eq!(std::fs::read(&segment).expect("the segment"), before);
}

/// A change of the bank's log in one frame.
#[track_caller]
fn bank_refused(seq: usize, words: &str, change: impl FnOnce(&mut Forged)) {
    let mut frames = bank();
    change(&mut frames[seq]);
    refused::<Bank>(frames, seq, words);
}

/// A change of the shop's log in one frame.
#[track_caller]
fn shop_refused(seq: usize, words: &str, change: impl FnOnce(&mut Forged)) {
    let mut frames = shop();
    change(&mut frames[seq]);
    refused::<shop::Model>(frames, seq, words);
}

#[test]
fn the_unchanged_logs_are_accepted() {
    let dir = scratch_dir();
    forge::write(&dir.path().join("bank"), &bank());
    forge::write(&dir.path().join("shop"), &shop());
    Store::<Bank>::open(dir.path().join("bank")).expect("the store opens");
    Store::<shop::Model>::open(dir.path().join("shop")).expect("the store opens");
}

#[test]
fn an_entity_without_its_key_or_another_field_is_refused() {
    bank_refused(1, "Account/0.1 has no Account.name", |frame| {
        facts(frame).remove(1);
    });
    bank_refused(2, "Account/1.1 has no Account.balance", |frame| {
        facts(frame).truncate(2);
    });
    // A part of a key.
    shop_refused(2, "Order/1.1 has no Order.number", |frame| {
        facts(frame).remove(2);
    });
}

#[test]
fn an_entity_without_the_link_that_it_must_have_is_refused() {
    let words = "Order/1.1 is not linked at Order.customer";
    shop_refused(2, words, |frame| {
        facts(frame).pop();
    });
    // Taken away later.
    let words = "Order/0.1 is not linked at Order.customer";
    shop_refused(5, words, |frame| facts(frame).push(fact(&[5, 0, 0, 0])));
}

#[test]
fn data_of_a_state_or_of_a_link_that_is_missing_is_refused() {
    shop_refused(9, "Order/2.1 has no Order.Paid.beats", |frame| {
        facts(frame).pop();
    });
    shop_refused(6, "Order/1.1 has no Order.Paid.at", |frame| {
        facts(frame).remove(1);
    });
    shop_refused(16, "at Order.tags has no data", |frame| {
        facts(frame).pop();
    });
}

#[test]
fn data_of_a_state_that_an_entity_is_not_in_is_refused() {
    // Of an order that is open, what one has that is paid.
    shop_refused(5, "is in another state, which has no such data", |frame| {
        facts(frame).push(set(&[3, 9, 1], text("cash")));
    });
}

#[test]
fn a_key_that_is_set_again_or_is_somebody_elses_is_refused() {
    bank_refused(1, "only a migration changes a key", |frame| {
        facts(frame).push(set(&[3, 0, 0], text("eve")));
    });
    bank_refused(3, "only a migration changes a key", |frame| {
        facts(frame).push(set(&[3, 0, 0], text("ada")));
    });
    bank_refused(2, "Account \"ada\" exists already", |frame| {
        facts(frame)[1].items()[3] = text("ada");
    });
    shop_refused(2, "exists already", |frame| {
        facts(frame)[2].items()[3] = Uint(1);
    });
}

#[test]
fn a_value_of_another_type_is_refused() {
    bank_refused(2, "set Account/1.balance = \"7\"", |frame| {
        facts(frame)[3].items()[3] = text("7");
    });
    bank_refused(2, "set Account/1.name = 7", |frame| {
        facts(frame)[1].items()[3] = Uint(7);
    });
    bank_refused(2, "set Account/1.balance = 18446744073709551615", |frame| {
        facts(frame)[3].items()[3] = Uint(u64::MAX);
    });
}

#[test]
fn an_error_about_a_long_value_is_short() {
    let mut frames = bank();
    facts(&mut frames[2])[3].items()[3] = text(&"ü".repeat(1_000_000));
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let e = Store::<Bank>::open(dir.path()).expect_err("refused");
    assert!(e.to_string().len() < 2_000);
    assert_eq!(e.seq(), Some(Seq::new(2)));
}

#[test]
fn an_item_that_is_malformed_or_not_in_its_shortest_form_is_refused() {
    for (bytes, words) in [
        (&[0x18, 0x07][..], "shortest form"),
        (&[0x1c], "begins no item"),
        (&[0xff], "begins no item"),
    ] {
        bank_refused(2, words, |frame| {
            facts(frame)[3].items()[3] = Raw(bytes.to_vec());
        });
    }
    bank_refused(2, "ends within an item", |frame| {
        facts(frame)[3].items()[3] = Raw(vec![0x7a, 0xff, 0xff, 0xff, 0xff]);
    });
    bank_refused(2, "indefinite length", |frame| {
        let firings = firings(frame).clone();
        let bytes = firings.iter().flat_map(Item::bytes);
        frame.payload.items()[1] = Raw([0x9f].into_iter().chain(bytes).chain([0xff]).collect());
    });
}

#[test]
fn nested_values_are_refused_wherever_they_stand() {
    // Deep enough to overflow the stack of a recursive function, also of one that prints it in an error.
    for depth in [300, 30_000, 300_000] {
        let nested = || Raw([0x81].repeat(depth).into_iter().chain([0]).collect());
        let words = "a value is nested deeper than 256 levels";
        bank_refused(2, words, |frame| {
            facts(frame)[3].items()[3] = nested();
        });
        bank_refused(2, words, |frame| {
            *binding(frame).get(&Uint(1)) = nested();
        });
        bank_refused(2, words, |frame| {
            let Map(meta) = &mut frame.payload.items()[0] else {
                panic!("it is a map");
            };
            meta.push((Uint(9), nested()));
        });
        bank_refused(0, words, |frame| {
            let Map(schema) = &mut frame.payload else {
                panic!("it is a map");
            };
            schema.push((text("more"), nested()));
        });
    }
}

#[test]
fn a_time_that_goes_back_or_is_missing_is_refused() {
    bank_refused(2, "is before that of the previous transaction", |frame| {
        *frame.payload.items()[0].get(&Uint(0)) = Uint(0);
    });
    bank_refused(1, "is before that of the previous transaction", |frame| {
        *frame.payload.items()[0].get(&Uint(0)) = Negative(0);
    });
    bank_refused(2, "without a time", |frame| {
        frame.payload.items()[0] = Map(Vec::new());
    });
    bank_refused(2, "the metadata has the key 0 twice", |frame| {
        let Map(meta) = &mut frame.payload.items()[0] else {
            panic!("it is a map");
        };
        let time = meta[0].clone();
        meta.push(time);
    });
}

#[test]
fn a_frame_of_another_epoch_is_refused() {
    bank_refused(2, "it records epoch 7 and is in epoch 0", |frame| {
        frame.epoch = 7;
    });
    bank_refused(0, "it records epoch 1 and is in epoch 0", |frame| {
        frame.epoch = 1;
    });
    let mut frames = bank();
    frames.remove(0);
    refused::<Bank>(frames, 0, "no schema precedes it");
    let mut frames = forge::frames(&committed("epochs"));
    frames[4].epoch = 0;
    refused::<Bank>(frames, 4, "it records epoch 0 and is in epoch 1");
}

#[test]
fn bytes_behind_a_payload_are_refused() {
    for seq in [0, 2] {
        bank_refused(seq, "1 bytes follow it", |frame| frame.behind = vec![0]);
    }
}

#[test]
fn a_fingerprint_that_is_not_that_of_the_graph_is_refused() {
    let mut frames = bank();
    frames[3].fingerprint ^= 1;
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let e = Store::<Bank>::open(dir.path()).expect_err("refused");
    assert_eq!(e.seq(), Some(Seq::new(3)));
    assert!(e.to_string().contains("the graph has the fingerprint"));
}

#[test]
fn facts_that_do_not_fit_the_graph_are_refused() {
    let cases: [(&[u64], &str); 11] = [
        (&[0, 0, 2, 1, 0], "the next id is"),
        (&[0, 0, 1, 2, 0], "the next id is"),
        (&[1, 0, 0, 1, 2], "is in another state"),
        (&[1, 0, 0, 2, 0], "is in another state"),
        (&[1, 0, 9, 1, 0], "there is no Account/9"),
        (&[2, 0, 0, 2, 0], "is in another state"),
        (&[2, 0, 9, 0, 2], "there is no Account/9"),
        (&[2, 0, 0, 0, 9], "is not in the schema"),
        (&[0, 7, 0, 1, 0], "is not in the schema"),
        (&[4, 0, 0, 0], "is not in the schema"),
        (&[7, 0, 0, 0], "unknown code 7"),
    ];
    for (parts, words) in cases {
        bank_refused(2, words, |frame| facts(frame).insert(0, fact(parts)));
    }
    bank_refused(2, "there is no Account/4000000000", |frame| {
        facts(frame).push(set(&[3, 1, 4_000_000_000], Uint(1)));
    });
    bank_refused(2, "is not in the schema", |frame| {
        facts(frame).push(set(&[3, 99, 0], Uint(1)));
    });
    bank_refused(3, "event 9 is not in the schema", |frame| {
        firings(frame)[0].items()[0] = Uint(9);
    });
}

#[test]
fn links_that_do_not_fit_the_graph_are_refused() {
    // Of Order.follows; the slots are in use or not.
    shop_refused(13, "there is no Order/9", |frame| {
        facts(frame)[0] = fact(&[4, 2, 2, 9]);
    });
    shop_refused(13, "linked", |frame| {
        let link = facts(frame)[0].clone();
        facts(frame).push(link);
    });
    shop_refused(14, "linked", |frame| {
        let unlink = facts(frame)[0].clone();
        facts(frame).push(unlink);
    });
    // A second customer of one order.
    shop_refused(5, "at most one is allowed", |frame| {
        facts(frame).push(fact(&[4, 0, 0, 1]));
    });
    // Of links that there are not, and of links that have none.
    shop_refused(5, "linked", |frame| {
        facts(frame).push(set(&[6, 1, 1, 0], Uint(1)));
    });
    shop_refused(5, "its links have no data", |frame| {
        facts(frame).push(set(&[6, 0, 0, 0], Uint(1)));
    });
    // The entity at one end does not exist.
    shop_refused(5, "is linked", |frame| {
        facts(frame).push(fact(&[1, 1, 0, 1, 0]));
    });
}

#[test]
fn an_event_is_given_each_of_its_fields_once() {
    let fields = |frame: &mut Forged, change: fn(&mut Fields)| match binding(frame) {
        Map(fields) => change(fields),
        _ => panic!("it is a map"),
    };
    bank_refused(2, "an event has 1 fields, and its schema has 2", |frame| {
        fields(frame, |fields| {
            fields.pop();
        });
    });
    bank_refused(2, "an event has its field 0 twice", |frame| {
        fields(frame, |fields| fields[1].0 = Uint(0));
    });
    bank_refused(2, "field 2 of an event that has 2", |frame| {
        fields(frame, |fields| fields[1].0 = Uint(2));
    });
    bank_refused(2, "an event has 3 fields, and its schema has 2", |frame| {
        fields(frame, |fields| fields.push((Uint(2), Uint(0))));
    });
    // Of an immediate event, an id.
    shop_refused(6, "is not an id", |frame| {
        let immediate = firings(frame)[1].items();
        immediate[1] = Uint(u64::MAX);
    });
    // In another order they are the same.
    let mut frames = bank();
    fields(&mut frames[2], |fields| fields.reverse());
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<Bank>::open(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
}

#[test]
fn idempotency_keys_and_their_names_are_whole_and_unique() {
    let meta =
        |frame: &mut Forged, change: &dyn Fn(&mut Fields)| match &mut frame.payload.items()[0] {
            Map(meta) => change(meta),
            _ => panic!("it is a map"),
        };
    let names = |frame: &mut Forged, change: &dyn Fn(&mut Vec<Item>)| {
        change(frame.payload.items()[0].get(&Uint(5)).items());
    };
    let words = "without the names of its events, or names without a key";
    shop_refused(4, words, |frame| {
        meta(frame, &|meta| meta.retain(|(code, _)| *code != Uint(4)));
    });
    shop_refused(4, words, |frame| {
        meta(frame, &|meta| meta.retain(|(code, _)| *code != Uint(5)));
    });
    let words = "are not those of its events";
    shop_refused(4, words, |frame| {
        names(frame, &|events| {
            events.pop();
        });
    });
    shop_refused(4, words, |frame| {
        names(frame, &|events| {
            events[0].items().pop();
        });
    });
    shop_refused(4, words, |frame| {
        names(frame, &|events| events[0].items()[0].items().clear());
    });
    shop_refused(4, "is not an id", |frame| {
        names(frame, &|events| {
            events[0].items()[0].items()[0] = Uint(u64::MAX)
        });
    });
    // What else it tried: all that fired is among it, once.
    let fired = || Array(vec![Uint(1), Uint(2), Raw(vec![0xf6])]);
    let words = "the attempts of a transaction do not match its firings";
    for n in [0, 2, 4] {
        shop_refused(4, words, |frame| {
            let tried = Array((0..n).map(|_| fired()).collect());
            meta(frame, &|meta| meta.push((Uint(6), tried.clone())));
        });
    }
    shop_refused(5, "names without a key", |frame| {
        meta(frame, &|meta| meta.push((Uint(6), Array(Vec::new()))));
    });
    let mut frames = shop();
    let Map(first) = frames[4].payload.items()[0].clone() else {
        panic!("it is a map");
    };
    let key = first
        .iter()
        .find(|(code, _)| *code == Uint(4))
        .expect("a key");
    *frames[37].payload.items()[0].get(&Uint(4)) = key.1.clone();
    refused::<shop::Model>(frames, 37, "its idempotency key is that of frame 4");
}

#[test]
fn a_frame_beyond_the_limits_is_refused_and_none_is_written() {
    let dir = scratch_dir();
    // A schema is appended to a log of an earlier format version.
    let mut frames = forge::frames(&committed("version3/epochs"));
    frames.truncate(4);
    forge::write(dir.path(), &frames);
    let schema = frames[0].payload.bytes().len();
    let open = |schema, transaction| {
        Options::<Bank>::default()
            .schema_bytes_max(schema)
            .transaction_bytes_max(transaction)
            .open(dir.path())
    };
    let e = open(schema - 1, 1000).expect_err("refused");
    assert!(
        e.storage().is_some_and(|e| e.is_too_large()) && e.seq() == Some(Seq::ZERO),
        "{e}"
    );
    assert!(e.to_string().contains("schema_bytes_max"), "{e}");
    let e = open(schema, 40).expect_err("refused");
    assert!(
        e.storage().is_some_and(|e| e.is_too_large()) && e.seq() == Some(Seq::new(1)),
        "{e}"
    );
    let mut store = open(schema, 200).expect("the store opens");
    let long = || first::bank::Counted {
        account: "x".repeat(200).as_str().into(),
        balance: 1,
    };
    let e = store.try_step(long()).expect_err("it would not be read");
    assert!(e.to_string().contains("transaction_bytes_max"), "{e}");
    assert_eq!(store.seq(), Some(Seq::new(3)));
    assert_eq!(store.check(), []);
}

/// A read-only store that is refreshed beside a writer keeps what it had when what comes is refused.
#[test]
fn a_refused_transaction_leaves_a_reader_as_it_was() {
    let dir = scratch_dir();
    let mut frames = bank();
    forge::write(dir.path(), &frames[..2]);
    let mut store = Store::<Bank>::open_read_only(dir.path()).expect("the store opens");
    let fingerprint = store.fingerprint();
    // The transaction is complete but for its last fact, which is refused.
    facts(&mut frames[2]).push(fact(&[2, 0, 0, 2, 0]));
    frames[2].fingerprint = 0;
    forge::append(dir.path(), 2, &frames[2]);
    for _ in 0..2 {
        let e = store.refresh().expect_err("it is refused");
        assert_eq!(
            (e.seq(), store.seq()),
            (Some(Seq::new(2)), Some(Seq::new(1))),
            "{e}"
        );
        assert_eq!(store.fingerprint(), fingerprint);
        assert_eq!(store.check(), []);
    }
}
