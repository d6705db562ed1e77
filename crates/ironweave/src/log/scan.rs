//! Reading one segment from its beginning to its end, and searching the bytes after the first invalid frame.
//!
//! Reading changes no file, and has at most one frame and one chunk in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::frame::{
    self, BLOCK_BYTES, Block, BlockFault, FRAME_HEADER_BYTES, FRAME_MAGIC, Fault, SEGMENT_MAGIC,
};
use super::segment_file::SegmentFile;
use super::{FrameHeader, Seq, StorageError};
use crate::base::error::FrameLocation;

const CHUNK_BYTES: usize = 64 << 10;
/// The number of bytes that are read at once for a single frame. Most frames are shorter.
const FRAME_BYTES: usize = 1 << 10;

/// Reads the frames of a segment in order.
pub(super) struct Scan {
    file: SegmentFile,
    buf: Vec<u8>,
    /// The offset of the next frame in `buf`.
    start: usize,
    /// The offset of the next frame in the file.
    offset: u64,
}

/// The result of reading a frame.
pub(super) enum Found<'a> {
    /// The expected frame. The scan has advanced past it.
    Frame {
        header: FrameHeader,
        payload: &'a [u8],
        checksum: u64,
    },
    /// The file ends, or has zeros in place of the header of a frame.
    End,
    /// The bytes are not the expected frame. The scan has not advanced.
    Bad(Fault),
}

impl Scan {
    /// Reads a segment from the offset of a frame on.
    pub fn of(mut file: SegmentFile, offset: u64) -> Result<Self, StorageError> {
        (file.seek(offset)).map_err(|e| StorageError::unreadable(file.path(), offset, None, e))?;
        Ok(Self {
            file,
            buf: Vec::new(),
            start: 0,
            offset,
        })
    }

    /// Returns the path of the file that is read.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the location of the next frame.
    pub fn location(&self) -> FrameLocation {
        self.location_at(self.offset)
    }

    /// Returns the location of a frame in the file.
    pub fn location_at(&self, offset: u64) -> FrameLocation {
        self.file.location(offset)
    }

    /// Returns the offset of the next frame in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next frame, which must be valid and have the expected sequence number.
    pub fn next(&mut self, store: u64, expected: Seq) -> io::Result<Found<'_>> {
        let have = self.fill(FRAME_HEADER_BYTES)?;
        let header_bytes = &self.buf[self.start..self.start + have.min(FRAME_HEADER_BYTES)];
        if header_bytes.iter().all(|&byte| byte == 0) {
            return Ok(Found::End);
        }
        if header_bytes.len() < FRAME_HEADER_BYTES {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        let bytes = match frame::length(header_bytes) {
            Ok(bytes) => bytes,
            Err(fault) => return Ok(Found::Bad(fault)),
        };
        // The length of the file bounds the allocation that a corrupt length can cause.
        if have < bytes && self.file.len()? < self.offset + bytes as u64 {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        if self.fill(bytes)? < bytes {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        match frame::decode(&self.buf[self.start..self.start + bytes], store) {
            Ok((header, payload)) if header.seq == expected => {
                let checksum = frame::stored_checksum(&self.buf[self.start..]);
                self.start += bytes;
                self.offset += bytes as u64;
                count_frame_read();
                Ok(Found::Frame {
                    header,
                    payload,
                    checksum,
                })
            }
            Ok((header, _)) => Ok(Found::Bad(Fault::Sequence(header.seq))),
            Err(fault) => Ok(Found::Bad(fault)),
        }
    }

    /// Reads until `wanted` bytes of the next frame are in the buffer or the file ends. Returns the number of bytes in it.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let have = self.buf.len() - self.start;
        if have >= wanted {
            return Ok(have);
        }
        self.buf.drain(..self.start);
        self.start = 0;
        // The memory of a long frame is freed.
        if self.buf.capacity() > 16 * CHUNK_BYTES && wanted <= CHUNK_BYTES {
            self.buf.shrink_to(CHUNK_BYTES);
        }
        let missing = (wanted - have).max(CHUNK_BYTES) as u64;
        self.file.read_more(missing, &mut self.buf)?;
        Ok(self.buf.len())
    }
}

/// Reads the frame at an offset of a segment, with any sequence number, and reads only that frame. `buf` is reused.
pub(super) fn frame_at<'b>(
    file: &mut SegmentFile,
    offset: u64,
    store: u64,
    buf: &'b mut Vec<u8>,
) -> io::Result<Found<'b>> {
    // The memory of a long frame is freed.
    if buf.len() < FRAME_BYTES || buf.len() > CHUNK_BYTES {
        buf.clear();
        buf.resize(FRAME_BYTES, 0);
        buf.shrink_to(CHUNK_BYTES);
    }
    let have = file.read_at(offset, &mut buf[..FRAME_BYTES])?;
    if have < FRAME_HEADER_BYTES {
        return Ok(Found::Bad(Fault::Incomplete));
    }
    let bytes = match frame::length(buf) {
        Ok(bytes) => bytes,
        Err(fault) => return Ok(Found::Bad(fault)),
    };
    if have < bytes {
        // The length of the file bounds the allocation that a corrupt length can cause.
        if file.len()? < offset + bytes as u64 {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        buf.resize(bytes.max(FRAME_BYTES), 0);
        if file.read_at(offset + have as u64, &mut buf[have..bytes])? < bytes - have {
            return Ok(Found::Bad(Fault::Incomplete));
        }
    }
    count_frame_read();
    let checksum = frame::stored_checksum(buf);
    Ok(match frame::decode(&buf[..bytes], store) {
        Ok((header, payload)) => Found::Frame {
            header,
            payload,
            checksum,
        },
        Err(fault) => Found::Bad(fault),
    })
}

