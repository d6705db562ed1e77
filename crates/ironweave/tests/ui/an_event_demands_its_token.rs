use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn start(store: &mut Store<build::Model>, succeeded: JobRun<Succeeded>, any: JobRun) {
    store.step(JobStarted { run: succeeded });
    store.step(JobStarted { run: any });
}

fn main() {}
