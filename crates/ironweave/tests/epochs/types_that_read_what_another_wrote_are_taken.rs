//! A type is replaced by another one that reads the same data and would write it otherwise, such as a struct with one field more. The
//! values are written as the new type writes them at the beginning of the epoch, so that each reader of the log has the same graph.

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::{assert_consistent, temp_dir};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    pub cents: u32,
}

/// As `Money`, with one field more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    pub cents: u32,
    #[serde(default)]
    pub currency: String,
}

impl Price {
    fn without_currency(cents: u32) -> Self {
        let currency = String::new();
        Self { cents, currency }
    }
}

/// A model with amounts of a type: a field, one with an index, data of a state and data of links. The events have other names in each
/// model, so that those of the earlier one need no upcasters.
macro_rules! shop {
    ($model:ident, $amount:ty, $made:ident, $joined:ident, $bought:ident) => {
        #[allow(
            clippy::wrong_self_convention,
            reason = "the name of the method comes from the state"
        )]
        #[ironweave::model]
        pub mod $model {
            use ironweave::prelude::*;

            #[entity]
            pub struct Item {
                #[key]
                pub number: u32,
                pub cost: $amount,
                #[index]
                pub list: $amount,
                #[edge(data = $amount)]
                pub with: Many<Item>,
                #[inverse(Item::with)]
                pub of: Many<Item>,
            }
            #[states(Item)]
            pub enum ItemState {
                #[initial]
                #[to(Sold)]
                Here,
                #[terminal]
                Sold { paid: $amount },
            }

            #[event]
            #[create(item: Item { number, cost, list = cost })]
            pub struct $made {
                pub number: u32,
                pub cost: $amount,
            }

            #[event]
            #[link(item.with += with { data = saved })]
            pub struct $joined {
                pub item: Key<Item>,
                pub with: Key<Item>,
                pub saved: $amount,
            }

            #[event]
            #[moves(item: Here -> Sold { paid })]
            pub struct $bought {
                pub item: Key<Item>,
                pub paid: $amount,
            }
        }
    };
}

shop!(before, super::Money, Made, Joined, Bought);
shop!(after, super::Price, Produced, Combined, Sale);

#[test]
fn values_are_written_as_their_new_type_writes_them() {
    let dir = temp_dir();
    let mut store = Store::<before::Model>::open(dir.path()).expect("the store opens");
    for (number, cents) in [(1, 5), (2, 6)] {
        let cost = Money { cents };
        store.step(before::Made { number, cost });
    }
    let (item, with) = (Key::new(1u32), Key::new(2u32));
    let saved = Money { cents: 1 };
    store.step(before::Joined { item, with, saved });
    let paid = Money { cents: 4 };
    let item = Key::new(2u32);
    store.step(before::Bought { item, paid });
    let last = store.seq().expect("it has frames");
    drop(store);

    let has_all = |store: &Store<after::Model>| {
        assert_consistent(store);
        let first = store.find::<after::Item>(&1).expect("the item");
        let second = store.find::<after::Item>(&2).expect("the item");
        assert_eq!(*first.cost(store), Price::without_currency(5));
        let listed: Vec<_> = after::Item::by_list(store, &Price::without_currency(6)).collect();
        assert_eq!(listed, [second]);
        let sold = second.in_state::<after::state::Sold>(store);
        let paid = sold.expect("it is sold").paid(store);
        assert_eq!(*paid, Price::without_currency(4));
    };
    let store = Store::<after::Model>::open_read_only(dir.path()).expect("the types read it");
    has_all(&store);
    drop(store);

    let mut store = (Store::<after::Model>::options().paranoid())
        .open(dir.path())
        .expect("the types read it");
    has_all(&store);
    store.step(after::Sale {
        item: Key::new(1u32),
        paid: Price {
            cents: 7,
            currency: "EUR".to_owned(),
        },
    });
    store.checkpoint().expect("it is written");
    let fingerprint = store.fingerprint();
    store.verify().expect("the same facts");
    drop(store);

    let store = Store::<after::Model>::open(dir.path()).expect("the log is read again");
    assert_eq!(store.fingerprint(), fingerprint);
    has_all(&store);
    store.verify().expect("the same facts");
    drop(store);
    let store = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be opened");
    assert_eq!(store.fingerprint(), fingerprint);
    assert_consistent(&store);
    store.verify().expect("the log is whole");
    let then = store.as_of(last).expect("it is in the log");
    assert_consistent(&then);
}

/// An entity type whose key is of a type.
macro_rules! tags {
    ($model:ident, $key:ty, $printed:ident) => {
        #[ironweave::model]
        pub mod $model {
            use ironweave::prelude::*;

            #[entity]
            pub struct Tag {
                #[key]
                pub price: $key,
            }

            #[event]
            #[create(tag: Tag { price })]
            pub struct $printed {
                pub price: $key,
            }
        }
    };
}

tags!(cheap, super::Money, Printed);
tags!(dear, super::Price, Engraved);

#[test]
fn a_key_that_would_be_written_otherwise_is_refused() {
    let dir = temp_dir();
    let mut store = Store::<cheap::Model>::open(dir.path()).expect("the store opens");
    let price = Money { cents: 1 };
    store.step(cheap::Printed { price });
    drop(store);
    let e = Store::<dear::Model>::open(dir.path()).expect_err("another key");
    let words = "Tag.price of Tag/0.1: the new type of the key encodes it differently than it is in the log; keep the type of the key";
    assert!(e.to_string().contains(words), "{e}");
    let store = Store::<cheap::Model>::open(dir.path()).expect("it is untouched");
    store.verify().expect("the same facts");
}
