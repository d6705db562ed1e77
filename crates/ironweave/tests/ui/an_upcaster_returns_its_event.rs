// rustc: E0308

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
    }

    #[event]
    #[upcast(from = "Ordered", with = crate::note)]
    #[create(order: Order { note })]
    pub struct Placed {
        pub note: String,
    }
}

fn note(logged: &ironweave::LoggedEvent<'_>) -> Result<String, ironweave::UpcastError> {
    logged.get("text")
}

fn main() {}
