use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn start(store: &mut Store<build::Model>, queued: JobRun<Queued>) {
    store.step(JobStarted { run: queued });
    store.step(JobStarted { run: queued });
}

fn main() {}
