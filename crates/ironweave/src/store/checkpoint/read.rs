//! Opening from a checkpoint: the newest valid one.
//!
//! It is valid if it is whole, its header names the frame that the log has, with its checksum, epoch and fingerprint, and the
//! fingerprint of the graph that was read is that one. The fingerprint is computed from the cells and links that were read.

use std::sync::Arc;

use crate::base::image::{ImageError, ImageSource as _, must_have, take_u32, take_u64};
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::column::ColumnTypes;
use crate::graph::fact::Facts;
use crate::graph::storage::Storage;
use crate::log::{CheckpointFiles, Frame, FrameHeader, FrameKind, GroupPart, ReadLog};
use crate::schema::{Cardinality, EdgeDef, Schema};
use crate::step::plan::Plan;
use crate::store::Epochs;
use crate::store::checkpoint::{IgnoredCheckpoint, OpenedFrom};
use crate::store::epochs::{Bounds, Epoch};
use crate::store::keys::Keys;
use crate::store::version::At;
use crate::store::view::LogView;

/// What a checkpoint gives.
pub(in crate::store) struct Loaded<S: Storage> {
    pub graph: Graph<S>,
    pub epochs: Epochs,
    pub keys: Keys,
    /// The time of the last transaction.
    pub time: Timestamp,
    /// The frame that it follows.
    pub seq: Seq,
    /// The length of its file.
    pub bytes: u64,
}

/// What a checkpoint is read with.
pub(crate) struct Loader<'a> {
    pub log: &'a dyn ReadLog,
    pub plan: &'a Arc<Plan>,
    pub bounds: Bounds,
}

impl<'a> Loader<'a> {
    /// Returns a loader for the log of a view, whose schemas were accepted when the store was opened.
    pub(crate) fn of_view(view: &'a LogView<'_>) -> Self {
        Self {
            log: view.log(),
            plan: &view.plan,
            bounds: Bounds {
                schema_bytes: usize::MAX,
                ..Bounds::default()
            },
        }
    }

    /// Reads the newest valid checkpoint, if there is one, and says which were ignored.
    pub(in crate::store) fn newest<S: Storage>(&self) -> (Option<Loaded<S>>, OpenedFrom) {
        let mut opened = OpenedFrom::default();
        let Some(files) = self.log.checkpoints() else {
            return (None, opened);
        };
        // A directory that cannot be listed has no checkpoints.
        for seq in files.list().unwrap_or_default().into_iter().rev() {
            match self.load(&files, seq) {
                Ok(loaded) => {
                    opened.checkpoint = Some(seq);
                    return (Some(loaded), opened);
                }
                Err(reason) => opened.ignored.push(IgnoredCheckpoint {
                    path: files.path(seq),
                    reason,
                }),
            }
        }
        (None, opened)
    }

    /// Reads the newest checkpoint after a frame, at or before a point in the past, for which `may` is true. Gives the graph and
    /// its last frame and transaction.
    pub(crate) fn before<S: Storage>(
        &self,
        after: Option<Seq>,
        may: impl Fn(At) -> bool,
    ) -> Option<(Graph<S>, At)> {
        let files = self.log.checkpoints()?;
        let all = files.list().ok()?.into_iter().rev();
        all.take_while(|seq| Some(*seq) > after).find_map(|seq| {
            let header = *files.open(seq).ok()?.header();
            let at = At {
                seq: Some(seq),
                time: Timestamp::from_micros(header.time),
                position: Some(header.position),
            };
            let loaded = may(at).then(|| self.load(&files, seq))?.ok()?;
            Some((loaded.graph, at))
        })
    }

