// says: `OrderState` becomes an enum of tokens, each of which can be used only once: remove `Clone` (a plain handle, `token.any()`, can be copied)
// says: `order` of `Refusal` is a token, which can be used only once: remove `Clone`, or bind a plain handle (an `AnyEvent` can be cloned)

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[derive(Clone, Debug)]
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Refused)]
        Open,
        #[terminal]
        Refused,
    }

    #[derive(Clone, Debug)]
    #[event]
    #[moves(order: Open -> Refused)]
    pub struct Refusal {
        pub order: Order<Open>,
    }
}

fn main() {}
