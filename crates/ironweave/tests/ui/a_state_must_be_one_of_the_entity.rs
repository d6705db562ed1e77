use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn look(store: &Store<build::Model>, want: Want) -> bool {
    let _: Option<Want<Running>> = None;
    store.place::<Partition, Queued>().next().is_none() && want.is::<Missing>(store)
}

fn main() {}
