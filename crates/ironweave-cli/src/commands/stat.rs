//! `ironweave log stat`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use ironweave::dynamic::Dynamic;
use ironweave::raw_log::{RawContent, RawLog};
use ironweave::{FactKind, Facts, Record, Timestamp};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::output::{Output, Role, count};
use crate::progress::Progress;
use crate::source;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// The log as a whole.
#[derive(Default, Serialize)]
struct Totals {
    stat: &'static str,
    store: String,
    segments: usize,
    bytes: u64,
    frames: u64,
    schemas: u64,
    transactions: u64,
    events: u64,
    facts: u64,
    first: Option<String>,
    last: Option<String>,
    /// Transactions in each second between the first and the last one.
    rate: Option<f64>,
    durable: Option<u64>,
    position: Option<String>,
}

#[derive(Default, Serialize)]
struct OfEvent {
    events: u64,
    facts: u64,
    /// The bytes of the frames whose first event it is.
    bytes: u64,
}

#[derive(Default, Serialize)]
struct OfType {
    created: u64,
    deleted: u64,
    moved: u64,
    set: u64,
    linked: u64,
    unlinked: u64,
}

#[derive(Serialize)]
struct Row<'a, T> {
    stat: &'static str,
    name: &'a str,
    #[serde(flatten)]
    counts: &'a T,
}

#[derive(Default)]
struct Counts {
    totals: Totals,
    events: BTreeMap<String, OfEvent>,
    types: BTreeMap<String, OfType>,
    times: Option<(Timestamp, Timestamp)>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let log = source::log(&args.source)?;
    let total = log.last().map_or(0, |last| last.get() + 1);
    let mut progress = Progress::of_frames("reading");
    let mut counts = Counts::default();
    for frame in log.frames(log.first())? {
        let frame = frame?;
        progress.set(frame.seq().get(), total);
        counts.totals.frames += 1;
        match frame.content() {
            RawContent::Transaction(record) => counts.add(record, frame.bytes()),
            RawContent::Migration(record) => counts.add_facts(record),
            _ => counts.totals.schemas += 1,
        }
    }
    drop(progress);
    counts.end(&log)?;
    let mut out = Output::paged(show);
    match out.is_json() {
        true => counts.write_json(&mut out)?,
        false => counts.write(&mut out)?,
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl Counts {
    fn add(&mut self, record: &Record<Dynamic>, bytes: u64) {
        self.totals.transactions += 1;
        let first = self.times.map_or(record.time(), |(first, _)| first);
        self.times = Some((first, record.time()));
        for (i, firing) in record.firings().enumerate() {
            let facts = firing.facts();
            self.totals.events += 1;
            self.totals.facts += facts.len() as u64;
            let event = entry(&mut self.events, firing.name());
            event.events += 1;
            event.facts += facts.len() as u64;
            event.bytes += if i == 0 { bytes } else { 0 };
            self.add_types(facts);
        }
    }

    /// Counts the facts of a migration, which belong to no event.
    fn add_facts(&mut self, record: &Record<Dynamic>) {
        self.totals.facts += record.facts().len() as u64;
        self.add_types(record.facts());
    }

    fn add_types(&mut self, facts: Facts<'_, Dynamic>) {
        for fact in facts {
            let of = entry(&mut self.types, fact.entity().type_name());
            match fact.kind() {
                FactKind::Create => of.created += 1,
                FactKind::Delete => of.deleted += 1,
                FactKind::Move => of.moved += 1,
                FactKind::Set | FactKind::SetLink => of.set += 1,
                FactKind::Link => of.linked += 1,
                FactKind::Unlink => of.unlinked += 1,
            }
        }
    }

    fn end(&mut self, log: &RawLog) -> Result {
        let segments = log.segments();
        let totals = &mut self.totals;
        totals.stat = "log";
        totals.store = format!("{:016x}", log.store());
        totals.segments = segments.len();
        totals.bytes = segments.iter().map(|(_, bytes)| bytes).sum();
        totals.durable = log.durable().map(ironweave::Seq::get);
        totals.position = log.position()?.map(|position| position.to_string());
        if let Some((first, last)) = self.times {
            totals.first = Some(first.to_string());
            totals.last = Some(last.to_string());
            let micros = last.as_micros().saturating_sub(first.as_micros());
            totals.rate = (micros > 0).then(|| totals.transactions as f64 * 1e6 / micros as f64);
        }
        Ok(())
    }

    fn write_json(&self, out: &mut Output) -> Result {
        out.object(&self.totals)?;
        for (name, counts) in &self.events {
            let stat = "event";
            out.object(&Row { stat, name, counts })?;
        }
        for (name, counts) in &self.types {
            let stat = "type";
            out.object(&Row { stat, name, counts })?;
        }
        Ok(())
    }

    fn write(&self, out: &mut Output) -> Result {
        let Totals {
            store,
            segments,
            bytes,
            frames,
            schemas,
            transactions,
            events,
            facts,
            ..
        } = &self.totals;
        out.line(format_args!(
            "store {store}: {} in {}",
            count(*bytes, "byte"),
            count(*segments as u64, "segment")
        ))?;
        out.line(format_args!(
            "{}: {}, {} with {} and {}",
            count(*frames, "frame"),
            count(*schemas, "schema"),
            count(*transactions, "transaction"),
            count(*events, "event"),
            count(*facts, "fact")
        ))?;
        if let (Some(first), Some(last)) = (&self.totals.first, &self.totals.last) {
            let rate = self
                .totals
                .rate
                .map(|rate| format!(", {rate:.2} transactions each second"));
            out.line(format_args!(
                "from {first} to {last}{}",
                rate.unwrap_or_default()
            ))?;
        }
        if !self.events.is_empty() {
            out.line("")?;
            let name = width(&self.events);
            title(
                out,
                format!(
                    "{:name$} {:>10} {:>10} {:>12}",
                    "event", "count", "facts", "bytes"
                ),
            )?;
        }
        let name = width(&self.events);
        for (event, of) in &self.events {
            out.line(format_args!(
                "{event:name$} {:>10} {:>10} {:>12}",
                of.events, of.facts, of.bytes
            ))?;
        }
        if self.types.is_empty() {
            return Ok(());
        }
        out.line("")?;
        let name = width(&self.types);
        let columns = ["created", "deleted", "moved", "set", "linked", "unlinked"];
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("{column:>10}"))
            .collect();
        title(out, format!("{:name$} {}", "type", columns.join(" ")))?;
        for (ty, of) in &self.types {
            let OfType {
                created,
                deleted,
                moved,
                set,
                linked,
                unlinked,
            } = of;
            out.line(format_args!(
                "{ty:name$} {created:>10} {deleted:>10} {moved:>10} {set:>10} {linked:>10} {unlinked:>10}"
            ))?;
        }
        Ok(())
    }
}

fn title(out: &mut Output, text: String) -> Result {
    let text = out.paint(Role::Title, text).to_string();
    out.line(text)
}

fn entry<'m, T: Default>(map: &'m mut BTreeMap<String, T>, name: &str) -> &'m mut T {
    map.entry(name.to_owned()).or_default()
}

/// The length of the longest name.
fn width<T>(map: &BTreeMap<String, T>) -> usize {
    map.keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5)
}
