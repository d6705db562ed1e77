//! Typed reads: the trait [`Db`], through which stores, snapshots, transactions and handlers are read.

pub(crate) mod access;
pub(crate) mod by_index;
pub(crate) mod entity;
pub(crate) mod handle;
pub(crate) mod lists;
pub mod named;
pub mod query;

use std::fmt;

use crate::base::id::Id;
use crate::db::entity::{Entity, Keyed, Place, StateOf};
use crate::db::lists::{Places, Selected};
use crate::db::named::GraphView;
use crate::db::query::Filter;
use crate::graph::GraphRef;
use crate::graph::key::KeyQuery;
use crate::schema::{EntityIx, Hop, InvariantIx};

/// Read access to a graph. It is implemented by [`Store`](crate::Store), [`Snapshot`](crate::Snapshot),
/// [`Transaction`](crate::Transaction), by the [`Tx`](crate::Tx) of a handler, and by what guards and invariants receive.
///
/// The accessors of handles take a `Db`: `partition.name(&store)`. Lists of a store or a snapshot borrow from it, and cost
/// what is taken of them. Lists of a transaction or a `Tx` are copies, so that a loop over a list may change the graph. They
/// cost all that is in the list. [`Transaction::reader`](crate::Transaction::reader) and [`Tx::reader`](crate::Tx::reader)
/// read the same graph with lists that borrow.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, Lit, state::{Off, On}};
///
/// let mut store = Store::<lamps::Model>::memory();
/// store.try_step(Lit { lamp: "hall".into() })?;
/// let hall = store.find::<Lamp>("hall").expect("it was created above");
/// assert_eq!(hall.room(&store), "hall");
/// assert_eq!(store.place::<Lamp, On>().map(|lamp| lamp.any()).collect::<Vec<_>>(), [hall]);
/// assert_eq!(store.place::<Lamp, (Off, On)>().next(), Some(hall));
/// assert_eq!((store.count::<Lamp, Off>(), store.count::<Lamp, Any>()), (0, 1));
/// # Ok::<(), StepError>(())
/// ```
pub trait Db {
    /// The type of a list with the items of `I`: `I` itself, or an iterator over a copy.
    type List<'a, I: Iterator + 'a>: Iterator<Item = I::Item>
    where
        Self: 'a;

    #[doc(hidden)]
    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I>;

    #[doc(hidden)]
    fn graph(&self) -> GraphRef<'_>;

    /// Called for every entity that is read, because an invariant may read only some of them.
    #[doc(hidden)]
    fn reads(&self, _entity: EntityIx, _slot: u32) {}

    /// Called for every query over all entities of a type, except counts.
    #[doc(hidden)]
    fn asks(&self, _question: &str) {}

    /// Returns the graph to be read by the names in its schema instead of by the types of the model.
    fn by_name(&self) -> GraphView<'_> {
        self.asks("by_name");
        GraphView::new(self.graph())
    }

    /// Returns the entity that has a key, or `None` if there is none. O(1).
    fn find<T: Keyed>(&self, key: &(impl KeyQuery<T::Key> + ?Sized)) -> Option<T> {
        self.asks("find");
        find::<T>(self.graph(), key).map(T::from_id)
    }

    /// Returns the entities in a place, in order of ids: tokens if `S` is one state, handles if it is a tuple of states or
    /// [`Any`](crate::Any). O(entities that are taken + slots up to the last of them / 4096).
    fn place<'a, T: Entity, S: Place<T> + 'a>(&'a self) -> Self::List<'a, Places<'a, T, S>> {
        self.asks("place");
        self.list(Places::new(self.graph()))
    }

    /// Returns the entities that a filter accepts, in order of ids. They are searched for during the iteration, 64 slots at a
    /// time: O(values and links that the filter reads for the entities that are taken + slots up to the last of them / 4096).
    ///
    /// A query costs at most a few times as much as the cheapest way to find the entities that are taken: see
    /// [*Cost*](Filter#cost). To count them, to take the first or to take a page, call the methods of the filter, which
    /// copy no list of a transaction.
    fn select<T: Entity>(&self, filter: Filter<T>) -> Self::List<'_, Selected<'_, T>> {
        self.asks("select");
        self.list(Selected::new(self.graph(), filter))
    }

    /// Returns the number of entities in a state, or with [`Any`](crate::Any) the number of all entities of the type. O(1).
    fn count<T: Entity, S: StateOf<T>>(&self) -> usize {
        match S::STATE {
            Some(state) => self.graph().count(T::INDEX, state),
            None => self.graph().alive(T::INDEX),
        }
    }
}

