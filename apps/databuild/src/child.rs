//! The processes of runs and of `digest` commands: starts them, reads their output, ends them.
//!
//! The life of a process:
//! 1. It waits until there is room for it. Then a thread starts it, which takes as long as the system needs to load the program, and tells
//!    [`Children::next`]. The process has its own process group, so that a Ctrl-C at the terminal reaches only databuild, which then ends the process together with its children.
//! 2. The thread writes its stdin and reads its stdout and stderr, until *the process* has ended. The thread does not wait for
//!    the end of the pipes, which a process in the background may keep open.
//! 3. The thread reads the rest of the pipes, reaps the process, and kills what is left of its group.
//! 4. The thread sends the result, including that for the group, to [`Children::next`], and waits for the next process.
//!
//! The group is signalled only before the process is reaped, under a lock, because its number may be reused afterwards (`group.rs`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::command::{self, Environment, Var};
use crate::protocol::{LineHandler, Lines};

mod exit;
mod group;
mod workers;
mod written;

use exit::Exit;
use group::Leader;
pub use group::Left;
use workers::Workers;
pub use written::Written;

/// How long processes may take to end after a signal.
pub const GRACE: Duration = Duration::from_secs(2);

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
    /// What keeps its stderr.
    pub stderr: Written,
    /// The text for its stdin.
    pub stdin: String,
}

/// What happens to a process.
pub enum Event<K, H> {
    /// It has started.
    Started {
        /// The key that was given to [`Children::spawn`].
        key: K,
        /// Its id.
        pid: u32,
    },
    /// It could not be started.
    NotStarted {
        /// The key that was given to [`Children::spawn`].
        key: K,
        /// Why.
        why: anyhow::Error,
    },
    /// It has ended.
    Ended(Ended<K, H>),
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
    /// Its stderr.
    pub stderr: Written,
    /// What was left of its process group.
    pub left: Left,
}

/// The running processes, by a key of the caller.
pub struct Children<K, H> {
    /// The groups of those that are started or run.
    running: BTreeMap<K, Arc<Leader>>,
    /// The threads that communicate with them.
    workers: Workers,
    sender: Sender<Option<Event<K, H>>>,
    receiver: Receiver<Option<Event<K, H>>>,
}

/// Ends a call of [`Children::next`] before its time, from any thread.
pub struct Waker<K, H>(Sender<Option<Event<K, H>>>);

impl<K, H> Waker<K, H> {
    /// Ends the call that waits, or the next one.
    pub fn wake(&self) {
        // If the receiver is gone, nothing waits.
        let _ = self.0.send(None);
    }
}

impl<K: Ord + Copy + Send + 'static, H: LineHandler> Children<K, H> {
    /// Starts with no process. At most `running_max` run at a time.
    pub fn new(running_max: usize) -> Self {
        let (sender, receiver) = channel();
        Self {
            running: BTreeMap::new(),
            workers: Workers::new(running_max),
            sender,
            receiver,
        }
    }

    /// The number of processes that are started or run.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns whether no process is started or runs.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts a process, or if as many run as may run, when one of them has ended. [`Children::next`] returns what happens to it: that it has
    /// started and that it has ended, or that it could not be started.
    ///
    /// # Errors
    /// If no thread can be started for it.
    pub fn spawn(&mut self, key: K, spec: Spec<'_>, handler: H) -> Result<()> {
        let mut command = command::of(spec.command, spec.vars, spec.env);
        let program = command.get_program().to_string_lossy().into_owned();
        let cannot_start = move || format!("cannot start `{program}`");
        let stdin = match spec.stdin.is_empty() {
            true => Stdio::null(),
            false => Stdio::piped(),
        };
        command
            .args(spec.arguments)
            .current_dir(spec.dir)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // No process is started if no thread can be.
        let prepared = self.workers.prepare(self.running.len());
        prepared.with_context(&cannot_start)?;
        let leader = Arc::new(Leader::default());
        let sender = self.sender.clone();
        let of = Arc::clone(&leader);
        let (text, mut stderr) = (spec.stdin, spec.stderr);
        self.workers.give(move || {
            if !of.begin() {
                return;
            }
            // The receiver may be gone while databuild ends.
            let tell = |event| drop(sender.send(Some(event)));
            let mut process = match Process::start(&mut command, of) {
                Ok(process) => process,
                Err(e) => {
                    let why = anyhow::Error::from(e).context(cannot_start());
                    return tell(Event::NotStarted { key, why });
                }
            };
            let pid = process.child.id();
            tell(Event::Started { key, pid });
            let mut output = process.communicate(&text, handler, &mut stderr);
            let (status, left) = process.end();
            let (exit, status) = match status {
                Ok(status) => (exit_code(status), describe(status)),
                Err(e) => (-1, format!("cannot be waited for: {e}")),
            };
            if let (Ok(handler), 0) = (&mut output, exit) {
                handler.succeeded();
            }
            tell(Event::Ended(Ended {
                key,
                exit,
                status,
                output,
                stderr,
                left,
            }));
        });
        self.running.insert(key, leader);
        Ok(())
    }

    /// Returns what ends a call of [`Children::next`] before its time.
    pub fn waker(&self) -> Waker<K, H> {
        Waker(self.sender.clone())
    }

    /// Waits for what happens next to a process, for a limited time, or until a [`Waker`] ends the call.
    pub fn next(&mut self, within: Duration) -> Option<Event<K, H>> {
        // `self` holds a sender, so the channel is never disconnected.
        let event = self.receiver.recv_timeout(within).ok()??;
        if let Event::NotStarted { key, .. } | Event::Ended(Ended { key, .. }) = &event {
            self.running.remove(key);
        }
        Some(event)
    }

    /// Sends a signal to the group of a process, if it still runs. If it is being started, it gets the signal then. If it waits until there is
    /// room for it, it is not started.
    pub fn signal(&self, key: K, signal: Signal) {
        match self.running.get(&key) {
            Some(leader) if leader.cancel() => {
                let why = anyhow::anyhow!("it was ended before it began");
                // `self` holds the receiver.
                drop(self.sender.send(Some(Event::NotStarted { key, why })));
            }
            Some(leader) => leader.signal(signal),
            None => {}
        }
    }

    /// Forgets the processes that wait until there is room for them: they are not started.
    pub fn begin_no_more(&mut self) {
        self.running.retain(|_, leader| !leader.cancel());
    }

    /// Ends all processes together with their groups, and returns their keys.
    pub fn end(&mut self) -> Vec<K> {
        let keys = self.running.keys().copied().collect();
        self.begin_no_more();
        for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            for key in self.running.keys() {
                self.signal(*key, signal);
            }
            let deadline = Instant::now() + grace;
            while !self.running.is_empty() && Instant::now() < deadline {
                drop(self.next(deadline.saturating_duration_since(Instant::now())));
            }
        }
        self.running.clear();
        keys
    }
}

