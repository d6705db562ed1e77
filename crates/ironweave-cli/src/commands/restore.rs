//! `ironweave log restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use ironweave::raw_log;
use ironweave::{Seq, Timestamp};

use crate::cli::{Show, Source};
use crate::commands::backup::CopiedLine;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::Output;
use crate::progress::Progress;
use crate::source;
use crate::when::When;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The directory of the new store, which must be empty if it exists
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::DirPath)]
    target: PathBuf,
    /// The last frame, or the time of the last transaction [default: the whole log]
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    to: Option<When>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let until = match args.to {
        None => None,
        Some(When::Seq(seq)) => Some(seq),
        Some(When::Time(time)) => Some(last_until(args, time)?),
    };
    let mut progress = Progress::of_bytes("copying");
    let mut is_begun = false;
    let log = source::log(&args.source)?;
    let copied = log
        .restore(&args.target, until, |done, total| {
            // Before the first call, the directory may be that of another command.
            if !std::mem::replace(&mut is_begun, true)
                && let Ok(unfinished) = raw_log::unfinished(&args.target)
            {
                interrupt::removes(unfinished);
            }
            progress.set(done, total);
        })
        .map_err(|e| source::copy_failed(&args.source.store, e))?;
    drop(progress);
    let mut out = Output::direct(show);
    if out.is_json() {
        out.object(&CopiedLine::from(&copied))?;
    } else {
        let until = copied.last.map_or("an empty log".into(), |last| {
            format!("frames {} to {}", log.first(), last.seq())
        });
        let target = args.target.display();
        out.line(format_args!(
            "ok: {until} in {target}, which begins a new timeline"
        ))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the last frame that is not after a time.
fn last_until(args: &Args, time: Timestamp) -> Result<Seq> {
    let log = source::log(&args.source)?;
    let (mut last, mut first_time) = (None, None);
    for frame in log.frames(log.first())? {
        let frame = frame?;
        if let Some(record) = frame.record() {
            first_time = first_time.or(Some(record.time()));
            if record.time() > time {
                break;
            }
        }
        last = Some(frame.seq());
    }
    match (first_time, last) {
        (Some(first), Some(last)) if first <= time => Ok(last),
        (Some(first), _) => Err(Failure::Usage(format!(
            "the log has no transaction at or before {time}; the first one was at {first}"
        ))),
        (None, _) => Err(Failure::Usage("the log has no transactions".into())),
    }
}
