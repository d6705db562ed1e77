//! `databuild run` where a daemon serves the directory: the want is left to the daemon, and its progress is printed until it ends.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::dirs::Dirs;
use crate::engine::TICK;
use crate::progress::Progress;
use crate::serve::client::Client;
use crate::signals::Signals;
use crate::summary::{self, Counts};
use crate::text::{few, in_words, one_line};

/// What is wanted of a daemon.
pub struct Following<'a> {
    /// The names.
    pub refs: &'a [String],
    /// Whether the want is canceled when one of its runs fails.
    pub fail_fast: bool,
    /// After which time the want expires.
    pub deadline: Option<Duration>,
    /// After which time it is late.
    pub sla: Option<Duration>,
    /// Wants with a higher priority are served first.
    pub priority: i32,
    /// What the partitions are for.
    pub comment: &'a str,
}

/// Why a want was canceled.
enum Cut {
    Signal(i32),
    Failure,
}

impl Following<'_> {
    /// Wants partitions, and prints what happens to them until the want ends. Ctrl-C and a failure with `fail_fast` cancel
    /// the want, and nothing else. The daemon lets it expire at its deadline.
    ///
    /// # Errors
    /// If the daemon refuses the want, or ends.
    pub fn follow(&self, client: &Client, dirs: &Dirs) -> Result<ExitCode> {
        let began = Instant::now();
        let signals = Signals::listen()?;
        let want = client.send(
            "POST",
            "/api/wants",
            Some(&json!({
                "refs": self.refs,
                "priority": self.priority,
                "comment": self.comment,
                "deadline_seconds": self.deadline.map(|time| time.as_secs_f64()),
                "sla_seconds": self.sla.map(|time| time.as_secs_f64()),
            })),
        )?;
        let id = want["id"].as_str().context("the daemon names no want")?;
        let seq = want["seq"].as_u64().context("the daemon names no step")?;
        let left_out: Vec<&str> = strings(&want["left_out"]);
        let events = client.events(id, seq)?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || events.for_each(|event| drop(sender.send(event))));
        let mut seen = Seen::new(id, want["open"] == false);
        let cut = loop {
            if seen.ended {
                break None;
            }
            if let Some(signal) = signals.received() {
                break Some(Cut::Signal(signal));
            }
            if self.fail_fast && seen.failed {
                break Some(Cut::Failure);
            }
            match receiver.recv_timeout(TICK) {
                Ok(event) => seen.event(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!(
                    "the daemon ended before the want did: it goes on when a daemon is started in {} again",
                    dirs.shown().display()
                ),
            }
        };
        seen.progress.finish();
        if cut.is_some() {
            // It may have ended in the meantime.
            drop(client.send("DELETE", &format!("/api/wants/{id}"), None));
        }
        match cut {
            Some(Cut::Signal(signal)) => {
                eprintln!("databuild: interrupted; the want was canceled");
                return Ok(u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from));
            }
            Some(Cut::Failure) | None => {}
        }
        let want = client.send("GET", &format!("/api/wants/{id}"), None)?;
        if want["state"] == "Expired" {
            let time = self.deadline.map_or_else(String::new, in_words);
            eprintln!("databuild: not everything was built within {time}; the rest was canceled");
        }
        let done = want["state"] == "Successful" && left_out.is_empty();
        if !done {
            print_errors(&want, &left_out);
        }
        let live = want["progress"]["Live"].as_u64().unwrap_or_default();
        let live = usize::try_from(live).unwrap_or(usize::MAX);
        let results: Vec<_> = strings(&want["partitions"]["items"])
            .into_iter()
            .map(|name| ("data", dirs.partition_shown(name)))
            .collect();
        let counts = Counts {
            built: seen.built.len(),
            reused: live.saturating_sub(seen.built.len()),
        };
        summary::print_counts(dirs, done.then_some(&results), counts, began.elapsed())?;
        Ok(match done {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// What has been seen of a want.
struct Seen<'a> {
    id: &'a str,
    ended: bool,
    failed: bool,
    built: BTreeSet<String>,
    progress: Progress,
}

impl<'a> Seen<'a> {
    fn new(id: &'a str, ended: bool) -> Self {
        Self {
            id,
            ended,
            failed: false,
            built: BTreeSet::new(),
            progress: Progress::new(),
        }
    }

    fn event(&mut self, event: &Value) {
        let changes = event["changes"]["items"].as_array();
        for change in changes.into_iter().flatten() {
            let text = |field: &str| change[field].as_str().unwrap_or_default();
            match text("type") {
                "Want" if text("id") == self.id => {
                    let open = ["New", "Idle", "Building", "UpstreamBuilding"];
                    self.ended |= !open.contains(&text("to"));
                }
                "Partition" => self.partition(text("name"), text("from"), text("to")),
                _ => {}
            }
        }
    }

    fn partition(&mut self, name: &str, from: &str, to: &str) {
        let what = match (from, to) {
            (_, "Building") => "started",
            ("Stale", "Live") => "kept",
            (_, "Live") => {
                self.built.insert(name.to_owned());
                "live"
            }
            (_, "UpstreamBuilding" | "Checking") => "waits",
            ("Building", "Failed" | "Backoff") => {
                self.failed |= to == "Failed";
                "failed"
            }
            ("Building", "UpForRetry") => "canceled",
            _ => return,
        };
        self.progress
            .note(format_args!("{what:<8} {}", one_line(name)));
    }
}

/// Prints why a want has not succeeded.
fn print_errors(want: &Value, left_out: &[&str]) {
    let mut out = String::new();
    for failed in items(&want["failed"]) {
        let name = failed["name"].as_str().unwrap_or_default();
        out += &format!("\n{name} failed:\n");
        for line in failed["reason"].as_str().unwrap_or_default().lines() {
            out += &format!("    {}\n", one_line(line));
        }
    }
    for blocked in items(&want["blocked"]) {
        let name = blocked["name"].as_str().unwrap_or_default();
        let by = few(strings(&blocked["by"]["items"]));
        out += &format!("\n{name} is blocked by {by}\n");
    }
    if !left_out.is_empty() {
        let names = few(left_out);
        out +=
            &format!("\nnot known to be up to date, because a `digest` command failed: {names}\n");
    }
    let names = few(strings(&want["partitions"]["items"]));
    let state = want["state"].as_str().unwrap_or_default();
    out += &format!("\ndatabuild: the want for {names} is {state}\n");
    // A closed stderr is not an error.
    drop(std::io::stderr().write_all(out.as_bytes()));
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
