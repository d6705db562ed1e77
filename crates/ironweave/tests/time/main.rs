//! The past and the future of a store: snapshots and their readers, what would happen, what happened, and what happens
//! next. One file is one behaviour; the model is [`bank`].
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod bank;
mod folds_follow_the_log;
mod later_events_see_earlier_ones;
mod long_lists_are_read_in_pages;
mod positions_name_one_history;
mod readers_see_whole_transactions;
mod replaced_logs_are_noticed;
mod restored_logs_are_noticed;
mod snapshots_show_what_would_happen;
#[cfg(feature = "sqlite")]
mod sql;
mod stores_have_clocks;
#[cfg(feature = "async")]
mod streams_follow_the_log;
mod subscriptions_follow_the_log;
mod the_past_is_read_from_the_log;
