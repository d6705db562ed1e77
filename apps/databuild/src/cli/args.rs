//! The arguments of databuild, as clap reads them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::cli::once;
use crate::dirs::Dirs;
use crate::job::JobCommand;
use crate::requests::{self, Request};
use crate::text::{comment, duration, reason};

#[derive(Parser)]
#[command(
    name = "databuild",
    version,
    about = "Builds partitions of data, and the partitions that they depend on"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Cmd,
}

#[derive(Subcommand)]
pub(super) enum Cmd {
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
        #[arg(long, value_name = "FILE", required_unless_present = "demo")]
        jobs: Option<PathBuf>,
        /// Build a small demo first, in target/databuild-demo unless --dir is given, and serve that
        #[arg(long, conflicts_with = "jobs")]
        demo: bool,
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
    /// Say that the data of partitions is wrong: nothing is made from it any more, and it is built again when it is wanted
    Taint {
        /// The partitions; `votes/d1+` is also all that was made from votes/d1
        #[arg(value_name = "REF", required = true)]
        refs: Vec<String>,
        /// Why, which `status` and `why` show
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
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
        /// Go on with what it writes, until it has ended
        #[arg(long, short)]
        follow: bool,
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
    /// Print what has changed between two steps or times: partitions, runs and wants by their states
    Diff {
        /// The number of a step or a time, as in the first two columns of the log
        #[arg(value_name = "SEQ|TIME")]
        from: String,
        /// Another one [default: now]
        #[arg(value_name = "SEQ|TIME")]
        to: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Print what happened to a partition: when it was built, by which run, what has read it, and why it was built again
    History {
        /// Its name
        #[arg(value_name = "REF")]
        name: String,
        /// Print every change of its fields, links and states instead
        #[arg(long)]
        facts: bool,
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
    /// Print what would be built, in which order and how long it takes, without building anything
    Plan {
        #[command(flatten)]
        options: Planned,
        #[command(subcommand)]
        what: Asked,
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
pub(super) struct Options {
    #[command(flatten)]
    pub(super) dir: Dir,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs_max: Option<u16>,
    /// The maximum number of partitions that jobs may ask for, which stops a search without end
    #[arg(long, global = true, value_name = "N", default_value_t = 10_000)]
    pub(super) discovery_max: usize,
    /// Begin no more runs after one has failed [default: build all that does not depend on what failed]
    #[arg(long, global = true)]
    pub(super) fail_fast: bool,
    /// Cancel what is wanted if it is not built by then: 90s, 10m, 2h
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(super) deadline: Option<Duration>,
    /// Show what is wanted as late if it is not built by then [default: the least `sla` of its jobs]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(super) sla: Option<Duration>,
    /// What is wanted with a higher priority is built first [default: 0]
    #[arg(
        long,
        global = true,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(super) priority: i32,
    /// What the partitions are for, which `status` shows
    #[arg(long, global = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = comment)]
    pub(super) comment: String,
}

#[derive(clap::Args)]
pub(super) struct Served {
    /// The address to listen at. Port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7171")]
    pub(super) listen: String,
    /// A file with a token that each request has to have; needed for an address that others can reach
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// A name of a host that requests may name, for a proxy on this machine. Can be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) allow_host: Vec<String>,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs_max: Option<u16>,
    /// The maximum number of partitions that jobs may ask for until no want is open, which stops a search without end
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) discovery_max: usize,
    /// How long runs may go on after a signal
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) grace: Duration,
    /// How many clients may be connected at a time; further ones are refused [default: 4000, or what the limit on open files permits]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), default_value_t = 4000, hide_default_value = true)]
    pub(super) clients_max: u16,
    /// How long a connection may be without a request, or its client not read what it is sent; then it is closed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(super) idle_max: Duration,
}

#[derive(clap::Args)]
pub(super) struct Retried {
    /// The failed partitions, or those that wait for them
    #[arg(value_name = "REF", required_unless_present = "all")]
    pub(super) refs: Vec<String>,
    /// All failed partitions
    #[arg(long, conflicts_with = "refs")]
    pub(super) all: bool,
}

#[derive(Subcommand)]
pub(super) enum Build {
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
pub(super) struct Simulated {
    #[command(flatten)]
    pub(super) dir: Dir,
    /// The jobs file [default: the jobs of the demo, if it ran in this directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) jobs: Option<PathBuf>,
    /// The maximum number of jobs that run at a time [default: the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs_max: Option<u16>,
    /// How often the build is simulated
    #[arg(long, global = true, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) replications: u32,
    /// The seed of the random numbers
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(clap::Args)]
pub(super) struct Planned {
    #[command(flatten)]
    pub(super) show: Show,
    /// The jobs file [default: that of the daemon that serves the directory, or the jobs of the demo, if it ran there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) jobs: Option<PathBuf>,
    /// The maximum number of jobs that run at a time [default: that of the daemon, or the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs_max: Option<u16>,
    /// Print JSON
    #[arg(long, global = true, conflicts_with = "full")]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub(super) enum Asked {
    /// If these partitions are wanted
    Want {
        /// Their names
        #[arg(required = true, value_name = "REF")]
        refs: Vec<String>,
    },
    /// If these partitions change, and all that is made from them is wanted
    Change {
        /// Their names
        #[arg(required = true, value_name = "REF")]
        refs: Vec<String>,
    },
}

#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) dir: Dir,
    /// Do not shorten lists
    #[arg(long, global = true)]
    pub(super) full: bool,
}

#[derive(clap::Args)]
pub(super) struct Dir {
    /// The directory of the store and the data [default: target/databuild in the cargo workspace around the
    /// current directory, or in the current directory if there is none]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum Then {
    /// The wants, runs and partitions by state
    Status,
}

#[derive(Subcommand)]
pub(super) enum What {
    /// The partitions to build
    Want {
        /// Their names
        #[arg(required = true, value_name = "REF")]
        refs: Vec<String>,
    },
}
impl Retried {
    /// The request for these.
    pub(super) fn request(self) -> Request {
        Request {
            what: requests::What::Retry,
            refs: once(self.refs),
            all: self.all,
            ..Request::default()
        }
    }
}

impl Dir {
    /// The directories.
    pub(super) fn dirs(&self) -> Result<Dirs> {
        self.dirs_or("databuild")
    }

    /// The directories of `serve --demo`, which are apart from those of other jobs.
    pub(super) fn dirs_of_demo(&self) -> Result<Dirs> {
        self.dirs_or("databuild-demo")
    }

    fn dirs_or(&self, name: &str) -> Result<Dirs> {
        match &self.dir {
            Some(dir) => Dirs::at(dir),
            None => Dirs::at(&default_dir(&std::env::current_dir()?, name)),
        }
    }
}

/// A directory in `target` of the cargo workspace around `current`, as a relative path if `current` is the root.
fn default_dir(current: &Path, name: &str) -> PathBuf {
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
    let inner = Path::new("target").join(name);
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
        assert_eq!(
            default_dir(root.path(), "databuild"),
            Path::new("target/databuild")
        );
        assert_eq!(
            default_dir(&inner, "databuild"),
            root.path().join("target/databuild")
        );
    }
}
