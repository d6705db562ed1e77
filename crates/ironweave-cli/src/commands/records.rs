//! Transactions as text and as JSON.

use std::collections::BTreeMap;

use ironweave::dynamic::Dynamic;
use ironweave::{Fact, FactEntity, FactKind, Field, Firing, Id, Record};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Result;
use crate::labels::{Labels, key_json};
use crate::output::{Output, Role};
use crate::values::{self, Texts, printable};

/// The number of facts of an event that are shown.
const FACTS_MAX: usize = 8;

/// A transaction as JSON.
#[derive(Serialize)]
pub struct RecordLine {
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    pub time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    pub firings: Vec<FiringLine>,
}

/// A firing of an event as JSON.
#[derive(Serialize)]
pub struct FiringLine {
    pub event: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immediate: bool,
    pub fields: BTreeMap<String, Box<RawValue>>,
    pub facts: Vec<FactLine>,
}

/// A fact as JSON.
#[derive(Serialize)]
pub struct FactLine {
    pub fact: &'static str,
    pub entity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
}

impl RecordLine {
    /// A transaction, without its firings.
    pub fn of(record: &Record<Dynamic>) -> Self {
        let meta = record.meta();
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            seq: record.seq().get(),
            position: record.position().map(|position| position.to_string()),
            time: record.time().to_string(),
            actor: text(meta.actor()),
            correlation: text(meta.correlation()),
            causation: meta.causation().map(ironweave::Seq::get),
            idempotency_key: text(meta.idempotency_key()),
            firings: Vec::new(),
        }
    }
}

/// Returns a firing as JSON.
pub fn firing_line(firing: &Firing<'_, Dynamic>, labels: &Labels) -> FiringLine {
    let fields = firing.fields().into_iter();
    FiringLine {
        event: firing.name().to_owned(),
        immediate: firing.is_immediate(),
        fields: fields
            .map(|field| (field.name().to_owned(), values::json(&field)))
            .collect(),
        facts: firing
            .facts()
            .iter()
            .map(|fact| fact_line(&fact, labels))
            .collect(),
    }
}

/// Returns a fact as JSON.
pub fn fact_line(fact: &Fact<'_>, labels: &Labels) -> FactLine {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let key = |entity: FactEntity<'_>| key_json(&labels.key(entity.type_name(), entity.slot()));
    FactLine {
        fact: kind(fact.kind()),
        entity: handle(labels, &fact.entity()),
        key: key(fact.entity()),
        field: text(fact.field()),
        other: fact.other().map(|other| handle(labels, &other)),
        other_key: fact.other().and_then(key),
        from: text(fact.from()),
        to: text(fact.to()),
        value: fact.assigned().map(|value| values::json(&value)),
    }
}

fn kind(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Create => "create",
        FactKind::Delete => "delete",
        FactKind::Move => "move",
        FactKind::Set => "set",
        FactKind::Link => "link",
        FactKind::Unlink => "unlink",
        FactKind::SetLink => "set_link",
    }
}

fn handle(labels: &Labels, entity: &FactEntity<'_>) -> String {
    match labels.id(entity) {
        Some(id) => format!("{}/{id}", entity.type_name()),
        None => entity.to_string(),
    }
}

