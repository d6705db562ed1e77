// says: the method `set_note` would be generated twice: it is already `set_note` of the field `note`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        pub set_note: bool,
    }
}

fn main() {}