/// Returns the checksum in the header of the frame at an offset, or `None` if no frame begins there.
pub(super) fn checksum_at(path: &Path, offset: u64) -> io::Result<Option<u64>> {
    let mut header = [0; FRAME_HEADER_BYTES];
    let have = read_at(&File::open(path)?, offset, &mut header)?;
    let is_frame = have == header.len() && header[..4] == FRAME_MAGIC;
    Ok(is_frame.then(|| frame::stored_checksum(&header)))
}

/// Reads from an offset of a file until the buffer is full or the file ends. Returns the number of bytes read.
pub(super) fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < buf.len() {
        match read_some_at(file, offset + have as u64, &mut buf[have..]) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(have)
}

#[cfg(unix)]
fn read_some_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(not(unix))]
fn read_some_at(mut file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.read(buf)
}

/// Counts the frames that a thread reads, in tests only.
fn count_frame_read() {
    #[cfg(test)]
    FRAMES_READ.set(FRAMES_READ.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// The number of frames that this thread has read from segments.
    pub(crate) static FRAMES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Reads the header of a segment. The inner error is that of a file that is too short, or does not begin with a valid header.
pub(super) fn read_header(path: &Path) -> io::Result<Result<Block, BlockFault>> {
    let mut bytes = [0; BLOCK_BYTES];
    let have = read_at(&File::open(path)?, 0, &mut bytes)?;
    Ok(header_of(&bytes, have))
}

/// As [`read_header`], of a segment that is open.
pub(super) fn header(file: &mut SegmentFile) -> io::Result<Result<Block, BlockFault>> {
    let mut bytes = [0; BLOCK_BYTES];
    let have = file.read_at(0, &mut bytes)?;
    Ok(header_of(&bytes, have))
}

fn header_of(bytes: &[u8; BLOCK_BYTES], have: usize) -> Result<Block, BlockFault> {
    match have {
        BLOCK_BYTES => Block::decode(SEGMENT_MAGIC, bytes),
        _ => Err(BlockFault::Magic),
    }
}

/// Returns the end of the last nonzero byte at or after `from`, or `None` if there are only zeros.
pub(super) fn end_of_content(path: &Path, from: u64) -> io::Result<Option<u64>> {
    let file = File::open(path)?;
    end_of(from, |at, buf| read_at(&file, at, buf))
}

/// As [`end_of_content`], of a segment that is open.
pub(super) fn content_behind(file: &mut SegmentFile, from: u64) -> io::Result<Option<u64>> {
    end_of(from, |at, buf| file.read_at(at, buf))
}

fn end_of(
    from: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<Option<u64>> {
    let mut buf = vec![0; CHUNK_BYTES];
    let (mut at, mut end) = (from, None);
    loop {
        let read = read(at, &mut buf)?;
        if read == 0 {
            return Ok(end);
        }
        if let Some(last) = buf[..read].iter().rposition(|&byte| byte != 0) {
            end = Some(at + last as u64 + 1);
        }
        at += read as u64;
    }
}

/// A later frame that proves that an invalid frame was durable.
pub(super) struct Evidence {
    pub offset: u64,
    pub seq: Seq,
    pub durable: Seq,
}

/// The result of a search for evidence.
pub(super) enum Search {
    Found(Evidence),
    NotFound,
    /// The search reached its limit, because too many bytes look like headers of long frames.
    Undecided,
}

/// Candidates that are not longer than this are always checked, at a constant cost for each byte of the tail.
const SHORT_BYTES: usize = 512;

/// Searches the bytes from `from` on for a valid frame that records frame `bad` as durable.
///
/// Frames begin at multiples of 8. A candidate is read only if its header has a plausible sequence number and durable frame,
/// so payloads that look like frames cost little. Long candidates may overlap. The number of bytes read for them is limited
/// to four times the length of the tail plus `bytes_max`, so the search is linear in the length of the tail for any content.
pub(super) fn find_evidence(
    path: &Path,
    from: u64,
    store: u64,
    bad: Seq,
    bytes_max: u64,
) -> io::Result<Search> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(from))?;
    let mut left = len.saturating_sub(from).saturating_mul(4);
    left = left.saturating_add(bytes_max);
    let mut undecided = false;
    let (mut window, mut long) = (Vec::new(), Vec::new());
    let mut base = from;
    loop {
        let before = window.len();
        (&file).take(CHUNK_BYTES as u64).read_to_end(&mut window)?;
        let last = window.len() == before;
        let mut at = 0;
        // A short candidate is decoded in the window, so the window must contain all of it.
        let ahead = if last {
            FRAME_HEADER_BYTES
        } else {
            SHORT_BYTES
        };
        while at + ahead <= window.len() {
            let offset = base + at as u64;
            let room = len.saturating_sub(offset);
            let rest = &window[at..];
            let candidate = candidate_len(rest, bad, offset - from);
            if let Some(bytes) = candidate.filter(|b| *b as u64 <= room) {
                let whole = match rest.get(..bytes).filter(|_| bytes <= SHORT_BYTES) {
                    Some(short) => Some(short),
                    None if bytes as u64 > left => {
                        undecided = true;
                        None
                    }
                    None => {
                        left -= bytes as u64;
                        long.resize(bytes, 0);
                        let read = read_at(&file, offset, &mut long)?;
                        Some(&long[..read])
                    }
                };
                let whole = whole.filter(|whole| whole.len() == bytes);
                let seqs = whole.and_then(|whole| frame::verified_seqs(whole, store));
                if let Some((seq, Some(durable))) = seqs {
                    return Ok(Search::Found(Evidence {
                        offset,
                        seq,
                        durable,
                    }));
                }
            }
            at += 8;
        }
        if last {
            return Ok(if undecided {
                Search::Undecided
            } else {
                Search::NotFound
            });
        }
        window.drain(..at);
        base += at as u64;
    }
}

/// Returns the length of the frame that may begin with `header`, if the header is plausible for a frame that was written
/// when frame `bad`, which begins `distance` bytes earlier, was durable.
fn candidate_len(header: &[u8], bad: Seq, distance: u64) -> Option<usize> {
    let bytes = frame::length(header).ok()?;
    let (seq, durable) = frame::unverified_seqs(header);
    let fits = durable.is_some_and(|durable| bad <= durable && durable < seq);
    // Each frame between them has at least the length of a header.
    let between = seq
        .frames_since(bad)?
        .checked_mul(FRAME_HEADER_BYTES as u64)?;
    (fits && between <= distance && frame::is_known(header)).then_some(bytes)
}