    /// Reads a checkpoint. An error says why it is not valid.
    fn load<S: Storage>(&self, files: &CheckpointFiles, seq: Seq) -> Result<Loaded<S>, String> {
        let mut from = files.open(seq)?;
        let (header, bytes) = (*from.header(), from.bytes());
        let position = header.position;
        if position.store != self.log.store() {
            return Err("it is of another store".into());
        }
        if self.log.head().is_none_or(|head| head.seq < seq) {
            return Err(format!("the log ends before frame {seq}"));
        }
        let frame = self.frame(seq)?;
        if frame.position != position {
            return Err(format!(
                "it is of another history: the log has another frame {seq}"
            ));
        }
        let found = &frame.header;
        if (found.epoch, found.fingerprint) != (header.epoch, header.fingerprint) {
            return Err(format!(
                "its epoch or its fingerprint is not that of frame {seq}"
            ));
        }
        let mut content = || -> Result<_, ImageError> {
            from.take_segments()?;
            let epochs = self.epochs(seq, header.epoch, &mut from)?;
            let Some(Epoch {
                schema: logged,
                tags,
                ..
            }) = epochs.list.last()
            else {
                return Err(ImageError::content("it has no schema"));
            };
            if !epochs.end_in_program() {
                return Err(ImageError::content("it is of a schema of another shape"));
            }
            let order = tags.image_order();
            let many = |def: &EdgeDef| {
                [&def.from, &def.to].map(|end| end.cardinality == Cardinality::Many)
            };
            let ours = &self.plan.layout.schema;
            if (logged.edges.iter().zip(&order.edges))
                .any(|(was, now)| many(was) != many(&ours[*now]))
            {
                return Err(ImageError::content("an edge had another cardinality then"));
            }
            let ColumnTypes { columns, data } = &self.plan.columns;
            let graph = Graph::new(Arc::clone(&self.plan.layout), columns, data);
            let graph = graph.read_image(&order, &mut from)?;
            let last = (seq, Timestamp::from_micros(header.time));
            let keys = Keys::read(self.bounds.keys, &mut from, last)?;
            if from.left() > 0 {
                return Err(ImageError::content("there are bytes behind its content"));
            }
            Ok((epochs, graph, keys))
        };
        let (epochs, graph, keys) = content().map_err(|e| match e {
            ImageError::Storage(e) => e.to_string(),
            ImageError::Content(what) => what,
        })?;
        if graph.fingerprint != header.fingerprint {
            return Err("the fingerprint of its graph is not the one in its header".into());
        }
        let time = Timestamp::from_micros(header.time);
        if frame.header.kind.has_facts() {
            let place = (seq, frame.header.kind);
            let decoded = epochs.decode_facts(place, &frame.payload, Facts::default());
            if decoded.map_err(|e| e.to_string())?.time != time {
                return Err(format!("its time is not that of frame {seq}"));
            }
        }
        Ok(Loaded {
            graph,
            epochs,
            keys,
            time,
            seq,
            bytes,
        })
    }

    /// Reads the schemas up to a frame from the log. The checkpoint has the numbers of their frames.
    fn epochs(
        &self,
        seq: Seq,
        epoch: u32,
        from: &mut dyn crate::base::image::ImageSource,
    ) -> Result<Epochs, ImageError> {
        let count = take_u32(from)?;
        must_have(from, count.into(), 8)?;
        if epoch.checked_add(1) != Some(count) {
            return Err(ImageError::content("it has not all schemas of the log"));
        }
        let mut epochs = Epochs::default();
        let mut next = Seq::ZERO;
        for _ in 0..count {
            let schema = Seq::new(take_u64(from)?);
            if schema < next || schema > seq {
                return Err(ImageError::content("its schemas are not in order"));
            }
            next = schema.saturating_add(1);
            let frame = self.frame(schema).map_err(ImageError::Content)?;
            if frame.header.kind != FrameKind::Schema {
                return Err(ImageError::content(format_args!(
                    "frame {schema} is no schema"
                )));
            }
            epochs.check(&frame.header).map_err(ImageError::content)?;
            (self
                .bounds
                .check(FrameKind::Schema, schema, frame.payload.len()))
            .map_err(ImageError::content)?;
            let logged = Schema::from_cbor(&frame.payload).map_err(ImageError::content)?;
            let place = (schema, frame.header.version);
            (epochs.add(place, logged, self.plan)).map_err(ImageError::content)?;
            if frame.header.group == GroupPart::Inner {
                self.migration(schema, &mut epochs)
                    .map_err(ImageError::content)?;
            }
        }
        Ok(epochs)
    }

    /// Records the frames of the migration that follows a schema.
    fn migration(&self, schema: Seq, epochs: &mut Epochs) -> Result<(), StorageError> {
        for frame in self.log.read(schema.saturating_add(1))? {
            let FrameHeader {
                seq, kind, group, ..
            } = frame?.header;
            if kind != FrameKind::Migration {
                break;
            }
            epochs.migrated(seq);
            if group == GroupPart::Last {
                break;
            }
        }
        Ok(())
    }

    /// Reads a frame of the log.
    fn frame(&self, seq: Seq) -> Result<Frame, String> {
        let mut frames = self.log.read(seq).map_err(|e| e.to_string())?;
        let frame = frames
            .next()
            .ok_or_else(|| format!("the log has no frame {seq}"))?;
        frame.map_err(|e| e.to_string())
    }
}
