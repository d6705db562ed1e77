// says: declares `#[may(..)]` and has no handler
// says: { fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> { .. } }`, or remove the `#[may(..)]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}

    #[event]
    #[may(delete Order)]
    pub struct Canceled {
        pub order: Order,
    }
}

fn main() {}
