//! The generations that slots had when the open transaction changed their entities.
//!
//! Entries of the journal and facts name an entity by its slot, except those that create and delete it. The generation of a
//! slot is the one that it has now, unless the transaction used the slot of an entity that it had deleted. Then the next
//! create at that slot leads to the generation before it.

use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::base::push::push;
use crate::graph::entry::{FactSink, NewValue};
use crate::graph::fact::{Fact, Facts};
use crate::graph::journal::Values;
use crate::graph::layout::Layout;
use crate::graph::storage::{Storage, Table};
use crate::graph::{Entities, Graph, Journal};
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
    #[inline(never)]
    pub(crate) fn append_facts(&self, journal: &Journal, facts: &mut Facts) {
        if journal.may_reuse_slots || facts.generations.len() < facts.list.len() {
            return self.append_unusual_facts(journal, facts);
        }
        if facts.list.is_empty() {
            facts.list.reserve(journal.facts_len());
            facts.generations.reserve(journal.facts_len());
        }
        journal.each_fact(&mut WithGenerations::<S> {
            values: journal.append_values(&mut facts.bytes),
            list: &mut facts.list,
            generations: &mut facts.generations,
            layout: &self.layout,
            entities: &self.entities,
        });
    }

    /// [`Graph::append_facts`] to facts without generations, or of a transaction that may have used the slots of entities
    /// that it had deleted.
    #[cold]
    #[inline(never)]
    fn append_unusual_facts(&self, journal: &Journal, facts: &mut Facts) {
        let start = facts.list.len();
        journal.append_facts(facts);
        let Facts {
            list, generations, ..
        } = facts;
        if generations.len() < start {
            return;
        }
        let creates = |fact: &Fact| match *fact {
            Fact::Create {
                entity,
                slot,
                generation,
                ..
            } => Some((entity, Id { slot, generation })),
            _ => None,
        };
        let facts = list.get(start..).unwrap_or_default();
        let created = Created::of(facts.iter().map(creates));
        generations.extend(facts.iter().enumerate().map(|(i, fact)| {
            let entities = fact.touches(&self.layout);
            entities.map(|at| at.map_or(0, |at| created.id(i, self, at).generation))
        }));
    }
}

/// Appends facts of the open transaction with the generations that the slots of their entities have now.
struct WithGenerations<'f, S: Storage> {
    values: Values<'f>,
    list: &'f mut Vec<Fact>,
    generations: &'f mut Vec<[u32; 2]>,
    layout: &'f Layout,
    entities: &'f [S::Part<Entities<S>>],
}

impl<S: Storage> WithGenerations<'_, S> {
    #[inline(always)]
    fn generations_of(&self, fact: Fact) -> [u32; 2] {
        if let Fact::Create { generation, .. } | Fact::Delete { generation, .. } = fact {
            return [generation, 0];
        }
        let entities = fact.touches(self.layout);
        entities.map(|at| match at {
            Some((entity, slot)) => {
                *self.entities[usize::from(entity)].words.at(slot as usize) >> 8
            }
            None => 0,
        })
    }
}

impl<S: Storage> FactSink for WithGenerations<'_, S> {
    #[inline(always)]
    fn store(&mut self, value: NewValue) -> (u32, u32) {
        self.values.store(value)
    }

    #[inline(always)]
    fn see(&mut self, fact: Fact) {
        push(self.generations, self.generations_of(fact));
        push(self.list, fact);
    }

    #[inline(always)]
    fn see_both(&mut self, first: Fact, second: Fact) {
        // Before anything is written, so that the compiler looks up what they have in common once.
        let both = [self.generations_of(first), self.generations_of(second)];
        self.generations.extend_from_slice(&both);
        push(self.list, first);
        push(self.list, second);
    }
}
