//! Copies of a log in other directories: [`backup`] keeps a copy up to date, and [`restore`] makes a new log from a copy.
//!
//! Both copy bytes, so that the frames of a copy have the same checksums as those of the original. A segment is written to a
//! temporary file, synced, and renamed. An interrupted copy is therefore a valid log that ends earlier, and the next backup
//! continues it.

mod new_log;
mod result;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::archived::{Archived, archived_path};
use super::chain::{Chain, segment_path};
use super::checkpoint_files::CheckpointFiles;
use super::disk::Disk;
use super::frame::Block;
use super::head::{Lock, write_head};
use super::segments::Segments;
use super::{
    FileLog, GroupPart, LogOptions, ReadLog, ReadOnlyLog, Seq, StorageError, StorageFailure,
    listing, scan,
};
use crate::base::position::Position;

pub(crate) use new_log::NewLog;
pub use new_log::unfinished;
use new_log::{begin, publish};
pub use result::{Copied, CopyError};

/// How much is read and written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Copies the log of a store to another directory, up to the last frame that it has now. If the directory has an earlier copy of the
/// same log, only the segments that have changed since are written.
///
/// The store may be open for writing in another process. The last segment is synced first, so that every frame of the copy is
/// durable in the source too. The copy is read back and compared. It is a log that can be opened, and its frames have the
/// positions that they have in the source; cursors and indexes are not copied.
///
/// `progress` is called with the number of bytes that were written and the number of bytes to write.
///
/// # Errors
/// [`CopyError`]. A target that is not a copy of an earlier state of the source is never changed.
pub fn backup(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    backup_on(
        &Disk::default(),
        source.as_ref(),
        target.as_ref(),
        &mut progress,
    )
}

pub(super) fn backup_on(
    disk: &Disk,
    source: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    backup_of(disk, &ReadOnlyLog::open(source)?, target, progress)
}

/// As [`backup`], of a log that is open.
pub(crate) fn backup_of(
    disk: &Disk,
    log: &ReadOnlyLog,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    let target = &absolute(target)?;
    let source = log.chain();
    check_other(&source.dir, target)?;
    sync_last_segment(source)?;
    check_unoccupied(target)?;
    disk.create_dir(target)?;
    let _lock = Lock::acquire(target)?;
    let kept = kept(target, log)?;
    let all = pieces(log, None);
    let same_end = |kept: &ReadOnlyLog| source.has_frames_of(kept.chain());
    let from = match &kept {
        Some(kept) if same_end(kept) => None,
        Some(kept) => kept.chain().segment(),
        None => Some(Seq::ZERO),
    };
    // A backup from before frames were dropped keeps them.
    let begins = kept.as_ref().map_or(source.kept, |kept| kept.chain().kept);
    if kept.is_none() {
        copy_beginning(disk, source, target)?;
    }
    if begins > Seq::ZERO {
        copy_checkpoints(disk, source, target, source.head.map(|head| head.seq))?;
    }
    let pieces: Vec<Piece> = match from {
        Some(from) => all.into_iter().filter(|p| p.first >= from).collect(),
        None => Vec::new(),
    };
    let mut copied = copy(disk, source, &pieces, target, progress)?;
    write_last(disk, source, target)?;
    let copy = ReadOnlyLog::open(target)?;
    if !source.has_frames_of(copy.chain()) {
        let target = target.to_owned();
        return Err(CopyError::Differs { target });
    }
    let had = kept.map_or(source.kept, |kept| kept.chain().next());
    copied.frames = source.next().frames_since(had).unwrap_or(0);
    copied.last = last_position(log)?;
    Ok(copied)
}

/// Creates a log in a new directory from the log in another one, up to a frame or to the last one. It begins a new timeline: consumers that
/// have seen later frames of the source notice that these are not in the new log.
///
/// The directory appears with its final name when it is complete.
///
/// # Errors
/// [`CopyError`]. If the target exists and is not an empty directory, it is not changed.
pub fn restore(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    until: Option<Seq>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    restore_on(
        &Disk::default(),
        (source.as_ref(), target.as_ref()),
        until,
        &mut progress,
    )
}

