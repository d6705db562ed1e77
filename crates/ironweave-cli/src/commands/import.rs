//! `ironweave log import`: a log from JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ironweave::raw_log::{self, RawWriter};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::export::FrameLine;
use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::Output;

#[derive(clap::Args)]
pub struct Args {
    /// The file with the lines, or `-` for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The directory of the new store, which must be empty if it exists
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::DirPath)]
    target: PathBuf,
}

#[derive(Deserialize)]
struct Line {
    seq: u64,
    schema: Option<IgnoredAny>,
    #[serde(default)]
    migration: bool,
    frame: Option<FrameLine>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let lines = open(&args.file)?;
    let mut writer = RawWriter::create(&args.target)?;
    if let Ok(unfinished) = raw_log::unfinished(&args.target) {
        interrupt::removes(unfinished);
    }
    for (i, line) in lines.split(b'\n').enumerate() {
        let line = line.map_err(|e| unreadable(&args.file, &e))?;
        append(&mut writer, &line)
            .map_err(|e| Failure::Problem(format!("{}, line {}: {e}", shown(&args.file), i + 1)))?;
    }
    let frames = writer.next_seq().get();
    if frames == 0 {
        return Err(Failure::Problem(format!(
            "{} has no frames; write it with `ironweave log export STORE`, without filters",
            shown(&args.file)
        )));
    }
    let fingerprint = writer.finish()?;
    let mut out = Output::direct(show);
    match out.is_json() {
        true => out.object(&serde_json::json!({
            "ok": true, "frames": frames, "fingerprint": format!("{fingerprint:032x}"),
        }))?,
        false => out.line(format_args!(
            "ok: {frames} frames, fingerprint {fingerprint:032x}"
        ))?,
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|e| unreadable(file, &e))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn unreadable(file: &Path, e: &io::Error) -> Failure {
    Failure::Problem(format!(
        "cannot read {}: {e}; name a file that `ironweave log export` wrote, or `-`",
        shown(file)
    ))
}

fn shown(file: &Path) -> String {
    match file == Path::new("-") {
        true => "standard input".to_owned(),
        false => file.display().to_string(),
    }
}

/// Appends the frame of a line. The error says what is wrong with the line.
fn append(writer: &mut RawWriter, line: &[u8]) -> Result<(), String> {
    let line: Line = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(e) => {
            let column = e.column();
            let what = match e.is_eof() {
                true => "it ends",
                false => "it is invalid",
            };
            return Err(format!(
                "it is not a line of `ironweave log export STORE`: {what} at column {column}; export the log again"
            ));
        }
    };
    let frame = (line.frame).ok_or("it has no `frame`; only an export without filters has it")?;
    let due = writer.next_seq();
    if due != line.seq {
        return Err(format!("it is frame {}, and frame {due} is due", line.seq));
    }
    if frame.version != RawWriter::VERSION {
        return Err(format!(
            "it is of format version {}, and only frames of version {} can be written; `ironweave log backup` copies logs \
             of every version",
            frame.version,
            RawWriter::VERSION
        ));
    }
    let fingerprint = u128::from_str_radix(&frame.fingerprint, 16).map_err(|e| e.to_string())?;
    let payload = bytes(&frame.payload).ok_or("its payload is not in hexadecimal digits")?;
    let appended = match line.schema {
        Some(_) => writer.append_schema(frame.epoch, fingerprint, &payload),
        None if line.migration => writer.append_migration(frame.epoch, fingerprint, &payload),
        None => writer.append_transaction(frame.epoch, fingerprint, &payload),
    };
    appended.map_err(|e| e.to_string())
}

/// Returns the bytes of a text in hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let (pairs, []) = digits.as_ref()?.as_chunks::<2>() else {
        return None;
    };
    Some(
        pairs
            .iter()
            .map(|[high, low]| (high * 16 + low) as u8)
            .collect(),
    )
}
