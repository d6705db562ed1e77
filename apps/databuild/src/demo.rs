//! `databuild demo`: a report about the dependencies of a cargo workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::dirs::{Dirs, cannot};
use crate::job::report;

/// The partition that the demo wants.
pub const WANTED: &str = "report/dependencies";

const FILES: [(&str, &str); 2] = [
    ("demo.toml", include_str!("../jobs/demo.toml")),
    ("license.sh", include_str!("../jobs/license.sh")),
];

/// The root of the cargo workspace that contains `path`, as reported by cargo.
pub fn workspace(path: Option<&Path>) -> Result<PathBuf> {
    let start = path.unwrap_or(Path::new("."));
    let start = fs::canonicalize(start).map_err(|e| {
        anyhow::anyhow!(
            "there is no workspace at {}: {e}: choose one with --workspace",
            start.display()
        )
    })?;
    let dir = if start.is_file() {
        start.parent().unwrap_or(&start).to_owned()
    } else {
        start
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .current_dir(&dir)
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!(
                "cannot start {}: is Rust installed, and on the PATH?",
                Path::new(&cargo).display()
            )
        })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "cargo finds no workspace at {}: choose one with --workspace. Its message:\n{}",
            dir.display(),
            message.trim_end()
        );
    }
    let manifest = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
    let root = manifest.parent().context("cargo names no workspace")?;
    Ok(root.to_owned())
}

/// The path of the jobs file of the demo, which exists once the demo has run.
pub fn jobs_file(dirs: &Dirs) -> PathBuf {
    dirs.jobs().join(FILES[0].0)
}

/// Writes the jobs of the demo into the directory, where users can read them, and returns the path of the jobs file.
pub fn write_jobs(dirs: &Dirs) -> Result<PathBuf> {
    let dir = dirs.jobs();
    fs::create_dir_all(&dir).map_err(|e| cannot("create the directory", &dir, &e))?;
    for (name, text) in FILES {
        let path = dir.join(name);
        if !fs::read_to_string(&path).is_ok_and(|there| there == text) {
            fs::write(&path, text).map_err(|e| cannot("write", &path, &e))?;
        }
    }
    Ok(jobs_file(dirs))
}

/// The results of the demo.
pub fn results(dirs: &Dirs) -> [(&'static str, PathBuf); 2] {
    let dir = dirs.partition_shown(WANTED);
    [
        ("report", dir.join(report::MARKDOWN)),
        ("table", dir.join(report::CSV)),
    ]
}
