//! `ironweave history` and `ironweave why`: what happened to an entity.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use ironweave::dynamic::Dynamic;
use ironweave::raw_log::RawContent;
use ironweave::{Fact, FactKind, Firing, Record, Seq};
use serde::Serialize;

use super::records::{self, FactLine};
use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::labels::Labels;
use crate::names;
use crate::output::{Output, Role};
use crate::source;
use crate::values::printable;
use crate::when::When;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Read the log up to this transaction or time
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    as_of: Option<When>,
    /// The entity type
    #[arg(value_name = "TYPE")]
    entity_type: String,
    /// The key, with commas between the parts of a key of several fields; or the id, such as 3.1
    #[arg(value_name = "KEY")]
    key: String,
}

impl Args {
    /// Visits the firings of the log, after their facts were applied to the labels. The schemas have the type.
    fn visit(
        &self,
        mut visit: impl FnMut(&Record<Dynamic>, &Firing<'_, Dynamic>, &Labels) -> Result,
    ) -> Result {
        let log = source::log(&self.source)?;
        let schemas = log.schemas()?;
        let types = schemas.iter().flat_map(|(_, schema)| &schema.entities);
        names::check(
            "there is no type",
            &self.entity_type,
            types.map(|entity| &*entity.name),
        )?;
        if let Some(when) = self.as_of {
            when.check(&log)?;
        }
        let frames = log.frames(log.first())?;
        let mut labels = Labels::before(&frames);
        for frame in frames {
            let frame = frame?;
            match frame.content() {
                RawContent::Schema(schema) => labels.begin(schema),
                RawContent::Migration(record) => {
                    (record.facts().iter()).for_each(|fact| labels.apply(&fact));
                }
                RawContent::Transaction(record) => {
                    if self
                        .as_of
                        .is_some_and(|when| when.passed(record.seq(), record.time()))
                    {
                        break;
                    }
                    for firing in record.firings() {
                        for fact in firing.facts() {
                            labels.apply(&fact);
                        }
                        visit(record, &firing, &labels)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a fact concerns the entity.
    fn concerns(&self, fact: &Fact<'_>, labels: &Labels) -> bool {
        let mut entities = [Some(fact.entity()), fact.other()].into_iter().flatten();
        entities
            .any(|entity| entity.type_name() == self.entity_type && labels.is(&entity, &self.key))
    }

    fn not_found(&self) -> Failure {
        let Self {
            entity_type, key, ..
        } = self;
        Failure::Problem(format!(
            "the log has no {entity_type} with the key or id `{key}`; `ironweave list STORE {entity_type}` prints those that \
             there are now"
        ))
    }
}

/// A fact of a history as JSON.
#[derive(Serialize)]
struct HistoryLine {
    seq: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    event: String,
    #[serde(flatten)]
    fact: FactLine,
}

/// Prints every fact about an entity, with its event.
pub fn history(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut out = Output::paged(show);
    let mut last: Option<(Seq, String)> = None;
    args.visit(|record, firing, labels| {
        for fact in firing.facts() {
            if !args.concerns(&fact, labels) {
                continue;
            }
            if out.is_json() {
                out.object(&HistoryLine {
                    seq: record.seq().get(),
                    time: record.time().to_string(),
                    actor: record.meta().actor().map(str::to_owned),
                    event: firing.name().to_owned(),
                    fact: records::fact_line(&fact, labels),
                })?;
            } else {
                let at = (record.seq(), firing.name().to_owned());
                if last.as_ref() != Some(&at) {
                    let head = head(&out, record, firing, labels);
                    out.line(head)?;
                }
                let text = records::fact_text(&out, &fact, labels);
                out.line(format_args!("           {text}"))?;
            }
            last = Some((record.seq(), firing.name().to_owned()));
        }
        Ok(())
    })?;
    if last.is_none() {
        return Err(args.not_found());
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The sequence, the time and the actor of a transaction, and one of its events.
fn head(
    out: &Output,
    record: &Record<Dynamic>,
    firing: &Firing<'_, Dynamic>,
    labels: &Labels,
) -> String {
    let actor = record
        .meta()
        .actor()
        .map(|actor| format!(" by {}", printable(actor)));
    format!(
        "{:>6} {}{} {}",
        out.paint(Role::Seq, record.seq()),
        out.paint(Role::Time, record.time()),
        actor.unwrap_or_default(),
        records::firing_text(out, firing, labels).trim_start()
    )
}

/// One change of the state of an entity, with the events that led to it.
#[derive(Clone, Serialize)]
struct Step {
    seq: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    event: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    immediate: bool,
    /// For an immediate event, the event of the program that enabled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_by: Option<String>,
    /// The transactions that caused this one, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<u64>,
    #[serde(skip)]
    lines: Vec<String>,
}

/// Prints the chain of events that led to the state of an entity, the latest first.
pub fn why(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut out = Output::paged(show);
    let mut steps: Vec<Step> = Vec::new();
    let mut label = String::new();
    // For each transaction that was caused by another one, that one.
    let mut causes: BTreeMap<u64, u64> = BTreeMap::new();
    let mut root: Option<(Seq, String, String)> = None;
    args.visit(|record, firing, labels| {
        if let Some(cause) = record.meta().causation() {
            causes.insert(record.seq().get(), cause.get());
        }
        if !firing.is_immediate() {
            let text = records::firing_text(&out, firing, labels);
            root = Some((
                record.seq(),
                firing.name().to_owned(),
                text.trim_start().to_owned(),
            ));
        }
        for fact in firing.facts() {
            let is_step = matches!(
                fact.kind(),
                FactKind::Create | FactKind::Move | FactKind::Delete
            );
            if !is_step || !args.concerns(&fact, labels) {
                continue;
            }
            label = labels.entity(&fact.entity());
            let enabled =
                (root.as_ref()).filter(|(seq, ..)| firing.is_immediate() && *seq == record.seq());
            let mut lines = vec![head(&out, record, firing, labels)];
            lines.push(format!(
                "           {}",
                records::fact_text(&out, &fact, labels)
            ));
            if let Some((_, _, text)) = enabled {
                lines.push(format!("         enabled by {text}"));
            }
            steps.push(Step {
                seq: record.seq().get(),
                time: record.time().to_string(),
                from: fact.from().map(str::to_owned),
                to: fact.to().map(str::to_owned),
                event: firing.name().to_owned(),
                immediate: firing.is_immediate(),
                enabled_by: enabled.map(|(_, name, _)| name.clone()),
                causes: Vec::new(),
                lines,
            });
        }
        Ok(())
    })?;
    for step in &mut steps {
        let mut at = step.seq;
        // A cause precedes what it caused, so that the chain ends.
        while let Some(cause) = causes.get(&at).filter(|cause| **cause < at) {
            step.causes.push(*cause);
            at = *cause;
        }
    }
    let Some(last) = steps.last() else {
        return Err(args.not_found());
    };
    let is = match &last.to {
        Some(state) => format!("{label} is {state}"),
        None => format!("{label} is deleted"),
    };
    let texts = cause_lines(args, &out, &steps)?;
    if !out.is_json() {
        out.line(out.paint(Role::Title, is).to_string())?;
    }
    for step in steps.iter().rev() {
        if out.is_json() {
            out.object(step)?;
            continue;
        }
        for line in &step.lines {
            out.line(line)?;
        }
        for cause in &step.causes {
            for line in texts.get(cause).into_iter().flatten() {
                out.line(format_args!("         caused by {line}"))?;
            }
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Returns a text for each event of the program in the transactions that caused steps.
fn cause_lines(args: &Args, out: &Output, steps: &[Step]) -> Result<BTreeMap<u64, Vec<String>>> {
    let wanted: BTreeSet<u64> = steps
        .iter()
        .flat_map(|step| &step.causes)
        .copied()
        .collect();
    let mut lines: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    if wanted.is_empty() || out.is_json() {
        return Ok(lines);
    }
    args.visit(|record, firing, labels| {
        let seq = record.seq().get();
        if wanted.contains(&seq) && !firing.is_immediate() {
            let line = head(out, record, firing, labels).trim_start().to_owned();
            lines.entry(seq).or_default().push(line);
        }
        Ok(())
    })?;
    Ok(lines)
}
