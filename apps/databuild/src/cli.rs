//! The command line.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use crate::answers::{self, Direction};
use crate::dirs::Dirs;
use crate::engine::{Engine, Limits, Stopped};
use crate::job::{self, JobCommand};
use crate::jobs::Jobs;
use crate::requests::{self, Request};
use crate::rules::name;
use crate::serve::client::Client;
use crate::serve::follow::Following;
use crate::text::{duration, in_words};
use crate::{demo, draw, selection, serve, show, signals, simulate, start, summary};

#[derive(Parser)]
#[command(
    name = "databuild",
    version,
    about = "Builds partitions of data, and the partitions that they depend on"
)]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Build a report about the dependencies of a cargo workspace
    Demo {
        /// A directory in the workspace [default: the current one]
        #[arg(long, value_name = "PATH")]
        workspace: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Build partitions by the jobs in a file
    Run {
        /// The jobs file [default: that of the daemon that serves the directory]
        #[arg(long, value_name = "FILE")]
        jobs: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
        #[command(subcommand)]
        what: Build,
    },
    /// Serve the directory to many clients, over HTTP and to `databuild run`, until a signal arrives
    Serve {
        /// The jobs file, which is read again when it has changed
        #[arg(long, value_name = "FILE")]
        jobs: PathBuf,
        #[command(flatten)]
        served: Served,
        #[command(flatten)]
        dir: Dir,
    },
    /// Cancel wants, with what only they need, also those of a databuild that is running
    Cancel {
        /// The wanted partitions
        #[arg(value_name = "REF", required_unless_present_any = ["want", "all"])]
        refs: Vec<String>,
        /// The number of a want, as in the log: 12 for `Want/12.1`
        #[arg(long, value_name = "N")]
        want: Vec<u32>,
        /// Cancel all wants
        #[arg(long, conflicts_with_all = ["refs", "want"])]
        all: bool,
        #[command(flatten)]
        dir: Dir,
    },
    /// Forget failures, so that the partitions are built again when they are wanted
    Retry {
        #[command(flatten)]
        failed: Retried,
        #[command(flatten)]
        dir: Dir,
    },
    /// Print the events that happened, with the changes of each
    Log {
        #[command(flatten)]
        show: Show,
    },
    /// Print the wants, runs and partitions by state, what has failed, and what waits for what
    Status {
        #[command(flatten)]
        show: Show,
        /// Print JSON
        #[arg(long, conflicts_with = "full")]
        json: bool,
    },
    /// Print why a partition is in its state
    Why {
        /// Its name
        #[arg(value_name = "REF")]
        name: String,
        #[command(flatten)]
        dir: Dir,
    },
    /// Print what a partition is made from, as a tree
    Lineage {
        /// Its name
        #[arg(value_name = "REF")]
        name: String,
        /// What it is made from, and waits for
        #[arg(long)]
        up: bool,
        /// What is made from it, and waits for it
        #[arg(long)]
        down: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Print the last runs, with how long they took
    Runs {
        /// Only those for partitions that match this pattern
        #[arg(long, value_name = "PATTERN")]
        of: Option<String>,
        /// Those that took longest come first
        #[arg(long)]
        slowest: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Print what a run wrote to stdout and stderr
    Logs {
        /// Its number, as in `databuild runs`, or the partition whose last run it is
        #[arg(value_name = "RUN|REF")]
        run: String,
        #[command(flatten)]
        dir: Dir,
    },
    /// Print the state after an earlier step, or at an earlier time
    AsOf {
        /// The number of a step or a time, as in the first two columns of the log
        #[arg(value_name = "SEQ|TIME")]
        when: String,
        #[command(flatten)]
        show: Show,
        #[command(subcommand)]
        what: Then,
    },
    /// Print every change of a partition
    History {
        /// Its name
        #[arg(value_name = "REF")]
        name: String,
        #[command(flatten)]
        show: Show,
    },
    /// Print what a request would change, without changing anything
    WhatIf {
        #[command(flatten)]
        show: Show,
        #[command(subcommand)]
        what: What,
    },
    /// Print when partitions will be ready if they are wanted now, by the durations in the log, without running anything
    Simulate {
        #[command(flatten)]
        options: Simulated,
        #[command(subcommand)]
        what: What,
    },
    /// Draw the model with the numbers of entities and links, as SVG
    Model {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        svg: PathBuf,
        /// Draw the lifecycle of this type of entity: Partition, JobRun or Want [default: the net of all events]
        #[arg(long, value_name = "TYPE")]
        entity: Option<String>,
        #[command(flatten)]
        dir: Dir,
    },
    /// The jobs of the demo, which databuild starts
    #[command(hide = true)]
    Job {
        #[command(subcommand)]
        job: JobCommand,
    },
}

#[derive(clap::Args)]
struct Options {
    #[command(flatten)]
    dir: Dir,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs_max: Option<u16>,
    /// The maximum number of partitions that jobs may ask for, which stops a search without end
    #[arg(long, global = true, value_name = "N", default_value_t = 10_000)]
    discovery_max: usize,
    /// Begin no more runs after one has failed [default: build all that does not depend on what failed]
    #[arg(long, global = true)]
    fail_fast: bool,
    /// Cancel what is wanted if it is not built by then: 90s, 10m, 2h
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    deadline: Option<Duration>,
}

#[derive(clap::Args)]
struct Served {
    /// The address to listen at. Port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7171")]
    listen: String,
    /// A file with a token that each request has to have; needed for an address that others can reach
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name of a host that requests may name, for a proxy on this machine. Can be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs_max: Option<u16>,
    /// The maximum number of partitions that jobs may ask for until no want is open, which stops a search without end
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    discovery_max: usize,
    /// How long runs may go on after a signal
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    grace: Duration,
}

#[derive(clap::Args)]
struct Retried {
    /// The failed partitions, or those that wait for them
    #[arg(value_name = "REF", required_unless_present = "all")]
    refs: Vec<String>,
    /// All failed partitions
    #[arg(long, conflicts_with = "refs")]
    all: bool,
}

#[derive(Subcommand)]
enum Build {
    /// The partitions to build
    Want {
        /// Their names
        #[arg(required = true, value_name = "REF")]
        refs: Vec<String>,
    },
    /// Forget failures, then build the partitions
    Retry {
        #[command(flatten)]
        failed: Retried,
    },
}

#[derive(clap::Args)]
struct Simulated {
    #[command(flatten)]
    dir: Dir,
    /// The jobs file [default: the jobs of the demo, if it ran in this directory]
    #[arg(long, global = true, value_name = "FILE")]
    jobs: Option<PathBuf>,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs_max: Option<u16>,
    /// How often the build is simulated
    #[arg(long, global = true, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    replications: u32,
    /// The seed of the random numbers
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Args)]
struct Show {
    #[command(flatten)]
    dir: Dir,
    /// Do not shorten lists
    #[arg(long, global = true)]
    full: bool,
}

#[derive(clap::Args)]
struct Dir {
    /// The directory of the store and the data [default: target/databuild in the cargo workspace around the
    /// current directory, or in the current directory if there is none]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Then {
    /// The wants, runs and partitions by state
    Status,
}

#[derive(Subcommand)]
enum What {
    /// The partitions to build
    Want {
        /// Their names
        #[arg(required = true, value_name = "REF")]
        refs: Vec<String>,
    },
}

/// Runs databuild, and reports errors on stderr.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    // The databuild that started a job shows the job's messages under the name of the job.
    let prefix = if matches!(command, Cmd::Job { .. }) {
        ""
    } else {
        "databuild: "
    };
    match run(command) {
        Ok(code) => code,
        Err(e) => {
            // A closed stdout is not an error: `databuild log | head`.
            let closed = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
            if e.chain()
                .any(|e| e.downcast_ref::<std::io::Error>().is_some_and(closed))
            {
                return ExitCode::SUCCESS;
            }
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("{prefix}{e:#}\n").as_bytes(),
            );
            ExitCode::FAILURE
        }
    }
}

