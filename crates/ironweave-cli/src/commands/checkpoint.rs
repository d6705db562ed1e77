//! `ironweave log checkpoint`.

use std::process::ExitCode;

use ironweave::raw_log;
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::output::Output;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// A checkpoint as JSON.
#[derive(Serialize)]
struct CheckpointLine {
    seq: u64,
    file: String,
    bytes: u64,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let Source { store, archives } = &args.source;
    let written = raw_log::checkpoint(store, archives.as_ref()).map_err(|e| {
        match e.storage().is_some_and(ironweave::StorageError::is_locked) {
            true => Failure::Problem(format!(
                "{e}; a program that has a store open writes its checkpoints by itself, or with `Store::checkpoint`"
            )),
            false => e.into(),
        }
    })?;
    let mut out = Output::direct(show);
    let (seq, bytes) = (written.seq(), written.bytes());
    let file = written.path().display().to_string();
    if out.is_json() {
        out.object(&CheckpointLine {
            seq: seq.get(),
            file,
            bytes,
        })?;
    } else {
        out.line(format_args!(
            "ok: the graph after frame {seq}, {bytes} bytes in {file}"
        ))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
