//! The programs that build the pipeline, and how those are installed that are missing: make and ninja by `apt-get`, which needs root, and Luigi
//! by `pip`, in a directory of its own. What cannot be installed is left out, and the bench says so.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::databuild;
use super::pipeline::Pipeline;

/// More parts than this take Luigi minutes.
const LUIGI_MAX: usize = 2_000;

/// A program that builds the pipeline.
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// The names of its figures.
    pub figures: [&'static str; 3],
    /// Whether it builds again what is made from a changed source.
    pub sees_changes: bool,
    /// The command that builds the pipeline.
    pub command: fn(&Pipeline) -> Result<Command, Box<dyn Error>>,
    /// Succeeds if it is installed.
    version: fn() -> Option<Command>,
    /// The commands that install it, of which each needs those before.
    install: fn() -> Vec<Command>,
    parts_max: usize,
}

/// All of them.
pub const TOOLS: [Tool; 4] = [
    Tool {
        name: "databuild",
        figures: ["databuild_cold", "databuild_noop", "databuild_changed"],
        sees_changes: true,
        command: |pipeline| {
            let mut command = databuild(pipeline, &["run", "--jobs", "jobs.toml"])?;
            command.args(["--jobs-max", "2", "--discovery-max", "1000000", "want"]);
            command.arg(pipeline.wanted());
            Ok(command)
        },
        version: || None,
        install: Vec::new,
        parts_max: usize::MAX,
    },
    Tool {
        name: "make",
        figures: ["make_cold", "make_noop", "make_changed"],
        sees_changes: true,
        command: |_| Ok(with("make", &["-s", "-j2"])),
        version: || Some(with("make", &["--version"])),
        install: || vec![with("apt-get", &["install", "-y", "make"])],
        parts_max: usize::MAX,
    },
    Tool {
        name: "ninja",
        figures: ["ninja_cold", "ninja_noop", "ninja_changed"],
        sees_changes: true,
        command: |_| Ok(with("ninja", &["-j2"])),
        version: || Some(with("ninja", &["--version"])),
        install: || vec![with("apt-get", &["install", "-y", "ninja-build"])],
        parts_max: usize::MAX,
    },
    Tool {
        name: "luigi",
        figures: ["luigi_cold", "luigi_noop", "luigi_changed"],
        sees_changes: false,
        command: |_| Ok(with(&python(), &["tasks.py"])),
        version: || Some(with(&python(), &["-c", "import luigi"])),
        install: || {
            let dir = luigi_dir().display().to_string();
            let python = luigi_dir().join("bin/python3").display().to_string();
            vec![
                with("python3", &["-m", "venv", &dir]),
                with(&python, &["-m", "pip", "install", "luigi"]),
            ]
        },
        parts_max: LUIGI_MAX,
    },
];

impl Tool {
    /// Returns whether it builds a pipeline of so many parts. Unless `no_install`, it is installed if it is missing.
    pub fn takes_part(&self, parts: usize, no_install: bool) -> bool {
        if parts > self.parts_max {
            println!("{} takes too long, and is left out", self.name);
            return false;
        }
        let is_there = || (self.version)().is_none_or(|mut version| succeeds(&mut version));
        if is_there() {
            return true;
        }
        if no_install {
            println!("{} is not installed, and is left out", self.name);
            return false;
        }
        for mut command in (self.install)() {
            println!("{} is not installed: {command:?}", self.name);
            if !succeeds(&mut command) {
                println!("this failed, so {} is left out", self.name);
                return false;
            }
        }
        is_there()
    }
}

/// Where Luigi is installed.
fn luigi_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/luigi"))
}

/// The Python that has Luigi: that of the machine, or the one that was installed for it.
fn python() -> String {
    let own = luigi_dir().join("bin/python3");
    match own.exists() {
        true => own.display().to_string(),
        false => "python3".to_owned(),
    }
}

fn with(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Returns whether a program can be started, and succeeds.
fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
