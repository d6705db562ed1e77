// rustc: E0277

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn find(store: &Store<build::Model>) -> Option<Partition> {
    store.find::<Partition>(&7)
}

fn main() {}
