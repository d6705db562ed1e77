//! What facts change on balance: the entities that are there, their states, and links.
//!
//! A slot may be taken by several entities in one transaction, one after the other. What is known of one of them is kept
//! apart from what is known of the next.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Range;

use super::Surroundings;
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::db::Db;
use crate::db::entity::Entity;
use crate::graph::fact::Fact;
use crate::graph::layout::Layout;
use crate::schema::{EntityIx, Hop, StateIx};

/// The entity that was at a slot in a transaction.
///
/// The log names entities by their slots, and a slot is taken again after a delete. Which entity it was, a record knows
/// of those that the transaction creates or deletes, and of all of them where it knows the graph: a record of
/// [`Snapshot::with`](crate::Snapshot::with) or of
/// [`Store::subscribe_after`](crate::Store::subscribe_after). [`handle`](Self::handle) gives the entity then, and
/// otherwise [`resolve`](Self::resolve) looks it up.
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

    /// Its slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The entity, if the record knows its generation.
    #[must_use]
    pub fn handle(&self) -> Option<T> {
        let slot = self.slot;
        self.generation
            .map(|generation| T::from_id(Id { slot, generation }))
    }

    /// The entity, if it is alive in `db`, which is to be the graph after the transaction or a later one.
    ///
    /// Where the record does not know the generation, this is the entity that is at the slot in `db`. That is another one
    /// if the entity of the transaction was deleted and its slot taken again in between: look it up in a graph that is
    /// near enough, or follow the store with [`subscribe_after`](crate::Store::subscribe_after), where `handle` knows.
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

/// As `Account/1.1`, or `Account/1` where the generation is not known.
impl<T: Entity> fmt::Display for Occupant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", T::NAME, self.slot)?;
        match self.generation {
            Some(generation) => write!(f, ".{generation}"),
            None => Ok(()),
        }
    }
}

impl<T: Entity> fmt::Debug for Occupant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entity that facts create, move or delete, with its states before them and after them. None where it is not there.
pub(super) struct Occupancy<T> {
    pub occupant: Occupant<T>,
    pub before: Option<StateIx>,
    pub after: Option<StateIx>,
}

/// Each entity of a type that facts create, move or delete, in order of the first fact about it.
///
/// Those are a range of all facts of their transaction. An entity that only moves in the range may be deleted behind it,
/// and its slot taken by another one.
pub(super) fn occupancies<T: Entity>(
    all: &[Fact],
    range: Range<usize>,
    surroundings: Option<&dyn Surroundings>,
) -> std::vec::IntoIter<Occupancy<T>> {
    let mut found: Vec<Occupancy<T>> = Vec::new();
    // The first fact of each.
    let mut firsts: Vec<usize> = Vec::new();
    // The last one at each slot.
    let mut at: FastMap<u32, usize> = FastMap::default();
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
            } if entity == T::INDEX => (slot, None, Some(from), Some(to)),
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
    // Of all facts, there is nothing more to learn.
    let is_part = range.len() < all.len();
    let mut lives = None;
    for (Occupancy { occupant, .. }, first) in found.iter_mut().zip(firsts) {
        if occupant.generation.is_some() {
            continue;
        }
        if is_part {
            let lives = lives.get_or_insert_with(|| Lives::new(all));
            occupant.generation = lives.generation(first, (T::INDEX, occupant.slot));
        }
        let there = || surroundings?.generation(T::INDEX, occupant.slot);
        occupant.generation = occupant.generation.or_else(there);
    }
    found.into_iter()
}

