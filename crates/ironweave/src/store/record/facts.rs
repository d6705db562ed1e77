//! A list of facts of a record, and the net changes that they make.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::GraphContext;
use super::changes::Changes;
use super::fact::Fact;
use super::foreign::ToProgram;
use super::net::{self, Occupant, SlotChanges};
use crate::db::entity::{Entity, Place};
use crate::graph::fact::Facts as RawFacts;
use crate::graph::layout::Layout;
use crate::graph::storage::Flat;
use crate::graph::{Graph, Journal};
use crate::schema::StateIx;
use crate::step::model::Model;
use crate::store::tags::Encodings;

/// The facts of a [`Record`](crate::Record), of a [`Firing`](crate::Firing), of [`Changes`], or of an open
/// [`Transaction`](crate::Transaction), in order. It is a view that borrows them, as a slice does.
///
/// [`iter`](Self::iter) returns each fact. The methods `created`, `deleted`, `entered`, `left`, `linked` and `unlinked`
/// return *net* changes between the first fact and the last. An entity that moved from state A over B to C entered C and left
/// A; it neither entered nor left B. An entity that was created and then deleted is in none of them. Each of these methods
/// is O(facts).
///
/// `Display` renders each fact on a line of its own.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let mut t = store.begin();
/// t.apply(Lit { lamp: "hall".into() })?;
/// assert_eq!(t.facts().created::<Lamp>().first().copied(), t.find::<Lamp>("hall"));
/// assert_eq!(t.facts().entered::<Lamp, On>().len(), 1);
/// assert_eq!(t.facts().get(1).map(|fact| fact.to_string()).as_deref(), Some("set Lamp/0.1.room = \"hall\""));
/// t.commit()?;
/// # Ok::<(), StepError>(())
/// ```
pub struct Facts<'r, M> {
    source: Source<'r>,
    pub(super) start: usize,
    pub(super) end: usize,
    layout: &'r Arc<Layout>,
    encodings: Option<&'r Encodings>,
    context: Option<&'r dyn GraphContext>,
    slot_changes: Option<&'r OnceLock<SlotChanges>>,
    /// The items of the model, if the facts have the indexes of another schema.
    foreign: Option<&'r ToProgram>,
    model: PhantomData<fn() -> M>,
}

