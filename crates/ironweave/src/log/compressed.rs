//! A segment in an archive: its bytes in blocks that are compressed independently, with an index of the blocks at the end.
//!
//! The file is one that every program for zstd decompresses to the segment: each block is a frame of zstd, and the index is a
//! skippable one. A block contains whole frames of the log, so that a frame is read by decompressing one block.
//!
//! ```text
//! file     block | block | ... | index
//!
//! index    0       4       8                                 8 + 24 n                               72 + 24 n
//!          +-------+-------+---------------------------------+--------------------------------------+
//!          | magic | length| n entries: offset, offset, seq  | footer                               |
//!          +-------+-------+---------------------------------+--------------------------------------+
//!          magic 57 2A 4D 18; length of what follows it; an entry has the offset of the block in this file and in the segment,
//!          and the first frame that begins in it
//!
//! footer   0        8    10  12   16      24      32     40     48    56         64
//!          +--------+----+---+----+-------+-------+------+------+-----+----------+
//!          | magic  |vers| 0 | n  | store | first | next | len  | sum | checksum |
//!          +--------+----+---+----+-------+-------+------+------+-----+----------+
//!          magic "IWARCSEG"; first frame of the segment and of its successor; its length and the hash of its frames;
//!          checksum = XXH3-64 of the index up to there
//! ```

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::frame::{u32_at, u64_at};
use super::scan::read_at;
use super::segments::Sealed;
use super::{Seq, StorageError};

const MAGIC: [u8; 8] = *b"IWARCSEG";
const VERSION: u16 = 1;
/// The magic number of a skippable frame of zstd. Programs use the last digit for their own purposes.
#[cfg(feature = "archive")]
const SKIPPABLE_MAGIC: u32 = 0x184D_2A57;
const INDEX_HEAD_BYTES: usize = 8;
const ENTRY_BYTES: usize = 24;
const FOOTER_BYTES: usize = 64;

/// Returns the path of a segment in an archive.
pub(super) fn compressed_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.log.zst"))
}

/// A block in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The offset of the block in the file.
    pub compressed: u64,
    /// The offset of its first byte in the segment.
    pub offset: u64,
    /// The first frame that begins in it.
    pub seq: Seq,
}

/// A compressed segment that is open for reading.
pub(super) struct CompressedSegment {
    file: File,
    store: u64,
    of: Sealed,
    /// The blocks, and the end of the last one.
    entries: Vec<Entry>,
    end: Entry,
    /// The block that was read last: its number and its bytes.
    block: Option<(usize, Vec<u8>)>,
    decoder: decoder::Decoder,
}

impl CompressedSegment {
    /// Opens a file and reads its index.
    ///
    /// # Errors
    /// `is_damage`, `is_version`, `is_io`; `is_archived` if this program cannot decompress it.
    pub fn open(path: &Path, file: File) -> Result<Self, StorageError> {
        let io = |e| StorageError::io("read", path, e);
        let len = file.metadata().map_err(io)?.len();
        let damage = |what: &str| StorageError::damage(path, len, None, what);
        let at = len.checked_sub(FOOTER_BYTES as u64);
        let at = at.ok_or_else(|| damage("the file is too short for an archive"))?;
        let mut footer = [0; FOOTER_BYTES];
        read_at(&file, at, &mut footer).map_err(io)?;
        if footer[..8] != MAGIC {
            return Err(damage("the file does not end with the index of an archive"));
        }
        let count = u32_at(&footer, 12);
        let entries_bytes = u64::from(count) * ENTRY_BYTES as u64;
        let index_bytes = (INDEX_HEAD_BYTES + FOOTER_BYTES) as u64 + entries_bytes;
        let index_at = len.checked_sub(index_bytes);
        let index_at = index_at.ok_or_else(|| damage("its index is longer than the file"))?;
        let mut index = vec![0; index_bytes as usize];
        read_at(&file, index_at, &mut index).map_err(io)?;
        let (content, sum) = index.split_at(index.len() - 8);
        if u64_at(sum, 0) != xxh3_64(content) {
            return Err(damage("the checksum of its index is wrong"));
        }
        let version = u16::from_le_bytes([footer[8], footer[9]]);
        if version != VERSION || footer[10..12] != [0; 2] {
            return Err(StorageError::version(
                path,
                &format!("an archive of version {version}"),
            ));
        }
        let entries = index[INDEX_HEAD_BYTES..][..entries_bytes as usize].chunks_exact(ENTRY_BYTES);
        let entries: Vec<Entry> = entries
            .map(|bytes| Entry {
                compressed: u64_at(bytes, 0),
                offset: u64_at(bytes, 8),
                seq: Seq::new(u64_at(bytes, 16)),
            })
            .collect();
        let of = Sealed {
            first: Seq::new(u64_at(&footer, 24)),
            next: Seq::new(u64_at(&footer, 32)),
            bytes: u64_at(&footer, 40),
            content_hash: u64_at(&footer, 48),
        };
        let end = Entry {
            compressed: index_at,
            offset: of.bytes,
            seq: of.next,
        };
        let begins = entries
            .first()
            .is_some_and(|first| (first.compressed, first.offset, first.seq) == (0, 0, of.first));
        let in_order = {
            let mut following = entries.iter().zip(entries.iter().skip(1).chain([&end]));
            following
                .all(|(a, b)| a.compressed < b.compressed && a.offset < b.offset && a.seq < b.seq)
        };
        if !begins || !in_order {
            return Err(damage("the blocks in its index are not in order"));
        }
        Ok(Self {
            file,
            store: u64_at(&footer, 16),
            of,
            entries,
            end,
            block: None,
            decoder: decoder::Decoder::new(path, of.first)?,
        })
    }

