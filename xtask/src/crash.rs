//! `cargo xtask crash`: runs the tests of logs and stores that crash, with more seeds and kills than `cargo test` does.
//!
//! | tests | what happens to the log |
//! |---|---|
//! | `log::tests::crash` | random lives: kills and power cuts at any change, also during recovery |
//! | `log::tests::power`, `kill`, `faults` | power cuts, kills and failures at each change of a few fixed lives |
//! | `log::tests::damage`, `damaged_logs_are` | each byte is cut off or flipped |
//! | `log::tests::checkpoints`, `copy`, `damaged_checkpoints_are` | the same for checkpoints, backups and restores |
//! | `store::checkpoint`, `log::tests::beginning` | the thread that writes checkpoints is failed or ended at each of its changes; what is damaged or missing before one |
//! | `log::tests::history::background`, `harm` | the thread that makes indexes of segments is failed or killed at each change; indexes are damaged or missing |
//! | `log::tests::archive`, `archived_segments_answer` | the same for archives and dropped frames |
//! | `log::tests::groups`, `migrations`, `whole_epochs_are_written`, `a_migration_is_written` | a migration is interrupted at each change and at each byte of its frames, and killed |
//! | `killed_writers` | processes that write to a store are killed at random instants |
//! | `random_changes_do_no_harm` | frames with right checksums and random content |

use anyhow::Result;

use crate::tools::{self, cargo, run as run_command};

/// What the names of these tests contain.
pub const TESTS: [&str; 21] = [
    "log::tests::crash",
    "log::tests::power",
    "log::tests::kill",
    "log::tests::faults",
    "log::tests::damage",
    "log::tests::checkpoints",
    "log::tests::beginning",
    "store::checkpoint",
    "log::tests::history::background",
    "log::tests::history::harm",
    "log::tests::copy",
    "log::tests::archive",
    "archived_segments_answer",
    "log::tests::groups",
    "whole_epochs_are_written",
    "log::tests::migrations",
    "a_migration_is_written",
    "damaged_logs_are",
    "damaged_checkpoints_are",
    "killed_writers",
    "random_changes_do_no_harm",
];

/// Runs the tests with this number of random lives of a log, a tenth as many changed logs, and this number of kills.
pub fn run(seeds: u64, kills: u64) -> Result<()> {
    // The same set of targets as for all tests, so that nothing is built twice; the filters select the tests.
    let mut command = cargo(&tools::TESTS);
    command.arg("--").args(TESTS);
    command.env("IRONWEAVE_CRASH_SEEDS", seeds.to_string());
    command.env("IRONWEAVE_KILLS", kills.to_string());
    command.env("CRAFTED_SEEDS", (seeds / 10).max(80).to_string());
    run_command(&mut command)
}
