//! `ironweave log show`.

use std::collections::VecDeque;
use std::process::ExitCode;

use ironweave::Firing;
use ironweave::dynamic::Dynamic;
use ironweave::raw_log::{RawContent, RawFrame, RawFrames};

use super::filter::Filter;
use super::records::{self, RecordLine};
use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::labels::Labels;
use crate::output::Output;
use crate::progress::Progress;
use crate::source;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    filter: Filter,
    /// Only the last N transactions that the other filters admit
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    last: Option<usize>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let log = source::log(&args.source)?;
    args.filter.check(&log)?;
    args.filter.check_beginning(&log)?;
    let mut out = Output::paged(show);
    let frames = log.frames(log.first())?;
    let mut printer = Printer::new(&args.filter, args.last, &frames);
    let total = log.last().map_or(0, |last| last.get() + 1);
    let mut progress = Progress::of_frames("reading");
    for frame in frames {
        let frame = frame?;
        if frame
            .record()
            .is_some_and(|record| args.filter.is_past(record))
        {
            break;
        }
        if printer.shown == 0 {
            progress.set(frame.seq().get(), total);
        }
        printer.frame(&mut out, &frame)?;
    }
    drop(progress);
    printer.end(&mut out)?;
    let found = printer.shown > 0;
    out.finish()?;
    match found {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::Problem(
            "no transaction of the log is shown, because none passes the filters".into(),
        )),
    }
}

/// Prints the transactions that a filter admits.
pub struct Printer<'f> {
    filter: &'f Filter,
    /// The number of transactions that are kept until the end, and those.
    last: Option<usize>,
    kept: VecDeque<Vec<String>>,
    labels: Labels,
    /// The number of transactions that were printed or kept.
    pub shown: u64,
}

impl<'f> Printer<'f> {
    /// Prints all transactions, or only the last ones when [`Printer::end`] is called.
    /// `frames` are those that it will print.
    pub fn new(filter: &'f Filter, last: Option<usize>, frames: &RawFrames) -> Self {
        Self {
            filter,
            last,
            kept: VecDeque::new(),
            labels: Labels::before(frames),
            shown: 0,
        }
    }

    /// Prints a frame.
    pub fn frame(&mut self, out: &mut Output, frame: &RawFrame) -> Result {
        let record = match frame.content() {
            RawContent::Transaction(record) => record,
            RawContent::Schema(schema) => {
                self.labels.begin(schema);
                return Ok(());
            }
            RawContent::Migration(record) => {
                (record.facts().iter()).for_each(|fact| self.labels.apply(&fact));
                return Ok(());
            }
            _ => return Ok(()),
        };
        let wanted = self.filter.admits(record);
        let mut firings: Vec<Firing<'_, Dynamic>> = Vec::new();
        for firing in record.firings() {
            for fact in firing.facts() {
                self.labels.apply(&fact);
            }
            if wanted && self.filter.admits_firing(&firing, &self.labels) {
                firings.push(firing);
            }
        }
        if firings.is_empty() {
            return Ok(());
        }
        self.shown += 1;
        if self.last.is_some() {
            out.begin_capture();
        }
        if out.is_json() {
            let mut line = RecordLine::of(record);
            let lines = firings
                .iter()
                .map(|firing| records::firing_line(firing, &self.labels));
            line.firings = lines.collect();
            out.object(&line)?;
        } else {
            records::write(out, record, &firings, &self.labels)?;
        }
        if let Some(last) = self.last {
            self.kept.push_back(out.end_capture());
            if self.kept.len() > last {
                self.kept.pop_front();
            }
        }
        Ok(())
    }

    /// Prints the last transactions, and all later ones when they come.
    pub fn end(&mut self, out: &mut Output) -> Result {
        self.last = None;
        for line in self.kept.drain(..).flatten() {
            out.line(line)?;
        }
        Ok(())
    }
}
