//! A type of the program has changed inside, which its schema does not show, and does not read a value that it wrote before. The error
//! names the column, the entity, and the frame that wrote the value, wherever the value is found.

use std::path::Path;

use ironweave::prelude::*;
use ironweave::{
    AnyEvent, EntityRef, MigrationError, Model, OpenError, ReadError, Retention, Seq, UpgradeError,
    VerifyError,
};

use crate::harness::temp_dir;

/// Versions of a type of one name.
macro_rules! amount {
    ($types:ident { $($field:ident: $ty:ty),* }) => {
        pub mod $types {
            use serde::{Deserialize, Serialize};

            #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
            pub struct Amount {
                $(pub $field: $ty),*
            }
        }
    };
}

amount!(old { cents: u32 });
amount!(new {
    cents: u32,
    currency: String
});
amount!(nonzero {
    cents: std::num::NonZeroU32
});

/// A model with amounts: a field, and the data of links.
macro_rules! shop {
    ($model:ident, $types:ident, $link:ident) => {
        #[ironweave::model]
        pub mod $model {
            use super::$link::Amount as Saved;
            use super::$types::Amount;
            use ironweave::prelude::*;

            #[entity]
            pub struct Item {
                #[key]
                pub number: u32,
                pub cost: Amount,
                #[edge(data = Saved)]
                pub with: Many<Item>,
                #[inverse(Item::with)]
                pub of: Many<Item>,
            }

            #[event]
            #[create(item: Item { number, cost })]
            pub struct Made {
                pub number: u32,
                pub cost: Amount,
            }

            #[event]
            #[set(item.cost = cost)]
            pub struct Priced {
                pub item: Key<Item>,
                pub cost: Amount,
            }

            #[event]
            #[link(item.with += with { data = saved })]
            pub struct Joined {
                pub item: Key<Item>,
                pub with: Key<Item>,
                pub saved: Saved,
            }
        }
    };
}

/// As [`shop`], with a new field.
macro_rules! shop_with_floors {
    ($model:ident, $types:ident, $link:ident) => {
        #[ironweave::model]
        pub mod $model {
            use super::$link::Amount as Saved;
            use super::$types::Amount;
            use ironweave::prelude::*;

            #[entity]
            pub struct Item {
                #[key]
                pub number: u32,
                pub cost: Amount,
                #[default(1u16)]
                pub floor: u16,
                #[edge(data = Saved)]
                pub with: Many<Item>,
                #[inverse(Item::with)]
                pub of: Many<Item>,
            }

            #[event]
            #[create(item: Item { number, cost })]
            pub struct Made {
                pub number: u32,
                pub cost: Amount,
            }

            #[event]
            #[set(item.cost = cost)]
            pub struct Priced {
                pub item: Key<Item>,
                pub cost: Amount,
            }

            #[event]
            #[link(item.with += with { data = saved })]
            pub struct Joined {
                pub item: Key<Item>,
                pub with: Key<Item>,
                pub saved: Saved,
            }
        }
    };
}

/// As [`shop_with_floors`], with another name of a field.
macro_rules! shop_with_prices {
    ($model:ident, $types:ident, $link:ident) => {
        #[ironweave::model]
        pub mod $model {
            use super::$link::Amount as Saved;
            use super::$types::Amount;
            use ironweave::prelude::*;

            #[entity]
            pub struct Item {
                #[key]
                pub number: u32,
                #[renamed(from = "cost")]
                pub price: Amount,
                #[default(1u16)]
                pub floor: u16,
                #[edge(data = Saved)]
                pub with: Many<Item>,
                #[inverse(Item::with)]
                pub of: Many<Item>,
            }

            #[event]
            #[create(item: Item { number, price = cost })]
            pub struct Made {
                pub number: u32,
                pub cost: Amount,
            }

            #[event]
            #[set(item.price = cost)]
            pub struct Priced {
                pub item: Key<Item>,
                pub cost: Amount,
            }

            #[event]
            #[link(item.with += with { data = saved })]
            pub struct Joined {
                pub item: Key<Item>,
                pub with: Key<Item>,
                pub saved: Saved,
            }
        }
    };
}

shop!(first, old, old);
shop!(changed, new, old);
shop_with_floors!(wider, new, old);
shop_with_floors!(links, old, new);
shop_with_prices!(second, old, old);
shop_with_prices!(third, new, old);
shop_with_prices!(positive, nonzero, old);

fn amount(cents: u32) -> old::Amount {
    old::Amount { cents }
}

