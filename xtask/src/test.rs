//! `cargo xtask test`: the checks that every commit must pass, in parts.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tools::{TESTS, build_tests, cargo, root, run as run_command};
use crate::{crash, crates, demo, demo_kill};

/// The outcome of a part that did not fail.
enum Outcome {
    Passed,
    /// A tool is missing, for this reason, so that the part was not run.
    Skipped(&'static str),
}

struct Part {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<Outcome>,
}

const PARTS: [Part; 12] = [
    Part {
        name: "fmt",
        about: "the code is formatted",
        run: fmt,
    },
    Part {
        name: "clippy",
        about: "no lint warns",
        run: clippy,
    },
    Part {
        name: "tests",
        about: "unit and integration tests, with all features",
        run: tests,
    },
    Part {
        name: "ui",
        about: "the messages of the compiler for models that are wrong",
        run: ui,
    },
    Part {
        name: "pages",
        about: "the pages of the explorer and of databuild in a headless Chromium",
        run: pages,
    },
    Part {
        name: "doctests",
        about: "the examples in the documentation",
        run: doctests,
    },
    Part {
        name: "docs",
        about: "`cargo doc` with all features: every public item is documented, and every link leads somewhere",
        run: docs,
    },
    Part {
        name: "package",
        about: "`cargo package` of all libraries that are published, and a check of what is in the packages",
        run: package,
    },
    Part {
        name: "bench",
        about: "the contenders of the benchmarks do the same work",
        run: contenders,
    },
    Part {
        name: "crash",
        about: "logs and stores that crash: 2,000 random lives with kills and power cuts, 100 killed processes",
        run: crashed,
    },
    Part {
        name: "demo",
        about: "databuild's demo on its fixture",
        run: demo,
    },
    Part {
        name: "demo-kill",
        about: "the same, killed several times (one seed)",
        run: demo_killed,
    },
];

/// What can be selected by itself, and is included in one of the parts.
const WITHIN: [Part; 1] = [Part {
    name: "time",
    about: "snapshots, `what_if`, the past, subscriptions (included in `tests`)",
    run: time,
}];

/// Prints the names of the parts.
pub fn list() {
    for part in PARTS.iter().chain(&WITHIN) {
        println!("{:<10}{}", part.name, part.about);
    }
}

/// Runs all parts, or one. Stops at the first failure.
pub fn run(only: Option<&str>) -> Result<()> {
    if let Some(name) = only
        && !PARTS.iter().chain(&WITHIN).any(|p| p.name == name)
    {
        bail!("there is no part `{name}`; `cargo xtask test --list` prints their names");
    }
    let mut done: Vec<(&str, Duration, String)> = Vec::new();
    let mut failed = None;
    let named = |part: &&Part| only == Some(part.name);
    let all = PARTS.iter().filter(|part| only.is_none() || named(part));
    for part in all.chain(WITHIN.iter().filter(named)) {
        println!("== {}: {}", part.name, part.about);
        let began = Instant::now();
        let result = (part.run)();
        let outcome = match &result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(why)) => format!("skipped: {why}"),
            Err(_) => "FAILED".to_owned(),
        };
        println!("== {}: {outcome}", part.name);
        done.push((part.name, began.elapsed(), outcome));
        if let Err(e) = result {
            failed = Some(e.context(format!("`{}` failed", part.name)));
            break;
        }
    }
    println!("\n{:<10}{:>8}", "part", "seconds");
    for (name, took, outcome) in &done {
        println!("{name:<10}{:>8.1}  {outcome}", took.as_secs_f64());
    }
    println!(
        "{:<10}{:>8.1}",
        "all",
        done.iter()
            .map(|(_, took, _)| took.as_secs_f64())
            .sum::<f64>()
    );
    failed.map_or(Ok(()), Err)
}

/// Whether a subcommand of cargo is installed.
fn has(subcommand: &str) -> bool {
    let mut command = cargo(&[subcommand, "--version"]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn fmt() -> Result<Outcome> {
    if !has("fmt") {
        return Ok(Outcome::Skipped(
            "rustfmt is not installed (`rustup component add rustfmt`)",
        ));
    }
    run_command(&mut cargo(&["fmt", "--all", "--check"]))?;
    // `bench/` is a workspace of its own.
    if root().join("bench/Cargo.toml").exists() {
        run_command(&mut cargo(&[
            "fmt",
            "--manifest-path",
            "bench/Cargo.toml",
            "--check",
        ]))?;
    }
    Ok(Outcome::Passed)
}

fn clippy() -> Result<Outcome> {
    if !has("clippy") {
        return Ok(Outcome::Skipped(
            "clippy is not installed (`rustup component add clippy`)",
        ));
    }
    run_command(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-features",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Outcome::Passed)
}

fn tests() -> Result<Outcome> {
    // What is a part of its own is not done twice.
    let mut command = cargo(&TESTS);
    command.arg("--");
    for other in ["ui::", "pages::"].iter().chain(&crash::TESTS) {
        command.args(["--skip", other]);
    }
    run_command(&mut command)?;
    Ok(Outcome::Passed)
}

fn ui() -> Result<Outcome> {
    // The same targets as in `tests`: otherwise the dependencies would be built again, with other features.
    run_command(cargo(&TESTS).args(["--", "ui::"]))?;
    Ok(Outcome::Passed)
}

fn pages() -> Result<Outcome> {
    if headless::program().is_none() {
        return Ok(Outcome::Skipped(
            "there is no Chromium (`apt-get install chromium`, or name one by the variable CHROMIUM)",
        ));
    }
    run_command(cargo(&TESTS).args(["--", "pages::"]))?;
    Ok(Outcome::Passed)
}

fn time() -> Result<Outcome> {
    run_command(&mut cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--quiet",
        "--test",
        "time",
    ]))?;
    Ok(Outcome::Passed)
}

fn doctests() -> Result<Outcome> {
    run_command(&mut cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--quiet",
        "--doc",
    ]))?;
    Ok(Outcome::Passed)
}

fn docs() -> Result<Outcome> {
    let mut command = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--quiet",
    ]);
    command.env("RUSTDOCFLAGS", "-D warnings -D missing_docs");
    run_command(&mut command)?;
    Ok(Outcome::Passed)
}

fn package() -> Result<Outcome> {
    crates::package()?;
    Ok(Outcome::Passed)
}

/// The tests of `bench/`, which is not in the workspace. They are built in the target directory of the workspace, which has most
/// of their dependencies already.
fn contenders() -> Result<Outcome> {
    let mut command = cargo(&["test", "--quiet", "--manifest-path", "bench/Cargo.toml"]);
    if std::env::var_os("CARGO_TARGET_DIR").is_none() {
        command.args(["--target-dir", "target"]);
    }
    run_command(&mut command)?;
    Ok(Outcome::Passed)
}

fn crashed() -> Result<Outcome> {
    crash::run(2_000, 100)?;
    Ok(Outcome::Passed)
}

fn demo() -> Result<Outcome> {
    build_tests()?;
    demo::run()?;
    Ok(Outcome::Passed)
}

fn demo_killed() -> Result<Outcome> {
    build_tests()?;
    demo_kill::run(1, 6)?;
    Ok(Outcome::Passed)
}
