//! What databuild does first: it finishes what an earlier one left, and looks what has changed since.
//!
//! 1. Renames that are owed: a run that succeeded, whose directory did not get to its place.
//! 2. Runs that nobody waits for any more are recorded as lost.
//! 3. What failed gets another chance.
//! 4. What is no longer a function of its sources becomes stale, and with it, by the model, what was made from it.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::child;
use crate::dirs::Dirs;
use crate::engine::{BuildStore, Engine};
use crate::jobs::Job;
use crate::model::build::state::{
    Failed, Live, Missing, Queued, Running, Stale, Succeeded, UpForRetry, UpstreamFailed,
};
use crate::model::build::{JobRun, Partition, PartitionsRetried, SourcesChanged};
use crate::rules::{all_partitions, is_open};

/// How often a locked store is tried again. The process of a run holds the lock for a moment between its fork and
/// its exec, which is to be waited for when databuild was killed just then.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Opens the store for writing.
pub fn open(dirs: &Dirs) -> Result<BuildStore> {
    let mut tries = 0;
    loop {
        match BuildStore::options()
            .durability(Durability::Always)
            .open(dirs.store())
        {
            Err(e) if e.is_locked() && tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(e) if e.is_locked() => anyhow::bail!(
                "another databuild works in {}: wait for it, or choose another directory with --dir",
                dirs.shown().display()
            ),
            result => return result.map_err(|e| cannot_open(dirs, &e)),
        }
    }
}

/// Opens the store to look at it, also beside a databuild that writes.
pub fn open_read_only(dirs: &Dirs) -> Result<BuildStore> {
    if !dirs.store().is_dir() {
        return Err(no_store(dirs));
    }
    match BuildStore::open_read_only(dirs.store()) {
        // One that was killed before it had written anything.
        Err(e) if e.is_not_found() => Err(no_store(dirs)),
        result => result.map_err(|e| cannot_open(dirs, &e)),
    }
}

fn no_store(dirs: &Dirs) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no store in {}: run databuild there first, or name its directory with --dir",
        dirs.shown().display()
    )
}

/// The message without its sources, which it tells itself.
fn cannot_open(dirs: &Dirs, e: &StorageError) -> anyhow::Error {
    let store = dirs.shown().join("store");
    let advice = if e.is_schema() || (e.is_io() && !e.is_full()) {
        ". Another directory can be chosen with --dir"
    } else {
        ""
    };
    anyhow::anyhow!("cannot open the store in {}: {e}{advice}", store.display())
}

/// Brings store and directories to where work can begin.
pub fn recover(engine: &mut Engine) -> Result<()> {
    if let Some(torn) = engine.store.recovered() {
        engine.progress.note(format_args!(
            "the log ended within step {}, which did not happen; its {} bytes are kept in {}",
            torn.seq,
            torn.bytes,
            torn.kept.display()
        ));
    }
    owed_renames(engine)?;
    let lost: Vec<JobRun> = engine.store.place::<JobRun, (Queued, Running)>().collect();
    engine.lose(&lost)?;
    for run in engine.dirs.runs_present()? {
        engine.dirs.discard(&run);
    }
    let failed: Vec<Partition> = engine
        .store
        .place::<Partition, (Failed, UpstreamFailed)>()
        .collect();
    if !failed.is_empty() {
        engine.fire(PartitionsRetried { partitions: failed })?;
    }
    let changed = changed(engine)?;
    if !changed.is_empty() {
        engine.fire(SourcesChanged {
            partitions: changed,
        })?;
    }
    note_what_has_no_job(engine);
    Ok(())
}

/// Renames the directories of runs that succeeded, where the databuild that was to do it was killed before.
fn owed_renames(engine: &Engine) -> Result<()> {
    let present: HashSet<String> = engine.dirs.runs_present()?.into_iter().collect();
    let db = &engine.store;
    for partition in db.place::<Partition, (Live, Stale)>() {
        let Some(run) = partition.built_by(db).filter(|r| r.is::<Succeeded>(db)) else {
            continue;
        };
        let id = run.id().to_string();
        if present.contains(&id) {
            engine.dirs.publish(&id, partition.name(db))?;
        }
    }
    Ok(())
}

/// The live partitions whose data is gone, or whose digest is not what it was when they were built.
fn changed(engine: &Engine) -> Result<Vec<Partition>> {
    let db = &engine.store;
    let mut changed: Vec<Partition> = Vec::new();
    let mut by_job: Vec<Vec<(Partition, String, String)>> =
        engine.jobs.all().iter().map(|_| Vec::new()).collect();
    for token in db.place::<Partition, Live>() {
        let name = token.name(db);
        if !engine.dirs.partition(name).is_dir() {
            changed.push(token.any());
        } else if let Ok(job) = engine.jobs.index_for(name) {
            by_job[job].push((token.any(), name.to_owned(), token.digest(db).to_owned()));
        }
    }
    // The commands run side by side: each may take a while, and none knows of the others.
    let (vars, dirs) = (engine.vars(), &engine.dirs);
    let differing = std::thread::scope(|scope| {
        let asked: Vec<_> = (engine.jobs.all().iter().zip(&by_job))
            .filter(|(job, live)| job.digest.is_some() && !live.is_empty())
            .map(|(job, live)| scope.spawn(move || differing(vars, dirs, job, live)))
            .collect();
        asked
            .into_iter()
            .map(|a| a.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect::<Vec<_>>()
    });
    for result in differing {
        changed.extend(result?);
    }
    changed.sort_unstable();
    Ok(changed)
}

/// Of the live partitions of a job, those whose digest differs. In batches, since a command line has an end.
fn differing(
    vars: &[crate::jobs::Var],
    dirs: &Dirs,
    job: &Job,
    live: &[(Partition, String, String)],
) -> Result<Vec<Partition>> {
    let Some(command) = &job.digest else {
        return Ok(Vec::new());
    };
    let mut differing = Vec::new();
    for batch in live.chunks(500) {
        let names: Vec<String> = batch.iter().map(|(_, name, _)| name.clone()).collect();
        let now = child::digests(command, vars, &dirs.data(), &names).with_context(|| {
            format!(
                "the `digest` command of the job for `{}` failed",
                job.pattern
            )
        })?;
        let now: HashSet<(String, String)> = now.into_iter().collect();
        let same = |name: &str, digest: &str| now.contains(&(name.to_owned(), digest.to_owned()));
        differing.extend(
            batch
                .iter()
                .filter(|(_, name, digest)| !same(name, digest))
                .map(|(p, ..)| *p),
        );
    }
    Ok(differing)
}

/// An earlier databuild may have had other jobs: what it was asked for and these jobs do not make, waits.
fn note_what_has_no_job(engine: &Engine) {
    let db = &engine.store;
    for partition in db.place::<Partition, (Missing, UpForRetry, Stale)>() {
        let name = partition.name(db);
        if partition.wanted_by(db).any(|want| is_open(want, db))
            && let Err(e) = engine.jobs.job_for(name)
        {
            engine.progress.note(format_args!(
                "{name} was wanted earlier and is left waiting: {e:#}"
            ));
        }
    }
}

/// Refuses references that cannot be wanted.
pub fn check_refs(engine: &Engine, refs: &[String]) -> Result<()> {
    for name in refs {
        crate::jobs::check_name(name)?;
        engine.jobs.job_for(name)?;
    }
    let db = &engine.store;
    let known: Vec<&str> = all_partitions(db).map(|p| p.name(db)).collect();
    crate::jobs::check_apart(known.into_iter().chain(refs.iter().map(String::as_str)))
}
