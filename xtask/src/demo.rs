//! Runs the demo of databuild on its fixture, a small workspace whose dependencies are all paths, so that no registry is
//! needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::tools;

/// A copy of the fixture, and a directory for the output of databuild.
pub struct Demo {
    /// Removed when this is dropped.
    _dir: tempfile::TempDir,
    workspace: PathBuf,
    /// The value of `--dir`.
    pub out: PathBuf,
}

/// The report that the demo wrote.
#[derive(PartialEq, Eq)]
pub struct Report {
    markdown: Vec<u8>,
    csv: Vec<u8>,
}

/// The last two lines that databuild prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Partitions that this run made live.
    pub built: usize,
    /// The other partitions that the report depends on.
    pub reused: usize,
}

impl Demo {
    /// Copies the fixture to a temporary directory.
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

    /// The command `databuild demo` on the copy.
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

    /// Runs the command to its end.
    pub fn run(&self) -> Result<(Counts, Output)> {
        let output = self.command()?.output().context("cannot start databuild")?;
        Ok((counts(&output)?, output))
    }

    /// Runs `databuild log` or `databuild status` on the output.
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

    /// Reads the report that the demo wrote.
    pub fn report(&self) -> Result<Report> {
        let dir = self.out.join("data/report/dependencies");
        let read =
            |name: &str| fs::read(dir.join(name)).with_context(|| format!("there is no {name}"));
        Ok(Report {
            markdown: read("dependencies.md")?,
            csv: read("dependencies.csv")?,
        })
    }

    /// The number of partitions, computed from the lock file: it counts every package but the root, on which nothing
    /// depends.
    pub fn partitions(&self) -> Result<usize> {
        let lock = fs::read_to_string(self.workspace.join("Cargo.lock"))
            .context("the fixture has no lock file")?;
        Ok(2 + 3 * (lock.matches("[[package]]").count() - 1))
    }
}

/// Parses the counts in the last two lines of an output. An error if the command failed.
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
        number.with_context(|| format!("expected a line `{prefix}N` near the end of:\n{stdout}"))
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

/// The part `demo` of `cargo xtask test`: the first run builds everything, and a second run reuses everything.
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
