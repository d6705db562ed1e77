//! Conditions on single entities, and lists of the entities that meet a condition. Both read at most what they may.

use std::ops::Bound;

use super::composite;
use super::node::{Kind, Node, Sought, Test};
use super::set::{self, Members, others};
use crate::graph::Graph;
use crate::graph::layout::reverse;
use crate::graph::storage::Storage;
use crate::schema::{ColumnIx, EntityIx, Hop, IndexKind, StateIx};

/// Where a list of entities comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The entities in some states.
    Place,
    /// The entities that the filter names.
    Named,
    /// A key, or the index of a field.
    Column(ColumnIx),
    /// A key of several fields.
    Key,
    /// An index of several parts, by its number.
    Index(u16),
    /// The links, at this end, of entities from another source.
    Links(Hop, Box<Source>),
    /// All entities of the type.
    Type,
    /// Several sources, of which each gives some of the entities.
    Several(Vec<Source>),
}

/// Entities that meet a condition, in order.
pub(super) struct Listed {
    pub slots: Vec<u32>,
    pub source: Source,
}

/// The entity type that a hop leads to.
pub(super) fn far<S: Storage>(graph: &Graph<S>, hop: Hop) -> EntityIx {
    graph.layout.edges[usize::from(hop.edge)]
        .far(hop.forward)
        .entity
}

/// Whether an entity that exists meets a condition. What is read for it, in values and links, is subtracted from `left`. If
/// `left` becomes 0, reading ends, and the result means nothing.
pub(super) fn holds<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    node: &Node,
    slot: u32,
    left: &mut usize,
) -> bool {
    match node {
        Node::In(states) => states.contains(&graph.state_of(entity, slot)),
        Node::Named(ids) => {
            *left = left.saturating_sub(1);
            ids.binary_search(&graph.id(entity, slot)).is_ok()
        }
        Node::Value(test) => {
            *left = left.saturating_sub(1);
            let index = graph.layout.schema[test.column].index;
            test.accepts(graph.column(test.column), index, slot)
        }
        Node::Linked(hop, node) => is_linked(graph, *hop, node, slot, left),
        Node::All(parts) => (parts.iter()).all(|part| holds(graph, entity, part, slot, left)),
        Node::Any(parts) => (parts.iter()).any(|part| holds(graph, entity, part, slot, left)),
        Node::Not(part) => !holds(graph, entity, part, slot, left),
    }
}

/// Whether an entity is linked with one that meets a condition, see [`holds`].
fn is_linked<S: Storage>(
    graph: &Graph<S>,
    hop: Hop,
    node: &Node,
    slot: u32,
    left: &mut usize,
) -> bool {
    *left = left.saturating_sub(1);
    let there = far(graph, hop);
    if let Node::Named(ids) = node
        && ids.len() < graph.degree(hop, slot)
    {
        *left = left.saturating_sub(ids.len());
        return ids
            .iter()
            .any(|id| graph.exists(there, *id) && graph.linked(hop, slot, id.slot));
    }
    for far_slot in graph.links(hop, slot) {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        if holds(graph, there, node, *far_slot, left) {
            return true;
        }
    }
    false
}

/// Subtracts what is about to be read from what may be read; `None` if that is not enough.
pub(super) fn pay(left: &mut usize, rows: usize) -> Option<()> {
    *left = left.checked_sub(rows)?;
    Some(())
}

