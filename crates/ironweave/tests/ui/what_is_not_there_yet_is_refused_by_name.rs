// says: type parameters on events are not supported yet

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub placed_by: String,
    }

    #[event]
    #[create(order: Order { placed_by })]
    pub struct Placed {
        pub placed_by: String,
    }

    #[event]
    pub struct Noted<T> {
        pub note: T,
    }
}

fn main() {}
