//! The output of commands: text with colours or lines of JSON, to a pager, a terminal or a pipe.

use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::process::{Child, Command, Stdio};

use anstream::AutoStream;
use anstyle::{AnsiColor, Color, Effects, Style};
use serde::Serialize;

use crate::cli::{ColorWhen, Show};
use crate::failure::{Failure, Result};
use crate::interrupt;

/// Where the output of a command goes, and in which form.
pub struct Output {
    sink: Sink,
    colors: bool,
    json: bool,
    full: bool,
    /// Lines that are collected instead of written.
    captured: Option<Vec<String>>,
}

enum Sink {
    Stdout(BufWriter<AutoStream<io::StdoutLock<'static>>>),
    /// They are dropped in this order: the end of the text, then the wait.
    Pager {
        input: BufWriter<std::process::ChildStdin>,
        _waited: Waited,
    },
}

/// A pager. Dropping it waits for the user to leave it, also after an error.
struct Waited(Child);

impl Drop for Waited {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy)]
pub enum Role {
    Seq,
    Time,
    Event,
    Immediate,
    Entity,
    Added,
    Removed,
    Title,
    Dim,
    Bad,
    Good,
}

impl Role {
    fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(Color::Ansi(color)));
        match self {
            Self::Seq => color(AnsiColor::Yellow),
            Self::Time | Self::Dim => Style::new().effects(Effects::DIMMED),
            Self::Event | Self::Title => Style::new().bold(),
            Self::Immediate => Style::new().italic(),
            Self::Entity => color(AnsiColor::Cyan),
            Self::Added | Self::Good => color(AnsiColor::Green),
            Self::Removed | Self::Bad => color(AnsiColor::Red),
        }
    }
}

/// A text in the colour of its role.
pub struct Painted<T> {
    text: T,
    style: Option<Style>,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => {
                write!(f, "{style}")?;
                self.text.fmt(f)?;
                write!(f, "{style:#}")
            }
            None => self.text.fmt(f),
        }
    }
}

/// A value as JSON, on one line.
pub fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Failure::Problem(format!("a value cannot be written as JSON: {e}")))
}

impl Output {
    /// Output of a command whose text may be longer than the terminal.
    pub fn paged(show: &Show) -> Self {
        let mut output = Self::direct(show);
        if !show.json
            && !show.no_pager
            && io::stdout().is_terminal()
            && let Some((child, stdin)) = pager()
        {
            interrupt::leave_to_pager();
            output.sink = Sink::Pager {
                input: BufWriter::new(stdin),
                _waited: Waited(child),
            };
        }
        output
    }

    /// Output to stdout.
    pub fn direct(show: &Show) -> Self {
        let stdout = io::stdout();
        let choice = match show.color {
            ColorWhen::Always => anstream::ColorChoice::Always,
            ColorWhen::Never => anstream::ColorChoice::Never,
            ColorWhen::Auto => AutoStream::choice(&stdout),
        };
        Self {
            colors: choice != anstream::ColorChoice::Never && !show.json,
            sink: Sink::Stdout(BufWriter::new(AutoStream::new(stdout.lock(), choice))),
            json: show.json,
            full: show.full,
            captured: None,
        }
    }

    /// Whether the output is lines of JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether long lists and values are shown in full.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Returns a text in the colour of its role.
    pub fn paint<T: Display>(&self, role: Role, text: T) -> Painted<T> {
        Painted {
            text,
            style: self.colors.then(|| role.style()),
        }
    }

    /// Writes a line of text.
    pub fn line(&mut self, text: impl Display) -> Result {
        if let Some(lines) = &mut self.captured {
            lines.push(text.to_string());
            return Ok(());
        }
        writeln!(self.writer(), "{text}").map_err(|e| Failure::output(&e))
    }

    /// From now on, lines are collected instead of written.
    pub fn begin_capture(&mut self) {
        self.captured = Some(Vec::new());
    }

    /// Returns the lines that were collected, and writes further ones.
    pub fn end_capture(&mut self) -> Vec<String> {
        self.captured.take().unwrap_or_default()
    }

    /// Writes a line of JSON.
    pub fn object(&mut self, value: &impl Serialize) -> Result {
        self.line(json(value)?)
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> Result {
        self.writer().flush().map_err(|e| Failure::output(&e))
    }

    /// Ends the output, and waits for the user to leave the pager.
    pub fn finish(mut self) -> Result {
        self.flush()
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.sink {
            Sink::Stdout(out) => out,
            Sink::Pager { input, .. } => input,
        }
    }
}

/// Returns a number of things: `1 segment`, `2 segments`.
pub fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Starts the pager of the user: `PAGER`, or `less`. An empty `PAGER` is none.
fn pager() -> Option<(Child, std::process::ChildStdin)> {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".into());
    let mut words = pager.split_whitespace();
    let first = words.next()?;
    let mut command = match pager.contains(['"', '\'', '$', '\\', '|', ';', '&', '>', '<']) {
        // It is a command for a shell. A name without these is not, so that a program that does not exist is no pager.
        true if cfg!(unix) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &pager]);
            shell
        }
        _ => {
            let mut command = Command::new(first);
            command.args(words);
            command
        }
    };
    command.stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Leaves a short text on the terminal, and shows colours.
        command.env("LESS", "FRX");
    }
    let mut child = command.spawn().ok()?;
    let stdin = child.stdin.take()?;
    Some((child, stdin))
}
