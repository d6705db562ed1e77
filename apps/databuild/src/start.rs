//! Recovery at the start of databuild:
//!
//! 1. Complete renames of earlier versions: runs that succeeded, whose directories were not moved into place.
//! 2. Kill the processes of runs of earlier databuilds ([`orphans`]). Cancel the wants of earlier databuilds, which were killed, and record their runs as lost. Who still wants something wants it again;
//!    what was built by then is there. A [daemon](crate::serve) keeps the wants, and builds what they need.
//! 3. Mark partitions as stale whose time to live has passed, and end wants whose deadline has ([`crate::times`]).
//! 4. Mark partitions as stale whose sources have changed ([`fresh`]). The model marks the partitions that are made from
//!    them.
//! 5. Replace failed partitions of which the cause may be gone without a trace, so that they are built again. Other failures are
//!    remembered. Those that are stale by now are not replaced, so that it is known what they had read.

use std::collections::HashSet;
use std::fs::TryLockError;
use std::time::Duration;

use anyhow::Result;
use ironweave::prelude::*;

use crate::apart::Parents;
use crate::dirs::Dirs;
use crate::engine::{BuildStore, Engine};
use crate::fresh;
use crate::jobs::Jobs;
use crate::migrate::migrate;
use crate::model::build::state::{
    Backoff, Checking, Failed, Live, Queued, Running, Stale, Succeeded, Tainted,
};
use crate::model::build::{BackoffEnded, JobRun, Partition};
use crate::orphans;
use crate::rules::{OF_DAEMON, current, open_wants};
use crate::serve::presence::Presence;
use crate::serve::serves_already;
use crate::upkeep;

/// How often opening a locked store is retried. The process of a run holds the lock between its fork and
/// its exec, which matters if databuild was killed in that moment.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How long after a step it is synced to the disk, together with those since. A kill loses nothing. A power failure may lose the steps of
/// this time: then their runs are lost, or were never queued. What they had put in place is data of partitions that the store has as stale or
/// unfinished, or finds stale again by what it compares at the start, so they are built again.
const SYNC_PAUSE: Duration = Duration::from_millis(50);

/// An open reads and verifies the segment of the checkpoint that it starts from, and a history the last one, which has no index. So both are
/// smaller than usual.
const SEGMENT_BYTES: u64 = 4 << 20;

/// Opens the store for writing.
pub fn open(dirs: &Dirs) -> Result<BuildStore> {
    let mut tries = 0;
    loop {
        match BuildStore::options()
            .durability(Durability::Every(SYNC_PAUSE))
            .segment_bytes_max(SEGMENT_BYTES)
            .checkpoint_every(upkeep::policy())
            .migrate(migrate)
            .open(dirs.store())
        {
            Err(e) if e.is_locked() && tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(e)
                if e.is_locked()
                    && let Some(other) = Presence::read(dirs) =>
            {
                anyhow::bail!("{}", serves_already(dirs, &other))
            }
            Err(e) if e.is_locked() => anyhow::bail!(
                "another databuild is running in {}: wait for it, or choose another directory with --dir",
                dirs.shown().display()
            ),
            result => return result.map_err(|e| cannot_open(dirs, &e)),
        }
    }
}

/// Opens the store read-only, also while a databuild writes.
pub fn open_read_only(dirs: &Dirs) -> Result<BuildStore> {
    if !dirs.store().is_dir() {
        return Err(no_store(dirs));
    }
    match BuildStore::open_read_only(dirs.store()) {
        // The store of a databuild that was killed before it had written anything.
        Err(e) if e.is_not_found() => Err(no_store(dirs)),
        Err(e) if e.is_schema() => Err(anyhow::anyhow!(
            "another version of databuild wrote the store in {}: {e}; `databuild run` migrates the store of an earlier one",
            dirs.shown().display()
        )),
        result => result.map_err(|e| cannot_open(dirs, &e)),
    }
}

