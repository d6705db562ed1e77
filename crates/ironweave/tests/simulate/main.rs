//! A simulation fires the events of a model in simulated time. One file is one behaviour.
#![cfg(feature = "simulate")]
#![allow(missing_docs)]

#[path = "../harness/random.rs"]
mod random;

mod bank;
mod floor;

mod delays_are_read_from_the_past;
mod due_events_fire_at_their_time;
mod misuse_is_an_error;
mod queues_are_as_long_as_theory_says;
mod replications_are_reproducible;
mod the_first_clock_that_ends_fires;
mod time_passes;
