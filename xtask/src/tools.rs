//! Runs cargo, and finds the programs that it built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or(own.clone(), Path::to_owned)
}

/// `cargo`, in the root of the repository.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs a command whose output goes to the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let arguments: Vec<_> = command
        .get_args()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let shown = format!(
        "{} {}",
        command.get_program().display(),
        arguments.join(" ")
    );
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// The arguments of `cargo test` that all parts share. Another set of targets or features would select other features of the
/// dependencies, and cargo would build them again, and our own crates with them.
pub const TESTS: [&str; 7] = [
    "test",
    "--workspace",
    "--all-features",
    "--quiet",
    "--lib",
    "--bins",
    "--tests",
];

/// Builds the tests and the programs that they run.
pub fn build_tests() -> Result<()> {
    run(cargo(&TESTS).arg("--no-run"))
}

/// The path of the databuild that was built with the tests. It is in the directory of this program.
pub fn databuild() -> Result<PathBuf> {
    let path = env::current_exe()
        .context("cannot find this program")?
        .with_file_name("databuild");
    if !path.exists() {
        bail!(
            "{} does not exist: run this as `cargo xtask`, without a profile",
            path.display()
        );
    }
    Ok(path)
}
