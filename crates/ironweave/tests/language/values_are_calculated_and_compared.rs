//! Arcs add and subtract values, and a `when` compares values and counts entities.

use std::time::Duration;

use ironweave::{CheckedAdd, CheckedSub, ManualClock};
use serde::{Deserialize, Serialize};

use ironweave::prelude::*;

use super::assert_sound;

/// An amount of money, a type of the user that arcs can add and subtract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cents(pub i64);

impl CheckedAdd for Cents {
    type Output = Self;

    fn checked_sum(&self, other: &Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl CheckedSub for Cents {
    type Output = Self;

    fn checked_difference(&self, other: &Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

#[ironweave::model]
pub mod bank {
    use std::time::Duration;

    use super::Cents;
    use ironweave::prelude::*;

    #[entity]
    pub struct Account {
        #[key]
        pub number: String,
        pub balance: Cents,
        pub limit: Cents,
        pub uses: u8,
        #[inverse(Transfer::source)]
        pub outgoing: Many<Transfer>,
        #[inverse(Approval::account)]
        pub approvals: Many<Approval>,
    }

    #[entity]
    pub struct Approval {
        pub account: Option<Account>,
    }
    #[states(Approval)]
    pub enum ApprovalState {
        #[initial]
        #[to(Given)]
        Asked,
        #[terminal]
        Given,
    }

    #[entity]
    pub struct Transfer {
        pub source: Account,
        pub amount: Cents,
    }
    #[states(Transfer)]
    pub enum TransferState {
        #[initial]
        #[to(Held)]
        Open,
        #[to(Late, Held)]
        Held { until: Timestamp },
        #[terminal]
        Late { by: Duration },
    }

    #[event]
    #[create(account: Account { number, balance = start, limit = start + start, uses = 250 })]
    pub struct Opened {
        pub number: String,
        pub start: Cents,
    }

    /// Another account with the sum of both balances.
    #[event]
    #[create(account: Account { number, balance = a.balance + b.balance, limit = a.limit, uses = 0 })]
    pub struct Joined {
        pub number: String,
        pub a: Account,
        pub b: Account,
    }

    #[event]
    #[when(amount + amount <= account.limit + account.balance)]
    #[when(account.number != other)]
    #[set(account.balance = account.balance + amount - fee)]
    #[set(account.uses = account.uses + 1)]
    pub struct Paid {
        pub account: Account,
        pub amount: Cents,
        pub fee: Cents,
        pub other: String,
    }

    #[event]
    #[set(account.balance = other.balance - (account.balance - other.balance))]
    #[set(other.balance = account.balance)]
    pub struct Mirrored {
        pub account: Account,
        pub other: Account,
    }

    #[event]
    #[create(approval: Approval)]
    #[link(approval.account += account)]
    pub struct ApprovalAsked {
        pub account: Account,
    }

    #[event]
    #[moves(approval: Asked -> Given)]
    pub struct ApprovalGiven {
        pub approval: Approval<Asked>,
    }

    /// Two approvals are needed, and fewer than `most` transfers.
    #[event]
    #[when(count account.approvals in Given >= 2)]
    #[when(count account.outgoing < most)]
    #[create(transfer: Transfer { amount })]
    #[link(transfer.source += account)]
    pub struct TransferMade {
        pub account: Account,
        pub amount: Cents,
        pub most: i8,
    }

    #[event]
    #[moves(transfer: Open | Held -> Held { until = meta.time + hold })]
    pub struct TransferHeld {
        pub transfer: Transfer,
        pub hold: Duration,
    }

    /// It holds only after the time until which it was held.
    #[event]
    #[when(meta.time >= transfer.Held.until)]
    #[moves(transfer: Held -> Late { by = meta.time - transfer.Held.until })]
    pub struct TransferLate {
        pub transfer: Transfer,
    }
}

use bank::*;

fn opened(store: &mut Store<bank::Model>, number: &str, start: i64) -> Account {
    let start = Cents(start);
    let number = number.into();
    store.step(Opened { number, start }).created.account
}

fn paid(account: Account, amount: i64, fee: i64) -> Paid {
    Paid {
        account,
        amount: Cents(amount),
        fee: Cents(fee),
        other: "x".into(),
    }
}

#[test]
fn arcs_add_and_subtract() {
    let mut store = Store::<bank::Model>::memory();
    let account = opened(&mut store, "a", 100);
    assert_eq!(*account.limit(&store), Cents(200));
    store.step(paid(account, 50, 7));
    assert_eq!(*account.balance(&store), Cents(143));
    assert_eq!(account.uses(&store), 251);
    assert_sound(&store);
}

#[test]
fn a_calculation_reads_values_as_they_were_before_the_event() {
    let mut store = Store::<bank::Model>::memory();
    let [account, other] =
        [("a", 10), ("b", 3)].map(|(name, start)| opened(&mut store, name, start));
    store.step(Mirrored { account, other });
    assert_eq!(*account.balance(&store), Cents(-4));
    assert_eq!(*other.balance(&store), Cents(10));
    let number = "c".into();
    let joined = store
        .step(Joined {
            number,
            a: account,
            b: other,
        })
        .created
        .account;
    assert_eq!(*joined.balance(&store), Cents(6));
    assert_eq!(*joined.limit(&store), Cents(20));
}

#[test]
fn an_event_whose_calculation_overflows_is_rejected() {
    let mut store = Store::<bank::Model>::memory();
    let account = opened(&mut store, "a", 1);
    for _ in 0..5 {
        store.step(paid(account, 0, 0));
    }
    assert_eq!(account.uses(&store), 255);
    let error = store.try_step(paid(account, 0, 0)).unwrap_err();
    assert!(
        matches!(&error, StepError::Overflow { calculation, .. } if &**calculation == "account.uses + 1")
    );
    assert_eq!(error.to_string(), "Paid: `account.uses + 1` overflows");
    // In a `create`, and in a condition.
    let error = store.try_step(Opened {
        number: "b".into(),
        start: Cents(i64::MAX),
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "Opened: `start + start` overflows"
    );
    let error = store.try_step(paid(account, i64::MAX, 0)).unwrap_err();
    let text = "Paid: `amount + amount <= account.limit + account.balance` overflows";
    assert_eq!(error.to_string(), text);
    assert_eq!(store.count::<Account, Any>(), 1);
    assert_sound(&store);
}

#[test]
fn values_are_compared() {
    let mut store = Store::<bank::Model>::memory();
    let account = opened(&mut store, "a", 100);
    // 150 + 150 <= 200 + 100.
    store.step(paid(account, 150, 150));
    let error = store.try_step(paid(account, 151, 0)).unwrap_err();
    let text = "Paid: `when(amount + amount <= account.limit + account.balance)` does not hold";
    assert_eq!(error.to_string(), text);
    let same = Paid {
        other: "a".into(),
        ..paid(account, 1, 0)
    };
    let error = store.try_step(same).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Paid: `when(account.number != other)` does not hold"
    );
}

#[test]
fn entities_are_counted() {
    let mut store = Store::<bank::Model>::memory();
    let account = opened(&mut store, "a", 100);
    let made = |most| TransferMade {
        account,
        amount: Cents(1),
        most,
    };
    for given in 0..3 {
        let result = store.try_step(made(9));
        let text = "TransferMade: `when(count account.approvals in Given >= 2)` does not hold";
        match result {
            Ok(_) => assert_eq!(given, 2),
            Err(e) => assert_eq!((e.to_string().as_str(), given < 2), (text, true)),
        }
        let approval = store.step(ApprovalAsked { account }).created.approval;
        let approval = approval.in_state::<state::Asked>(&store).expect("new");
        store.step(ApprovalGiven { approval });
    }
    // One transfer was made.
    for most in [-1, 0, 1] {
        let error = store.try_step(made(most)).unwrap_err();
        let text = "TransferMade: `when(count account.outgoing < most)` does not hold";
        assert_eq!(error.to_string(), text);
    }
    store.step(made(2));
}

#[test]
fn times_are_calculated_and_compared() {
    let clock = ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<bank::Model>::options()
        .clock(clock.clone())
        .memory();
    let account = opened(&mut store, "a", 100);
    for _ in 0..2 {
        let approval = store.step(ApprovalAsked { account }).created.approval;
        let approval = approval.in_state::<state::Asked>(&store).expect("new");
        store.step(ApprovalGiven { approval });
    }
    let made = TransferMade {
        account,
        amount: Cents(1),
        most: 9,
    };
    let transfer = store.step(made).created.transfer;
    // It has no time yet, so the condition does not hold.
    let error = store.try_step(TransferLate { transfer }).unwrap_err();
    let text = "TransferLate: `when(meta.time >= transfer.Held.until)` does not hold";
    assert_eq!(error.to_string(), text);
    let hold = Duration::from_secs(60);
    store.step(TransferHeld { transfer, hold });
    assert!(store.try_step(TransferLate { transfer }).is_err());
    clock.advance(Duration::from_secs(63));
    let late = store.step(TransferLate { transfer }).bound.transfer;
    assert_eq!(late.by(&store), Duration::from_secs(3));
    let error = store
        .try_step(TransferHeld {
            transfer,
            hold: Duration::MAX,
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "TransferHeld: `meta.time + hold` overflows"
    );
    assert_sound(&store);
}
