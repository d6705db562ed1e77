//! The checks of frames before their content is interpreted: their lengths, their epochs, and the schemas that begin epochs.

use std::sync::Arc;

use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{FORMAT_VERSION, StorageError, StorageFailure};
use crate::graph::fact::Facts;
use crate::log::{FrameHeader, FrameKind};
use crate::schema::{Change, Schema};
use crate::store::frame::{self, Decoded, FrameError};
use crate::store::tags::Tags;

/// The limits on the lengths of frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(super) schema_bytes: usize,
    pub(super) transaction_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            schema_bytes: 16 << 20,
            // More than a frame can contain.
            transaction_bytes: 1 << 30,
        }
    }
}

impl Bounds {
    /// Returns an error if a frame exceeds its limit.
    #[inline]
    pub(super) fn check(
        &self,
        kind: FrameKind,
        seq: Seq,
        bytes: usize,
    ) -> Result<(), StorageError> {
        let (option, most) = match kind {
            FrameKind::Schema => ("schema_bytes_max", self.schema_bytes),
            FrameKind::Transaction | FrameKind::Migration => {
                ("transaction_bytes_max", self.transaction_bytes)
            }
        };
        if bytes <= most {
            return Ok(());
        }
        Err(StorageError::at(
            StorageFailure::TooLarge,
            seq,
            format!(
                "frame {seq} has {bytes} bytes, which exceeds the limit of {most}; raise `Options::{option}`, or commit \
                 smaller transactions"
            ),
        ))
    }
}

/// The schemas of a log, each with the frame that contains it and the mapping of its indexes.
#[derive(Clone, Default)]
pub(crate) struct Epochs {
    pub(super) list: Vec<(Seq, Schema, Arc<Tags>)>,
}

impl Epochs {
    /// Returns, for each epoch, its first frame and the logged names of the first `entities` types of this program.
    pub(crate) fn names(
        &self,
        entities: usize,
    ) -> impl ExactSizeIterator<Item = (Seq, Vec<Option<&str>>)> {
        self.list.iter().map(move |(from, logged, tags)| {
            let name = |entity| Some(&*logged.entities.get(tags.logged_entity(entity)?)?.name);
            (*from, (0..entities).map(name).collect())
        })
    }