/// The value that the facts are read from.
#[derive(Clone, Copy)]
enum Source<'r> {
    Facts(&'r RawFacts),
    /// The journal of an open transaction, whose facts are converted when they are read, and its graph.
    Open(&'r Journal, &'r Graph<Flat>),
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
        Self::whole(Source::Facts(facts), facts.list.len(), layout)
    }

    /// The facts of an open transaction.
    #[inline]
    pub(crate) fn of_open(
        journal: &'r Journal,
        graph: &'r Graph<Flat>,
        layout: &'r Arc<Layout>,
    ) -> Self {
        Self::whole(Source::Open(journal, graph), journal.facts_len(), layout)
            .with_context(Some(graph))
    }

    #[inline]
    fn whole(source: Source<'r>, end: usize, layout: &'r Arc<Layout>) -> Self {
        Self {
            source,
            start: 0,
            end,
            layout,
            encodings: None,
            context: None,
            slot_changes: None,
            foreign: None,
            model: PhantomData,
        }
    }

    /// Sets the items of the model, for facts that have the indexes of another schema.
    pub(super) fn translated_by(self, foreign: Option<&'r ToProgram>) -> Self {
        Self { foreign, ..self }
    }

    /// Returns all facts of the source.
    pub(super) fn raw(&self) -> &'r RawFacts {
        match self.source {
            Source::Facts(facts) => facts,
            Source::Open(journal, _) => journal.facts(),
        }
    }

    /// Appends the facts to other ones, with the generations of their entities if they are known.
    #[inline]
    pub(super) fn append_to(&self, others: &mut RawFacts) {
        match self.source {
            Source::Open(journal, graph) => graph.append_facts(journal, others),
            Source::Facts(facts) => self.append_range_of(facts, others),
        }
    }

    /// [`Facts::append_to`] of facts that are not those of an open transaction.
    #[inline(never)]
    fn append_range_of(&self, facts: &RawFacts, others: &mut RawFacts) {
        let range = self.start..self.end;
        if let Some(foreign) = self.foreign {
            let translated = foreign.facts(facts, true);
            let (facts, range) = (&translated.facts, translated.range(range));
            let generations = facts.generations.get(range.clone()).unwrap_or_default();
            return others.append_range(facts, range, generations);
        }
        let found = (self.context)
            .filter(|_| facts.generations.is_empty())
            .and_then(|context| net::generations(facts, range.clone(), self.layout, Some(context)));
        let generations = match &found {
            Some(found) => found,
            None => facts.generations.get(range.clone()).unwrap_or_default(),
        };
        others.append_range(facts, range, generations);
    }

    /// Sets the encodings of the values, which are otherwise those of the program's schema.
    pub(super) fn encoded_by(self, encodings: &'r Encodings) -> Self {
        Self {
            encodings: Some(encodings),
            ..self
        }
    }

    pub(super) fn with_context(self, context: Option<&'r dyn GraphContext>) -> Self {
        Self { context, ..self }
    }

    /// Sets where the facts that create and delete entities are kept, for facts without generations.
    pub(super) fn with_slot_changes(self, changes: &'r OnceLock<SlotChanges>) -> Self {
        Self {
            slot_changes: self.slot_changes.or(Some(changes)),
            ..self
        }
    }

    /// Returns the facts of a range of indexes.
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

    /// Returns the fact at an index that is less than [`len`](Self::len).
    pub(crate) fn at(&self, index: usize) -> Fact<'r> {
        Fact {
            facts: self.raw(),
            index: self.start + index,
            slot_changes: self.slot_changes,
            layout: self.layout,
            encodings: self.encodings,
            context: self.context,
        }
    }

    /// Returns each fact, in order.
    #[must_use]
    pub fn iter(&self) -> FactIter<'r, M> {
        FactIter {
            facts: *self,
            next: 0,
        }
    }

    /// Writes each fact, in order, with a separator between them.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, separator: &str) -> fmt::Result {
        let changes = OnceLock::new();
        for (i, fact) in self.with_slot_changes(&changes).iter().enumerate() {
            write!(f, "{}{fact}", if i == 0 { "" } else { separator })?;
        }
        Ok(())
    }
}

impl<'r, M: Model> Facts<'r, M> {
    /// Returns a copy that owns its facts. O(facts and their values).
    #[must_use]
    pub fn to_changes(&self) -> Changes<M> {
        let layout = self.foreign.map_or(self.layout, ToProgram::layout);
        let mut changes = Changes::new(RawFacts::default(), Arc::clone(layout));
        changes.append(*self);
        changes
    }

