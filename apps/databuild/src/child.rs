//! The processes of runs and of `digest` commands: starting them, hearing what they say, ending them.
//!
//! The life of a process:
//! 1. It is started in a process group of its own, so that a Ctrl-C at the terminal reaches databuild only, which
//!    then ends it with everything that it started itself.
//! 2. A thread of its own writes its stdin and hears its stdout, until *the process* has ended. It does not wait for
//!    the end of the pipe, which a process in the background may hold open for ever.
//! 3. What is in the pipe at that moment is heard, the process is reaped, and what is left of its group is killed.
//! 4. How it ended is sent to whoever started it, with what became of the group.
//!
//! The group is signalled only before the process is reaped, under a lock: its number cannot be that of another then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid,
};

use crate::command::{self, Var};
use crate::said::{Hearing, Lines};

/// How long processes may take to end when they are asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether a killed group is gone.
const GONE_PAUSE: Duration = Duration::from_millis(1);
/// How much of a file is read for its end.
const TAIL_BYTES_MAX: u64 = 8 * 1024;

/// What a process is to be.
pub struct Spec<'a> {
    /// The program and its arguments, as the jobs file has them.
    pub command: &'a [String],
    /// Further arguments, as they are.
    pub arguments: &'a [String],
    /// Its variables.
    pub vars: &'a [Var],
    /// Its directory.
    pub dir: &'a Path,
    /// Where its stderr goes.
    pub stderr: &'a Path,
    /// What it gets on stdin.
    pub stdin: String,
}

/// How a process ended.
pub struct Ended<K, H> {
    /// Which one, as told to [`Children::spawn`].
    pub key: K,
    /// Its exit status: 128 and the number of the signal where one ended it.
    pub exit: i32,
    /// The same in words.
    pub status: String,
    /// What it said on stdout; the error says what was wrong with that.
    pub said: Result<H, String>,
    /// What it wrote to stderr, whatever it made of the file's name.
    pub stderr: File,
    /// What became of its process group.
    pub group: Group,
}

/// What became of a process group after its process had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// There was nothing left in it.
    Empty,
    /// There was, and was killed.
    Killed,
    /// There was, and it is still there.
    Stays,
}

impl Group {
    /// What there is to say of it, if anything.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Killed => {
                Some("its process has ended and left others in its group, which were killed")
            }
            Self::Stays => Some(
                "its process has ended and left others in its group, which cannot be ended: end them before they do harm",
            ),
        }
    }
}

/// Processes that run, by a key of the caller's.
pub struct Children<K, H> {
    running: BTreeMap<K, Arc<Mutex<Option<Pid>>>>,
    sender: Sender<Ended<K, H>>,
    receiver: Receiver<Ended<K, H>>,
}

impl<K: Ord + Copy + Send + 'static, H: Hearing> Children<K, H> {
    /// None.
    pub fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            running: BTreeMap::new(),
            sender,
            receiver,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts a process and returns its id.
    pub fn spawn(&mut self, key: K, spec: Spec<'_>, hearing: H) -> Result<u32> {
        let mut command = command::of(spec.command, spec.vars);
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
        let process = Process::new().with_context(cannot_start)?;
        let (group, sender) = (Arc::clone(&process.group), self.sender.clone());
        let (started, starts) = channel();
        let stdin = spec.stdin;
        // The thread starts the process itself, so that there is none where there can be no thread.
        let listener = move || {
            let mut child = match process.start(&mut command) {
                Ok(child) => child,
                // Whoever started it waits for this.
                Err(e) => return drop(started.send(Err(e))),
            };
            drop(started.send(Ok(child.id())));
            let said = process.listen(&mut child, stdin, hearing);
            let (status, group) = process.end(&mut child);
            let (exit, status) = match status {
                Ok(status) => (exit_code(status), in_words(status)),
                Err(e) => (-1, format!("cannot be waited for: {e}")),
            };
            // Nobody listens any more when databuild is ending.
            let _ = sender.send(Ended {
                key,
                exit,
                status,
                said,
                stderr,
                group,
            });
        };
        thread(listener).with_context(cannot_start)?;
        let pid = starts.recv().with_context(cannot_start)?;
        let pid = pid.with_context(cannot_start)?;
        self.running.insert(key, group);
        Ok(pid)
    }

    /// The next one that ends within a time.
    pub fn ended(&mut self, within: Duration) -> Option<Ended<K, H>> {
        // There is a sender in here, so it is never disconnected.
        let ended = self.receiver.recv_timeout(within).ok()?;
        self.running.remove(&ended.key);
        Some(ended)
    }

    /// Ends all of them with everything that they started; the keys of those that ran.
    pub fn end(&mut self) -> Vec<K> {
        let keys = self.running.keys().copied().collect();
        for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            for group in self.running.values() {
                if let Some(pid) = *group.lock().unwrap_or_else(PoisonError::into_inner) {
                    // It may have ended just now.
                    let _ = kill_process_group(pid, signal);
                }
            }
            let deadline = Instant::now() + grace;
            while !self.running.is_empty()
                && self
                    .ended(deadline.saturating_duration_since(Instant::now()))
                    .is_some()
            {}
        }
        self.running.clear();
        keys
    }
}

