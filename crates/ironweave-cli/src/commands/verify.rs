//! `ironweave log verify`.

use std::process::ExitCode;

use ironweave::raw_log::{RawContent, RawLog};
use ironweave::{OpenError, StorageError};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::{Output, Role};
use crate::progress::Progress;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// The result as JSON.
#[derive(Default, Serialize)]
struct Verified {
    ok: bool,
    frames: u64,
    facts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

/// A problem of the log.
enum Problem {
    Storage(StorageError),
    Open(OpenError),
    /// The graph does not agree with its indexes.
    Inconsistent(String),
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut verified = Verified::default();
    let mut out = Output::direct(show);
    let problem = verify(args, &mut out, &mut verified)?;
    verified.ok = problem.is_none();
    if let Some(problem) = &problem {
        verified.error = Some(match problem {
            Problem::Storage(e) => e.to_string(),
            Problem::Open(e) => e.to_string(),
            Problem::Inconsistent(text) => text.clone(),
        });
        let storage = match problem {
            Problem::Storage(e) => Some(e),
            Problem::Open(e) => e.storage(),
            Problem::Inconsistent(_) => None,
        };
        verified.file = storage.and_then(|e| Some(e.segment()?.display().to_string()));
        verified.offset = storage.and_then(StorageError::offset);
        verified.seq = storage.and_then(|e| Some(e.seq()?.get()));
    }
    let Verified { frames, facts, .. } = verified;
    match (out.is_json(), &verified.error) {
        (true, _) => out.object(&verified)?,
        (false, None) => {
            let ok = out.paint(Role::Good, "ok").to_string();
            out.line(format_args!("{ok}: {frames} frames, {facts} facts"))?;
        }
        (false, Some(error)) => {
            let bad = out.paint(Role::Bad, "bad").to_string();
            out.line(format_args!("{bad}: {error}"))?;
        }
    }
    out.finish()?;
    Ok(ExitCode::from(u8::from(!verified.ok)))
}

/// Checks the log, and returns its first problem.
fn verify(args: &Args, out: &mut Output, verified: &mut Verified) -> Result<Option<Problem>> {
    let store = &args.source.store;
    let log = match RawLog::open(store) {
        Ok(log) => log,
        // There is no log.
        Err(e) if e.is_not_found() => return Err(e.into()),
        Err(e) => return Ok(Some(Problem::Storage(e))),
    };
    let last = log.last();
    let total = last.map_or(0, |last| last.get() + 1);
    if !out.is_json() {
        let segments = log.segments().len();
        out.line(format_args!(
            "checksums and order: {total} frames in {segments} segments"
        ))?;
        out.flush()?;
    }
    let mut progress = Progress::of_frames("decoding");
    let frames = match log.frames(0) {
        Ok(frames) => frames,
        Err(e) => return Ok(Some(Problem::Storage(e))),
    };
    for frame in frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(e) => return Ok(Some(Problem::Storage(e))),
        };
        progress.set(frame.seq().get(), total);
        verified.frames += 1;
        if let RawContent::Transaction(record) = frame.content() {
            verified.facts += record.facts().len() as u64;
        }
    }
    drop(progress);
    if last.is_none() {
        return Ok(None);
    }
    // The replay compares the fingerprint of the graph after each frame.
    let graph = match ironweave::Store::<ironweave::dynamic::Dynamic>::open_read_only(store) {
        Ok(graph) => graph,
        Err(e) => return Ok(Some(Problem::Open(e))),
    };
    let wrong = graph.check();
    if let Some(first) = wrong.first() {
        let text = format!("{first} ({} inconsistencies)", wrong.len());
        return Ok(Some(Problem::Inconsistent(text)));
    }
    if !out.is_json() {
        let print = graph.fingerprint();
        out.line(format_args!(
            "facts: replayed, the fingerprint of each frame agrees; the last is {print:032x}"
        ))?;
    }
    Ok(None)
}
