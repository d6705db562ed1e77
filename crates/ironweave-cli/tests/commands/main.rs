//! The command, run on logs: what it prints, its exit codes, and what it does to directories.
//!
//! `expected/*.txt` has what commands print on the logs that are committed with the library. With `IRONWEAVE_BLESS=1` the
//! tests write these files instead of comparing them.
#![allow(missing_docs, clippy::missing_panics_doc)]

#[cfg(feature = "archive")]
mod archives;
mod copies;
#[cfg(feature = "explore")]
mod explore;
mod live;
mod misuse;
mod nets;
mod prints;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A copy of a log of the library in a temporary directory.
pub struct Log {
    root: TempDir,
}

impl Log {
    /// Copies a log, such as `databuild` or `version3/constructs`.
    pub fn of(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../ironweave/tests/logs")
            .join(name);
        let root = tempfile::tempdir().expect("a temporary directory");
        let to = root.path().join("store");
        fs::create_dir(&to).expect("a directory");
        for entry in fs::read_dir(&from).expect("a committed log") {
            let entry = entry.expect("an entry");
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
            }
        }
        Self { root }
    }

    /// An empty temporary directory.
    pub fn nothing() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        Self { root }
    }

    /// A path in the temporary directory. The store is `store`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs `ironweave` with arguments that are separated by spaces, in the temporary directory.
    pub fn run(&self, args: &str) -> Ran {
        self.run_with(&args.split(' ').collect::<Vec<_>>())
    }

    pub fn run_with(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("the command starts");
        Ran::of(&output)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironweave"));
        command
            .args(args)
            .current_dir(self.root.path())
            .env_remove("PAGER")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The output of a command that succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        self.out
    }

    /// The message of a command that failed with a code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.err
    }
}

/// Runs commands on a log, each as it would be typed, and compares what they print.
#[track_caller]
pub fn check_on(name: &str, log: &Log, commands: &[&str]) {
    let mut text = String::new();
    for command in commands {
        let ran = log.run(command);
        let _ = writeln!(text, "$ ironweave {command}");
        text += &ran.out;
        for line in ran.err.lines() {
            let _ = writeln!(text, "stderr: {line}");
        }
        if ran.code != Some(0) {
            let _ = writeln!(text, "exit code {:?}", ran.code.unwrap_or(-1));
        }
        text.push('\n');
    }
    expect(name, &text);
}

/// Compares a text with that in a file of `expected`.
#[track_caller]
pub fn expect(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/commands/expected")
        .join(name);
    if std::env::var_os("IRONWEAVE_BLESS").is_some() {
        fs::write(&path, text).expect("the file is written");
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_default()
        .replace('\r', "");
    assert!(
        expected == text,
        "{name} differs; IRONWEAVE_BLESS=1 accepts this:\n{text}"
    );
}