    /// Returns the store and the segment of the file.
    pub fn of(&self) -> (u64, Sealed) {
        (self.store, self.of)
    }

    /// Returns where the last block begins that has no frame after this one before its first.
    pub fn entry_before(&self, seq: Seq) -> Option<(Seq, u64)> {
        let after = self.entries.partition_point(|entry| entry.seq <= seq);
        let entry = self.entries.get(after.checked_sub(1)?)?;
        // The first block begins with the header of the segment.
        (entry.offset > 0).then_some((entry.seq, entry.offset))
    }

    /// Returns the bytes from an offset of the segment up to the end of their block, or none at the end of the segment.
    pub fn bytes_from(&mut self, offset: u64) -> io::Result<&[u8]> {
        if offset >= self.of.bytes {
            return Ok(&[]);
        }
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        let number = after.saturating_sub(1);
        if self.block.as_ref().is_none_or(|(read, _)| *read != number) {
            let block = self.block.take();
            let room = block.map(|(_, bytes)| bytes).unwrap_or_default();
            self.block = Some((number, self.read_block(number, room)?));
        }
        let begins = self.entries.get(number).map_or(0, |entry| entry.offset);
        let bytes = self.block.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        Ok(bytes.get((offset - begins) as usize..).unwrap_or_default())
    }

