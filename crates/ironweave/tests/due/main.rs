//! Events that are due: a store lists them in order of time, fires them, and drivers do so at the right time. One file is one
//! behaviour; the model is [`desk`].
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod desk;
mod due_events_fire_in_order_of_time;
mod rejected_due_events_wait;
#[cfg(feature = "async")]
mod tasks_fire_what_is_due;
mod the_list_is_what_a_scan_finds;
mod threads_fire_what_is_due;
