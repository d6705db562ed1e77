//! Writes small logs in the present format version. Such logs of each version are committed, and every later version must
//! read them: `cargo run --example write_logs -- crates/ironweave/tests/logs/version4`. With `describe`, it writes only the
//! descriptions of the logs in a directory: `cargo run --example write_logs -- describe crates/ironweave/tests/logs`.
//!
//! `cargo run --features archive --example write_logs -- changes crates/ironweave/tests/logs/version3` writes the logs of changed
//! models, of archived and dropped segments and of a restored log that are not yet in the directory, and the texts of all.
//!
//! A committed log is never rewritten, because it tests compatibility. If a new construct needs a log, add another one; for
//! a new format version, another directory. The logs of databuild in
//! `tests/logs` and `tests/logs/version3` were written by `databuild run` with the jobs beside them; see there.
#![allow(missing_docs)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;
use ironweave::{Durability, Options};

#[path = "../tests/logs/changes/mod.rs"]
mod changes;
#[path = "../tests/logs/describe.rs"]
mod describe;
#[path = "../tests/logs/graphs.rs"]
mod graphs;
#[path = "../tests/logs/manifest.rs"]
mod manifest;
#[path = "../tests/logs/models.rs"]
mod models;
#[path = "../tests/logs/retained.rs"]
mod retained;

use changes::{Change, Visitor};
use models::{Kind, Label, first, second, shop};

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [dir] => {
            let dir = Path::new(dir);
            constructs(&dir.join("constructs"))?;
            epochs(&dir.join("epochs"))?;
            segments(&dir.join("segments"))?;
            killed(&dir.join("killed"), &dir.join("torn"))?;
            for name in graphs::NAMES {
                // The file contains only the id of this process.
                fs::remove_file(dir.join(name).join("LOCK"))?;
            }
            describe_all(dir)?;
            changed(dir)
        }
        [word, dir] if word == "describe" => describe_all(Path::new(dir)),
        [word, dir] if word == "changes" => changed(Path::new(dir)),
        _ => Err("usage: `cargo run --example write_logs -- DIR`".into()),
    }
}

/// Writes the description of each log beside it.
fn describe_all(dir: &Path) -> Done {
    for name in graphs::NAMES {
        // Opening a log with a torn tail changes it, so a copy is opened.
        let copy = dir.join(format!("{name}.copy"));
        describe::copy(&dir.join(name), &copy)?;
        let text = graphs::log(name, &copy, false);
        fs::remove_dir_all(&copy)?;
        fs::write(dir.join(format!("{name}.txt")), text?)?;
    }
    Ok(())
}

/// Writes the logs of changed models and the retained ones, with their manifest.
fn changed(dir: &Path) -> Done {
    struct Write<'a>(&'a Path, Done);
    impl Visitor for Write<'_> {
        fn visit<C: Change>(&mut self) {
            let dir = self.0.join(C::NAME);
            if self.1.is_ok() && !dir.exists() {
                self.1 = changes::write::<C>(&dir);
            }
        }
    }
    let mut write = Write(dir, Ok(()));
    changes::visit_all(&mut write);
    write.1?;
    for name in retained::NAMES {
        if !dir.join(name).exists() {
            retained::write(name, &dir.join(name))?;
        }
    }
    let mut lines = String::new();
    for name in manifest::names() {
        for lock in ["LOCK", "ARCHIVED.lock", "archive/LOCK"] {
            let lock = dir.join(name).join(lock);
            if lock.exists() {
                fs::remove_file(lock)?;
            }
        }
        lines += &format!("{}\n", manifest::line(name, &dir.join(name))?);
        fs::write(
            dir.join(format!("{name}.txt")),
            manifest::text(&dir.join(name))?,
        )?;
    }
    Ok(fs::write(dir.join("manifest.txt"), lines)?)
}

/// The metadata of the nth second of a day.
fn at(second: i64) -> Meta {
    Meta::new().with_time(Timestamp::from_micros(
        1_790_000_000_000_000 + second * 1_000_000,
    ))
}

