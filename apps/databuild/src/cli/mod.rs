//! The command line: what each command does. `args.rs` has the arguments, `build.rs` what builds.

mod args;
mod build;

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::cli::args::{Asked, Build, Cli, Cmd, Dir, Then, What};
use crate::cli::build::{Jobmaker, build, build_from};
use crate::engine::Limits;
use crate::plan::Question;
use crate::reports::{self, Report, Source};
use crate::requests::{self, Request};
use crate::serve::http::Bounds;
use crate::{demo, job, logs, plan, serve, show, signals, simulate};

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
        Cmd::Serve {
            jobs,
            demo,
            served,
            dir,
        } => {
            let dirs = match demo {
                true => dir.dirs_of_demo()?,
                false => dir.dirs()?,
            };
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
                    sla: None,
                    priority: 0,
                    comment: String::new(),
                },
                grace: served.grace,
                bounds: Bounds {
                    connections: usize::from(served.clients_max),
                    idle: served.idle_max,
                },
            };
            serve::serve(&dirs, options).map(|()| ExitCode::SUCCESS)
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
                ..Request::default()
            };
            say(&request.send(&dir.dirs()?)?)
        }
        Cmd::Taint { refs, reason, dir } => {
            let request = Request {
                what: requests::What::Taint,
                refs: once(refs),
                reason,
                ..Request::default()
            };
            say(&request.send(&dir.dirs()?)?)
        }
        Cmd::Retry { failed, dir } => say(&failed.request().send(&dir.dirs()?)?),
        Cmd::Log { show } => show::log(&show.dir.dirs()?, show.full).map(|()| ExitCode::SUCCESS),
        Cmd::Status { show, json } => print(
            &show.dir,
            Report::Status {
                full: show.full,
                json,
            },
        ),
        Cmd::Why { name, dir } => print(&dir, Report::Why { name }),
        Cmd::Lineage {
            name,
            up,
            down,
            show,
        } => print(
            &show.dir,
            Report::Lineage {
                name,
                up,
                down,
                full: show.full,
            },
        ),
        Cmd::Runs { of, slowest, show } => print(
            &show.dir,
            Report::Runs {
                of,
                slowest,
                full: show.full,
            },
        ),
        Cmd::Logs { run, follow, dir } => {
            logs::logs(&dir.dirs()?, &run, follow).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Diff { from, to, show } => print(
            &show.dir,
            Report::Diff {
                from,
                to,
                full: show.full,
            },
        ),
        Cmd::AsOf {
            when,
            show,
            what: Then::Status,
        } => print(
            &show.dir,
            Report::AsOf {
                when,
                full: show.full,
            },
        ),
        Cmd::History { name, facts, show } => print(
            &show.dir,
            Report::History {
                name,
                facts,
                full: show.full,
            },
        ),
        Cmd::WhatIf {
            show,
            what: What::Want { refs },
        } => print(
            &show.dir,
            Report::WhatIf {
                want: once(refs),
                full: show.full,
            },
        ),
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
        Cmd::Plan { options, what } => {
            let question = match what {
                Asked::Want { refs } => Question::Want(once(refs)),
                Asked::Change { refs } => Question::Change(once(refs)),
            };
            let dirs = options.show.dir.dirs()?;
            let options = plan::print::Options {
                jobs: options.jobs,
                jobs_max: options.jobs_max.map(usize::from),
                json: options.json,
                full: options.show.full,
            };
            plan::print::plan(&dirs, question, &options).map(|()| ExitCode::SUCCESS)
        }
        Cmd::Model { svg, entity, dir } => {
            let dirs = dir.dirs()?;
            let text = Source::of(&dirs)?.ask(&Report::Model { entity }, &dirs)?;
            let written = std::fs::write(&svg, text);
            written.with_context(|| format!("cannot write {}", svg.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Cmd::Job { job } => job::run(job).map(|()| ExitCode::SUCCESS),
    }
}

/// Prints a report.
fn print(dir: &Dir, report: Report) -> Result<ExitCode> {
    reports::print(&dir.dirs()?, &report).map(|()| ExitCode::SUCCESS)
}

/// Prints a line.
fn say(text: &str) -> Result<ExitCode> {
    reports::write(&format!("{text}\n")).map(|()| ExitCode::SUCCESS)
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
    given.map_or_else(reports::cores, usize::from)
}
