// rustc: E0283

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn nothing(store: &mut Store<shop::Model>) -> Result<(), StepError> {
    let ((), _) = store.transaction(|t| {
        let _: usize = t.count::<Order, Any>();
        Ok(())
    })?;
    Ok(())
}

fn main() {}