/// Writes the line of a transaction, and for each firing the event with its facts below it.
pub fn write(
    out: &mut Output,
    record: &Record<Dynamic>,
    firings: &[Firing<'_, Dynamic>],
    labels: &Labels,
) -> Result {
    let mut head = format!(
        "{:>6} {}",
        out.paint(Role::Seq, record.seq()),
        out.paint(Role::Time, record.time())
    );
    let meta = record.meta();
    for (name, text) in [
        ("by", meta.actor().map(printable)),
        ("for", meta.correlation().map(printable)),
        ("because of", meta.causation().map(|seq| seq.to_string())),
        ("key", meta.idempotency_key().map(printable)),
    ] {
        if let Some(text) = text {
            head += &format!(" {} {text}", out.paint(Role::Dim, name));
        }
    }
    out.line(head)?;
    for firing in firings {
        out.line(firing_text(out, firing, labels))?;
        write_facts(out, firing.facts().iter(), labels, "           ")?;
    }
    Ok(())
}

/// Returns an event with its fields.
pub fn firing_text(out: &Output, firing: &Firing<'_, Dynamic>, labels: &Labels) -> String {
    let (indent, role) = match firing.is_immediate() {
        true => ("         ", Role::Immediate),
        false => ("       ", Role::Event),
    };
    let fields: Vec<String> = (firing.fields().iter())
        .map(|field| {
            format!(
                "{}: {}",
                field.name(),
                field_text(out, field, Some(firing.name()), labels)
            )
        })
        .collect();
    let fields = match fields.as_slice() {
        [] => String::new(),
        fields => format!(" {{ {} }}", fields.join(", ")),
    };
    format!("{indent}{}{fields}", out.paint(role, firing.name()))
}

fn field_text(out: &Output, field: &Field<'_>, event: Option<&str>, labels: &Labels) -> String {
    let schema = labels.schema().map(|schema| &**schema);
    let texts = Texts {
        schema,
        full: out.is_full(),
        handle: &|name: &str, id: Id| labels.label(name, id.slot(), Some(id)),
    };
    let implied = match (field.encoding(), schema, event) {
        (None, Some(schema), Some(event)) => values::implied_encoding(schema, event, field.name()),
        _ => None,
    };
    texts.text(field, field.encoding().or(implied.as_ref()))
}

/// Writes facts, one on each line.
pub fn write_facts<'r>(
    out: &mut Output,
    facts: impl ExactSizeIterator<Item = Fact<'r>>,
    labels: &Labels,
    indent: &str,
) -> Result {
    let all = facts.len();
    let shown = match out.is_full() || all <= FACTS_MAX + 1 {
        true => all,
        false => FACTS_MAX,
    };
    for fact in facts.take(shown) {
        let text = fact_text(out, &fact, labels);
        out.line(format_args!("{indent}{text}"))?;
    }
    match all - shown {
        0 => Ok(()),
        left => {
            let more = out
                .paint(Role::Dim, format_args!(".. {left} more facts"))
                .to_string();
            out.line(format_args!("{indent}{more}"))
        }
    }
}

/// Returns a fact as text.
pub fn fact_text(out: &Output, fact: &Fact<'_>, labels: &Labels) -> String {
    let entity = out
        .paint(Role::Entity, labels.entity(&fact.entity()))
        .to_string();
    let other = fact
        .other()
        .map(|other| labels.entity(&other))
        .unwrap_or_default();
    let other = out.paint(Role::Entity, other);
    let field = fact.field().unwrap_or_default();
    let (from, to) = (
        fact.from().unwrap_or_default(),
        fact.to().unwrap_or_default(),
    );
    let value = || {
        let value = fact.assigned();
        value
            .map(|value| field_text(out, &value, None, labels))
            .unwrap_or_default()
    };
    match fact.kind() {
        FactKind::Create => format!("{} {entity} in {to}", out.paint(Role::Added, "create")),
        FactKind::Delete => format!("{} {entity} in {from}", out.paint(Role::Removed, "delete")),
        FactKind::Move => format!("move {entity}: {from} -> {to}"),
        FactKind::Set => match fact.data_of() {
            Some(state) => format!("set {entity} {state}.{field} = {}", value()),
            None => format!("set {entity} {field} = {}", value()),
        },
        FactKind::Link => format!(
            "{} {entity} {field} -> {other}",
            out.paint(Role::Added, "link")
        ),
        FactKind::Unlink => {
            format!(
                "{} {entity} {field} -> {other}",
                out.paint(Role::Removed, "unlink")
            )
        }
        FactKind::SetLink => format!("set {entity} {field} -> {other} = {}", value()),
    }
}
