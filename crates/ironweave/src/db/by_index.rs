//! Queries of an index on an entity: by equal first parts and a range of the next one, with the first, the last, the next and
//! the previous entity.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::base::hash::hash_bytes;
use crate::base::id::Id;
use crate::db::Db;
use crate::db::entity::{Entity, Handle};
use crate::db::lists::{Descending, Indexed};
use crate::graph::GraphRef;
use crate::graph::any::either;
use crate::graph::index::Slots;
use crate::graph::index::composite::{DescendingSlots, Selection};
pub use crate::graph::index::parts::Linked;
use crate::graph::indexing::{hash_of_parts, hash_of_slot};
use crate::schema::EntityIx;
use crate::value::{self, Value};

/// Marks an index that finds equal values: `#[index(fields = [..])]`.
#[derive(Debug)]
pub enum Hashed {}

/// Marks an index that also finds ranges of values: `#[index(ordered, fields = [..])]`.
#[derive(Debug)]
pub enum Sorted {}

/// A query of an index that is declared on an entity, returned by its function `by_NAME`. It selects the entities of the index
/// whose first parts are equal to the values given by [`equal`](ByIndex::equal), and whose next part is within the
/// [`range`](ByIndex::range), if one is given. `P` is what is not given yet, as nested pairs: `(A, (B, ()))`.
///
/// A query of an ordered index can be answered with any number of parts given. Its entities are in the order of the parts, and
/// those with equal parts in the order of ids. A query of another index is answered when all parts are given, in order of ids.
///
/// ```
/// #[ironweave::model]
/// mod exchange {
///     use ironweave::prelude::*;
///
///     #[entity]
///     #[index(ordered, fields = [symbol, price], while = Open)]
///     pub struct Order {
///         pub symbol: String,
///         pub price: u64,
///     }
///
///     #[states(Order)]
///     pub enum OrderState {
///         #[initial]
///         #[to(Filled)]
///         Open,
///         #[terminal]
///         Filled,
///     }
///
///     #[event]
///     #[create(order: Order { symbol, price })]
///     pub struct Placed {
///         pub symbol: String,
///         pub price: u64,
///     }
///
///     #[event]
///     #[moves(order: Open -> Filled)]
///     pub struct Executed {
///         pub order: Order,
///     }
/// }
/// use exchange::{Executed, Order, Placed};
/// use ironweave::prelude::*;
///
/// let mut store = Store::<exchange::Model>::memory();
/// for (symbol, price) in [("ABC", 12), ("ABC", 10), ("XYZ", 7), ("ABC", 11)] {
///     store.try_step(Placed { symbol: symbol.into(), price })?;
/// }
/// let abc = Order::by_symbol_price().equal("ABC");
/// let best = abc.first(&store).expect("there are open orders");
/// assert_eq!(best.price(&store), 10);
/// assert_eq!(abc.after(&store, &best).map(|order| order.price(&store)), Some(11));
///
/// store.try_step(Executed { order: best })?;
/// let left: Vec<u64> = abc.iter(&store).map(|order| order.price(&store)).collect();
/// assert_eq!(left, [11, 12]);
/// let dear = abc.range(12..);
/// assert_eq!(dear.first(&store), dear.last(&store));
/// # Ok::<(), StepError>(())
/// ```
#[must_use = "a query does nothing until `iter`, `first` or another method reads a graph"]
pub struct ByIndex<T, P, K> {
    index: u16,
    given: Vec<Given>,
    range: (Bound<Given>, Bound<Given>),
    of: Of<T, P, K>,
}

/// The types of a query.
type Of<T, P, K> = PhantomData<fn() -> (T, P, K)>;

impl<T, P, K> Clone for ByIndex<T, P, K> {
    fn clone(&self) -> Self {
        Self {
            index: self.index,
            given: self.given.clone(),
            range: self.range.clone(),
            of: PhantomData,
        }
    }
}

impl<T, P, K> fmt::Debug for ByIndex<T, P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ByIndex");
        shown.field("parts_given", &self.given.len());
        shown.finish_non_exhaustive()
    }
}

/// The query of all entities of an index, which has this number in the schema.
pub fn by_index<T, P, K>(index: u16) -> ByIndex<T, P, K> {
    ByIndex {
        index,
        given: Vec::new(),
        range: (Bound::Unbounded, Bound::Unbounded),
        of: PhantomData,
    }
}

/// What a query gives for a part.
#[derive(Clone)]
pub enum Given {
    Value(Arc<dyn GivenValue>),
    /// An entity that is linked: its slot is in the index.
    Entity(EntityIx, Id),
}

/// A value without its type.
pub trait GivenValue: Send + Sync {
    /// The value.
    fn value(&self) -> &dyn Any;
    /// The hash of its encoding; `None` if it has none, so that no entity has the value.
    fn hash(&self) -> Option<u64>;
    /// Whether it equals a value, which is of the same type.
    fn equals(&self, other: &dyn Any) -> bool;
}

impl<T: Value + Eq> GivenValue for T {
    fn value(&self) -> &dyn Any {
        self
    }

