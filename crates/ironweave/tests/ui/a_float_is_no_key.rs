// says: `f64` cannot be a key, since NaN is not equal to itself: use a whole number, of cents or micrometres

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
