//! What if: the events of the model with their fields, and what one of them would do.

use ironweave::dynamic::{TrialError, code_needed_by};
use ironweave::schema::{BindBy, Cardinality, Encoding, EntityIx, EventDef, EventFieldDef, Schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::diff::{PlaceChange, changed_places};
use super::graph::{TimeQuestion, graph, moment, point};
use super::places::{LinkCounts, differing};
use crate::problem::Problem;
use crate::shown::{CHARS, EntityName, FACTS_MAX, Moment, Names, ShownTransaction};
use crate::source::Source;

#[derive(Serialize)]
pub(crate) struct EventsAnswer {
    at: Moment,
    events: Vec<EventForm>,
}

/// An event, with what must be filled in to fire it.
#[derive(Serialize)]
struct EventForm {
    name: String,
    /// Whether it fires by itself, so that a program cannot fire it.
    immediate: bool,
    fields: Vec<FieldForm>,
    /// Its arcs, as the model has them.
    arcs: Vec<String>,
    guards: Vec<String>,
    /// Whether it has a handler.
    handler: bool,
    /// Why it cannot be tried, whatever the graph is.
    #[serde(skip_serializing_if = "Option::is_none")]
    untried: Option<String>,
}

/// A field of an event.
#[derive(Serialize)]
struct FieldForm {
    name: String,
    /// The Rust type, as written.
    ty: String,
    /// `handle`, `key` or `value`.
    by: &'static str,
    /// The type of the entities that the field names.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    entity_type: Option<String>,
    /// The state that the field requires of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Whether the entity is created if there is none with the key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ensure: bool,
    /// The form of a value: `text`, `integer`, `number`, `bool`, `time` or `json`.
    form: &'static str,
    optional: bool,
    many: bool,
}

/// Returns the events of the model. O(events).
pub(crate) fn events(
    source: &dyn Source,
    question: &TimeQuestion,
) -> Result<EventsAnswer, Problem> {
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let schema = snapshot.schema();
    let has_code = source.has_code();
    let untried = |event: &EventDef| {
        let needed = code_needed_by(schema, event).filter(|_| !has_code);
        let refusal = |code| TrialError::NeedsCode {
            event: event.name.as_str().into(),
            code,
        };
        needed.map(|code| refusal(code).to_string())
    };
    let form = |event: &EventDef| EventForm {
        name: event.name.clone(),
        immediate: event.immediate,
        fields: (event.fields.iter())
            .map(|field| field_form(schema, event, field))
            .collect(),
        arcs: (event.arcs.iter())
            .map(|arc| schema.arc_text(event, arc))
            .collect(),
        guards: event.guards.clone(),
        handler: !event.mays.is_empty(),
        untried: untried(event),
    };
    Ok(EventsAnswer {
        at,
        events: schema.events.iter().map(form).collect(),
    })
}

fn field_form(schema: &Schema, event: &EventDef, field: &EventFieldDef) -> FieldForm {
    let (form, optional, many) = form(field.encoding.as_ref());
    let value = FieldForm {
        name: field.name.clone(),
        ty: field.ty.clone(),
        by: "value",
        entity_type: None,
        state: None,
        ensure: false,
        form,
        optional,
        many,
    };
    let bound = event.names.iter().find(|name| {
        name.name == field.name && !matches!(name.by, BindBy::Created | BindBy::Chosen)
    });
    let Some(name) = bound else {
        return value;
    };
    let of = &schema[name.entity];
    let is_key = matches!(name.by, BindBy::Key | BindBy::Ensure);
    FieldForm {
        by: if is_key { "key" } else { "handle" },
        entity_type: Some(of.name.clone()),
        state: match name.by {
            BindBy::Token(state) => Some(of[state].name.clone()),
            _ => None,
        },
        ensure: name.by == BindBy::Ensure,
        form: if is_key {
            key_form(schema, name.entity)
        } else {
            "text"
        },
        optional: name.count == Cardinality::Option,
        many: name.count == Cardinality::Many,
        ..value
    }
}

/// Returns the form of the key of an entity type. A key of several parts is an array.
fn key_form(schema: &Schema, entity: EntityIx) -> &'static str {
    let columns = schema.columns.iter();
    let mut key = columns.filter(|column| column.key && column.entity == entity);
    match (key.next(), key.next()) {
        (Some(column), None) => form(column.encoding.as_ref()).0,
        _ => "json",
    }
}

/// Returns the form of a value, whether there may be none, and whether there may be several.
fn form(encoding: Option<&Encoding>) -> (&'static str, bool, bool) {
    match encoding {
        Some(Encoding::Text | Encoding::Char | Encoding::Id(_)) => ("text", false, false),
        Some(Encoding::Bool) => ("bool", false, false),
        Some(Encoding::F32 | Encoding::F64) => ("number", false, false),
        Some(
            Encoding::U8
            | Encoding::U16
            | Encoding::U32
            | Encoding::U64
            | Encoding::I8
            | Encoding::I16
            | Encoding::I32
            | Encoding::I64,
        ) => ("integer", false, false),
        Some(Encoding::Timestamp) => ("time", false, false),
        Some(Encoding::Option(inner)) => match form(Some(inner)) {
            (form, false, false) => (form, true, false),
            _ => ("json", true, false),
        },
        Some(Encoding::List(inner)) => match form(Some(inner)) {
            (form, false, false) => (form, false, true),
            _ => ("json", false, false),
        },
        _ => ("json", false, false),
    }
}

/// An event to try.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialQuestion {
    /// The event in JSON, as `{"Lit": {"lamp": "hall"}}`.
    event: Box<RawValue>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct TrialAnswer {
    /// The graph on which the event was fired.
    at: Moment,
    /// The transaction, with the sequence that it would have.
    transaction: ShownTransaction,
    /// The entities that the event bound and created, by name.
    names: Vec<(String, Vec<EntityName>)>,
    /// The places whose numbers would change.
    places: Vec<PlaceChange>,
}

/// Fires an event on a snapshot and keeps nothing. O(what it changes).
pub(crate) fn what_if(
    source: &dyn Source,
    counted: &LinkCounts,
    question: &TrialQuestion,
) -> Result<TrialAnswer, Problem> {
    let when = point(question.at.as_deref())?;
    let trial = source.try_event(when, question.event.get())?;
    let names = Names::around(&trial.after, Some(&trial.before));
    let bound = trial.names.iter().map(|(name, all)| {
        let all = all.iter().map(|one| names.name(&one.entity, one.id));
        (name.clone(), all.collect())
    });
    let before = counted.of(&trial.before);
    // The graph in which it has fired is in no log, so its numbers are not kept.
    let after = differing(&trial.before, &trial.after, before.clone()).unwrap_or_default();
    Ok(TrialAnswer {
        at: moment(&trial.before, when.is_none()),
        transaction: ShownTransaction::whole(&trial.record, names, CHARS, FACTS_MAX),
        names: bound.collect(),
        places: changed_places((&trial.before, &before), (&trial.after, &after)),
    })
}
