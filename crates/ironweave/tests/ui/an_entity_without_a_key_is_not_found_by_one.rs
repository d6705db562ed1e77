// says: has no key
// says: put `#[key]` on one of its fields

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn find(store: &Store<build::Model>) -> Option<Want> {
    store.find::<Want>("mine")
}

fn main() {}
