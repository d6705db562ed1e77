//! Filters: conditions on the entities of a type, which are evaluated as far as their result is taken.
//!
//! [`path`] has the constants by which filters name fields and edges, [`node`] the conditions as data, [`candidates`] tests single
//! entities and lists those that an index or links lead to ([`composite`] by an index of several parts), [`set`] evaluates a filter with bitsets, [`page`] returns results in
//! pages, and [`plan`] explains what a query reads.

mod candidates;
mod composite;
mod node;
pub mod page;
pub mod path;
pub mod plan;
mod set;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};
use std::sync::Arc;

use crate::db::Db;
use crate::db::entity::{Entity, Handle, Place};
use crate::db::query::candidates::holds;
use crate::db::query::node::Node;
pub(crate) use crate::db::query::set::Members;
use crate::graph::Graph;
use crate::graph::any::either;
use crate::graph::storage::Storage;

/// A condition on the entities of a type.
///
/// | filter | accepts the entities |
/// |---|---|
/// | `Bed::in_place::<Free>()`, `Bed::in_place::<(Free, Occupied)>()` | in a state, or in one of several |
/// | `Bed::NUMBER.eq(7)`, `ne`, `lt`, `le`, `gt`, `ge`, `within(1..9)`, `one_of([1, 2])`, `matches(f)` | whose value of a field meets a condition: [`FieldPath`](crate::query::FieldPath) |
/// | `Bed::WARD.is(icu)`, `Patient::DOCTORS.contains(doctor)`, `Patient::BED.is_none()` | that are linked with one entity, or with none: [`EdgePath`](crate::query::EdgePath) |
/// | `Patient::BED.any(filter)`, `all`, `none` | of which any, all or none of the linked entities are accepted by a filter |
/// | `Filter::of([bed, other])` | that are named |
/// | `a & b`, `a \| b`, `!a` | that both accept, that at least one accepts, that `a` does not accept |
///
/// The methods of a filter read any [`Db`] and collect nothing; [`Db::select`] iterates over all results.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/wards.rs")); } use doc::wards;
/// use ironweave::prelude::*;
/// use wards::{Admitted, Bed, Bedded, Doctor, Patient, SetUp, Ward, state::{Free, Occupied}};
///
/// let mut store = Store::<wards::Model>::memory();
/// for (number, ward) in [(1, "icu"), (2, "icu"), (3, "surgery")] {
///     store.try_step(SetUp { number, ward: ward.into() })?;
/// }
/// store.try_step(Admitted { number: 10, age: 70, doctors: vec!["grey".into(), "yang".into()] })?;
/// store.try_step(Admitted { number: 11, age: 30, doctors: vec!["yang".into()] })?;
/// store.try_step(Bedded { patient: Key::new(10u64), bed: Key::new(1u32) })?;
///
/// let icu = store.find::<Ward>("icu").expect("it has beds");
/// let yang = store.find::<Doctor>("yang").expect("she has patients");
///
/// let free = Bed::WARD.is(icu) & Bed::in_place::<Free>();
/// assert_eq!(free.count(&store), 1);
/// assert_eq!(free.first(&store).expect("there is one").number(&store), 2);
///
/// let in_bed = Patient::DOCTORS.contains(yang) & Patient::BED.any(Bed::in_place::<Occupied>());
/// assert_eq!(in_bed.count(&store), 1);
/// assert!((in_bed & Patient::AGE.ge(65)).exists(&store));
/// # Ok::<(), StepError>(())
/// ```
///
/// # Cost
///
/// A query can test one entity after the other, or begin with the entities that a part of the filter leads to: by a key, by an
/// index, or by the links of entities that the filter names or that are found in the same way. Which of these costs less is
/// found out during the query, by trying both with the same budget, which doubles. So a query costs at most a few times as much
/// as the cheapest way to get the results that are taken: `Bed::WARD.is(icu).count(&store)` costs O(beds of `icu`), and
/// `first` on a filter that most entities meet costs O(1). [`explain`](Self::explain) says which way was taken.
///
/// # Panics
///
/// `&`, `|`, `!` and the conditions across an edge panic if they make a filter of more than 1,000 levels. A row of `&`, or of `|`, is one
/// level, however long it is.
pub struct Filter<T> {
    node: Node,
    /// How deep the condition is nested.
    levels: u16,
    of: PhantomData<fn() -> T>,
}

