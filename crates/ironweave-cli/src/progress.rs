//! A progress bar on stderr, if stderr is a terminal and the work takes longer than a moment.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::interrupt;

/// The time after which the bar appears.
const PATIENCE: Duration = Duration::from_millis(500);

/// The progress of one piece of work.
pub struct Progress {
    what: &'static str,
    unit: &'static str,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress in bytes.
    pub fn of_bytes(what: &'static str) -> Self {
        Self::new(what, "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left")
    }

    /// Progress in frames.
    pub fn of_frames(what: &'static str) -> Self {
        Self::new(
            what,
            "{msg} {bar:30} {human_pos} of {human_len} frames, {eta} left",
        )
    }

    /// Progress in markings of a net, of those that are known so far.
    pub fn of_markings(what: &'static str) -> Self {
        Self::new(what, "{msg} {human_pos} markings, {elapsed}")
    }

    fn new(what: &'static str, unit: &'static str) -> Self {
        Self {
            what,
            unit,
            began: Instant::now(),
            bar: None,
        }
    }

    /// Shows how much is done.
    pub fn set(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        if self.began.elapsed() < PATIENCE {
            return;
        }
        // It is hidden unless stderr is a terminal.
        let bar = ProgressBar::new(total).with_message(self.what);
        let style = ProgressStyle::with_template(self.unit);
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.set_position(done);
        interrupt::clears(Some(bar.clone()));
        self.bar = Some(bar);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            interrupt::clears(None);
            bar.finish_and_clear();
        }
    }
}
