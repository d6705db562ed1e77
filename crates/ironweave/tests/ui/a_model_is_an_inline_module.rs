// says: `#[ironweave::model]` belongs on an inline module: `pub mod name { .. }`

#[ironweave::model]
pub struct Order {
    pub note: String,
}

fn main() {}
