//! `ironweave log verify`.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::ExitCode;

use ironweave::raw_log::RawLog;
use ironweave::{OpenError, Seq, StorageError, VerifyError};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::{Output, Role, count};
use crate::progress::Progress;
use crate::source;

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
            Problem::Open(e) => e.to_string(),
            Problem::Inconsistent(text) => text.clone(),
        });
        let storage = match problem {
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

/// Returns the problem of a log, or the failure if the log could not be read, and so it is not known whether it has one.
fn problem(store: &Path, e: impl Into<OpenError>) -> Result<Option<Problem>> {
    let e = e.into();
    let is_unread = |e: &StorageError| {
        let is_elsewhere = e.is_not_found() || e.is_archived();
        is_elsewhere || e.is_io() || e.is_version() || e.is_replaced()
    };
    match e.storage().is_some_and(is_unread) {
        true => Err(source::unopened(store, e)),
        false => Ok(Some(Problem::Open(e))),
    }
}

/// Returns the number of bytes after the last frame, without the spare space at the end of a segment, which is zeros.
fn tail_bytes(log: &RawLog, store: &Path) -> Option<u64> {
    let (first, bytes) = *log.segments().last()?;
    let mut file = File::open(store.join(format!("{:020}.log", first.get()))).ok()?;
    file.seek(SeekFrom::Start(bytes)).ok()?;
    let (mut read, mut used, mut buffer) = (0, 0, vec![0; 1 << 16]);
    loop {
        let n = file.read(&mut buffer).ok().filter(|n| *n > 0);
        let Some(n) = n else {
            return (used > 0).then_some(used);
        };
        let last = buffer.iter().take(n).rposition(|byte| *byte != 0);
        used = last.map_or(used, |last| read + last as u64 + 1);
        read += n as u64;
    }
}

/// Checks the log, and returns its first problem.
fn verify(args: &Args, out: &mut Output, verified: &mut Verified) -> Result<Option<Problem>> {
    let Source { store, archives } = &args.source;
    let log = match RawLog::open_with_archives(store, archives.as_ref()) {
        Ok(log) => log,
        Err(e) => return problem(store, e),
    };
    let first = log.first();
    let last = log.last();
    let end = last.map_or(0, |last| last.get() + 1);
    let total = end - first.get();
    if !out.is_json() {
        let (frames, segments) = (
            count(total, "frame"),
            count(log.segments().len() as u64, "segment"),
        );
        out.line(format_args!("checksums and order: {frames} in {segments}"))?;
        out.flush()?;
    }
    if !out.is_json()
        && let Some(rest) = tail_bytes(&log, store)
    {
        out.line(format_args!(
            "tail: {} after the last frame, which a writer is writing, or left when it was killed; opening the store for \
             writing moves them to another file",
            count(rest, "byte")
        ))?;
    }
    let mut progress = Progress::of_frames("decoding");
    let frames = match log.frames(first) {
        Ok(frames) => frames,
        Err(e) => return problem(store, e),
    };
    for frame in frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(e) => return problem(store, e),
        };
        progress.set(verified.frames, total);
        verified.frames += 1;
        if let Some(record) = frame.record() {
            verified.facts += record.facts().len() as u64;
        }
    }
    drop(progress);
    if last.is_none() {
        return Ok(None);
    }
    // The replay compares the fingerprint of the graph after each frame. A log with archives opens from a checkpoint, so it is replayed
    // once more, from its first frame or, if that was dropped, from its oldest checkpoint.
    let graph = match source::open(&args.source) {
        Ok(graph) => graph,
        Err(e) => return problem(store, e),
    };
    if graph.opened_from().checkpoint().is_some()
        && let Err(e) = graph.verify()
    {
        return match e {
            VerifyError::Storage(e) => problem(store, e),
            e => Ok(Some(Problem::Inconsistent(e.to_string()))),
        };
    }
    let wrong = graph.check();
    if let Some(first) = wrong.first() {
        let text = format!("{first} ({} inconsistencies)", wrong.len());
        return Ok(Some(Problem::Inconsistent(text)));
    }
    if !out.is_json() {
        let print = graph.fingerprint();
        if first > Seq::ZERO {
            out.line(format_args!(
                "the frames before {first} were dropped: the replay begins at the oldest checkpoint"
            ))?;
        }
        out.line(format_args!(
            "facts: replayed, the fingerprint of each frame agrees; the last is {print:032x}"
        ))?;
    }
    Ok(None)
}
