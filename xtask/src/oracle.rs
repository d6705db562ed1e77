//! `cargo xtask oracle`: runs the test in `crates/ironweave/tests/oracle` with more models than `cargo test` does.

use anyhow::Result;

use crate::tools::{TESTS, cargo, run as run_command};

const TEST: &str = "every_model_is_as_the_oracle_says";

/// Runs `seeds` models, beginning with the number `from`.
pub fn run(seeds: u64, from: u64) -> Result<()> {
    // The same set of targets as for all tests, so that nothing is built twice; the filter selects one test.
    let mut command = cargo(&TESTS);
    command.args([TEST, "--", "--nocapture"]);
    command.env("IRONWEAVE_ORACLE_SEEDS", seeds.to_string());
    command.env("IRONWEAVE_ORACLE_FROM", from.to_string());
    run_command(&mut command)
}
