//! `cargo xtask oracle`: runs the random tests in `crates/ironweave/tests/oracle` with more models, and with more histories
//! of the compiled ones, than `cargo test` does, and with bugs that are planted in the oracle.

use anyhow::Result;

use crate::tools::{TESTS, cargo, run as run_command};

const ORACLE_TESTS: [&str; 3] = [
    "every_model_is_as_the_oracle_says",
    "compiled_arcs_do_what_the_interpreter_does",
    // All tests of `planted.rs`.
    "planted::",
];

/// Runs `seeds` models, beginning with the number `from`, and a fiftieth as many histories of each compiled model. 10,000 seeds
/// are more than 10^6 events, each executed by compiled arcs where it has some, and by the interpreter.
pub fn run(seeds: u64, from: u64) -> Result<()> {
    // The same set of targets as for all tests, so that nothing is built twice; the filters select the tests.
    let mut command = cargo(&TESTS);
    command.arg("--").args(ORACLE_TESTS).arg("--nocapture");
    command.env("IRONWEAVE_ORACLE_SEEDS", seeds.to_string());
    command.env("IRONWEAVE_ORACLE_FROM", from.to_string());
    run_command(&mut command)
}
