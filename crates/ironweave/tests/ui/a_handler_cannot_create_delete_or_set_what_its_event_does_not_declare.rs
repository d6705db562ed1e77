use ironweave::prelude::*;
use shop::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
        #[inverse(Order::customer)]
        pub orders: Many<Order>,
    }

    #[entity]
    pub struct Order {
        #[edge(data = u32)]
        pub customer: Customer,
    }

    #[event]
    #[may(link Order.customer)]
    pub struct Handled {
        pub order: Order,
    }
}

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let customer = tx.ensure::<Customer>("ada")?;
        tx.create(NewOrder {
            customer,
            customer_data: 1,
        })?;
        bound.order.set_customer_data(tx, &customer, 2)?;
        bound.order.delete(tx)
    }
}

fn main() {}
