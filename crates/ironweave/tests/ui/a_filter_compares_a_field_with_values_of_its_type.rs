// says: a field of type `String` cannot be compared with `{integer}`

include!("support/build.rs");

use build::*;
use ironweave::prelude::*;

fn look(store: &Store<build::Model>) -> usize {
    JobRun::LABEL.eq(7).count(store)
}

fn main() {}
