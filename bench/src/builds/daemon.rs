//! A daemon that serves the store of a pipeline.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A daemon, which is killed when this is dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts a daemon by a command, and waits until it serves.
    pub fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match line.contains("http://") {
            true => Ok(Self(process)),
            false => Err("the daemon did not say where it serves".into()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
