//! The beginning of an epoch: a program whose model is not the last schema of its log continues the log.
//!
//! 1. The differences of the schemas are judged with the data ([`judge`]). If one is refused and the program has no migration,
//!    the error lists all that are refused, and nothing is written.
//! 2. The graph is carried over by name ([`crate::graph::carry`]).
//! 3. In one transaction, defaults of new fields and of new data of states are set, the migration of the program runs, and the
//!    immediate events that are enabled fire. Then entities must be complete and invariants must hold.
//! 4. The facts of this transaction are encoded as frames. These are decoded and applied to a second graph that was carried
//!    over, which gives their fingerprints and shows that the log can be replayed ([`write`]).
//! 5. The schema and these frames are appended as one group, which the log has as a whole or not at all.

mod judge;
mod prepare;
mod project;
mod write;

use std::sync::Arc;

use crate::base::error::OpenError;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::graph::Graph;
use crate::graph::carry::CarryMap;
use crate::graph::storage::Flat;
use crate::log::FrameHeader;
use crate::schema::{Compatibility, EntityIx, Refused};
use crate::step::Core;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::version::At;
use crate::store::{Epochs, Store};
pub(super) use project::Replay;

/// The migration of a program: what it does beyond carrying over and defaults.
pub(crate) trait Migrate: Send {
    /// Changes the carried-over graph in the open transaction.
    ///
    /// # Errors
    /// Why the migration failed, as a clause. Nothing is written then.
    fn run(&mut self, context: MigrationContext<'_>) -> Result<(), String>;
}

/// What a migration reads and changes.
#[expect(
    dead_code,
    reason = "migrations of programs, which read it, are made beside this"
)]
pub(crate) struct MigrationContext<'a> {
    /// The graph at the end of the last epoch, in the layout of `old_plan`.
    pub old: &'a Graph<Flat>,
    /// The plan of the last schema of the log, with its names.
    pub old_plan: &'a Arc<Plan>,
    /// The last frame of that graph.
    pub at: At,
    /// The graph of the program, with what was carried over and the defaults, and the open transaction.
    pub core: &'a mut Core,
    /// The model of the program.
    pub plan: &'a Arc<Plan>,
    /// Which items of the old graph became which ones of the new.
    pub map: &'a CarryMap,
    /// The entities that are in the initial state only because the program does not have the state that they were in.
    pub displaced: &'a [(EntityIx, u32)],
    /// All differences of the two schemas.
    pub compatibility: &'a Compatibility,
    /// Those of them that the store refuses without a migration.
    pub refused: &'a [Refused<'a>],
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
    #[expect(dead_code, reason = "a dry run, which shows them, is made beside this")]
    pub compatibility: Compatibility,
    /// The frames: the schema, and the migration.
    pub frames: Vec<(FrameHeader, Vec<u8>)>,
    /// Whether the graph was carried over, so that a transaction is open.
    pub is_carried: bool,
}

impl<M: Model> Store<M> {
    /// Begins the epoch of this program's model, after the last epoch of the log.
    pub(super) fn begin_epoch(
        &mut self,
        migrate: Option<Box<dyn Migrate>>,
    ) -> Result<(), OpenError> {
        let prepared = self.prepare_epoch(migrate)?;
        self.write_epoch(prepared)
    }

    /// Makes the graph that of the next epoch, whose frames are returned. On an error the store must not be used.
    pub(super) fn prepare_epoch(
        &mut self,
        migrate: Option<Box<dyn Migrate>>,
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
        let prepared = prepare::prepare(&mut self.core, &ending, migrate);
        prepared.map_err(|e| e.map_storage(|e| self.log.place(e)))
    }

    /// Writes the frames of an epoch, all or none, and makes them durable.
    fn write_epoch(&mut self, prepared: Prepared) -> Result<(), OpenError> {
        let Prepared {
            frames, is_carried, ..
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
        if is_carried {
            self.core.keep();
        }
        Ok(())
    }
}
