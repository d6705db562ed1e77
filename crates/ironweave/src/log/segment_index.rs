//! The index beside a sealed segment: from hashes to the places of the frames that are filed under them.
//!
//! 1. It does not interpret hashes: `history/index.rs` files frames under hashes, and checks the frames that a lookup
//!    gives.
//! 2. It is written once, to a temporary name that is synced and renamed, and read a page at a time. No lookup reads
//!    more than the pages that it needs: O(log of their number), and those that the hash fills.
//! 3. It names the segment and the content that it is of, and each page has a checksum that no page of another index
//!    fits. An index with any error counts as missing: it is made again from the segment.
//!
//! ```text
//! file        header page | leaf pages | fence pages            each of 4,096 bytes
//!
//! header      0        8    10   16      24      32     40     48    56       64   72         80
//!             +--------+----+----+-------+-------+------+------+-----+--------+----+----------+---- .. ---+
//!             | magic  |vers| 0  | store | first | next | len  | sum | leaves | 0  | checksum | zeros     |
//!             +--------+----+----+-------+-------+------+------+-----+--------+----+----------+---- .. ---+
//!             magic "IWSINDEX"; sequences of the first frame of the segment and of its successor; length of the
//!             segment and sum over its frames' checksums; number of leaf pages; checksum = XXH3-64 of bytes 0..72
//!
//! page        checksum | content      checksum = XXH3-64 of bytes 8..4096, seed = header's checksum ^ number of page
//! leaf        n (2 bytes) | n entries | zeros
//! entry       hash | place / 8        both LEB128. The hash less that of the entry before, or than 0. The place
//!                                     too is less that of the entry before, where the hash is the same.
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

/// Of another version it is made again, so that this may change whenever what is filed under what does.
const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"IWSINDEX";
const PAGE_BYTES: usize = 4096;
const HEADER_BYTES: usize = 80;
const SUM_BYTES: usize = 8;
/// Where the entries of a leaf begin.
const ENTRIES_AT: usize = SUM_BYTES + 2;
/// How many fences a page has.
const FENCES: usize = (PAGE_BYTES - SUM_BYTES) / 8;
/// How long an entry is at most.
const ENTRY_BYTES_MAX: usize = 20;
/// Places of frames are multiples of this.
const PLACE_BITS: u32 = 3;

type Page = [u8; PAGE_BYTES];

/// An open index.
pub(crate) struct SegmentIndex {
    file: File,
    of: Sealed,
    leaves: u64,
    seed: u64,
}

impl SegmentIndex {
    /// Opens the index of a segment, if it is one of that and its header is whole.
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

    /// The segment that it is of.
    pub(crate) fn of(&self) -> &Sealed {
        &self.of
    }

    /// The first places that are filed under a hash, so many at most; none where a page is not as it should be.
    pub(crate) fn places(&self, hash: u64, most: usize) -> Option<Vec<u64>> {
        let mut places = Vec::new();
        for leaf in self.leaf(hash)?..self.leaves {
            let page = self.page(1 + leaf)?;
            if !entries(&page, |h, place| {
                if h == hash {
                    places.push(place);
                }
                h <= hash && places.len() < most
            })? {
                break;
            }
        }
        Some(places)
    }

    /// The leaf in which a hash would begin.
    fn leaf(&self, hash: u64) -> Option<u64> {
        // The last page of fences that begins before it, by halves.
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
        // There is one before it at least: the first of the page.
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
    /// How many pages of indexes this thread has read.
    pub(crate) static PAGES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Shows the entries of a leaf until `see` has seen enough; whether it went on to the end.
fn entries(page: &Page, mut see: impl FnMut(u64, u64) -> bool) -> Option<bool> {
    let mut bytes = &page[ENTRIES_AT..];
    let (mut hash, mut place) = (0u64, 0u64);
    for _ in 0..u16::from_le_bytes([page[SUM_BYTES], page[SUM_BYTES + 1]]) {
        let (more, further) = (varint(&mut bytes)?, varint(&mut bytes)?);
        hash = hash.checked_add(more)?;
        place = if more == 0 {
            place.checked_add(further)?
        } else {
            further
        };
        if !see(hash, place << PLACE_BITS) {
            return Some(false);
        }
    }
    Some(true)
}

/// Writes the index of a segment.
pub(super) fn write(
    disk: &Disk,
    path: &Path,
    store: u64,
    of: &Sealed,
    entries: &[(u64, u64)],
) -> Result<(), StorageError> {
    let bytes = encode(store, of, entries);
    let file = disk.create(&path.with_added_extension("tmp"))?;
    let temporary = file.path().to_owned();
    let written = file
        .write_at(0, &bytes)
        .and_then(|()| disk.publish(file, path));
    if let Err(error) = written {
        // On a full disk every block counts; if it stays, the next attempt or open replaces it.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    Ok(())
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

/// Adds a leaf with as many entries as fit; gives the others.
fn encode_leaf<'e>(out: &mut Vec<u8>, entries: &'e [(u64, u64)]) -> &'e [(u64, u64)] {
    let page = out.len();
    out.extend_from_slice(&[0; ENTRIES_AT]);
    let (mut last, mut n) = ((0, 0), 0);
    for &(hash, place) in entries {
        if out.len() - page + ENTRY_BYTES_MAX > PAGE_BYTES {
            break;
        }
        let place = place >> PLACE_BITS;
        let (more, further) = match hash - last.0 {
            0 => (0, place - last.1),
            more => (more, place),
        };
        push_varint(out, more);
        push_varint(out, further);
        last = (hash, place);
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
        of.sum,
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
