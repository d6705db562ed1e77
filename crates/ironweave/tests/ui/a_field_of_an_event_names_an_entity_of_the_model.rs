// says: `Custmer` is not an entity of this model: did you mean `Customer`?

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
    }

    #[event]

    pub struct Changed {
        pub customer: Ensure<Custmer>,
    }
}

fn main() {}
