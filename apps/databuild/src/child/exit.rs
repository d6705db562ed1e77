//! A file that becomes readable when a process has ended, so that its end and its pipes can be waited for together.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::thread;

/// The end of a process.
pub struct Exit(OwnedFd);

impl Exit {
    /// The end of a child that is not reaped yet. Linux has a file for it. Elsewhere, and in a Linux of before 2019, a thread waits for
    /// the process.
    ///
    /// # Errors
    /// If neither the file nor the thread can be made.
    pub fn of(pid: Pid) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            return Ok(Self(file));
        }
        Self::by_thread(pid)
    }

    fn by_thread(pid: Pid) -> io::Result<Self> {
        let (file, tell) = io::pipe()?;
        thread(move || {
            // The process stays a zombie, so that its number is not reused.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while waitid(WaitId::Pid(pid), options).is_err_and(|e| e == Errno::INTR) {}
            drop(tell);
        })?;
        Ok(Self(file.into()))
    }

    /// Waits until the process has ended.
    pub fn wait(&self) {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        while poll(&mut fds, None).is_err_and(|e| e == Errno::INTR) {}
    }
}

impl AsFd for Exit {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen_before_it_is_reaped() {
        for of in [Exit::of, Exit::by_thread] {
            let mut child = Command::new("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let exit = of(Pid::from_child(&child)).unwrap();
            let mut fds = [PollFd::new(&exit, PollFlags::IN)];
            let now = rustix::event::Timespec::default();
            assert_eq!(poll(&mut fds, Some(&now)).unwrap(), 0, "it still runs");
            drop(child.stdin.take());
            exit.wait();
            assert!(child.try_wait().unwrap().is_some_and(|s| s.success()));
        }
    }
}
