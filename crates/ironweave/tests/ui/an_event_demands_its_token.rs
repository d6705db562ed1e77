// rustc: E0308

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn start(store: &mut Store<build::Model>, succeeded: JobRun<Succeeded>) {
    store.step(JobStarted { run: succeeded });
}

fn main() {}
