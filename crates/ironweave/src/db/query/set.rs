//! The result of a filter, evaluated with bitsets, a word of 64 slots at a time, as far as its members are taken.

use super::candidates::{Listed, Source, holds, list};
use super::node::Node;
use crate::graph::Graph;
use crate::graph::slots::{Cursor, SlotsInState};
use crate::graph::storage::Storage;
use crate::schema::{EntityIx, StateIx};

/// The result of a filter on a graph, as words of 64 slots and, above them, groups of 64 words. A bit of a group may be set
/// for an empty word, and is never clear for another: groups are there to skip empty words.
pub(super) enum Set<'g, S: Storage> {
    /// The entities in one of several states, as the graph keeps them.
    States(Vec<SlotsInState<'g, S>>),
    /// The entities of a set that meet conditions.
    Tested(Box<Tested<'g, S>>),
    /// The entities in all of several sets, of which there is at least one.
    All(Vec<Set<'g, S>>),
    /// The entities in any of several sets.
    Any(Vec<Set<'g, S>>),
}

impl<'g, S: Storage> Set<'g, S> {
    fn word(&mut self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.word(i)),
            Self::Tested(tested) => tested.word(i),
            Self::All(sets) => {
                let mut bits = !0;
                for set in sets {
                    bits &= set.word(i);
                    if bits == 0 {
                        break;
                    }
                }
                bits
            }
            Self::Any(sets) => sets.iter_mut().fold(0, |all, set| all | set.word(i)),
        }
    }

    /// A bit for each of the 64 words of a group that may be other than empty.
    fn group(&self, i: usize) -> u64 {
        match self {
            Self::States(sets) => sets.iter().fold(0, |all, p| all | p.group(i)),
            Self::Tested(tested) => match (tested.of.group(i), &tested.found) {
                (0, _) => 0,
                (bits, None) => bits,
                (bits, Some(found)) => bits & found.group(i),
            },
            Self::All(sets) => {
                let mut bits = !0;
                for set in sets {
                    bits &= set.group(i);
                    if bits == 0 {
                        break;
                    }
                }
                bits
            }
            Self::Any(sets) => sets.iter().fold(0, |all, set| all | set.group(i)),
        }
    }

    /// An upper bound of the number of groups.
    fn groups(&self) -> usize {
        match self {
            Self::States(sets) => sets.iter().map(|p| p.groups()).max().unwrap_or(0),
            Self::Tested(tested) => tested.of.groups(),
            Self::All(sets) => sets.iter().map(Self::groups).min().unwrap_or(0),
            Self::Any(sets) => sets.iter().map(Self::groups).max().unwrap_or(0),
        }
    }

    /// An upper bound of the number of members, for sets of states.
    fn len(&self) -> usize {
        match self {
            Self::States(sets) => sets.iter().map(|p| p.len()).sum(),
            Self::Tested(tested) => tested.of.len(),
            Self::All(sets) => sets.iter().map(Self::len).min().unwrap_or(0),
            Self::Any(sets) => sets.iter().map(Self::len).sum(),
        }
    }

    /// The part whose members are tested, if there is one.
    pub(super) fn tested(&self) -> Option<&Tested<'g, S>> {
        match self {
            Self::States(_) => None,
            Self::Tested(tested) => Some(tested),
            Self::All(sets) | Self::Any(sets) => sets.iter().find_map(Set::tested),
        }
    }
}

/// The result of a filter on a graph.
pub(super) fn eval<S: Storage>(graph: &Graph<S>, entity: EntityIx, node: Node) -> Set<'_, S> {
    match node {
        Node::In(states) => in_states(graph, entity, states.into_iter()),
        Node::All(parts) => {
            let all = parts.clone();
            let (states, tests) = by_kind(parts);
            let mut sets: Vec<_> = eval_each(graph, entity, states).collect();
            // Words are read in the smallest set first.
            sets.sort_by_key(Set::len);
            let of = (!sets.is_empty()).then_some(Set::All(sets));
            if tests.is_empty() {
                return of.unwrap_or_else(|| of_type(graph, entity));
            }
            // An index of the entities in some states is for those who know that only these are asked for.
            tested(graph, entity, of, Node::All(all))
        }
        Node::Any(parts) => {
            let (states, tests) = by_kind(parts);
            let tested = (!tests.is_empty()).then(|| tested(graph, entity, None, Node::Any(tests)));
            Set::Any(eval_each(graph, entity, states).chain(tested).collect())
        }
        Node::Not(part) => match *part {
            Node::In(states) => in_states(graph, entity, others(graph, entity, &states)),
            part => tested(graph, entity, None, Node::Not(Box::new(part))),
        },
        test @ (Node::Named(_) | Node::Value(_) | Node::Linked(..)) => {
            tested(graph, entity, None, test)
        }
    }
}

/// Separates conditions of states from others.
fn by_kind(parts: Vec<Node>) -> (Vec<Node>, Vec<Node>) {
    parts.into_iter().partition(Node::is_of_states)
}

/// The results of several filters.
fn eval_each<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    nodes: Vec<Node>,
) -> impl Iterator<Item = Set<'_, S>> {
    nodes.into_iter().map(move |node| eval(graph, entity, node))
}

/// The entities in some states.
pub(super) fn in_states<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    states: impl Iterator<Item = StateIx>,
) -> Set<'_, S> {
    Set::States(states.map(|state| graph.in_state(entity, state)).collect())
}

