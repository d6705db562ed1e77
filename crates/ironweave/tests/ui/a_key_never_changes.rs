// says: `name` is the key of `Customer`, and a key never changes

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
    }

    #[event]
    #[set(customer.name = name)]
    pub struct Changed {
        pub customer: Customer,
        pub name: String,
    }
}

fn main() {}
