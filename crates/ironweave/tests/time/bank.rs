//! A bank with accounts, whose snapshots show whether they are a prefix of the log.

pub use model::*;

use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Record, Seq, Subscription};

use crate::harness::unsynced;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bank {
        #[key]
        pub name: String,
        /// How many transfers there were.
        pub transfers: u64,
        #[inverse(Account::bank)]
        pub accounts: Many<Account>,
    }
    #[entity]
    pub struct Account {
        #[key]
        pub number: u64,
        #[index(ordered)]
        pub balance: i64,
        pub bank: Bank,
        /// Who may sign for it.
        #[edge(data = u32)]
        pub signers: Many<Person>,
    }
    #[states(Account)]
    pub enum AccountState {
        #[initial]
        #[to(Frozen)]
        Open,
        #[to(Open)]
        Frozen { why: String },
    }
    #[entity]
    pub struct Person {
        #[key]
        pub name: String,
        #[inverse(Account::signers)]
        pub signs: Many<Account>,
    }

    #[event]
    #[create(bank: Bank { name, transfers = 0 })]
    pub struct Founded {
        pub name: String,
    }
    #[event]
    #[create(account: Account { number, balance })]
    #[link(account.bank += bank)]
    pub struct Opened {
        pub bank: Bank,
        pub number: u64,
        pub balance: i64,
    }
    /// The balances are those after the transfer.
    #[event]
    #[guard(crate::bank::nobody_was_faster)]
    #[guard(crate::bank::nothing_is_lost)]
    #[when(all from in Open)]
    #[set(from.balance = from_balance)]
    #[set(to.balance = to_balance)]
    #[set(bank.transfers = transfers)]
    pub struct Transferred {
        pub bank: Bank,
        pub from: Account,
        pub to: Account,
        pub from_balance: i64,
        pub to_balance: i64,
        pub transfers: u64,
    }
    #[event]
    #[moves(account: Open -> Frozen { why })]
    pub struct Froze {
        pub account: Account,
        pub why: String,
    }
    #[event]
    #[moves(account: Frozen -> Open)]
    pub struct Thawed {
        pub account: Account,
    }
    #[event]
    #[link(account.signers += person { data = limit })]
    pub struct Empowered {
        pub account: Account,
        pub person: Ensure<Person>,
        pub limit: u32,
    }
    #[event]
    #[unlink(account.signers -= person)]
    pub struct Disempowered {
        pub account: Account,
        pub person: Person,
    }
    #[event]
    #[delete(account)]
    pub struct Closed {
        pub account: Account,
    }
    #[invariant(Account, crate::bank::never_overdrawn)]
    pub struct NeverOverdrawn;
}

pub fn nobody_was_faster(e: &Transferred, db: &impl Db) -> Result<(), Reject> {
    let found = e.bank.transfers(db);
    if found + 1 == e.transfers {
        Ok(())
    } else {
        Err(Reject::new(format!("there were {found} transfers")))
    }
}

pub fn nothing_is_lost(e: &Transferred, db: &impl Db) -> Result<(), Reject> {
    let before = e.from.balance(db) + e.to.balance(db);
    if before == e.from_balance + e.to_balance {
        Ok(())
    } else {
        Err(Reject::new(format!("there were {before}")))
    }
}

pub fn never_overdrawn(account: Account, db: &impl Db) -> Result<(), Reject> {
    if account.balance(db) >= 0 {
        Ok(())
    } else {
        Err(Reject::new("the account is overdrawn"))
    }
}

/// A bank with so many accounts, each with 100.
pub fn open(store: &mut Store<Model>, accounts: u64) -> Bank {
    let bank = store.step(Founded { name: "b".into() }).created.bank;
    for number in 0..accounts {
        store.step(Opened {
            bank,
            number,
            balance: 100,
        });
    }
    bank
}

/// A transfer that the present balances allow.
pub fn transfer(db: &impl Db, from: u64, to: u64, amount: i64) -> Transferred {
    let account = |number| {
        db.find::<Account>(&number)
            .expect("the entity or the file exists")
    };
    let bank = db.find::<Bank>("b").expect("the entity or the file exists");
    let (from, to) = (account(from), account(to));
    Transferred {
        bank,
        from,
        to,
        from_balance: from.balance(db) - amount,
        to_balance: to.balance(db) + amount,
        transfers: bank.transfers(db) + 1,
    }
}

/// What a reader sees of a snapshot.
#[derive(Clone, Debug)]
pub struct Seen {
    pub seq: Seq,
    pub transfers: u64,
    pub total: i64,
}

pub fn look(snapshot: &Snapshot<Model>) -> Seen {
    let bank = snapshot
        .find::<Bank>("b")
        .expect("the entity or the file exists");
    Seen {
        seq: snapshot.seq().expect("it has a schema"),
        transfers: bank.transfers(snapshot),
        total: bank.accounts(snapshot).map(|a| a.balance(snapshot)).sum(),
    }
}

/// What is wrong with the snapshots that a reader saw in turn, of a bank whose first transfer is frame `first`: one shows half a
/// step, is older than the one before, or is no prefix of the log.
pub fn wrong(seen: &[Seen], first: impl Into<Seq>, total: i64) -> Option<String> {
    let first = first.into();
    let mut last = Seq::ZERO;
    for s in seen {
        if s.total != total {
            return Some(format!("half a step: {s:?}"));
        }
        if s.seq + 1 != first + s.transfers {
            return Some(format!("no prefix: {s:?}"));
        }
        if s.seq < last {
            return Some(format!("backwards: {s:?} after {last}"));
        }
        last = s.seq;
    }
    None
}

/// Which of the errors about a place in the log a result is, if any.
pub fn kind<T>(result: Result<T, impl Into<ReadError>>) -> &'static str {
    match result.map_err(Into::into) {
        Ok(_) => "fine",
        Err(e) if e.is_ahead() => "ahead",
        Err(e) if e.is_other_history() => "other history",
        Err(e) if e.is_before_beginning() => "not found",
        Err(ReadError::InvalidRange { .. }) => "not found",
        Err(e) => panic!("{e}"),
    }
}

/// A store on disk whose segments have few frames.
pub fn on_disk(dir: &Path) -> Store<Model> {
    let options = unsynced().segment_bytes_max(4_096);
    options.open(dir).expect("the store opens")
}

/// The records that a subscription delivers without waiting.
pub fn told(subscription: &mut Subscription<Model>) -> Vec<Record<Model>> {
    let next = || subscription.try_next().expect("the log can be read");
    std::iter::from_fn(next).collect()
}

/// A step that is never rejected.
pub fn found(store: &mut Store<Model>, name: &str) -> Seq {
    store.step(Founded { name: name.into() }).seq
}
