//! The payload of the frame of a transaction: its time and metadata, and each firing with its event, binding and facts.
//!
//! | module | what it does |
//! |---|---|
//! | `records` | the records of format version 3, and the limits of what they can hold |
//! | `write` | encodes the open transaction (version 3) |
//! | `read` | decodes a transaction of version 3 |
//! | `items` | decodes a transaction of version 2, which is one CBOR item |
//! | `meta` | the metadata, which is CBOR in both versions |
//!
//! Items of the model are encoded as indexes of the schema frame before the transaction. [`Tags`] maps them by name to the
//! indexes of this program's schema.

mod items;
mod meta;
mod read;
mod records;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minicbor::Decoder;

use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::base::storage_error::FORMAT_VERSION;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::log::FrameKind;
use crate::schema::{Cardinality, EventIx};
use crate::step::field_codec::{FieldReader, read_chosen};
use crate::step::open::{Firing, OpenTransaction};
pub(super) use crate::store::frame::meta::decode_names;
use crate::store::frame::meta::{DecodedMeta, check_attempts, check_names};
pub(super) use crate::store::frame::write::{
    PayloadBuffer, encode, encode_expected, encode_facts, expected_bytes, record_bytes,
};
use crate::store::tags::EventTags;
pub(crate) use crate::store::tags::Tags;
use crate::value::DecodeError;
use crate::value::item;

/// A decoded transaction.
pub(crate) struct Decoded {
    pub time: Timestamp,
    pub meta: Meta,
    /// The entities that each event bound and created. Empty in a frame without an idempotency key.
    pub names: Vec<u8>,
    /// The events that the transaction attempted, if some were rejected or rolled back.
    pub attempts: Option<Vec<u8>>,
    pub facts: Facts,
    pub firings: Vec<Firing>,
    /// The bindings of the firings in CBOR, one after the other: a map of fields, or the id of the entity of an immediate
    /// event, and then the entities that the event chose, if it chooses any.
    pub bindings: Vec<u8>,
    /// For each firing, this program's field for each logged field. Empty if the fields are those of this program.
    fields: Vec<Arc<[u16]>>,
}

impl Decoded {
    /// Takes the content of an open transaction that no log has, and whose events were recorded as
    /// [items](crate::step::field_codec::BindingForm::Items).
    pub(crate) fn take(open: &mut OpenTransaction) -> Self {
        Self {
            time: open.clock.now(),
            firings: std::mem::take(&mut open.firings),
            meta: std::mem::take(&mut open.meta),
            names: Vec::new(),
            attempts: None,
            facts: open.journal.take_facts(),
            bindings: std::mem::take(&mut open.event_bytes),
            fields: Vec::new(),
        }
    }

    /// Returns a transaction with this metadata and without firings and facts. `facts` must be empty.
    fn new(time: Timestamp, meta: DecodedMeta, facts: Facts) -> Self {
        Self {
            time,
            meta: meta.meta,
            names: meta.names,
            attempts: meta.attempts,
            facts,
            firings: Vec::new(),
            bindings: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Allocates memory for firings and for the bindings of all of them, which have so many bytes in a frame.
    fn reserve(&mut self, firings: usize, binding_bytes: usize) {
        self.firings.reserve_exact(firings);
        self.fields.reserve_exact(firings);
        // A word is rarely longer in CBOR.
        self.bindings.reserve(binding_bytes);
    }

    /// Adds a firing, whose binding was added before.
    fn push_firing(&mut self, event: &EventTags, facts_end: usize) {
        // A frame is too short for ends that do not fit.
        self.firings.push(Firing::read(
            event.event,
            self.bindings.len() as u32,
            facts_end as u32,
        ));
        self.fields.push(Arc::clone(&event.fields));
    }

    /// Adds a firing of an event of the program, with its binding in CBOR and the program's field for each field in it.
    pub(super) fn push_typed(
        &mut self,
        event: EventIx,
        binding: &[u8],
        fields: &Arc<[u16]>,
        facts_end: u32,
    ) {
        self.bindings.extend_from_slice(binding);
        let binding_end = self.bindings.len() as u32;
        self.firings
            .push(Firing::read(event, binding_end, facts_end));
        self.fields.push(Arc::clone(fields));
    }

    /// Returns the logged binding of a firing in CBOR.
    pub(crate) fn binding(&self, firing: usize) -> &[u8] {
        let range = self.range(firing, |firing| firing.binding_end);
        self.bindings.get(range).unwrap_or_default()
    }

    /// Returns the logged binding of a firing without the entities that it chose.
    pub(crate) fn fields_of(&self, firing: usize) -> &[u8] {
        let binding = self.binding(firing);
        let mut d = Decoder::new(binding);
        match item::raw_item(&mut d) {
            Ok(fields) => fields,
            Err(_) => binding,
        }
    }

    /// Returns the entities of each name that a firing chose, in the order of the names of the event. `None` for a name that the
    /// log does not have.
    pub(crate) fn chosen(&self, firing: usize) -> Vec<Option<Vec<Id>>> {
        // It was validated when it was decoded.
        read_chosen(self.binding(firing)).unwrap_or_default()
    }

    /// Returns the indexes of the facts of a firing.
    pub(crate) fn facts_of(&self, firing: usize) -> Range<usize> {
        self.range(firing, |firing| firing.facts_end)
    }

    /// Returns the range from the end of the previous firing to the end of this one.
    fn range(&self, firing: usize, end: impl Fn(&Firing) -> u32) -> Range<usize> {
        let end = |firing: Option<&Firing>| firing.map_or(0, |firing| end(firing) as usize);
        let before = firing.checked_sub(1).and_then(|i| self.firings.get(i));
        end(before)..end(self.firings.get(firing))
    }

    /// Returns a reader of the fields of an event of the program.
    pub(crate) fn reader(&self, firing: usize) -> Result<FieldReader<'_>, DecodeError> {
        let binding = self.binding(firing);
        if let Some(fields) = self.fields.get(firing) {
            return FieldReader::new(binding, fields);
        }
        let n = item::map(&mut Decoder::new(binding))?;
        let own: Vec<u16> = (0..=u16::MAX).take(n as usize).collect();
        FieldReader::new(binding, &own)
    }
}

/// The reason why the payload of a frame with a correct checksum cannot be decoded.
pub(crate) enum FrameError {
    /// No writer writes it.
    Invalid(DecodeError),
    /// It has something that a newer version of ironweave may have written.
    Newer(String),
}

impl<E: Into<DecodeError>> From<E> for FrameError {
    fn from(e: E) -> Self {
        Self::Invalid(e.into())
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(e) => e.fmt(f),
            Self::Newer(what) => write!(f, "it has {what}"),
        }
    }
}

