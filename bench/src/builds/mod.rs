//! databuild beside make, ninja and Luigi: a pipeline of trivial jobs, each of which is a shell that writes one line.
//!
//! ```text
//! src/G  --copied-->  source/G  --a hundred of-->  part/G/I  --all of the group-->  total/G
//! ```
//!
//! | figure | what |
//! |---|---|
//! | `*_cold` | nothing is there |
//! | `*_noop` | everything is up to date |
//! | `*_changed` | one source has other bytes: a hundred and two jobs run |
//! | `want_one` | one `total` is wanted by databuild, which is up to date |
//! | `status`, `history`, `why` | questions to databuild about that store |
//! | `daemon_*` | the same commands while a daemon serves the store |
//!
//! All of them run two jobs at a time and the same commands. databuild records each run, and syncs what it made to the disk before it says so; the
//! others do neither. The parts of make and ninja are files in directories that exist beforehand. Luigi knows no changes of sources, and is left
//! out of large pipelines. A tool that is missing is installed (`tools.rs`), or left out with `--no-install`.
//!
//! No directory is removed before all tools have run: for minutes after that, ext4 finds free inodes more slowly.

mod daemon;
mod pipeline;
mod tools;

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::{Row, row};
use crate::rows::Scratch;
use crate::{Measured, Options};
use daemon::Daemon;
use pipeline::Pipeline;
use tools::{TOOLS, Tool};

/// With this variable, this program is databuild, which so needs no program of its own.
const AS_DATABUILD: &str = "IRONWEAVE_BENCH_AS_DATABUILD";
/// The sizes are numbers of parts.
const PARTS: &str = "parts";
/// A millisecond in nanoseconds.
const MS: f64 = 1e6;

/// Returns whether this process is a databuild that the bench has started.
pub fn is_databuild() -> bool {
    std::env::var_os(AS_DATABUILD).is_some()
}

/// What databuild is asked about a store that is up to date.
const ASKED: [&str; 8] = [
    "want_one",
    "status",
    "history",
    "why",
    "daemon_want_one",
    "daemon_status",
    "daemon_history",
    "daemon_why",
];

/// Measures all tools, which take turns.
pub fn run(options: &Options) -> Measured {
    let mut rows = Vec::new();
    for &parts in &options.entities {
        let takes_part = |tool: &&Tool| tool.takes_part(parts, options.no_install);
        let tools: Vec<&Tool> = TOOLS.iter().filter(takes_part).collect();
        let mut scratches = Vec::new();
        let mut times = vec![[const { Vec::new() }; 3]; tools.len()];
        let mut asked = [const { Vec::new() }; ASKED.len()];
        for _ in 0..options.samples {
            for (tool, times) in tools.iter().zip(&mut times) {
                let scratch = Scratch::new("builds")?;
                let pipeline = Pipeline::write(&scratch.0, parts)?;
                scratches.push(scratch);
                let build = || timed(&pipeline.dir, &mut (tool.command)(&pipeline)?);
                times[0].push(build()?);
                pipeline.check(tool.name)?;
                times[1].push(build()?);
                if tool.sees_changes {
                    pipeline.change()?;
                    times[2].push(build()?);
                    pipeline.check(tool.name)?;
                }
                if tool.name == "databuild" {
                    for (time, asked) in questions(&pipeline)?.into_iter().zip(&mut asked) {
                        asked.push(time);
                    }
                }
            }
        }
        for (tool, times) in tools.iter().zip(times) {
            let figures = tool.figures.into_iter().zip(times);
            let figures = figures.filter(|(_, times)| !times.is_empty());
            rows.extend(figures.map(|(name, times)| figure(name, parts, times)));
        }
        let names = ASKED.into_iter().zip(asked);
        rows.extend(names.map(|(name, times)| figure(name, parts, times)));
        print_ratios(&rows, parts);
    }
    Ok(rows)
}

/// Asks each of [`ASKED`], and returns the times.
fn questions(pipeline: &Pipeline) -> Result<Vec<f64>, Box<dyn Error>> {
    let (part, total) = (pipeline.part(), pipeline.total());
    let ask = |args: &[&str]| timed(&pipeline.dir, &mut databuild(pipeline, args)?);
    let mut asked = vec![ask(&["run", "--jobs", "jobs.toml", "want", &total])?];
    let questions: [&[&str]; 3] = [&["status"], &["history", &part], &["why", &part]];
    for question in questions {
        asked.push(ask(question)?);
    }
    let serve = ["serve", "--jobs", "jobs.toml", "--listen", "127.0.0.1:0"];
    let _daemon = Daemon::start(databuild(pipeline, &serve)?.current_dir(&pipeline.dir))?;
    asked.push(ask(&["run", "want", &total])?);
    for question in questions {
        asked.push(ask(question)?);
    }
    Ok(asked)
}

fn figure(name: &'static str, parts: usize, times: Vec<f64>) -> Row {
    row("builds", name, parts, times)
        .of(PARTS)
        .in_unit("ms", MS)
}

/// Prints the time of databuild as a multiple of the time of each other tool.
fn print_ratios(rows: &[Row], parts: usize) {
    let of = |name: &str| {
        let row = rows
            .iter()
            .find(|r| r.contender == name && r.entities == parts);
        row.map(|row| row.ns_per_op)
    };
    for tool in &TOOLS[1..] {
        for (ours, theirs) in TOOLS[0].figures.into_iter().zip(tool.figures) {
            if let (Some(a), Some(b)) = (of(ours), of(theirs)) {
                println!("{ours} takes {:.2} times as long as {theirs}", a / b);
            }
        }
    }
}

/// This program as databuild, in the directory of a pipeline.
fn databuild(pipeline: &Pipeline, args: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(AS_DATABUILD, "1").args(args);
    command.arg("--dir").arg(pipeline.dir.join("databuild"));
    Ok(command)
}

/// Runs a program in a directory, and returns the nanoseconds that it took.
fn timed(dir: &Path, command: &mut Command) -> Result<f64, Box<dyn Error>> {
    command.current_dir(dir).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let began = Instant::now();
    let output = command.output()?;
    let took = began.elapsed().as_nanos() as f64;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {stderr}").into());
    }
    Ok(took)
}