/// Returns whether a databuild runs in the directory: whether the lock of its store is held. If that cannot be found out, none does.
/// A databuild that starts at this moment tries again.
pub fn is_in_use(dirs: &Dirs) -> bool {
    let lock = std::fs::File::open(dirs.store().join("LOCK"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The error for a directory without a store.
pub fn no_store(dirs: &Dirs) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no store in {}: run databuild there first, or name its directory with --dir",
        dirs.shown().display()
    )
}

/// The error without its sources, which its message includes already.
fn cannot_open(dirs: &Dirs, e: &OpenError) -> anyhow::Error {
    let store = dirs.shown().join("store");
    let refused = e.storage().is_some_and(|e| e.is_io() && !e.is_full());
    let advice = if e.is_schema() || refused {
        ". Choose another directory with --dir"
    } else {
        ""
    };
    anyhow::anyhow!("cannot open the store in {}: {e}{advice}", store.display())
}

/// What happens to the open wants of earlier databuilds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Those end that were not left to a daemon.
    Canceled,
    /// They stay open.
    Kept,
}

/// Recovers the store and the directories, before work for `refs` begins. Returns the signal that stopped it, if there was one.
pub fn recover(engine: &mut Engine, refs: &[String], wants: Earlier) -> Result<Option<i32>> {
    if let Some(torn) = engine.store.recovered() {
        engine.progress.note(format_args!(
            "the log ended in the incomplete step {}, which was discarded; its {} bytes are kept in {}",
            torn.seq,
            torn.bytes,
            torn.kept.display()
        ));
    }
    let unplaced = owed_renames(engine)?;
    let lost: Vec<JobRun> = engine.store.place::<JobRun, (Queued, Running)>().collect();
    if !lost.is_empty() {
        match orphans::end(&engine.dirs) {
            0 => {}
            ended => engine.progress.note(format_args!(
                "{ended} processes of a databuild that was killed were still running, and were killed"
            )),
        }
    }
    engine.lose(&lost)?;
    if wants == Earlier::Canceled {
        // Those that runs asked for end with them.
        let mut open = open_wants(&engine.store);
        open.retain(|want| want.source(&engine.store) != OF_DAEMON);
        engine.end_wants(&open, None)?;
    }
    engine.end_times()?;
    let backoffs = engine.store.place::<Partition, Backoff>();
    for partition in backoffs.map(|p| p.any()).collect::<Vec<_>>() {
        engine.fire(BackoffEnded { partition })?;
    }
    for run in engine.dirs.runs_present()? {
        engine.dirs.discard(&run);
    }
    if let Some(signal) = fresh::look(engine, refs, unplaced)? {
        return Ok(Some(signal));
    }
    let failed = engine.store.place::<Partition, Failed>();
    let failed = failed.filter(|p| p.again(&engine.store)).map(|p| p.any());
    engine.replace(failed.collect())?;
    Ok(None)
}

/// Completes the renames of the directories of runs that succeeded. Returns
/// the live partitions for which that failed.
fn owed_renames(engine: &Engine) -> Result<Vec<Partition>> {
    let present: HashSet<String> = engine.dirs.runs_present()?.into_iter().collect();
    if present.is_empty() {
        return Ok(Vec::new());
    }
    let db = &engine.store;
    let mut unplaced = Vec::new();
    for partition in db.place::<Partition, (Live, Stale, Checking, Tainted)>() {
        let Some(run) = partition.built_by(db).filter(|r| r.is::<Succeeded>(db)) else {
            continue;
        };
        let id = run.id().to_string();
        let name = partition.of(db).name(db);
        if present.contains(&id)
            && let Err(e) = engine.dirs.publish(&id, name)
        {
            engine
                .progress
                .note(format_args!("{name} will be built again: {e:#}"));
            unplaced.extend(Some(partition).filter(|p| p.is::<Live>(db)));
        }
    }
    Ok(unplaced)
}

/// Refuses references that cannot be wanted. O(names), and what [`Parents::check_apart`] costs if some are new.
pub fn check_refs(jobs: &Jobs, parents: &Parents, db: &impl Db, refs: &[String]) -> Result<()> {
    for name in refs {
        crate::jobs::check_name(name)?;
        jobs.job_for(name)?;
    }
    if refs.iter().all(|name| current(name, db).is_some()) {
        return Ok(());
    }
    parents.check_apart(&refs.iter().cloned().collect(), db)
}
