//! The record of a transaction: the same from all sources, with net changes, values and JSON.
#![allow(missing_docs)]

mod facts_give_their_values;
mod model;
mod net_changes_are_the_difference_of_graphs;
mod one_transaction_has_one_record;
mod records_are_json;
mod values_have_the_encoding_of_their_epoch;
