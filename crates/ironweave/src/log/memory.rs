//! The log in memory: for tests, for speculation and for stores that need no disk.

use super::frame::PAYLOAD_BYTES_MAX;
use super::{
    AppendError, ErrorKind, Frame, FrameHeader, Frames, Head, Log, Seq, StorageError, TornTail,
};

/// A log in memory. What is appended counts as durable at once.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    frames: Vec<Frame>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Log for MemoryLog {
    fn append_unsynced(
        &mut self,
        mut header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        let expected = self.frames.len() as Seq;
        if header.seq != expected {
            return Err(AppendError::Conflict {
                expected,
                found: header.seq,
            });
        }
        check_length(payload).map_err(AppendError::Refused)?;
        header.durable = self.durable();
        self.frames.push(Frame {
            header,
            payload: payload.to_vec(),
        });
        Ok(())
    }

    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.append_unsynced(header, payload)
    }

    fn head(&self) -> Option<Head> {
        self.frames.last().map(|frame| Head::of(&frame.header))
    }

    fn durable(&self) -> Option<Seq> {
        self.head().map(|head| head.seq)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        let from = usize::try_from(from)
            .unwrap_or(usize::MAX)
            .min(self.frames.len());
        Ok(Frames::new(self.frames[from..].iter().cloned().map(Ok)))
    }

    fn recovered(&self) -> Option<&TornTail> {
        None
    }
}

/// Every log has the same limit, so that a program does not find it out on the day it gets a disk.
pub(super) fn check_length(payload: &[u8]) -> Result<(), StorageError> {
    if payload.len() <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(StorageError::new(
        ErrorKind::TooLarge,
        format!(
            "a frame of {} bytes is longer than a log takes ({PAYLOAD_BYTES_MAX}); commit smaller transactions",
            payload.len()
        ),
    ))
}
