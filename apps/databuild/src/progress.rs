//! The display of progress on stderr: bars on a terminal, and plain lines elsewhere.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::text::in_words;

/// Displays progress.
pub struct Progress {
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    live: ProgressBar,
    running: HashMap<String, ProgressBar>,
}

impl Progress {
    /// Uses bars if stderr is a terminal.
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bars: None };
        }
        let all = MultiProgress::new();
        let live = all.add(ProgressBar::new(0));
        // The template is constant and valid; otherwise the default style would be used.
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {pos}/{len} partitions live, {elapsed}")
        {
            live.set_style(style);
        }
        live.enable_steady_tick(Duration::from_millis(200));
        Self {
            bars: Some(Bars {
                all,
                live,
                running: HashMap::new(),
            }),
        }
    }

    /// Shows that a run has started.
    pub fn started(&mut self, partition: &str, pid: u32) {
        let Some(bars) = &mut self.bars else {
            return self.note(format_args!("started  {partition} (pid {pid})"));
        };
        let bar = bars.all.add(ProgressBar::new_spinner());
        bar.set_message(format!("{partition} (pid {pid})"));
        bar.enable_steady_tick(Duration::from_millis(100));
        bars.running.insert(partition.to_owned(), bar);
    }

    /// Shows that a run has ended. Failures stay on the screen.
    pub fn ended(&mut self, partition: &str, how: Ending) {
        if let Some(bars) = &mut self.bars {
            if let Some(bar) = bars.running.remove(partition) {
                bar.finish_and_clear();
                bars.all.remove(&bar);
            }
            if matches!(
                how,
                Ending::Live | Ending::Missed(_) | Ending::Checked(_) | Ending::Kept
            ) {
                return;
            }
        }
        match how {
            Ending::Live => self.note(format_args!("live     {partition}")),
            Ending::Missed(1) => {
                self.note(format_args!("waits    {partition} (missed 1 partition)"))
            }
            Ending::Missed(n) => {
                self.note(format_args!("waits    {partition} (missed {n} partitions)"))
            }
            Ending::Checked(1) => {
                self.note(format_args!("waits    {partition} (1 partition before)"))
            }
            Ending::Checked(n) => {
                self.note(format_args!("waits    {partition} ({n} partitions before)"))
            }
            Ending::Kept => self.note(format_args!("kept     {partition}")),
            Ending::Failed => self.note(format_args!("failed   {partition}")),
            Ending::Repeats { attempt, of, wait } => self.note(format_args!(
                "failed   {partition} (attempt {attempt} of {of}, the next one in {})",
                in_words(wait)
            )),
            Ending::Canceled => self.note(format_args!("canceled {partition}")),
        }
    }

    /// Shows how many of the known partitions are live.
    pub fn live(&mut self, live: usize, known: usize) {
        if let Some(bars) = &self.bars {
            bars.live.set_length(known as u64);
            bars.live.set_position(live as u64);
        }
    }

    /// Prints a line that stays on the screen.
    pub fn note(&self, line: impl Display) {
        match &self.bars {
            // Errors are ignored, because progress is not essential.
            Some(bars) => drop(bars.all.println(line.to_string())),
            // One call of the system for the whole line.
            None => drop(std::io::stderr().write_all(format!("{line}\n").as_bytes())),
        }
    }

    /// Removes the bars.
    pub fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            drop(bars.all.clear());
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The result of a run, for the display.
pub enum Ending {
    /// Its partition is live.
    Live,
    /// It missed this number of partitions.
    Missed(usize),
    /// It is stale, and this number of partitions that it was made from are built before.
    Checked(usize),
    /// It is live again without a run.
    Kept,
    /// It failed.
    Failed,
    /// It failed, and its job is run again after a time.
    Repeats {
        /// How often the job was run.
        attempt: u32,
        /// How often it is run at most.
        of: u32,
        /// The time.
        wait: Duration,
    },
    /// No open want needed its partition any more.
    Canceled,
}
