//! The processes of runs and of `digest` commands: starts them, reads their output, ends them.
//!
//! The life of a process:
//! 1. It is started in its own process group, so that a Ctrl-C at the terminal reaches only databuild, which
//!    then ends the process together with its children.
//! 2. A thread writes its stdin and reads its stdout, until *the process* has ended. The thread does not wait for
//!    the end of the pipe, which a process in the background may keep open.
//! 3. The thread reads the rest of the pipe, reaps the process, and kills what is left of its group.
//! 4. The thread sends the result, including that for the group, to [`Children::ended`].
//!
//! The group is signalled only before the process is reaped, under a lock, because its number may be reused afterwards.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::command::{self, Environment, Var};
use crate::protocol::{LineHandler, Lines};

mod exit;

use exit::Exit;

/// How long processes may take to end after a signal.
pub const GRACE: Duration = Duration::from_secs(2);
/// How often the end of a killed group is checked.
const GONE_PAUSE: Duration = Duration::from_millis(1);
/// The number of bytes that are read for the end of a file.
const TAIL_BYTES_MAX: u64 = 8 * 1024;

/// The description of a process to start.
pub struct Spec<'a> {
    /// The program and its arguments, as the jobs file has them.
    pub command: &'a [String],
    /// Further arguments, which are not expanded.
    pub arguments: &'a [String],
    /// Its variables.
    pub vars: &'a [Var],
    /// Its environment.
    pub env: &'a Environment,
    /// Its directory.
    pub dir: &'a Path,
    /// The file for its stderr.
    pub stderr: &'a Path,
    /// The text for its stdin.
    pub stdin: String,
}

/// How a process ended.
pub struct Ended<K, H> {
    /// The key that was given to [`Children::spawn`].
    pub key: K,
    /// Its exit status, or 128 plus the number of the signal that ended it.
    pub exit: i32,
    /// The exit status as text.
    pub status: String,
    /// Its output on stdout, or an error that describes the invalid output.
    pub output: Result<H, String>,
    /// Its stderr, as an open file, so that the process cannot replace it.
    pub stderr: File,
    /// The state of its process group.
    pub group: Group,
}

/// The state of a process group after its process had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// No other process was in it.
    Empty,
    /// Other processes were in it, and were killed.
    Killed,
    /// Other processes are in it, and could not be killed.
    Alive,
}

impl Group {
    /// A message, if other processes were in the group.
    pub fn message(self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Killed => {
                Some("its process ended and left others in its group, which were killed")
            }
            Self::Alive => Some(
                "its process ended and left others in its group, which could not be killed: end them before you continue",
            ),
        }
    }
}

/// The running processes, by a key of the caller.
pub struct Children<K, H> {
    running: BTreeMap<K, Arc<Mutex<Option<Pid>>>>,
    sender: Sender<Option<Ended<K, H>>>,
    receiver: Receiver<Option<Ended<K, H>>>,
}

/// Ends a call of [`Children::ended`] before its time, from any thread.
pub struct Waker<K, H>(Sender<Option<Ended<K, H>>>);

impl<K, H> Waker<K, H> {
    /// Ends the call that waits, or the next one.
    pub fn wake(&self) {
        // If the receiver is gone, nothing waits.
        let _ = self.0.send(None);
    }
}

