//! Frames that are appended together.
//!
//! A log in files writes them with one write for each segment that they lie in ([`FileLog`]). Each is a frame of its own, as
//! if it had been appended alone, so that a reader and a recovery know nothing of batches: a write that is torn leaves a
//! prefix of the batch.

use std::ops::Range;

use super::frame::{self, BLOCK_BYTES};
use super::memory::check_length;
use super::{AppendError, FileLog, FrameHeader, Log as _, ReadLog as _, StorageError};
use crate::base::position::{Position, Seq};

/// Consecutive frames that are not in the log yet.
#[derive(Debug, Default)]
pub(crate) struct FrameBatch {
    /// The header of each frame, and the end of its payload in `payloads`.
    frames: Vec<(FrameHeader, usize)>,
    payloads: Vec<u8>,
    /// The positions of the frames that were written, if they are needed.
    positions: Vec<Position>,
    keeps_positions: bool,
}

/// The error of frames that were appended together: the first frames are in the log, and the others are not.
#[derive(Debug)]
pub(crate) struct BatchError {
    /// The number of frames in the log.
    pub appended: usize,
    /// The error of the others. If it is `Indeterminate`, the next open may find some of them in the log.
    pub error: AppendError,
}

impl FrameBatch {
    /// Adds a frame.
    ///
    /// # Errors
    /// `is_too_large`, for a payload that no log accepts.
    pub(crate) fn push(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), StorageError> {
        check_length(payload)?;
        self.payloads.extend_from_slice(payload);
        self.frames.push((header, self.payloads.len()));
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the number of bytes in all payloads.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payloads.len()
    }

    /// Returns the sequence number of the first frame.
    pub(crate) fn first(&self) -> Option<Seq> {
        Some(self.frames.first()?.0.seq)
    }

    /// Returns a frame, which must be in the batch.
    pub(crate) fn get(&self, index: usize) -> (FrameHeader, &[u8]) {
        let (header, end) = self.frames[index];
        let before = index.checked_sub(1);
        let start = before.map_or(0, |before| self.frames[before].1);
        (header, &self.payloads[start..end])
    }

    /// Makes the log record the position of each frame that it appends.
    pub(crate) fn keep_positions(&mut self) {
        self.keeps_positions = true;
    }

    /// Returns the position of a frame that was appended, if positions are kept.
    pub(crate) fn position(&self, index: usize) -> Option<Position> {
        self.positions.get(index).copied()
    }

    /// Records the position of the next frame.
    pub(super) fn appended(&mut self, position: impl FnOnce() -> Option<Position>) {
        if self.keeps_positions {
            self.positions.extend(position());
        }
    }

    /// Removes all frames, and frees the memory of an unusually long batch.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.frames.clear();
        self.payloads.clear();
        self.payloads.shrink_to(bytes_max);
        self.positions.clear();
        self.keeps_positions = false;
    }
}

impl FileLog {
    /// See [`Log::append_group`](super::Log::append_group). All frames are in one segment, since a segment with a successor is
    /// complete.
    pub(super) fn append_frames_of_group(
        &mut self,
        frames: &[(FrameHeader, Vec<u8>)],
    ) -> Result<(), AppendError> {
        let Some((first, _)) = frames.first() else {
            return Ok(());
        };
        self.check_append(first.seq)?;
        let mut bytes = 0;
        for (_, payload) in frames {
            check_length(payload).map_err(AppendError::Refused)?;
            bytes += frame::frame_bytes(payload.len()) as u64;
        }
        self.reserve(bytes).map_err(AppendError::Refused)?;
        // No frame of the group says that an earlier one is durable: recovery may remove all of them.
        let durable = self.sync_state.durable();
        for (header, payload) in frames {
            let header = FrameHeader { durable, ..*header };
            self.buffer.clear();
            let sum = frame::encode(&mut self.buffer, &header, payload, self.chain.store);
            self.write_buffer()?;
            let bytes = frame::frame_bytes(payload.len()) as u64;
            self.chain.push(&header, bytes, sum);
            self.end_append(header.seq);
        }
        Ok(())
    }

    /// See [`Log::append_all`](super::Log::append_all).
    pub(super) fn append_batch(&mut self, frames: &mut FrameBatch) -> Result<(), BatchError> {
        let mut appended = 0;
        while appended < frames.len() {
            let (count, bytes) = self.group(frames, appended);
            match self.append_group(frames, appended..appended + count, bytes) {
                Ok(()) => appended += count,
                // A nearly full disk may still have space for some of them.
                Err(AppendError::Refused(error)) if error.is_full() && count > 1 => {
                    let (header, payload) = frames.get(appended);
                    (self.append(header, payload))
                        .map_err(|error| BatchError { appended, error })?;
                    frames.appended(|| self.position_of(header.seq).ok()?);
                    appended += 1;
                }
                Err(error) => return Err(BatchError { appended, error }),
            }
        }
        Ok(())
    }

    /// Returns the number of frames, from one on, that are written together into one segment, and their length in bytes.
    fn group(&self, frames: &FrameBatch, from: usize) -> (usize, u64) {
        let bytes_of = |index| frame::frame_bytes(frames.get(index).1.len()) as u64;
        let mut bytes = bytes_of(from);
        let begin = match self.begins_segment(bytes) {
            true => BLOCK_BYTES as u64,
            false => self.chain.end,
        };
        let mut until = from + 1;
        while until < frames.len()
            && begin + bytes + bytes_of(until) <= self.options.segment_bytes_max
        {
            bytes += bytes_of(until);
            until += 1;
        }
        (until - from, bytes)
    }

    /// Writes frames into one segment, with one write. `bytes` is their length.
    fn append_group(
        &mut self,
        frames: &mut FrameBatch,
        group: Range<usize>,
        bytes: u64,
    ) -> Result<(), AppendError> {
        let Some(last) = group.clone().last() else {
            return Ok(());
        };
        self.check_append(frames.get(group.start).0.seq)?;
        self.reserve(bytes).map_err(AppendError::Refused)?;
        let durable = self.sync_state.durable();
        self.buffer.clear();
        self.buffer.reserve(bytes as usize);
        for index in group.clone() {
            let (mut header, payload) = frames.get(index);
            header.durable = durable;
            frame::encode(&mut self.buffer, &header, payload, self.chain.store);
        }
        self.write_buffer()?;
        let mut at = 0;
        for index in group {
            let (mut header, payload) = frames.get(index);
            header.durable = durable;
            let length = frame::frame_bytes(payload.len());
            let sum = frame::stored_checksum(&self.buffer[at..]);
            self.chain.push(&header, length as u64, sum);
            at += length;
            frames.appended(|| self.chain.position_of(header.seq).ok()?);
        }
        self.end_append(frames.get(last).0.seq);
        Ok(())
    }
}
