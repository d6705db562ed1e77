//! Filters: conditions on the places and links of entities, evaluated with bitsets, a word of 64 slots at a time.
//!
//! ```
//! # #[ironweave::model]
//! # pub mod build {
//! #     use ironweave::prelude::*;
//! #     /// A piece of data.
//! #     #[entity]
//! #     pub struct Partition {
//! #         /// Its name.
//! #         #[key]
//! #         pub name: String,
//! #         /// Who wants it.
//! #         #[inverse(Want::partitions)]
//! #         pub wanted_by: Many<Want>,
//! #     }
//! #     /// Where it stands.
//! #     #[states(Partition)]
//! #     pub enum PartitionState {
//! #         /// Not there.
//! #         #[initial]
//! #         #[to(Failed)]
//! #         Missing,
//! #         /// It went wrong.
//! #         #[terminal]
//! #         Failed,
//! #     }
//! #     /// A request for partitions.
//! #     #[entity]
//! #     pub struct Want {
//! #         /// Which.
//! #         pub partitions: Many<Partition>,
//! #     }
//! #     /// Where it stands.
//! #     #[states(Want)]
//! #     pub enum WantState {
//! #         /// It has not begun.
//! #         #[initial]
//! #         #[to(Building)]
//! #         Idle,
//! #         /// It has begun.
//! #         #[terminal]
//! #         Building,
//! #     }
//! #     /// Partitions are requested.
//! #     #[event]
//! #     #[create(want: Want)]
//! #     #[link(want.partitions += partitions)]
//! #     pub struct Wanted {
//! #         /// Which.
//! #         pub partitions: Vec<Ensure<Partition>>,
//! #     }
//! #     /// It went wrong.
//! #     #[event]
//! #     #[moves(partition: Missing -> Failed)]
//! #     pub struct WentWrong {
//! #         /// Which.
//! #         pub partition: Key<Partition>,
//! #     }
//! # }
//! use build::{Partition, Want, Wanted, WentWrong, state::*};
//! use ironweave::prelude::*;
//!
//! let mut store = Store::<build::Model>::memory();
//! let a = store.step(Wanted { partitions: vec!["x".into(), "y".into()] }).created.want;
//! let b = store.step(Wanted { partitions: vec!["y".into()] }).created.want;
//! store.step(WentWrong { partition: "x".into() });
//!
//! let failed = Want::with_partitions(Partition::in_place::<Failed>());
//! let open = Want::in_place::<(Idle, Building)>();
//! assert_eq!(store.select(open.clone() & failed.clone()).collect::<Vec<_>>(), [a]);
//! assert_eq!(store.select(open & !failed).collect::<Vec<_>>(), [b]);
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::db::entity::{Entity, Place};
use crate::graph::Graph;
use crate::graph::layout::reverse;
use crate::graph::slots::{Cursor, SlotsInState};
use crate::graph::storage::Storage;
use crate::schema::{EntityIx, Hop, StateIx};

/// A predicate on the entities of a type, which [`Db::select`](crate::Db::select) evaluates.
///
/// `T::in_place::<S>()` accepts the entities in a place, and `T::with_EDGE(filter)` the entities that are linked over an edge
/// with an entity that another filter accepts. Filters are combined with `&`, `|` and `!`.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Bought, Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// store.try_step(Lit { lamp: "hall".into() })?;
/// let attic = store.try_step(Bought { room: "attic".into() })?.created.lamp;
/// assert_eq!(store.select(!Lamp::in_place::<On>()).collect::<Vec<_>>(), [attic]);
/// # Ok::<(), StepError>(())
/// ```
pub struct Filter<T> {
    node: Node,
    of: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug)]
enum Node {
    In(EntityIx, &'static [StateIx]),
    With(EntityIx, Hop, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(EntityIx, Box<Node>),
}

impl<T> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.node).finish()
    }
}

impl<T: Entity> Filter<T> {
    fn new(node: Node) -> Self {
        Self {
            node,
            of: PhantomData,
        }
    }

    pub(crate) fn in_place<S: Place<T>>() -> Self {
        Self::new(Node::In(T::INDEX, S::STATES))
    }

