// says: , nor a tuple of up to four

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn look(store: &Store<build::Model>) {
    let _ = store.place::<Partition, Queued>();
}

fn main() {}
