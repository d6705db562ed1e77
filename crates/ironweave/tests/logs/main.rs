//! A log that an earlier version wrote opens with the graph, the fingerprint, the past and the histories that it had.
//!
//! The logs are in this folder. `examples/write_logs.rs` wrote them and the texts beside them; a log is never replaced.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;
use ironweave::{Options, Seq, TornTail};

#[path = "../harness/mod.rs"]
mod harness;

mod describe;
mod graphs;
mod models;

use harness::{assert_consistent, assert_sound, copy_dir, reopened, reopened_with, temp_dir};
use models::{Kind, first, second, shop};

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}

/// A copy of a log, which may be written to.
fn copied(name: &str) -> tempfile::TempDir {
    let dir = temp_dir();
    copy_dir(&committed(name), dir.path());
    dir
}

fn sound<M: ironweave::Model>(store: &Store<M>, transactions: u64) {
    assert_eq!(assert_sound(store), transactions);
}

#[test]
fn each_log_reads_as_it_did_when_it_was_written() {
    for name in graphs::NAMES {
        let expected = fs::read_to_string(committed(&format!("{name}.txt"))).expect("its text");
        for read_only in [true, false] {
            let dir = copied(name);
            let said = graphs::log(name, dir.path(), read_only).expect("the log can be read");
            // If the format of the text changes on purpose, commit this file.
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
            fs::write(kept, &said).expect("a file");
            for (line, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
                assert_eq!(said, expected, "{name}.txt, line {}", line + 1);
            }
            assert_eq!(said.lines().count(), expected.lines().count(), "{name}.txt");
        }
    }
}

#[test]
fn a_log_with_each_construct_is_opened_checked_and_continued() {
    use shop::*;
    let dir = copied("constructs");
    let mut store = Store::<Model>::options()
        .paranoid()
        .open(dir.path())
        .expect("the store opens");
    assert!(store.recovered().is_none());
    assert_eq!(store.seq(), Some(Seq::new(37)));
    sound(&store, 37);

    let ada = store.find::<Customer>("ada").expect("the customer exists");
    assert_eq!(ada.city(&store).as_deref(), Some("London"));
    assert_eq!((ada.credit(&store), ada.note(&store)), (-5, "new"));
    assert_eq!(ada.seen_by(&store).as_deref(), Some("ann"));
    let label = ada.label(&store);
    assert_eq!((&*label.text, label.pair), ("ünïcode", (-8, 500)));
    assert_eq!(label.kind, Kind::Ranged { from: -1, to: 9 });
    assert_eq!(label.marks["a\nb"], [1, 70_000]);
    assert_eq!(label.weight, Some(0.1));
    let eve: Vec<Customer> = Customer::by_credit_range(&store, 1..).collect();
    assert_eq!(
        eve,
        [store.find::<Customer>("eve").expect("the customer exists")]
    );

    let order = store.find::<Order>(&(2026, 1)).expect("the order exists");
    let paid = order
        .in_state::<state::Paid>(&store)
        .expect("all is packed");
    assert_eq!((paid.by(&store), paid.beats(&store)), ("packed", 7));
    let lines: Vec<_> = order
        .lines(&store)
        .map(|l| (l.sku(&store).to_owned(), order.lines_data(&store, &l)))
        .collect();
    assert_eq!(
        lines,
        [
            ("screw".to_owned(), Some(12)),
            ("nail".to_owned(), Some(3)),
            ("bolt".to_owned(), Some(1_000_000))
        ]
    );
    assert_eq!(order.lines_in::<state::Packed>(&store), 3);
    let red = store.find::<Tag>("red").expect("the tag exists");
    assert_eq!(order.tags_data(&store, &red), Some("by hand"));
    let badge = red.badge(&store).expect("the badge exists");
    assert_eq!(badge.serial(&store), u64::MAX);
    assert_eq!(store.find::<Tag>("old"), None);

    // Idempotency keys are known, with the entities that their events created.
    let mut t = store
        .begin_with(Meta::new().with_idempotency_key("lines-1"))
        .expect("the log can be read");
    let added = t.apply(LineAdded {
        order: Key::new((2026, 1)),
        sku: "screw".into(),
        amount: 10,
    });
    let line = added.expect("it is the first one again").created.line;
    drop(t);
    assert_eq!(line.sku(&store), "screw");
    assert_eq!(store.seq(), Some(Seq::new(37)));

    // A logged event is read back with its values.
    let noted = store
        .tx_range(23..=23)
        .expect("the log can be read")
        .flat_map(|record| {
            let record = record.expect("the log can be read");
            record.events::<Noted>().collect::<Vec<_>>()
        })
        .next()
        .expect("one fired")
        .expect("the log can be read");
    assert_eq!((noted.letter, noted.greatest), ('ß', u64::MAX));
    assert_eq!(noted.double, f64::NEG_INFINITY);
    assert_eq!(noted.pairs, [(1, None), (2, Some("two".to_owned()))]);

    let order = store
        .try_step(Ordered {
            customer: "new".into(),
            year: 2027,
            number: 1,
        })
        .expect("the event fires")
        .created
        .order;
    sound(&store, 38);
    let store = reopened(dir.path(), store);
    assert!(order.alive(&store));
}

