//! Reading one segment from front to back, and looking at what lies behind the first bad frame.
//!
//! Reading never changes anything, and holds at most one frame and one chunk in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::frame::{self, BLOCK_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, Fault};
use super::{Frame, FrameHeader, Seq};
use crate::position::Position;

const CHUNK_BYTES: usize = 64 << 10;
/// What is read at once where a single frame is wanted; most are shorter.
const FRAME_BYTES: usize = 1 << 10;

/// A place in a segment, moving from frame to frame.
pub(super) struct Scan {
    file: File,
    buf: Vec<u8>,
    /// Where in `buf` the next frame begins.
    start: usize,
    /// The same place in the file.
    offset: u64,
}

/// What lies at a place.
pub(super) enum Found<'a> {
    /// The frame that was expected; the scan is now behind it.
    Frame {
        header: FrameHeader,
        payload: &'a [u8],
        /// Its checksum.
        sum: u64,
    },
    /// Nothing, or zeros where the header of a frame would be.
    End,
    /// Something else; the scan stays before it.
    Bad(Fault),
}

impl Scan {
    /// `offset` is where a frame begins.
    pub fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file,
            buf: Vec::new(),
            start: 0,
            offset,
        })
    }

    /// Where the next frame begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next frame, if it is whole and has the expected sequence.
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
        // A corrupt length is refused by the size of the file, before anything is allocated.
        if have < bytes && self.file.metadata()?.len() < self.offset + bytes as u64 {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        if self.fill(bytes)? < bytes {
            return Ok(Found::Bad(Fault::Incomplete));
        }
        match frame::decode(&self.buf[self.start..self.start + bytes], store) {
            Ok((header, payload)) if header.seq == expected => {
                let sum = frame::sum(&self.buf[self.start..]);
                self.start += bytes;
                self.offset += bytes as u64;
                read_one();
                Ok(Found::Frame {
                    header,
                    payload,
                    sum,
                })
            }
            Ok((header, _)) => Ok(Found::Bad(Fault::Sequence(header.seq))),
            Err(fault) => Ok(Found::Bad(fault)),
        }
    }

    /// Sees to it that `wanted` bytes from here on are in the buffer, if the file has them; says how many are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let have = self.buf.len() - self.start;
        if have >= wanted {
            return Ok(have);
        }
        self.buf.drain(..self.start);
        self.start = 0;
        // One long frame must not leave its memory behind for all that follow.
        if self.buf.capacity() > 16 * CHUNK_BYTES && wanted <= CHUNK_BYTES {
            self.buf.shrink_to(CHUNK_BYTES);
        }
        let missing = (wanted - have).max(CHUNK_BYTES) as u64;
        (&self.file).take(missing).read_to_end(&mut self.buf)?;
        Ok(self.buf.len())
    }
}

/// The frame at a place of a segment, whichever it is; reads no more than that frame.
pub(super) fn frame_at(
    file: &File,
    offset: u64,
    store: u64,
    timeline: u64,
) -> io::Result<Result<Frame, Fault>> {
    let mut buf = vec![0; FRAME_BYTES];
    let have = read_at(file, offset, &mut buf)?;
    if have < FRAME_HEADER_BYTES {
        return Ok(Err(Fault::Incomplete));
    }
    let bytes = match frame::length(&buf) {
        Ok(bytes) => bytes,
        Err(fault) => return Ok(Err(fault)),
    };
    if have < bytes {
        // As above: nothing is allocated for a corrupt length.
        if file.metadata()?.len() < offset + bytes as u64 {
            return Ok(Err(Fault::Incomplete));
        }
        buf.resize(bytes, 0);
        if read_at(file, offset + have as u64, &mut buf[have..])? < bytes - have {
            return Ok(Err(Fault::Incomplete));
        }
    }
    read_one();
    let frame = |(header, payload): (FrameHeader, &[u8])| Frame {
        position: Position {
            store,
            timeline,
            seq: header.seq,
            checksum: frame::sum(&buf),
        },
        header,
        payload: payload.to_vec(),
    };
    Ok(frame::decode(&buf[..bytes], store).map(frame))
}

/// The checksum that the frame at a place says it has; none, where no frame begins.
pub(super) fn sum_at(path: &Path, offset: u64) -> io::Result<Option<u64>> {
    let mut header = [0; FRAME_HEADER_BYTES];
    let have = read_at(&File::open(path)?, offset, &mut header)?;
    Ok((have == header.len() && header[..4] == FRAME_MAGIC).then(|| frame::sum(&header)))
}

/// Fills a buffer from a place of a file, as far as there is something; says how far.
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

/// Notes that a frame was read; nothing but in tests, which count how many it takes.
fn read_one() {
    #[cfg(test)]
    FRAMES_READ.set(FRAMES_READ.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// How many frames this thread has read from segments.
    pub(crate) static FRAMES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The first 64 bytes, or fewer if there are no more.
pub(super) fn read_block(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    File::open(path)?
        .take(BLOCK_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the bytes from `from` on that are not spare zeros end, if there are any.
pub(super) fn end_of_content(path: &Path, from: u64) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut buf = vec![0; CHUNK_BYTES];
    let (mut at, mut end) = (from, None);
    loop {
        let read = match file.read(&mut buf) {
            Ok(0) => return Ok(end),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if let Some(last) = buf[..read].iter().rposition(|&byte| byte != 0) {
            end = Some(at + last as u64 + 1);
        }
        at += read as u64;
    }
}

/// A later frame that proves that the bad one was durable.
pub(super) struct Evidence {
    pub offset: u64,
    pub seq: Seq,
    pub durable: Seq,
}

/// Searches from `from` on for a whole frame that says that frame `bad` was durable when it was written.
///
/// Frames begin at multiples of 8. A candidate is read whole only if its header claims to be such a
/// frame, so that payloads which look like frames cost little.
pub(super) fn find_evidence(
    path: &Path,
    from: u64,
    store: u64,
    bad: Seq,
) -> io::Result<Option<Evidence>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut window: Vec<u8> = Vec::new();
    let mut base = from;
    loop {
        let before = window.len();
        (&file).take(CHUNK_BYTES as u64).read_to_end(&mut window)?;
        if window.len() == before {
            return Ok(None);
        }
        let mut at = 0;
        while at + FRAME_HEADER_BYTES <= window.len() {
            if window[at..at + 4] == FRAME_MAGIC {
                let (seq, durable) = frame::claims(&window[at..]);
                if let Some(durable) = durable.filter(|&durable| durable >= bad) {
                    let offset = base + at as u64;
                    if let Found::Frame { .. } = Scan::open(path, offset)?.next(store, seq)? {
                        return Ok(Some(Evidence {
                            offset,
                            seq,
                            durable,
                        }));
                    }
                }
            }
            at += 8;
        }
        window.drain(..at);
        base += at as u64;
    }
}
