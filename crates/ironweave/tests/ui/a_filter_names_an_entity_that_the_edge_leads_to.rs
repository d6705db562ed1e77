// says: type mismatch resolving `<Want as Handle>::Entity == JobRun`

include!("support/build.rs");

use build::*;
use ironweave::prelude::*;

fn look(store: &Store<build::Model>, want: Want) -> usize {
    Partition::BUILT_BY.is(want).count(store)
}

fn main() {}
