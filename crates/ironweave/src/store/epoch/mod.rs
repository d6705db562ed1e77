//! The beginning of an epoch: a program whose model is not the last schema of its log continues the log.
//!
//! 1. The differences of the schemas are judged with the data ([`judge`]). If one is refused and the program has no migration,
//!    the error lists all that are refused, and nothing is written.
//! 2. The graph is carried over by name ([`crate::graph::carry`]), unless only rules have changed.
//! 3. In one transaction, defaults of new fields and of new data of states are set, the migration of the program runs, and the
//!    immediate events that are enabled fire. Then entities must be complete and invariants must hold.
//! 4. The facts of this transaction are encoded as frames. These are decoded and applied to a copy of the graph that was
//!    carried over, which gives their fingerprints and shows that the log can be replayed ([`write`]).
//! 5. The schema and these frames are appended as one group, which the log has as a whole or not at all.

mod judge;
mod prepare;
mod project;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::error::{OpenError, RefusedDifference};
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::graph::carry::CarrySummary;
use crate::log::FrameHeader;
use crate::schema::{Compatibility, EntityDef, Schema};
use crate::step::migrate::MigrationCode;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::version::At;
use crate::store::{Epochs, Store};
pub(super) use project::Replay;
pub(crate) use project::{NotProjected, project};

/// Returns whether a schema is of another model: it has no entity type of the model, by the names that its items have now.
fn is_of_another_model(renamed: &Schema, ours: &Schema) -> bool {
    let known: HashSet<&str> = ours.entities.iter().map(|def| def.name.as_str()).collect();
    let is_known = |def: &EntityDef| known.contains(def.name.as_str());
    !renamed.entities.is_empty() && !known.is_empty() && !renamed.entities.iter().any(is_known)
}

/// What is needed to begin an epoch, beside the graph.
pub(super) struct Ending<'a> {
    /// The model of the program.
    pub plan: &'a Arc<Plan>,
    pub epochs: &'a Epochs,
    /// The last frame of the log.
    pub at: At,
    /// The number of bytes that a frame may have.
    pub frame_bytes_max: usize,
}

/// An epoch that was prepared and not written.
pub(super) struct Prepared {
    /// The differences from the last schema of the log to the model.
    pub compatibility: Compatibility,
    /// Those of them that are refused without the code of a migration.
    pub refused: Vec<RefusedDifference>,
    /// The frames: the schema, and the migration.
    pub frames: Vec<(FrameHeader, Vec<u8>)>,
    /// What was carried over, if a transaction with the changes of the migration is open.
    pub carried: Option<CarrySummary>,
}

impl<M: Model> Store<M> {
    /// Begins the epoch of this program's model, after the last epoch of the log.
    pub(super) fn begin_epoch(&mut self, code: Option<MigrationCode>) -> Result<(), OpenError> {
        let prepared = self.prepare_epoch(code)?;
        self.write_epoch(prepared)
    }

    /// Makes the graph that of the next epoch, whose frames are returned. On an error the store must not be used.
    pub(super) fn prepare_epoch(
        &mut self,
        code: Option<MigrationCode>,
    ) -> Result<Prepared, OpenError> {
        let seq = self.seq();
        let ending = Ending {
            plan: &self.plan,
            epochs: &self.epochs,
            at: At {
                seq,
                time: self.core.open.clock.last(),
                position: self.position(),
            },
            frame_bytes_max: self.bounds.transaction_bytes,
        };
        let prepared = prepare::prepare(&mut self.core, &ending, code);
        prepared.map_err(|e| self.place_open(e))
    }

    /// Adds the file and the offset of its frame to the error of an opening, and the frame that wrote a value which cannot be carried
    /// over.
    #[cold]
    fn place_open(&self, e: OpenError) -> OpenError {
        let e = e.map_storage(|e| self.log.place(e));
        let Some((log, last)) = self.log.log().zip(self.seq()) else {
            return e;
        };
        let ours = &self.plan.layout.schema;
        self.epochs.with_written(log, (last, ours), e)
    }

    /// Writes the frames of an epoch, all or none, and makes them durable.
    fn write_epoch(&mut self, prepared: Prepared) -> Result<(), OpenError> {
        let Prepared {
            frames, carried, ..
        } = prepared;
        for (header, payload) in &frames {
            self.bounds.check(header.kind, header.seq, payload.len())?;
        }
        (self.log.append_group(&frames)).map_err(|e| match e {
            AppendError::Refused(e) | AppendError::Indeterminate(e) => e,
            conflict @ AppendError::Conflict { .. } => {
                StorageError::new(StorageFailure::Io, conflict.to_string())
            }
        })?;
        let schema = self.plan.layout.schema.clone();
        let epochs = Arc::make_mut(&mut self.epochs);
        for (at, (header, _)) in frames.iter().enumerate() {
            match at {
                0 => epochs.add((header.seq, header.version), schema.clone(), &self.plan)?,
                _ => epochs.migrated(header.seq),
            }
        }
        self.next += frames.len() as u64;
        if carried.is_some() {
            self.core.keep();
        }
        Ok(())
    }
}