/// The entity that has a key; O(1).
pub(crate) fn find<T: Keyed>(
    graph: GraphRef<'_>,
    key: &(impl KeyQuery<T::Key> + ?Sized),
) -> Option<Id> {
    let slot = graph.find::<T::Key>(T::INDEX, T::KEY, key)?;
    Some(graph.id(T::INDEX, slot))
}

impl<D: Db + ?Sized> Db for &D {
    type List<'a, I: Iterator + 'a>
        = D::List<'a, I>
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I> {
        (**self).list(items)
    }

    fn graph(&self) -> GraphRef<'_> {
        (**self).graph()
    }

    fn reads(&self, entity: EntityIx, slot: u32) {
        (**self).reads(entity, slot);
    }

    fn asks(&self, question: &str) {
        (**self).asks(question);
    }
}

/// The graph as invariants and, within [`Guarded`](crate::Guarded), guards read it, and as a transaction is read without
/// copies of lists ([`Transaction::reader`](crate::Transaction::reader), [`Tx::reader`](crate::Tx::reader)).
pub struct Reader<'g> {
    pub(crate) graph: GraphRef<'g>,
    /// Under `paranoid`, the invariant that reads and the slot of its entity.
    pub(crate) of: Option<(InvariantIx, u32)>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl<'g> Reader<'g> {
    /// A reader that may read everything.
    pub(crate) fn of(graph: GraphRef<'g>) -> Self {
        Self { graph, of: None }
    }

    /// Panics: an invariant reads an entity that it does not declare, so that it would not be checked when that changes.
    #[cold]
    fn undeclared(&self, invariant: InvariantIx, what: &str, hint: &str) -> ! {
        let def = &self.graph.layout().schema[invariant];
        panic!(
            "invariant {} reads {what}, which is neither its own entity nor in its `via`: {hint}",
            def.name
        )
    }
}

impl Db for Reader<'_> {
    type List<'a, I: Iterator + 'a>
        = I
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> I {
        items
    }

    fn graph(&self) -> GraphRef<'_> {
        self.graph
    }

    fn reads(&self, entity: EntityIx, slot: u32) {
        let Some((invariant, own)) = self.of else {
            return;
        };
        let layout = self.graph.layout();
        let def = &layout.schema[invariant];
        let leads = |hop: &Hop| {
            layout.edges[usize::from(hop.edge)].far(hop.forward).entity == entity
                && self.graph.links(*hop, own).contains(&slot)
        };
        if (entity, slot) == (def.entity, own) || def.via.iter().any(leads) {
            return;
        }
        let ends = &layout.entities[usize::from(def.entity)].ends;
        let hint = match ends.iter().find(|hop| leads(hop)) {
            Some(hop) => {
                let end = layout.edges[usize::from(hop.edge)].near(hop.forward);
                format!("add `{}` to it", end.name)
            }
            None => "it is more than one edge away".to_owned(),
        };
        let what = self.graph.entity_ref(entity, slot).to_string();
        self.undeclared(invariant, &what, &hint);
    }

    fn asks(&self, question: &str) {
        if let Some((invariant, _)) = self.of {
            let hint = "ask its neighbours, or counts";
            self.undeclared(invariant, &format!("all entities (`{question}`)"), hint);
        }
    }
}

/// Panics, as an index that is out of range does: the entity of the handle was deleted, or is of another store.
#[cold]
#[track_caller]
pub(crate) fn gone(graph: GraphRef<'_>, entity: EntityIx, id: Id) -> ! {
    let name = &graph.layout().entities[usize::from(entity)].name;
    panic!("{name}/{id} does not exist in this store (ask `alive(db)` first where that can be)")
}
