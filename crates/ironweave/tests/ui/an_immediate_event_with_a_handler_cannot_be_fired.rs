// says: `shop::Ready` is not an event that a program can fire

use ironweave::prelude::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[to(Packed)]
        Wanted,
        #[terminal]
        Packed,
    }

    #[immediate]
    #[may(delete Line)]
    #[moves(order: Open -> Paid)]
    pub struct Ready {
        pub order: Order,
    }
}

impl Apply for shop::Ready {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn fired(store: &mut Store<shop::Model>, order: shop::Order) {
    store.step(shop::Ready { order });
}

fn main() {}