    pub(crate) fn with<F: Entity>(hop: Hop, far: Filter<F>) -> Self {
        Self::new(Node::With(T::INDEX, hop, Box::new(far.node)))
    }

    /// The slots of the entities that meet the condition, in order.
    pub(crate) fn members<S: Storage>(self, graph: &Graph<S>) -> Members<'_, S> {
        Members::new(eval(graph, self.node))
    }
}

impl<T> Clone for Filter<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            of: PhantomData,
        }
    }
}

impl<T: Entity> BitAnd for Filter<T> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::new(Node::And(Box::new(self.node), Box::new(other.node)))
    }
}

impl<T: Entity> BitOr for Filter<T> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::new(Node::Or(Box::new(self.node), Box::new(other.node)))
    }
}

impl<T: Entity> Not for Filter<T> {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(Node::Not(T::INDEX, Box::new(self.node)))
    }
}

/// The result of a filter on a graph, as words of 64 slots and, above them, groups of 64 words. A bit of a group may be set
/// for an empty word, and is never clear for another: groups are there to skip empty words.
enum Set<'g, S: Storage> {
    /// The entities in one of several states, as the graph keeps them.
    States(Vec<SlotsInState<'g, S>>),
    /// The entities of a set that are linked with an entity that meets a condition.
    Linked(Box<Linked<'g, S>>),
    And(Box<Set<'g, S>>, Box<Set<'g, S>>),
    Or(Box<Set<'g, S>>, Box<Set<'g, S>>),
    /// The first set without the second.
    Not(Box<Set<'g, S>>, Box<Set<'g, S>>),
}

impl<S: Storage> Set<'_, S> {
    fn word(&mut self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.word(i)),
            Self::Linked(linked) => linked.word(i),
            Self::And(a, b) => match a.word(i) {
                0 => 0,
                bits => bits & b.word(i),
            },
            Self::Or(a, b) => a.word(i) | b.word(i),
            Self::Not(all, but) => match all.word(i) {
                0 => 0,
                bits => bits & !but.word(i),
            },
        }
    }

    /// A bit for each of the 64 words of a group that may be other than empty.
    fn group(&self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.group(i)),
            Self::Linked(linked) => match (linked.of.group(i), &linked.found) {
                (0, _) => 0,
                (bits, None) => bits,
                (bits, Some(found)) => bits & found.group(i),
            },
            Self::And(a, b) => match a.group(i) {
                0 => 0,
                bits => bits & b.group(i),
            },
            Self::Or(a, b) => a.group(i) | b.group(i),
            Self::Not(all, _) => all.group(i),
        }
    }

    /// An upper bound of the number of groups.
    fn groups(&self) -> usize {
        match self {
            Self::States(sets) => sets.iter().map(|p| p.groups()).max().unwrap_or(0),
            Self::Linked(linked) => linked.of.groups(),
            Self::And(a, b) => a.groups().min(b.groups()),
            Self::Or(a, b) => a.groups().max(b.groups()),
            Self::Not(all, _) => all.groups(),
        }
    }
}

/// The bits of a word whose slots meet a condition.
fn those(bits: u64, word: usize, mut holds: impl FnMut(u32) -> bool) -> u64 {
    let (mut found, mut left) = (0, bits);
    while left != 0 {
        let bit = left.trailing_zeros();
        left &= left - 1;
        if holds(word as u32 * 64 + bit) {
            found |= 1 << bit;
        }
    }
    found
}

/// The entities of a set that are linked over an edge with an entity that meets a condition.
///
/// There are two ways to find them. The first reads the links of each entity of the set. It returns results from the beginning,
/// and is slow if the set is large and few of its entities are linked with such an entity. The second lists the entities that
/// meet the condition and reads their links. It is slow if these are many or have many links, and must end before it returns a
/// result. So the first way is taken until it has read as much as the second one would read.
struct Linked<'g, S: Storage> {
    graph: &'g Graph<S>,
    of: Set<'g, S>,
    hop: Hop,
    far: Node,
    /// The number of entities and links that may be read before the next part of the second way: to list the entities that
    /// meet the condition, and then to read their links.
    left: usize,
    /// The entities that meet the condition, once they are listed.
    listed: Option<Vec<u32>>,
    /// The result of the second way, once their links are read.
    found: Option<Found>,
}