/// The greatest number of levels of a filter. Its evaluation takes as many levels of the stack.
const LEVELS_MAX: u16 = 1_000;

impl<T> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.node).finish()
    }
}

impl<T: Entity> Filter<T> {
    /// A condition without parts.
    fn new(node: Node) -> Self {
        Self::nested(node, 0)
    }

    /// A condition whose parts have this many levels.
    fn nested(node: Node, levels: u16) -> Self {
        assert!(
            levels < LEVELS_MAX,
            "a filter on {} has more than {LEVELS_MAX} levels: combine many conditions in one row of `&` or of `|`",
            T::NAME
        );
        Self {
            node,
            levels: levels + 1,
            of: PhantomData,
        }
    }

    pub(crate) fn in_place<S: Place<T>>() -> Self {
        Self::new(Node::In(S::STATES.to_vec()))
    }

    /// Returns a filter for some entities. Those that do not exist are ignored. O(entities).
    #[must_use]
    pub fn of(entities: impl IntoIterator<Item = impl Handle<Entity = T>>) -> Self {
        let mut ids: Vec<_> = entities.into_iter().map(|entity| entity.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        Self::new(Node::Named(Arc::from(ids)))
    }

    /// The slots of the entities that meet the condition, from a slot on and in order.
    pub(crate) fn members<S: Storage>(self, graph: &Graph<S>, from: u32) -> Members<'_, S> {
        Members::new(set::eval(graph, T::INDEX, self.node), from)
    }

    /// Returns how many entities the filter accepts. For a filter of places alone, O(slots / 64); otherwise see
    /// [*Cost*](Self#cost).
    #[must_use]
    pub fn count(&self, db: &impl Db) -> usize {
        db.asks("count");
        either!(db.graph(), graph => self.clone().members(graph, 0).count_rest())
    }

    /// Returns the accepted entity with the smallest id, or `None` if there is none; see [*Cost*](Self#cost).
    #[must_use]
    pub fn first(&self, db: &impl Db) -> Option<T> {
        db.asks("first");
        let graph = db.graph();
        let slot = either!(graph, graph => self.clone().members(graph, 0).next())?;
        Some(T::from_id(graph.id(T::INDEX, slot)))
    }

    /// Returns whether the filter accepts any entity; see [*Cost*](Self#cost).
    #[must_use]
    pub fn exists(&self, db: &impl Db) -> bool {
        self.first(db).is_some()
    }

    /// Returns whether the filter accepts an entity, and false for an entity that does not exist. O(values and links that the
    /// filter reads from this entity on).
    #[must_use]
    pub fn accepts(&self, db: &impl Db, entity: impl Handle<Entity = T>) -> bool {
        db.asks("accepts");
        let (graph, id) = (db.graph(), entity.id());
        graph.exists(T::INDEX, id)
            && either!(graph, graph => {
                let mut left = usize::MAX;
                holds(graph, T::INDEX, &self.node, id.slot, &mut left)
            })
    }
}

impl<T> Clone for Filter<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            levels: self.levels,
            of: PhantomData,
        }
    }
}

impl<T: Entity> BitAnd for Filter<T> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        let levels = |filter: &Self| match filter.node {
            Node::All(_) => filter.levels - 1,
            _ => filter.levels,
        };
        let levels = levels(&self).max(levels(&other));
        Self::nested(self.node.and(other.node), levels)
    }
}

impl<T: Entity> BitOr for Filter<T> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        let levels = |filter: &Self| match filter.node {
            Node::Any(_) => filter.levels - 1,
            _ => filter.levels,
        };
        let levels = levels(&self).max(levels(&other));
        Self::nested(self.node.or(other.node), levels)
    }
}

impl<T: Entity> Not for Filter<T> {
    type Output = Self;

    fn not(self) -> Self {
        Self {
            node: self.node.negated(),
            ..self
        }
    }
}
