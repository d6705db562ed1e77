//! The index of a sealed segment, which maps hashes to the offsets of frames.
//!
//! 1. The index does not interpret hashes. `store/entity_index` computes them, and `history` checks the frames that a lookup returns.
//! 2. The file is written once, under a temporary name, and then synced and renamed. It is read a page at a time. A lookup
//!    reads O(log pages) pages to find a hash, and then the pages that the hash fills.
//! 3. The header identifies the segment and its content, and each page has a checksum that is seeded with that of the header.
//!    An index with any error counts as missing, and is created again from the segment.
//!
//! ```text
//! file        header page | leaf pages | fence pages            each of 4,096 bytes
//!
//! header      0        8    10   16      24      32     40     48    56       64   72         80
//!             +--------+----+----+-------+-------+------+------+-----+--------+----+----------+---- .. ---+
//!             | magic  |vers| 0  | store | first | next | len  | sum | leaves | 0  | checksum | zeros     |
//!             +--------+----+----+-------+-------+------+------+-----+--------+----+----------+---- .. ---+
//!             magic "IWSINDEX"; sequence numbers of the first frame of the segment and of its successor; length of the
//!             segment and hash of its frames' checksums (sum); number of leaf pages; checksum = XXH3-64 of bytes 0..72
//!
//! page        checksum | content      checksum = XXH3-64 of bytes 8..4096, seed = header's checksum ^ number of page
//! leaf        n (2 bytes) | n entries | zeros
//! entry       hash | offset / 8       both LEB128. The hash is the difference from that of the previous entry, or from 0.
//!                                     If that difference is 0, the offset also is a difference.
//! fence page  hashes of the first entries of the next 511 leaves, 8 bytes each
//! ```

use std::fs::File;
use std::path::Path;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::StorageError;
use super::disk::Disk;
use super::frame::u64_at;
use super::scan::read_at;
use super::segments::Sealed;

/// An index of another version is created again, so this must change whenever the meaning of the hashes changes.
const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"IWSINDEX";
const PAGE_BYTES: usize = 4096;
const HEADER_BYTES: usize = 80;
const SUM_BYTES: usize = 8;
/// The offset of the entries in a leaf.
const ENTRIES_AT: usize = SUM_BYTES + 2;
/// The number of fences in a page.
const FENCES: usize = (PAGE_BYTES - SUM_BYTES) / 8;
/// The maximal length of an entry.
const ENTRY_BYTES_MAX: usize = 20;
/// The number of low bits that are 0 in the offset of each frame.
const OFFSET_ZERO_BITS: u32 = 3;

type Page = [u8; PAGE_BYTES];

/// An open index.
pub(crate) struct SegmentIndex {
    file: File,
    of: Sealed,
    leaves: u64,
    seed: u64,
}

