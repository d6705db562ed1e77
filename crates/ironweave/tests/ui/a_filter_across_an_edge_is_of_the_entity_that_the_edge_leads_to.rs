// says: expected `Filter<JobRun>`, found `Filter<Want>`

include!("support/build.rs");

use build::{state::*, *};
use ironweave::prelude::*;

fn look(store: &Store<build::Model>) -> usize {
    Partition::BUILT_BY.any(Want::in_place::<Idle>()).count(store)
}

fn main() {}
