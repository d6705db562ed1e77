//! The strangest legal sequences of calls do not harm a store, and each log that they write opens again: stale savepoints,
//! leaked transactions, errors that a handler ignores, user code that panics in the middle of a call.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod a_panic_while_a_log_is_read_changes_nothing;
mod a_panic_while_an_index_changes_stops_the_store;
mod desk;
mod failed_calls_of_handlers_do_nothing;
mod fussy;
mod leaked_transactions_are_rolled_back;
mod repeated_transactions_give_their_first_receipts;
mod stale_savepoints_are_refused;
mod user_code_goes_on_panicking;

use std::panic::{AssertUnwindSafe, catch_unwind};

use desk::state::*;
use desk::*;
use fussy::*;
use harness::{assert_consistent, reopened, temp_dir, unsynced};
use ironweave::prelude::*;

/// A store that never syncs, and a paranoid one, each in a directory of its own.
fn stores() -> Vec<(tempfile::TempDir, Store<desk::Model>)> {
    [unsynced(), unsynced().paranoid()]
        .map(|options| {
            let dir = temp_dir();
            let store = options.open(dir.path()).expect("a new store opens");
            (dir, store)
        })
        .into()
}

fn stale(result: Result<(), StepError>) {
    assert!(
        matches!(result, Err(StepError::StaleSavepoint)),
        "{result:?}"
    );
}
