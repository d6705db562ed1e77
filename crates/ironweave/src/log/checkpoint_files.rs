//! The files of checkpoints beside the segments: their names, headers and checksums. Their content is that of the layers above.
//!
//! A checkpoint is only a cache of what a replay of the log gives. It is written under a temporary name, synced and renamed.
//! A file with any error counts as missing. `docs/log-format.md`, *Checkpoint*, has the layout.
//!
//! ```text
//! file        header (88) | chunk | chunk | ...
//!
//! header      0        8    10   12     16     24           40      48         56       64     72       80         88
//!             +--------+----+----+------+------+------------+-------+----------+--------+------+--------+----------+
//!             | magic  |vers| 0  |epoch | seq  | fingerprint| store | timeline | frame  | time | length | checksum |
//!             +--------+----+----+------+------+------------+-------+----------+--------+------+--------+----------+
//!             magic "IWCHKPNT"; epoch, seq, fingerprint and checksum (frame) of the frame that it follows; time of the last
//!             transaction; length of the content; checksum = XXH3-64 of bytes 0..80
//!
//! chunk       content | checksum      2^20 bytes of content, the last chunk fewer; checksum = XXH3-64 of the content,
//!                                     seed = XXH3-64 of bytes 0..72 of the header ^ number of the chunk
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::StorageError;
use super::cancel::Cancel;
use super::disk::{Disk, DiskFile};
use super::frame::u64_at;
use super::scan::read_at;
use super::segment_table::SegmentTable;
use crate::base::image::{ImageError, ImageSink, ImageSource};
use crate::base::position::{Position, Seq};
use crate::base::storage_error::StorageFailure;

const MAGIC: [u8; 8] = *b"IWCHKPNT";
/// The version of checkpoints. One of another version counts as missing.
const VERSION: u16 = 3;
const HEADER_BYTES: usize = 88;
/// The part of the header that is known before the content is written. It seeds the checksums of the chunks.
const IDENTITY_BYTES: usize = 72;
const CHUNK_BYTES: usize = 1 << 20;
const SUM_BYTES: usize = 8;
const SUFFIX: &str = ".checkpoint";

/// What a checkpoint is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointHeader {
    /// The frame that it follows.
    pub position: Position,
    /// The epoch of that frame.
    pub epoch: u32,
    /// The fingerprint of the graph after it.
    pub fingerprint: u128,
    /// The time of the last transaction, in microseconds.
    pub time: i64,
}

impl CheckpointHeader {
    fn encode(&self, content: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.position.seq.get().to_le_bytes());
        bytes[24..40].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.position.store.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.position.timeline.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.position.checksum.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.time.to_le_bytes());
        bytes[72..80].copy_from_slice(&content.to_le_bytes());
        let sum = xxh3_64(&bytes[..80]);
        bytes[80..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Returns the header and the length of the content.
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, u64), String> {
        if bytes[..8] != MAGIC {
            return Err("it does not begin with the magic bytes of a checkpoint".into());
        }
        if u64_at(bytes, 80) != xxh3_64(&bytes[..80]) {
            return Err("the checksum of its header is wrong".into());
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION || bytes[10..12] != [0; 2] {
            return Err(format!(
                "it is of version {version} and this program reads {VERSION}"
            ));
        }
        let header = Self {
            position: Position {
                seq: Seq::new(u64_at(bytes, 16)),
                store: u64_at(bytes, 40),
                timeline: u64_at(bytes, 48),
                checksum: u64_at(bytes, 56),
            },
            epoch: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            fingerprint: u128::from(u64_at(bytes, 24)) | u128::from(u64_at(bytes, 32)) << 64,
            time: u64_at(bytes, 64) as i64,
        };
        Ok((header, u64_at(bytes, 72)))
    }
}

/// Returns the seed of the checksums of chunks.
fn seed(header: &[u8; HEADER_BYTES]) -> u64 {
    xxh3_64(&header[..IDENTITY_BYTES])
}

/// The checkpoints of a log.
#[derive(Clone)]
pub(crate) struct CheckpointFiles {
    dir: PathBuf,
    disk: Disk,
    /// Ends what reads or writes one. The default is never set.
    cancel: Cancel,
}

impl CheckpointFiles {
    pub(super) fn new(dir: &Path, disk: Disk) -> Self {
        Self {
            dir: dir.to_owned(),
            disk,
            cancel: Cancel::default(),
        }
    }

