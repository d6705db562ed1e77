//! What must hold of every partition at the end of every transaction, and questions that are asked often.
//!
//! No arc of the model breaks these as it stands. The invariants say why it is right, and catch the change that would
//! make it wrong: the store refuses the transaction, so that the log never holds such a state.

use ironweave::prelude::*;

use crate::model::build::state::{
    Building, Failed, Idle, Live, Missing, New, Queued, Running, Stale, Succeeded, UpForRetry,
    UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{Partition, Want};

/// Nothing is in building that no process works at.
pub fn building_means_an_unfinished_run(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    if !partition.is::<Building>(db) {
        return Ok(());
    }
    match partition.built_by(db) {
        Some(run) if run.is::<Queued>(db) || run.is::<Running>(db) => Ok(()),
        Some(run) => Err(Reject::new(format!("{run}, which builds it, has ended"))),
        None => Err(Reject::new("it is in Building, and no run builds it")),
    }
}

/// Nothing is live that no run has finished.
pub fn live_means_a_run_that_succeeded(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    if !partition.is::<Live>(db) {
        return Ok(());
    }
    match partition.built_by(db) {
        Some(run) if run.is::<Succeeded>(db) => Ok(()),
        Some(run) => Err(Reject::new(format!(
            "{run}, which built it, did not succeed"
        ))),
        None => Err(Reject::new("it is live, and no run built it")),
    }
}

/// Nothing waits for ever because nothing can wake it.
pub fn waiting_means_something_missed(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    if partition.is::<UpstreamBuilding>(db) && partition.upstreams_count(db) == 0 {
        return Err(Reject::new("it waits, and for nothing"));
    }
    Ok(())
}

/// Whether a want has not ended.
pub fn is_open(want: Want, db: &impl Db) -> bool {
    want.is::<Idle>(db)
        || want.is::<Building>(db)
        || want.is::<UpstreamBuilding>(db)
        || want.is::<New>(db)
}

/// All partitions that are known.
pub fn all_partitions(db: &impl Db) -> impl Iterator<Item = Partition> {
    let unfinished = db.place::<Partition, (Missing, Building, UpForRetry, UpstreamBuilding)>();
    unfinished.chain(db.place::<Partition, (Live, Stale, Failed, UpstreamFailed)>())
}
