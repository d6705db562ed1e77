//! `ironweave log archive`.

use std::path::PathBuf;
use std::process::ExitCode;

use ironweave::{AsOf, Retained, Retention, RetentionPlan};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::{Output, count};
use crate::progress::Progress;
use crate::when::When;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The directory that compressed segments are moved to, which is for this store only
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, required_unless_present = "drop_frames")]
    to: Option<PathBuf>,
    /// Take only segments all of whose frames are before this one, or before this time
    #[arg(long, value_name = "SEQ|TIME")]
    before: Option<When>,
    /// Delete the frames instead
    #[arg(long = "drop", conflicts_with = "to")]
    drop_frames: bool,
    /// Delete the frames that --drop would otherwise only print
    #[arg(long, requires = "drop_frames", conflicts_with = "to")]
    yes: bool,
    /// Only print what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// What is done or would be done, as JSON.
#[derive(Serialize)]
struct PlanLine {
    /// Whether it was done.
    done: bool,
    drop: bool,
    first: Option<u64>,
    /// The first frame that is left.
    until: Option<u64>,
    frames: u64,
    segments: usize,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_time: Option<String>,
    /// The first frame after which the graph can be built, if the frames are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_from: Option<u64>,
    /// The subscriptions that cannot continue, if the frames are dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stopped_subscriptions: Vec<String>,
    files: Vec<String>,
}

impl PlanLine {
    fn of(plan: &RetentionPlan, drop: bool) -> Self {
        let times = plan.times();
        let stopped = plan.stopped_subscriptions().filter(|_| drop);
        Self {
            done: false,
            drop,
            first: plan.first().map(ironweave::Seq::get),
            until: plan.until().map(ironweave::Seq::get),
            frames: plan.frames(),
            segments: plan.files().len(),
            bytes: plan.bytes(),
            archived_bytes: None,
            from_time: times.map(|(from, _)| from.to_string()),
            until_time: times.map(|(_, until)| until.to_string()),
            as_of_from: plan.oldest_graph().map(|(seq, _)| seq.get()),
            stopped_subscriptions: stopped.map(|(name, _)| name.to_owned()).collect(),
            files: plan
                .files()
                .map(|file| file.display().to_string())
                .collect(),
        }
    }
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut retention = Retention::of(&args.source.store);
    if let Some(archives) = &args.source.archives {
        retention = retention.archives(archives);
    }
    if let Some(before) = args.before {
        retention = retention.before(AsOf::from(before));
    }
    let plan = match &args.to {
        Some(to) => retention.archive(to)?,
        None => retention.drop_frames()?,
    };
    let mut line = PlanLine::of(&plan, args.drop_frames);
    let text = plan.to_string();
    let is_executed = match args.drop_frames {
        true => args.yes,
        false => !args.dry_run,
    };
    let (is_empty, is_executed) = (plan.is_empty(), is_executed && !plan.is_empty());
    let mut out = Output::direct(show);
    if !out.is_json() {
        out.line(text)?;
        out.flush()?;
    }
    if is_executed {
        let mut progress = Progress::of_bytes("archiving");
        let retained = plan.execute(|done, total| progress.set(done, total))?;
        drop(progress);
        line.done = true;
        line.archived_bytes = (!args.drop_frames).then_some(retained.archived_bytes);
        if !out.is_json() {
            out.line(done_text(&retained, args.drop_frames))?;
        }
    } else if !is_empty && !out.is_json() {
        out.line(match args.drop_frames && !args.dry_run {
            true => "nothing was changed; to delete these frames, repeat the command with --yes",
            false => "nothing was changed",
        })?;
    }
    if out.is_json() {
        out.object(&line)?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn done_text(retained: &Retained, drop: bool) -> String {
    let Retained {
        frames,
        segments,
        bytes,
        archived_bytes,
        ..
    } = retained;
    match drop {
        true => format!(
            "ok: dropped {} in {}, {bytes} bytes",
            count(*frames, "frame"),
            count(*segments, "segment")
        ),
        false => format!(
            "ok: archived {} in {}, {bytes} bytes as {archived_bytes}, read back and compared",
            count(*frames, "frame"),
            count(*segments, "segment")
        ),
    }
}
