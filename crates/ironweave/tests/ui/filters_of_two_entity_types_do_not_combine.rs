// says: expected `Filter<Want>`, found `Filter<JobRun>`

include!("support/build.rs");

use build::{state::*, *};
use ironweave::prelude::*;

fn look(store: &Store<build::Model>) -> usize {
    (Want::in_place::<Idle>() & JobRun::LABEL.eq("a")).count(store)
}

fn main() {}
