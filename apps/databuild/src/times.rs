//! The times of the wall clock that databuild keeps: when the time to live of a partition ends, when a want expires, and when it is late. The
//! model has an event for each, which is due at a time that the store knows.
//!
//! They outlast the process, so they cannot be measured by a monotonic clock. What ends while no databuild runs ends when the next one
//! starts. A clock that is set back lets them end later.

use std::time::Duration;

use anyhow::Result;
use ironweave::prelude::*;

use crate::engine::{Engine, step_error};
use crate::jobs::Jobs;

/// The time in `duration` from now. None if that cannot be represented.
pub fn after(duration: Duration) -> Option<Timestamp> {
    Timestamp::now().checked_add(duration)
}

/// The time that is promised for a want for these partitions: the one that its creator has `given`, or else the earliest one of the jobs.
pub fn promised<'a>(
    given: Option<Timestamp>,
    jobs: &Jobs,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<Timestamp> {
    let of = |name: &str| jobs.job_for(name).ok()?.sla;
    given.or_else(|| names.into_iter().filter_map(of).min().and_then(after))
}

impl Engine {
    /// Fires the events whose time has come. Costs O(log n) if there is none.
    pub(crate) fn end_times(&mut self) -> Result<()> {
        let now = Timestamp::now();
        if self.store.next_due().is_none_or(|next| next > now) {
            return Ok(());
        }
        let report = self.store.fire_due(now);
        let report = report.map_err(|e| step_error(&self.dirs, e))?;
        for rejected in report.rejected {
            let why = rejected.error;
            self.progress
                .note(format_args!("an event that is due was rejected: {why}"));
        }
        self.went_stale = true;
        self.stop_needless_runs();
        Ok(())
    }
}
