//! What is damage: frames that are missing or invalid although they were durable. Everything else that is invalid begins the torn
//! tail of a log.

use std::path::Path;

use super::super::frame::{BLOCK_BYTES, BlockFault, Fault};
use super::super::scan::{self, Found, Scan, Search};
use super::super::{GroupPart, Seq, StorageError};
use super::{Block, Chain, ChainEnd, TailCheck, segment_path};

impl Chain {
    /// Checks that a segment with a successor has all frames before it, and nothing after them.
    pub(super) fn check_complete(
        &self,
        path: &Path,
        fault: Option<Fault>,
        successor: Seq,
    ) -> Result<(), StorageError> {
        let next = self.next();
        let damage = |what: &str| Err(StorageError::damage(path, self.end, Some(next), what));
        if let Some(fault) = fault {
            let fault = fault.describe();
            return damage(&format!(
                "{fault}, although segment {successor:020}.log was created only after it was durable"
            ));
        }
        let mut file = self.open(path)?;
        let behind = scan::content_behind(&mut file, self.end);
        let behind = behind.map_err(|e| StorageError::io("read", path, e))?;
        if successor != next {
            let following = format!("the next file is {successor:020}.log");
            if behind.is_some() {
                return damage(&format!("{}, and {following}", Fault::Hole.describe()));
            }
            return damage(&format!(
                "the file ends before the frame, and {following}: {} is missing, or this file has lost its end",
                segment_path(&self.dir, next).display()
            ));
        }
        match behind {
            Some(_) => damage("there are bytes after the last frame of a complete segment"),
            None => Ok(()),
        }
    }

    /// Determines whether the end of the last segment is clean or torn. Damage is an error. `None` means that a writer has
    /// completed the frame in the meantime, and the chain continues.
    pub(super) fn check_end(
        &mut self,
        path: &Path,
        fault: Option<Fault>,
        known: Option<&Block>,
        check: TailCheck,
    ) -> Result<Option<ChainEnd>, StorageError> {
        self.check_known(known, path, fault)?;
        if fault.is_none() && !check.after_clean_end {
            return Ok(Some(ChainEnd::Clean));
        }
        let io = |e| StorageError::io("read", path, e);
        let Some(until) = scan::end_of_content(path, self.end).map_err(io)? else {
            return Ok(Some(ChainEnd::Clean));
        };
        let next = self.next();
        let fault = fault.unwrap_or(Fault::Hole);
        let most = check.search_bytes_max;
        let found = scan::find_evidence(path, self.end, self.store, next, most).map_err(io)?;
        let evidence = match found {
            Search::Found(evidence) => evidence,
            Search::NotFound => return Ok(Some(ChainEnd::Torn { fault, until })),
            Search::Undecided => {
                let what = format!(
                    "{}, and too many bytes after it look like frames to determine whether it was durable; raise \
                     `search_bytes_max`, which is {most}, to search more of them",
                    fault.describe()
                );
                return Err(StorageError::damage(path, self.end, Some(next), &what));
            }
        };
        // A writer may have completed the frame in the meantime. The evidence was written after the frame.
        if self.has_next(path)? {
            return Ok(None);
        }
        let what = format!(
            "{}, and frame {} at offset {} records that all frames up to {} were durable",
            fault.describe(),
            evidence.seq,
            evidence.offset,
            evidence.durable
        );
        Err(StorageError::damage(path, self.end, Some(next), &what))
    }

    /// Returns whether the segment has the next frame, and all of its group if it begins one.
    fn has_next(&self, path: &Path) -> Result<bool, StorageError> {
        let (mut scan, mut next) = (Scan::of(self.open(path)?, self.end)?, self.next());
        loop {
            let found = scan.next(self.store, next);
            match found.map_err(|e| StorageError::io("read", path, e))? {
                Found::Frame { header, .. } if header.group == GroupPart::Inner => next += 1,
                Found::Frame { .. } => return Ok(true),
                Found::End | Found::Bad(_) => return Ok(false),
            }
        }
    }

    /// Checks that the log has all frames up to the one that `HEAD` records.
    pub(super) fn check_known(
        &self,
        known: Option<&Block>,
        path: &Path,
        fault: Option<Fault>,
    ) -> Result<(), StorageError> {
        let next = self.next();
        let Some(known) = known.filter(|known| known.seq >= next) else {
            return Ok(());
        };
        let why = durable_by_head(known);
        let missing = segment_path(&self.dir, next);
        if self.segment().is_none() {
            return Err(StorageError::missing_segment(&missing, next, &why));
        }
        let what = match fault {
            Some(fault) => format!("{}, and {why}", fault.describe()),
            None if self.segment() == Some(next) => format!("the file has no frame, and {why}"),
            None => format!(
                "the file ends before the frame, and {why}: {} is missing, or this file has lost its end",
                missing.display()
            ),
        };
        Err(StorageError::damage(path, self.end, Some(next), &what))
    }

    /// Checks the header of the segment `first` and enters the segment. Returns the end of the chain, if the header is
    /// incomplete.
    pub(in crate::log) fn check_header(
        &mut self,
        first: Seq,
        newest: bool,
        known: Option<&Block>,
    ) -> Result<Option<ChainEnd>, StorageError> {
        let path = segment_path(&self.dir, first);
        let io = |e| StorageError::io("read", &path, e);
        let next = self.next();
        let damage = |what: &str| Err(StorageError::damage(&path, 0, Some(first), what));
        if first != next {
            let why = format!("the first file is {first:020}.log");
            let path = segment_path(&self.dir, next);
            return Err(StorageError::missing_segment(&path, next, &why));
        }
        let block = match scan::read_header(&path).map_err(io)? {
            Ok(block) => block,
            Err(fault @ (BlockFault::Version(_) | BlockFault::Flags(_))) => {
                let invalid =
                    || StorageError::damage(&path, 0, Some(first), "its header is invalid");
                return Err(fault.version_error(&path).unwrap_or_else(invalid));
            }
            // Frames are written only after the header is durable. Without content after it, no frame can be lost.
            Err(_)
                if newest
                    && scan::end_of_content(&path, BLOCK_BYTES as u64)
                        .map_err(io)?
                        .is_none() =>
            {
                if let Some(known) = known.filter(|known| known.seq >= first) {
                    return damage(&format!(
                        "its header is invalid, and {}",
                        durable_by_head(known)
                    ));
                }
                return Ok(Some(ChainEnd::Header {
                    first,
                    bytes: scan::end_of_content(&path, 0).map_err(io)?.unwrap_or(0),
                }));
            }
            Err(_) => {
                return damage(
                    "the header of the segment is invalid, and there are frames after it",
                );
            }
        };
        let foreign = |store: u64| store != block.store;
        if block.seq != first {
            return damage(&format!(
                "the header records that the segment begins with frame {}",
                block.seq
            ));
        }
        if self.head.is_some() && foreign(self.store)
            || known.is_some_and(|known| foreign(known.store))
        {
            return damage(
                "the segment belongs to another store than HEAD or the segment before it",
            );
        }
        let before = self
            .head
            .map_or((0, 0), |head| (head.fingerprint, head.epoch));
        if (block.fingerprint, block.epoch) != before {
            return damage("the segment does not continue the history of the one before it");
        }
        self.store = block.store;
        (self.timeline, self.version) = (block.timeline, block.version);
        self.enter(first);
        Ok(None)
    }
}

fn durable_by_head(head: &Block) -> String {
    format!(
        "HEAD records that all frames up to {} were durable",
        head.seq
    )
}
