//! Iterators over entities: those in a place, those that a filter or an index finds, and those that one is linked with. Each
//! entity is looked up when it is taken.

use std::fmt;
use std::marker::PhantomData;

use crate::db::entity::{Entity, Handle as _, Place};
use crate::db::query::{Filter, Members};
use crate::graph::GraphRef;
use crate::graph::any::{Either, either};
use crate::graph::index::Slots;
use crate::graph::index::composite::DescendingSlots;
use crate::graph::list::LinkSlotsIter;
use crate::graph::paged::Paged;
use crate::graph::slots::Cursor;
use crate::graph::storage::Flat;
use crate::schema::Hop;

/// An iterator over the entities in a place, returned by [`Db::place`](crate::Db::place).
pub struct Places<'g, T, S> {
    graph: GraphRef<'g>,
    cursor: Cursor,
    of: PhantomData<fn() -> (T, S)>,
}

impl<T, S> fmt::Debug for Places<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

impl<'g, T: Entity, S: Place<T>> Places<'g, T, S> {
    pub(crate) fn new(graph: GraphRef<'g>) -> Self {
        let groups = either!(graph, graph => {
            let sets = S::STATES.iter().map(|s| graph.in_state(T::INDEX, *s).groups());
            sets.max().unwrap_or(0)
        });
        Self {
            graph,
            cursor: Cursor::new(groups),
            of: PhantomData,
        }
    }
}

impl<T: Entity, S: Place<T>> Iterator for Places<'_, T, S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let slot = either!(self.graph, graph => {
            let mut sets = S::STATES.iter().map(|s| graph.in_state(T::INDEX, *s));
            self.cursor.next(
                &mut sets,
                |sets, i| sets.clone().fold(0, |all, set| all | set.group(i)),
                |sets, i| sets.clone().fold(0, |all, set| all | set.word(i)),
            )
        })?;
        Some(S::Item::from_id(self.graph.id(T::INDEX, slot)))
    }
}

/// An iterator over the entities that a filter accepts, returned by [`Db::select`](crate::Db::select).
pub struct Selected<'g, T> {
    graph: GraphRef<'g>,
    slots: Either<Members<'g, Flat>, Members<'g, Paged>>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Selected<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selected").finish_non_exhaustive()
    }
}

impl<'g, T: Entity> Selected<'g, T> {
    pub(crate) fn new(graph: GraphRef<'g>, filter: Filter<T>) -> Self {
        let slots = match graph {
            Either::Flat(graph) => Either::Flat(filter.members(graph, 0)),
            Either::Paged(graph) => Either::Paged(filter.members(graph, 0)),
        };
        Self {
            graph,
            slots,
            of: PhantomData,
        }
    }
}

impl<T: Entity> Iterator for Selected<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let slot = either!(&mut self.slots, slots => slots.next())?;
        Some(T::from_id(self.graph.id(T::INDEX, slot)))
    }

    fn count(mut self) -> usize {
        either!(&mut self.slots, slots => slots.count_rest())
    }
}

/// An iterator over the entities that an index finds, returned by the functions `by_FIELD` and `by_FIELD_range` of an entity
/// type. It can be read from both ends.
pub struct Indexed<'g, T> {
    graph: GraphRef<'g>,
    slots: Slots<'g>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Indexed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexed").finish_non_exhaustive()
    }
}

impl<'g, T: Entity> Indexed<'g, T> {
    pub(crate) fn new(graph: GraphRef<'g>, slots: Slots<'g>) -> Self {
        Self {
            graph,
            slots,
            of: PhantomData,
        }
    }
}

impl<T: Entity> Iterator for Indexed<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let slot = self.slots.next()?;
        Some(T::from_id(self.graph.id(T::INDEX, slot)))
    }

    fn count(self) -> usize {
        self.slots.count()
    }
}

impl<T: Entity> DoubleEndedIterator for Indexed<'_, T> {
    fn next_back(&mut self) -> Option<T> {
        let slot = self.slots.next_back()?;
        Some(T::from_id(self.graph.id(T::INDEX, slot)))
    }
}

/// An iterator over the entities that an ordered index finds, with the greatest values first, returned by
/// [`ByIndex::descending`](crate::ByIndex::descending).
pub struct Descending<'g, T> {
    graph: GraphRef<'g>,
    slots: DescendingSlots<'g>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Descending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descending").finish_non_exhaustive()
    }
}

impl<'g, T: Entity> Descending<'g, T> {
    pub(crate) fn new(graph: GraphRef<'g>, slots: DescendingSlots<'g>) -> Self {
        Self {
            graph,
            slots,
            of: PhantomData,
        }
    }
}

impl<T: Entity> Iterator for Descending<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let slot = self.slots.next()?;
        Some(T::from_id(self.graph.id(T::INDEX, slot)))
    }
}

/// An iterator over the entities that an entity is linked with, returned by the accessor of a `Many` edge.
pub struct Links<'g, T> {
    graph: GraphRef<'g>,
    slots: LinkSlotsIter<'g>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Links<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Links");
        shown
            .field("len", &self.slots.len())
            .finish_non_exhaustive()
    }
}

impl<'g, T: Entity> Links<'g, T> {
    pub(crate) fn new(graph: GraphRef<'g>, hop: Hop, slot: u32) -> Self {
        Self {
            graph,
            slots: graph.links(hop, slot).iter(),
            of: PhantomData,
        }
    }
}

impl<T: Entity> Iterator for Links<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.slots
            .next()
            .map(|slot| T::from_id(self.graph.id(T::INDEX, *slot)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl<T: Entity> ExactSizeIterator for Links<'_, T> {}
