//! What frames are filed under, so that histories find them: hashes of whom they are about, of pairs that they link or
//! unlink, and of keys that somebody gets.
//!
//! Each segment of the log is filed by itself, so that its index can be made again from it alone. Facts name slots and
//! not generations; so an entity that begins in the segment is filed with its generation, and whoever is at a slot
//! before somebody begins there, with generation 0. Names of types stand for them, so that an index outlives the order
//! of their declaration. What is found under a hash is looked at before it is believed.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::base::hash::FastMap;
use crate::graph::fact::{Fact, Facts};
use crate::graph::layout::Layout;
use crate::schema::{ColumnIx, EntityIx};

/// The generation of who was at a slot when the segment began.
pub(super) const EARLIER: u32 = 0;

/// For each type of the program the hash of the name that it had in a part of the log, if it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(pub Vec<Option<u64>>);

impl Names {
    pub(super) fn new<'n>(names: impl Iterator<Item = Option<&'n str>>) -> Self {
        Self(names.map(|name| Some(xxh3_64(name?.as_bytes()))).collect())
    }

    fn of(&self, entity: EntityIx) -> Option<u64> {
        self.0.get(usize::from(entity)).copied().flatten()
    }

    /// What is about an entity.
    pub(super) fn entity(&self, entity: EntityIx, slot: u32, generation: u32) -> Option<u64> {
        let id = u64::from(slot) | u64::from(generation) << 32;
        Some(xxh3_64_with_seed(&id.to_le_bytes(), self.of(entity)?))
    }

    /// What gives somebody a key. Its values may be declared in another order once.
    pub(super) fn key(&self, entity: EntityIx, key: &[&[u8]]) -> Option<u64> {
        let seed = !self.of(entity)?;
        let values = key.iter().map(|value| xxh3_64_with_seed(value, seed));
        Some(values.fold(0, u64::wrapping_add))
    }
}

/// What is about a link between two entities, over whatever edge.
pub(super) fn pair(a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.min(b).to_le_bytes());
    bytes[8..].copy_from_slice(&a.max(b).to_le_bytes());
    xxh3_64(&bytes)
}

/// Files the frames of a segment, in order.
#[derive(Default)]
pub(super) struct Filing {
    /// The generation of those who have begun in it.
    begun: FastMap<(EntityIx, u32), u32>,
}

impl Filing {
    /// Gives all that a frame with these facts is filed under, perhaps repeatedly.
    pub(super) fn file(
        &mut self,
        facts: &Facts,
        layout: &Layout,
        names: &Names,
        mut under: impl FnMut(u64),
    ) {
        let keys = KeysGiven::new(facts, layout);
        for (i, fact) in facts.list.iter().enumerate() {
            if let Fact::Create {
                entity,
                slot,
                generation,
                ..
            } = *fact
            {
                self.begun.insert((entity, slot), generation);
                if let Some(hash) = keys.of(i).and_then(|key| names.key(entity, &key)) {
                    under(hash);
                }
            }
            let hashes = fact.touches(layout).map(|who| {
                let (entity, slot) = who?;
                let generation = self.begun.get(&(entity, slot)).copied();
                names.entity(entity, slot, generation.unwrap_or(EARLIER))
            });
            hashes.into_iter().flatten().for_each(&mut under);
            if let [Some(a), Some(b)] = hashes {
                under(pair(a, b));
            }
        }
    }
}

/// The keys that the entities which a transaction creates get in it.
pub(super) struct KeysGiven<'f> {
    facts: &'f Facts,
    layout: &'f Layout,
    /// Where each cell is set, once one was looked for that is not set soon after its entity begins.
    sets: OnceCell<FastMap<(ColumnIx, u32), Vec<usize>>>,
}

/// So many facts after the one that creates an entity are looked at one by one: those of an event that does so.
const NEAR: usize = 64;

impl<'f> KeysGiven<'f> {
    pub(super) fn new(facts: &'f Facts, layout: &'f Layout) -> Self {
        Self {
            facts,
            layout,
            sets: OnceCell::new(),
        }
    }

    /// The values of the key of the entity that fact `i` creates, if its type has one: keys never change, and are given
    /// in the same transaction. O(1) for each, however the facts are mixed.
    pub(super) fn of(&self, i: usize) -> Option<Vec<&'f [u8]>> {
        let Fact::Create { entity, slot, .. } = *self.facts.list.get(i)? else {
            return None;
        };
        let key = &self.layout.entities[usize::from(entity)].key;
        let values = key.iter().map(|part| {
            let set = self.set_after(i, *part, slot)?;
            self.facts.value_of(set)
        });
        let values: Vec<_> = values.collect::<Option<_>>()?;
        (!key.is_empty()).then_some(values)
    }

    /// The first fact after one that sets a cell.
    fn set_after(&self, i: usize, of: ColumnIx, at: u32) -> Option<&'f Fact> {
        let sets = |fact: &&Fact| matches!(fact, Fact::Set { column, slot, .. } if (*column, *slot) == (of, at));
        let rest = self.facts.list.get(i..)?;
        if let Some(near) = rest.iter().take(NEAR).find(sets) {
            return Some(near);
        }
        if rest.len() <= NEAR {
            return None;
        }
        let all = self.sets.get_or_init(|| {
            let mut all = FastMap::<_, Vec<usize>>::default();
            for (i, fact) in self.facts.list.iter().enumerate() {
                if let Fact::Set { column, slot, .. } = *fact {
                    all.entry((column, slot)).or_default().push(i);
                }
            }
            all
        });
        let places = all.get(&(of, at))?;
        let after = places.get(places.partition_point(|place| *place < i))?;
        self.facts.list.get(*after)
    }
}

/// What is filed of a segment that frames are still added to, or of a log in memory.
#[derive(Default)]
pub(super) struct Growing(FastMap<u64, Places>);

/// Most have few.
enum Places {
    One(u64),
    Many(Vec<u64>),
}

impl Places {
    fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }
}

impl Growing {
    /// Files a frame that lies behind all that were filed before, or is the last of them once more.
    pub(super) fn put(&mut self, hash: u64, place: u64) {
        match self.0.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(Places::One(place));
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Places::One(first) if *first == place => {}
                Places::One(first) => {
                    let places = vec![*first, place];
                    entry.insert(Places::Many(places));
                }
                Places::Many(places) => {
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            },
        }
    }

    /// The first places of a hash, so many at most.
    pub(super) fn places(&self, hash: u64, most: usize) -> Vec<u64> {
        let places = self.0.get(&hash).map(Places::as_slice);
        let places = places.unwrap_or_default();
        places[..places.len().min(most)].to_vec()
    }

    /// All of it, once nothing more is added.
    pub(super) fn sealed(self) -> Sorted {
        let all = |(hash, places): (&u64, &Places)| {
            let hash = *hash;
            let places = places.as_slice().to_vec();
            places.into_iter().map(move |place| (hash, place))
        };
        Sorted::new(self.0.iter().flat_map(all).collect())
    }
}

/// What is filed of a segment that is complete.
pub(super) struct Sorted(Vec<(u64, u64)>);

impl Sorted {
    pub(super) fn new(mut entries: Vec<(u64, u64)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        entries.shrink_to_fit();
        Self(entries)
    }

    pub(super) fn entries(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// The first places of a hash, so many at most.
    pub(super) fn places(&self, hash: u64, most: usize) -> Vec<u64> {
        let from = self.0.partition_point(|(h, _)| *h < hash);
        let all = self.0[from..].iter().take_while(|(h, _)| *h == hash);
        all.map(|(_, place)| *place).take(most).collect()
    }
}
