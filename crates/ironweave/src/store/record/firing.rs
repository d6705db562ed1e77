//! One firing of a record: its event, typed or as named fields, and its facts.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{DecodedTransaction, Facts, Record};
use crate::base::error::{EntityRef, Name};
use crate::base::id::Id;
use crate::base::storage_error::StorageError;
use crate::db::entity::Entity;
use crate::schema::{Encoding, EventDef, EventFieldDef};
use crate::step::any_event::{AnyEvent, EventMaker};
use crate::step::event::{Event, decode_event};
use crate::step::field_codec::FieldReader;
use crate::step::model::Model;
use crate::step::open::Firing as RawFiring;
use crate::store::bad_frame;
use crate::value::typed::TypedValue;
use crate::value::{DecodeError, decode};

/// One firing of an event in a [`Record`]: of an event that the program applied, or of an immediate event.
///
/// `Display` renders the event with its fields and its facts: `Froze { account: Account/1.1, why: "a doubt" } => move Account/1.1 ..`.
pub struct Firing<'r, M: Model> {
    record: &'r Record<M>,
    index: usize,
}

impl<M: Model> Clone for Firing<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model> Copy for Firing<'_, M> {}

impl<'r, M: Model> Firing<'r, M> {
    pub(super) fn new(record: &'r Record<M>, index: usize) -> Self {
        Self { record, index }
    }

    fn transaction(&self) -> &'r DecodedTransaction {
        self.record.transaction()
    }

    fn decoded(&self) -> &'r RawFiring {
        &self.transaction().decoded.firings[self.index]
    }

    fn binding(&self) -> &'r [u8] {
        self.transaction().decoded.binding(self.index)
    }

    fn def(&self) -> &'r EventDef {
        &self.transaction().plan.layout.schema.events[usize::from(self.decoded().event)]
    }

    fn bad(&self, e: DecodeError) -> StorageError {
        bad_frame(self.transaction().seq, e)
    }

    /// Returns the name of the event.
    #[must_use]
    pub fn name(&self) -> &'r str {
        self.shared_name()
    }

    pub(super) fn shared_name(&self) -> &'r Name {
        &self.transaction().plan.events[usize::from(self.decoded().event)].name
    }

    /// Returns whether the event is an immediate event.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.def().immediate
    }

    /// Returns whether the event is of type `E`.
    #[must_use]
    pub fn is<E: Event<Model = M>>(&self) -> bool {
        self.decoded().event == E::INDEX && self.transaction().foreign.is_none()
    }

    /// Returns the event if it is of type `E`, or `None` for another event.
    ///
    /// # Errors
    /// `is_damage` if the event cannot be decoded as that type.
    #[must_use]
    pub fn decode<E: Event<Model = M>>(&self) -> Option<Result<E, StorageError>> {
        self.is::<E>().then(|| {
            (self.transaction().decoded.reader(self.index))
                .and_then(|reader| decode_event::<E>(&reader))
                .map_err(|e| self.bad(e))
        })
    }

    /// Returns the event as the model's `AnyEvent`, or an immediate event with its entity.
    ///
    /// # Errors
    /// `is_damage` if the event cannot be decoded as its type.
    pub fn event(&self) -> Result<RecordedEvent<M>, StorageError> {
        let event = self.shared_name();
        if self.is_immediate() {
            let entity = self
                .immediate_on()
                .ok_or_else(|| self.bad(DecodeError::new("an immediate event has no entity")))?;
            return Ok(RecordedEvent::Immediate {
                event: Name::clone(event),
                entity,
            });
        }
        let known = M::Event::NAMES.iter().position(|name| **name == **event);
        let known = known.filter(|_| self.transaction().foreign.is_none());
        let reader = self.transaction().decoded.reader(self.index);
        reader
            .and_then(|reader| match known {
                Some(index) => M::Event::make(index, FromLog(reader)),
                None => Err(FromLog(reader).no_such_event()),
            })
            .map(RecordedEvent::Applied)
            .map_err(|e| self.bad(e))
    }

    /// Returns the entity that an immediate event fired on.
    pub(super) fn immediate_on(&self) -> Option<EntityRef> {
        let def = self.def();
        let name = def.names.first().filter(|_| def.immediate)?;
        let entities = &self.transaction().plan.layout.entities;
        Some(EntityRef {
            entity: Name::clone(&entities.get(usize::from(name.entity))?.name),
            id: Id::from_bits(decode(self.binding()).ok()?)?,
            key: None,
        })
    }

    /// Returns the entity that an immediate event fired on, or `None` for another event or an entity of another type.
    #[must_use]
    pub fn fired_on<T: Entity<Model = M>>(&self) -> Option<T> {
        let name = self.def().names.first()?;
        let entity = match &self.transaction().foreign {
            Some(foreign) => foreign.entity(name.entity)?,
            None => name.entity,
        };
        (entity == T::INDEX).then_some(())?;
        self.immediate_on().map(|on| T::from_id(on.id))
    }

    /// Returns the fields of the event, in order of declaration. An immediate event has one field, the entity that it fired
    /// on. O(fields).
    #[must_use]
    pub fn fields(&self) -> Vec<Field<'r>> {
        let DecodedTransaction {
            decoded,
            encodings,
            plan,
            ..
        } = self.transaction();
        let (def, schema) = (self.def(), &plan.layout.schema);
        let field = |index: usize, field: &'r EventFieldDef, bytes: &'r [u8]| Field {
            name: &field.name,
            value: TypedValue {
                bytes,
                encoding: encodings.of_field(self.decoded().event, index, schema),
                schema,
            },
        };
        if def.immediate {
            let first = def.fields.first();
            let on = first.map(|def| field(0, def, self.binding()));
            return on.into_iter().collect();
        }
        // The fields were checked when the record was decoded.
        let Ok(reader) = decoded.reader(self.index) else {
            return Vec::new();
        };
        (def.fields.iter().enumerate())
            .filter_map(|(index, def)| Some(field(index, def, reader.raw(index)?)))
            .collect()
    }

    /// Returns the facts that the event caused, in order.
    #[must_use]
    pub fn facts(&self) -> Facts<'r, M> {
        let facts = self.transaction().decoded.facts_of(self.index);
        self.record.facts().range(facts)
    }
}

