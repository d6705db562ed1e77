//! Entities by their keys, learned from the facts of a log.

use std::collections::HashMap;
use std::sync::Arc;

use ironweave::raw_log::{RawContent, RawFrames, RawLog};
use ironweave::schema::{ColumnDef, Schema};
use ironweave::{Fact, FactEntity, FactKind, Id, Seq};
use serde_json::value::RawValue;

use crate::failure::Result;
use crate::values;

/// The keys of all entities that the facts so far have created.
#[derive(Default)]
pub struct Labels {
    schema: Option<Arc<Schema>>,
    /// For each entity type of the schema, its key columns.
    keys: HashMap<String, Vec<String>>,
    /// The last entity at each slot of a type. It stays known after its deletion.
    known: HashMap<String, HashMap<u32, Known>>,
}

/// An entity that was created.
#[derive(Clone, Default)]
struct Known {
    id: Option<Id>,
    key: Vec<(String, Option<Part>)>,
}

/// A part of a key, as text and as JSON.
#[derive(Clone)]
pub struct Part {
    pub text: String,
    pub json: Box<RawValue>,
}

impl Labels {
    /// Returns the labels before the first of some frames. If earlier frames were dropped, the entities that these created have no
    /// key.
    pub fn before(frames: &RawFrames) -> Self {
        let mut labels = Self::default();
        if let Some(schema) = frames.schema() {
            labels.begin(schema);
        }
        labels
    }

    /// Learns the keys of all entities that a log has created up to a frame.
    pub fn of_log(log: &RawLog, until: Option<Seq>) -> Result<Self> {
        let frames = log.frames(log.first())?;
        let mut labels = Self::before(&frames);
        for frame in frames {
            let frame = frame?;
            if until.is_some_and(|until| frame.seq() > until) {
                break;
            }
            match frame.content() {
                RawContent::Schema(schema) => labels.begin(schema),
                RawContent::Transaction(record) | RawContent::Migration(record) => {
                    record.facts().iter().for_each(|fact| labels.apply(&fact));
                }
                _ => {}
            }
        }
        Ok(labels)
    }

    /// Reads further facts by another schema.
    pub fn begin(&mut self, schema: &Arc<Schema>) {
        self.keys.clear();
        for (ix, entity) in schema.entities.iter().enumerate() {
            let of_key = |column: &&ColumnDef| column.key && column.entity.index() == ix;
            let columns = schema.columns.iter().filter(of_key);
            let names: Vec<String> = columns.map(|column| column.name.clone()).collect();
            self.keys.insert(entity.name.clone(), names);
        }
        self.schema = Some(Arc::clone(schema));
    }

    /// The schema of the facts.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// Learns the keys of entities that a fact creates.
    pub fn apply(&mut self, fact: &Fact<'_>) {
        let entity = fact.entity();
        let name = entity.type_name();
        match fact.kind() {
            FactKind::Create => {
                let columns = self.keys.get(name).into_iter().flatten();
                let known = Known {
                    id: entity.id(),
                    key: columns.map(|column| (column.clone(), None)).collect(),
                };
                let slots = self.known.entry(name.to_owned()).or_default();
                slots.insert(entity.slot(), known);
            }
            FactKind::Set if fact.data_of().is_none() => {
                let known = self.known.get_mut(name);
                let Some(known) = known.and_then(|slots| slots.get_mut(&entity.slot())) else {
                    return;
                };
                let of_field = |(column, _): &&mut (String, _)| Some(&**column) == fact.field();
                if let Some((_, part)) = known.key.iter_mut().find(of_field)
                    && let Some(value) = fact.assigned()
                {
                    *part = Some(Part {
                        text: value.to_string(),
                        json: values::json(&value),
                    });
                }
            }
            _ => {}
        }
    }

    /// Returns the id of an entity in a fact, which facts of format version 2 do not have.
    pub fn id(&self, entity: &FactEntity<'_>) -> Option<Id> {
        let known = || self.known.get(entity.type_name())?.get(&entity.slot())?.id;
        entity.id().or_else(known)
    }

    /// Returns the key of an entity, or nothing if it has none or is not known.
    pub fn key(&self, type_name: &str, slot: u32) -> Vec<Part> {
        let known = self.known.get(type_name).and_then(|slots| slots.get(&slot));
        let parts = known.map(|known| known.key.iter().filter_map(|(_, part)| part.clone()));
        parts.into_iter().flatten().collect()
    }

    /// Returns a text for an entity in a fact: `Partition "daily/1"`, or `JobRun/3.1` without a key.
    pub fn entity(&self, entity: &FactEntity<'_>) -> String {
        self.label(entity.type_name(), entity.slot(), self.id(entity))
    }

    /// Returns a text for an entity.
    pub fn label(&self, type_name: &str, slot: u32, id: Option<Id>) -> String {
        match (key_text(&self.key(type_name, slot)), id) {
            (Some(key), _) => format!("{type_name} {key}"),
            (None, Some(id)) => format!("{type_name}/{id}"),
            (None, None) => format!("{type_name}/{slot}"),
        }
    }

    /// Returns whether an entity has a key or an id that a user gave.
    pub fn is(&self, entity: &FactEntity<'_>, given: &str) -> bool {
        let id = self.id(entity).map(|id| id.to_string());
        let given_id = given
            .strip_prefix(entity.type_name())
            .and_then(|id| id.strip_prefix('/'));
        key_matches(&self.key(entity.type_name(), entity.slot()), given)
            || id.as_deref() == Some(given_id.unwrap_or(given))
    }
}

/// Returns a key as text, or `None` if there is none.
pub fn key_text(parts: &[Part]) -> Option<String> {
    match parts {
        [] => None,
        [part] => Some(part.text.clone()),
        parts => {
            let parts: Vec<&str> = parts.iter().map(|part| &*part.text).collect();
            Some(format!("({})", parts.join(", ")))
        }
    }
}

/// Returns a key as JSON: one part as its value, several as a list, or `None` if there is none.
pub fn key_json(parts: &[Part]) -> Option<Box<RawValue>> {
    match parts {
        [] => None,
        [part] => Some(part.json.clone()),
        parts => {
            let parts: Vec<&RawValue> = parts.iter().map(|part| &*part.json).collect();
            Some(values::json(&parts))
        }
    }
}

/// Returns whether a user means a key: a text with or without quotes, or the parts of a key with commas between them.
pub fn key_matches(parts: &[Part], given: &str) -> bool {
    let is = |part: &Part, given: &str| {
        let text = || serde_json::from_str::<String>(part.json.get());
        part.text == given || text().is_ok_and(|text| text == given)
    };
    match parts {
        [] => false,
        [part] => is(part, given),
        parts => {
            let inner = given
                .strip_prefix('(')
                .and_then(|key| key.strip_suffix(')'));
            all_match(parts, inner.unwrap_or(given), &is)
        }
    }
}

/// Returns whether a text is the parts of a key with commas between them. A part may have commas too.
fn all_match(parts: &[Part], given: &str, is: &impl Fn(&Part, &str) -> bool) -> bool {
    match parts {
        [] => false,
        [part] => is(part, given.trim()),
        [first, rest @ ..] => given.match_indices(',').any(|(at, comma)| {
            let (part, left) = (&given[..at], &given[at + comma.len()..]);
            is(first, part.trim()) && all_match(rest, left, is)
        }),
    }
}
