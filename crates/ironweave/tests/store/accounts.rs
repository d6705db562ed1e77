//! Accounts, with a guard and a handler that panic.

pub use model::*;

use ironweave::prelude::*;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Account {
        #[key]
        pub owner: String,
        #[default(0u64)]
        pub balance: u64,
    }
    #[states(Account)]
    pub enum AccountState {
        #[initial]
        #[to(Closed)]
        Open,
        #[terminal]
        Closed,
    }

    #[event]
    #[create(account: Account { owner })]
    pub struct Opened {
        pub owner: String,
    }

    #[event]
    #[guard(crate::accounts::sane)]
    #[set(account.balance = balance)]
    pub struct Set {
        pub account: Account,
        pub balance: u64,
    }

    #[event]
    #[set(account.balance = 7)]
    #[may(Account: Open -> Closed)]
    pub struct Shut {
        pub account: Account,
    }
}

/// A guard that panics on one balance.
pub fn sane(event: &Set, _: &impl Db) -> Result<(), Reject> {
    assert_ne!(event.balance, 666, "this balance panics");
    Ok(())
}

impl Apply for Shut {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if let Some(open) = bound.account.in_state::<state::Open>(tx) {
            open.to_closed(tx)?;
        }
        panic!("after the arcs and a move");
    }
}

pub fn owner(name: impl ToString) -> Opened {
    Opened {
        owner: name.to_string(),
    }
}

pub fn paranoid() -> SharedStore<Model> {
    Store::paranoid().share()
}
