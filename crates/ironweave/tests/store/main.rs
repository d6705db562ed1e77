//! What a store promises beyond its steps: its writer and readers, its model, metadata, and many threads. One file is one
//! behaviour; the models are [`lamps`], [`desk`] and [`accounts`].
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod a_torn_tail_is_cut;
mod accounts;
mod another_model_is_refused;
mod archived_segments_answer_and_dropped_ones_refuse;
mod batches_are_single_steps;
mod changed_models_open_their_logs;
mod changed_types_and_events_read_their_logs;
mod checkpoints_are_written_while_steps_go_on;
mod checkpoints_fit_the_edges_of_the_model;
mod conflicts_are_detected_and_retried;
mod desk;
mod idempotency_keys_expire;
mod idempotency_keys_repeat_receipts;
mod killed_threads_keep_their_receipts;
pub mod lamps;
mod many_threads_share_a_store;
mod metadata_is_logged;
mod one_writer_at_a_time;
mod paranoid_stores_check_user_code;
mod readers_follow_a_store_that_steps;
#[cfg(feature = "async")]
mod tasks_share_a_store;
#[cfg(feature = "async")]
mod tasks_share_a_store_badly;
pub mod the_past_does_not_block_writers;
mod the_past_is_what_writers_committed;
mod tickets_are_served_together;
