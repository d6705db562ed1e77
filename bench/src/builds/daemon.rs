//! A daemon that serves the store of a pipeline, and questions to it over HTTP.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A daemon, which is killed when this is dropped.
pub struct Daemon {
    process: Child,
    address: String,
}

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
        let address = line.trim().rsplit_once("http://");
        let address = address.ok_or("the daemon did not say where it serves")?.1;
        Ok(Self {
            address: address.to_owned(),
            process,
        })
    }

    /// Returns the nanoseconds until the whole answer to a `GET` has arrived.
    pub fn get(&self, path: &str) -> Result<f64, Box<dyn Error>> {
        let began = Instant::now();
        let mut stream = TcpStream::connect(&self.address)?;
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let took = began.elapsed().as_nanos() as f64;
        match answer.lines().next() {
            Some(first) if first.ends_with("200 OK") => Ok(took),
            first => Err(format!("GET {path}: {first:?}").into()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