pub(super) fn restore_on(
    disk: &Disk,
    (source, target): (&Path, &Path),
    until: Option<Seq>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    restore_of(disk, (&ReadOnlyLog::open(source)?, target), until, progress)
}

/// As [`restore`], of a log that is open.
pub(crate) fn restore_of(
    disk: &Disk,
    (log, target): (&ReadOnlyLog, &Path),
    until: Option<Seq>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    let target = &absolute(target)?;
    check_other(&log.chain().dir, target)?;
    let head = log.head().map(|head| head.seq);
    let last = match (until, head) {
        (Some(seq), last) if last.is_none_or(|last| last < seq) => {
            return Err(CopyError::NoSuchFrame { seq, last });
        }
        (Some(until), _) => {
            let frame = log.read(until)?.next().transpose()?;
            if frame.is_some_and(|frame| frame.header.group == GroupPart::Inner) {
                return Err(CopyError::InsideMigration { seq: until });
            }
            Some(until)
        }
        (None, last) => last,
    };
    last.map_or(Ok(()), |last| log.chain().check_kept(last))?;
    let unfinished = begin(disk, target)?;
    let restored = restore_into(disk, log, &unfinished, last, progress).inspect_err(|_| {
        // If it cannot be removed, the next attempt names it.
        let _ = fs::remove_dir_all(&unfinished);
    })?;
    publish(disk, &unfinished, target)?;
    Ok(restored)
}

/// Copies a log up to a frame to an empty directory, as a log with a new timeline.
fn restore_into(
    disk: &Disk,
    log: &ReadOnlyLog,
    target: &Path,
    last: Option<Seq>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    let pieces = pieces(log, last);
    let kept = log.chain().kept;
    if kept > Seq::ZERO {
        copy_beginning(disk, log.chain(), target)?;
        copy_checkpoints(disk, log.chain(), target, last)?;
    }
    let mut copied = copy(disk, log.chain(), &pieces, target, progress)?;
    let options = LogOptions {
        new_timeline: true,
        ..LogOptions::default()
    };
    let restored = FileLog::open_with(disk.clone(), target, options, None)?;
    let ends = restored.head().map(|head| head.seq);
    copied.last = position_at(&restored, ends)?;
    let original = position_at(log, last)?;
    restored.close()?;
    if copied.last != original {
        return Err(CopyError::Differs {
            target: target.to_owned(),
        });
    }
    copied.frames = last.map_or(0, |last| last.get() + 1 - kept.get());
    Ok(copied)
}

/// A segment, and how much of it is copied.
struct Piece {
    first: Seq,
    bytes: u64,
}

/// Returns the segments of a log up to a frame, or all of them.
fn pieces(log: &ReadOnlyLog, until: Option<Seq>) -> Vec<Piece> {
    let all = log.segment_lengths().into_iter();
    let mut pieces: Vec<Piece> = all.map(|(first, bytes)| Piece { first, bytes }).collect();
    let Some(until) = until else {
        return pieces;
    };
    let chain = log.chain();
    pieces.retain(|piece| piece.first <= until);
    if let Some(cut) = pieces.last_mut()
        && let Some((first, offset)) = Segments::new(chain, None).offset_of(until + 1)
        && first == cut.first
    {
        cut.bytes = offset;
    }
    pieces
}

