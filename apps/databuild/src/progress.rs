//! What a person sees while databuild works: bars on a terminal, plain lines elsewhere, both on stderr.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows what is going on.
pub struct Progress {
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    live: ProgressBar,
    running: HashMap<String, ProgressBar>,
}

impl Progress {
    /// As fits stderr.
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bars: None };
        }
        let all = MultiProgress::new();
        let live = all.add(ProgressBar::new(0));
        // The templates are constant; were one wrong, the default style would do.
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

    /// A run has started.
    pub fn started(&mut self, partition: &str, pid: u32) {
        let Some(bars) = &mut self.bars else {
            return self.note(format_args!("started  {partition} (pid {pid})"));
        };
        let bar = bars.all.add(ProgressBar::new_spinner());
        bar.set_message(format!("{partition} (pid {pid})"));
        bar.enable_steady_tick(Duration::from_millis(100));
        bars.running.insert(partition.to_owned(), bar);
    }

    /// A run has ended. What went wrong stays on the screen.
    pub fn ended(&mut self, partition: &str, how: Ending) {
        if let Some(bars) = &mut self.bars {
            if let Some(bar) = bars.running.remove(partition) {
                bar.finish_and_clear();
                bars.all.remove(&bar);
            }
            if !matches!(how, Ending::Failed) {
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
            Ending::Failed => self.note(format_args!("failed   {partition}")),
        }
    }

    /// How many of the known partitions are live.
    pub fn live(&mut self, live: usize, known: usize) {
        if let Some(bars) = &self.bars {
            bars.live.set_length(known as u64);
            bars.live.set_position(live as u64);
        }
    }

    /// A line to stay.
    pub fn note(&self, line: impl Display) {
        match &self.bars {
            // A lost line of progress is no reason to stop.
            Some(bars) => drop(bars.all.println(line.to_string())),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Takes the bars away.
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

/// How a run ended, for the screen.
pub enum Ending {
    /// Its partition is live.
    Live,
    /// It missed so many partitions.
    Missed(usize),
    /// It failed.
    Failed,
}