    fn hash(&self) -> Option<u64> {
        let mut bytes = Vec::new();
        value::encode_value(self, &mut bytes).ok()?;
        Some(hash_bytes(&bytes))
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

impl Given {
    /// The value as the index has it; `None` if the entity does not exist.
    fn stored(&self, graph: GraphRef<'_>) -> Option<&dyn Any> {
        match self {
            Self::Value(value) => Some(value.value()),
            Self::Entity(entity, id) => graph.exists(*entity, *id).then_some(&id.slot as &dyn Any),
        }
    }

    fn hash(&self) -> Option<u64> {
        match self {
            Self::Value(value) => value.hash(),
            Self::Entity(_, id) => Some(hash_of_slot(id.slot)),
        }
    }

    fn equals(&self, other: &dyn Any) -> bool {
        match self {
            Self::Value(value) => value.equals(other),
            Self::Entity(_, id) => other.downcast_ref() == Some(&id.slot),
        }
    }
}

/// A part of an index: a value, or an entity at an end of an edge, which is [`Linked`].
pub trait IndexPart: 'static {
    /// What a query gives for the part: a value, or a handle.
    type Given;
    #[doc(hidden)]
    fn given(given: Self::Given) -> Given;
}

impl<T: Value + Eq> IndexPart for T {
    type Given = T;

    fn given(given: T) -> Given {
        Given::Value(Arc::new(given))
    }
}

impl<E: Entity> IndexPart for Linked<E> {
    type Given = E;

    fn given(given: E) -> Given {
        Given::Entity(E::INDEX, given.id())
    }
}

impl<T: Entity, A: IndexPart, R, K> ByIndex<T, (A, R), K> {
    /// Selects the entities whose next part equals a value. For an edge it is the handle of the linked entity; no entity is
    /// selected if that was deleted.
    pub fn equal<Q: ToOwned<Owned = A::Given> + ?Sized>(mut self, value: &Q) -> ByIndex<T, R, K> {
        self.given.push(A::given(value.to_owned()));
        ByIndex {
            index: self.index,
            given: self.given,
            range: self.range,
            of: PhantomData,
        }
    }
}

impl<T: Entity, A: Value + Ord, R> ByIndex<T, (A, R), Sorted> {
    /// Selects the entities whose next part, which is a value, is in a range. None are selected if the range is empty or ends
    /// before it begins.
    pub fn range(self, range: impl RangeBounds<A>) -> ByIndex<T, (), Sorted> {
        let bound = |bound: Bound<&A>| bound.map(|value| A::given(value.clone()));
        ByIndex {
            index: self.index,
            given: self.given,
            range: (bound(range.start_bound()), bound(range.end_bound())),
            of: PhantomData,
        }
    }
}

/// A bound as the index has it; `None` if its entity does not exist.
fn bound<'q>(bound: &'q Bound<Given>, graph: GraphRef<'_>) -> Option<Bound<&'q dyn Any>> {
    Some(match bound {
        Bound::Included(given) => Bound::Included(given.stored(graph)?),
        Bound::Excluded(given) => Bound::Excluded(given.stored(graph)?),
        Bound::Unbounded => Bound::Unbounded,
    })
}

/// The entity at a slot.
fn at<T: Entity>(graph: GraphRef<'_>, slot: Option<u32>) -> Option<T> {
    slot.map(|slot| T::from_id(graph.id(T::INDEX, slot)))
}

impl<T: Entity, P> ByIndex<T, P, Sorted> {
    /// Calls a function with what the query selects; `None` if it names an entity that does not exist.
    fn selection<R>(
        &self,
        graph: GraphRef<'_>,
        then: impl FnOnce(&Selection<'_>) -> R,
    ) -> Option<R> {
        let prefix = self.given.iter().map(|given| given.stored(graph));
        let prefix: Vec<&dyn Any> = prefix.collect::<Option<_>>()?;
        let range = (bound(&self.range.0, graph)?, bound(&self.range.1, graph)?);
        Some(then(&Selection {
            prefix: &prefix,
            range,
        }))
    }

    fn slots<'d>(&self, graph: GraphRef<'d>) -> Slots<'d> {
        let slots = self.selection(
            graph,
            |selection| either!(graph, graph => graph.select_ordered(self.index, selection)),
        );
        slots.unwrap_or_else(|| Box::new(std::iter::empty()))
    }

