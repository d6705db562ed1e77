//! Which transactions are about whom, and who ever had which key.

use xxhash_rust::xxh3::xxh3_128;

use crate::fact::Fact;
use crate::graph::Graph;
use crate::graph::layout::Layout;
use crate::graph::paged::Paged;
use crate::hash::FastMap;
use crate::history::Logged;
use crate::id::Id;
use crate::log::Seq;
use crate::schema::EntityIx;
use crate::step::bind::parts;

/// Of the frames before `next`.
#[derive(Default)]
pub(super) struct Index {
    next: Seq,
    /// Transactions in order, by type and entity.
    transactions: FastMap<(EntityIx, u64), Vec<Seq>>,
    /// The generation that each slot is at.
    generations: FastMap<(EntityIx, u32), u32>,
    /// Entities in order of creation, by type and the hash of their keys.
    keys: FastMap<(EntityIx, u128), Vec<Id>>,
}

fn key_hash<'b>(key_parts: impl Iterator<Item = &'b [u8]>) -> u128 {
    let bytes: Vec<u8> = key_parts.flatten().copied().collect();
    xxh3_128(&bytes)
}

impl Index {
    /// The first frame that is not in it.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// Takes in the transaction that comes next, of a log that began at a graph, if not at nothing.
    pub(super) fn add(&mut self, logged: &Logged, layout: &Layout, base: Option<&Graph<Paged>>) {
        let seq = logged.seq;
        let facts = logged.changes.facts();
        for (i, fact) in facts.iter().enumerate() {
            if let Fact::Create {
                entity,
                slot,
                generation,
                ..
            } = *fact
            {
                self.generations.insert((entity, slot), generation);
                self.add_key(logged, i, layout, Id { slot, generation });
            }
            for (entity, slot) in fact.touches(layout).into_iter().flatten() {
                let generation = self.generations.entry((entity, slot)).or_insert_with(|| {
                    base.filter(|graph| slot < graph.slots(entity))
                        .map_or(1, |graph| graph.id(entity, slot).generation)
                });
                let generation = *generation;
                let id = Id { slot, generation };
                let list = self.transactions.entry((entity, id.to_bits())).or_default();
                if list.last() != Some(&seq) {
                    list.push(seq);
                }
            }
        }
        self.next = seq + 1;
    }

    /// Notes the key of an entity that fact `i` creates: keys never change, and are given in the same transaction.
    fn add_key(&mut self, logged: &Logged, i: usize, layout: &Layout, id: Id) {
        let facts = logged.changes.facts();
        let Fact::Create { entity, slot, .. } = facts[i] else {
            return;
        };
        let key = &layout.entities[usize::from(entity)].key;
        if key.is_empty() {
            return;
        }
        let value = |part: &u16| {
            let set = facts[i..].iter().find(
                |fact| matches!(fact, Fact::Set { column, slot: s, .. } if column == part && *s == slot),
            );
            set.and_then(|fact| logged.changes.value(*fact))
        };
        let values: Option<Vec<&[u8]>> = key.iter().map(value).collect();
        if let Some(values) = values {
            let hash = key_hash(values.into_iter());
            self.keys.entry((entity, hash)).or_default().push(id);
        }
    }

    /// Who ever had a key, which is in CBOR and has so many parts.
    pub(super) fn had_key(&self, entity: EntityIx, n: usize, key: &[u8]) -> Vec<Id> {
        let hash = if n == 1 {
            key_hash(std::iter::once(key))
        } else {
            key_hash(parts(key).into_iter())
        };
        self.keys.get(&(entity, hash)).cloned().unwrap_or_default()
    }

    /// The transactions that are about all of some entities, in order.
    pub(super) fn transactions(&self, all: &[(EntityIx, Id)]) -> Vec<Seq> {
        let list = |(entity, id): &(EntityIx, Id)| {
            let list = self.transactions.get(&(*entity, id.to_bits()));
            list.map_or(&[][..], Vec::as_slice)
        };
        let Some((first, rest)) = all.split_first() else {
            return Vec::new();
        };
        let (first, rest) = (list(first), rest.iter().map(list).collect::<Vec<_>>());
        let in_all = |seq: &&Seq| rest.iter().all(|list| list.binary_search(seq).is_ok());
        first.iter().filter(in_all).copied().collect()
    }
}

/// Which of the facts of a transaction are about all of some entities, each of which it is about somewhere.
pub(super) fn about(facts: &[Fact], layout: &Layout, all: &[(EntityIx, Id)]) -> Vec<usize> {
    let mut found: Vec<usize> = (0..facts.len()).collect();
    for (entity, id) in all {
        let who = Some((*entity, id.slot));
        let ours = |fact: &Fact, generation: u32| {
            fact.touches(layout)[0] == who && generation == id.generation
        };
        let begins = |fact: &Fact| matches!(fact, Fact::Create { generation, .. } if ours(fact, *generation));
        let ends = |fact: &Fact| matches!(fact, Fact::Delete { generation, .. } if ours(fact, *generation));
        // Others may have been at its slot in the same transaction, before and after.
        let from = facts.iter().position(begins).unwrap_or(0);
        let to = facts.iter().position(ends).unwrap_or(facts.len());
        found.retain(|i| (from..=to).contains(i) && facts[*i].touches(layout).contains(&who));
    }
    found
}
