//! What `demo`, `run want` and `run retry` do: they build partitions, or leave that to the daemon that serves the directory.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cli::args::Options;
use crate::cli::jobs_max;
use crate::dirs::is_same;
use crate::engine::{Engine, Limits, Stopped};
use crate::jobs::Jobs;
use crate::requests::Request;
use crate::rules::name;
use crate::serve::client::Client;
use crate::serve::follow::Following;
use crate::text::in_words;
use crate::{demo, selection, serve, start, summary};

/// The source of the jobs.
pub(super) enum Jobmaker {
    Demo { workspace: PathBuf },
    File(PathBuf),
}

/// Builds partitions by a jobs file, or leaves that to the daemon that serves the directory.
pub(super) fn build_from(
    jobs: Option<PathBuf>,
    options: &Options,
    mut refs: Vec<String>,
    retry: Option<Request>,
) -> Result<ExitCode> {
    let dirs = options.dir.dirs()?;
    let Some(client) = Client::find(&dirs)? else {
        let Some(jobs) = jobs else {
            bail!(
                "no daemon serves {}: name a jobs file with --jobs",
                dirs.shown().display()
            );
        };
        return build(options, Jobmaker::File(jobs), refs, retry);
    };
    let theirs = &client.daemon.jobs;
    if let Some(jobs) = jobs
        && !is_same(&jobs, theirs)
    {
        bail!(
            "{}, with the jobs in {}: leave out --jobs, or choose another directory with --dir",
            serve::serves_already(&dirs, &client.daemon),
            theirs.display()
        );
    }
    if options.jobs_max.is_some() {
        bail!(
            "{}, and decides how many jobs run at a time: leave out --jobs-max",
            serve::serves_already(&dirs, &client.daemon)
        );
    }
    if let Some(retry) = retry {
        let retried = client.retry(&retry)?;
        if retry.all {
            refs = retried;
        }
    }
    let following = Following {
        refs: &refs,
        fail_fast: options.fail_fast,
        deadline: options.deadline,
        sla: options.sla,
        priority: options.priority,
        comment: &options.comment,
    };
    following.follow(&client, &dirs)
}

/// Builds partitions, and the partitions that they depend on. Before that, it may retry some; if these are all that failed, they are
/// wanted.
pub(super) fn build(
    options: &Options,
    jobmaker: Jobmaker,
    mut refs: Vec<String>,
    retry: Option<Request>,
) -> Result<ExitCode> {
    let began = Instant::now();
    let dirs = options.dir.dirs()?;
    // A mistake in the user's file is reported before anything is created.
    let theirs = match &jobmaker {
        Jobmaker::File(file) => Some(Jobs::load(file)?),
        Jobmaker::Demo { .. } => None,
    };
    let is_plain = |name: &&String| !name.contains(['*', '{', '+']);
    for name in theirs
        .iter()
        .flat_map(|jobs| refs.iter().filter(is_plain).map(|name| jobs.job_for(name)))
    {
        name?;
    }
    dirs.create()?;
    let store = start::open(&dirs)?;
    // After the open, because the open store locks the directory against other databuilds.
    let (jobs, workspace) = match (jobmaker, theirs) {
        (Jobmaker::Demo { workspace }, _) => {
            (Jobs::load(&demo::write_jobs(&dirs)?)?, Some(workspace))
        }
        (Jobmaker::File(file), None) => (Jobs::load(&file)?, None),
        (Jobmaker::File(_), Some(jobs)) => (jobs, None),
    };
    let is_demo = workspace.is_some();
    let limits = Limits {
        jobs: jobs_max(options.jobs_max),
        discovery: options.discovery_max,
        fail_fast: options.fail_fast,
        deadline: options.deadline.map(|time| began + time),
        sla: options.sla,
        priority: options.priority,
        comment: options.comment.clone(),
    };
    let mut engine = Engine::new(store, dirs, jobs, limits, workspace)?;
    if let Some(retry) = &retry {
        let failed = retry.failed(&engine.store)?;
        if retry.all {
            let names = failed.iter().map(|p| name(*p, &engine.store).to_owned());
            refs = names.collect();
        }
        retry.carry_out(&mut engine.store)?;
    }
    let refs = selection::expand(&refs, &engine.store)?;
    start::check_refs(&engine.jobs, &engine.parents, &engine.store, &refs)?;
    let stopped = match start::recover(&mut engine, &refs, start::Earlier::Canceled)? {
        Some(signal) => Some(Stopped::Signal(signal)),
        None => {
            engine.want(&refs)?;
            engine.work()?
        }
    };
    match stopped {
        None => {}
        Some(Stopped::Signal(signal)) => {
            engine.progress.finish();
            eprintln!("databuild: interrupted; run it again to continue");
            return Ok(u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from));
        }
        Some(Stopped::Deadline) => {
            let time = options.deadline.map_or_else(String::new, in_words);
            eprintln!("databuild: not everything was built within {time}; the rest was canceled");
        }
    }
    let results = if is_demo {
        demo::results(&engine.dirs).to_vec()
    } else {
        refs.iter()
            .map(|name| ("data", engine.dirs.partition_shown(name)))
            .collect()
    };
    let done = summary::print(&engine, &refs, &results, began.elapsed())?;
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