impl<S: Storage> Linked<'_, S> {
    fn word(&mut self, i: usize) -> u64 {
        let bits = self.of.word(i);
        if bits == 0 {
            return 0;
        }
        if let Some(found) = &self.found {
            return bits & found.word(i);
        }
        let graph = self.graph;
        let back = reverse(self.hop);
        loop {
            let linked = those(bits, i, |slot| {
                any_linked(graph, self.hop, &self.far, slot, &mut self.left)
            });
            if self.left > 0 {
                return linked;
            }
            let Some(far) = self.listed.take() else {
                let far: Vec<u32> = Members::new(eval(graph, self.far.clone())).collect();
                self.left = far.iter().map(|slot| graph.degree(back, *slot)).sum();
                self.listed = Some(far);
                continue;
            };
            let near = (far.into_iter()).flat_map(|slot| graph.links(back, slot).iter().copied());
            let found = self.found.insert(Found::new(near, self.of.groups()));
            return bits & found.word(i);
        }
    }
}

/// A set of slots, collected in any order.
enum Found {
    /// The words that are not empty, in order, each with its number.
    Few(Vec<(u32, u64)>),
    /// All words of the type.
    Many(Vec<u64>),
}

impl Found {
    /// Collects slots of a type that has this number of groups.
    fn new(slots: impl Iterator<Item = u32>, groups: usize) -> Self {
        let mut few = Vec::new();
        let mut many: Option<Vec<u64>> = None;
        for slot in slots {
            match &mut many {
                Some(words) => set_bit(words, slot),
                None => few.push(slot),
            }
            // A word for each 64 slots of the type costs less than sorting this number of slots.
            if many.is_none() && few.len() > groups * 4 {
                let mut words = vec![0; groups * 64];
                few.drain(..).for_each(|slot| set_bit(&mut words, slot));
                many = Some(words);
            }
        }
        match many {
            Some(words) => Self::Many(words),
            None => {
                few.sort_unstable();
                let mut words: Vec<(u32, u64)> = Vec::new();
                for slot in few {
                    match words.last_mut().filter(|(word, _)| *word == slot / 64) {
                        Some((_, bits)) => *bits |= 1 << (slot % 64),
                        None => words.push((slot / 64, 1 << (slot % 64))),
                    }
                }
                Self::Few(words)
            }
        }
    }

    fn word(&self, i: usize) -> u64 {
        match self {
            Self::Few(words) => (words.binary_search_by_key(&(i as u32), |(word, _)| *word))
                .map_or(0, |at| words[at].1),
            Self::Many(words) => words.get(i).copied().unwrap_or(0),
        }
    }

    fn group(&self, i: usize) -> u64 {
        match self {
            Self::Few(words) => {
                let first = words.partition_point(|(word, _)| (*word as usize) < i * 64);
                (words[first..].iter())
                    .take_while(|(word, _)| *word as usize / 64 == i)
                    .fold(0, |all, (word, _)| all | 1 << (word % 64))
            }
            Self::Many(words) => {
                let words = words.iter().skip(i * 64).take(64);
                (words.enumerate())
                    .filter(|(_, bits)| **bits != 0)
                    .fold(0, |all, (bit, _)| all | 1 << bit)
            }
        }
    }
}

fn set_bit(words: &mut [u64], slot: u32) {
    if let Some(word) = words.get_mut(slot as usize / 64) {
        *word |= 1 << (slot % 64);
    }
}

/// An iterator over the slots that a filter accepts, in order.
pub(crate) struct Members<'g, S: Storage> {
    set: Set<'g, S>,
    cursor: Cursor,
}

impl<'g, S: Storage> Members<'g, S> {
    fn new(set: Set<'g, S>) -> Self {
        Self {
            cursor: Cursor::new(set.groups()),
            set,
        }
    }
}

impl<S: Storage> Iterator for Members<'_, S> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.cursor.next(&mut self.set, Set::group, Set::word)
    }
}