/// All constructs of the language, and a clean close.
fn constructs(dir: &Path) -> Done {
    use shop::*;
    let mut store = Store::<Model>::open(dir)?;
    let ordered = |customer: &str, number| Ordered {
        customer: customer.into(),
        year: 2026,
        number,
    };
    let one = store.try_step_with(at(1), ordered("ada", 1))?.created.order;
    let two = store.try_step_with(at(2), ordered("ada", 2))?.created.order;
    let three = store.try_step_with(at(3), ordered("bob", 3))?.created.order;

    let meta = at(4)
        .with_actor("ann")
        .with_correlation("request of Monday")
        .with_causation(1)
        .with_idempotency_key("lines-1");
    let mut t = store.begin_with(meta)?;
    let mut lines = Vec::new();
    for (sku, amount) in [("screw", 10), ("nail", 3), ("bolt", 1_000_000)] {
        let added = t.apply(LineAdded {
            order: Key::new((2026, 1)),
            sku: sku.into(),
            amount,
        })?;
        lines.push(added.created.line);
    }
    let before = t.savepoint();
    t.apply(OrderDropped { order: two })?;
    t.rollback_to(before)?;
    t.commit()?;

    let wanted = lines[0]
        .in_state::<state::Wanted>(&store)
        .ok_or("it was just added")?;
    let changed = AmountChanged {
        line: wanted,
        amount: 12,
    };
    store.try_step_with(at(5), changed)?;
    let stock = PackedLineAdded {
        order: Key::new((2026, 2)),
        sku: "glue".into(),
    };
    store.try_step_with(at(6), stock)?;
    let packing = |lines: &[Line], who: &str| Packing {
        lines: lines.to_vec(),
        who: who.into(),
    };
    store.try_step_with(at(7), packing(&lines[..1], "eve"))?;
    // After the last line, an immediate event pays the order.
    store.try_step_with(at(8), packing(&lines[1..], "max"))?;

    let paid = store.try_step_with(
        at(9),
        Payment {
            order: three,
            by: "card".into(),
        },
    )?;
    let order = paid.bound.order;
    store.try_step_with(at(9), Heartbeat { order, beats: 5 })?;
    let corrected = PayerCorrected {
        order: three,
        by: "cash".into(),
    };
    store.try_step_with(at(10), corrected)?;

    let follow = |order, follows: &[Order]| Followed {
        order,
        follows: follows.to_vec(),
    };
    store.try_step_with(at(11), follow(two, &[one, three]))?;
    store.try_step_with(at(12), follow(three, &[one]))?;
    store.try_step_with(at(13), Unfollowed { order: two })?;

    let tagged = |order, tags: &[&str], data: &str| Tagged {
        order,
        tags: tags.iter().map(|t| Ensure::from(*t)).collect(),
        data: data.into(),
    };
    store.try_step_with(at(14), tagged(one, &["red", "big"], "x"))?;
    store.try_step_with(at(15), tagged(one, &["red", "old"], "z"))?;
    store.try_step_with(at(16), tagged(three, &["red"], "y"))?;
    let badged = |tag: &str, serial, beside| Badged {
        tag: tag.into(),
        serial,
        beside,
    };
    let first = store.try_step_with(at(17), badged("red", 1, None))?.created;
    // An end of at most one: the first badge loses its link to the tag.
    store.try_step_with(at(18), badged("red", u64::MAX, Some(first.badge)))?;

    let moved = |customer: &str, city: Option<&str>, credit| Moved {
        customer: customer.into(),
        city: city.map(str::to_owned),
        credit,
    };
    store.try_step_with(at(19).with_actor("ann"), moved("ada", Some("London"), -5))?;
    store.try_step_with(at(20), moved("eve", None, i64::MAX))?;
    let mut marks = std::collections::BTreeMap::new();
    marks.insert("a\nb".to_owned(), vec![1, 70_000]);
    let labeled = Labeled {
        customer: "ada".into(),
        label: Label {
            text: "ünïcode".into(),
            pair: (-8, 500),
            kind: Kind::Ranged { from: -1, to: 9 },
            marks,
            weight: Some(0.1),
        },
    };
    store.try_step_with(at(21), labeled)?;
    store.try_step_with(at(22), noted())?;

    for (i, what) in ["create", "double", "pack", "ensure", "tags"]
        .iter()
        .enumerate()
    {
        let order = if *what == "tags" { one } else { two };
        let handled = Handled {
            order,
            what: (*what).into(),
        };
        store.try_step_with(at(23 + i as i64), handled)?;
    }
    let payer = Handled {
        order: three,
        what: "payer".into(),
    };
    store.try_step_with(at(30), payer)?;

    // Reused slots and keys, and a cascade.
    let four = store
        .try_step_with(at(31), ordered("bob", 4))?
        .created
        .order;
    for sku in ["cord", "rope"] {
        let added = LineAdded {
            order: Key::new((2026, 4)),
            sku: sku.into(),
            amount: 2,
        };
        store.try_step_with(at(32), added)?;
    }
    let deleting = Handled {
        order: four,
        what: "delete".into(),
    };
    store.try_step_with(at(33), deleting)?;
    store.try_step_with(at(34), OrderDropped { order: two })?;
    let old = store.find::<Tag>("old").ok_or("it was just made")?;
    store.try_step_with(at(35), TagsDropped { tags: vec![old] })?;
    let again = store
        .try_step_with(at(36), ordered("eve", 2))?
        .created
        .order;
    let mut t = store.begin_with(at(37).with_idempotency_key("clear"))?;
    t.apply(Cleared {
        orders: vec![one, four, again],
    })?;
    t.commit()?;
    Ok(())
}

