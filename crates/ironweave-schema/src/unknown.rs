//! Items that a newer version has written into a schema. They are preserved and can be listed.

use std::collections::HashSet;
use std::fmt;

use crate::cbor::CborReader;
use crate::{Arc, Change, Item, May, ReadError, Schema, json};

/// An undecoded CBOR item.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// Returns the bytes as one CBOR item. It must be well-formed, have definite lengths, and have all heads in their shortest
    /// form.
    ///
    /// # Errors
    /// If the bytes are not such an item.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut reader = CborReader::new(bytes);
        let raw = reader.item()?;
        reader.end()?;
        Ok(raw)
    }

    /// Returns an item of bytes that are known to be one item.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the item as CBOR.
    #[must_use]
    pub fn as_cbor(&self) -> &[u8] {
        &self.0
    }
}

/// Formats the item as JSON.
impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json::of_raw(self))
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Entries of a map whose keys or values this version does not know, in their order in the map. If only the value of a key
/// is not known, the field of that key has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(Vec<(String, Raw)>);

impl Unknown {
    /// Returns whether there are no unknown entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Raw> {
        self.iter().find(|(k, _)| *k == key).map(|(_, raw)| raw)
    }

    /// Returns all entries.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Raw)> {
        self.0.iter().map(|(key, raw)| (key.as_str(), raw))
    }

    /// Adds an entry without a check whether the key exists.
    pub(crate) fn push(&mut self, key: &str, value: Raw) {
        self.0.push((key.to_owned(), value));
    }

    /// Returns a key that occurs twice, if there is one.
    pub(crate) fn duplicate(&self) -> Option<&str> {
        let mut seen = HashSet::with_capacity(self.0.len());
        let mut keys = self.0.iter().map(|(key, _)| key.as_str());
        keys.find(|key| !seen.insert(*key))
    }

    /// Adds an entry if the key does not exist. Returns whether the entry was added.
    pub fn insert(&mut self, key: &str, value: Raw) -> bool {
        let free = self.get(key).is_none();
        if free {
            self.0.push((key.to_owned(), value));
        }
        free
    }
}

/// An item in a schema that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownItem {
    /// The item that contains it.
    pub of: Item,
    /// The key of the entry, or `arc` or `may`.
    pub key: String,
    /// The value.
    pub value: Raw,
}

impl fmt::Display for UnknownItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {}: {}", self.key, self.of, self.value)
    }
}

impl Schema {
    /// What this version does not know, in order.
    #[must_use]
    pub fn unknown_items(&self) -> Vec<UnknownItem> {
        let mut found = Vec::new();
        let mut add = |of: &dyn Fn() -> Item, unknown: &Unknown| {
            found.extend(unknown.iter().map(|(key, value)| UnknownItem {
                of: of(),
                key: key.to_owned(),
                value: value.clone(),
            }));
        };
        add(&|| Item::Model(self.name.clone()), &self.unknown);
        for entity in &self.entities {
            add(&|| Item::Entity(entity.name.clone()), &entity.unknown);
            for state in &entity.states {
                let item = || Item::State {
                    entity: entity.name.clone(),
                    name: state.name.clone(),
                };
                add(&item, &state.unknown);
                state.to.iter().for_each(|to| add(&item, &to.unknown));
            }
        }
        for column in &self.columns {
            add(&|| self.column_item(column), &column.unknown);
        }
        for edge in &self.edges {
            let item = || self.edge_item(edge);
            add(&item, &edge.unknown);
            add(&item, &edge.from.unknown);
            add(&item, &edge.to.unknown);
        }
        for event in &self.events {
            let item = || Item::Event(event.name.clone());
            add(&item, &event.unknown);
            for field in &event.fields {
                let item = || Item::EventField {
                    event: event.name.clone(),
                    name: field.name.clone(),
                    ty: field.ty.clone(),
                };
                add(&item, &field.unknown);
            }
            if let Some(due) = &event.due {
                add(&item, &due.unknown);
            }
            event
                .names
                .iter()
                .for_each(|name| add(&item, &name.unknown));
            let single = |key: &str, raw: &Raw| {
                let mut one = Unknown::default();
                one.insert(key, raw.clone());
                one
            };
            for arc in &event.arcs {
                if let Arc::Unknown(raw) = arc {
                    add(&item, &single("arc", raw));
                }
            }
            for may in &event.mays {
                if let May::Unknown(raw) = may {
                    add(&item, &single("may", raw));
                }
            }
        }
        for index in &self.indexes {
            let item = || Item::Index {
                entity: self.entity_name(index.entity).to_owned(),
                index: self.index_text(index),
            };
            add(&item, &index.unknown);
        }
        for invariant in &self.invariants {
            add(
                &|| Item::Invariant(invariant.name.clone()),
                &invariant.unknown,
            );
        }
        found
    }
}

impl From<UnknownItem> for Change {
    fn from(item: UnknownItem) -> Self {
        Self::Added(Item::Unknown(Box::new(item)))
    }
}
