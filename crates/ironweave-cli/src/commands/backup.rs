//! `ironweave log backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use ironweave::raw_log;
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::Output;
use crate::output::count;
use crate::progress::Progress;
use crate::source;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The directory of the backup: a new one, an empty one, or one with an earlier backup of the store
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::DirPath)]
    target: PathBuf,
}

/// What a copy has done, as JSON.
#[derive(Serialize)]
pub struct CopiedLine {
    pub seq: Option<u64>,
    pub position: Option<String>,
    pub frames: u64,
    pub segments: u64,
    pub bytes: u64,
}

impl From<&raw_log::Copied> for CopiedLine {
    fn from(copied: &raw_log::Copied) -> Self {
        Self {
            seq: copied.last.map(|last| last.seq().get()),
            position: copied.last.map(|last| last.to_string()),
            frames: copied.frames,
            segments: copied.segments,
            bytes: copied.bytes,
        }
    }
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut progress = Progress::of_bytes("copying");
    let copied = source::log(&args.source)?
        .backup(&args.target, |done, total| {
            progress.set(done, total);
        })
        .map_err(|e| source::copy_failed(&args.source.store, e))?;
    drop(progress);
    let mut out = Output::direct(show);
    if out.is_json() {
        out.object(&CopiedLine::from(&copied))?;
    } else if copied.segments == 0 {
        out.line("ok: the backup is up to date")?;
    } else {
        let raw_log::Copied {
            frames,
            segments,
            bytes,
            ..
        } = &copied;
        let until = copied
            .last
            .map_or("empty".into(), |last| format!("up to frame {}", last.seq()));
        out.line(format_args!(
            "ok: {until}, {}, {} in {}, read back and compared",
            count(*frames, "new frame"),
            count(*bytes, "byte"),
            count(*segments, "segment"),
        ))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