fn run(command: Cmd) -> Result<ExitCode> {
    signals::prepare()?;
    match command {
        Cmd::Demo { workspace, options } => {
            let workspace = demo::workspace(workspace.as_deref())?;
            build(
                &options,
                Jobmaker::Demo { workspace },
                vec![demo::WANTED.to_owned()],
                None,
            )
        }
        Cmd::Run {
            jobs,
            options,
            what,
        } => match what {
            Build::Want { refs } => build_from(jobs, &options, once(refs), None),
            Build::Retry { failed } => {
                let refs = once(failed.refs.clone());
                build_from(jobs, &options, refs, Some(failed.request()))
            }
        },
        Cmd::Serve { jobs, served, dir } => {
            let options = serve::Options {
                listen: served.listen,
                jobs,
                token_file: served.token_file,
                hosts: served.allow_host,
                limits: Limits {
                    jobs: jobs_max(served.jobs_max),
                    discovery: served.discovery_max,
                    fail_fast: false,
                    deadline: None,
                },
                grace: served.grace,
            };
            serve::serve(&dir.dirs()?, options).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Cancel {
            refs,
            want,
            all,
            dir,
        } => {
            let request = Request {
                what: requests::What::Cancel,
                refs: once(refs),
                wants: want,
                all,
            };
            say(&request.send(&dir.dirs()?)?)
        }
        Cmd::Retry { failed, dir } => say(&failed.request().send(&dir.dirs()?)?),
        Cmd::Log { show } => show::log(&show.dir.dirs()?, show.full).map(|()| ExitCode::SUCCESS),
        Cmd::Status { show, json } => {
            show::status(&show.dir.dirs()?, show.full, json).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Why { name, dir } => answers::why(&dir.dirs()?, &name).map(|()| ExitCode::SUCCESS),
        Cmd::Lineage {
            name,
            up,
            down,
            show,
        } => {
            let dirs = show.dir.dirs()?;
            // Without a choice, what it is made from.
            if up || !down {
                answers::lineage(&dirs, &name, Direction::Up, show.full)?;
            }
            if down {
                answers::lineage(&dirs, &name, Direction::Down, show.full)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Cmd::Runs { of, slowest, show } => {
            answers::runs(&show.dir.dirs()?, of.as_deref(), slowest, show.full)
                .map(|()| ExitCode::SUCCESS)
        }
        Cmd::Logs { run, dir } => answers::logs(&dir.dirs()?, &run).map(|()| ExitCode::SUCCESS),
        Cmd::AsOf {
            when,
            show,
            what: Then::Status,
        } => show::status_as_of(&show.dir.dirs()?, &when, show.full).map(|()| ExitCode::SUCCESS),
        Cmd::History { name, show } => {
            show::history(&show.dir.dirs()?, &name, show.full).map(|()| ExitCode::SUCCESS)
        }
        Cmd::WhatIf {
            show,
            what: What::Want { refs },
        } => show::what_if_wanted(&show.dir.dirs()?, &once(refs), show.full)
            .map(|()| ExitCode::SUCCESS),
        Cmd::Simulate {
            options,
            what: What::Want { refs },
        } => {
            let dirs = options.dir.dirs()?;
            let options = simulate::Options {
                jobs: options.jobs,
                jobs_max: jobs_max(options.jobs_max),
                replications: options.replications as usize,
                seed: options.seed,
                json: options.json,
            };
            simulate::simulate(&dirs, &once(refs), &options).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Model { svg, entity, dir } => {
            draw::model(&dir.dirs()?, &svg, entity.as_deref()).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Job { job } => job::run(job).map(|()| ExitCode::SUCCESS),
    }
}

impl Retried {
    fn request(self) -> Request {
        Request {
            what: requests::What::Retry,
            refs: once(self.refs),
            wants: Vec::new(),
            all: self.all,
        }
    }
}

/// Prints a line.
fn say(text: &str) -> Result<ExitCode> {
    let line = format!("{text}\n");
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())
        .context("cannot write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

/// The names without repetitions.
fn once(refs: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    refs.into_iter()
        .filter(|r| seen.insert(r.clone()))
        .collect()
}

/// The maximum number of jobs that run at a time.
fn jobs_max(given: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    given.map_or_else(cores, usize::from)
}

/// The source of the jobs.
enum Jobmaker {
    Demo { workspace: PathBuf },
    File(PathBuf),
}

/// Builds partitions by a jobs file, or leaves that to the daemon that serves the directory.
fn build_from(
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
        && std::fs::canonicalize(&jobs).ok() != std::fs::canonicalize(theirs).ok()
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
    };
    following.follow(&client, &dirs)
}

/// Builds partitions, and the partitions that they depend on. Before that, it may retry some; if these are all that failed, they are
/// wanted.
fn build(
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
    start::check_refs(&engine.jobs, &engine.store, &refs)?;
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

impl Dir {
    fn dirs(&self) -> Result<Dirs> {
        match &self.dir {
            Some(dir) => Dirs::at(dir),
            None => Dirs::at(&default_dir(&std::env::current_dir()?)),
        }
    }
}

/// `target/databuild` in the cargo workspace around `current`, as a relative path if `current` is the root.
fn default_dir(current: &Path) -> PathBuf {
    let is_workspace = |dir: &&Path| {
        let text = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
        text.lines()
            .any(|l| l.trim_start().starts_with("[workspace"))
    };
    let is_package = |dir: &&Path| dir.join("Cargo.toml").is_file();
    let root = current
        .ancestors()
        .find(is_workspace)
        .or_else(|| current.ancestors().find(is_package));
    let inner = Path::new("target").join("databuild");
    match root {
        Some(root) if root != current => root.join(inner),
        _ => inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_default_directory_is_in_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        std::fs::write(root.path().join("a/Cargo.toml"), "[package]\n").unwrap();
        assert_eq!(default_dir(root.path()), Path::new("target/databuild"));
        assert_eq!(default_dir(&inner), root.path().join("target/databuild"));
    }
}
