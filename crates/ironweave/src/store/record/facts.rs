//! Facts as a program sees them: with the names of the model, and with their values.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Surroundings;
use super::changes::Changes;
use super::net::{self, Occupant};
use crate::base::id::Id;
use crate::db::entity::{Entity, Place};
use crate::graph::fact::{Fact as RawFact, Facts as RawFacts};
use crate::graph::layout::Layout;
use crate::schema::{EntityIx, Hop, StateIx};
use crate::step::model::Model;
use crate::value;

/// Facts in the order in which they happened: those of a [`Record`](crate::Record), of one [`Firing`](crate::Firing) of
/// it, of [`Changes`], or of an open [`Transaction`](crate::Transaction). It is a view, as a slice is.
///
/// `facts.iter()` gives each single fact. The other methods give what changed *on balance* between the first fact and the
/// last: an entity that moved from A over B to C entered C and left A, and did neither to B; one that was created and
/// deleted in between appears nowhere.
///
/// `Display` gives one fact a line.
pub struct Facts<'r, M> {
    pub(super) facts: &'r RawFacts,
    pub(super) start: usize,
    pub(super) end: usize,
    layout: &'r Arc<Layout>,
    surroundings: Option<&'r dyn Surroundings>,
    model: PhantomData<fn() -> M>,
}

impl<M> Clone for Facts<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Facts<'_, M> {}

impl<'r, M> Facts<'r, M> {
    #[inline]
    pub(crate) fn new(facts: &'r RawFacts, layout: &'r Arc<Layout>) -> Self {
        Self {
            facts,
            start: 0,
            end: facts.list.len(),
            layout,
            surroundings: None,
            model: PhantomData,
        }
    }

    pub(super) fn within(self, surroundings: Option<&'r dyn Surroundings>) -> Self {
        Self {
            surroundings,
            ..self
        }
    }

    /// Those of a range.
    pub(super) fn range(self, range: std::ops::Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
            ..self
        }
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The fact at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Fact<'r>> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The fact at an index that is known to be one of them.
    pub(crate) fn at(&self, index: usize) -> Fact<'r> {
        Fact {
            facts: self.facts,
            index: self.start + index,
            layout: self.layout,
            surroundings: self.surroundings,
        }
    }

    /// Each fact, in order.
    #[must_use]
    pub fn iter(&self) -> FactIter<'r, M> {
        FactIter {
            facts: *self,
            next: 0,
        }
    }

    fn raw(&self) -> &'r [RawFact] {
        self.facts
            .list
            .get(self.start..self.end)
            .unwrap_or_default()
    }
}

impl<'r, M: Model> Facts<'r, M> {
    /// A copy that owns its facts.
    #[must_use]
    pub fn to_changes(&self) -> Changes<M> {
        let mut changes = Changes::new(RawFacts::default(), Arc::clone(self.layout));
        changes.append(*self);
        changes
    }