/// Writes frames 1 to 6: items 1 and 2, another cost of item 1, a link of them, and item 3.
fn write_first(dir: &Path) -> Store<first::Model> {
    let mut store = Store::<first::Model>::open(dir).expect("the store opens");
    for number in [1, 2] {
        let cost = amount(number);
        store.step(first::Made { number, cost });
    }
    store.step(first::Priced {
        item: Key::new(1u32),
        cost: amount(9),
    });
    store.step(first::Joined {
        item: Key::new(1u32),
        with: Key::new(2u32),
        saved: amount(1),
    });
    let cost = amount(3);
    store.step(first::Made { number: 3, cost });
    store.step(first::Priced {
        item: Key::new(3u32),
        cost: amount(4),
    });
    store
}

/// Checks that an error names a frame with its place, and contains these words.
#[track_caller]
fn names(e: &OpenError, seq: u64, words: &[&str]) {
    let message = e.to_string();
    for words in words {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(message.contains("currency"), "{message}");
    assert_eq!(e.seq(), Some(Seq::new(seq)), "{message}");
    let (segment, offset) = (e.segment().expect("a file"), e.offset().expect("a place"));
    let place = format!("{} at offset {offset}: ", segment.display());
    assert!(message.contains(&place), "{message}");
    assert!(message.contains(&format!("frame {seq}")), "{message}");
}

/// The errors of an opening for writing, of one for reading and of a dry run.
fn refused<M: Model<Event: AnyEvent>>(dir: &Path) -> [OpenError; 3] {
    let dry_run = Store::<M>::options().migrate_dry_run(dir);
    [
        Store::<M>::open_read_only(dir).expect_err("a value is not read"),
        dry_run.expect_err("a value is not read"),
        Store::<M>::open(dir).expect_err("a value is not read"),
    ]
}

#[test]
fn a_frame_whose_value_is_not_read_is_named() {
    let dir = temp_dir();
    drop(write_first(dir.path()));
    for e in refused::<changed::Model>(dir.path()) {
        assert!(e.is_damage(), "{e}");
        names(&e, 1, &["Item.cost of Item 1 cannot be read: "]);
    }
}

#[test]
fn a_checkpoint_whose_value_is_not_read_leads_to_the_frame() {
    let dir = temp_dir();
    let mut store = write_first(dir.path());
    store.checkpoint().expect("it is written");
    drop(store);
    for e in refused::<changed::Model>(dir.path()) {
        names(&e, 1, &["Item.cost of Item 1 cannot be read: "]);
    }
}

#[test]
fn a_value_that_is_not_carried_over_has_the_frame_that_wrote_it_last() {
    let dir = temp_dir();
    drop(write_first(dir.path()));
    let words = "Item.cost of Item/0.1 cannot be carried over: its value cannot be read: ";
    for e in refused::<wider::Model>(dir.path()) {
        let Some(MigrationError::NotCarried(value)) = e.migration() else {
            panic!("{e}");
        };
        assert_eq!((&*value.what, value.seq), ("Item.cost", Some(Seq::new(3))));
        let EntityRef { entity, id, .. } = &value.entity;
        assert_eq!((&**entity, id.to_string()), ("Item", "0.1".to_owned()));
        names(&e, 3, &[words, "the value was written by frame 3"]);
    }
    // Data of links.
    for e in refused::<links::Model>(dir.path()) {
        let words = "Item.with of Item/0.1 cannot be carried over: its value cannot be read: ";
        names(&e, 4, &[words, "the value was written by frame 4"]);
    }
}

#[test]
fn a_value_of_an_earlier_epoch_has_the_frame_that_wrote_it() {
    let dir = temp_dir();
    drop(write_first(dir.path()));
    let mut store = Store::<second::Model>::open(dir.path()).expect("the type is the same");
    assert_eq!(store.seq(), Some(Seq::new(8)));
    store.step(second::Priced {
        item: Key::new(1u32),
        cost: amount(10),
    });
    let then = store.as_of_by_name(6).expect("a frame of the log");
    drop(store);
    for e in refused::<third::Model>(dir.path()) {
        assert!(e.is_damage(), "{e}");
        let words = "it writes Item.price of Item/0.1, which cannot be carried over to the schema in frame 7";
        names(&e, 3, &[words]);
    }
    // A snapshot has no log.
    let e = then.upgrade::<third::Model>().expect_err("it is not read");
    assert!(matches!(e, UpgradeError::Invalid { .. }), "{e}");
    let words =
        "the graph after frame 6 cannot be read as one of the model: Item.price of Item/0.1";
    assert!(e.to_string().starts_with(words), "{e}");
    then.upgrade::<second::Model>()
        .expect("the type is the same");
}

#[test]
fn a_graph_of_the_past_that_is_not_read_has_the_frame_too() {
    let dir = temp_dir();
    let mut store = Store::<first::Model>::open(dir.path()).expect("the store opens");
    for (number, cents) in [(1, 3), (2, 0)] {
        let cost = amount(cents);
        store.step(first::Made { number, cost });
    }
    drop(store);
    let mut store = Store::<second::Model>::open(dir.path()).expect("the type is the same");
    store.step(second::Priced {
        item: Key::new(2u32),
        cost: amount(10),
    });
    let checkpoint = store.checkpoint().expect("it is written").seq();
    drop(store);
    // The type of today reads all values of the last graph, and not one of before.
    let store = Store::<positive::Model>::open_read_only(dir.path()).expect("it is read");
    assert_eq!(store.opened_from().checkpoint(), Some(checkpoint));
    assert!(store.find::<positive::Item>(&2).is_some());
    let past = store.as_of(4).expect_err("a value is not read");
    let verified = store.verify().expect_err("a value is not read");
    let ReadError::Storage(past) = past else {
        panic!("{past}");
    };
    let VerifyError::Storage(verified) = verified else {
        panic!("{verified}");
    };
    for e in [past, verified] {
        assert_eq!(e.seq(), Some(Seq::new(2)), "{e}");
        assert!(e.segment().is_some() && e.offset().is_some(), "{e}");
        let words = "frame 2 of the log cannot be applied: it writes Item.price of Item/1.1, which";
        assert!(e.to_string().contains(words), "{e}");
    }
}

#[test]
fn it_is_said_if_the_frame_is_not_in_the_log_any_more() {
    let dir = temp_dir();
    let options = Store::<first::Model>::options().segment_bytes_max(4_000);
    let mut store = options.open(dir.path()).expect("the store opens");
    let mut made = 0;
    let mut make = |store: &mut Store<first::Model>| {
        for _ in 0..100 {
            made += 1;
            let cost = amount(made);
            store.step(first::Made { number: made, cost });
        }
        store.checkpoint().expect("it is written");
    };
    make(&mut store);
    make(&mut store);
    drop(store);
    let plan = Retention::of(dir.path()).drop_frames();
    let dropped = plan.expect("two checkpoints are later");
    assert!(dropped.until() > Some(Seq::new(1)));
    dropped.execute(|_, _| {}).expect("they are dropped");
    let e = Store::<wider::Model>::open(dir.path()).expect_err("a value is not read");
    let words = "Item.cost of Item/0.1 cannot be carried over: its value cannot be read: ";
    assert!(e.to_string().contains(words), "{e}");
    let gone = "; the frame that wrote the value is not in the log any more";
    assert!(e.to_string().ends_with(gone), "{e}");
    assert_eq!(e.seq(), None);
    // Without a change of the schema, the checkpoint is of no use, and says why.
    let e = Store::<changed::Model>::open(dir.path()).expect_err("a value is not read");
    assert!(e.to_string().contains("Item.cost: Item/0.1: "), "{e}");
    assert!(e.to_string().contains("currency"), "{e}");
}

#[test]
fn a_log_that_is_damaged_is_not_said_to_have_lost_the_frame() {
    let dir = temp_dir();
    let options = Store::<first::Model>::options().segment_bytes_max(4_000);
    let mut store = options.open(dir.path()).expect("the store opens");
    for number in 1..=100 {
        let cost = amount(number);
        store.step(first::Made { number, cost });
    }
    let checkpoint = store.checkpoint().expect("it is written").seq();
    drop(store);
    // The last byte of the first segment, which an opening with the checkpoint does not read.
    let segment = dir.path().join(format!("{:020}.log", 0));
    let mut bytes = std::fs::read(&segment).expect("the first segment");
    let last = bytes.iter_mut().rev().find(|byte| **byte != 0);
    *last.expect("it has frames") ^= 1;
    std::fs::write(&segment, bytes).expect("it is damaged");
    let store = Store::<first::Model>::open_read_only(dir.path()).expect("it is read");
    assert_eq!(store.opened_from().checkpoint(), Some(checkpoint));
    drop(store);
    for e in refused::<wider::Model>(dir.path()) {
        let words = "Item.cost of Item/0.1 cannot be carried over: its value cannot be read: ";
        assert!(e.to_string().contains(words), "{e}");
        assert!(!e.to_string().contains("not in the log any more"), "{e}");
        assert_eq!(e.seq(), None);
    }
}
