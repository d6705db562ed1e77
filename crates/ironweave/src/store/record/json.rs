//! `Serialize` for records and their views.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeStruct as _, Serializer};

use super::{Changes, Fact, Facts, Field, Firing, Record, RecordedEvent};
use crate::base::error::EntityRef;
use crate::step::model::Model;

impl<M: Model> Serialize for Record<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_map(None)?;
        record.serialize_entry("seq", &self.seq())?;
        if let Some(position) = self.position() {
            record.serialize_entry("position", &position)?;
        }
        record.serialize_entry("time", &self.time())?;
        for (name, text) in self.meta_texts() {
            record.serialize_entry(name, text)?;
        }
        if let Some(causation) = self.meta().causation {
            record.serialize_entry("causation", &causation)?;
        }
        let firings: Vec<Firing<'_, M>> = self.firings().collect();
        record.serialize_entry("firings", &firings)?;
        record.end()
    }
}

impl<M: Model> Serialize for Firing<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let len = 2 + usize::from(!self.chosen().is_empty());
        let mut firing = serializer.serialize_struct("Firing", len)?;
        let named = NamedEvent(self.name(), &self.fields());
        if self.is_immediate() {
            firing.serialize_field("immediate", &named)?;
        } else if M::IS_DYNAMIC || self.is_removed() {
            firing.serialize_field("event", &named)?;
        } else if let RecordedEvent::Applied(event) = self.event().map_err(S::Error::custom)? {
            firing.serialize_field("event", &event)?;
        }
        let chosen = self.chosen();
        if !chosen.is_empty() {
            let texts = |all: &[EntityRef]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
            let chosen = chosen.iter().map(|(name, all)| (*name, texts(all)));
            firing.serialize_field("chosen", &chosen.collect::<BTreeMap<_, _>>())?;
        }
        firing.serialize_field("facts", &self.facts())?;
        firing.end()
    }
}

/// An event with its fields by the logged schema, as `{"Satisfied": {"want": "Want/3.1"}}`.
struct NamedEvent<'a>(&'a str, &'a [Field<'a>]);

impl Serialize for NamedEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Fields<'a>(&'a [Field<'a>]);
        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let fields = self.0.iter();
                serializer.collect_map(fields.map(|field| (field.name(), field.typed_value())))
            }
        }
        serializer.collect_map([(self.0, Fields(self.1))])
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.typed_value().serialize(serializer)
    }
}

impl<M> Serialize for Facts<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes = OnceLock::new();
        serializer.collect_seq(self.with_slot_changes(&changes))
    }
}

impl<M> Serialize for Changes<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.facts().serialize(serializer)
    }
}

/// Serializes the kind and those of entity, field, other entity, states and value that the kind has.
impl Serialize for Fact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fact = serializer.serialize_map(None)?;
        fact.serialize_entry("fact", self.kind().name())?;
        fact.serialize_entry("entity", &self.entity().to_string())?;
        if let Some(field) = self.field() {
            fact.serialize_entry("field", field)?;
        }
        if let Some(other) = self.other() {
            fact.serialize_entry("other", &other.to_string())?;
        }
        if let Some(from) = self.from() {
            fact.serialize_entry("from", from)?;
        }
        if let Some(to) = self.to() {
            fact.serialize_entry("to", to)?;
        }
        if let Some(value) = self.typed_value() {
            fact.serialize_entry("value", &value)?;
        }
        fact.end()
    }
}
