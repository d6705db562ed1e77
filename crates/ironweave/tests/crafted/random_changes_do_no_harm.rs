//! A log with random changes is refused, or opens as a store whose steps are accepted again; nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Model, Options};

use crate::cbor::{Array, Item, Map, Negative, Raw, Text, Uint, text};
use crate::forge::{self, Forged};
use crate::harness::random::Random as Rng;
use crate::models::{first, shop};
use crate::{committed, graphs, scratch_dir};

/// How many logs are made of each, unless `CRAFTED_SEEDS` says otherwise.
const SEEDS: u64 = 80;

impl Rng {
    /// One of some values.
    fn of<T: Clone>(&mut self, some: &[T]) -> T {
        some[self.below(some.len())].clone()
    }
}

/// An item of no kind in particular.
fn any_item(rng: &mut Rng) -> Item {
    let numbers = [
        0,
        1,
        2,
        3,
        5,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        1 << 24,
        1 << 32,
        u64::MAX,
    ];
    match rng.below(11) {
        0..4 => Uint(rng.of(&numbers)),
        4 => Negative(rng.of(&numbers)),
        5 => text(rng.of(&["", "ada", "bob", "screw", "\u{0}"])),
        6 => Array(Vec::new()),
        7 => Map(Vec::new()),
        8 => Raw(rng.of(&[
            vec![0xf6],
            vec![0xf5],
            vec![0xf7],
            vec![0xf9, 0x7e, 0x00],
            vec![0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
            vec![0xc2, 0x41, 1],
            vec![0x9f, 0x01, 0xff],
            vec![0xbf, 0x61, b'a', 0x01, 0xff],
            vec![0x7f, 0x61, b'a', 0xff],
            vec![0x5f, 0xff],
            vec![0xff],
            vec![0x1c],
            vec![0x18, 0x01],
            vec![0x9b, 0, 0, 1, 0, 0, 0, 0, 0],
            vec![0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ])),
        9 => {
            let depth = rng.of(&[2, 127, 129, 255, 256, 257, 5_000]);
            Raw([0x81].repeat(depth).into_iter().chain([0]).collect())
        }
        _ => Item::Bytes(vec![0, 1]),
    }
}

/// Changes something in an item.
fn mutate(rng: &mut Rng, whole: &mut Item) {
    // A random item, or a part of one like it.
    let donor = {
        let mut n = rng.below(whole.count());
        whole.nth(&mut n).cloned().unwrap_or(Uint(0))
    };
    let mut n = rng.below(whole.count());
    let Some(item) = whole.nth(&mut n) else {
        return;
    };
    match (rng.below(7), &mut *item) {
        (0, Uint(n)) => *n = n.wrapping_add(1),
        (1, Uint(n)) => *n = n.wrapping_sub(1),
        (2, Text(t)) => t.push('x'),
        (0, Array(items)) if !items.is_empty() => {
            let at = rng.below(items.len());
            items.remove(at);
        }
        (1 | 2, Array(items)) if !items.is_empty() => {
            let (at, to) = (rng.below(items.len()), rng.below(items.len() + 1));
            let twin = items[at].clone();
            items.insert(to, twin);
        }
        (3, Array(items)) if !items.is_empty() => {
            let (a, b) = (rng.below(items.len()), rng.below(items.len()));
            items.swap(a, b);
        }
        (4, Array(items)) => items.push(donor),
        (0, Map(entries)) if !entries.is_empty() => {
            let at = rng.below(entries.len());
            entries.remove(at);
        }
        (1, Map(entries)) if !entries.is_empty() => {
            let twin = entries[rng.below(entries.len())].clone();
            entries.push(twin);
        }
        (5, item) => *item = donor,
        (_, item) => *item = any_item(rng),
    }
}

/// Changes a few bytes of records: a bit, or a number of any length.
fn mutate_records(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let numbers = [0, 1, 2, 3, 7, 255, 256, 65_535, 1 << 24, 1 << 32, u64::MAX];
    match rng.below(8) {
        0 => bytes.truncate(rng.below(bytes.len() + 1)),
        1 => bytes.push(0),
        2 | 3 if !bytes.is_empty() => {
            let at = rng.below(bytes.len());
            bytes[at] ^= 1 << rng.below(8);
        }
        4 if !bytes.is_empty() => {
            // A record twice, with any length.
            let (at, len) = (8 * rng.below(bytes.len() / 8 + 1), 8 * (1 + rng.below(4)));
            let twin = bytes.get(at..at + len).map(<[u8]>::to_vec);
            bytes.splice(at..at, twin.unwrap_or_default());
        }
        _ => {
            let len = rng.of(&[1, 2, 4, 8]);
            let at = len * rng.below(bytes.len() / len + 1);
            if let Some(place) = bytes.get_mut(at..at + len) {
                place.copy_from_slice(&rng.of(&numbers).to_le_bytes()[..len]);
            }
        }
    }
}

/// Changes a log in a few places, mostly in what its transactions say.
pub fn mutate_log(rng: &mut Rng, frames: &mut Vec<Forged>) {
    let end = 2 + rng.below(frames.len() - 1);
    frames.truncate(end);
    for _ in 0..=rng.below(3) {
        let at = match rng.below(12) {
            0 => 0,
            _ => 1 + rng.below(frames.len() - 1),
        };
        if rng.below(30) > 4
            && let Raw(bytes) = &mut frames[at].payload
        {
            mutate_records(rng, bytes);
            continue;
        }
        match rng.below(30) {
            0 => {
                let twin = frames[at].clone();
                frames.insert(at, twin);
            }
            1 if frames.len() > 2 => {
                frames.remove(at);
            }
            2 => frames[at].epoch = rng.below(3) as u32,
            3 => frames[at].behind = vec![rng.of(&[0, 0xff, 0x80])],
            4 => {
                let to = rng.below(frames.len());
                frames.swap(at, to);
            }
            5..20 => {
                // The facts of a firing.
                let payload = &mut frames[at].payload;
                let firings = match payload {
                    Array(parts) if parts.len() == 2 => &mut parts[1],
                    other => other,
                };
                mutate(rng, firings);
            }
            _ => mutate(rng, &mut frames[at].payload),
        }
    }
}

/// Calls every function that reads, on a store of any content.
fn exercise<M: Model>(store: &Store<M>) {
    // It may say that an immediate event has not fired, or that an invariant does not hold.
    let _ = store.check();
    let _ = store.verify();
    if let Ok(frames) = store.frames(0) {
        for frame in frames.flatten() {
            frame.firings().for_each(|firing| {
                let _ = firing.to_string();
            });
            let _ = serde_json::to_string(&frame);
        }
    }
    let _ = store.since(0).map(|reports| reports.flatten().count());
    for seq in 0..=store.seq().expect("it has frames").get() {
        let then = store
            .as_of(seq)
            .expect("what was replayed is replayed again");
        let _ = then.check();
    }
    assert_eq!(store.snapshot_fingerprint(), store.fingerprint());
    assert_eq!(store.snapshot().fingerprint(), store.fingerprint());
}

trait Twin {
    fn snapshot_fingerprint(&self) -> u128;
}

impl<M: Model> Twin for Store<M> {
    fn snapshot_fingerprint(&self) -> u128 {
        self.as_of(self.seq().expect("it has frames"))
            .expect("the present")
            .fingerprint()
    }
}

/// Changes a committed log at random, opens the result, and takes steps where it opens.
fn survive<M: Model>(name: &str, ask: fn(&Store<M>), go_on: fn(&mut Store<M>)) {
    let all = forge::frames(&committed(name));
    let seeds = std::env::var("CRAFTED_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let mut rng = Rng(seed);
        let mut frames = all.clone();
        mutate_log(&mut rng, &mut frames);
        let dir = scratch_dir();
        let dir = dir.path().join("log");
        let one = AssertUnwindSafe(|| one_log(&dir, &mut frames, ask, go_on));
        match catch_unwind(one) {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(panic) => {
                eprintln!("{name}, seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // Some changed logs open and some are refused; otherwise the changes do not test what they should.
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

/// Whether a log opens.
fn one_log<M: Model>(
    dir: &Path,
    frames: &mut [Forged],
    ask: fn(&Store<M>),
    go_on: fn(&mut Store<M>),
) -> bool {
    forge::write_consistent::<M>(dir, frames);
    if let Ok(store) = Store::<M>::open_read_only(dir) {
        ask(&store);
        exercise(&store);
    }
    let options = Options::<M>::default().durability(ironweave::Durability::Os);
    let mut store = match options.open(dir) {
        Ok(store) => store,
        Err(e) => {
            let _ = (e.to_string(), format!("{e:?}"));
            assert!(
                e.seq().is_some() && e.offset().is_some(),
                "it does not say where: {e}"
            );
            return false;
        }
    };
    exercise(&store);
    go_on(&mut store);
    exercise(&store);
    ask(&store);
    let fingerprint = store.fingerprint();
    drop(store);
    let store = Store::<M>::open(dir).expect("what a store has written is taken");
    assert_eq!(store.fingerprint(), fingerprint);
    true
}

#[test]
fn changed_logs_of_the_bank_are_refused_or_behave_as_any_log() {
    use first::bank::*;
    for name in ["epochs", "version3/epochs"] {
        survive::<Model>(
            name,
            |store| {
                let _ = graphs::bank(store);
            },
            |store| {
                for (name, balance) in [("ada", 1), ("new", 2), ("bob", 3)] {
                    let account = name.into();
                    let _ = store.try_step(Counted { account, balance });
                }
                let accounts: Vec<Account> =
                    store.place::<Account, Any>().map(|a| a.any()).collect();
                for account in accounts {
                    let _ = store.try_step(Ended { account });
                }
            },
        );
    }
}

#[test]
fn changed_logs_of_the_shop_are_refused_or_behave_as_any_log() {
    use shop::*;
    for name in ["constructs", "version3/constructs"] {
        survive::<Model>(
            name,
            |store| {
                let _ = graphs::shop(store);
            },
            |store| {
                for number in 1..4 {
                    let _ = store.try_step(Ordered {
                        customer: "ada".into(),
                        year: 2026,
                        number,
                    });
                    let _ = store.try_step(LineAdded {
                        order: Key::new((2026, number)),
                        sku: "screw".into(),
                        amount: 1,
                    });
                }
                let orders: Vec<Order> = store.place::<Order, Any>().map(|o| o.any()).collect();
                for order in &orders {
                    let follows = orders.clone();
                    let _ = store.try_step(Followed {
                        order: *order,
                        follows,
                    });
                    for what in ["create", "double", "pack", "tags", "delete"] {
                        let _ = store.try_step(Handled {
                            order: *order,
                            what: what.into(),
                        });
                    }
                }
                for order in orders {
                    let _ = store.try_step(OrderDropped { order });
                }
                let key = Meta::new().with_idempotency_key("lines-1");
                if let Ok(mut t) = store.begin_with(key) {
                    let _ = t.apply(LineAdded {
                        order: Key::new((2026, 1)),
                        sku: "screw".into(),
                        amount: 10,
                    });
                }
            },
        );
    }
}
