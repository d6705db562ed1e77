//! The functions that the generated accessors of handles call: they read fields, links and states through any [`Db`].

use std::any::Any;
use std::ops::Bound;

use crate::base::hash::hash_bytes;
use crate::base::id::Id;
use crate::db::entity::{Entity, Handle, Place};
use crate::db::lists::{Indexed, Links};
use crate::db::query::Filter;
use crate::db::{Db, gone};
use crate::graph::GraphRef;
use crate::graph::index::Slots;
use crate::graph::layout::ends;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, Hop, StateIx};
use crate::value::{self, Value};

/// A hop, for use in constants.
#[must_use]
pub const fn hop(edge: u16, forward: bool) -> Hop {
    let edge = EdgeIx::new(edge);
    Hop { edge, forward }
}

#[inline]
fn slot<D: Db + ?Sized>(db: &D, entity: u16, id: Id) -> u32 {
    let entity = EntityIx::new(entity);
    if !db.graph().exists(entity, id) {
        gone(db.graph(), entity, id);
    }
    db.reads(entity, id.slot);
    id.slot
}

/// The value of a field or of a piece of state data; O(1).
///
/// # Panics
/// If the entity is deleted, or no longer in the state that has the data.
#[inline]
pub fn field<T: Any, D: Db + ?Sized>(db: &D, column: u16, entity: u16, id: Id) -> &T {
    let slot = slot(db, entity, id);
    let (entity, column) = (EntityIx::new(entity), ColumnIx::new(column));
    let graph = db.graph();
    // Not `T: Value`: the column requires that too, and one error is enough.
    graph
        .cell(column, slot)
        .unwrap_or_else(|| no_value(graph, column, entity, slot))
}

#[cold]
fn no_value(graph: GraphRef<'_>, column: ColumnIx, entity: EntityIx, slot: u32) -> ! {
    let path = &graph.layout().columns[usize::from(column)].path;
    panic!("{} has no {path} any more", graph.entity_ref(entity, slot))
}

/// The filter for the entities in a place.
#[must_use]
pub fn in_place<T: Entity, S: Place<T>>() -> Filter<T> {
    Filter::in_place::<S>()
}

/// The entities that one is linked with.
pub fn many<'d, E: Entity, D: Db>(
    db: &'d D,
    owner: u16,
    hop: Hop,
    id: Id,
) -> D::List<'d, Links<'d, E>> {
    let slot = slot(db, owner, id);
    db.list(Links::new(db.graph(), hop, slot))
}

/// The entity that one is linked with at an end that holds at most one; O(1).
pub fn option<E: Entity>(db: &(impl Db + ?Sized), owner: u16, hop: Hop, id: Id) -> Option<E> {
    let slot = slot(db, owner, id);
    let far = db.graph().links(hop, slot).first()?;
    Some(E::from_id(db.graph().id(E::INDEX, *far)))
}

/// The entity that one is linked with at an end that holds exactly one; O(1).
///
/// # Panics
/// Within an event that has not linked it yet.
pub fn one<E: Entity>(db: &(impl Db + ?Sized), owner: u16, hop: Hop, id: Id) -> E {
    option(db, owner, hop, id).unwrap_or_else(|| {
        let graph = db.graph();
        let end = &graph.layout().edges[usize::from(hop.edge)]
            .near(hop.forward)
            .path;
        panic!(
            "{} is not linked at {end} yet",
            graph.entity_ref(EntityIx::new(owner), id.slot)
        )
    })
}

/// The data of the link between two entities, if they are linked; O(1).
pub fn link_data<T: Any, D: Db + ?Sized>(
    db: &D,
    owner: u16,
    hop: Hop,
    id: Id,
    other: Id,
) -> Option<&T> {
    let slot = slot(db, owner, id);
    let graph = db.graph();
    let far = graph.layout().edges[usize::from(hop.edge)].far(hop.forward);
    if !graph.exists(far.entity, other) {
        return None;
    }
    link_value(graph, hop, slot, other.slot)
}

/// The data of the only link of an entity, if there is one; O(1).
pub fn only_link_data<T: Any, D: Db + ?Sized>(db: &D, owner: u16, hop: Hop, id: Id) -> Option<&T> {
    let slot = slot(db, owner, id);
    let far = db.graph().links(hop, slot).first()?;
    link_value(db.graph(), hop, slot, *far)
}

fn link_value<T: Any>(graph: GraphRef<'_>, hop: Hop, near: u32, far: u32) -> Option<&T> {
    let (from, to) = ends(hop, near, far);
    let (column, row) = graph.link_row(hop.edge, from, to)?;
    column.value(row)?.downcast_ref()
}

