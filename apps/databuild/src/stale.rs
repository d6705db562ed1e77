//! What happens to a stale partition that is wanted, and to a tainted one, which is always built again.
//!
//! 1. What it was made from, and is not live, is built first. What is not built any more is not waited for: an input that no job makes, that
//!    has failed, or that waits for this partition.
//! 2. If it is stale only because of its inputs, and these have the contents that it was made from, it is live again without a run.
//! 3. Otherwise it is built again. What its last run had only read, and is not live, is built before that too.
//!
//! If an input has failed, the partition is built again nevertheless, because it may not need that input any more: its sources or its other
//! inputs may have changed. If it does, its run says so, and the partition is upstream-failed. Inputs that a job declares are needed in
//! any case, so a partition with a failed one is upstream-failed without a run.

use anyhow::Result;
use ironweave::prelude::*;

use crate::engine::Engine;
use crate::fresh::closure;
use crate::model::build::state::{Failed, Live, Stale, Tainted, UpstreamFailed};
use crate::model::build::{CheckBegun, CheckOfTaintedBegun, ContentKept, Partition, PartitionRef};
use crate::progress::Ending;
use crate::rules::{name, same_inputs};

/// What is next for a stale or tainted partition.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// These are built first.
    Check(Vec<PartitionRef>),
    /// It is live again. These are the current instances of its inputs.
    Keep(Vec<Partition>),
    /// It is built again.
    Build,
}

/// Decides what is next for a stale or tainted partition. `is_made` returns whether a job makes a partition, and `is_known` whether a live one is known to be
/// up to date.
///
/// Costs O(partitions that its last run read, and if one of them is not live, those that wait for this one).
pub fn next(
    partition: Partition,
    db: &impl Db,
    is_made: &dyn Fn(Partition) -> bool,
    is_known: &dyn Fn(Partition) -> bool,
) -> Next {
    let is_pending = |p: &Partition| {
        let has_ended = p.is::<Live>(db) || p.is::<Failed>(db) || p.is::<UpstreamFailed>(db);
        !has_ended && *p != partition && is_made(*p)
    };
    let pending = |all: &mut dyn Iterator<Item = Partition>| {
        let now = all.filter_map(|p| p.of(db).current(db)).filter(is_pending);
        let mut references: Vec<PartitionRef> = now.map(|p| p.of(db)).collect();
        references.sort_unstable();
        references.dedup();
        if !references.is_empty() {
            let waiting = closure([partition], |p| p.downstreams(db).collect());
            references.retain(|of| of.current(db).is_some_and(|p| !waiting.contains(&p)));
        }
        references
    };
    let inputs = pending(&mut partition.inputs(db));
    if !inputs.is_empty() {
        return Next::Check(inputs);
    }
    let stale = partition.in_state::<Stale>(db);
    if stale.is_some_and(|p| p.by_inputs(db))
        && let Some(same) = same_inputs(partition, db)
        && same.iter().all(|p| is_known(*p))
    {
        return Next::Keep(same);
    }
    let reads = partition.built_by(db).into_iter();
    let reads = pending(&mut reads.flat_map(|run| run.reads(db)));
    match reads.is_empty() {
        true => Next::Build,
        false => Next::Check(reads),
    }
}

impl Engine {
    /// Checks a stale or tainted partition. Returns whether it is to be built again now.
    pub(crate) fn check(&mut self, partition: Partition) -> Result<bool> {
        let db = &self.store;
        let is_made = |p: Partition| self.jobs.job_for(name(p, db)).is_ok();
        let is_known = |p: Partition| self.unknown.why(p).is_none();
        let next = next(partition, db, &is_made, &is_known);
        let name = name(partition, db).to_owned();
        match next {
            Next::Build => Ok(true),
            Next::Keep(inputs) => {
                self.fire(ContentKept { partition, inputs })?;
                self.lives += 1;
                self.kept.insert(partition, self.lives);
                self.progress.ended(&name, Ending::Kept);
                Ok(false)
            }
            Next::Check(inputs) => {
                let number = inputs.len();
                match partition.is::<Tainted>(&self.store) {
                    true => self
                        .fire(CheckOfTaintedBegun { partition, inputs })
                        .map(drop)?,
                    false => self.fire(CheckBegun { partition, inputs }).map(drop)?,
                }
                self.progress.ended(&name, Ending::Checked(number));
                Ok(false)
            }
        }
    }
}
