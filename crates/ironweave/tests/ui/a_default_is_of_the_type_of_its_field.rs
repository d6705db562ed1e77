// rustc: E0277

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[default(3)]
        pub note: String,
    }
}

fn main() {}