/// How many of the entities that one is linked with are in a place; O(1). The end is `counted`.
pub fn counted<T: Entity, S: Place<T>>(
    db: &(impl Db + ?Sized),
    owner: u16,
    hop: Hop,
    id: Id,
) -> usize {
    let slot = slot(db, owner, id);
    let graph = db.graph();
    let end = graph.layout().edges[usize::from(hop.edge)].near(hop.forward);
    (S::STATES.iter())
        .map(|state| graph.counted(end.counted[usize::from(*state)], slot))
        .sum()
}

/// The entities that have a value in an indexed field, in order of ids; O(log n), and O(1) for each that is taken.
pub fn by<'d, E: Entity, T: Value + Eq, D: Db>(
    db: &'d D,
    column: u16,
    value: &T,
) -> D::List<'d, Indexed<'d, E>> {
    db.asks("by");
    let graph = db.graph();
    let cells = graph.column(ColumnIx::new(column));
    let mut bytes = Vec::new();
    let slots: Slots<'d> = match value::encode(value, &mut bytes) {
        Ok(()) => {
            let value = value.clone();
            let slots = cells.equal(hash_bytes(&bytes));
            Box::new(slots.filter(move |slot| {
                cells.value(*slot).and_then(|v| v.downcast_ref()) == Some(&value)
            }))
        }
        // A value that cannot be encoded is in no column.
        Err(_) => Box::new(std::iter::empty()),
    };
    db.list(Indexed::new(graph, slots))
}

/// The entities whose value of a field with an ordered index is within a range, in order of values and then of ids;
/// O(log n), and O(1) for each that is taken.
pub fn by_range<'d, E: Entity, T: Value + Ord, D: Db>(
    db: &'d D,
    column: u16,
    range: impl std::ops::RangeBounds<T>,
) -> D::List<'d, Indexed<'d, E>> {
    db.asks("by");
    let graph = db.graph();
    fn any<T: Any>(bound: Bound<&T>) -> Bound<&dyn Any> {
        bound.map(|value| value as &dyn Any)
    }
    let range = (any(range.start_bound()), any(range.end_bound()));
    let slots = graph.column(ColumnIx::new(column)).range(range);
    db.list(Indexed::new(graph, slots))
}

/// How many entities one is linked with; O(1).
pub fn count(db: &(impl Db + ?Sized), owner: u16, hop: Hop, id: Id) -> usize {
    let slot = slot(db, owner, id);
    db.graph().degree(hop, slot)
}

/// Whether two entities are linked; O(1).
pub fn linked(db: &(impl Db + ?Sized), owner: u16, hop: Hop, id: Id, other: Id) -> bool {
    let slot = slot(db, owner, id);
    let far = db.graph().layout().edges[usize::from(hop.edge)]
        .far(hop.forward)
        .entity;
    db.graph().exists(far, other) && db.graph().linked(hop, slot, other.slot)
}

/// The state of an entity, if it exists; O(1).
fn state(db: &(impl Db + ?Sized), entity: EntityIx, id: Id) -> Option<StateIx> {
    let state = db.graph().state(entity, id);
    if state.is_some() {
        db.reads(entity, id.slot);
    }
    state
}

/// The state of an entity; O(1).
///
/// # Panics
/// If the entity is deleted.
#[inline]
pub fn state_of(db: &(impl Db + ?Sized), entity: u16, id: Id) -> u8 {
    let entity = EntityIx::new(entity);
    let state = state(db, entity, id).unwrap_or_else(|| gone(db.graph(), entity, id));
    state.get()
}

/// Whether an entity exists; O(1).
pub fn alive(db: &(impl Db + ?Sized), entity: u16, id: Id) -> bool {
    let entity = EntityIx::new(entity);
    let exists = db.graph().exists(entity, id);
    if exists {
        db.reads(entity, id.slot);
    }
    exists
}

/// Whether an entity exists, and is in a state if one is given; O(1).
#[inline]
pub fn is(db: &(impl Db + ?Sized), entity: u16, id: Id, asked: Option<StateIx>) -> bool {
    let state = state(db, EntityIx::new(entity), id);
    state.is_some() && (asked.is_none() || state == asked)
}

/// The token of an entity, if it is in its state; O(1).
pub fn in_state<H: Handle>(db: &(impl Db + ?Sized), id: Id) -> Option<H> {
    is(db, H::Entity::INDEX.get(), id, H::STATE).then(|| H::from_id(id))
}
