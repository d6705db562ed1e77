//! What queries find: random filters beside plain loops, named entities, and pages.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod an_index_of_several_parts_is_used;
mod ask;
mod equality_is_that_of_the_index;
mod few_entities_are_read;
#[path = "hospital.rs"]
mod models;
mod named_entities_may_be_gone;
mod pages_continue_after_their_position;
mod results_are_those_of_plain_loops;
mod world;

use models::hospital;
