// says: `f64` cannot be a key, because NaN is not equal to itself: use an integer, for example of cents

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[key]
        pub price: f64,
    }
}

fn main() {}
