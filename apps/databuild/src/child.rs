//! The processes of runs: starting them, hearing what they say, ending them.
//!
//! Each has a process group of its own, so that a Ctrl-C at the terminal reaches databuild only, which then ends
//! its runs with everything that they started themselves.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::jobs::{Var, expand};
use crate::said::{Said, hear_digests};

/// What a run's process is to be.
pub struct Spec<'a> {
    /// The program and its arguments, as the jobs file has them.
    pub command: &'a [String],
    /// Its variables.
    pub vars: &'a [Var],
    /// Its directory.
    pub dir: &'a Path,
    /// Where its stderr goes.
    pub stderr: &'a Path,
    /// What it gets on stdin.
    pub stdin: String,
    /// The partition that it builds.
    pub partition: String,
}

/// How a run's process ended.
pub struct Ended<K> {
    /// Which run, as told to [`spawn`].
    pub run: K,
    /// Its exit status: 128 and the number of the signal where one ended it.
    pub exit: i32,
    /// The same in words.
    pub status: String,
    /// What it said on stdout; the error says what was wrong with that.
    pub said: Result<Said, String>,
}

fn command(words: &[String], vars: &[Var]) -> Command {
    let words: Vec<String> = words.iter().map(|w| expand(w, vars)).collect();
    let mut command = Command::new(&words[0]); // a jobs file has no empty commands
    command
        .args(&words[1..])
        .envs(vars.iter().map(|(k, v)| (k, v)))
        .process_group(0);
    command
}

/// Starts a run's process and returns its id; how it ends comes through `ended`.
pub fn spawn<K: Send + 'static>(run: K, spec: Spec<'_>, ended: &Sender<Ended<K>>) -> Result<u32> {
    let mut command = command(spec.command, spec.vars);
    let program = command.get_program().to_string_lossy().into_owned();
    let stderr = File::create(spec.stderr)
        .with_context(|| format!("cannot write {}", spec.stderr.display()))?;
    let mut child = command
        .current_dir(spec.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .with_context(|| format!("cannot start `{program}`"))?;
    let pid = child.id();
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let text = spec.stdin;
    std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // A process that does not care for its stdin closes it; nothing is lost.
            let _ = stdin.write_all(text.as_bytes());
        }
    });
    let ended = ended.clone();
    std::thread::spawn(move || {
        let said = stdout.map_or_else(
            || Ok(Said::default()),
            |out| Said::hear(&spec.partition, out),
        );
        let (exit, status) = match child.wait() {
            Ok(status) => (exit_code(status), in_words(status)),
            Err(e) => (-1, format!("cannot be waited for: {e}")),
        };
        // Nobody listens any more when databuild is ending.
        let _ = ended.send(Ended {
            run,
            exit,
            status,
            said,
        });
    });
    Ok(pid)
}

/// Sends a signal to a run's process and all that it started.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended just now.
        let _ = kill_process_group(pid, signal);
    }
}

/// Runs a `digest` command on partitions and returns what it prints.
pub fn digests(
    words: &[String],
    vars: &[Var],
    dir: &Path,
    partitions: &[String],
) -> Result<Vec<(String, String)>> {
    let mut command = command(words, vars);
    let output = command
        .args(partitions)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output();
    let output =
        output.with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "it {}\n{}",
            in_words(output.status),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    hear_digests(&output.stdout[..]).map_err(anyhow::Error::msg)
}

fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or(status.signal().map(|s| 128 + s))
        .unwrap_or(-1)
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => {
            let name = signal_hook::low_level::signal_name(signal)
                .map_or(String::new(), |n| format!(" ({n})"));
            format!("was ended by signal {signal}{name}")
        }
        (None, None) => format!("ended with {status}"),
    }
}

/// The end of a text file, at most so many lines, for messages.
pub fn tail(file: &Path, lines_max: usize) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(8 * 1024)..]).into_owned();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn run(script: &str) -> (Ended<u8>, String) {
        let dir = tempfile::tempdir().unwrap();
        let (sender, receiver) = channel();
        let spec = Spec {
            command: &["sh".into(), "-c".into(), script.into()],
            vars: &[("PARTITION", "a".into())],
            dir: dir.path(),
            stderr: &dir.path().join("stderr"),
            stdin: "x\ny\n".into(),
            partition: "a".into(),
        };
        let pid = spawn(7, spec, &sender).unwrap();
        if script.contains("sleep") {
            signal(pid, Signal::TERM);
        }
        let ended = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(ended.run, 7);
        (ended, tail(&dir.path().join("stderr"), 2))
    }

    #[test]
    fn a_process_is_heard_to_its_end() {
        let (ended, stderr) =
            run("read l; echo \"{\\\"read\\\": \\\"$l\\\"}\"; printf '1\\n2\\n3\\n' >&2; exit 3");
        assert!(ended.said.unwrap().reads.contains("x"));
        assert_eq!(
            (ended.exit, ended.status.as_str()),
            (3, "ended with exit status 3")
        );
        assert_eq!(stderr, "2\n3");
    }

    #[test]
    fn a_process_is_ended_with_what_it_started() {
        let (ended, _) = run("sleep 60 | sleep 60");
        assert_eq!(
            (ended.exit, ended.status.as_str()),
            (143, "was ended by signal 15 (SIGTERM)")
        );
    }

    #[test]
    fn what_is_no_program_is_named() {
        let (sender, _receiver) = channel::<Ended<()>>();
        let dir = tempfile::tempdir().unwrap();
        let spec = Spec {
            command: &["/nonexistent/program".into()],
            vars: &[],
            dir: dir.path(),
            stderr: &dir.path().join("stderr"),
            stdin: String::new(),
            partition: "a".into(),
        };
        let error = spawn((), spec, &sender).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot start `/nonexistent/program`: "));
    }
}
