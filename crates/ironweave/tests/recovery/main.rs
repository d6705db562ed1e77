//! What is in a log after a program was killed, or after its files were cut or changed, and random histories with an
//! oracle: all of the README's model.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/readme/mod.rs"]
mod readme;

mod damaged_checkpoints_are_ignored;
mod damaged_logs_are_prefixes_or_refused;
mod killed_writers_keep_their_receipts;
mod random_histories_match_the_oracle;
