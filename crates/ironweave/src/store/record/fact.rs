//! One fact of a record, with the names of the model and with its value.

use std::fmt;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use super::GraphContext;
use super::firing::Field;
use super::net::{Occupant, SlotChanges};
use crate::base::id::Id;
use crate::db::entity::Entity;
use crate::graph::fact::{End, Fact as RawFact, Facts as RawFacts, NamedEntity};
use crate::graph::layout::Layout;
use crate::schema::{Encoding, EntityIx, StateIx};
use crate::store::tags::Encodings;
use crate::value;
use crate::value::typed::TypedValue;

/// The kind of change that a fact makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactKind {
    /// Creates an entity, without values and links.
    Create,
    /// Deletes an entity with its values. Facts before this one removed its links.
    Delete,
    /// Moves an entity to another state and removes the data of the old state.
    Move,
    /// Sets a field, or a piece of state data.
    Set,
    /// Links two entities.
    Link,
    /// Removes the link between two entities, with its data.
    Unlink,
    /// Sets the data of a link.
    SetLink,
}

impl FactKind {
    /// Returns the name that a serialized fact has for its kind.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Set => "set",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::SetLink => "set_link",
        }
    }
}

/// One change of the graph, with the names of the model and with its value.
///
/// `Display` renders it as `set Account/1.1.balance = 105`, with its entities as [`FactEntity`] renders them and the value as
/// [`Field`](crate::Field) renders it. Two facts are equal if they make the same change with the same value.
///
/// The entities of a fact are found in O(1). For an open transaction, and for [`Changes`](crate::Changes) with facts of format
/// version 2, they are found in O(facts), and for the first fact of a record of format version 2. Rendering or serializing
/// [`Facts`](crate::Facts) is O(facts) for all of them.
#[derive(Clone, Copy)]
pub struct Fact<'r> {
    pub(super) facts: &'r RawFacts,
    pub(super) index: usize,
    /// What the facts say about generations, if they do not have them. It is found once for all facts that share it.
    pub(super) slot_changes: Option<&'r OnceLock<SlotChanges>>,
    pub(super) layout: &'r Layout,
    pub(super) encodings: Option<&'r Encodings>,
    pub(super) context: Option<&'r dyn GraphContext>,
}

impl<'r> Fact<'r> {
    pub(super) fn raw(&self) -> RawFact {
        self.facts.list[self.index]
    }

    /// Returns the kind of change.
    #[must_use]
    pub fn kind(&self) -> FactKind {
        match self.raw() {
            RawFact::Create { .. } => FactKind::Create,
            RawFact::Delete { .. } => FactKind::Delete,
            RawFact::Move { .. } => FactKind::Move,
            RawFact::Set { .. } => FactKind::Set,
            RawFact::Link { .. } => FactKind::Link,
            RawFact::Unlink { .. } => FactKind::Unlink,
            RawFact::SetLink { .. } => FactKind::SetLink,
        }
    }