#[test]
fn a_log_of_several_epochs_is_opened_under_each_of_their_rules() {
    let dir = copied("epochs");
    {
        use first::bank::*;
        let store = Store::<Model>::open(dir.path()).expect("the store opens");
        // The schemas are frames 0, 4 and 9, and today's is the last of them.
        assert_eq!(store.seq(), Some(Seq::new(11)));
        let account = |name: &str| store.find::<Account>(name).expect("the account exists");
        assert!(account("ada").is::<state::Frozen>(&store));
        assert!(account("bob").is::<state::Closed>(&store));
        assert!(account("eve").is::<state::Closed>(&store));
        assert_eq!(account("ada").balance(&store), 6);
        assert_consistent(&store);
        // The present rules are not those of the middle epoch.
        let differs = store.verify().expect_err("other rules").to_string();
        assert!(differs.starts_with("frame 7 "), "{differs}");
    }
    use second::bank::*;
    let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(12)), "a schema was written");
    let ada = store.find::<Account>("ada").expect("the account exists");
    assert!(ada.is::<state::Frozen>(&store));
    let refused = store.try_step(Counted {
        account: "ada".into(),
        balance: -1,
    });
    assert!(refused.is_err(), "the guard of today");
    assert_consistent(&store);
}

#[test]
fn a_log_of_several_segments_is_opened_and_its_subscription_continues() {
    use first::bank::*;
    let dir = copied("segments");
    let options = || Options::<Model>::default().segment_bytes_max(600);
    let mut store = options().open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(15)));
    sound(&store, 15);
    let mut named = store.subscribe_as("reader-1").expect("its cursor is there");
    let next = named.next().expect("there are more").expect("a record");
    assert_eq!(next.seq(), 6);
    drop(named);
    for balance in 0..9 {
        let account = "ada".into();
        store
            .try_step(Counted { account, balance })
            .expect("the event fires");
    }
    let store = reopened_with(options(), dir.path(), store);
    assert_eq!(store.seq(), Some(Seq::new(24)));
    sound(&store, 24);
}

#[test]
fn a_log_of_a_killed_program_is_opened_up_to_its_torn_tail() {
    use first::bank::*;
    for (name, last, torn) in [("killed", 5, false), ("torn", 4, true)] {
        let dir = copied(name);
        if torn {
            let refused = Options::<Model>::default().open_strict(dir.path());
            assert!(refused.is_err(), "the tail is torn");
        }
        let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
        assert_eq!(
            store.recovered().map(|t: &TornTail| t.seq),
            torn.then_some(Seq::new(5))
        );
        assert_eq!(store.seq(), Some(Seq::new(last)));
        sound(&store, last);
        let ada = store.find::<Account>("ada").expect("the account exists");
        assert_eq!(ada.balance(&store), last as i64);
        let step = Counted {
            account: "ada".into(),
            balance: 100,
        };
        store.try_step(step).expect("the event fires");
        let store = reopened(dir.path(), store);
        assert!(store.recovered().is_none());
        sound(&store, last + 1);
    }
}
