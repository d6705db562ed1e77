//! The hashes under which an index has a frame: of entities that the frame is about, of pairs that it links or unlinks, and of
//! keys of entities that it creates.
//!
//! An index depends on its own segment alone, so that it can be rebuilt from that segment. Facts name slots and
//! not generations. An entity that is created in the segment is indexed with its generation; an entity that had its slot
//! when the segment began is indexed with generation 0. Types are hashed by name, so that an index stays valid when the
//! order of their declaration changes. Hashes may collide, so a frame that is found must be checked.

use std::cell::OnceCell;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::base::hash::FastMap;
use crate::base::position::Seq;
use crate::graph::fact::{Fact, Facts};
use crate::graph::layout::Layout;
use crate::schema::{ColumnIx, EntityIx};
use crate::store::Epochs;

/// In place of the generation of an entity that existed when the segment began. No entity has this generation.
pub(crate) const BEFORE_SEGMENT: u32 = 0;

/// For each type, a number that it has in the whole log, and the hash of its name in a part of the log, or `None` if that part
/// has no such type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeNames(pub Vec<(u32, Option<u64>)>);

impl TypeNames {
    pub(crate) fn new<'n>(names: impl Iterator<Item = (u32, Option<&'n str>)>) -> Self {
        let hashed = |(number, name): (u32, Option<&str>)| {
            (number, name.map(|name| xxh3_64(name.as_bytes())))
        };
        Self(names.map(hashed).collect())
    }

    fn of(&self, entity: EntityIx) -> Option<u64> {
        self.0.get(usize::from(entity))?.1
    }

    fn number(&self, entity: EntityIx) -> Option<u32> {
        self.0.get(usize::from(entity)).map(|(number, _)| *number)
    }

    /// Returns the hash of an entity.
    pub(crate) fn entity(&self, entity: EntityIx, slot: u32, generation: u32) -> Option<u64> {
        let id = u64::from(slot) | u64::from(generation) << 32;
        Some(xxh3_64_with_seed(&id.to_le_bytes(), self.of(entity)?))
    }

    /// Returns the hash of a key. It does not depend on the order of the columns, which may be declared in another order
    /// later.
    pub(crate) fn key(&self, entity: EntityIx, key: &[&[u8]]) -> Option<u64> {
        let seed = !self.of(entity)?;
        let values = key.iter().map(|value| xxh3_64_with_seed(value, seed));
        Some(values.fold(0, u64::wrapping_add))
    }
}

/// The names of types in the log, each with the first frame that has them.
pub(crate) type TypeNameEpochs = Vec<(Seq, TypeNames)>;

/// Adds the names that types have in an epoch, if they are not those of the epoch before it.
pub(crate) fn learn_names(
    into: &mut TypeNameEpochs,
    (from, names): (Seq, Vec<(u32, Option<&str>)>),
) {
    let names = TypeNames::new(names.into_iter());
    if into.last().is_none_or(|(_, n)| *n != names) {
        into.push((from, names));
    }
}

/// Returns the names that the types have that are in the decoded facts of a log.
pub(crate) fn logged_names(epochs: &Epochs) -> TypeNameEpochs {
    let mut names = TypeNameEpochs::new();
    (epochs.names()).for_each(|epoch| learn_names(&mut names, epoch));
    names
}

/// Returns the hash of a pair of entities that are linked or unlinked, over any edge.
pub(crate) fn pair(a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.min(b).to_le_bytes());
    bytes[8..].copy_from_slice(&a.max(b).to_le_bytes());
    xxh3_64(&bytes)
}

/// The generations of the entities that were created in a segment, by the number of the type and the slot.
#[derive(Default)]
struct Created(FastMap<(u32, u32), [u32; SLOTS]>);

/// The number of slots that have one entry in the table. Slots are next to each other, so that most of the table is in a cache.
const SLOTS: usize = 64;

impl Created {
    fn insert(&mut self, number: u32, slot: u32, generation: u32) {
        let page = self.0.entry((number, slot / SLOTS as u32));
        page.or_insert([BEFORE_SEGMENT; SLOTS])[slot as usize % SLOTS] = generation;
    }

    /// Returns the generation under which the entity at a slot is indexed.
    fn generation(&self, number: u32, slot: u32) -> u32 {
        let page = self.0.get(&(number, slot / SLOTS as u32));
        page.map_or(BEFORE_SEGMENT, |page| page[slot as usize % SLOTS])
    }
}

/// Computes the hashes of the frames of a segment, in order.
#[derive(Default)]
pub(crate) struct Indexer {
    created: Created,
}

impl Indexer {
    /// Calls `add` with each hash of a frame with these facts, perhaps repeatedly.
    pub(crate) fn index(
        &mut self,
        facts: &Facts,
        layout: &Layout,
        names: &TypeNames,
        mut add: impl FnMut(u64),
    ) {
        let keys = CreatedKeys::new(facts, layout);
        for (i, fact) in facts.list.iter().enumerate() {
            if let Fact::Create {
                entity,
                slot,
                generation,
                ..
            } = *fact
            {
                if let Some(number) = names.number(entity) {
                    self.created.insert(number, slot, generation);
                }
                if let Some(hash) = keys.of(i).and_then(|key| names.key(entity, &key)) {
                    add(hash);
                }
            }
            let hashes = fact.touches(layout).map(|at| {
                let (entity, slot) = at?;
                let generation = self.created.generation(names.number(entity)?, slot);
                names.entity(entity, slot, generation)
            });
            hashes.into_iter().flatten().for_each(&mut add);
            if let [Some(a), Some(b)] = hashes {
                add(pair(a, b));
            }
        }
    }
}

/// The keys of the entities that a transaction creates.
pub(crate) struct CreatedKeys<'f> {
    facts: &'f Facts,
    layout: &'f Layout,
    /// The indexes of the facts that set each cell. It is computed when a cell is not set soon after its entity is created.
    sets: OnceCell<FastMap<(ColumnIx, u32), Vec<usize>>>,
}

/// The number of facts after a creation that are searched one by one. An event sets the fields of a new entity directly
/// after it creates that.
const NEAR: usize = 64;

impl<'f> CreatedKeys<'f> {
    pub(crate) fn new(facts: &'f Facts, layout: &'f Layout) -> Self {
        Self {
            facts,
            layout,
            sets: OnceCell::new(),
        }
    }

    /// Returns the values of the key that the entity gets which fact `i` creates, or `None` if its type has no key. The
    /// transaction that creates an entity sets its key. O(1) amortized, in any order of the facts.
    pub(crate) fn of(&self, i: usize) -> Option<Vec<&'f [u8]>> {
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

    /// Returns the first fact from fact `i` on that sets a cell.
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