impl<M: Model> fmt::Display for Firing<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (i, field) in self.fields().iter().enumerate() {
            let before = if i == 0 { " { " } else { ", " };
            write!(f, "{before}{}: {field}", field.name())?;
        }
        if !self.def().fields.is_empty() || self.is_immediate() {
            f.write_str(" }")?;
        }
        f.write_str(" => ")?;
        self.facts().write(f, "; ")
    }
}

impl<M: Model> fmt::Debug for Firing<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A field of an event or of an entity, with the value that it has in a firing or in a fact.
///
/// `Display` renders the value by the encoding that the schema has for the field: a handle as `Account/1.1`, a time as
/// RFC 3339, and a value of a type of the program in the diagnostic notation of CBOR. Serde serializes the value in the same way as it
/// serializes the value of a fact of a [`Record`].
#[derive(Clone, Copy)]
pub struct Field<'r> {
    name: &'r str,
    value: TypedValue<'r>,
}

impl<'r> Field<'r> {
    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &'r str {
        self.name
    }

    /// Returns its value if it can be read as a `V`, which is the type of the field or another type that serde reads from
    /// the same data.
    #[must_use]
    pub fn value<V: DeserializeOwned>(&self) -> Option<V> {
        decode(self.value.bytes).ok()
    }

    /// Returns its value in CBOR, as in the log.
    #[must_use]
    pub fn encoded(&self) -> &'r [u8] {
        self.value.bytes
    }

    /// Returns how its value is encoded, or `None` if the schema under which it was written does not say. Entity types are those of
    /// that schema.
    #[must_use]
    pub fn encoding(&self) -> Option<&'r Encoding> {
        self.value.encoding
    }

    pub(super) fn new(name: &'r str, value: TypedValue<'r>) -> Self {
        Self { name, value }
    }

    pub(super) fn typed_value(&self) -> TypedValue<'r> {
        self.value
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value, f)
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.name)
    }
}

/// An event of a [`Record`], of any type.
#[non_exhaustive]
pub enum RecordedEvent<M: Model> {
    /// An event that the program applied.
    Applied(M::Event),
    /// An immediate event.
    Immediate {
        /// The name of the event.
        event: Name,
        /// The entity that the event fired on.
        entity: EntityRef,
    },
}

impl<M: Model> RecordedEvent<M> {
    /// Returns the name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Applied(event) => event.name(),
            Self::Immediate { event, .. } => event,
        }
    }

    /// Returns the event if the program applied it, or `None` for an immediate event.
    #[must_use]
    pub fn into_applied(self) -> Option<M::Event> {
        match self {
            Self::Applied(event) => Some(event),
            Self::Immediate { .. } => None,
        }
    }
}

impl<M: Model<Event: fmt::Debug>> fmt::Debug for RecordedEvent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(event) => event.fmt(f),
            Self::Immediate { event, entity } => write!(f, "{event} on {entity}"),
        }
    }
}

/// Decodes an event of the program from its logged fields.
struct FromLog<'b>(FieldReader<'b>);

impl EventMaker for FromLog<'_> {
    type Error = DecodeError;

    fn make<E: Event>(self) -> Result<E, DecodeError> {
        decode_event(&self.0)
    }

    fn no_such_event(self) -> DecodeError {
        DecodeError::new("the model has no event of this name")
    }
}