    /// The entities of a type that are there after these facts and were not before, in order of their creation.
    #[must_use]
    pub fn created<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupancies::<T>()
            .filter(|o| o.before.is_none() && o.after.is_some())
            .filter_map(|o| o.occupant.handle())
            .collect()
    }

    /// The entities of a type that were there before these facts and are not after.
    #[must_use]
    pub fn deleted<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupancies::<T>()
            .filter(|o| o.before.is_some() && o.after.is_none())
            .filter_map(|o| o.occupant.handle())
            .collect()
    }

    /// The entities that are in a place after these facts and were not before: moved there or created there.
    ///
    /// The log names an entity that only moves by its slot, so that what comes from the log alone does not say which
    /// generation it was; see [`Occupant`].
    #[must_use]
    pub fn entered<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        let inside = |state: Option<StateIx>| state.is_some_and(|s| S::STATES.contains(&s));
        self.occupancies::<T>()
            .filter(|o| !inside(o.before) && inside(o.after))
            .map(|o| o.occupant)
            .collect()
    }

    /// The entities that were in a place before these facts and are not after: moved away or deleted.
    #[must_use]
    pub fn left<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        let inside = |state: Option<StateIx>| state.is_some_and(|s| S::STATES.contains(&s));
        self.occupancies::<T>()
            .filter(|o| inside(o.before) && !inside(o.after))
            .map(|o| o.occupant)
            .collect()
    }

    fn occupancies<T: Entity<Model = M>>(&self) -> impl Iterator<Item = net::Occupancy<T>> {
        net::occupancies(self.raw(), self.surroundings)
    }

    /// The pairs that are linked after these facts and were not before, over the edge that the field `field` of `A` is an
    /// end of. `None` where `A` has no such field, or it leads to another type than `B`.
    #[must_use]
    pub fn linked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        let hop = self.hop::<A, B>(field)?;
        Some(net::links(
            self.raw(),
            self.layout,
            hop,
            true,
            self.surroundings,
        ))
    }

    /// The pairs that were linked before these facts and are not after; as [`linked`](Self::linked).
    #[must_use]
    pub fn unlinked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        let hop = self.hop::<A, B>(field)?;
        Some(net::links(
            self.raw(),
            self.layout,
            hop,
            false,
            self.surroundings,
        ))
    }

    /// The edge that a field of one type is an end of, if its other end is of the other type.
    fn hop<A: Entity, B: Entity>(&self, field: &str) -> Option<Hop> {
        let ends = &self.layout.entities.get(usize::from(A::INDEX))?.ends;
        let mut ends = ends.iter().copied();
        ends.find(|hop| {
            let edge = &self.layout.edges[usize::from(hop.edge)];
            let (near, far) = (edge.near(hop.forward), edge.far(hop.forward));
            &*near.name == field && far.entity == B::INDEX
        })
    }

    /// Whether one of the facts is about an entity or one of its links. Another entity that was at the same slot in the
    /// same transaction, before or after it, is told apart; one of another transaction is not, since facts name slots.
    #[must_use]
    pub fn touches<T: Entity<Model = M>>(&self, entity: T) -> bool {
        !net::about(self.raw(), self.layout, &[(T::INDEX, entity.id())]).is_empty()
    }
}

impl<'r, M> IntoIterator for Facts<'r, M> {
    type Item = Fact<'r>;
    type IntoIter = FactIter<'r, M>;

    fn into_iter(self) -> FactIter<'r, M> {
        self.iter()
    }
}

/// The same facts with the same values.
impl<M> PartialEq for Facts<'_, M> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl<M> fmt::Display for Facts<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fact) in self.iter().enumerate() {
            write!(f, "{}{fact}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl<M> fmt::Debug for Facts<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterates over [`Facts`].
pub struct FactIter<'r, M> {
    facts: Facts<'r, M>,
    next: usize,
}

impl<M> Clone for FactIter<'_, M> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<M> fmt::Debug for FactIter<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'r, M> Iterator for FactIter<'r, M> {
    type Item = Fact<'r>;

    fn next(&mut self) -> Option<Fact<'r>> {
        let fact = self.facts.get(self.next)?;
        self.next += 1;
        Some(fact)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.facts.len() - self.next;
        (left, Some(left))
    }
}

impl<M> ExactSizeIterator for FactIter<'_, M> {}

/// What a fact does to the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactKind {
    /// An entity is created, without values and links.
    Create,
    /// An entity is deleted, with its values. Its links were removed before, by facts of their own.
    Delete,
    /// An entity moves to another state. The data of the old state is gone.
    Move,
    /// A field, or a piece of state data, is set.
    Set,
    /// Two entities are linked.
    Link,
    /// The link of two entities is removed, with its data.
    Unlink,
    /// The data of a link is set.
    SetLink,
}

/// One change of the graph, with names and with its value.
///
/// `Display` gives it as the log is printed: `set Account/1.balance = 105`. Two facts are equal if they do the same, with
/// the same value.
#[derive(Clone, Copy)]
pub struct Fact<'r> {
    facts: &'r RawFacts,
    index: usize,
    layout: &'r Layout,
    surroundings: Option<&'r dyn Surroundings>,
}

