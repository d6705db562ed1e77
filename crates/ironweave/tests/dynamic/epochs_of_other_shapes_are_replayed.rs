use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{Model, ReadError, Record};

use crate::epochs::{TwoEpochs, v1};
use crate::forge;
use crate::harness::assert_consistent;
use crate::harness::named::contents;

fn opened(log: &TwoEpochs) -> Store<Dynamic> {
    Store::open_read_only(log.dir.path()).expect("any log can be opened")
}

/// The events and facts of a record, with their values.
fn text<M: Model>(record: &Record<M>) -> Vec<String> {
    record.firings().map(|firing| firing.to_string()).collect()
}

fn texts<M: Model>(store: &Store<M>, range: std::ops::RangeFrom<u64>) -> Vec<Vec<String>> {
    let records = store.tx_range(range).expect("there is a log");
    records
        .map(|record| text(&record.expect("the log can be read")))
        .collect()
}

#[test]
fn the_graph_is_carried_over_by_name() {
    let log = TwoEpochs::new();
    let store = opened(&log);
    assert_consistent(&store);
    assert_consistent(&store.snapshot());
    assert_eq!(store.fingerprint(), log.second.fingerprint());
    assert_eq!(store.schema(), log.second.schema());
    let expected = contents(log.second.by_name());
    assert_eq!(contents(store.by_name()), expected);
    assert_eq!(contents(store.snapshot().by_name()), expected);
    let transactions = log.frames.len() as u64 - 2;
    assert_eq!(store.verify().expect("the log can be read"), transactions);
}

#[test]
fn the_past_has_the_schema_of_then() {
    let log = TwoEpochs::new();
    let store = opened(&log);
    for seq in (0..log.frames.len() as u64).rev() {
        let then = store.as_of(seq).expect("it is in the log");
        let (schema, fingerprint, expected) = if seq < log.schema {
            let typed = log.first.as_of(seq).expect("it is in the log");
            let expected = contents(typed.by_name());
            (log.first.schema(), typed.fingerprint(), expected)
        } else {
            let typed = log.second.as_of(seq - log.schema + log.made);
            let typed = typed.expect("it is in the log");
            let expected = contents(typed.by_name());
            (log.second.schema(), typed.fingerprint(), expected)
        };
        assert_eq!(then.schema(), schema, "{seq}");
        assert_eq!(then.fingerprint(), fingerprint, "{seq}");
        assert_eq!(contents(then.by_name()), expected, "{seq}");
        assert_consistent(&then);
    }
    // Without a graph of that moment in memory.
    let store = opened(&log);
    let then = store.as_of(log.schema - 1).expect("it is in the log");
    assert_eq!(
        then.by_name()
            .find("Bed", "4")
            .expect("a key")
            .expect("it exists")
            .state(),
        "Cleaning"
    );
    let now = store.as_of(log.schema).expect("it is in the log");
    assert_eq!(
        now.by_name()
            .find("Bed", "4")
            .expect("a key")
            .expect("it exists")
            .state(),
        "Free"
    );
    assert!(matches!(then.diff(&now), Err(ReadError::OtherSchema)));
    let later = store.snapshot();
    assert!(!now.diff(&later).expect("of one epoch").is_empty());
}

#[test]
fn records_and_histories_have_the_schema_of_then() {
    let log = TwoEpochs::new();
    let store = opened(&log);
    let expected = [texts(&log.first, 0..), texts(&log.second, log.made + 1..)].concat();
    assert_eq!(texts(&store, 0..), expected);
    assert!(
        expected
            .concat()
            .iter()
            .any(|text| text.contains("Nurse/0.1"))
    );
    let followed = store.subscribe(0).expect("there is a log");
    let (mut followed, mut seen) = (followed, Vec::new());
    while let Some(record) = followed.try_next().expect("the log can be read") {
        seen.push(text(&record));
    }
    assert_eq!(seen, expected);

    // Bed 4 is created in the first epoch, and chosen in the second.
    let bed = store
        .by_name()
        .find("Bed", "4")
        .expect("a key")
        .expect("it exists");
    let past = store
        .history_by_name(&bed.entity_ref())
        .expect("there is a log");
    let facts: Vec<String> = past.iter().map(|entry| entry.fact().to_string()).collect();
    let of = |events: &str| past.iter().filter(|entry| entry.event() == events).count();
    assert_eq!(
        (of("Placed"), of("Dirtied"), of("Chosen")),
        (4, 1, 1),
        "{facts:?}"
    );
    assert_eq!(facts[4], "move Bed/3.1 Free -> Cleaning");
    assert_eq!(facts[5], "link Ward/0.1.first += Bed/3.1");
    let of_key = store
        .history_of_key_by_name("Bed", "3")
        .expect("there is a log");
    let [(of_3, past)] = &of_key[..] else {
        panic!("{of_key:?}");
    };
    assert_eq!(of_3.to_string(), "Bed 3");
    assert_eq!(past.last().expect("an entry").event(), "Removed");
}

