//! Lists of entities from an ordered index of several parts.

use std::any::Any;
use std::ops::Bound;

use super::candidates::{any, far, pay};
use super::node::{Kind, Node, Test};
use crate::graph::Graph;
use crate::graph::index::composite::Selection;
use crate::graph::storage::Storage;
use crate::schema::{ColumnIx, EntityIx, Hop, IndexDef, IndexKind, IndexPart, StateIx};

/// Lists a superset of the entities that meet all of some conditions from the index of several parts that gives the shortest
/// list, with the number of that index. Returns `None` if there is no such index, or if each would read more than is left.
///
/// An index is used if the conditions determine its first part or more, or limit its first part to a range, and if
/// they exclude the entities that are not in the index: those in other states, and those that do not have each part. An index by equality is not used: it
/// compares what is stored, and conditions on its fields compare values.
pub(super) fn list<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    parts: &[Node],
    left: &mut usize,
) -> Option<(u16, Vec<u32>)> {
    let mut best: Option<(u16, Vec<u32>)> = None;
    let mut most = *left;
    for (number, index) in (0u16..).zip(&graph.layout.schema.indexes) {
        if index.entity != entity
            || index.kind != IndexKind::Ordered
            || !(index.states.is_empty() || are_in(&index.states, parts))
        {
            continue;
        }
        let mut rest = most;
        let Some(slots) = select(graph, entity, (number, index), parts, &mut rest) else {
            continue;
        };
        most -= rest;
        if best
            .as_ref()
            .is_none_or(|(_, best)| slots.len() < best.len())
        {
            best = Some((number, slots));
        }
    }
    if best.is_some() {
        *left -= most;
    }
    best
}

/// Whether each entity that meets all conditions is in one of these states.
fn are_in(states: &[StateIx], parts: &[Node]) -> bool {
    parts.iter().any(|part| match part {
        Node::In(of) => of.iter().all(|state| states.contains(state)),
        _ => false,
    })
}

/// Whether each entity that meets all conditions has a part of an index that they do not determine.
fn have<S: Storage>(graph: &Graph<S>, part: &IndexPart, parts: &[Node]) -> bool {
    match part {
        IndexPart::Column(column) => match graph.layout.schema[*column].state {
            None => true,
            Some(state) => are_in(&[state], parts),
        },
        // A guard sees new entities that are not linked yet, also at an end that holds exactly one.
        IndexPart::End(_) => false,
    }
}

/// The slots that an index selects by the conditions, if they determine or limit its first part.
fn select<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    (number, index): (u16, &IndexDef),
    parts: &[Node],
    left: &mut usize,
) -> Option<Vec<u32>> {
    let mut prefix: Vec<Determined<'_>> = Vec::new();
    for part in &index.parts {
        let determined = match part {
            IndexPart::Column(column) => equal_to(*column, parts).map(Determined::Value),
            IndexPart::End(hop) => named(graph, *hop, parts).map(Determined::Entity),
        };
        let Some(determined) = determined else { break };
        prefix.push(determined);
    }
    let range = match index.parts.get(prefix.len()) {
        Some(IndexPart::Column(column)) => within(*column, parts),
        _ => None,
    };
    let used = prefix.len() + usize::from(range.is_some());
    let rest = &index.parts[used..];
    if used == 0 || !rest.iter().all(|part| have(graph, part, parts)) {
        return None;
    }
    let range = range.unwrap_or((Bound::Unbounded, Bound::Unbounded));
    let prefix: Vec<&dyn Any> = prefix.iter().map(Determined::as_any).collect();
    let selection = Selection {
        prefix: &prefix,
        range,
    };
    let mut slots = Vec::new();
    for slot in graph.select_ordered(number, &selection) {
        pay(left, 1)?;
        debug_assert!(graph.is_alive(entity, slot));
        slots.push(slot);
    }
    Some(slots)
}

/// What the conditions say of a part of an index.
enum Determined<'n> {
    /// The value.
    Value(&'n dyn Any),
    /// The slot of the linked entity.
    Entity(u32),
}

impl Determined<'_> {
    fn as_any(&self) -> &dyn Any {
        match self {
            Self::Value(value) => *value,
            Self::Entity(slot) => slot,
        }
    }
}

/// The conditions on the values of a column.
fn tests(column: ColumnIx, parts: &[Node]) -> impl Iterator<Item = &Test> {
    parts.iter().filter_map(move |part| match part {
        Node::Value(test) if test.column == column => Some(&**test),
        _ => None,
    })
}

/// The value that an entity must have in a column.
fn equal_to(column: ColumnIx, parts: &[Node]) -> Option<&dyn Any> {
    tests(column, parts).find_map(|test| match &test.kind {
        Kind::Equal { to, .. } if to.len() == 1 => Some(&*to[0].value as &dyn Any),
        _ => None,
    })
}

/// The limits of a range of values.
type Limits<'v> = (Bound<&'v dyn Any>, Bound<&'v dyn Any>);

/// The bounds of the value that an entity must have in a column.
fn within(column: ColumnIx, parts: &[Node]) -> Option<Limits<'_>> {
    tests(column, parts).find_map(|test| match &test.kind {
        Kind::Range { from, to, .. } => Some((any(from), any(to))),
        _ => None,
    })
}

/// The slot of the entity that an entity must be linked with at an end. If it does not exist, no entity is linked with it,
/// and no index is needed to find that.
fn named<S: Storage>(graph: &Graph<S>, hop: Hop, parts: &[Node]) -> Option<u32> {
    let there = far(graph, hop);
    parts.iter().find_map(|part| match part {
        Node::Linked(over, node) if *over == hop => match &**node {
            Node::Named(ids) => match ids[..] {
                [id] if graph.exists(there, id) => Some(id.slot),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
