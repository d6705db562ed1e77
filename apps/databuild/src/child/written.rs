//! What a process writes to stderr. It is kept in a file, without secrets, as it arrives; its end is also kept in memory, for messages.
//!
//! The process writes to a pipe, so one that writes nothing costs no file. Secrets never reach the disk: what may be the beginning of one is
//! held back until more arrives, or until the process has ended.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use crate::command::Secrets;

/// The number of bytes of the end that are kept in memory.
const END_BYTES_MAX: usize = 8 * 1024;

/// What a process has written to stderr so far.
pub struct Written {
    path: PathBuf,
    /// The file, when something was written.
    file: Option<File>,
    secrets: Secrets,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
    end: Vec<u8>,
}

impl Written {
    /// Keeps in a file what a process will write. What an earlier one wrote to this file is removed.
    pub fn to(path: PathBuf, secrets: Secrets) -> Self {
        // Usually there is none.
        let _ = fs::remove_file(&path);
        Self {
            path,
            file: None,
            secrets,
            held: Vec::new(),
            end: Vec::new(),
        }
    }

    /// Keeps the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.secrets.is_empty() {
            return self.keep(bytes);
        }
        self.held.extend_from_slice(bytes);
        let later = self.held.split_off(self.secrets.complete_until(&self.held));
        let now = std::mem::replace(&mut self.held, later);
        self.keep(&self.secrets.redact_bytes(now));
    }

    /// Keeps what was held back, when the process has ended.
    pub(super) fn end(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.keep(&self.secrets.redact_bytes(held));
    }

    /// The file is not the result of the process, so errors are ignored.
    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = File::create(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            drop(file.write_all(bytes));
        }
        self.end.extend_from_slice(bytes);
        let more = self.end.len().saturating_sub(END_BYTES_MAX);
        self.end.drain(..more);
    }

    /// The last lines, for messages.
    pub fn tail(&self, lines_max: usize) -> String {
        let text = String::from_utf8_lossy(&self.end);
        let lines: Vec<&str> = (text.trim_end().lines())
            .map(|line| line.trim_matches('\0'))
            .collect();
        lines[lines.len().saturating_sub(lines_max)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Environment;

    #[test]
    fn a_file_is_made_when_something_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "of an earlier process").unwrap();
        let mut written = Written::to(path.clone(), Secrets::default());
        written.end();
        assert!(!path.exists());
        written.push(b"one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        written.push(&[b'x'; 3 * END_BYTES_MAX]);
        written.push(b"\ntwo\nthree\n");
        written.end();
        let len = 3 * END_BYTES_MAX + "one\n\ntwo\nthree\n".len();
        assert_eq!(fs::metadata(&path).unwrap().len(), len as u64);
        assert_eq!(written.tail(2), "two\nthree");
        assert!(written.tail(10).len() <= END_BYTES_MAX);
    }

    #[test]
    fn secrets_never_reach_the_file_wherever_the_text_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let names = ["CARGO_PKG_NAME", "CARGO_PKG_VERSION"];
        let secrets = Environment::parse(vec![], names.map(str::to_owned).to_vec());
        let secrets = secrets.unwrap().secrets();
        let text = "I am datadatabuild, dätä, 0.1.0.1.0 data";
        let expected = "I am data[CARGO_PKG_NAME], dätä, [CARGO_PKG_VERSION].1.0 data";
        for size in 1..text.len() {
            let mut written = Written::to(path.clone(), secrets.clone());
            for chunk in text.as_bytes().chunks(size) {
                written.push(chunk);
                let kept = fs::read_to_string(&path).unwrap_or_default();
                assert!(!kept.contains("databuild"), "{size}: {kept}");
            }
            written.end();
            assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{size}");
        }
        // Only what may be the beginning of a secret is held back.
        let mut written = Written::to(path.clone(), secrets);
        written.push(b"so far: data");
        assert_eq!(fs::read_to_string(&path).unwrap(), "so far: ");
    }
}