/// The pairs that facts link on balance over an edge, or those that they unlink, seen from the near end.
pub(super) fn links<A: Entity, B: Entity>(
    all: &[Fact],
    range: Range<usize>,
    layout: &Layout,
    hop: Hop,
    linked: bool,
    surroundings: Option<&dyn Surroundings>,
) -> Vec<(Occupant<A>, Occupant<B>)> {
    let edge_layout = &layout.edges[usize::from(hop.edge)];
    let (from_type, to_type) = (edge_layout.from.entity, edge_layout.to.entity);
    // How many entities have come to a slot so far: what tells one from the next.
    let mut comings: FastMap<(EntityIx, u32), u32> = FastMap::default();
    // For each pair its first fact, as a link or not, and its last.
    let mut pairs: FastMap<[(u32, u32); 2], usize> = FastMap::default();
    let mut found: Vec<(usize, [u32; 2], bool, bool)> = Vec::new();
    let start = range.start;
    for (i, fact) in (start..).zip(all.get(range).unwrap_or_default()) {
        let (from, to, is_link) = match *fact {
            Fact::Create { entity, slot, .. } => {
                *comings.entry((entity, slot)).or_default() += 1;
                continue;
            }
            Fact::Link { edge, from, to } if edge == hop.edge => (from, to, true),
            Fact::Unlink { edge, from, to } if edge == hop.edge => (from, to, false),
            _ => continue,
        };
        let one = |entity, slot| (slot, comings.get(&(entity, slot)).copied().unwrap_or(0));
        match pairs.entry([one(from_type, from), one(to_type, to)]) {
            Entry::Occupied(at) => found[*at.get()].3 = is_link,
            Entry::Vacant(at) => {
                at.insert(found.len());
                found.push((i, [from, to], is_link, is_link));
            }
        }
    }
    let lives = Lives::new(all);
    let generation = |i, entity, slot| {
        lives
            .generation(i, (entity, slot))
            .or_else(|| surroundings?.generation(entity, slot))
    };
    (found.into_iter())
        .filter(|(_, _, first, last)| *first == linked && *last == linked)
        .map(|(i, [from, to], ..)| {
            let (from, to) = (
                (from, generation(i, from_type, from)),
                (to, generation(i, to_type, to)),
            );
            let (near, far) = if hop.forward { (from, to) } else { (to, from) };
            (Occupant::new(near.0, near.1), Occupant::new(far.0, far.1))
        })
        .collect()
}

/// Where facts create and delete the entities at each slot.
struct Lives(FastMap<(EntityIx, u32), Vec<Turn>>);

/// The index of a fact, whether it creates an entity or deletes one, and the generation of that.
type Turn = (usize, bool, u32);

impl Lives {
    fn new(facts: &[Fact]) -> Self {
        let mut lives = FastMap::<_, Vec<_>>::default();
        for (i, fact) in facts.iter().enumerate() {
            let (at, begins, generation) = match *fact {
                Fact::Create {
                    entity,
                    slot,
                    generation,
                    ..
                } => ((entity, slot), true, generation),
                Fact::Delete {
                    entity,
                    slot,
                    generation,
                    ..
                } => ((entity, slot), false, generation),
                _ => continue,
            };
            lives.entry(at).or_default().push((i, begins, generation));
        }
        Self(lives)
    }

    /// The generation that is at a slot when a fact happens, if the facts say so.
    fn generation(&self, i: usize, at: (EntityIx, u32)) -> Option<u32> {
        let lives = self.0.get(&at)?;
        let after = lives.partition_point(|(at, ..)| *at <= i);
        let before = after.checked_sub(1).map(|before| lives[before]);
        match (before, lives.get(after)) {
            (Some((_, true, generation)), _) => Some(generation),
            (Some((at, false, generation)), _) if at == i => Some(generation),
            (_, Some((_, false, generation))) => Some(*generation),
            _ => None,
        }
    }
}

/// The generation that is at a slot when fact `i` happens, if the facts say so. O(facts).
pub(super) fn generation(facts: &[Fact], i: usize, at: (EntityIx, u32)) -> Option<u32> {
    let life = |fact: &Fact| match *fact {
        Fact::Create {
            entity,
            slot,
            generation,
            ..
        } if (entity, slot) == at => Some((true, generation)),
        Fact::Delete {
            entity,
            slot,
            generation,
            ..
        } if (entity, slot) == at => Some((false, generation)),
        _ => None,
    };
    let (before, after) = facts.split_at_checked(i)?;
    match after.iter().find_map(life) {
        Some((false, generation)) => Some(generation),
        // Only a fact that creates it stands at its own creation.
        Some((true, generation)) if after.first().and_then(life).is_some() => Some(generation),
        _ => match before.iter().rev().find_map(life) {
            Some((true, generation)) => Some(generation),
            _ => None,
        },
    }
}

/// Which facts are about an entity, or about the links between two, that are alive in the transaction.
pub(crate) fn about(facts: &[Fact], layout: &Layout, all: &[(EntityIx, Id)]) -> Vec<usize> {
    let at = |(entity, id): (EntityIx, Id)| Some((entity, id.slot));
    let meant = |i: &usize| {
        let touched = facts[*i].touches(layout);
        match *all {
            [one] => touched.contains(&at(one)),
            [a, b] => touched == [at(a), at(b)] || touched == [at(b), at(a)],
            _ => false,
        }
    };
    let mut found: Vec<usize> = (0..facts.len()).filter(meant).collect();
    if found.is_empty() {
        return found;
    }
    // Others may have been at its slot in the same transaction, before and after.
    let lives = Lives::new(facts);
    let is_of = |i: usize, (entity, id): (EntityIx, Id)| {
        let known = lives.generation(i, (entity, id.slot));
        known.is_none_or(|generation| generation == id.generation)
    };
    found.retain(|i| all.iter().all(|one| is_of(*i, *one)));
    found
}
