//! `ironweave log tail`.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use super::filter::Filter;
use super::show::Printer;
use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::Output;
use crate::source;

/// How often a log is read again.
const INTERVAL: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    filter: Filter,
    /// Wait for further transactions, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The number of transactions that are printed first
    #[arg(
        short = 'n',
        long,
        allow_negative_numbers = true,
        value_name = "N",
        default_value_t = 10
    )]
    last: usize,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let log = source::log(&args.source)?;
    args.filter.check(&log)?;
    let mut out = Output::direct(show);
    let mut frames = log.frames(log.first())?;
    let mut printer = Printer::new(&args.filter, Some(args.last), &frames);
    loop {
        for frame in frames.by_ref() {
            let frame = frame?;
            if (frame.record()).is_some_and(|record| args.filter.is_past(record)) {
                printer.end(&mut out)?;
                out.finish()?;
                return Ok(ExitCode::SUCCESS);
            }
            printer.frame(&mut out, &frame)?;
        }
        printer.end(&mut out)?;
        if !args.follow {
            break;
        }
        out.flush()?;
        thread::sleep(INTERVAL);
        frames.refresh()?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