    /// Returns the entities of a type that exist after these facts and did not exist before, in order of creation.
    #[must_use]
    pub fn created<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupants(|o| o.before.is_none() && o.after.is_some())
            .filter_map(|occupant| occupant.handle())
            .collect()
    }

    /// Returns the entities of a type that existed before these facts and do not exist after them.
    #[must_use]
    pub fn deleted<T: Entity<Model = M>>(&self) -> Vec<T> {
        self.occupants(|o| o.before.is_some() && o.after.is_none())
            .filter_map(|occupant| occupant.handle())
            .collect()
    }

    /// Returns the entities that are in a place after these facts and were not before. They moved there or were created
    /// there.
    ///
    /// [`Occupant::handle`] returns the entity; [`Occupant`] says for which facts it is not known.
    #[must_use]
    pub fn entered<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.occupants(|o| !is_in::<T, S>(o.before) && is_in::<T, S>(o.after))
            .collect()
    }

    /// Returns the entities that were in a place before these facts and are not after them. They moved away or were
    /// deleted.
    #[must_use]
    pub fn left<T: Entity<Model = M>, S: Place<T>>(&self) -> Vec<Occupant<T>> {
        self.occupants(|o| is_in::<T, S>(o.before) && !is_in::<T, S>(o.after))
            .collect()
    }

    /// Returns the entities whose net change is accepted, in order of the first fact about each.
    fn occupants<T: Entity<Model = M>>(
        &self,
        accepts: impl Fn(&net::Occupancy<T>) -> bool,
    ) -> impl Iterator<Item = Occupant<T>> {
        let range = self.start..self.end;
        let found = match self.foreign {
            None => net::occupancies(self.raw(), range, self.context),
            Some(foreign) => {
                let translated = foreign.facts(self.raw(), false);
                let range = translated.range(range);
                net::occupancies(&translated.facts, range, self.context)
            }
        };
        found.filter(accepts).map(|o| o.occupant)
    }

    /// Returns the pairs that are linked after these facts and were not before, over the edge that has the field `field` of
    /// `A` as an end. Returns `None` if `A` has no such edge, or if its other end is not of type `B`.
    #[must_use]
    pub fn linked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        self.net_links(field, true)
    }

    /// Returns the pairs that were linked before these facts and are not after them, as [`linked`](Self::linked) does.
    #[must_use]
    pub fn unlinked<A, B>(&self, field: &str) -> Option<Vec<(Occupant<A>, Occupant<B>)>>
    where
        A: Entity<Model = M>,
        B: Entity<Model = M>,
    {
        self.net_links(field, false)
    }

    /// Returns the pairs that are linked in the net, or those that are unlinked.
    fn net_links<A: Entity, B: Entity>(
        &self,
        field: &str,
        linked: bool,
    ) -> Option<Vec<(Occupant<A>, Occupant<B>)>> {
        let layout = self.foreign.map_or(self.layout, ToProgram::layout);
        let hop = layout.hop(A::INDEX, field)?;
        let edge = &layout.edges[usize::from(hop.edge)];
        (edge.far(hop.forward).entity == B::INDEX).then(|| {
            let range = self.start..self.end;
            let Some(foreign) = self.foreign else {
                return net::links(self.raw(), range, layout, hop, linked, self.context);
            };
            let translated = foreign.facts(self.raw(), false);
            let range = translated.range(range);
            net::links(&translated.facts, range, layout, hop, linked, self.context)
        })
    }

    /// Returns whether one of the facts is about an entity or about one of its links. O(facts).
    ///
    /// A fact whose entity is known only by its slot (see [`Occupant`]) counts if `entity` has that slot.
    #[must_use]
    pub fn touches<T: Entity<Model = M>>(&self, entity: T) -> bool {
        let (all, range) = ([(T::INDEX, entity.id())], self.start..self.end);
        let Some(foreign) = self.foreign else {
            let found = net::about(self.raw(), self.layout, &all, self.context);
            return found.iter().any(|i| range.contains(i));
        };
        let translated = foreign.facts(self.raw(), false);
        let range = translated.range(range);
        let found = net::about(&translated.facts, foreign.layout(), &all, self.context);
        found.iter().any(|i| range.contains(i))
    }
}

/// Returns whether a state is one of a place.
fn is_in<T: Entity, S: Place<T>>(state: Option<StateIx>) -> bool {
    state.is_some_and(|state| S::STATES.contains(&state))
}

impl<'r, M> IntoIterator for Facts<'r, M> {
    type Item = Fact<'r>;
    type IntoIter = FactIter<'r, M>;

    fn into_iter(self) -> FactIter<'r, M> {
        self.iter()
    }
}

/// Two lists are equal if they have the same facts with the same values in the same order.
impl<M> PartialEq for Facts<'_, M> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl<M> fmt::Display for Facts<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "\n")
    }
}

impl<M> fmt::Debug for Facts<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = OnceLock::new();
        f.debug_list()
            .entries(self.with_slot_changes(&changes))
            .finish()
    }
}

/// An iterator over [`Facts`], returned by [`Facts::iter`].
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
        let changes = OnceLock::new();
        let facts = self.facts.with_slot_changes(&changes);
        f.debug_list()
            .entries(facts.iter().skip(self.next))
            .finish()
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
