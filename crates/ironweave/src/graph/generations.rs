//! The generations that slots had when the open transaction changed their entities.
//!
//! Entries of the journal and facts name an entity by its slot, except those that create and delete it. The generation of a
//! slot is the one that it has now, unless the transaction used the slot of an entity that it had deleted. Then the next
//! create at that slot leads to the generation before it.

use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::fact::{Fact, Facts};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::EntityIx;

/// The changes that create entities, by slot: the index of each, and the generation to which it leads.
pub(super) struct Created(FastMap<(EntityIx, u32), Vec<(usize, u32)>>);

impl Created {
    /// Of changes in order: the entity that each creates, or `None` for other changes.
    pub(super) fn of(changes: impl Iterator<Item = Option<(EntityIx, Id)>>) -> Self {
        let mut created = FastMap::<_, Vec<_>>::default();
        for (i, change) in changes.enumerate() {
            if let Some((entity, id)) = change {
                let of_slot = created.entry((entity, id.slot)).or_default();
                of_slot.push((i, id.generation));
            }
        }
        Self(created)
    }

    /// Returns the id that the entity at a slot of a graph after the changes had at change `i`.
    pub(super) fn id<S: Storage>(
        &self,
        i: usize,
        graph: &Graph<S>,
        (entity, slot): (EntityIx, u32),
    ) -> Id {
        let next = self.0.get(&(entity, slot)).and_then(|of_slot| {
            let next = of_slot.partition_point(|(create, _)| *create <= i);
            of_slot.get(next)
        });
        match next {
            Some((_, generation)) => Id {
                slot,
                generation: generation - 1,
            },
            None => graph.id(entity, slot),
        }
    }
}

impl<S: Storage> Graph<S> {
    /// Appends the facts of the open transaction so far to other ones. They get the generations of their entities, unless
    /// the other ones do not have them. O(entries).
    pub(crate) fn append_facts(&self, journal: &Journal, facts: &mut Facts) {
        let start = facts.list.len();
        journal.append_facts(facts);
        if facts.generations.len() < start {
            return;
        }
        if journal.may_reuse_slots {
            self.append_generations_of_reused(start, facts);
        } else {
            self.append_generations(start, facts, |_, at| self.id(at.0, at.1));
        }
    }

    /// [`Graph::append_generations`] of a transaction that may have used the slots of entities that it had deleted.
    #[cold]
    #[inline(never)]
    fn append_generations_of_reused(&self, start: usize, facts: &mut Facts) {
        let creates = |fact: &Fact| match *fact {
            Fact::Create {
                entity,
                slot,
                generation,
                ..
            } => Some((entity, Id { slot, generation })),
            _ => None,
        };
        let created = Created::of(facts.list.iter().skip(start).map(creates));
        self.append_generations(start, facts, |i, at| created.id(i, self, at));
    }

    /// Appends the generations of the entities in the facts from one on. `id` gives the id that the entity at a slot had at
    /// a fact, whose index is counted from that one.
    #[inline(always)]
    fn append_generations(
        &self,
        start: usize,
        Facts {
            list, generations, ..
        }: &mut Facts,
        id: impl Fn(usize, (EntityIx, u32)) -> Id,
    ) {
        let facts = list.get(start..).unwrap_or_default();
        generations.extend(facts.iter().enumerate().map(|(i, fact)| {
            let entities = fact.touches(&self.layout);
            entities.map(|at| at.map_or(0, |at| id(i, at).generation))
        }));
    }
}
