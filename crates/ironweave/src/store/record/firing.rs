//! One firing of a record: its event, typed or as named fields, and its facts.

use std::fmt;

use serde::de::DeserializeOwned;

use super::foreign::{ToProgram, TypedFiring};
use super::{DecodedTransaction, Facts, Record};
use crate::base::error::{EntityRef, Name};
use crate::base::id::Id;
use crate::base::storage_error::StorageError;
use crate::db::entity::Entity;
use crate::schema::{BindBy, Encoding, EventDef, EventFieldDef, EventIx, NameDef};
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
/// `Display` renders the event with its fields, the entities that it chose, and its facts:
/// `Froze { account: Account/1.1, why: "a doubt" } => move Account/1.1 ..`, `Admitted { ward: Ward/0.1 } choosing bed: Bed/2.1 => ..`.
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
        self.transaction().decoded.fields_of(self.index)
    }

    fn def(&self) -> &'r EventDef {
        &self.transaction().plan.layout.schema.events[usize::from(self.decoded().event)]
    }

    fn bad(&self, e: DecodeError) -> StorageError {
        let DecodedTransaction { seq, origin, .. } = self.transaction();
        origin.place(bad_frame(*seq, e))
    }

    /// Returns the items of the model and the firing as an event of it, if the transaction has the indexes of another schema and the
    /// model reads the event.
    fn typed(&self) -> Option<(&'r ToProgram, &'r TypedFiring)> {
        let DecodedTransaction { foreign, typed, .. } = self.transaction();
        Some((foreign.as_deref()?, typed.get(self.index)?))
    }

    /// Returns the event of the model, or `None` for an event that it does not have.
    fn of_model(&self) -> Option<EventIx> {
        match self.transaction().foreign {
            None => Some(self.decoded().event),
            Some(_) => self.typed().map(|(_, typed)| typed.event),
        }
    }

    fn reader(&self) -> Result<FieldReader<'r>, DecodeError> {
        let DecodedTransaction { decoded, typed, .. } = self.transaction();
        let typed = typed.reader(decoded, self.index);
        typed.unwrap_or_else(|| decoded.reader(self.index))
    }

    /// Returns the name of the event. In an epoch with other events or of another shape, it is the name that the event had then, unless an
    /// upcaster has read it.
    #[must_use]
    pub fn name(&self) -> &'r str {
        self.shared_name()
    }

    pub(super) fn shared_name(&self) -> &'r Name {
        match self.typed().filter(|(_, typed)| typed.upcast.is_some()) {
            Some(_) => self.name_in_model(),
            None => &self.transaction().plan.events[usize::from(self.decoded().event)].name,
        }
    }

    /// Returns the name that the event has in the model, if the model reads it.
    fn name_in_model(&self) -> &'r Name {
        let (plan, event) = match self.typed() {
            Some((foreign, typed)) => (foreign.plan(), typed.event),
            None => (&*self.transaction().plan, self.decoded().event),
        };
        &plan.events[usize::from(event)].name
    }

    /// Returns whether the event is an immediate event.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.def().immediate
    }

    /// Returns whether the model does not have the event any more and reads it as no other one, so that only its name and its
    /// [fields](Firing::fields) in the log are known.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.of_model().is_none()
    }

    /// Returns whether the event is of type `E`.
    #[must_use]
    pub fn is<E: Event<Model = M>>(&self) -> bool {
        self.of_model() == Some(E::INDEX)
    }

    /// Returns the event if it is of type `E`, or `None` for another event.
    ///
    /// # Errors
    /// `is_damage` if the event cannot be decoded as that type.
    #[must_use]
    pub fn decode<E: Event<Model = M>>(&self) -> Option<Result<E, StorageError>> {
        self.is::<E>().then(|| {
            (self.reader())
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
            if let Some(entity) = self.immediate_on() {
                return Ok(RecordedEvent::Immediate {
                    event: Name::clone(event),
                    entity,
                });
            }
            if !self.is_removed() {
                let why = "an immediate event has no entity";
                return Err(self.bad(DecodeError::new(why)));
            }
        }
        if self.is_removed() {
            return Ok(RecordedEvent::Removed {
                event: Name::clone(event),
            });
        }
        let of_model = self.name_in_model();
        let known = M::Event::NAMES.iter().position(|name| **name == **of_model);
        let reader = self.reader();
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

    /// Returns the fields of an event that an upcaster has read, and the model.
    fn upcast_fields(&self) -> Option<Vec<Field<'r>>> {
        let (foreign, typed) = self.typed()?;
        typed.upcast.as_ref()?;
        let schema = &foreign.layout().schema;
        let reader = self.reader().ok()?;
        let fields = schema[typed.event].fields.iter().enumerate();
        let field = |(index, def): (usize, &'r EventFieldDef)| {
            let value = TypedValue {
                bytes: reader.raw(index)?,
                encoding: def.encoding.as_ref(),
                schema,
            };
            Some(Field::new(&def.name, value))
        };
        Some(fields.filter_map(field).collect())
    }

    /// Returns the fields of the event: those that it has in the log, or those that an upcaster has read. An immediate event has one field, the entity that it fired on. O(fields).
    #[must_use]
    pub fn fields(&self) -> Vec<Field<'r>> {
        if let Some(fields) = self.upcast_fields() {
            return fields;
        }
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

    /// Returns the entities that the event chose by its `choose` arcs: each name with its entities, in the order in which they were
    /// chosen. Empty for an event without such arcs, and for names that the event did not have when it was logged.
    #[must_use]
    pub fn chosen(&self) -> Vec<(&'r str, Vec<EntityRef>)> {
        let def = self.def();
        let names = def.names.iter().filter(|name| name.by == BindBy::Chosen);
        let entities = &self.transaction().plan.layout.entities;
        let one = |(name, ids): (&'r NameDef, Option<Vec<Id>>)| {
            let entity = &entities.get(usize::from(name.entity))?.name;
            let all = ids?.into_iter().map(|id| EntityRef {
                entity: Name::clone(entity),
                id,
                key: None,
            });
            Some((&*name.name, all.collect()))
        };
        let mut names = names.peekable();
        if names.peek().is_none() {
            return Vec::new();
        }
        let chosen = self.transaction().decoded.chosen(self.index);
        names.zip(chosen).filter_map(one).collect()
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
        let fields = self.fields();
        for (i, field) in fields.iter().enumerate() {
            let before = if i == 0 { " { " } else { ", " };
            write!(f, "{before}{}: {field}", field.name())?;
        }
        if !fields.is_empty() {
            f.write_str(" }")?;
        }
        for (i, (name, entities)) in self.chosen().iter().enumerate() {
            let before = if i == 0 { " choosing" } else { "," };
            write!(f, "{before} {name}: ")?;
            match entities.as_slice() {
                [one] => write!(f, "{one}")?,
                several => write!(f, "{several:?}")?,
            }
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
    /// An event that the model does not have any more and reads as no other one. [`Firing::fields`] returns its fields.
    Removed {
        /// The name of the event in the log.
        event: Name,
    },
}

impl<M: Model> RecordedEvent<M> {
    /// Returns the name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Applied(event) => event.name(),
            Self::Immediate { event, .. } | Self::Removed { event } => event,
        }
    }

    /// Returns the event if the program applied it and has it still, or `None` for another one.
    #[must_use]
    pub fn into_applied(self) -> Option<M::Event> {
        match self {
            Self::Applied(event) => Some(event),
            Self::Immediate { .. } | Self::Removed { .. } => None,
        }
    }
}

impl<M: Model<Event: fmt::Debug>> fmt::Debug for RecordedEvent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(event) => event.fmt(f),
            Self::Immediate { event, entity } => write!(f, "{event} on {entity}"),
            Self::Removed { event } => write!(f, "{event}, which the model does not have"),
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
