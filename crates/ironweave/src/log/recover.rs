//! Recovery of the end of a log when a writer opens it: a torn tail is moved to a file, and all other frames are made
//! durable.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::chain::{Chain, ChainEnd, segment_path};
use super::disk::{Disk, DiskFile};
use super::scan::Found;
use super::{Seq, StorageError, TornTail};

const CHUNK_BYTES: usize = 64 << 10;

/// Makes all frames of the chain durable and removes everything after them. Returns the torn tail, if there was one. After a
/// kill at any point, the next open leads to the same result.
pub(super) fn recover(
    disk: &Disk,
    chain: &mut Chain,
    known: Option<Seq>,
    end: ChainEnd,
    strict: bool,
) -> Result<Option<TornTail>, StorageError> {
    let seq = chain.next();
    let torn = match end {
        ChainEnd::Empty | ChainEnd::Clean => None,
        ChainEnd::Torn { fault, until } => {
            let path = segment_path(&chain.dir, chain.segment().unwrap_or_default());
            if strict {
                return Err(StorageError::torn(&path, chain.end, seq, &fault.describe()));
            }
            let kept = copy_tail(disk, &path, chain.end, until)?;
            let file = disk.open(&path)?;
            file.set_len(chain.end)?;
            // This must precede any append. Otherwise the tail could reappear after a new frame.
            file.sync_all()?;
            Some(TornTail {
                segment: path,
                offset: chain.end,
                bytes: until - chain.end,
                seq,
                kept,
            })
        }
        ChainEnd::Header { first, bytes } => {
            let path = segment_path(&chain.dir, first);
            let torn = match bytes {
                0 => None,
                _ if strict => {
                    return Err(StorageError::torn(
                        &path,
                        0,
                        seq,
                        "the header of a new segment is incomplete",
                    ));
                }
                _ => {
                    let kept = copy_tail(disk, &path, 0, bytes)?;
                    Some(TornTail {
                        segment: path.clone(),
                        offset: 0,
                        bytes,
                        seq,
                        kept,
                    })
                }
            };
            disk.remove(&path)?;
            disk.sync_dir(&chain.dir)?;
            torn
        }
    };
    remove_leftovers(disk, &chain.dir)?;
    // A process that was killed may have renamed a segment without syncing the directory. The frames that are written to it
    // would be lost with its name.
    disk.sync_dir(&chain.dir)?;
    let head = chain.head.map(|head| head.seq);
    if known != head {
        chain.durable = chain.durable.max(known);
        rewrite_unsynced(disk, chain)?;
    }
    chain.durable = head;
    Ok(torn)
}

/// Copies a torn tail to a file of its own and returns its path. Copies of earlier tails are not overwritten. A copy of the
/// same bytes, from an open that was killed before it truncated the segment, is reused.
fn copy_tail(disk: &Disk, segment: &Path, from: u64, until: u64) -> Result<PathBuf, StorageError> {
    let io = |e| StorageError::io("copy the torn tail of", segment, e);
    let mut path = segment.with_extension(format!("{from}.torn"));
    let mut copies = 1;
    while path.exists() {
        if has_same_content(&path, segment, from, until).map_err(io)? {
            return Ok(path);
        }
        copies += 1;
        path = segment.with_extension(format!("{from}.{copies}.torn"));
    }
    let file = disk.create(&path.with_added_extension("tmp"))?;
    copy(segment, from, until, |offset, bytes| {
        file.write_at(offset - from, bytes)
    })?;
    disk.publish(file, &path)?;
    Ok(path)
}

fn has_same_content(kept: &Path, segment: &Path, from: u64, until: u64) -> io::Result<bool> {
    if fs::metadata(kept)?.len() != until - from {
        return Ok(false);
    }
    let mut segment = File::open(segment)?;
    segment.seek(SeekFrom::Start(from))?;
    let segment = BufReader::new(segment.take(until - from)).bytes();
    for (a, b) in BufReader::new(File::open(kept)?).bytes().zip(segment) {
        if a? != b? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Passes the bytes of a file to `write` in chunks, each with its offset in the file.
fn copy(
    path: &Path,
    from: u64,
    until: u64,
    mut write: impl FnMut(u64, &[u8]) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let io = |e| StorageError::io("read", path, e);
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(from)).map_err(io)?;
    let mut buf = vec![0; CHUNK_BYTES];
    let mut at = from;
    while at < until {
        let piece = (until - at).min(CHUNK_BYTES as u64) as usize;
        file.read_exact(&mut buf[..piece]).map_err(io)?;
        write(at, &buf[..piece])?;
        at += piece as u64;
    }
    Ok(())
}

/// Writes the frames that may not be durable again, in place, and syncs.
///
/// A sync alone is not enough. After a failed fsync, the operating system may keep the frames in its cache, mark them as
/// clean, and let the next fsync succeed without writing them.
fn rewrite_unsynced(disk: &Disk, chain: &Chain) -> Result<(), StorageError> {
    // Earlier segments were synced before the last one was created.
    let Some(segment) = chain.segment() else {
        return Ok(());
    };
    let path = segment_path(&chain.dir, segment);
    let first = chain.durable.map_or(Seq::ZERO, |seq| seq + 1).max(segment);
    let mark = chain.marks[chain.marks.partition_point(|mark| mark.seq <= first) - 1];
    let io = |e| StorageError::io("read", &path, e);
    let mut scan = chain.open_at(mark.first, mark.offset)?;
    for seq in mark.seq.until(first) {
        let found = scan.next(chain.store, seq).map_err(io)?;
        debug_assert!(matches!(found, Found::Frame { .. }), "just read");
    }
    let file: DiskFile = disk.open(&path)?;
    copy(&path, scan.offset(), chain.end, |offset, bytes| {
        file.write_at(offset, bytes)
    })?;
    file.sync_all()
}

/// Removes temporary files that a killed process left.
fn remove_leftovers(disk: &Disk, dir: &Path) -> Result<(), StorageError> {
    let io = |e| StorageError::io("list", dir, e);
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let ours = name
            .to_str()
            .and_then(|name| name.strip_suffix(".tmp"))
            .is_some_and(|name| {
                name == "HEAD"
                    || (name.starts_with(|c: char| c.is_ascii_digit())
                        && [".log", ".torn", ".index", ".checkpoint"]
                            .iter()
                            .any(|end| name.ends_with(end)))
            });
        if ours {
            disk.remove(&dir.join(name))?;
        }
    }
    Ok(())
}
