// rustc: E0382

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn start(store: &mut Store<build::Model>, queued: JobRun<Queued>) {
    store.step(JobStarted { run: queued });
    store.step(JobStarted { run: queued });
}

fn main() {}
