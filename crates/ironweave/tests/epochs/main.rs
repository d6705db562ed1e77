//! A log is continued by a program whose model has changed: what is carried over, what is refused, and what a log keeps of it.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod changes_are_taken;
mod changes_that_the_data_does_not_permit_are_refused;
mod hospital;
mod the_past_is_read_with_the_types_of_today;
mod the_past_is_that_of_earlier_epochs;
mod types_that_read_what_another_wrote_are_taken;
mod upcasters_read_logged_events;
mod values_that_a_type_does_not_read_are_named;
mod whole_epochs_are_written;
