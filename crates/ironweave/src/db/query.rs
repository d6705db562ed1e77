//! Filters: conditions on the places and links of entities, evaluated with bitsets.
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
use crate::graph::any::either;
use crate::graph::layout::reverse;
use crate::graph::slots::SlotSet;
use crate::graph::storage::Storage;
use crate::graph::{Graph, GraphRef};
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

impl Node {
    fn slots(&self, graph: GraphRef<'_>) -> Vec<u32> {
        either!(graph, graph => members(&eval(graph, self)))
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
    pub(crate) fn slots(&self, graph: GraphRef<'_>) -> Vec<u32> {
        self.node.slots(graph)
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
    /// Of states, as the graph keeps them.
    States(Vec<&'g SlotSet<S>>),
    Bits(Vec<u64>),
    And(Box<Set<'g, S>>, Box<Set<'g, S>>),
    Or(Box<Set<'g, S>>, Box<Set<'g, S>>),
    /// The first set without the second.
    Not(Box<Set<'g, S>>, Box<Set<'g, S>>),
    /// The entities of a set that meet a condition, which is evaluated for each of them.
    Each(&'g Graph<S>, Box<Set<'g, S>>, &'g Node),
}

fn word(words: &[u64], i: usize) -> u64 {
    words.get(i).copied().unwrap_or(0)
}

impl<S: Storage> Set<'_, S> {
    fn word(&self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.word(i)),
            Self::Bits(words) => word(words, i),
            Self::And(a, b) => match a.word(i) {
                0 => 0,
                bits => bits & b.word(i),
            },
            Self::Or(a, b) => a.word(i) | b.word(i),
            Self::Not(all, but) => all.word(i) & !but.word(i),
            Self::Each(graph, of, node) => {
                let mut bits = of.word(i);
                let mut left = bits;
                while left != 0 {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    if !holds(graph, node, i as u32 * 64 + bit) {
                        bits &= !(1 << bit);
                    }
                }
                bits
            }
        }
    }

    /// Which of the 64 words of a group may be other than empty.
    fn group(&self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.group(i)),
            Self::Bits(words) => (0..64)
                .filter(|bit| word(words, i * 64 + bit) != 0)
                .fold(0, |all, bit| all | 1 << bit),
            Self::And(a, b) => match a.group(i) {
                0 => 0,
                bits => bits & b.group(i),
            },
            Self::Or(a, b) => a.group(i) | b.group(i),
            Self::Not(all, _) => all.group(i),
            Self::Each(_, of, _) => of.group(i),
        }
    }

    /// How many groups there may be.
    fn groups(&self) -> usize {
        match self {
            Self::States(sets) => sets.iter().map(|p| p.groups()).max().unwrap_or(0),
            Self::Bits(words) => words.len().div_ceil(64),
            Self::And(a, b) => a.groups().min(b.groups()),
            Self::Or(a, b) => a.groups().max(b.groups()),
            Self::Not(all, _) => all.groups(),
            Self::Each(_, of, _) => of.groups(),
        }
    }
}

/// The slots of a set, in order.
fn members<S: Storage>(set: &Set<'_, S>) -> Vec<u32> {
    let mut found = Vec::new();
    for group in 0..set.groups() {
        let mut words = set.group(group);
        while words != 0 {
            let i = group * 64 + words.trailing_zeros() as usize;
            words &= words - 1;
            let mut bits = set.word(i);
            while bits != 0 {
                found.push(i as u32 * 64 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
    }
    found
}

fn eval<'g, S: Storage>(graph: &'g Graph<S>, node: &'g Node) -> Set<'g, S> {
    match node {
        Node::In(entity, states) => in_states(graph, *entity, states.iter().copied()),
        Node::And(a, b) => {
            // A filter over an edge is evaluated for each entity if there are fewer of these than of what it lists.
            let (size_a, size_b) = (size(graph, a), size(graph, b));
            match (&**a, &**b) {
                (_, Node::With(..)) if size_a < size_b => {
                    Set::Each(graph, Box::new(eval(graph, a)), b)
                }
                (Node::With(..), _) if size_b < size_a => {
                    Set::Each(graph, Box::new(eval(graph, b)), a)
                }
                _ => Set::And(Box::new(eval(graph, a)), Box::new(eval(graph, b))),
            }
        }
        Node::Or(a, b) => Set::Or(Box::new(eval(graph, a)), Box::new(eval(graph, b))),
        Node::Not(entity, but) => Set::Not(
            Box::new(in_states(graph, *entity, all_states(graph, *entity))),
            Box::new(eval(graph, but)),
        ),
        Node::With(entity, hop, far) => {
            let mut words = vec![0u64; (graph.slots(*entity) as usize).div_ceil(64)];
            let back = reverse(*hop);
            for slot in members(&eval(graph, far)) {
                for near in graph.links(back, slot) {
                    words[*near as usize / 64] |= 1 << (near % 64);
                }
            }
            Set::Bits(words)
        }
    }
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

/// An estimate of how many entities a filter takes or looks at.
fn size<S: Storage>(graph: &Graph<S>, node: &Node) -> usize {
    match node {
        Node::In(entity, states) => states.iter().map(|s| graph.count(*entity, *s)).sum(),
        Node::And(a, b) => size(graph, a).min(size(graph, b)),
        Node::Or(a, b) => size(graph, a) + size(graph, b),
        Node::Not(entity, _) => graph.alive(*entity),
        Node::With(_, _, far) => size(graph, far),
    }
}

/// Whether an entity that exists meets a condition.
fn holds<S: Storage>(graph: &Graph<S>, node: &Node, slot: u32) -> bool {
    match node {
        Node::In(entity, states) => states.contains(&graph.state_of(*entity, slot)),
        Node::And(a, b) => holds(graph, a, slot) && holds(graph, b, slot),
        Node::Or(a, b) => holds(graph, a, slot) || holds(graph, b, slot),
        Node::Not(_, but) => !holds(graph, but, slot),
        Node::With(_, hop, far) => graph
            .links(*hop, slot)
            .iter()
            .any(|s| holds(graph, far, *s)),
    }
}