    /// Makes reads and writes of checkpoints end with an error once `cancel` is set.
    pub(super) fn end_at(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// Returns the path of the checkpoint after a frame.
    pub(crate) fn path(&self, seq: Seq) -> PathBuf {
        self.dir.join(format!("{seq:020}{SUFFIX}"))
    }

    /// Returns the frames that checkpoints follow, in ascending order.
    ///
    /// # Errors
    /// `is_io`, if the directory cannot be listed.
    pub(crate) fn list(&self) -> Result<Vec<Seq>, StorageError> {
        let io = |e| StorageError::io("list", &self.dir, e);
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            let digits = digits.filter(|digits| digits.len() == 20);
            all.extend(
                digits
                    .and_then(|digits| digits.parse::<u64>().ok())
                    .map(Seq::new),
            );
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Begins a checkpoint, whose content begins with the segments before that of its frame. It has its name once it is [finished](CheckpointWriter::finish).
    ///
    /// # Errors
    /// `is_io`.
    pub(crate) fn create(
        &self,
        header: CheckpointHeader,
        segments: &SegmentTable,
    ) -> Result<CheckpointWriter, StorageError> {
        let path = self.path(header.position.seq);
        let mut to = CheckpointWriter {
            file: Some(self.disk.create(&path.with_added_extension("tmp"))?),
            disk: self.disk.clone(),
            cancel: self.cancel.clone(),
            path,
            header,
            seed: seed(&header.encode(0)),
            chunk: Vec::with_capacity(CHUNK_BYTES + SUM_BYTES),
            content: 0,
            chunks: 0,
        };
        to.append(&segments.encode())?;
        Ok(to)
    }

    /// Opens a checkpoint. An error says why it is not used.
    pub(crate) fn open(&self, seq: Seq) -> Result<CheckpointReader, String> {
        let unreadable = |e: std::io::Error| format!("it cannot be read: {e}");
        let file = File::open(self.path(seq)).map_err(unreadable)?;
        let mut bytes = [0; HEADER_BYTES];
        if read_at(&file, 0, &mut bytes).map_err(unreadable)? < HEADER_BYTES {
            return Err("it is shorter than a header".into());
        }
        let (header, content) = CheckpointHeader::decode(&bytes)?;
        if header.position.seq != seq {
            return Err(format!("its header names frame {}", header.position.seq));
        }
        let sums = content
            .div_ceil(CHUNK_BYTES as u64)
            .checked_mul(SUM_BYTES as u64);
        let expected = sums
            .and_then(|sums| sums.checked_add(content))
            .and_then(|bytes| bytes.checked_add(HEADER_BYTES as u64));
        let found = file.metadata().map_err(unreadable)?.len();
        if expected != Some(found) {
            return Err(format!(
                "it has {found} bytes, which is not the length that its header gives"
            ));
        }
        Ok(CheckpointReader {
            header,
            bytes: found,
            cancel: self.cancel.clone(),
            seed: seed(&bytes),
            file,
            unread: content,
            chunks: 0,
            buffer: Vec::new(),
            at: 0,
        })
    }

    /// Removes a checkpoint.
    ///
    /// # Errors
    /// `is_io`.
    pub(crate) fn remove(&self, seq: Seq) -> Result<(), StorageError> {
        self.disk.remove(&self.path(seq))
    }

    /// Makes removals durable.
    ///
    /// # Errors
    /// `is_io`.
    pub(crate) fn sync_dir(&self) -> Result<(), StorageError> {
        self.disk.sync_dir(&self.dir)
    }
}

/// A checkpoint that is being written. If it is dropped before it is finished, its file is removed.
pub(crate) struct CheckpointWriter {
    /// `None` once it is finished.
    file: Option<DiskFile>,
    disk: Disk,
    cancel: Cancel,
    path: PathBuf,
    header: CheckpointHeader,
    seed: u64,
    /// The content of the next chunk.
    chunk: Vec<u8>,
    /// The length of the content in the chunks that are written.
    content: u64,
    chunks: u64,
}

impl CheckpointWriter {
    fn file(&self) -> Result<&DiskFile, StorageError> {
        let ended = || StorageError::new(StorageFailure::Internal, "the checkpoint is finished");
        self.file.as_ref().ok_or_else(ended)
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            if self.chunk.len() == CHUNK_BYTES {
                self.write_chunk()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn write_chunk(&mut self) -> Result<(), StorageError> {
        self.cancel.check()?;
        let content = self.chunk.len();
        let sum = xxh3_64_with_seed(&self.chunk, self.seed ^ self.chunks);
        self.chunk.extend_from_slice(&sum.to_le_bytes());
        let offset = HEADER_BYTES as u64 + self.content + self.chunks * SUM_BYTES as u64;
        self.file()?.write_at(offset, &self.chunk)?;
        self.content += content as u64;
        self.chunks += 1;
        self.chunk.clear();
        Ok(())
    }

    /// Writes what is left and the header, and gives the file its name. Returns its path and length.
    ///
    /// # Errors
    /// `is_io`. The checkpoints that exist are as they were.
    pub(crate) fn finish(mut self) -> Result<(PathBuf, u64), StorageError> {
        if !self.chunk.is_empty() {
            self.write_chunk()?;
        }
        let header = self.header.encode(self.content);
        self.file()?.write_at(0, &header)?;
        let bytes = self.file()?.len()?;
        self.cancel.check()?;
        if let Some(file) = self.file.take() {
            let published = self.disk.publish(file, &self.path);
            if published.is_err() {
                // Frees the space. If this fails, the next attempt or open replaces or removes the file.
                let _ = self.disk.remove(&self.path.with_added_extension("tmp"));
            }
            published?;
        }
        Ok((std::mem::take(&mut self.path), bytes))
    }
}

impl ImageSink for CheckpointWriter {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.append(bytes).map_err(ImageError::Storage)
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let path = file.path().to_owned();
            drop(file);
            // Frees the space on a full disk. If this fails, the next attempt or open replaces or removes the file.
            let _ = self.disk.remove(&path);
        }
    }
}

/// Reads a checkpoint, whose chunks are verified one by one.
pub(crate) struct CheckpointReader {
    header: CheckpointHeader,
    /// The length of the file.
    bytes: u64,
    cancel: Cancel,
    seed: u64,
    file: File,
    /// How much of the content has not been read into the buffer.
    unread: u64,
    /// How many chunks have been read.
    chunks: u64,
    buffer: Vec<u8>,
    /// Where the next bytes begin in the buffer.
    at: usize,
}

impl CheckpointReader {
    pub(crate) fn header(&self) -> &CheckpointHeader {
        &self.header
    }

    /// Reads the segments before that of its frame, which are at the beginning of the content.
    pub(crate) fn take_segments(&mut self) -> Result<SegmentTable, ImageError> {
        let last = self.header.position.seq;
        SegmentTable::decode(self, last)
    }

    /// Returns the length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends the content of the next chunk to the buffer, of which only what is left is kept.
    fn read_chunk(&mut self) -> Result<(), String> {
        self.cancel.check().map_err(|e| e.to_string())?;
        self.buffer.drain(..self.at);
        self.at = 0;
        let content = self.unread.min(CHUNK_BYTES as u64) as usize;
        let kept = self.buffer.len();
        self.buffer.resize(kept + content + SUM_BYTES, 0);
        let offset = HEADER_BYTES as u64 + self.chunks * (CHUNK_BYTES + SUM_BYTES) as u64;
        let chunk = self.buffer.get_mut(kept..).unwrap_or_default();
        let read = read_at(&self.file, offset, chunk);
        let read = read.map_err(|e| format!("it cannot be read: {e}"))?;
        if read < chunk.len() {
            return Err("it was cut while it was read".into());
        }
        let (content, sum) = chunk.split_at(content);
        if u64_at(sum, 0) != xxh3_64_with_seed(content, self.seed ^ self.chunks) {
            return Err(format!(
                "the checksum of its bytes from {offset} on is wrong"
            ));
        }
        let content = content.len();
        self.unread -= content as u64;
        self.buffer.truncate(kept + content);
        self.chunks += 1;
        Ok(())
    }
}

impl ImageSource for CheckpointReader {
    #[inline]
    fn take(&mut self, len: usize) -> Result<&[u8], ImageError> {
        if self.buffer.len() - self.at < len {
            if self.left() < len as u64 {
                return Err(ImageError::content("it ends too early"));
            }
            while self.buffer.len() - self.at < len {
                self.read_chunk().map_err(ImageError::Content)?;
            }
        }
        let from = self.at;
        self.at += len;
        (self.buffer.get(from..self.at)).ok_or_else(|| ImageError::content("it ends too early"))
    }

    #[inline]
    fn ready(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn left(&self) -> u64 {
        self.unread + (self.buffer.len() - self.at) as u64
    }
}
