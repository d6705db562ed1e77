// says: `Ensure<Account>` cannot create a `Account`: its edge `owner` must hold exactly one

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
        #[inverse(Account::owner)]
        pub accounts: Many<Account>,
    }

    #[entity]
    pub struct Account {
        #[key]
        pub number: u64,
        pub owner: Customer,
    }

    #[event]
    #[link(account.owner += owner)]
    pub struct Changed {
        pub account: Ensure<Account>,
        pub owner: Customer,
    }
}

fn main() {}