/// Decodes a transaction or a migration.
pub(crate) fn decode(kind: FrameKind, payload: &[u8], tags: &Tags) -> Result<Decoded, FrameError> {
    match kind {
        FrameKind::Migration => read_migration(payload, tags, Facts::default()),
        _ => read(payload, tags, Facts::default(), true),
    }
}

/// Returns the time of a transaction, of which nothing else is validated.
pub(crate) fn time(version: u16, payload: &[u8]) -> Result<Timestamp, FrameError> {
    if version >= FORMAT_VERSION {
        read::time(payload)
    } else {
        Ok(items::time(payload)?)
    }
}

/// As [`decode`], without the firings, which a replay does not need. The memory of `room` is reused for its facts.
pub(crate) fn decode_facts(
    kind: FrameKind,
    payload: &[u8],
    tags: &Tags,
    mut room: Facts,
) -> Result<Decoded, FrameError> {
    room.clear();
    match kind {
        FrameKind::Migration => read_migration(payload, tags, room),
        _ => read(payload, tags, room, false),
    }
}

/// As [`decode_facts`], but nothing except the facts is validated.
pub(crate) fn decode_facts_alone(
    kind: FrameKind,
    payload: &[u8],
    tags: &Tags,
    mut room: Facts,
) -> Result<Facts, FrameError> {
    if tags.version < FORMAT_VERSION {
        return Ok(decode_facts(kind, payload, tags, room)?.facts);
    }
    room.clear();
    read::read_facts_alone(payload, tags, room)
}

/// Decodes a migration, of which version 2 has none.
fn read_migration(payload: &[u8], tags: &Tags, facts: Facts) -> Result<Decoded, FrameError> {
    if tags.version < FORMAT_VERSION {
        return Err(DecodeError::new("format version 2 has no migrations").into());
    }
    read::read_migration(payload, tags, facts)
}

/// Decodes a transaction with or without its firings. The firings are validated in both cases, so that a transaction that was
/// replayed can be decoded in full later.
fn read(payload: &[u8], tags: &Tags, facts: Facts, firings: bool) -> Result<Decoded, FrameError> {
    // All frames of an epoch have the format version of its schema.
    if tags.version >= FORMAT_VERSION {
        read::read(payload, tags, facts, firings)
    } else {
        Ok(items::read(payload, tags, facts, firings)?)
    }
}

/// The names of each event of the program that fired, if the transaction has an idempotency key.
struct KeyedNames<'t>(Option<Vec<&'t [Cardinality]>>);

impl<'t> KeyedNames<'t> {
    fn of(decoded: &Decoded) -> Self {
        Self(decoded.meta.key.is_some().then(Vec::new))
    }

    fn push(&mut self, event: &'t EventTags) {
        if let Some(named) = self.0.as_mut().filter(|_| !event.immediate) {
            named.push(&event.names);
        }
    }

    /// Returns an error if the names and attempts of a transaction do not match its firings.
    fn check(&self, decoded: &Decoded) -> Result<(), DecodeError> {
        let Some(named) = &self.0 else {
            return Ok(());
        };
        check_names(&decoded.names, named)?;
        match &decoded.attempts {
            Some(attempts) => check_attempts(attempts, named.len()),
            None => Ok(()),
        }
    }
}

/// Returns the mapping of an event of a logged schema.
fn event_of(tags: &Tags, tag: usize) -> Result<&EventTags, DecodeError> {
    (tags.events.get(tag))
        .ok_or_else(|| DecodeError::new(format_args!("event {tag} is not in the schema")))
}