/// The states of a type other than these.
pub(super) fn others<S: Storage>(
    graph: &Graph<S>,
    entity: EntityIx,
    states: &[StateIx],
) -> impl Iterator<Item = StateIx> + Clone {
    let all = StateIx::all(graph.layout.entities[usize::from(entity)].states.len());
    all.filter(|state| !states.contains(state))
}

/// The entities of a type.
pub(super) fn of_type<S: Storage>(graph: &Graph<S>, entity: EntityIx) -> Set<'_, S> {
    in_states(graph, entity, others(graph, entity, &[]))
}

fn tested<'g, S: Storage>(
    graph: &'g Graph<S>,
    entity: EntityIx,
    of: Option<Set<'g, S>>,
    test: Node,
) -> Set<'g, S> {
    let mut tested = Tested {
        graph,
        entity,
        of: of.unwrap_or_else(|| of_type(graph, entity)),
        test,
        left: 0,
        budget: FIRST_BUDGET,
        read: 0,
        source: None,
        found: None,
    };
    // If there are only few, no group of the set needs to be read before they are known.
    tested.list();
    Set::Tested(Box::new(tested))
}

/// What may be read before a result is found, in values, links and entries of indexes. It then doubles.
const FIRST_BUDGET: usize = 64;

/// The entities of a set that meet a condition.
///
/// There are two ways to find them. The first tests each entity of the set. It returns results from the beginning, and is
/// slow if the set is large and few of its entities meet the condition. The second lists the entities from another source: a
/// key, an index, or the links of entities that are listed in turn. It must end before it returns a result. Which one is
/// cheaper depends on how many results are taken, so both are tried with a budget that doubles: together they read at
/// most a few times as much as the cheaper one.
pub(super) struct Tested<'g, S: Storage> {
    graph: &'g Graph<S>,
    entity: EntityIx,
    of: Set<'g, S>,
    test: Node,
    /// What the first way may still read before the second is tried with the same budget.
    left: usize,
    budget: usize,
    /// What has been read.
    pub(super) read: usize,
    /// The source of the second way, once that has ended, and its result.
    pub(super) source: Option<Source>,
    found: Option<Found>,
}

impl<S: Storage> Tested<'_, S> {
    fn word(&mut self, i: usize) -> u64 {
        let bits = self.of.word(i);
        if bits == 0 {
            return 0;
        }
        loop {
            if let Some(found) = &self.found {
                return bits & found.word(i);
            }
            let before = self.left;
            let those = those(bits, i, |slot| {
                let left = &mut self.left;
                *left > 0 && holds(self.graph, self.entity, &self.test, slot, left)
            });
            self.read += before - self.left;
            if self.left > 0 {
                return those;
            }
            self.list();
        }
    }

    /// Tries the second way with the present budget, and doubles that for what follows if it does not suffice.
    fn list(&mut self) {
        let mut left = self.budget;
        let listed = list(self.graph, self.entity, &self.test, false, &mut left);
        self.read += self.budget - left;
        match listed {
            Some(Listed { slots, source }) => {
                self.found = Some(Found::new(&slots, self.of.groups()));
                self.source = Some(source);
            }
            None => {
                self.left = self.budget;
                self.budget = self.budget.saturating_mul(2);
            }
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

/// A set of slots.
enum Found {
    /// The words that are not empty, in order, each with its number.
    Few(Vec<(u32, u64)>),
    /// All words of the type.
    Many(Vec<u64>),
}

impl Found {
    /// Collects slots, which are in order, of a type that has this number of groups.
    fn new(slots: &[u32], groups: usize) -> Self {
        // A word for each 64 slots of the type costs less than a search among this number of words.
        if slots.len() > groups * 4 {
            let mut words = vec![0; groups * 64];
            for slot in slots {
                if let Some(word) = words.get_mut(*slot as usize / 64) {
                    *word |= 1 << (slot % 64);
                }
            }
            return Self::Many(words);
        }
        let mut words: Vec<(u32, u64)> = Vec::new();
        for slot in slots {
            match words.last_mut().filter(|(word, _)| *word == slot / 64) {
                Some((_, bits)) => *bits |= 1 << (slot % 64),
                None => words.push((slot / 64, 1 << (slot % 64))),
            }
        }
        Self::Few(words)
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

/// An iterator over the slots that a filter accepts, in order.
pub(crate) struct Members<'g, S: Storage> {
    set: Set<'g, S>,
    /// The first slot that is returned.
    from: u32,
    cursor: Cursor,
}

impl<'g, S: Storage> Members<'g, S> {
    /// The members from a slot on.
    pub(super) fn new(set: Set<'g, S>, from: u32) -> Self {
        Self {
            cursor: Cursor::between(from as usize / 4_096, set.groups()),
            set,
            from,
        }
    }

    pub(super) fn set(&self) -> &Set<'g, S> {
        &self.set
    }

    /// Returns how many members are left, without an iteration over them.
    pub(crate) fn count_rest(&mut self) -> usize {
        let from = self.from;
        self.cursor.count(
            &mut self.set,
            |set, i| set.group(i) & from_bit(i, from / 64),
            |set, i| set.word(i) & from_bit(i, from),
        )
    }
}

/// Of 64 bits with this number, those from a bit on.
fn from_bit(i: usize, from: u32) -> u64 {
    match (from as usize).checked_sub(i * 64) {
        None => !0,
        Some(bit) if bit < 64 => !0 << bit,
        Some(_) => 0,
    }
}

impl<S: Storage> Iterator for Members<'_, S> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let from = self.from;
        self.cursor.next(
            &mut self.set,
            |set, i| set.group(i) & from_bit(i, from / 64),
            |set, i| set.word(i) & from_bit(i, from),
        )
    }
}