    /// Returns the selected entities, in the order of the parts that are not given and then of ids. Those of a store, a snapshot
    /// or a [`Reader`](crate::Reader) can be read from both ends. O(log n), and O(1) for each that is taken.
    pub fn iter<'d, D: Db>(&self, db: &'d D) -> D::List<'d, Indexed<'d, T>> {
        db.asks("by_index");
        db.list(Indexed::new(db.graph(), self.slots(db.graph())))
    }

    /// Returns the first of the selected entities. O(log n).
    #[must_use]
    pub fn first(&self, db: &(impl Db + ?Sized)) -> Option<T> {
        db.asks("by_index");
        at(db.graph(), self.slots(db.graph()).next())
    }

    /// Returns the last of the selected entities. O(log n).
    #[must_use]
    pub fn last(&self, db: &(impl Db + ?Sized)) -> Option<T> {
        db.asks("by_index");
        at(db.graph(), self.slots(db.graph()).next_back())
    }

    /// Returns the selected entities with the greatest values of the next part first. Those with equal values of it are in the same
    /// order as in [`iter`](Self::iter): if no part follows, in the order of ids. O(log n) for each value, and O(1) for each entity
    /// that is taken.
    pub fn descending<'d, D: Db>(&self, db: &'d D) -> D::List<'d, Descending<'d, T>> {
        db.asks("by_index");
        db.list(Descending::new(
            db.graph(),
            self.descending_slots(db.graph()),
        ))
    }

    /// Returns the first of the selected entities in [`descending`](Self::descending) order: with the greatest value of the next
    /// part, and of those the first one. O(log n).
    #[must_use]
    pub fn greatest(&self, db: &(impl Db + ?Sized)) -> Option<T> {
        db.asks("by_index");
        at(db.graph(), self.descending_slots(db.graph()).next())
    }

    fn descending_slots<'d>(&self, graph: GraphRef<'d>) -> DescendingSlots<'d> {
        let slots = self.selection(
            graph,
            |selection| either!(graph, graph => graph.select_descending(self.index, selection)),
        );
        slots.unwrap_or_else(|| Box::new(std::iter::empty()))
    }

    /// Returns the first of the selected entities that is after an entity of the index, which need not be selected itself; `None`
    /// if there is none, or if the entity is not in the index. O(log n).
    #[must_use]
    pub fn after(&self, db: &(impl Db + ?Sized), entity: &impl Handle<Entity = T>) -> Option<T> {
        self.beside(db, entity.id(), true)
    }

    /// As [`after`](Self::after), for the last of the selected entities that is before an entity of the index. O(log n).
    #[must_use]
    pub fn before(&self, db: &(impl Db + ?Sized), entity: &impl Handle<Entity = T>) -> Option<T> {
        self.beside(db, entity.id(), false)
    }

    fn beside(&self, db: &(impl Db + ?Sized), id: Id, after: bool) -> Option<T> {
        db.asks("by_index");
        let graph = db.graph();
        if !graph.exists(T::INDEX, id) {
            return None;
        }
        let found = self.selection(graph, |selection| {
            either!(graph, graph => graph.select_beside(self.index, id.slot, selection, after))
        });
        at(graph, found.flatten())
    }

    /// Returns whether an entity exists and is selected. O(1).
    #[must_use]
    pub fn contains(&self, db: &(impl Db + ?Sized), entity: &impl Handle<Entity = T>) -> bool {
        db.asks("by_index");
        let (graph, id) = (db.graph(), entity.id());
        let selected = self.selection(
            graph,
            |selection| either!(graph, graph => graph.is_selected(self.index, id.slot, selection)),
        );
        graph.exists(T::INDEX, id) && selected == Some(true)
    }
}

impl<T: Entity> ByIndex<T, (), Hashed> {
    /// The slots of the selected entities.
    fn slots<'d>(&self, graph: GraphRef<'d>) -> Slots<'d> {
        let exist = self.given.iter().all(|given| given.stored(graph).is_some());
        let hash = hash_of_parts(self.given.iter().map(Given::hash));
        let Some(hash) = hash.filter(|_| exist) else {
            return Box::new(std::iter::empty());
        };
        let (index, given) = (self.index, self.given.clone());
        let slots = either!(graph, graph => graph.select_equal(index, hash));
        // Other values may have the same hash.
        Box::new(slots.filter(move |slot| has_parts(graph, index, *slot, &given)))
    }

    /// Returns the selected entities, in order of ids. O(log n), and O(1) for each that is taken.
    pub fn iter<'d, D: Db>(&self, db: &'d D) -> D::List<'d, Indexed<'d, T>> {
        db.asks("by_index");
        db.list(Indexed::new(db.graph(), self.slots(db.graph())))
    }

    /// Returns the selected entity with the smallest id. O(log n).
    #[must_use]
    pub fn first(&self, db: &(impl Db + ?Sized)) -> Option<T> {
        db.asks("by_index");
        at(db.graph(), self.slots(db.graph()).next())
    }

    /// Returns whether an entity exists and is selected. O(1).
    #[must_use]
    pub fn contains(&self, db: &(impl Db + ?Sized), entity: &impl Handle<Entity = T>) -> bool {
        db.asks("by_index");
        let (graph, id) = (db.graph(), entity.id());
        let exist = self.given.iter().all(|given| given.stored(graph).is_some());
        graph.exists(T::INDEX, id) && exist && has_parts(graph, self.index, id.slot, &self.given)
    }
}

/// Whether an entity is in an index with these parts.
fn has_parts(graph: GraphRef<'_>, index: u16, slot: u32, given: &[Given]) -> bool {
    (0..).zip(given).all(|(part, given)| {
        let equals = |value: &dyn Any| given.equals(value);
        either!(graph, graph => graph.part_is(index, slot, part, equals))
    })
}
