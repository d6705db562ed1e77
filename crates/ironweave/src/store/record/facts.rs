//! Facts as a program sees them: with the names of the model, and with their values.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Surroundings;
use super::changes::Changes;
use super::fact::Fact;
use super::net::{self, Occupant};
use crate::db::entity::{Entity, Place};
use crate::graph::fact::Facts as RawFacts;
use crate::graph::layout::Layout;
use crate::schema::{Hop, StateIx};
use crate::step::model::Model;
use crate::store::tags::Encodings;

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
    encodings: Option<&'r Encodings>,
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
    pub(crate) fn new(facts: &'r RawFacts, layout: &'r Arc<Layout>) -> Self {
        Self {
            facts,
            start: 0,
            end: facts.list.len(),
            layout,
            encodings: None,
            surroundings: None,
            model: PhantomData,
        }
    }

    /// The same facts, with values as a schema of the log encodes them.
    pub(super) fn encoded_by(self, encodings: &'r Encodings) -> Self {
        Self {
            encodings: Some(encodings),
            ..self
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

    /// Returns the number of facts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns whether there are no facts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns the fact at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Fact<'r>> {
        (index < self.len()).then(|| self.at(index))
    }

    /// Returns the fact at an index, which must be less than the number of facts.
    pub(crate) fn at(&self, index: usize) -> Fact<'r> {
        Fact {
            facts: self.facts,
            index: self.start + index,
            layout: self.layout,
            encodings: self.encodings,
            surroundings: self.surroundings,
        }
    }

    /// Returns an iterator over the facts, in order.
    #[must_use]
    pub fn iter(&self) -> FactIter<'r, M> {
        FactIter {
            facts: *self,
            next: 0,
        }
    }
}

impl<'r, M: Model> Facts<'r, M> {
    /// Returns a copy that owns its facts. O(facts).
    #[must_use]
    pub fn to_changes(&self) -> Changes<M> {
        let mut changes = Changes::new(RawFacts::default(), Arc::clone(self.layout));
        changes.append(*self);
        changes
    }

    /// Returns the entities of a type that exist after these facts and did not exist before, in order of their creation.
    /// O(facts).
    #[must_use]
    pub fn created<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupancies::<T>()
            .filter(|o| o.before.is_none() && o.after.is_some())
            .filter_map(|o| o.occupant.handle())
            .collect()
    }

    /// Returns the entities of a type that existed before these facts and do not exist after. O(facts).
    #[must_use]
    pub fn deleted<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupancies::<T>()
            .filter(|o| o.before.is_some() && o.after.is_none())
            .filter_map(|o| o.occupant.handle())
            .collect()
    }

    /// Returns the entities that are in a place after these facts and were not before, because they moved or were created
    /// there. O(facts).
    ///
    /// The log refers to an entity that only moves by its slot, so facts from the log do not contain its generation; see
    /// [`Occupant`].
    #[must_use]
    pub fn entered<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        let inside = |state: Option<StateIx>| state.is_some_and(|s| S::STATES.contains(&s));
        self.occupancies::<T>()
            .filter(|o| !inside(o.before) && inside(o.after))
            .map(|o| o.occupant)
            .collect()
    }

    /// Returns the entities that were in a place before these facts and are not after, because they moved away or were
    /// deleted. O(facts).
    #[must_use]
    pub fn left<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        let inside = |state: Option<StateIx>| state.is_some_and(|s| S::STATES.contains(&s));
        self.occupancies::<T>()
            .filter(|o| inside(o.before) && !inside(o.after))
            .map(|o| o.occupant)
            .collect()
    }

    fn occupancies<T: Entity<Model = M>>(&self) -> impl Iterator<Item = net::Occupancy<T>> {
        net::occupancies(&self.facts.list, self.start..self.end, self.surroundings)
    }

    /// Returns the pairs that are linked after these facts and were not before, by the edge of which the field `field` of `A`
    /// is an end. Returns `None` if `A` has no such field, or its other end is not of type `B`. O(facts).
    #[must_use]
    pub fn linked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        let hop = self.hop::<A, B>(field)?;
        Some(net::links(
            &self.facts.list,
            self.start..self.end,
            self.layout,
            hop,
            true,
            self.surroundings,
        ))
    }

    /// Returns the pairs that were linked before these facts and are not after. See [`linked`](Self::linked).
    #[must_use]
    pub fn unlinked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        let hop = self.hop::<A, B>(field)?;
        Some(net::links(
            &self.facts.list,
            self.start..self.end,
            self.layout,
            hop,
            false,
            self.surroundings,
        ))
    }

    /// Returns the edge of which a field of `A` is an end, if its other end is of type `B`.
    fn hop<A: Entity, B: Entity>(&self, field: &str) -> Option<Hop> {
        let ends = &self.layout.entities.get(usize::from(A::INDEX))?.ends;
        let mut ends = ends.iter().copied();
        ends.find(|hop| {
            let edge = &self.layout.edges[usize::from(hop.edge)];
            let (near, far) = (edge.near(hop.forward), edge.far(hop.forward));
            &*near.name == field && far.entity == B::INDEX
        })
    }

    /// Returns whether one of the facts concerns an entity or one of its links. Facts refer to slots: entities that occupied
    /// the same slot in the same transaction are distinguished, and those of other transactions are not. O(facts).
    #[must_use]
    pub fn touches<T: Entity<Model = M>>(&self, entity: T) -> bool {
        let found = net::about(&self.facts.list, self.layout, &[(T::INDEX, entity.id())]);
        found.iter().any(|i| (self.start..self.end).contains(i))
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