impl SegmentIndex {
    /// Opens the index of a segment. Returns `None` if its header is invalid or of another segment.
    pub(super) fn open(path: &Path, store: u64, of: Sealed) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut header = [0; HEADER_BYTES];
        if read_at(&file, 0, &mut header).ok()? < HEADER_BYTES {
            return None;
        }
        let leaves = u64_at(&header, 56);
        if header != self::header(store, &of, leaves) {
            return None;
        }
        let pages = leaves
            .checked_add(leaves.div_ceil(FENCES as u64))?
            .checked_add(1)?;
        let len = pages.checked_mul(PAGE_BYTES as u64)?;
        (file.metadata().ok()?.len() == len).then(|| Self {
            file,
            of,
            leaves,
            seed: u64_at(&header, 72),
        })
    }

    /// Returns the segment of the index.
    pub(crate) fn of(&self) -> &Sealed {
        &self.of
    }

    /// Returns the first `most` offsets of a hash, or `None` if a page is invalid.
    pub(crate) fn offsets(&self, hash: u64, most: usize) -> Option<Vec<u64>> {
        let mut offsets = Vec::new();
        for leaf in self.first_leaf(hash)?..self.leaves {
            let page = self.page(1 + leaf)?;
            if !visit_entries(&page, |h, offset| {
                if h == hash {
                    offsets.push(offset);
                }
                h <= hash && offsets.len() < most
            })? {
                break;
            }
        }
        Some(offsets)
    }

    /// Returns the first leaf that may contain a hash.
    fn first_leaf(&self, hash: u64) -> Option<u64> {
        // Binary search for the last fence page that begins before the hash.
        let (mut from, mut to) = (0, self.leaves.div_ceil(FENCES as u64));
        let mut fences = None;
        while from < to {
            let middle = from + (to - from) / 2;
            let page = self.page(1 + self.leaves + middle)?;
            if u64_at(&page, SUM_BYTES) < hash {
                fences = Some((middle, page));
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        let Some((n, page)) = fences else {
            return Some(0);
        };
        let first = n * FENCES as u64;
        let (mut from, mut to) = (0, (self.leaves - first).min(FENCES as u64));
        while from < to {
            let middle = from + (to - from) / 2;
            if u64_at(&page, SUM_BYTES + 8 * middle as usize) < hash {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        // The first fence of the page is before the hash, so `from` is not 0.
        Some(first + from.checked_sub(1)?)
    }

    fn page(&self, n: u64) -> Option<Page> {
        let mut page = [0; PAGE_BYTES];
        let read = read_at(&self.file, n * PAGE_BYTES as u64, &mut page).ok()?;
        #[cfg(test)]
        PAGES_READ.set(PAGES_READ.get() + 1);
        (read == PAGE_BYTES && u64_at(&page, 0) == sum(&page, self.seed, n)).then_some(page)
    }
}

#[cfg(test)]
thread_local! {
    /// The number of index pages that this thread has read.
    pub(crate) static PAGES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Passes the hash and the offset of each entry of a leaf to `visit` until it returns false. Returns whether all entries were
/// visited, or `None` if the page is invalid.
fn visit_entries(page: &Page, mut visit: impl FnMut(u64, u64) -> bool) -> Option<bool> {
    let mut bytes = &page[ENTRIES_AT..];
    let (mut hash, mut offset) = (0u64, 0u64);
    for _ in 0..u16::from_le_bytes([page[SUM_BYTES], page[SUM_BYTES + 1]]) {
        let (more, further) = (varint(&mut bytes)?, varint(&mut bytes)?);
        hash = hash.checked_add(more)?;
        offset = if more == 0 {
            offset.checked_add(further)?
        } else {
            further
        };
        if !visit(hash, offset << OFFSET_ZERO_BITS) {
            return Some(false);
        }
    }
    Some(true)
}

/// Writes the index of a segment from pairs of hash and offset, in ascending order.
pub(super) fn write(
    disk: &Disk,
    path: &Path,
    store: u64,
    of: &Sealed,
    entries: &[(u64, u64)],
) -> Result<(), StorageError> {
    // Several threads of the process may make the same index.
    disk.replace(path, &encode(store, of, entries))
}

fn encode(store: u64, of: &Sealed, entries: &[(u64, u64)]) -> Vec<u8> {
    let mut out = vec![0; PAGE_BYTES];
    let mut fences = Vec::new();
    let mut rest = entries;
    while let Some((hash, _)) = rest.first() {
        fences.push(*hash);
        rest = encode_leaf(&mut out, rest);
    }
    for fences in fences.chunks(FENCES) {
        let page = out.len();
        out.extend_from_slice(&[0; SUM_BYTES]);
        for fence in fences {
            out.extend_from_slice(&fence.to_le_bytes());
        }
        out.resize(page + PAGE_BYTES, 0);
    }
    let header = header(store, of, fences.len() as u64);
    out[..HEADER_BYTES].copy_from_slice(&header);
    let seed = u64_at(&header, 72);
    for (n, page) in out.chunks_exact_mut(PAGE_BYTES).enumerate().skip(1) {
        let sum = sum(page, seed, n as u64);
        page[..SUM_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
    out
}

/// Appends a leaf with as many entries as fit, and returns the other entries.
fn encode_leaf<'e>(out: &mut Vec<u8>, entries: &'e [(u64, u64)]) -> &'e [(u64, u64)] {
    let page = out.len();
    out.extend_from_slice(&[0; ENTRIES_AT]);
    let (mut last, mut n) = ((0, 0), 0);
    for &(hash, offset) in entries {
        if out.len() - page + ENTRY_BYTES_MAX > PAGE_BYTES {
            break;
        }
        let offset = offset >> OFFSET_ZERO_BITS;
        let (more, further) = match hash - last.0 {
            0 => (0, offset - last.1),
            more => (more, offset),
        };
        push_varint(out, more);
        push_varint(out, further);
        last = (hash, offset);
        n += 1;
    }
    out.resize(page + PAGE_BYTES, 0);
    let at = page + SUM_BYTES;
    out[at..at + 2].copy_from_slice(&(n as u16).to_le_bytes());
    &entries[n..]
}

fn header(store: u64, of: &Sealed, leaves: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    for (i, field) in [
        store,
        of.first.get(),
        of.next.get(),
        of.bytes,
        of.content_hash,
        leaves,
    ]
    .into_iter()
    .enumerate()
    {
        bytes[16 + 8 * i..24 + 8 * i].copy_from_slice(&field.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[..72]);
    bytes[72..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn sum(page: &[u8], seed: u64, n: u64) -> u64 {
    xxh3_64_with_seed(&page[SUM_BYTES..], seed ^ n)
}

fn push_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}
