//! The least that a durable append can be: `write` and `fdatasync` of the same bytes, with a file that grows and with one whose
//! bytes were written before.

use std::fs::File;
use std::io;

use crate::log::callers::Batches;
use crate::rows::Scratch;

/// The length of the file that was written before.
const PREALLOCATED_BYTES: u64 = 16 << 20;

/// A file to which frames are appended.
pub struct Raw {
    file: File,
    at: u64,
    /// The length of the file if it was written before.
    end: Option<u64>,
    buffer: Vec<u8>,
    _dir: Scratch,
}

impl Raw {
    /// Creates the file.
    pub fn new(preallocated: bool) -> io::Result<Self> {
        let dir = Scratch::new(if preallocated { "preallocated" } else { "raw" })?;
        let file = File::create(dir.0.join("frames"))?;
        if preallocated {
            let zeros = vec![0; 1 << 20];
            for at in (0..PREALLOCATED_BYTES).step_by(zeros.len()) {
                write_all_at(&file, &zeros, at)?;
            }
        }
        file.sync_all()?;
        Ok(Self {
            file,
            at: 0,
            end: preallocated.then_some(PREALLOCATED_BYTES),
            buffer: Vec::new(),
            _dir: dir,
        })
    }

    /// Appends bytes and syncs them.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self
            .end
            .is_some_and(|end| self.at + bytes.len() as u64 > end)
        {
            self.at = 0;
        }
        write_all_at(&self.file, bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.file.sync_data()
    }
}

impl Batches for Raw {
    fn append_all(&mut self, records: &[Vec<u8>]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        records.iter().for_each(|record| buffer.extend(record));
        self.append(&buffer).expect("it can be written");
        self.buffer = buffer;
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
