// says: an end that holds many is not one entity

include!("support/build.rs");

use build::*;
use ironweave::prelude::*;

fn look(store: &Store<build::Model>, partition: Partition) -> usize {
    Want::PARTITIONS.is(partition).count(store)
}

fn main() {}
