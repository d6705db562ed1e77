//! Net changes of facts: entities that are created and deleted, their states, and links.
//!
//! A transaction may create and delete several entities at one slot. Their changes are kept apart.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Range;

use super::GraphContext;
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::db::Db;
use crate::db::entity::Entity;
use crate::graph::fact::{End, Fact, Facts, NamedEntity};
use crate::graph::layout::Layout;
use crate::graph::storage::touched;
use crate::schema::{EntityIx, Hop, StateIx};

/// The entity that had a slot in a transaction.
///
/// [`handle`](Self::handle) returns the entity. It is unknown only for frames of format version 2, which an earlier version
/// of this library wrote. Their facts name an entity by its slot, which another entity may get after the entity was deleted.
/// A record of such a frame knows the generation of each entity that its transaction creates or deletes, and of all entities
/// if [`Store::subscribe_after`](crate::Store::subscribe_after) delivered it, which has the graph. Otherwise
/// [`resolve`](Self::resolve) finds the entity in a graph. The same holds for [`Changes`](crate::Changes) that
/// [`append`](crate::Changes::append)ed such facts.
pub struct Occupant<T> {
    slot: u32,
    generation: Option<u32>,
    entity: PhantomData<fn() -> T>,
}

impl<T: Entity> Occupant<T> {
    pub(super) fn new(slot: u32, generation: Option<u32>) -> Self {
        Self {
            slot,
            generation,
            entity: PhantomData,
        }
    }

    /// Returns the slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Returns the entity, or `None` if its generation is not known, which is never so for a record of format version 3.
    #[must_use]
    pub fn handle(&self) -> Option<T> {
        let slot = self.slot;
        self.generation
            .map(|generation| T::from_id(Id { slot, generation }))
    }

    /// Returns the entity if it exists in `db`, which must be the graph after the transaction or a later one.
    ///
    /// If the record does not know the generation, this returns the entity that has the slot in `db`. That is another
    /// entity if the one of the transaction was deleted in between and its slot was reused. To exclude this, use the graph
    /// directly after the transaction, or [`subscribe_after`](crate::Store::subscribe_after), whose records know all
    /// generations.
    #[must_use]
    pub fn resolve(&self, db: &impl Db) -> Option<T> {
        let (graph, slot) = (db.graph(), self.slot);
        let id = match self.generation {
            Some(generation) => Id { slot, generation },
            None if slot < graph.slots(T::INDEX) => graph.id(T::INDEX, slot),
            None => return None,
        };
        graph.state(T::INDEX, id).map(|_| T::from_id(id))
    }

    fn key(&self) -> (u32, Option<u32>) {
        (self.slot, self.generation)
    }
}

impl<T> Clone for Occupant<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Occupant<T> {}

impl<T: Entity> PartialEq for Occupant<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T: Entity> Eq for Occupant<T> {}

impl<T: Entity> PartialOrd for Occupant<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Entity> Ord for Occupant<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T: Entity> Hash for Occupant<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Renders `Account/1.1`, or `Account/1` if the generation is not known.
impl<T: Entity> fmt::Display for Occupant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NamedEntity {
            name: T::NAME,
            slot: self.slot,
            generation: self.generation,
        };
        named.fmt(f)
    }
}

impl<T: Entity> fmt::Debug for Occupant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entity that facts create, move or delete, with its states before and after them; `None` where it does not exist.
pub(super) struct Occupancy<T> {
    pub occupant: Occupant<T>,
    pub before: Option<StateIx>,
    pub after: Option<StateIx>,
}

