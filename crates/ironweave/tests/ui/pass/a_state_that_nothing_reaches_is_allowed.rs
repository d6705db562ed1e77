use ironweave::prelude::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid,
        /// For later.
        #[allow(unreached)]
        #[to(Paid)]
        OnHold,
    }
}

fn main() {
    let store = Store::<shop::Model>::memory();
    assert_eq!(store.count::<shop::Order, shop::state::OnHold>(), 0);
}