fn noted() -> shop::Noted {
    shop::Noted {
        truth: true,
        small: -128,
        least: i64::MIN,
        greatest: u64::MAX,
        single: 1.5,
        double: f64::NEG_INFINITY,
        letter: 'ß',
        text: "\"quoted\"\u{0}".into(),
        bytes: vec![0, 24, 255],
        pairs: vec![(1, None), (2, Some("two".into()))],
        map: [(-1, true), (300, false)].into(),
        at: Timestamp::from_micros(-1),
        span: std::time::Duration::new(3, 999_999_999),
        kinds: [
            Kind::Plain,
            Kind::Numbered(7),
            Kind::Ranged { from: 0, to: 1 },
        ],
    }
}

/// Three epochs of changed rules.
fn epochs(dir: &Path) -> Done {
    {
        use first::bank::*;
        let mut store = Store::<Model>::open(dir)?;
        let counted = |account: &str, balance| Counted {
            account: account.into(),
            balance,
        };
        store.try_step_with(at(1), counted("ada", -5))?;
        let bob = store.try_step_with(at(2), counted("bob", 7))?.bound.account;
        store.try_step_with(at(3), Ended { account: bob.any() })?;
    }
    {
        use second::bank::*;
        let mut store = Store::<Model>::open(dir)?;
        let counted = |account: &str, balance| Counted {
            account: account.into(),
            balance,
        };
        store.try_step_with(at(4), counted("eve", 9))?;
        let ada = store.try_step_with(at(5), counted("ada", 5))?.bound.account;
        store.try_step_with(at(6), Ended { account: ada.any() })?;
        store.try_step_with(at(7), counted("ada", 6))?;
    }
    {
        use first::bank::*;
        let mut store = Store::<Model>::open(dir)?;
        let counted = Counted {
            account: "eve".into(),
            balance: -1,
        };
        let eve = store.try_step_with(at(8), counted)?.bound.account;
        store.try_step_with(at(9), Ended { account: eve.any() })?;
    }
    // The last epoch has the first rules. Opening the store with other rules would write another schema, so the log ends
    // here.
    Ok(())
}

/// Several segments, a named subscription, and a clean close.
fn segments(dir: &Path) -> Done {
    use first::bank::*;
    let options = Options::<Model>::default().segment_bytes_max(600);
    let mut store = options.open(dir)?;
    for (i, name) in ["ada", "bob", "eve"].iter().cycle().take(15).enumerate() {
        let balance = i as i64 * 1000;
        let counted = Counted {
            account: (*name).into(),
            balance,
        };
        store.try_step_with(at(i as i64), counted)?;
    }
    let mut named = store.subscribe_as("reader-1")?;
    for _ in 0..4 {
        named.next().ok_or("there are more")??;
    }
    let fifth = named.next().ok_or("there are more")??;
    named.acknowledge(fifth.seq())?;
    Ok(())
}

/// A store whose program was killed, with spare bytes at its end, and one whose last frame is incomplete.
fn killed(killed: &Path, torn: &Path) -> Done {
    use first::bank::*;
    let live = killed.with_extension("live");
    let counted = |account: &str, balance| Counted {
        account: account.into(),
        balance,
    };
    let mut store = Store::<Model>::open(&live)?;
    store.try_step_with(at(1), counted("ada", 1))?;
    drop(store);
    let options = Options::<Model>::default().durability(Durability::Os);
    let mut store = options.open(&live)?;
    for n in 2..6 {
        store.try_step_with(at(n), counted("ada", n))?;
    }
    // While the store is open, its files are as after a kill, except for the length of the spare.
    for (dir, keep) in [(killed, 256_i64), (torn, -20)] {
        describe::copy(&live, dir)?;
        let path: PathBuf = dir.join(format!("{:020}.log", 0));
        let bytes = fs::read(&path)?;
        let end = bytes.iter().rposition(|b| *b != 0).ok_or("it has frames")?;
        let len = (end as i64 + 8) / 8 * 8 + keep;
        fs::OpenOptions::new()
            .write(true)
            .open(&path)?
            .set_len(len.try_into()?)?;
    }
    drop(store);
    fs::remove_dir_all(live)?;
    Ok(())
}
