// rustc: E0599

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn why(partition: Partition, store: &Store<build::Model>) -> String {
    partition.reason(store).to_owned()
}

fn main() {}
