//! A temporary directory for a test, with helpers that run databuild in it and check its output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The temporary directory of a test.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// An empty directory.
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// A directory with a copy of the fixture workspace.
    pub fn with_workspace() -> Self {
        let place = Self::new();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"),
            &place.path("workspace"),
        );
        place
    }

    /// A directory with a jobs file.
    pub fn with_jobs(jobs: &str) -> Self {
        let place = Self::new();
        place.write("jobs.toml", jobs);
        place
    }

    pub fn path(&self, inner: &str) -> PathBuf {
        self.dir.path().join(inner)
    }

    pub fn write(&self, inner: &str, text: &str) {
        let path = self.path(inner);
        fs::create_dir_all(path.parent().expect("a parent")).expect("the directory of a file");
        fs::write(path, text).expect("a file");
    }

    pub fn read(&self, inner: &str) -> String {
        fs::read_to_string(self.path(inner)).unwrap_or_else(|e| panic!("{inner}: {e}"))
    }

    /// Reads a line that a job writes, as soon as it is whole. A run is shown as running before its job has done anything.
    pub fn read_line(&self, inner: &str) -> String {
        let path = self.path(inner);
        let read = || fs::read_to_string(&path).unwrap_or_default();
        wait_until(inner, || read().ends_with('\n'));
        read()
    }

    /// Replaces a text, which must occur.
    pub fn edit(&self, inner: &str, from: &str, to: &str) {
        let text = self.read(inner);
        assert!(text.contains(from), "{inner} has no {from}");
        self.write(inner, &text.replace(from, to));
    }

    /// `databuild ARGS --dir <place>/out`, in this directory.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_databuild"));
        command
            .args(&args[..1])
            .arg("--dir")
            .arg(self.path("out"))
            .args(&args[1..]);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub fn databuild(&self, args: &[&str]) -> Seen {
        Seen::of(self.command(args).output().expect("databuild starts"))
    }

    /// Starts databuild without waiting for it.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("databuild starts")
    }

    pub fn demo(&self) -> Seen {
        self.databuild(&["demo", "--workspace", "workspace"])
    }

    /// `databuild run` of the jobs file in this directory.
    pub fn run(&self, refs: &[&str]) -> Seen {
        self.databuild(&[&["run", "--jobs", "jobs.toml", "want"], refs].concat())
    }

    /// The whole log.
    pub fn log(&self) -> String {
        self.databuild(&["log", "--full"]).success().stdout
    }

    /// The files with what runs wrote.
    pub fn kept(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("out/logs")).expect("the logs");
        let files = files.map(|file| file.expect("a file").path());
        files
            .filter(|path| path.extension().is_none_or(|end| end != "commands"))
            .collect()
    }

    pub fn status(&self) -> String {
        self.databuild(&["status"]).success().stdout
    }

    /// Updates the lock file of the workspace.
    pub fn lock(&self) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["generate-lockfile", "--offline", "--quiet"])
            .current_dir(self.path("workspace"))
            .status();
        assert!(status.expect("cargo starts").success());
    }

    /// Waits until a file exists.
    pub fn wait_for(&self, inner: &str) {
        let path = self.path(inner);
        wait_until(inner, || path.exists());
    }
}

/// Waits until a condition holds; `what` describes it in the message of a timeout.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "timeout: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the fixture") {
        let entry = entry.expect("the fixture");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// The exit status and the output of databuild.
#[derive(Debug)]
pub struct Seen {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Seen {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let seen = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!seen.stderr.contains("panicked"), "{seen:?}");
        seen
    }

    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it failed with an error that contains all of these.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no `{word}` in:\n{}",
                self.stderr
            );
        }
        self
    }

    /// The last two lines: partitions built and reused.
    #[track_caller]
    pub fn counts(&self) -> (usize, usize) {
        let lines: Vec<&str> = self.stdout.lines().collect();
        let number = |back: usize, what: &str| {
            let line = lines.len().checked_sub(back).map_or("", |i| lines[i]);
            let number = line.strip_prefix(what).and_then(|n| n.parse().ok());
            number.unwrap_or_else(|| panic!("no `{what}` in:\n{}\n{}", self.stdout, self.stderr))
        };
        (
            number(2, "partitions built: "),
            number(1, "partitions reused: "),
        )
    }
}

/// How often the log says that a partition became live, by the name of the partition.
pub fn times_live(log: &str) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for fact in log
        .split([';', '\n'])
        .filter(|f| f.contains("Building -> Live"))
    {
        let name = fact.split('"').nth(1).expect("a partition");
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(status.expect("kill starts").success());
}

/// Returns whether a process with this id exists.
pub fn alive(pid: &str) -> bool {
    let output = Command::new("kill").args(["-0", pid.trim()]).output();
    output.expect("kill starts").status.success()
}
