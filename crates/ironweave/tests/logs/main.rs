//! A log that an earlier version wrote opens with the graph, the fingerprint, the past and the histories that it had.
//!
//! The logs are in this folder: those of format version 2, and in `version3` those of version 3. `examples/write_logs.rs`
//! wrote them and the texts beside them; a log is never replaced. `version3/manifest.txt` lists the logs of changed models, of
//! archived and dropped segments and of a restored store.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;
use ironweave::{Options, Seq, TornTail};

#[path = "../harness/mod.rs"]
mod harness;

mod changed_models;
mod changes;
mod describe;
mod graphs;
mod manifest;
mod models;
mod retained;

use harness::{assert_consistent, assert_sound, copy_dir, reopened, reopened_with, temp_dir};
use models::{Kind, first, second, shop};

fn committed(name: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}

/// The logs of one format version.
struct Version {
    /// Their folder.
    folder: &'static str,
    /// How many frames this program appends when it opens one for writing: the schema that begins an epoch of the present
    /// format version.
    appended: u64,
}

const VERSIONS: [Version; 2] = [
    Version {
        folder: "",
        appended: 1,
    },
    Version {
        folder: "version3",
        appended: 0,
    },
];

impl Version {
    /// A copy of one of its logs, which may be written to.
    fn copied(&self, name: &str) -> tempfile::TempDir {
        copied(&Path::new(self.folder).join(name))
    }

    /// The last frame of a log that had this one and was then opened for writing.
    fn last(&self, last: u64) -> Option<Seq> {
        Some(Seq::new(last + self.appended))
    }
}

/// A copy of a log, which may be written to.
fn copied(name: &Path) -> tempfile::TempDir {
    let dir = temp_dir();
    copy_dir(&committed(name), dir.path());
    dir
}

fn sound<M: ironweave::Model>(store: &Store<M>, transactions: u64) {
    assert_eq!(assert_sound(store), transactions);
}

#[test]
fn each_log_reads_as_it_did_when_it_was_written() {
    for (version, name) in
        (VERSIONS.iter()).flat_map(|version| graphs::NAMES.map(|name| (version, name)))
    {
        let file = Path::new(version.folder).join(format!("{name}.txt"));
        let text = fs::read_to_string(committed(&file)).expect("its text");
        for read_only in [true, false] {
            let dir = version.copied(name);
            let said = graphs::log(name, dir.path(), read_only).expect("the log can be read");
            // If the format of the text changes on purpose, commit this file.
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&file);
            fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
            fs::write(kept, &said).expect("a file");
            let expected = if version.appended > 0 && !read_only {
                describe::with_schema_appended(&text)
            } else {
                text.clone()
            };
            let place = file.display();
            for (line, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
                assert_eq!(said, expected, "{place}, line {}", line + 1);
            }
            assert_eq!(said.lines().count(), expected.lines().count(), "{place}");
        }
    }
}

/// The two versions have the same graphs, events and facts. Version 3 has the generations of entities in all facts.
#[test]
fn a_record_of_either_version_is_the_same_text_but_for_generations() {
    for name in graphs::NAMES {
        let [old, new] = VERSIONS.map(|version| {
            let file = Path::new(version.folder).join(format!("{name}.txt"));
            fs::read_to_string(committed(file)).expect("its text")
        });
        assert_eq!(
            without_generations(&old),
            without_generations(&new),
            "{name}"
        );
    }
}

/// A text with `Order/3` in place of `Order/3.1`.
fn without_generations(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut parts = text.split('/');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(is_digit);
        let slot = &part[..part.len() - after.len()];
        let generation = (after.strip_prefix('.')).filter(|rest| rest.starts_with(is_digit));
        let rest = generation.map_or(after, |rest| rest.trim_start_matches(is_digit));
        out += &format!("/{slot}{rest}");
    }
    out
}

/// Facts of version 2 name an entity by its slot, except those that create and delete it. A graph has the entity.
#[test]
fn a_record_of_version_3_has_the_id_of_each_entity() {
    use shop::*;
    let [old, new] = VERSIONS.map(|version| {
        let dir = version.copied("constructs");
        let store = Store::<Model>::open_read_only(dir.path()).expect("the log can be read");
        let records = store.frames(0).expect("the log can be read");
        let logged: Vec<_> = records.map(|r| r.expect("the log can be read")).collect();
        let start = store.as_of(0).expect("the log can be read");
        let mut around = store.subscribe_after(start).expect("it is of the log");
        let mut with_graph = Vec::new();
        while let Some(record) = around.try_next().expect("the log can be read") {
            with_graph.push(record);
        }
        assert_eq!(logged.len(), 36 + 1);
        (logged, with_graph)
    });
    /// The entity and the other entity of each fact.
    fn ids(records: &[ironweave::Record<Model>]) -> Vec<Option<ironweave::Id>> {
        let facts = records.iter().flat_map(|record| record.facts());
        let entities = facts.flat_map(|fact| [Some(fact.entity()), fact.other()]);
        entities.flatten().map(|entity| entity.id()).collect()
    }
    let all = ids(&new.0);
    assert!(all.iter().all(Option::is_some));
    assert_eq!((&ids(&new.1), &ids(&old.1)), (&all, &all));
    let known = ids(&old.0);
    assert_eq!(known.len(), all.len());
    assert!(known.iter().zip(&all).all(|(a, b)| a.is_none() || a == b));
    assert!(known.contains(&None));
    // The net changes have the same entities, by slot or by id.
    let mut unknown = 0;
    for (i, (old_record, new_record)) in old.0.iter().zip(&new.0).enumerate() {
        let paid = new_record.entered::<Order, state::Paid>();
        let by_slot = old_record.entered::<Order, state::Paid>();
        assert_eq!(paid, old.1[i].entered::<Order, state::Paid>());
        for (new, old) in paid.iter().zip(&by_slot) {
            let handle = new.handle();
            assert!(handle.is_some() && new.slot() == old.slot());
            assert!([None, handle].contains(&old.handle()));
            unknown += usize::from(old.handle().is_none());
        }
        assert_eq!(paid.len(), by_slot.len());
    }
    assert!(unknown > 0, "a version-2 record of a move has the slot");
}

