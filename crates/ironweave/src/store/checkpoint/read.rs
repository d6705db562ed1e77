//! Opening from a checkpoint: the newest valid one.
//!
//! It is valid if it is whole, its header names the frame that the log has, with its checksum, epoch and fingerprint, and the
//! fingerprint of the graph that was read is that one. The fingerprint is computed from the cells and links that were read.

use std::sync::Arc;

use crate::base::image::{ImageError, ImageSource, must_have, take_u32, take_u64};
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
use crate::store::epochs::{Bounds, Epoch, check_schema, own_plan};
use crate::store::keys::Keys;
use crate::store::version::At;
use crate::store::view::LogView;

/// What a checkpoint gives.
pub(crate) struct Loaded<S: Storage> {
    pub graph: Graph<S>,
    pub epochs: Epochs,
    pub keys: Keys,
    /// The time of the last transaction.
    pub time: Timestamp,
    /// The plan of the graph.
    pub plan: Arc<Plan>,
    /// The frame that it follows.
    pub seq: Seq,
    /// The length of its file.
    pub bytes: u64,
}

/// What a checkpoint is read with.
pub(crate) struct Loader<'a> {
    pub log: &'a dyn ReadLog,
    pub plans: Plans<'a>,
    pub bounds: Bounds,
}

/// The schema that the graph of a checkpoint gets.
#[derive(Clone, Copy)]
pub(crate) enum Plans<'a> {
    /// That of the program, to which those of the log are mapped. A checkpoint of an epoch with another shape is not used.
    Program(&'a Arc<Plan>),
    /// That of the program, or that of its epoch if this has another shape: the opening carries the graph over.
    Opening(&'a Arc<Plan>),
    /// That of its epoch, in a log that is read with its own schemas. Plans that are not known get the limits and the clock of
    /// `like`.
    Logged {
        known: &'a Epochs,
        like: &'a Arc<Plan>,
    },
}

impl<'a> Loader<'a> {
    /// Returns a loader for the log of a view, whose schemas were accepted when the store was opened.
    pub(crate) fn of_view(view: &'a LogView<'_>) -> Self {
        Self {
            log: view.log(),
            plans: match view.epochs.are_of_the_log() {
                true => Plans::Logged {
                    known: &view.epochs,
                    like: &view.plan,
                },
                false => Plans::Program(&view.plan),
            },
            bounds: Bounds {
                schema_bytes: usize::MAX,
                ..Bounds::default()
            },
        }
    }

    /// Returns a loader for a log that is read with its own schemas.
    pub(crate) fn of_log(log: &'a dyn ReadLog, known: &'a Epochs, like: &'a Arc<Plan>) -> Self {
        Self {
            log,
            plans: Plans::Logged { known, like },
            bounds: Bounds::default(),
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
    ) -> Option<(Loaded<S>, At)> {
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
            Some((loaded, at))
        })
    }

    /// Reads the oldest valid checkpoint. Gives the graph and its last frame and transaction.
    pub(crate) fn oldest<S: Storage>(&self) -> Option<(Loaded<S>, At)> {
        let files = self.log.checkpoints()?;
        files.list().ok()?.into_iter().find_map(|seq| {
            let position = files.open(seq).ok()?.header().position;
            let loaded = self.load(&files, seq).ok()?;
            let at = At {
                seq: Some(seq),
                time: loaded.time,
                position: Some(position),
            };
            Some((loaded, at))
        })
    }

    /// Reads a checkpoint. An error says why it is not valid.
    pub(crate) fn load<S: Storage>(
        &self,
        files: &CheckpointFiles,
        seq: Seq,
    ) -> Result<Loaded<S>, String> {
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
            let order = tags.image_order();
            let many = |def: &EdgeDef| {
                [&def.from, &def.to].map(|end| end.cardinality == Cardinality::Many)
            };
            let plan = match (self.plans, epochs.last_own_plan()) {
                (Plans::Logged { like, .. }, _) => epochs.last_plan(like),
                (Plans::Program(plan) | Plans::Opening(plan), _) if epochs.end_in_program() => plan,
                (Plans::Opening(_), Some(own)) => own,
                (Plans::Program(_) | Plans::Opening(_), _) => {
                    return Err(ImageError::content("it is of a schema of another shape"));
                }
            };
            let plan = Arc::clone(plan);
            let ours = &plan.layout.schema;
            if (logged.edges.iter().zip(&order.edges))
                .any(|(was, now)| many(was) != many(&ours[*now]))
            {
                return Err(ImageError::content("an edge had another cardinality then"));
            }
            let ColumnTypes { columns, data } = &plan.columns;
            let graph = Graph::new(Arc::clone(&plan.layout), columns, data);
            let graph = graph.read_image(&order, &mut from)?;
            let last = (seq, Timestamp::from_micros(header.time));
            let keys = Keys::read(self.bounds.keys, &mut from, last)?;
            if from.left() > 0 {
                return Err(ImageError::content("there are bytes behind its content"));
            }
            Ok((epochs, graph, plan, keys))
        };
        let (epochs, graph, plan, keys) = content().map_err(|e| match e {
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
            plan,
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
        from: &mut dyn ImageSource,
    ) -> Result<Epochs, ImageError> {
        let count = take_u32(from)?;
        must_have(from, count.into(), 8)?;
        if epoch.checked_add(1) != Some(count) {
            return Err(ImageError::content("it has not all schemas of the log"));
        }
        let mut epochs = Epochs::default();
        let mut next = Seq::ZERO;
        // The schemas of segments that are no longer in the directory are read without an archive.
        let archived = self.log.segments().map(|log| log.archived_schemas());
        let archived = archived.transpose().map_err(ImageError::Storage)?;
        let archived = archived.unwrap_or_default();
        for _ in 0..count {
            let schema = Seq::new(take_u64(from)?);
            if schema < next || schema > seq {
                return Err(ImageError::content("its schemas are not in order"));
            }
            next = schema.saturating_add(1);
            let archived = archived.iter().find(|frame| frame.header.seq == schema);
            let frame = match archived {
                Some(frame) => frame.clone(),
                None => self.frame(schema).map_err(ImageError::Content)?,
            };
            if frame.header.kind != FrameKind::Schema {
                return Err(ImageError::content(format_args!(
                    "frame {schema} is not a schema"
                )));
            }
            epochs.check(&frame.header).map_err(ImageError::content)?;
            (self
                .bounds
                .check(FrameKind::Schema, schema, frame.payload.len()))
            .map_err(ImageError::content)?;
            let logged = Schema::from_cbor(&frame.payload).map_err(ImageError::content)?;
            let place = (schema, frame.header.version);
            match self.plans {
                Plans::Program(plan) | Plans::Opening(plan) => {
                    (epochs.add(place, logged, plan)).map_err(ImageError::content)?
                }
                Plans::Logged { known, like } => {
                    check_schema(schema, &logged).map_err(ImageError::content)?;
                    let mut known = known.begun(schema.checked_sub(1), schema);
                    let plan = match known.next() {
                        Some((_, plan)) => Arc::clone(plan),
                        None => own_plan(logged, like),
                    };
                    (epochs.add_logged(place, &plan)).map_err(ImageError::content)?;
                }
            }
            if frame.header.group == GroupPart::Inner {
                (self.migration(schema, &mut epochs)).map_err(ImageError::content)?;
            }
        }
        Ok(epochs)
    }

    /// Records the frames of the migration that follows a schema. Only reading the graph within the migration depends on them, so
    /// they may be in an archive that is missing, or dropped.
    fn migration(&self, schema: Seq, epochs: &mut Epochs) -> Result<(), StorageError> {
        let is_gone = |e: &StorageError| e.is_archived() || e.is_dropped();
        let frames = match self.log.read(schema.saturating_add(1)) {
            Err(e) if is_gone(&e) => return Ok(()),
            frames => frames?,
        };
        for frame in frames {
            let header = match frame {
                Err(e) if is_gone(&e) => break,
                frame => frame?.header,
            };
            let FrameHeader {
                seq, kind, group, ..
            } = header;
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