/// Copies segments, in order.
fn copy(
    disk: &Disk,
    chain: &Chain,
    pieces: &[Piece],
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, StorageError> {
    let total = pieces.iter().map(|piece| piece.bytes).sum();
    let mut copied = Copied {
        last: None,
        frames: 0,
        segments: pieces.len() as u64,
        bytes: 0,
    };
    let mut buffer = vec![0; PIECE_BYTES];
    for piece in pieces {
        let from = segment_path(&chain.dir, piece.first);
        let to = segment_path(target, piece.first);
        let mut file = chain.open(&from)?;
        let out = disk.create(&to.with_added_extension("tmp"))?;
        let mut at = 0;
        while at < piece.bytes {
            let wanted = (piece.bytes - at).min(PIECE_BYTES as u64) as usize;
            let read = &mut buffer[..wanted];
            let have = file.read_at(at, read);
            let have = have.map_err(|e| StorageError::unreadable(file.path(), at, None, e))?;
            if have < wanted {
                let what = "the segment was cut while it was copied";
                return Err(StorageError::damage(
                    file.path(),
                    at + have as u64,
                    None,
                    what,
                ));
            }
            out.write_at(at, read)?;
            at += wanted as u64;
            copied.bytes += wanted as u64;
            progress(copied.bytes, total);
        }
        disk.publish(out, &to)?;
    }
    Ok(copied)
}

/// Writes where a copy begins, if the first frames of the log were dropped. What is in archives is copied to segments.
fn copy_beginning(disk: &Disk, chain: &Chain, target: &Path) -> Result<(), StorageError> {
    match Archived::read(&chain.dir)? {
        Some(archived) if chain.kept > Seq::ZERO => disk.replace(
            &archived_path(target),
            &archived.without_archives().encode(),
        ),
        _ => Ok(()),
    }
}

/// Copies the checkpoints of the frames that a copy has, up to a frame, without which a log whose first frames were dropped cannot be
/// opened.
fn copy_checkpoints(
    disk: &Disk,
    chain: &Chain,
    target: &Path,
    until: Option<Seq>,
) -> Result<(), StorageError> {
    let files = |dir: &Path| CheckpointFiles::new(dir, disk.clone());
    let (from, to) = (files(&chain.dir), files(target));
    let mut copied = 0;
    for seq in from.list()? {
        if seq < chain.kept || Some(seq) > until {
            continue;
        }
        let content = match fs::read(from.path(seq)) {
            Ok(content) => content,
            // The writer of the log removes old ones.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(StorageError::io("read", &from.path(seq), e)),
        };
        copied += 1;
        let there = fs::read(to.path(seq));
        if there.is_ok_and(|there| there == content) {
            continue;
        }
        disk.replace(&to.path(seq), &content)?;
    }
    if copied > 0 {
        return Ok(());
    }
    let what = format!(
        "the frames before {} of the log in {} were dropped, and it has no checkpoint of a frame up to {}, without which a \
         copy cannot be opened; write a checkpoint, or restore to a later frame",
        chain.kept,
        chain.dir.display(),
        until.unwrap_or_default()
    );
    Err(StorageError::at(StorageFailure::Dropped, chain.kept, what))
}

/// Writes `HEAD` in a copy of a whole log.
fn write_last(disk: &Disk, chain: &Chain, target: &Path) -> Result<(), StorageError> {
    let Some(head) = chain.head else {
        return Ok(());
    };
    let sealed = chain.sealed.iter().map(|sealed| sealed.first);
    let segment = (sealed.chain(chain.segment()).rev()).find(|first| *first <= head.seq);
    let path = segment_path(target, segment.unwrap_or_default());
    let header = scan::read_header(&path).map_err(|e| StorageError::io("read", &path, e))?;
    let Ok(header) = header else {
        let what = "the header of the copied segment is invalid";
        return Err(StorageError::damage(&path, 0, None, what));
    };
    let block = Block {
        epoch: head.epoch,
        seq: head.seq,
        fingerprint: head.fingerprint,
        ..header
    };
    write_head(disk, target, &block)
}

/// Syncs the last segment of a log, so that the frames that were read from it are durable.
pub(super) fn sync_last_segment(chain: &Chain) -> Result<(), StorageError> {
    let Some(first) = chain.segment() else {
        return Ok(());
    };
    let path = segment_path(&chain.dir, first);
    match File::open(&path).and_then(|file| file.sync_all()) {
        // Some systems sync only files that are open for writing, and this process may not be allowed to write. The frames
        // before those that are not known to be durable do not depend on it.
        Err(e) if cfg!(windows) || e.kind() == io::ErrorKind::Unsupported => Ok(()),
        synced => synced.map_err(|e| StorageError::io("sync", &path, e)),
    }
}

fn last_position(log: &ReadOnlyLog) -> Result<Option<Position>, StorageError> {
    position_at(log, log.head().map(|head| head.seq))
}

fn position_at(log: &impl ReadLog, seq: Option<Seq>) -> Result<Option<Position>, StorageError> {
    seq.map_or(Ok(None), |seq| log.position_of(seq))
}

/// Returns the path from the root, since `.` has no name that could get an extension. An empty path is an error.
fn absolute(path: &Path) -> Result<PathBuf, StorageError> {
    let found = std::path::absolute(path).map_err(|e| StorageError::io("find", path, e))?;
    match found.file_name() {
        Some(_) => Ok(found),
        None => {
            let e = io::Error::new(io::ErrorKind::InvalidInput, "the path has no name");
            Err(StorageError::io("use", path, e))
        }
    }
}

/// Returns an error if a target is the directory of the source, or is in it.
fn check_other(source: &Path, target: &Path) -> Result<(), CopyError> {
    // The target may not exist, but a directory above it does.
    let existing = target.ancestors().find_map(|dir| dir.canonicalize().ok());
    let (Ok(source), Some(existing)) = (source.canonicalize(), existing) else {
        return Ok(());
    };
    if !existing.starts_with(&source) {
        return Ok(());
    }
    let is_same = target.exists() && existing == source;
    let target = target.to_owned();
    Err(match is_same {
        true => CopyError::SameDirectory { dir: target },
        false => CopyError::InsideStore { target },
    })
}

/// Returns a file in a directory for which a condition holds, or `None` if there is none or the directory does not exist.
fn find_file(dir: &Path, is: impl Fn(&OsStr) -> bool) -> Result<Option<PathBuf>, StorageError> {
    let list = |e| StorageError::io("list", dir, e);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(list(e)),
    };
    for entry in entries {
        let entry = entry.map_err(list)?;
        if is(&entry.file_name()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn any_file(dir: &Path) -> Result<Option<PathBuf>, StorageError> {
    find_file(dir, |_| true)
}

/// Returns an error if a target has files and no log.
fn check_unoccupied(target: &Path) -> Result<(), CopyError> {
    let is_segment = |name: &OsStr| {
        let name = name.to_string_lossy();
        let digits = name.strip_suffix(".log");
        digits.is_some_and(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()))
    };
    if find_file(target, is_segment)?.is_some() {
        return Ok(());
    }
    // What an interrupted first backup leaves.
    let is_foreign = |name: &OsStr| {
        let name = name.to_string_lossy();
        let ours = [".log.tmp", ".checkpoint", ".checkpoint.tmp"];
        !["LOCK", "ARCHIVED", "ARCHIVED.tmp"].contains(&&*name)
            && !ours.iter().any(|end| name.ends_with(end))
    };
    match find_file(target, is_foreign)? {
        Some(path) => Err(CopyError::Occupied { path }),
        None => Ok(()),
    }
}

/// Returns the log that a target has, which is checked to be an earlier state of the source.
fn kept(target: &Path, source: &ReadOnlyLog) -> Result<Option<ReadOnlyLog>, CopyError> {
    // An interrupted backup may have left the files that are written before the first segment.
    if listing::segments(target)?.is_empty() {
        return Ok(None);
    }
    let kept = match ReadOnlyLog::open(target) {
        Ok(kept) => kept,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    if kept.store() != source.store() {
        return Err(CopyError::OtherStore {
            target: target.to_owned(),
            source: source.store(),
            found: kept.store(),
        });
    }
    let there = last_position(&kept)?;
    let (last, first) = (there.map(|position| position.seq()), source.chain().kept);
    if let Some(last) = last.filter(|last| *last < first) {
        return Err(CopyError::Dropped {
            target: target.to_owned(),
            last,
            first,
        });
    }
    let here = position_at(source, there.map(|position| position.seq()))?;
    if there == here {
        return Ok(Some(kept));
    }
    match there {
        Some(last) => Err(CopyError::OtherHistory {
            target: target.to_owned(),
            last,
        }),
        None => Ok(Some(kept)),
    }
}
