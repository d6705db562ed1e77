//! `cargo xtask oracle`: more of what `cargo test` does in `crates/ironweave/tests/oracle`.

use anyhow::Result;

use crate::tools::{TESTS, cargo, run as run_command};

const TEST: &str = "every_model_is_as_the_oracle_says";

/// Runs the models of some numbers.
pub fn run(seeds: u64, from: u64) -> Result<()> {
    // The same set of targets as for all tests, so that nothing is built twice; the filter leaves one.
    let mut command = cargo(&TESTS);
    command.args([TEST, "--", "--nocapture"]);
    command.env("IRONWEAVE_ORACLE_SEEDS", seeds.to_string());
    command.env("IRONWEAVE_ORACLE_FROM", from.to_string());
    run_command(&mut command)
}