impl<K: Ord + Copy + Send + 'static, H: LineHandler> Children<K, H> {
    /// Starts with no process.
    pub fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            running: BTreeMap::new(),
            sender,
            receiver,
        }
    }

    /// The number of running processes.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns whether no process runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts a process and returns its id.
    pub fn spawn(&mut self, key: K, spec: Spec<'_>, handler: H) -> Result<u32> {
        let mut command = command::of(spec.command, spec.vars, spec.env);
        let program = command.get_program().to_string_lossy().into_owned();
        let stderr = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(spec.stderr)
            .with_context(|| format!("cannot write {}", spec.stderr.display()))?;
        let cannot_start = || format!("cannot start `{program}`");
        command
            .args(spec.arguments)
            .current_dir(spec.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().with_context(cannot_start)?);
        let group = Arc::new(Mutex::new(None));
        let (of_process, sender) = (Arc::clone(&group), self.sender.clone());
        let (started, starts) = channel();
        let stdin = spec.stdin;
        // The thread starts the process, so that no process is started if no thread can be.
        let listener = move || {
            let mut process = match Process::start(&mut command, of_process) {
                Ok(process) => process,
                // The caller waits for this.
                Err(e) => return drop(started.send(Err(e))),
            };
            drop(started.send(Ok(process.child.id())));
            let mut output = process.communicate(stdin, handler);
            let (status, group) = process.end();
            let (exit, status) = match status {
                Ok(status) => (exit_code(status), describe(status)),
                Err(e) => (-1, format!("cannot be waited for: {e}")),
            };
            if let (Ok(handler), 0) = (&mut output, exit) {
                handler.succeeded();
            }
            // The receiver may be gone while databuild ends.
            let _ = sender.send(Some(Ended {
                key,
                exit,
                status,
                output,
                stderr,
                group,
            }));
        };
        thread(listener).with_context(cannot_start)?;
        let pid = starts.recv().with_context(cannot_start)?;
        let pid = pid.with_context(cannot_start)?;
        self.running.insert(key, group);
        Ok(pid)
    }

    /// Returns what ends a call of [`Children::ended`] before its time.
    pub fn waker(&self) -> Waker<K, H> {
        Waker(self.sender.clone())
    }

    /// Waits for the next process that ends, for a limited time, or until a [`Waker`] ends the call.
    pub fn ended(&mut self, within: Duration) -> Option<Ended<K, H>> {
        // `self` holds a sender, so the channel is never disconnected.
        let ended = self.receiver.recv_timeout(within).ok()??;
        self.running.remove(&ended.key);
        Some(ended)
    }

    /// Sends a signal to the group of a process, if it still runs.
    pub fn signal(&self, key: K, signal: Signal) {
        let Some(group) = self.running.get(&key) else {
            return;
        };
        if let Some(pid) = *group.lock().unwrap_or_else(PoisonError::into_inner) {
            // The process may have ended in the meantime.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Ends all processes together with their groups, and returns their keys.
    pub fn end(&mut self) -> Vec<K> {
        let keys = self.running.keys().copied().collect();
        for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            for key in self.running.keys() {
                self.signal(*key, signal);
            }
            let deadline = Instant::now() + grace;
            while !self.running.is_empty() && Instant::now() < deadline {
                drop(self.ended(deadline.saturating_duration_since(Instant::now())));
            }
        }
        self.running.clear();
        keys
    }
}

impl<K: Ord + Copy + Send + 'static, H: LineHandler> Default for Children<K, H> {
    fn default() -> Self {
        Self::new()
    }
}

/// A process, for the thread that communicates with it.
struct Process {
    child: Child,
    /// Its group, until its number can be reused.
    group: Arc<Mutex<Option<Pid>>>,
    has_ended: Exit,
}