/// A process, for the thread that communicates with it.
struct Process {
    child: Child,
    leader: Arc<Leader>,
    has_ended: Exit,
}

impl Process {
    fn start(command: &mut Command, leader: Arc<Leader>) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        leader.started(pid);
        let has_ended = match Exit::of(pid) {
            Ok(has_ended) => has_ended,
            Err(e) => {
                // Without it, the process cannot be waited for beside its pipes.
                leader.signal(Signal::KILL);
                drop(leader.reap(|| child.wait()));
                return Err(e);
            }
        };
        Ok(Self {
            child,
            leader,
            has_ended,
        })
    }

    /// Writes the stdin of a process, and reads its stdout and stderr until it has ended.
    fn communicate<H: LineHandler>(
        &mut self,
        text: &str,
        handler: H,
        written: &mut Written,
    ) -> Result<H, String> {
        let mut lines = Lines::new(handler);
        let mut stdin = self.child.stdin.take();
        let stdout = self.child.stdout.take().map(OwnedFd::from);
        let stderr = self.child.stderr.take().map(OwnedFd::from);
        let (mut stdout, mut stderr) = (stdout.map(File::from), stderr.map(File::from));
        let mut text = text.as_bytes();
        let mut buffer = vec![0; 16 * 1024];
        let result = (|| {
            for pipe in stdout.iter().chain(&stderr) {
                rustix::io::ioctl_fionbio(pipe, true)?;
            }
            if let Some(stdin) = &stdin {
                rustix::io::ioctl_fionbio(stdin, true)?;
            }
            loop {
                let mut fds = vec![PollFd::new(&self.has_ended, PollFlags::IN)];
                fds.extend(stdout.iter().map(|s| PollFd::new(s, PollFlags::IN)));
                fds.extend(stderr.iter().map(|s| PollFd::new(s, PollFlags::IN)));
                fds.extend(stdin.iter().map(|s| PollFd::new(s, PollFlags::OUT)));
                match poll(&mut fds, None) {
                    Err(Errno::INTR) => continue,
                    result => result?,
                };
                let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
                let ended = ready.next() == Some(true);
                let has_stdout = stdout.is_some() && ready.next() == Some(true);
                let has_stderr = stderr.is_some() && ready.next() == Some(true);
                let writable = stdin.is_some() && ready.next() == Some(true);
                drop(fds);
                if writable {
                    write_some(&mut stdin, &mut text);
                }
                if ended || has_stdout {
                    read_some(&mut stdout, ended, &mut buffer, |bytes| lines.push(bytes))?;
                }
                if ended || has_stderr {
                    // Stderr is not the result of the process, so errors only end it.
                    let read = read_some(&mut stderr, ended, &mut buffer, |b| written.push(b));
                    if read.is_err() {
                        stderr = None;
                    }
                }
                if ended {
                    return Ok(());
                }
            }
        })();
        written.end();
        match result {
            Ok(()) => lines.end(),
            Err::<_, io::Error>(e) => Err(format!("its stdout cannot be read: {e}")),
        }
    }

    /// Reaps a process after its end, and kills what is left of its group.
    fn end(&mut self) -> (io::Result<ExitStatus>, Left) {
        // Until the process has ended, `Children::end` may signal it.
        self.has_ended.wait();
        self.leader.reap(|| self.child.wait())
    }
}

/// Reads what has arrived in a pipe. Closes it at its end. After the end of its process, all that the process wrote is in the pipe; other
/// processes may still write to it.
fn read_some(
    pipe: &mut Option<File>,
    ended: bool,
    buffer: &mut [u8],
    mut push: impl FnMut(&[u8]),
) -> io::Result<()> {
    let Some(file) = pipe else { return Ok(()) };
    let mut left = match ended {
        true => rustix::io::ioctl_fionread(&*file)?,
        false => buffer.len() as u64,
    };
    while left > 0 {
        let most = (buffer.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
        match file.read(&mut buffer[..most]) {
            Ok(0) => {
                *pipe = None;
                break;
            }
            Ok(n) => {
                push(&buffer[..n]);
                left -= n as u64;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
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
fn thread(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
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

#[cfg(test)]
mod tests;
