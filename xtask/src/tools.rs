//! Running cargo, and finding what it built.

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

/// Runs a command whose output is for the reader.
pub fn run(command: &mut Command) -> Result<()> {
    let words: Vec<_> = command
        .get_args()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let words = format!("{} {}", command.get_program().display(), words.join(" "));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` ended with {status}");
    }
    Ok(())
}

/// What `cargo test` is told here, so that everything is built once: another set of targets would choose other
/// features of the dependencies, and build them again.
pub const TESTS: [&str; 6] = [
    "test",
    "--workspace",
    "--quiet",
    "--lib",
    "--bins",
    "--tests",
];

/// Builds the tests and the programs that they run.
pub fn build_tests() -> Result<()> {
    run(cargo(&TESTS).arg("--no-run"))
}

/// The databuild that was built with the tests: it lies beside this program.
pub fn databuild() -> Result<PathBuf> {
    let path = env::current_exe()
        .context("cannot find this program")?
        .with_file_name("databuild");
    if !path.exists() {
        bail!(
            "{} is not there: run this as `cargo xtask`, without a profile",
            path.display()
        );
    }
    Ok(path)
}
