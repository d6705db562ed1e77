// says: `#[renamed]` is not supported yet
// says: `meta.actor` is not supported yet: of `meta` there is `meta.time`
// says: type parameters on events are not supported yet

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    #[renamed(from = "Purchase")]
    pub struct Order {
        pub placed_by: String,
    }

    #[event]
    #[create(order: Order { placed_by = meta.actor })]
    pub struct Placed {}

    #[event]
    pub struct Noted<T> {
        pub note: T,
    }
}

fn main() {}
