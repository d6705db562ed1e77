//! What a store takes from the frames of a log before it looks at what they say: how long they are, the epochs that they
//! are of, and the schemas that begin these.

use std::sync::Arc;

use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::{FrameHeader, FrameKind};
use crate::schema::Schema;
use crate::store::tags::{Tags, shape_difference};
use crate::store::{Epochs, bad_frame};
use crate::value;
use crate::value::item;

/// How much a frame may say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(super) schema_bytes: usize,
    pub(super) transaction_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            schema_bytes: 16 << 20,
            // More than a frame can hold.
            transaction_bytes: 1 << 30,
        }
    }
}

impl Bounds {
    /// Refuses a frame that says more.
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
                "frame {seq} has {bytes} bytes, and this store takes {most} (`Options::{option}`): raise that, or commit \
                 smaller transactions"
            ),
        ))
    }
}

impl Epochs {
    /// The number of the schema that new frames are written under.
    pub(super) fn current(&self) -> u32 {
        self.list.len().saturating_sub(1) as u32
    }

    /// Of a log that was written under one schema, which is this program's and not in it.
    pub(super) fn from_the_beginning(schema: &Schema) -> Self {
        let tags = Tags::new(schema, schema);
        Self {
            list: (tags.into_iter())
                .map(|tags| (0, schema.clone(), Arc::new(tags)))
                .collect(),
        }
    }

    /// Whether a frame is of the epoch that it stands in: each schema begins one.
    pub(super) fn check(&self, header: &FrameHeader) -> Result<(), StorageError> {
        let due = match header.kind {
            FrameKind::Schema => self.list.len(),
            _ if self.list.is_empty() => {
                return Err(bad_frame(header.seq, "no schema precedes it"));
            }
            _ => self.list.len() - 1,
        };
        if usize::try_from(header.epoch) == Ok(due) {
            return Ok(());
        }
        let found = header.epoch;
        let what = format_args!("it is of epoch {found} and stands in epoch {due}");
        Err(bad_frame(header.seq, what))
    }

    /// Takes in a schema frame.
    pub(super) fn add(&mut self, seq: Seq, logged: Schema, ours: &Schema) -> Result<(), OpenError> {
        if let Err(wrong) = logged.validate() {
            let what = format_args!("its schema means nothing: {wrong}");
            return Err(bad_frame(seq, what).into());
        }
        if let Some(difference) = shape_difference(&logged, ours) {
            return Err(other_schema(seq, ours, difference));
        }
        let tags = Tags::new(&logged, ours).ok_or_else(|| {
            let difference = "what the log holds has no equal in this model".to_owned();
            other_schema(seq, ours, difference)
        })?;
        self.list.push((seq, logged, Arc::new(tags)));
        Ok(())
    }
}

fn other_schema(seq: Seq, ours: &Schema, difference: String) -> OpenError {
    OpenError::Schema {
        model: ours.name.as_str().into(),
        seq,
        differences: vec![difference],
    }
}

/// Reads the payload of a schema frame: one value, and nothing behind it.
pub(super) fn decode_schema(payload: &[u8]) -> Result<Schema, value::DecodeError> {
    let mut d = minicbor::Decoder::new(payload);
    let schema = value::decode(item::raw_item(&mut d)?)?;
    item::end(&d)?;
    Ok(schema)
}
