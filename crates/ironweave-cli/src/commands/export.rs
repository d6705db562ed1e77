//! `ironweave log export`: the log as JSON lines.

use std::fmt::Write as _;
use std::process::ExitCode;

use ironweave::raw_log::{RawContent, RawFrame};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::filter::Filter;
use super::records::{self, RecordLine};
use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::labels::Labels;
use crate::output::Output;
use crate::source;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    filter: Filter,
}

/// What `log import` needs of a frame.
#[derive(Serialize, Deserialize)]
pub struct FrameLine {
    pub version: u16,
    pub epoch: u32,
    /// In hexadecimal digits, as the payload is.
    pub fingerprint: String,
    pub payload: String,
}

#[derive(Serialize)]
struct SchemaLine {
    seq: u64,
    position: String,
    schema: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<FrameLine>,
}

#[derive(Serialize)]
struct TransactionLine {
    #[serde(flatten)]
    record: RecordLine,
    /// Whether it is a part of a migration.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    migration: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<FrameLine>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let log = source::log(&args.source)?;
    args.filter.check(&log)?;
    args.filter.check_beginning(&log)?;
    let is_whole = args.filter.is_empty();
    let mut out = Output::direct(show);
    let frames = log.frames(log.first())?;
    let mut labels = Labels::before(&frames);
    for frame in frames {
        let frame = frame?;
        let record = match frame.content() {
            RawContent::Transaction(record) | RawContent::Migration(record) => record,
            RawContent::Schema(schema) => {
                labels.begin(schema);
                if is_whole {
                    out.object(&SchemaLine {
                        seq: frame.seq().get(),
                        position: frame.position().to_string(),
                        schema: RawValue::from_string(schema.to_json())
                            .map_err(Failure::problem)?,
                        frame: Some(frame_line(&frame)),
                    })?;
                }
                continue;
            }
            _ => continue,
        };
        if args.filter.is_past(record) {
            break;
        }
        let wanted = args.filter.admits(record);
        let mut line = RecordLine::of(record);
        for fact in record.facts().iter().filter(|_| record.is_migration()) {
            labels.apply(&fact);
        }
        for firing in record.firings() {
            for fact in firing.facts() {
                labels.apply(&fact);
            }
            if wanted && args.filter.admits_firing(&firing, &labels) {
                line.firings.push(records::firing_line(&firing, &labels));
            }
        }
        if is_whole || !line.firings.is_empty() {
            let frame = is_whole.then(|| frame_line(&frame));
            out.object(&TransactionLine {
                migration: record.is_migration(),
                record: line,
                frame,
            })?;
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn frame_line(frame: &RawFrame) -> FrameLine {
    let mut payload = String::with_capacity(frame.payload().len() * 2);
    for byte in frame.payload() {
        let _ = write!(payload, "{byte:02x}");
    }
    FrameLine {
        version: frame.version(),
        epoch: frame.epoch(),
        fingerprint: format!("{:032x}", frame.fingerprint()),
        payload,
    }
}