#[test]
fn a_log_with_each_construct_is_opened_checked_and_continued() {
    VERSIONS.iter().for_each(constructs);
}

fn constructs(version: &Version) {
    use shop::*;
    let dir = version.copied("constructs");
    let mut store = Store::<Model>::options()
        .paranoid()
        .open(dir.path())
        .expect("the store opens");
    assert!(store.recovered().is_none());
    assert_eq!(store.seq(), version.last(37));
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
    assert_eq!(store.seq(), version.last(37));

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
    VERSIONS.iter().for_each(epochs);
}

fn epochs(version: &Version) {
    let dir = version.copied("epochs");
    {
        use first::bank::*;
        let store = Store::<Model>::open(dir.path()).expect("the store opens");
        // The schemas are frames 0, 4 and 9, and today's is the last of them.
        assert_eq!(store.seq(), version.last(11));
        let account = |name: &str| store.find::<Account>(name).expect("the account exists");
        assert!(account("ada").is::<state::Frozen>(&store));
        assert!(account("bob").is::<state::Closed>(&store));
        assert!(account("eve").is::<state::Closed>(&store));
        assert_eq!(account("ada").balance(&store), 6);
        assert_consistent(&store);
        // The present rules are not those of the middle epoch.
        let differs = store.verify().expect_err("other rules").to_string();
        assert!(differs.contains(": frame 7 "), "{differs}");
    }
    use second::bank::*;
    let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), version.last(12), "a schema was written");
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
    VERSIONS.iter().for_each(segments);
}

fn segments(version: &Version) {
    use first::bank::*;
    let dir = version.copied("segments");
    let options = || Options::<Model>::default().segment_bytes_max(600);
    let mut store = options().open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), version.last(15));
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
    assert_eq!(store.seq(), version.last(24));
    sound(&store, 24);
}

#[test]
fn a_log_of_a_killed_program_is_opened_up_to_its_torn_tail() {
    VERSIONS.iter().for_each(killed);
}

fn killed(version: &Version) {
    use first::bank::*;
    for (name, last, torn) in [("killed", 5, false), ("torn", 4, true)] {
        let dir = version.copied(name);
        if torn {
            let refused = Options::<Model>::default().open_strict(dir.path());
            assert!(refused.is_err(), "the tail is torn");
        }
        let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
        assert_eq!(
            store.recovered().map(|t: &TornTail| t.seq),
            torn.then_some(Seq::new(5))
        );
        assert_eq!(store.seq(), version.last(last));
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

/// What is done with a log of version 2, step by step.
#[test]
fn a_log_of_version_2_is_continued_in_a_segment_of_version_3() {
    use first::bank::*;
    let dir = copied(Path::new("killed"));
    let files = || {
        let names = fs::read_dir(dir.path()).expect("the directory");
        let mut names: Vec<String> = names
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .filter(|name| name.ends_with(".log"))
            .collect();
        names.sort();
        names
    };
    let version_of = |name: &str| fs::read(dir.path().join(name)).expect("a file")[8];
    let old = format!("{:020}.log", 0);
    let before = fs::read(dir.path().join(&old)).expect("the segment");

    // Reading does not change anything.
    let store = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(5)));
    drop(store);
    assert_eq!(files(), std::slice::from_ref(&old));
    assert_eq!(
        fs::read(dir.path().join(&old)).expect("the segment"),
        before
    );

    // Writing begins a segment and an epoch, even if no event fires.
    let store = Store::<Model>::open(dir.path()).expect("the store opens");
    drop(store);
    let new = format!("{:020}.log", 6);
    assert_eq!(files(), [old.clone(), new.clone()]);
    assert_eq!(
        (version_of(&old), version_of(&new), version_of("HEAD")),
        (2, 3, 3)
    );
    let kept = fs::read(dir.path().join(&old)).expect("the segment");
    assert!(before.starts_with(&kept), "but for the spare bytes");

    // And does so once.
    let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.seq(), Some(Seq::new(6)));
    let (account, balance) = ("eve".into(), i64::MIN);
    store
        .try_step(Counted { account, balance })
        .expect("the event fires");
    let store = reopened(dir.path(), store);
    assert_eq!(files(), [old, new]);
    sound(&store, 6);
    for (seq, name) in [(1, "ada"), (7, "eve")] {
        let record = store.tx_range(seq..=seq).expect("the log can be read");
        let record = record.map(|r| r.expect("a record")).next().expect("one");
        let first = store.find::<Account>(name).expect("the account exists");
        assert_eq!(record.created::<Account>(), [first]);
    }
    assert_eq!(store.history_of_key::<Account>("ada").expect("it").len(), 1);
}
