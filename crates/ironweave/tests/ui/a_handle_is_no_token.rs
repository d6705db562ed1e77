// rustc: E0308

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn start(store: &mut Store<build::Model>, run: JobRun) {
    store.step(JobStarted { run });
}

fn main() {}