#[test]
fn graphs_around_transactions_are_of_one_schema() {
    let log = TwoEpochs::new();
    let store = opened(&log);
    let start = store.as_of(0).expect("the beginning");
    let mut all = store.subscribe_after(start).expect("it is of the log");
    let mut transactions = 0;
    while let Some(record) = all.try_next().expect("the log can be read") {
        let (before, after) = (record.before(), record.after());
        let (before, after) = (before.expect("a graph"), after.expect("a graph"));
        assert_eq!(before.schema(), after.schema());
        assert_eq!(after.fingerprint(), record.fingerprint());
        let changes = before.diff(&after).expect("of one schema");
        assert!(!changes.is_empty());
        transactions += 1;
    }
    assert_eq!(transactions, log.frames.len() - 2);
}

#[test]
fn a_store_that_is_open_follows_into_the_next_epoch() {
    let log = TwoEpochs::new();
    log.write(log.schema as usize);
    let mut store = opened(&log);
    let reader = store.reader();
    let mut all = store.subscribe(0).expect("there is a log");
    let kept = store.snapshot();
    let expected = contents(log.first.by_name());
    for graph in [store.by_name(), reader.snapshot().by_name(), kept.by_name()] {
        assert_eq!(contents(graph), expected);
    }
    let nurse = store
        .by_name()
        .find("Nurse", "eve")
        .expect("a key")
        .expect("it exists");
    assert_eq!(
        store
            .history_by_name(&nurse.entity_ref())
            .expect("there is a log")
            .len(),
        3
    );
    for (seq, frame) in log.frames.iter().enumerate().skip(log.schema as usize) {
        forge::append(log.dir.path(), seq as u64, frame);
        store.refresh().expect("the log can be read");
    }
    let now = contents(log.second.by_name());
    for graph in [
        store.by_name(),
        store.snapshot().by_name(),
        reader.snapshot().by_name(),
    ] {
        assert_eq!(contents(graph), now);
    }
    assert_eq!(contents(kept.by_name()), expected);
    let seen = std::iter::from_fn(|| all.try_next().expect("the log can be read"));
    assert_eq!(seen.count(), log.frames.len() - 2);
    let bed = store
        .by_name()
        .find("Bed", "4")
        .expect("a key")
        .expect("it exists");
    assert_eq!(
        store
            .history_by_name(&bed.entity_ref())
            .expect("there is a log")
            .len(),
        6
    );
    let past = reader.history_by_name(&bed.entity_ref());
    assert_eq!(past.expect("there is a log").len(), 6);
    let then = reader.as_of(log.schema - 1).expect("it is in the log");
    assert_eq!(contents(then.by_name()), expected);
    let gone = store
        .history_of_key_by_name("Nurse", "eve")
        .expect_err("the type is gone");
    assert!(
        gone.to_string()
            .starts_with("the model has no entity type `Nurse`"),
        "{gone}"
    );
}

#[test]
fn a_schema_whose_fingerprint_is_not_that_of_what_is_left_is_damage() {
    let mut log = TwoEpochs::new();
    log.frames[log.schema as usize].fingerprint ^= 1;
    log.write(log.frames.len());
    let error = Store::<Dynamic>::open_read_only(log.dir.path()).expect_err("it is damaged");
    assert!(error.is_damage());
    assert_eq!(error.seq().map(|seq| seq.get()), Some(log.schema));
    let text = error.to_string();
    assert!(
        text.contains("with its schema, the graph has the fingerprint"),
        "{text}"
    );
    // The programs of both epochs still refuse it.
    let error = Store::<v1::hospital::Model>::open_read_only(log.dir.path()).expect_err("refused");
    assert!(error.is_damage() || error.is_schema(), "{error}");
}
