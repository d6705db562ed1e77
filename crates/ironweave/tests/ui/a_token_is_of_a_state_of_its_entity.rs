// says: is not a state of `
// says: the states of an entity are the variants of its `#[states(..)]` enum; import them from the model's `state` module

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn wait(_: Want<Running>) {}

fn main() {}
