// says: a field owns its value: write `String`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: &'static str,
    }
}

fn main() {}
