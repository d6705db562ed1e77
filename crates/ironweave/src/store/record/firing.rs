//! One firing of a record: its event, as a type or by names, and its facts.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{Facts, Logged, Record};
use crate::base::error::{EntityRef, Name};
use crate::base::id::Id;
use crate::base::storage_error::StorageError;
use crate::db::entity::Entity;
use crate::schema::{BindBy, EntityIx, EventDef, EventFieldDef, NameDef};
use crate::step::any_event::{AnyEvent, EventMaker};
use crate::step::event::{Event, FieldReader};
use crate::step::fields::Fields as _;
use crate::step::model::Model;
use crate::step::open::Firing as RawFiring;
use crate::store::bad_frame;
use crate::value::item::display;
use crate::value::{DecodeError, decode};

/// One firing of an event in a [`Record`]: the event that the program applied, or an immediate event that fired by itself.
///
/// `Display` gives it as the log is printed: `Froze { account: Account/1.1, why: "a doubt" } => move Account/1 ..`.
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

    fn logged(&self) -> &'r Logged {
        self.record.logged()
    }

    fn decoded(&self) -> &'r RawFiring {
        &self.logged().decoded.firings[self.index]
    }

    fn binding(&self) -> &'r [u8] {
        self.logged().decoded.binding(self.index)
    }

    fn def(&self) -> &'r EventDef {
        &self.logged().plan.layout.schema.events[usize::from(self.decoded().event)]
    }

    fn bad(&self, e: DecodeError) -> StorageError {
        bad_frame(self.logged().seq, e)
    }

    /// The name of the event.
    #[must_use]
    pub fn name(&self) -> &'r str {
        self.shared_name()
    }

    pub(super) fn shared_name(&self) -> &'r Name {
        &self.logged().plan.events[usize::from(self.decoded().event)].name
    }

    /// Whether it is an immediate event, which fired by itself.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.def().immediate
    }

    /// Whether it is a firing of an event type.
    #[must_use]
    pub fn is<E: Event<Model = M>>(&self) -> bool {
        self.decoded().event == E::INDEX
    }

    /// The event, if it is of a type.
    ///
    /// # Errors
    /// `is_damage` where it can no longer be read as that type.
    #[must_use]
    pub fn decode<E: Event<Model = M>>(&self) -> Option<Result<E, StorageError>> {
        self.is::<E>().then(|| {
            (self.logged().decoded.reader(self.index))
                .and_then(|reader| E::Fields::decode(&reader, 0))
                .map(E::of)
                .map_err(|e| self.bad(e))
        })
    }

    /// The event, whatever its type.
    ///
    /// # Errors
    /// `is_damage` where it can no longer be read as its type.
    pub fn event(&self) -> Result<RecordedEvent<M>, StorageError> {
        let event = self.shared_name();
        if self.is_immediate() {
            let entity = self.immediate_on().ok_or_else(|| {
                self.bad(DecodeError::new(
                    "an immediate event that is bound to no entity",
                ))
            })?;
            return Ok(RecordedEvent::Immediate {
                event: Name::clone(event),
                entity,
            });
        }
        let known = M::Event::NAMES.iter().position(|name| **name == **event);
        let reader = self.logged().decoded.reader(self.index);
        reader
            .and_then(|reader| match known {
                Some(index) => M::Event::make(index, FromLog(reader)),
                None => Err(FromLog(reader).no_such_event()),
            })
            .map(RecordedEvent::Applied)
            .map_err(|e| self.bad(e))
    }

    /// The entity that an immediate event fired on, as its name in the model and the entity.
    pub(super) fn immediate_on(&self) -> Option<EntityRef> {
        let def = self.def();
        let name = def.names.first().filter(|_| def.immediate)?;
        let entities = &self.logged().plan.layout.entities;
        Some(EntityRef {
            entity: Name::clone(&entities.get(usize::from(name.entity))?.name),
            id: Id::from_bits(decode(self.binding()).ok()?)?,
            key: None,
        })
    }

    /// The entity that it fired on, if it is an immediate event on an entity of that type.
    #[must_use]
    pub fn fired_on<T: Entity<Model = M>>(&self) -> Option<T> {
        let name = self.def().names.first()?;
        (name.entity == T::INDEX).then_some(())?;
        self.immediate_on().map(|on| T::from_id(on.id))
    }

    /// The fields of the event, in order of their declaration. An immediate event has one, the entity that it fired on.
    #[must_use]
    pub fn fields(&self) -> Vec<Field<'r>> {
        let (def, layout) = (self.def(), &self.logged().plan.layout);
        let entity_name = |entity: EntityIx| &*layout.entities[usize::from(entity)].name;
        if def.immediate {
            let field = |name: &'r NameDef| Field {
                name: &name.name,
                encoded: self.binding(),
                entity: Some(entity_name(name.entity)),
            };
            return def.names.first().map(field).into_iter().collect();
        }
        // All was looked at when the record was decoded.
        let Ok(reader) = self.logged().decoded.reader(self.index) else {
            return Vec::new();
        };
        let field = |(index, field): (usize, &'r EventFieldDef)| {
            let by_handle = |n: &&NameDef| {
                n.name == field.name && matches!(n.by, BindBy::Handle | BindBy::Token(_))
            };
            let bound = def.names.iter().find(by_handle);
            Some(Field {
                name: &field.name,
                encoded: reader.raw(index)?,
                entity: bound.map(|n| entity_name(n.entity)),
            })
        };
        def.fields.iter().enumerate().filter_map(field).collect()
    }

    /// The facts that it led to, in order.
    #[must_use]
    pub fn facts(&self) -> Facts<'r, M> {
        let facts = self.logged().decoded.facts_of(self.index);
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
        for (i, fact) in self.facts().iter().enumerate() {
            write!(f, "{}{fact}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl<M: Model> fmt::Debug for Firing<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A field of an event as the log has it.
///
/// `Display` gives handles as `Account/1.1` and every other value in the diagnostic notation of CBOR: the log can be
/// printed by a program that does not know the types.
#[derive(Clone, Copy)]
pub struct Field<'r> {
    name: &'r str,
    encoded: &'r [u8],
    /// The type that its handles are of.
    entity: Option<&'r str>,
}

impl<'r> Field<'r> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'r str {
        self.name
    }

    /// Its value, if that can be read as a `V`: the type of the field, or another that serde reads from the same data.
    #[must_use]
    pub fn value<V: DeserializeOwned>(&self) -> Option<V> {
        decode(self.encoded).ok()
    }

    /// Its value in CBOR, as the log has it.
    #[must_use]
    pub fn encoded(&self) -> &'r [u8] {
        self.encoded
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(entity) = self.entity else {
            return f.write_str(&display(self.encoded));
        };
        if let Some(id) = self.value().and_then(Id::from_bits) {
            return write!(f, "{entity}/{id}");
        }
        let ids = (self.value::<Vec<u64>>()).and_then(|ids| {
            ids.into_iter()
                .map(Id::from_bits)
                .collect::<Option<Vec<Id>>>()
        });
        let Some(ids) = ids else {
            return f.write_str(&display(self.encoded));
        };
        for (i, id) in ids.iter().enumerate() {
            write!(f, "{}{entity}/{id}", if i == 0 { "[" } else { ", " })?;
        }
        f.write_str(if ids.is_empty() { "[]" } else { "]" })
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.name)
    }
}

/// An event of a [`Record`], whatever its type.
pub enum RecordedEvent<M: Model> {
    /// One that the program applied.
    Applied(M::Event),
    /// An immediate event, which fired by itself.
    Immediate {
        /// Its name.
        event: Name,
        /// The entity that it fired on.
        entity: EntityRef,
    },
}

impl<M: Model> RecordedEvent<M> {
    /// The name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Applied(event) => event.name(),
            Self::Immediate { event, .. } => event,
        }
    }

    /// The event, if the program applied it.
    #[must_use]
    pub fn applied(self) -> Option<M::Event> {
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

/// Makes an event of a program from the fields that the log has.
struct FromLog<'b>(FieldReader<'b>);

impl EventMaker for FromLog<'_> {
    type Error = DecodeError;

    fn make<E: Event>(self) -> Result<E, DecodeError> {
        E::Fields::decode(&self.0, 0).map(E::of)
    }

    fn no_such_event(self) -> DecodeError {
        DecodeError::new("the program has no such event")
    }
}