fn eval<S: Storage>(graph: &Graph<S>, node: Node) -> Set<'_, S> {
    match node {
        Node::In(entity, states) => in_states(graph, entity, states.iter().copied()),
        Node::And(a, b) => {
            let smaller_first = size(graph, &a) <= size(graph, &b);
            match if smaller_first { (*a, *b) } else { (*b, *a) } {
                // Links are read only for the entities of the other set.
                (of, Node::With(_, hop, far)) | (Node::With(_, hop, far), of) => {
                    linked(graph, eval(graph, of), hop, *far)
                }
                (a, b) => Set::And(Box::new(eval(graph, a)), Box::new(eval(graph, b))),
            }
        }
        Node::Or(a, b) => Set::Or(Box::new(eval(graph, *a)), Box::new(eval(graph, *b))),
        Node::Not(entity, but) => {
            let not = |node| Box::new(Node::Not(entity, node));
            let all = all_states(graph, entity);
            // Without this, each word of all entities would be read, however few of them are accepted.
            match *but {
                Node::In(_, states) => {
                    in_states(graph, entity, all.filter(|state| !states.contains(state)))
                }
                Node::Not(_, node) => eval(graph, *node),
                Node::And(a, b) => eval(graph, Node::Or(not(a), not(b))),
                Node::Or(a, b) => eval(graph, Node::And(not(a), not(b))),
                with @ Node::With(..) => Set::Not(
                    Box::new(in_states(graph, entity, all)),
                    Box::new(eval(graph, with)),
                ),
            }
        }
        Node::With(entity, hop, far) => {
            let all = in_states(graph, entity, all_states(graph, entity));
            linked(graph, all, hop, *far)
        }
    }
}

/// The entities of a set that are linked with an entity that meets a condition.
fn linked<'g, S: Storage>(graph: &'g Graph<S>, of: Set<'g, S>, hop: Hop, far: Node) -> Set<'g, S> {
    let left = size(graph, &far);
    if left == 0 {
        return Set::States(Vec::new());
    }
    Set::Linked(Box::new(Linked {
        graph,
        of,
        hop,
        far,
        left,
        listed: None,
        found: None,
    }))
}

fn all_states<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
) -> impl Iterator<Item = StateIx> + use<S> {
    StateIx::all(graph.layout.entities[usize::from(entity)].states.len())
}

fn in_states<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    states: impl Iterator<Item = StateIx>,
) -> Set<'_, S> {
    Set::States(states.map(|s| graph.in_state(entity, s)).collect())
}

/// An estimate of the number of entities that a filter accepts or reads.
fn size<S: Storage>(graph: &Graph<S>, node: &Node) -> usize {
    match node {
        Node::In(entity, states) => states.iter().map(|s| graph.count(*entity, *s)).sum(),
        Node::And(a, b) => size(graph, a).min(size(graph, b)),
        Node::Or(a, b) => size(graph, a) + size(graph, b),
        Node::Not(entity, but) => match &**but {
            Node::In(..) => graph.alive(*entity).saturating_sub(size(graph, but)),
            _ => graph.alive(*entity),
        },
        Node::With(_, _, far) => size(graph, far),
    }
}

/// Whether an entity that exists meets a condition. The number of entities and links that are read for it is subtracted from
/// `left`. If `left` becomes 0, reading ends, and the result means nothing.
fn holds<S: Storage>(graph: &Graph<S>, node: &Node, slot: u32, left: &mut usize) -> bool {
    match node {
        Node::In(entity, states) => states.contains(&graph.state_of(*entity, slot)),
        Node::And(a, b) => holds(graph, a, slot, left) && holds(graph, b, slot, left),
        Node::Or(a, b) => holds(graph, a, slot, left) || holds(graph, b, slot, left),
        Node::Not(_, but) => !holds(graph, but, slot, left),
        Node::With(_, hop, far) => any_linked(graph, *hop, far, slot, left),
    }
}

/// Whether an entity is linked with one that meets a condition, see [`holds`].
fn any_linked<S: Storage>(
    graph: &Graph<S>,
    hop: Hop,
    far: &Node,
    slot: u32,
    left: &mut usize,
) -> bool {
    *left = left.saturating_sub(1);
    for far_slot in graph.links(hop, slot) {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        if holds(graph, far, *far_slot, left) {
            return true;
        }
    }
    false
}
