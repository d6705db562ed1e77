//! The demo of databuild on its fixture: a small workspace with path dependencies only, so that no registry is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::tools;

/// A copy of the fixture, and a place for what databuild makes of it.
pub struct Demo {
    /// Removed with this.
    _dir: tempfile::TempDir,
    workspace: PathBuf,
    /// What `--dir` is.
    pub out: PathBuf,
}

/// What the demo made.
#[derive(PartialEq, Eq)]
pub struct Report {
    markdown: Vec<u8>,
    csv: Vec<u8>,
}

/// The last two lines of a databuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Partitions that it made live.
    pub built: usize,
    /// The others that the report stands on.
    pub reused: usize,
}

impl Demo {
    /// A new one.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let workspace = dir.path().join("workspace");
        copy(
            &tools::root().join("apps/databuild/tests/fixture"),
            &workspace,
        )?;
        let out = dir.path().join("out");
        Ok(Self {
            _dir: dir,
            workspace,
            out,
        })
    }

    /// `databuild demo` on it.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(tools::databuild()?);
        command
            .arg("demo")
            .arg("--workspace")
            .arg(&self.workspace)
            .arg("--dir")
            .arg(&self.out);
        Ok(command)
    }

    /// Runs it to its end.
    pub fn run(&self) -> Result<(Counts, Output)> {
        let output = self.command()?.output().context("cannot start databuild")?;
        Ok((counts(&output)?, output))
    }

    /// Runs `databuild log` or `status` on what it made.
    pub fn show(&self, what: &str) -> Result<String> {
        let output = Command::new(tools::databuild()?)
            .arg(what)
            .arg("--dir")
            .arg(&self.out)
            .output()?;
        ensure!(
            output.status.success(),
            "databuild {what} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it made.
    pub fn report(&self) -> Result<Report> {
        let dir = self.out.join("data/report/dependencies");
        let read =
            |name: &str| fs::read(dir.join(name)).with_context(|| format!("there is no {name}"));
        Ok(Report {
            markdown: read("dependencies.md")?,
            csv: read("dependencies.csv")?,
        })
    }

    /// How many partitions it has, computed from the lock file: every package there but the one that nothing
    /// depends on.
    pub fn partitions(&self) -> Result<usize> {
        let lock = fs::read_to_string(self.workspace.join("Cargo.lock"))
            .context("the fixture has no lock file")?;
        Ok(2 + 3 * (lock.matches("[[package]]").count() - 1))
    }
}

/// The counts in the last two lines of an output that must be of a success.
pub fn counts(output: &Output) -> Result<Counts> {
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        bail!(
            "databuild ended with {}:\n{stdout}\n{stderr}",
            output.status
        );
    }
    let mut lines = stdout.lines().rev();
    let mut number = |prefix: &str| {
        let number = lines
            .next()
            .and_then(|l| l.strip_prefix(prefix))
            .and_then(|n| n.parse().ok());
        number.with_context(|| format!("no `{prefix}` where it should be in:\n{stdout}"))
    };
    let reused = number("partitions reused: ")?;
    Ok(Counts {
        reused,
        built: number("partitions built: ")?,
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)
        .with_context(|| format!("cannot read the fixture in {}", from.display()))?
    {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// The part of `cargo xtask test`: the demo, then once more, when nothing is left to build.
pub fn run() -> Result<()> {
    let demo = Demo::new()?;
    let all = demo.partitions()?;
    let (first, _) = demo.run()?;
    ensure!(
        first
            == Counts {
                built: all,
                reused: 0
            },
        "{first:?}, expected {all} built"
    );
    let report = demo.report()?;
    let (second, _) = demo.run()?;
    ensure!(
        second
            == Counts {
                built: 0,
                reused: all
            },
        "{second:?}, expected {all} reused"
    );
    ensure!(demo.report()? == report, "the second report differs");
    Ok(())
}