/// Lists the entities of a type that meet a condition, or returns `None` if that reads more than is left. All entities of
/// the type are read only if `may_scan` is set.
pub(super) fn list<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    node: &Node,
    may_scan: bool,
    left: &mut usize,
) -> Option<Listed> {
    let mut listed = match node {
        Node::In(states) => in_states(graph, entity, states.iter().copied(), left)?,
        Node::Named(ids) => {
            pay(left, ids.len())?;
            let exist = ids.iter().filter(|id| graph.exists(entity, **id));
            let slots = exist.map(|id| id.slot).collect();
            let source = Source::Named;
            Listed { slots, source }
        }
        Node::Value(test) => match indexed(graph, test) {
            Some(index) => {
                let slots = sought(graph, test, index, left)?;
                let source = Source::Column(test.column);
                Listed { slots, source }
            }
            None => scan(graph, entity, node, may_scan, left)?,
        },
        Node::Linked(hop, node) => {
            let there = list(graph, far(graph, *hop), node, true, left)?;
            let back = reverse(*hop);
            let degrees = there.slots.iter().map(|slot| graph.degree(back, *slot));
            pay(left, degrees.sum())?;
            let links = (there.slots.iter()).flat_map(|slot| graph.links(back, *slot));
            let slots = links.copied().collect();
            let source = Source::Links(*hop, Box::new(there.source));
            Listed { slots, source }
        }
        Node::All(parts) => match shortest(graph, entity, parts, left) {
            Some((at, mut listed)) => {
                let rest = || (parts.iter().enumerate()).filter(|(i, _)| Some(*i) != at);
                listed.slots.retain(|slot| {
                    rest().all(|(_, part)| holds(graph, entity, part, *slot, left)) && *left > 0
                });
                if *left == 0 {
                    return None;
                }
                listed
            }
            None => scan(graph, entity, node, may_scan, left)?,
        },
        Node::Any(parts) => {
            let (mut slots, mut sources) = (Vec::new(), Vec::new());
            for part in parts {
                let listed = list(graph, entity, part, may_scan, left)?;
                slots.extend(listed.slots);
                sources.push(listed.source);
            }
            let source = Source::Several(sources);
            Listed { slots, source }
        }
        Node::Not(part) => match &**part {
            Node::In(states) => in_states(graph, entity, others(graph, entity, states), left)?,
            _ => scan(graph, entity, node, may_scan, left)?,
        },
    };
    if !listed.slots.is_sorted_by(|a, b| a < b) {
        listed.slots.sort_unstable();
        listed.slots.dedup();
    }
    Some(listed)
}

/// Lists the entities in some states.
fn in_states<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    states: impl Iterator<Item = StateIx> + Clone,
    left: &mut usize,
) -> Option<Listed> {
    let sets = states.clone().map(|state| graph.in_state(entity, state));
    // A word of 64 slots has at least one entity, or is skipped with 63 others.
    let groups = sets.clone().map(|set| set.groups()).max().unwrap_or(0);
    let count: usize = sets.map(|set| set.len()).sum();
    let mut slots = Vec::new();
    if count > 0 {
        pay(left, count + groups)?;
        slots.extend(Members::new(set::in_states(graph, entity, states), 0));
    }
    let source = Source::Place;
    Some(Listed { slots, source })
}

/// The shortest list of the entities that meet one of several conditions, with the number of that condition, or that an index
/// of several parts or a key finds.
fn shortest<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    parts: &[Node],
    left: &mut usize,
) -> Option<(Option<usize>, Listed)> {
    if let Some(slot) = by_key(graph, entity, parts) {
        let source = Source::Key;
        let slots = slot.into_iter().collect();
        return Some((None, Listed { slots, source }));
    }
    let mut best: Option<(Option<usize>, Listed)> = None;
    // What the best one has read. Another one that reads more is given up.
    let mut most = *left;
    let mut rest = most;
    if let Some((index, slots)) = composite::list(graph, entity, parts, &mut rest) {
        most -= rest;
        let source = Source::Index(index);
        best = Some((None, Listed { slots, source }));
    }
    for (at, part) in parts.iter().enumerate() {
        let mut rest = most;
        let Some(listed) = list(graph, entity, part, false, &mut rest) else {
            continue;
        };
        most -= rest;
        if (best.as_ref()).is_none_or(|(_, best)| listed.slots.len() < best.slots.len()) {
            best = Some((Some(at), listed));
        }
    }
    if best.is_some() {
        *left -= most;
    }
    best
}