    /// Decompresses a block into `room`.
    fn read_block(&mut self, number: usize, mut room: Vec<u8>) -> io::Result<Vec<u8>> {
        let entry = |number: usize| self.entries.get(number).unwrap_or(&self.end);
        let (from, until) = (*entry(number), *entry(number + 1));
        let broken = |what: &dyn std::fmt::Display| {
            let at = from.compressed;
            let text = format!(
                "the block of the archive at offset {at} of the file, which begins with frame {}, is broken: {what}",
                from.seq
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let mut compressed = vec![0; (until.compressed - from.compressed) as usize];
        if read_at(&self.file, from.compressed, &mut compressed)? < compressed.len() {
            return Err(broken(&"the file was cut"));
        }
        let len = (until.offset - from.offset) as usize;
        let decompressed = self.decoder.decompress(&compressed, len, &mut room);
        decompressed.map_err(|e| broken(&e))?;
        if room.len() != len {
            return Err(broken(&"it has another length than the index says"));
        }
        count_block_read();
        Ok(room)
    }
}

/// Counts the blocks that a thread decompresses, in tests only.
fn count_block_read() {
    #[cfg(test)]
    BLOCKS_READ.set(BLOCKS_READ.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// The number of blocks that this thread has decompressed.
    pub(crate) static BLOCKS_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(feature = "archive")]
mod decoder {
    use super::{Path, Seq, StorageError, io};

    pub(super) struct Decoder(zstd::bulk::Decompressor<'static>);

    impl Decoder {
        pub fn new(path: &Path, _: Seq) -> Result<Self, StorageError> {
            let decoder = zstd::bulk::Decompressor::new();
            decoder
                .map(Self)
                .map_err(|e| StorageError::io("decompress", path, e))
        }

        /// Replaces the content of `to` with at most `most` bytes.
        pub fn decompress(&mut self, from: &[u8], most: usize, to: &mut Vec<u8>) -> io::Result<()> {
            to.clear();
            // The index has the length, so a crafted one must not end the process.
            to.try_reserve(most)?;
            self.0.decompress_to_buffer(from, to).map(|_| ())
        }
    }
}

#[cfg(not(feature = "archive"))]
mod decoder {
    use super::{Path, Seq, StorageError, io};
    use crate::log::StorageFailure;

    /// This program cannot decompress.
    pub(super) enum Decoder {}

    impl Decoder {
        pub fn new(path: &Path, first: Seq) -> Result<Self, StorageError> {
            let message = format!(
                "the archive {} is compressed, and this program was built without the feature `archive` of ironweave; build \
                 it with the feature, or decompress the file into the directory of the log: zstd -d {} -o \
                 STORE/{first:020}.log",
                path.display(),
                path.display()
            );
            let error = StorageError::new(StorageFailure::Archived, message);
            Err(error.with_location(path, 0, Some(first)))
        }

        pub fn decompress(&mut self, _: &[u8], _: usize, _: &mut Vec<u8>) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(feature = "archive")]
pub(super) use writer::Writer;

#[cfg(feature = "archive")]
mod writer {
    use super::*;
    use crate::log::disk::DiskFile;

    /// The level of compression. Higher ones take longer, and save little.
    const LEVEL: i32 = 9;

    /// Writes a compressed segment, block by block.
    pub(in crate::log) struct Writer<'a> {
        file: &'a DiskFile,
        encoder: zstd::bulk::Compressor<'static>,
        entries: Vec<Entry>,
        at: u64,
        /// The first frame of the next block.
        first: Option<Seq>,
    }

    impl<'a> Writer<'a> {
        /// The length at which a block ends, before compression. A longer frame has a block of its own.
        pub const BLOCK_BYTES: u64 = if cfg!(test) { 256 } else { 256 << 10 };

        pub fn new(file: &'a DiskFile) -> Result<Self, StorageError> {
            let io = |e| StorageError::io("compress", file.path(), e);
            let mut encoder = zstd::bulk::Compressor::new(LEVEL).map_err(io)?;
            encoder.include_checksum(true).map_err(io)?;
            Ok(Self {
                file,
                encoder,
                entries: Vec::new(),
                at: 0,
                first: None,
            })
        }

        /// Records that the next block has a frame.
        pub fn note(&mut self, seq: Seq) {
            self.first = self.first.or(Some(seq));
        }

        /// Writes a block, which begins at an offset of the segment and has the frames that were noted since the last one.
        pub fn write(&mut self, offset: u64, block: &[u8]) -> Result<(), StorageError> {
            let compressed = self.encoder.compress(block);
            let compressed =
                compressed.map_err(|e| StorageError::io("compress", self.file.path(), e))?;
            self.file.write_at(self.at, &compressed)?;
            self.entries.push(Entry {
                compressed: self.at,
                offset,
                seq: self.first.take().unwrap_or_default(),
            });
            self.at += compressed.len() as u64;
            Ok(())
        }

        /// Writes the index.
        pub fn finish(self, store: u64, of: &Sealed) -> Result<(), StorageError> {
            let index = encode_index(store, of, &self.entries);
            self.file.write_at(self.at, &index)
        }
    }

    /// Returns the index of a file.
    fn encode_index(store: u64, of: &Sealed, entries: &[Entry]) -> Vec<u8> {
        let len = ENTRY_BYTES * entries.len() + FOOTER_BYTES;
        let mut out = Vec::with_capacity(INDEX_HEAD_BYTES + len);
        out.extend_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
        out.extend_from_slice(&(len as u32).to_le_bytes());
        for entry in entries {
            for field in [entry.compressed, entry.offset, entry.seq.get()] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        for field in [
            store,
            of.first.get(),
            of.next.get(),
            of.bytes,
            of.content_hash,
        ] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }
}