/// Returns each entity of a type that facts create, move or delete, in order of the first fact about it.
///
/// The facts are a range of all facts of a transaction. An entity that only moves in the range may be deleted after the range,
/// and its slot may be reused.
pub(super) fn occupancies<T: Entity>(
    facts: &Facts,
    range: Range<usize>,
    context: Option<&dyn GraphContext>,
) -> std::vec::IntoIter<Occupancy<T>> {
    let mut found: Vec<Occupancy<T>> = Vec::new();
    // The index of the first fact about each entity.
    let mut firsts: Vec<usize> = Vec::new();
    // The index of the last entity at each slot.
    let mut at: FastMap<u32, usize> = FastMap::default();
    let all = &*facts.list;
    let start = range.start;
    for (i, fact) in (start..).zip(all.get(range.clone()).unwrap_or_default()) {
        let (slot, generation, before, after) = match *fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } if entity == T::INDEX => (slot, Some(generation), None, Some(state)),
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } if entity == T::INDEX => (slot, Some(generation), Some(state), None),
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } if entity == T::INDEX => (slot, facts.generation(i, End::Near), Some(from), Some(to)),
            _ => continue,
        };
        let known = at.get(&slot).and_then(|i| found.get_mut(*i));
        match known.filter(|_| before.is_some()) {
            Some(known) => {
                known.after = after;
                known.occupant.generation = known.occupant.generation.or(generation);
            }
            None => {
                at.insert(slot, found.len());
                firsts.push(i);
                found.push(Occupancy {
                    occupant: Occupant::new(slot, generation),
                    before,
                    after,
                });
            }
        }
    }
    // If the range has all facts, `found` has all generations that they have.
    let is_part = range.len() < all.len();
    let mut changes = None;
    for (Occupancy { occupant, .. }, first) in found.iter_mut().zip(firsts) {
        if occupant.generation.is_some() {
            continue;
        }
        if is_part {
            let changes = changes.get_or_insert_with(|| SlotChanges::new(all));
            occupant.generation = changes.generation(first, (T::INDEX, occupant.slot));
        }
        let there = || context?.generation(T::INDEX, occupant.slot);
        occupant.generation = occupant.generation.or_else(there);
    }
    found.into_iter()
}

/// Returns the pairs that facts link over an edge in the net, or those that they unlink, with the near end first.
pub(super) fn links<A: Entity, B: Entity>(
    facts: &Facts,
    range: Range<usize>,
    layout: &Layout,
    hop: Hop,
    linked: bool,
    context: Option<&dyn GraphContext>,
) -> Vec<(Occupant<A>, Occupant<B>)> {
    let edge_layout = &layout.edges[usize::from(hop.edge)];
    let (from_type, to_type) = (edge_layout.from.entity, edge_layout.to.entity);
    // The number of entities that were created at a slot so far, which distinguishes them.
    let mut creations: FastMap<(EntityIx, u32), u32> = FastMap::default();
    // For each pair, whether its first fact is a link, and whether its last one is.
    let mut pairs: FastMap<[(u32, u32); 2], usize> = FastMap::default();
    let mut found: Vec<(usize, [u32; 2], bool, bool)> = Vec::new();
    let start = range.start;
    for (i, fact) in (start..).zip(facts.list.get(range).unwrap_or_default()) {
        let (from, to, is_link) = match *fact {
            Fact::Create { entity, slot, .. } => {
                *creations.entry((entity, slot)).or_default() += 1;
                continue;
            }
            Fact::Link { edge, from, to } if edge == hop.edge => (from, to, true),
            Fact::Unlink { edge, from, to } if edge == hop.edge => (from, to, false),
            _ => continue,
        };
        let one = |entity, slot| (slot, creations.get(&(entity, slot)).copied().unwrap_or(0));
        match pairs.entry([one(from_type, from), one(to_type, to)]) {
            Entry::Occupied(at) => found[*at.get()].3 = is_link,
            Entry::Vacant(at) => {
                at.insert(found.len());
                found.push((i, [from, to], is_link, is_link));
            }
        }
    }
    let generations = Generations::new(facts, context);
    (found.into_iter())
        .filter(|(_, _, first, last)| *first == linked && *last == linked)
        .map(|(i, [from, to], ..)| {
            let (from, to) = (
                (from, generations.of(i, End::Near, (from_type, from))),
                (to, generations.of(i, End::Far, (to_type, to))),
            );
            let (near, far) = if hop.forward { (from, to) } else { (to, from) };
            (Occupant::new(near.0, near.1), Occupant::new(far.0, far.1))
        })
        .collect()
}

/// The generations of the entities in facts.
struct Generations<'f> {
    facts: &'f Facts,
    /// If the facts do not have them.
    changes: Option<SlotChanges>,
    context: Option<&'f dyn GraphContext>,
}

impl<'f> Generations<'f> {
    fn new(facts: &'f Facts, context: Option<&'f dyn GraphContext>) -> Self {
        let unknown = facts.generations.is_empty();
        Self {
            facts,
            changes: unknown.then(|| SlotChanges::new(&facts.list)),
            context,
        }
    }

    /// Returns the generation of the entity at an end of fact `i`, which has the slot `at`, if it is known.
    fn of(&self, i: usize, end: End, at: (EntityIx, u32)) -> Option<u32> {
        let Some(changes) = &self.changes else {
            return self.facts.generation(i, end);
        };
        (changes.generation(i, at)).or_else(|| self.context?.generation(at.0, at.1))
    }
}