impl<'r> Fact<'r> {
    pub(super) fn raw(&self) -> RawFact {
        self.facts.list[self.index]
    }

    /// What it does.
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

    /// The entity that it is about. Of a link, the entity at the end that declares the edge.
    #[must_use]
    pub fn entity(&self) -> FactEntity<'r> {
        match self.raw() {
            RawFact::Create { entity, slot, .. }
            | RawFact::Delete { entity, slot, .. }
            | RawFact::Move { entity, slot, .. } => self.at(entity, slot),
            RawFact::Set { column, slot, .. } => {
                self.at(self.layout.columns[usize::from(column)].entity, slot)
            }
            RawFact::Link { edge, from, .. }
            | RawFact::Unlink { edge, from, .. }
            | RawFact::SetLink { edge, from, .. } => {
                self.at(self.layout.edges[usize::from(edge)].from.entity, from)
            }
        }
    }

    /// Of a link, the entity at its other end.
    #[must_use]
    pub fn other(&self) -> Option<FactEntity<'r>> {
        match self.raw() {
            RawFact::Link { edge, to, .. }
            | RawFact::Unlink { edge, to, .. }
            | RawFact::SetLink { edge, to, .. } => {
                Some(self.at(self.layout.edges[usize::from(edge)].to.entity, to))
            }
            _ => None,
        }
    }

    fn at(&self, entity: EntityIx, slot: u32) -> FactEntity<'r> {
        FactEntity {
            name: &self.layout.entities[usize::from(entity)].name,
            entity,
            slot,
            generation: net::generation(&self.facts.list, self.index, (entity, slot))
                .or_else(|| self.surroundings?.generation(entity, slot)),
        }
    }

    /// The field, the piece of state data or, of a link, the end that declares the edge: its name in the model.
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

    /// The state whose data the field is, if it is a piece of state data.
    #[must_use]
    pub fn data_of(&self) -> Option<&'r str> {
        let RawFact::Set { column, .. } = self.raw() else {
            return None;
        };
        let def = &self.layout.schema.columns[usize::from(column)];
        def.state.map(|state| self.state(def.entity, state))
    }

    /// The state that the entity is in before: of a move or a deletion.
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

    /// The state that the entity is in after: of a move or a creation.
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

    /// The value that it sets, if it sets one and that can be read as a `V`: the type of the field, or another that
    /// serde reads from the same data.
    #[must_use]
    pub fn value<V: DeserializeOwned>(&self) -> Option<V> {
        value::decode(self.encoded()?).ok()
    }

    /// The entity that it is about, as the log names it.
    pub(super) fn logged_entity(&self) -> String {
        let entity = self.entity();
        match (self.raw(), entity.generation) {
            (RawFact::Create { .. } | RawFact::Delete { .. }, Some(generation)) => {
                format!("{}/{}.{generation}", entity.name, entity.slot)
            }
            _ => format!("{}/{}", entity.name, entity.slot),
        }
    }

    /// The value that it sets, in CBOR, as the log has it.
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
        self.facts.write(self.raw(), self.layout, f)
    }
}

impl fmt::Debug for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entity as a fact names it: by its slot, and by its generation where that is known. Prints as `Account/1.1`, or
/// `Account/1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FactEntity<'r> {
    name: &'r str,
    entity: EntityIx,
    slot: u32,
    generation: Option<u32>,
}

impl<'r> FactEntity<'r> {
    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &'r str {
        self.name
    }

    /// Its slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Its id, where its generation is known; see [`Occupant`].
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        let slot = self.slot;
        self.generation.map(|generation| Id { slot, generation })
    }

    /// The same with its type, if it is of that type.
    #[must_use]
    pub fn occupant<T: Entity>(&self) -> Option<Occupant<T>> {
        (self.entity == T::INDEX && self.name == T::NAME)
            .then(|| Occupant::new(self.slot, self.generation))
    }
}

impl fmt::Display for FactEntity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.slot)?;
        match self.generation {
            Some(generation) => write!(f, ".{generation}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FactEntity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