    /// Returns the mapping of the indexes in a frame.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame.
    pub(crate) fn tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.list.iter().rev().find(|(from, ..)| *from <= seq) {
            Some((.., tags)) => Ok(tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Decodes the transaction in a frame.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame, or if the frame is invalid.
    pub(crate) fn decode(&self, seq: Seq, payload: &[u8]) -> Result<Decoded, StorageError> {
        frame::decode(payload, self.tags(seq)?).map_err(|e| undecodable(seq, e))
    }

    /// As [`Epochs::decode`], without the firings; see [`frame::decode_facts`].
    pub(crate) fn decode_facts(
        &self,
        seq: Seq,
        payload: &[u8],
        room: Facts,
    ) -> Result<Decoded, StorageError> {
        frame::decode_facts(payload, self.tags(seq)?, room).map_err(|e| undecodable(seq, e))
    }

    /// Returns the mapping of the indexes in a new frame.
    ///
    /// # Errors
    /// As [`Epochs::tags`].
    #[inline]
    pub(super) fn current_tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.list.last() {
            Some((.., tags)) => Ok(tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Returns the epoch of new frames.
    pub(super) fn current(&self) -> u32 {
        self.list.len().saturating_sub(1) as u32
    }

    /// Returns the epochs of a log that has no schema frame and was written with the schema of this program.
    pub(super) fn from_the_beginning(schema: &Schema) -> Self {
        let tags = Tags::new(FORMAT_VERSION, schema, schema);
        Self {
            list: (tags.into_iter())
                .map(|tags| (Seq::ZERO, schema.clone(), Arc::new(tags)))
                .collect(),
        }
    }

    /// Returns whether new frames of this program belong to the last epoch: its schema is that of the program, with the
    /// encodings that the records of frames depend on, and its format version is the one that is written.
    pub(super) fn continue_with(&self, ours: &Schema) -> bool {
        let last = self.list.last();
        last.is_some_and(|(_, logged, tags)| tags.version == FORMAT_VERSION && logged == ours)
    }

    /// Checks that a frame records the epoch that it is in, and has the format version of that epoch. Each schema begins an
    /// epoch.
    pub(super) fn check(&self, header: &FrameHeader) -> Result<(), StorageError> {
        if let Some((from, _, tags)) = self.list.last() {
            let (now, then) = (header.version, tags.version);
            if now < then || now > then && header.kind != FrameKind::Schema {
                let what = format_args!(
                    "it is of format version {now}, and the schema in frame {from}, which it follows, of version {then}"
                );
                return Err(bad_frame(header.seq, what));
            }
        }
        let due = match header.kind {
            FrameKind::Schema => self.list.len(),
            _ if self.list.is_empty() => {
                return Err(no_schema(header.seq));
            }
            _ => self.list.len() - 1,
        };
        if usize::try_from(header.epoch) == Ok(due) {
            return Ok(());
        }
        let found = header.epoch;
        let what = format_args!("it records epoch {found} and is in epoch {due}");
        Err(bad_frame(header.seq, what))
    }

    /// Returns an error if a schema of the log has items that this version of ironweave does not know, since the frames that it
    /// writes might contradict them.
    pub(super) fn check_all_known(&self) -> Result<(), StorageError> {
        for (seq, logged, _) in &self.list {
            if let Some(item) = logged.unknown_items().first() {
                return Err(StorageError::at(
                    StorageFailure::Version,
                    *seq,
                    format!(
                        "the schema in frame {seq} was written by a newer version of ironweave, and this one does not know \
                         {item}; open the store with that version, or open it for reading only"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Validates a schema frame and begins its epoch.
    pub(super) fn add(
        &mut self,
        (seq, version): (Seq, u16),
        logged: Schema,
        ours: &Schema,
    ) -> Result<(), OpenError> {
        if let Err(wrong) = logged.validate() {
            let what = format_args!("its schema is invalid: {wrong}");
            return Err(bad_frame(seq, what).into());
        }
        let differences: Vec<Change> = (logged.diff(ours).into_iter())
            .filter(Change::is_of_shape)
            .collect();
        if !differences.is_empty() {
            return Err(other_schema(seq, ours, differences));
        }
        let tags = Tags::new(version, &logged, ours)
            .ok_or_else(|| other_schema(seq, ours, vec![Change::Renumbered]))?;
        self.list.push((seq, logged, Arc::new(tags)));
        Ok(())
    }
}

fn other_schema(seq: Seq, ours: &Schema, differences: Vec<Change>) -> OpenError {
    OpenError::Schema {
        model: ours.name.as_str().into(),
        seq,
        location: None,
        differences,
    }
}

/// Returns the error of a frame that no schema precedes.
#[cold]
pub(crate) fn no_schema(seq: Seq) -> StorageError {
    bad_frame(seq, "no schema precedes it")
}

/// Returns the error of a frame that was written, and that the log does not have any more.
#[cold]
pub(crate) fn lost_frame(seq: Seq) -> StorageError {
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "the log does not have frame {seq}, although it was written; no file was changed; restore the log from a backup"
        ),
    )
}

/// Returns the error of a frame whose payload cannot be decoded.
#[cold]
fn undecodable(seq: Seq, e: FrameError) -> StorageError {
    match e {
        FrameError::Invalid(e) => bad_frame(seq, e),
        FrameError::Newer(what) => StorageError::at(
            StorageFailure::Version,
            seq,
            format!(
                "frame {seq} has {what}, and this version of ironweave cannot read it; no file was changed; open the store \
                 with a newer version"
            ),
        ),
    }
}

/// The number of characters of a description of an invalid frame.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// Returns the error of a frame whose checksum is right and whose content is invalid. The cause is a defect of the program that
/// wrote the frame or of this one.
pub(crate) fn bad_frame(seq: Seq, what: impl std::fmt::Display) -> StorageError {
    // The description may contain a value that is as long as the frame.
    let mut what = what.to_string();
    if let Some((end, _)) = what.char_indices().nth(DESCRIPTION_CHARS_MAX) {
        what.truncate(end);
        what += " ..";
    }
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "frame {seq} of the log cannot be applied: {what}; no file was changed; open the store with the program that \
             wrote the frame, or restore the log from a backup"
        ),
    )
}
