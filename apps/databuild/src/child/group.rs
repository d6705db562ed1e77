//! The group of a process. It is signalled only until the process is reaped, under a lock, because its number may be reused afterwards.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::GRACE;

/// How often the end of a killed group is checked.
const GONE_PAUSE: Duration = Duration::from_millis(1);

/// The process that leads a group, which has its number.
#[derive(Default)]
pub struct Leader(Mutex<State>);

#[derive(Default)]
enum State {
    /// The process waits until there is room for it.
    #[default]
    Waits,
    /// The process is being started. It gets this signal then.
    Starts(Option<Signal>),
    /// The process has this number.
    Runs(Pid),
    /// There is no process: it was reaped, or will not be started.
    Gone,
}

impl Leader {
    /// Sends a signal to the group.
    pub fn signal(&self, signal: Signal) {
        match &mut *self.state() {
            State::Starts(later) => *later = Some(signal),
            State::Runs(pid) => send(*pid, signal),
            State::Waits | State::Gone => {}
        }
    }

    /// Returns whether the process still waited. Then it will not be started.
    pub fn cancel(&self) -> bool {
        let mut state = self.state();
        let waits = matches!(*state, State::Waits);
        if waits {
            *state = State::Gone;
        }
        waits
    }

    /// Returns whether the process may be started, which then begins.
    pub fn begin(&self) -> bool {
        let mut state = self.state();
        let waits = matches!(*state, State::Waits);
        if waits {
            *state = State::Starts(None);
        }
        waits
    }

    /// The process was started.
    pub fn started(&self, pid: Pid) {
        let mut state = self.state();
        if let State::Starts(Some(signal)) = *state {
            send(pid, signal);
        }
        *state = State::Runs(pid);
    }

    /// Reaps the process, which has ended or was killed, and kills what is left of its group.
    pub fn reap<T>(&self, wait: impl FnOnce() -> T) -> (T, Left) {
        let mut state = self.state();
        let status = wait();
        let State::Runs(pid) = std::mem::replace(&mut *state, State::Gone) else {
            return (status, Left::Nothing);
        };
        if is_gone(pid) {
            return (status, Left::Nothing);
        }
        // The check below reports processes that cannot be killed.
        send(pid, Signal::KILL);
        drop(state);
        // A killed process may still be in a system call that writes.
        let deadline = Instant::now() + GRACE;
        while !is_gone(pid) {
            if Instant::now() > deadline {
                return (status, Left::Alive);
            }
            std::thread::sleep(GONE_PAUSE);
        }
        (status, Left::Killed)
    }

    // Each change under this lock is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a signal to a group, whose processes may have ended in the meantime.
fn send(pid: Pid, signal: Signal) {
    let _ = kill_process_group(pid, signal);
}

/// Returns whether a group has no process.
fn is_gone(pid: Pid) -> bool {
    test_kill_process_group(pid) == Err(Errno::SRCH)
}

/// What was left of a process group after its process had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// No other process was in it.
    Nothing,
    /// Other processes were in it, and were killed.
    Killed,
    /// Other processes are in it, and could not be killed.
    Alive,
}

impl Left {
    /// A message, if other processes were in the group.
    pub fn message(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Killed => {
                Some("its process ended and left others in its group, which were killed")
            }
            Self::Alive => Some(
                "its process ended and left others in its group, which could not be killed: end them before you continue",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_signal_before_the_start_is_sent_at_the_start() {
        let leader = Leader::default();
        assert!(leader.begin() && !leader.cancel());
        leader.signal(Signal::TERM);
        leader.signal(Signal::KILL);
        let mut child = Command::new("sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .unwrap();
        leader.started(Pid::from_child(&child));
        let (status, left) = leader.reap(|| child.wait());
        assert_eq!(status.unwrap().signal(), Some(Signal::KILL.as_raw()));
        assert_eq!(left, Left::Nothing);
        // Its number may be that of another process by now.
        leader.signal(Signal::TERM);
    }

    #[test]
    fn a_process_that_waits_is_canceled_once_and_not_started() {
        let leader = Leader::default();
        leader.signal(Signal::TERM);
        assert!(leader.cancel() && !leader.cancel() && !leader.begin());
    }
}
