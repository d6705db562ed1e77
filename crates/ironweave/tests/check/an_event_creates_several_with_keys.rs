//! Several fields of one event give keys to new entities, by `create` or `Ensure`. By default keys, all patterns of equal and different
//! keys are tried.

use ironweave::check::{Checker, Report};

#[ironweave::model]
pub mod bank {
    use ironweave::prelude::*;

    #[entity]
    pub struct Account {
        #[key]
        pub name: String,
        pub pays: Many<Account>,
        #[inverse(Account::pays)]
        pub paid_by: Many<Account>,
    }

    #[event]
    #[create(left: Account { name = first })]
    #[create(right: Account { name = second })]
    #[link(left.pays += right)]
    pub struct Opened {
        pub first: String,
        pub second: String,
    }

    #[event]
    #[link(from.pays += to)]
    pub struct Ordered {
        pub from: Ensure<Account>,
        pub to: Ensure<Account>,
    }

    #[event]
    #[link(by.pays += others)]
    pub struct Shared {
        pub others: Vec<Ensure<Account>>,
        pub by: Ensure<Account>,
    }
}

use bank::*;

fn checker(accounts: usize) -> Checker<Model> {
    Checker::new().entities::<Account>(accounts)
}

/// The report of what happens first.
fn first(accounts: usize) -> Report<Model> {
    checker(accounts)
        .depth_max(1)
        .check()
        .expect("all domains are given")
}

#[test]
fn by_create() {
    let report = first(2);
    let counts = report.event("Opened").expect("an event");
    // Equal keys are rejected.
    assert_eq!(
        (counts.tried, counts.fired, counts.rejected),
        (2, 1, 1),
        "{report}"
    );
}

#[test]
fn by_ensure() {
    let report = first(2);
    let counts = report.event("Ordered").expect("an event");
    // An account pays itself or another one.
    assert_eq!((counts.tried, counts.fired), (2, 2), "{report}");
}

#[test]
fn by_sets() {
    let report = first(3);
    let counts = report.event("Shared").expect("an event");
    // The set has no account, or up to three. The other field has one of these, or a fourth one, but only three may exist.
    assert_eq!(counts.fired, 1 + 2 + 3 + 3, "{report}");
}

/// If all keys are tried, and are then taken for equal, the same states are found.
#[test]
fn the_states_are_those_of_keys_without_a_meaning() {
    for accounts in 1..=3 {
        let next = checker(accounts).symmetry().assert_properties();
        let all = checker(accounts)
            .keys::<Account, _>(["a", "b", "c", "d", "e", "f"])
            .symmetry()
            .symmetric_keys::<Account>()
            .assert_properties();
        assert_eq!(next.states(), all.states(), "{next}{all}");
        assert!(next.is_complete() && all.is_complete());
    }
}
