// says: is not an event that a program can fire
// says: events are the structs with `#[event]` in a model; an `#[immediate]` one fires by itself

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn fire(store: &mut Store<build::Model>, want: Want) {
    store.step(WantSatisfied { want });
}

fn main() {}
