use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn fire(store: &mut Store<build::Model>, want: Want) {
    store.step(WantSatisfied { want });
}

fn main() {}
