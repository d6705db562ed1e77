//! Reading one segment from front to back, and looking at what lies behind the first bad frame.
//!
//! Reading never changes anything, and holds at most one frame and one chunk in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::frame::{self, BLOCK_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, Fault};
use super::{Frame, FrameHeader, Seq};
use crate::base::position::Position;

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

/// What a search for such a frame came to.
pub(super) enum Search {
    Found(Evidence),
    Nothing,
    /// More places look like long frames than may be looked at.
    Undecided,
}

/// A frame that is no longer than this is looked at wherever one may begin, which costs a constant for each byte.
const SHORT_BYTES: usize = 512;

/// Searches from `from` on for a whole frame that says that frame `bad` was durable when it was written.
///
/// Frames begin at multiples of 8. A candidate is read whole only if its header claims to be such a frame, so that
/// payloads which look like frames cost little; and of long candidates, which may overlap, so many bytes are read at most
/// as the file has here four times, and `bytes_max`. So the search is linear in the length of the tail, whatever is in it.
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
        // A short frame is looked at where it lies, so all of it must be there.
        let ahead = if last {
            FRAME_HEADER_BYTES
        } else {
            SHORT_BYTES
        };
        while at + ahead <= window.len() {
            let offset = base + at as u64;
            let room = len.saturating_sub(offset);
            let rest = &window[at..];
            if let Some(bytes) = claimed(rest, bad, offset - from).filter(|b| *b as u64 <= room) {
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
                let header = whole.and_then(|whole| frame::decode(whole, store).ok());
                if let Some(FrameHeader {
                    seq,
                    durable: Some(durable),
                    ..
                }) = header.map(|(header, _)| header)
                {
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
                Search::Nothing
            });
        }
        window.drain(..at);
        base += at as u64;
    }
}

/// The length of the frame that seems to begin here, if it seems to be one that was written when frame `bad` was durable,
/// which begins `distance` bytes before it.
fn claimed(header: &[u8], bad: Seq, distance: u64) -> Option<usize> {
    let bytes = frame::length(header).ok()?;
    let (seq, durable) = frame::claims(header);
    let fits = durable.is_some_and(|durable| bad <= durable && durable < seq);
    // The frames between are not shorter than their headers.
    let between = seq
        .frames_since(bad)?
        .checked_mul(FRAME_HEADER_BYTES as u64)?;
    (fits && between <= distance && frame::is_known(header)).then_some(bytes)
}