    /// Returns the entity that changes. For a link, this is the entity at the end that declares the edge.
    #[must_use]
    pub fn entity(&self) -> FactEntity<'r> {
        match self.raw() {
            RawFact::Create { entity, slot, .. }
            | RawFact::Delete { entity, slot, .. }
            | RawFact::Move { entity, slot, .. } => self.at(End::Near, entity, slot),
            RawFact::Set { column, slot, .. } => self.at(
                End::Near,
                self.layout.columns[usize::from(column)].entity,
                slot,
            ),
            RawFact::Link { edge, from, .. }
            | RawFact::Unlink { edge, from, .. }
            | RawFact::SetLink { edge, from, .. } => self.at(
                End::Near,
                self.layout.edges[usize::from(edge)].from.entity,
                from,
            ),
        }
    }

    /// Returns the entity at the other end of a link, or `None` for all other facts.
    #[must_use]
    pub fn other(&self) -> Option<FactEntity<'r>> {
        match self.raw() {
            RawFact::Link { edge, to, .. }
            | RawFact::Unlink { edge, to, .. }
            | RawFact::SetLink { edge, to, .. } => {
                Some(self.at(End::Far, self.layout.edges[usize::from(edge)].to.entity, to))
            }
            _ => None,
        }
    }

    fn at(&self, end: End, entity: EntityIx, slot: u32) -> FactEntity<'r> {
        FactEntity {
            name: &self.layout.entities[usize::from(entity)].name,
            entity,
            slot,
            generation: (self.facts.generation(self.index, end))
                .or_else(|| self.told_generation((entity, slot)))
                .or_else(|| self.context?.generation(entity, slot)),
        }
    }

    /// Returns the generation of its entity at a slot if a fact that creates or deletes that entity has it.
    fn told_generation(&self, at: (EntityIx, u32)) -> Option<u32> {
        let find = || SlotChanges::new(&self.facts.list);
        match self.slot_changes {
            Some(changes) => changes.get_or_init(find).generation(self.index, at),
            None => find().generation(self.index, at),
        }
    }

    /// Returns the name of the field or piece of state data that is set. For a link, this is the field that declares the edge.
    #[must_use]
    pub fn field(&self) -> Option<&'r str> {
        match self.raw() {
            RawFact::Set { column, .. } => Some(&self.layout.columns[usize::from(column)].name),
            RawFact::Link { edge, .. }
            | RawFact::Unlink { edge, .. }
            | RawFact::SetLink { edge, .. } => {
                Some(&self.layout.edges[usize::from(edge)].from.name)
            }
            _ => None,
        }
    }

    /// Returns the name of the state that a piece of state data belongs to, or `None` for all other facts.
    #[must_use]
    pub fn data_of(&self) -> Option<&'r str> {
        let RawFact::Set { column, .. } = self.raw() else {
            return None;
        };
        let def = &self.layout.schema.columns[usize::from(column)];
        def.state.map(|state| self.state(def.entity, state))
    }

    /// Returns the state of the entity before a move or a deletion, or `None` for all other facts.
    #[must_use]
    pub fn from(&self) -> Option<&'r str> {
        match self.raw() {
            RawFact::Delete { entity, state, .. }
            | RawFact::Move {
                entity,
                from: state,
                ..
            } => Some(self.state(entity, state)),
            _ => None,
        }
    }

    /// Returns the state of the entity after a move or a creation, or `None` for all other facts.
    #[must_use]
    pub fn to(&self) -> Option<&'r str> {
        match self.raw() {
            RawFact::Create { entity, state, .. }
            | RawFact::Move {
                entity, to: state, ..
            } => Some(self.state(entity, state)),
            _ => None,
        }
    }

    fn state(&self, entity: EntityIx, state: StateIx) -> &'r str {
        &self.layout.entities[usize::from(entity)].states[usize::from(state)].name
    }

    /// Returns the value that is set if it can be read as a `V`, which is the type of the field or another type that serde
    /// reads from the same data. Returns `None` for a fact that sets no value.
    #[must_use]
    pub fn value<V: DeserializeOwned>(&self) -> Option<V> {
        value::decode(self.encoded()?).ok()
    }

    /// Returns the field, piece of state data or edge that the fact gives a value to, with that value. Returns `None` for a fact that
    /// sets no value.
    #[must_use]
    pub fn assigned(&self) -> Option<Field<'r>> {
        Some(Field::new(self.field()?, self.typed_value()?))
    }

    /// Returns the value with the encoding that it was written with.
    pub(super) fn typed_value(&self) -> Option<TypedValue<'r>> {
        Some(TypedValue {
            bytes: self.encoded()?,
            encoding: self.encoding(),
            schema: &self.layout.schema,
        })
    }

    /// Returns the encoding in the schema under which the transaction was written, or in the program's schema.
    fn encoding(&self) -> Option<&'r Encoding> {
        let (fact, ours) = (self.raw(), &self.layout.schema);
        match self.encodings {
            Some(encodings) => encodings.of_fact(fact, ours),
            None => fact.encoding(ours),
        }
    }

    /// Returns the value that is set, in CBOR, as in the log.
    #[must_use]
    pub fn encoded(&self) -> Option<&'r [u8]> {
        self.facts.value_of(&self.raw())
    }
}

impl PartialEq for Fact<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.facts.same(self.raw(), other.facts, other.raw())
    }
}

impl fmt::Display for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = [
            self.entity().generation,
            self.other().and_then(|other| other.generation),
        ];
        self.facts
            .write(self.raw(), generations, self.layout, self.encoding(), f)
    }
}

impl fmt::Debug for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entity in a fact: its type, its slot, and its generation if that is known (see [`Occupant`]). `Display` renders it as
/// `Account/1.1`, or as `Account/1` without the generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FactEntity<'r> {
    name: &'r str,
    entity: EntityIx,
    slot: u32,
    generation: Option<u32>,
}

impl<'r> FactEntity<'r> {
    /// Returns the name of the entity type.
    #[must_use]
    pub fn type_name(&self) -> &'r str {
        self.name
    }

    /// Returns the slot of the entity.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Returns the id of the entity, or `None` if its generation is not known.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        let slot = self.slot;
        self.generation.map(|generation| Id { slot, generation })
    }

    /// Returns the entity as an [`Occupant`] of type `T`, or `None` if it is of another type.
    #[must_use]
    pub fn occupant<T: Entity>(&self) -> Option<Occupant<T>> {
        (self.name == T::NAME).then(|| Occupant::new(self.slot, self.generation))
    }
}

impl fmt::Display for FactEntity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NamedEntity {
            name: self.name,
            slot: self.slot,
            generation: self.generation,
        };
        named.fmt(f)
    }
}

impl fmt::Debug for FactEntity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