impl<K: Ord + Copy + Send + 'static, H: Hearing> Default for Children<K, H> {
    fn default() -> Self {
        Self::new()
    }
}

/// A process as its thread sees it.
struct Process {
    /// Its group, as long as nobody else can have its number.
    group: Arc<Mutex<Option<Pid>>>,
    /// Where the thread that waits for its end gets to know its id.
    waits_for: Sender<Pid>,
    /// Can be read from once the process has ended.
    has_ended: std::io::PipeReader,
}

impl Process {
    /// One that is not started yet. A second thread waits for its end, since nothing portable can be waited for
    /// together with a pipe.
    fn new() -> std::io::Result<Self> {
        let (has_ended, tell) = std::io::pipe()?;
        let (waits_for, pid) = channel();
        thread(move || {
            if let Ok(pid) = pid.recv() {
                // Leaves it as a zombie, which keeps its number.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while waitid(WaitId::Pid(pid), options).is_err_and(|e| e == Errno::INTR) {}
            }
            drop(tell);
        })?;
        Ok(Self {
            group: Arc::default(),
            waits_for,
            has_ended,
        })
    }

    fn group(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, command: &mut std::process::Command) -> std::io::Result<std::process::Child> {
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        *self.group() = Some(pid);
        // The other thread waits for it.
        let _ = self.waits_for.send(pid);
        Ok(child)
    }

    /// Writes the stdin of a process and hears its stdout until it has ended.
    fn listen<H: Hearing>(
        &self,
        child: &mut std::process::Child,
        text: String,
        hearing: H,
    ) -> Result<H, String> {
        let mut lines = Lines::new(hearing);
        let (mut stdout, mut stdin) = (child.stdout.take(), child.stdin.take());
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
                // Once it has ended: what it has written is in the pipe now. Others may go on writing to it.
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

    /// Reaps a process, once it has ended, and kills what is left of its group.
    fn end(&self, child: &mut std::process::Child) -> (std::io::Result<ExitStatus>, Group) {
        // As long as it runs, others may signal it.
        while (&self.has_ended)
            .read(&mut [0])
            .is_err_and(|e| e.kind() == ErrorKind::Interrupted)
        {}
        let (status, left) = {
            let mut group = self.group();
            let status = child.wait();
            let pid = group.take();
            let left = pid.filter(|pid| test_kill_process_group(*pid) != Err(Errno::SRCH));
            if let Some(pid) = left {
                // What cannot be killed is told.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            (status, left)
        };
        let Some(pid) = left else {
            return (status, Group::Empty);
        };
        // What is killed may still be in the middle of writing something.
        let deadline = Instant::now() + GRACE;
        while test_kill_process_group(pid) != Err(Errno::SRCH) {
            if Instant::now() > deadline {
                return (status, Group::Stays);
            }
            std::thread::sleep(GONE_PAUSE);
        }
        (status, Group::Killed)
    }
}

/// Writes as much of a text as the pipe takes, and closes it at the end, or where nobody reads it.
fn write_some(stdin: &mut Option<ChildStdin>, text: &mut &[u8]) {
    let Some(pipe) = stdin else { return };
    match pipe.write(text) {
        Ok(n) => *text = &text[n..],
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
        // A process that does not care for its stdin closes it; nothing is lost.
        Err(_) => *text = &[],
    }
    if text.is_empty() {
        *stdin = None;
    }
}

/// Starts a thread. Where there can be none, that is an error and no panic.
fn thread(body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().spawn(body).map(drop)
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

/// The end of a text file, at most so many lines, for messages. Reads no more of it than is shown. Where the file has
/// a hole, there is no text.
pub fn tail(file: &mut File, lines_max: usize) -> String {
    let mut bytes = Vec::new();
    let mut read = || {
        let len = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES_MAX)))?;
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)
    };
    // What cannot be read is not shown.
    let _ = read();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = (text.trim_end().lines())
        .map(|line| line.trim_matches('\0'))
        .collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}

#[cfg(test)]
mod tests;
