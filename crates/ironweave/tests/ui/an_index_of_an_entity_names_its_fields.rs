// says: `prise` is not a field of `Order`: did you mean `price`?

#[ironweave::model]
pub mod exchange {
    use ironweave::prelude::*;

    #[entity]
    pub struct Book {
        pub orders: Many<Order>,
    }

    #[entity]
    #[index(ordered, fields = [book, prise], while = Open | PartlyFilled)]
    pub struct Order {
        #[inverse(Book::orders)]
        pub book: Option<Book>,
        pub price: u64,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(PartlyFilled)]
        Open,
        #[terminal]
        PartlyFilled,
    }
}

fn main() {}
