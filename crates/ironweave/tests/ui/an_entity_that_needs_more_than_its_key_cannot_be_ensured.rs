// says: `Ensure<Customer>` cannot create a `Customer`: its field `credit` has no `#[default]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
        pub credit: i64,
    }

    #[event]

    pub struct Changed {
        pub customer: Ensure<Customer>,
    }
}

fn main() {}
