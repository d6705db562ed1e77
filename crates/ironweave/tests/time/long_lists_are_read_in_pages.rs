//! Long histories, long lists of entities and long lists of links are read in pages, each of which is the part of the whole that it
//! should be.

use ironweave::Seq;
use ironweave::prelude::*;

use crate::bank::{Account, Closed, Empowered, Froze, Model, Opened, Thawed, open, transfer};
use crate::harness::{temp_dir, unsynced};

#[test]
fn the_pages_of_a_history_are_the_transactions_of_the_history() {
    let dir = temp_dir();
    let options = unsynced::<Model>().segment_bytes_max(4_096);
    let mut store = options.open(dir.path()).expect("the store opens");
    let bank = open(&mut store, 4);
    let mut accounts: Vec<Account> = store.place::<Account, Any>().collect();
    for i in 0..300u64 {
        store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
        if i % 7 == 3 {
            let account = store.find::<Account>(&(i % 4)).expect("it is open");
            let why = "a doubt".into();
            store.step(Froze { account, why });
            store.step(Thawed { account });
        }
        if i % 50 == 20 {
            // Another account takes the slot of one that is closed.
            let number = 900 + i;
            let opened = Opened {
                bank,
                number,
                balance: 0,
            };
            let account = store.step(opened).created.account;
            store.step(Closed { account });
            accounts.push(account);
        }
    }
    let reader = store.reader();
    for account in accounts {
        let entity = store.by_name().entity_type("Account").expect("it is one");
        let entity = entity.at(account.id()).map(|entity| entity.entity_ref());
        let entity = entity.unwrap_or_else(|| ironweave::EntityRef {
            entity: "Account".into(),
            id: account.id(),
            key: None,
        });
        let whole = store.history(account).expect("the log can be read");
        let mut whole: Vec<Seq> = whole.iter().map(|entry| entry.seq()).collect();
        whole.dedup();
        whole.reverse();
        let page = |before: Option<Seq>, most| -> Vec<Seq> {
            let records = reader.last_about_by_name(&entity, before, most);
            let records = records.expect("the log can be read");
            records.iter().map(ironweave::Record::seq).collect()
        };
        assert_eq!(page(None, usize::MAX), whole);
        assert!(page(None, 0).is_empty());
        for most in [1, 3, 64] {
            let (mut all, mut before) = (Vec::new(), None);
            loop {
                let next = page(before, most);
                assert!(next.len() <= most);
                let Some(last) = next.last() else {
                    break;
                };
                before = Some(*last);
                all.extend(next);
            }
            assert_eq!(all, whole, "pages of {most}");
        }
        // Before any frame, also one that is not about the entity, and one that the log does not have.
        let last = store.seq().expect("it has frames");
        for before in (0..=last.get() + 3).step_by(11).map(Seq::new) {
            let expected: Vec<Seq> = whole.iter().copied().filter(|seq| *seq < before).collect();
            assert_eq!(page(Some(before), usize::MAX), expected, "before {before}");
        }
    }
}

#[test]
fn the_pages_of_entities_and_links_are_those_of_the_whole_list() {
    let mut store = Store::<Model>::memory();
    let bank = open(&mut store, 0);
    // Groups of 4,096 slots, of which some are empty, and states that alternate.
    let mut accounts = Vec::new();
    for number in 0..13_000u64 {
        let opened = store.step(Opened {
            bank,
            number,
            balance: 0,
        });
        accounts.push(opened.created.account);
    }
    for (ix, account) in accounts.iter().copied().enumerate() {
        match ix {
            4_000..9_000 => drop(store.step(Closed { account })),
            _ if ix % 3 == 0 => drop(store.step(Froze {
                account,
                why: String::new(),
            })),
            _ => {}
        }
    }
    for person in ["ann", "bob", "eve"] {
        let (account, limit) = (accounts[1], 1);
        store.step(Empowered {
            account,
            person: person.into(),
            limit,
        });
    }
    let snapshot = store.snapshot();
    for view in [store.by_name(), snapshot.by_name()] {
        let of = view.entity_type("Account").expect("it is one");
        for state in [None, Some("Open"), Some("Frozen")] {
            let whole: Vec<ironweave::Id> = match state {
                Some(state) => of
                    .entities_in(state)
                    .expect("it is one")
                    .map(|e| e.id())
                    .collect(),
                None => of.entities().map(|e| e.id()).collect(),
            };
            for ix in [
                0, 1, 63, 64, 3_999, 4_000, 4_095, 4_096, 8_191, 8_192, 8_999, 12_998, 12_999,
            ] {
                let after = accounts[ix].id();
                let expected = whole.iter().filter(|id| id.slot() > after.slot());
                let found = of.entities_after(state, after).expect("it is one");
                assert!(
                    found.map(|e| e.id()).eq(expected.copied()),
                    "{state:?} after {ix}"
                );
            }
        }
        assert!(of.entities_after(Some("Shut"), accounts[0].id()).is_err());
        let bank = view.entity_type("Bank").expect("it is one");
        let bank = bank.entities().next().expect("there is one");
        let whole: Vec<_> = bank
            .links("accounts")
            .expect("it is one")
            .map(|l| l.entity().id())
            .collect();
        for first in [
            0,
            1,
            511,
            512,
            513,
            whole.len() - 1,
            whole.len(),
            usize::MAX,
        ] {
            let found = bank.links_from("accounts", first).expect("it is one");
            let expected = whole.iter().copied().skip(first);
            assert!(
                found.map(|link| link.entity().id()).eq(expected),
                "from {first}"
            );
        }
        let signed = of.at(accounts[1].id()).expect("it is open");
        assert_eq!(signed.links_from("signers", 2).expect("it is one").len(), 1);
        assert!(bank.links_from("account", 0).is_err());
    }
}