impl Process {
    fn start(
        command: &mut std::process::Command,
        group: Arc<Mutex<Option<Pid>>>,
    ) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let has_ended = match Exit::of(pid) {
            Ok(has_ended) => has_ended,
            Err(e) => {
                // Without it, the process cannot be waited for beside its pipes.
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = child.wait();
                return Err(e);
            }
        };
        *group.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
        Ok(Self {
            child,
            group,
            has_ended,
        })
    }

    /// Writes the stdin of a process and reads its stdout until it has ended.
    fn communicate<H: LineHandler>(&mut self, text: String, handler: H) -> Result<H, String> {
        let mut lines = Lines::new(handler);
        let (mut stdout, mut stdin) = (self.child.stdout.take(), self.child.stdin.take());
        let mut text = text.as_bytes();
        let mut buffer = vec![0; 16 * 1024];
        let result = (|| {
            if let (Some(stdout), Some(stdin)) = (&stdout, &stdin) {
                rustix::io::ioctl_fionbio(stdout, true)?;
                rustix::io::ioctl_fionbio(stdin, true)?;
            }
            loop {
                let mut fds = vec![PollFd::new(&self.has_ended, PollFlags::IN)];
                fds.extend(stdout.iter().map(|s| PollFd::new(s, PollFlags::IN)));
                fds.extend(stdin.iter().map(|s| PollFd::new(s, PollFlags::OUT)));
                match poll(&mut fds, None) {
                    Err(Errno::INTR) => continue,
                    result => result?,
                };
                let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
                let ended = ready.next() == Some(true);
                let readable = stdout.is_some() && ready.next() == Some(true);
                let writable = stdin.is_some() && ready.next() == Some(true);
                drop(fds);
                if writable {
                    write_some(&mut stdin, &mut text);
                }
                let Some(pipe) = stdout.as_mut().filter(|_| ended || readable) else {
                    match ended {
                        true => return Ok(()),
                        false => continue,
                    }
                };
                // After the end of the process, its output is in the pipe. Other processes may still write to the pipe.
                let mut left = match ended {
                    true => rustix::io::ioctl_fionread(pipe.as_fd())?,
                    false => buffer.len() as u64,
                };
                while left > 0 {
                    let most = buffer
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    match pipe.read(&mut buffer[..most]) {
                        Ok(0) => {
                            stdout = None;
                            break;
                        }
                        Ok(n) => {
                            lines.push(&buffer[..n]);
                            left -= n as u64;
                        }
                        Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                        Err(e) if e.kind() == ErrorKind::Interrupted => {}
                        Err(e) => return Err(e),
                    }
                }
                if ended {
                    return Ok(());
                }
            }
        })();
        match result {
            Ok(()) => lines.end(),
            Err(e) => Err(format!("its stdout cannot be read: {e}")),
        }
    }

    /// Reaps a process after its end, and kills what is left of its group.
    fn end(&mut self) -> (std::io::Result<ExitStatus>, Group) {
        // Until the process has ended, `Children::end` may signal it.
        self.has_ended.wait();
        let (status, left) = {
            let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
            let status = self.child.wait();
            let pid = group.take();
            let left = pid.filter(|pid| test_kill_process_group(*pid) != Err(Errno::SRCH));
            if let Some(pid) = left {
                // The check below reports processes that cannot be killed.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            (status, left)
        };
        let Some(pid) = left else {
            return (status, Group::Empty);
        };
        // A killed process may still be in a system call that writes.
        let deadline = Instant::now() + GRACE;
        while test_kill_process_group(pid) != Err(Errno::SRCH) {
            if Instant::now() > deadline {
                return (status, Group::Alive);
            }
            std::thread::sleep(GONE_PAUSE);
        }
        (status, Group::Killed)
    }
}

/// Writes as much of a text as the pipe takes. Closes the pipe at the end of the text, or if it has no reader.
fn write_some(stdin: &mut Option<ChildStdin>, text: &mut &[u8]) {
    let Some(pipe) = stdin else { return };
    match pipe.write(text) {
        Ok(n) => *text = &text[n..],
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
        // A process may close its stdin without reading it.
        Err(_) => *text = &[],
    }
    if text.is_empty() {
        *stdin = None;
    }
}

/// Starts a thread, and returns an error, rather than panics, if that fails.
fn thread(body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().spawn(body).map(drop)
}

fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or(status.signal().map(|s| 128 + s))
        .unwrap_or(-1)
}

fn describe(status: ExitStatus) -> String {
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

/// The last lines of a text file, for messages. Reads a bounded part of the file. A hole in the file gives no
/// text.
pub fn tail(file: &mut File, lines_max: usize) -> String {
    let mut bytes = Vec::new();
    let mut read = || {
        let len = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES_MAX)))?;
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)
    };
    // Read errors shorten the text.
    let _ = read();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = (text.trim_end().lines())
        .map(|line| line.trim_matches('\0'))
        .collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}

#[cfg(test)]
mod tests;