/// All entities of a type that meet a condition.
fn scan<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    node: &Node,
    may_scan: bool,
    left: &mut usize,
) -> Option<Listed> {
    if !may_scan {
        return None;
    }
    pay(left, graph.alive(entity))?;
    let mut slots: Vec<u32> = Members::new(set::of_type(graph, entity), 0).collect();
    slots.retain(|slot| holds(graph, entity, node, *slot, left) && *left > 0);
    let source = Source::Type;
    (*left > 0).then_some(Listed { slots, source })
}

/// How a column finds values.
#[derive(Clone, Copy)]
enum Finds {
    Key,
    Index(IndexKind),
}

/// How the column of a condition finds the values that meet it, if it can.
fn indexed<S: Storage>(graph: &Graph<S>, test: &Test) -> Option<Finds> {
    let def = &graph.layout.schema[test.column];
    let key = &graph.layout.entities[usize::from(def.entity)].key;
    let by_equality = matches!(test.kind, Kind::Equal { .. });
    match (&test.kind, def.index) {
        (Kind::Matches(_), _) => None,
        (_, Some(IndexKind::Ordered)) => Some(Finds::Index(IndexKind::Ordered)),
        (_, Some(IndexKind::Equal)) if by_equality => Some(Finds::Index(IndexKind::Equal)),
        (_, None) if by_equality && key[..] == [test.column] => Some(Finds::Key),
        _ => None,
    }
}

/// The slots of the entities whose values meet a condition, from an index.
fn sought<S: Storage>(
    graph: &Graph<S>,
    test: &Test,
    finds: Finds,
    left: &mut usize,
) -> Option<Vec<u32>> {
    let column = graph.column(test.column);
    let mut slots = Vec::new();
    let mut take = |found: &mut dyn Iterator<Item = u32>, left: &mut usize| {
        pay(left, 1)?;
        for slot in found {
            pay(left, 1)?;
            slots.push(slot);
        }
        Some(())
    };
    match &test.kind {
        Kind::Matches(_) => return None,
        Kind::Range { from, to, .. } => {
            take(&mut column.range((any(from), any(to))), left)?;
        }
        Kind::Equal { to, equal } => {
            for sought in to {
                // No entity has a value that cannot be written.
                let Some((bytes, hash)) = &sought.encoded else {
                    continue;
                };
                match finds {
                    Finds::Key => take(&mut column.holder(bytes).into_iter(), left)?,
                    Finds::Index(IndexKind::Equal) => {
                        let is = |slot: &u32| {
                            let value = column.value(*slot);
                            value.is_some_and(|value| equal(value, &*sought.value))
                        };
                        take(&mut column.equal(*hash).filter(is), left)?;
                    }
                    Finds::Index(IndexKind::Ordered) => {
                        let value = Bound::Included(&*sought.value as &dyn std::any::Any);
                        take(&mut column.range((value, value)), left)?;
                    }
                }
            }
        }
    }
    Some(slots)
}

pub(super) fn any(bound: &Bound<Sought>) -> Bound<&dyn std::any::Any> {
    bound
        .as_ref()
        .map(|sought| &*sought.value as &dyn std::any::Any)
}

/// If each part of a key of several fields must be equal to one value, the entity that has that key, if there is one.
fn by_key<S: Storage>(graph: &Graph<S>, entity: EntityIx, parts: &[Node]) -> Option<Option<u32>> {
    let key = &graph.layout.entities[usize::from(entity)].key;
    if key.len() < 2 || parts.len() < key.len() {
        return None;
    }
    let value_of = |column: &ColumnIx| {
        parts.iter().find_map(|part| match part {
            Node::Value(test) if test.column == *column => match &test.kind {
                Kind::Equal { to, .. } if to.len() == 1 => to[0].encoded.as_ref(),
                _ => None,
            },
            _ => None,
        })
    };
    let values: Option<Vec<&[u8]>> = (key.iter())
        .map(|column| Some(value_of(column)?.0.as_slice()))
        .collect();
    Some(graph.find_parts(entity, &values?))
}