/// The facts that create and delete entities, by slot.
pub(super) struct SlotChanges(FastMap<(EntityIx, u32), Vec<SlotChange>>);

/// The index of a fact, whether it creates an entity (otherwise it deletes one), and the generation of that entity.
type SlotChange = (usize, bool, u32);

impl SlotChanges {
    pub(super) fn new(facts: &[Fact]) -> Self {
        touched(facts.len());
        let mut changes = FastMap::<_, Vec<_>>::default();
        for (i, fact) in facts.iter().enumerate() {
            if let Some((at, creates, generation)) = slot_change(fact) {
                let of_slot = changes.entry(at).or_default();
                of_slot.push((i, creates, generation));
            }
        }
        Self(changes)
    }

    /// Returns the generation of the entity at a slot when fact `i` happens, if a fact creates or deletes that entity.
    pub(super) fn generation(&self, i: usize, at: (EntityIx, u32)) -> Option<u32> {
        let changes = self.0.get(&at)?;
        let after = changes.partition_point(|(at, ..)| *at <= i);
        let before = after.checked_sub(1).map(|before| changes[before]);
        match (before, changes.get(after)) {
            (Some((_, true, generation)), _) => Some(generation),
            (Some((at, false, generation)), _) if at == i => Some(generation),
            (_, Some((_, false, generation))) => Some(*generation),
            _ => None,
        }
    }
}

/// Returns for a fact that creates or deletes an entity its slot, whether the fact creates it, and its generation.
fn slot_change(fact: &Fact) -> Option<((EntityIx, u32), bool, u32)> {
    match *fact {
        Fact::Create {
            entity,
            slot,
            generation,
            ..
        } => Some(((entity, slot), true, generation)),
        Fact::Delete {
            entity,
            slot,
            generation,
            ..
        } => Some(((entity, slot), false, generation)),
        _ => None,
    }
}

/// Returns the generations of all entities in a range of facts as [`Facts`] has them, if all are known.
pub(super) fn generations(
    facts: &Facts,
    range: Range<usize>,
    layout: &Layout,
    context: Option<&dyn GraphContext>,
) -> Option<Vec<[u32; 2]>> {
    let generations = Generations::new(facts, context);
    let of = |i: usize| {
        let [near, far] = facts.list.get(i)?.touches(layout);
        let near = generations.of(i, End::Near, near?)?;
        let far = far.map_or(Some(0), |far| generations.of(i, End::Far, far))?;
        Some([near, far])
    };
    range.map(of).collect()
}

/// [`about`] of one entity, for facts that have the generations of their entities.
fn about_one(facts: &Facts, layout: &Layout, (entity, id): (EntityIx, Id)) -> Vec<usize> {
    let of = Some((entity, id.slot));
    let mut found = Vec::new();
    for (i, (fact, [near, far])) in facts.list.iter().zip(&facts.generations).enumerate() {
        let [a, b] = fact.touches(layout);
        if (a == of && *near == id.generation) || (b == of && *far == id.generation) {
            found.push(i);
        }
    }
    found
}

/// Returns the indexes of the facts about one entity, or about the links between two. If the generation of an entity in a
/// fact is not known, it is taken for the entity at its slot.
pub(crate) fn about(
    facts: &Facts,
    layout: &Layout,
    all: &[(EntityIx, Id)],
    context: Option<&dyn GraphContext>,
) -> Vec<usize> {
    if let ([one], false) = (all, facts.generations.is_empty()) {
        return about_one(facts, layout, *one);
    }
    let at = |(entity, id): (EntityIx, Id)| Some((entity, id.slot));
    let is_about = |i: &usize| {
        let touched = facts.list[*i].touches(layout);
        match *all {
            [one] => touched.contains(&at(one)),
            [a, b] => touched == [at(a), at(b)] || touched == [at(b), at(a)],
            _ => false,
        }
    };
    let mut found: Vec<usize> = (0..facts.list.len()).filter(is_about).collect();
    if found.is_empty() {
        return found;
    }
    // Other entities may have had the same slot, before this one and after it, also in one transaction.
    let generations = Generations::new(facts, context);
    let is_of = |i: usize, (entity, id): (EntityIx, Id)| {
        let touched = facts.list[i].touches(layout).into_iter();
        let mut ends = touched.zip([End::Near, End::Far]);
        ends.any(|(touched, end)| {
            let is_same = |generation| generation == id.generation;
            touched == at((entity, id))
                && generations
                    .of(i, end, (entity, id.slot))
                    .is_none_or(is_same)
        })
    };
    found.retain(|i| all.iter().all(|one| is_of(*i, *one)));
    found
}
