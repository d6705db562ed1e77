//! Histories: reads the segments from the first to the last and follows the entities of the history through them.

use std::sync::Arc;

use crate::base::error::Name;
use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::graph::Graph;
use crate::graph::fact::Fact;
use crate::graph::layout::Layout;
use crate::graph::paged::Paged;
use crate::history::FoundFacts;
use crate::history::indexed_log::{IndexedLog, SegmentReader};
use crate::schema::{ColumnIx, EntityIx};
use crate::store::entity_index::{BEFORE_SEGMENT, CreatedKeys, TypeNames, pair};
use crate::store::record::{DecodedTransaction, about};

/// An entity whose history is read, with its status at the end of a segment.
struct TrackedEntity {
    entity: EntityIx,
    id: Id,
    status: Status,
}

#[derive(PartialEq)]
enum Status {
    /// No segment so far creates it.
    NotCreated,
    /// It may still exist: its slot was not reused.
    Alive,
    /// The next entity at its slot was created, so no later segment is about it.
    SlotReused,
}

impl TrackedEntity {
    fn new(entity: EntityIx, id: Id, base: Option<&Graph<Paged>>) -> Self {
        let alive = base.is_some_and(|graph| graph.state(entity, id).is_some());
        let status = match alive {
            true => Status::Alive,
            // No entity has this generation.
            false if id.generation == BEFORE_SEGMENT => Status::SlotReused,
            false => Status::NotCreated,
        };
        Self { entity, id, status }
    }
}

impl IndexedLog<'_> {
    /// Returns whether a segment creates an entity.
    fn creates(
        &mut self,
        segment: &mut SegmentReader,
        of: EntityIx,
        id: Id,
    ) -> Result<bool, StorageError> {
        let context = self.context;
        let creates = |fact: &Fact, of: EntityIx| match *fact {
            Fact::Create {
                entity,
                slot,
                generation,
                ..
            } => (entity, slot, generation) == (of, id.slot, id.generation),
            _ => false,
        };
        // The first frame of the hash creates it, unless hashes collide. Then all frames of the hash are searched.
        for most in [1, usize::MAX] {
            let hash = |names: &TypeNames| names.entity(of, id.slot, id.generation);
            let places = self.places(segment, most, hash)?;
            for place in &places {
                let transaction = self.transaction(segment, *place)?;
                let found = (context.entity(transaction.seq, of)).is_some_and(|of| {
                    let mut facts = transaction.decoded.facts.list.iter();
                    facts.any(|fact| creates(fact, of))
                });
                if found {
                    return Ok(true);
                }
            }
            if places.is_empty() {
                break;
            }
        }
        Ok(false)
    }

    /// Follows an entity into the next segment. Returns the generation under which it is indexed there, or `None` if it does
    /// not exist in that segment.
    fn follow(
        &mut self,
        tracked: &mut TrackedEntity,
        segment: &mut SegmentReader,
    ) -> Result<Option<u32>, StorageError> {
        let TrackedEntity { entity, id, .. } = *tracked;
        let generations = match tracked.status {
            Status::Alive => BEFORE_SEGMENT,
            Status::NotCreated if self.creates(segment, entity, id)? => id.generation,
            Status::NotCreated | Status::SlotReused => return Ok(None),
        };
        let next = Id {
            generation: id.generation + 1,
            ..id
        };
        tracked.status = if self.creates(segment, entity, next)? {
            Status::SlotReused
        } else {
            Status::Alive
        };
        Ok(Some(generations))
    }

    /// Determines the status of an entity before the first frame, if frames before that were dropped.
    fn find_before_first(&mut self, tracked: &mut TrackedEntity) -> Result<(), StorageError> {
        let TrackedEntity { entity, id, .. } = *tracked;
        let Some(oldest) = self.oldest_graph() else {
            return Ok(());
        };
        let next = Id {
            generation: id.generation + 1,
            ..id
        };
        let mut next_is_created = false;
        for mut segment in self.segment_readers() {
            if self.creates(&mut segment, entity, id)? {
                return Ok(());
            }
            next_is_created |= self.creates(&mut segment, entity, next)?;
        }
        // If neither it nor its successor was created since, its slot is as it was then.
        let (graph, seq) = &*oldest;
        let own = self.context.entity(*seq, entity);
        let own = own.filter(|own| id.slot < graph.slots(*own));
        let was_there = own.is_some_and(|own| graph.id(own, id.slot) == id);
        tracked.status = match next_is_created || was_there {
            true => Status::Alive,
            false => Status::SlotReused,
        };
        Ok(())
    }

    /// Returns the entity that had a key in the oldest graph of a log whose first frames were dropped.
    fn with_key_before_first(&mut self, of: EntityIx, key: &[&[u8]]) -> Option<Id> {
        let oldest = self.oldest_graph()?;
        let (graph, seq) = &*oldest;
        let own = self.context.entity(*seq, of)?;
        let program = &self.context.plan.layout;
        let key = in_order_of(key, (program, of), (&graph.layout, own))?;
        graph.with_key(own, &key)
    }

    /// Returns all facts about an entity, or about the links between two.
    pub(super) fn history(&mut self, all: &[(EntityIx, Id)]) -> Result<FoundFacts, StorageError> {
        let mut history = Vec::new();
        for (mut segment, places) in self.places_of(all)? {
            for place in places {
                let transaction = self.transaction(&mut segment, place)?;
                self.add(&transaction, all, &mut history);
            }
        }
        Ok(history)
    }

    /// Returns the last transactions about an entity, at most `most` of them, and only those before a frame. The latest comes first.
    pub(super) fn last_about(
        &mut self,
        entity: (EntityIx, Id),
        before: Option<Seq>,
        most: usize,
    ) -> Result<Vec<Arc<DecodedTransaction>>, StorageError> {
        let mut segments = self.places_of(&[entity])?;
        let mut found = Vec::new();
        for (segment, places) in segments.iter_mut().rev() {
            let end = match before {
                Some(before) => self.places_before(segment, places, before)?,
                None => places.len(),
            };
            for place in places[..end].iter().rev() {
                if found.len() == most {
                    return Ok(found);
                }
                let transaction = self.transaction(segment, *place)?;
                let mut facts = Vec::new();
                self.add(&transaction, &[entity], &mut facts);
                // Another entity can have the same hash.
                if !facts.is_empty() {
                    found.push(transaction);
                }
            }
        }
        Ok(found)
    }

    /// Returns how many of the places in a segment are of frames before one. O(log(places)) frames are read.
    fn places_before(
        &mut self,
        segment: &mut SegmentReader,
        places: &[u64],
        before: Seq,
    ) -> Result<usize, StorageError> {
        let (mut low, mut high) = (0, places.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.transaction(segment, places[middle])?.seq < before {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// Returns the places of the transactions about an entity, or about the links between two, of each segment that has some, from the
    /// first to the last. The transactions are not read.
    fn places_of(
        &mut self,
        all: &[(EntityIx, Id)],
    ) -> Result<Vec<(SegmentReader, Vec<u64>)>, StorageError> {
        let base = self.context.base;
        let mut tracked: Vec<TrackedEntity> = (all.iter())
            .map(|&(entity, id)| TrackedEntity::new(entity, id, base))
            .collect();
        for tracked in &mut tracked {
            self.find_before_first(tracked)?;
        }
        let mut found = Vec::new();
        for mut segment in self.segment_readers() {
            let mut generations = Vec::new();
            for entity in &mut tracked {
                generations.push(self.follow(entity, &mut segment)?);
            }
            let Some(generations) = generations.into_iter().collect::<Option<Vec<u32>>>() else {
                continue;
            };
            let places = self.places(&segment, usize::MAX, |names| {
                let mut hashes = (all.iter().zip(&generations))
                    .map(|((entity, id), generation)| names.entity(*entity, id.slot, *generation));
                let first = hashes.next()??;
                match hashes.next() {
                    Some(second) => Some(pair(first, second?)),
                    None => Some(first),
                }
            })?;
            if !places.is_empty() {
                found.push((segment, places));
            }
            if tracked
                .iter()
                .any(|entity| entity.status == Status::SlotReused)
            {
                break;
            }
        }
        Ok(found)
    }

    /// Adds the facts of a transaction that are about an entity, or about the links between two.
    fn add(
        &self,
        transaction: &Arc<DecodedTransaction>,
        all: &[(EntityIx, Id)],
        history: &mut FoundFacts,
    ) {
        let seq = transaction.seq;
        let own = |(entity, id): &(EntityIx, Id)| Some((self.context.entity(seq, *entity)?, *id));
        let Some(all) = all.iter().map(own).collect::<Option<Vec<_>>>() else {
            return;
        };
        let facts = &transaction.decoded.facts;
        let found = about(facts, &transaction.plan.layout, &all, None);
        let found = found.into_iter();
        history.extend(found.map(|fact| (Arc::clone(transaction), fact)));
    }

    /// Returns the entities that were created with a key of these values, in order of creation.
    pub(super) fn entities_with_key(
        &mut self,
        of: EntityIx,
        key: &[&[u8]],
    ) -> Result<Vec<Id>, StorageError> {
        let context = self.context;
        let program = &context.plan.layout;
        let mut found = Vec::from_iter(self.with_key_before_first(of, key));
        for mut segment in self.segment_readers() {
            for place in self.places(&segment, usize::MAX, |names| names.key(of, key))? {
                let transaction = self.transaction(&mut segment, place)?;
                let (facts, layout) = (&transaction.decoded.facts, &transaction.plan.layout);
                let keys = CreatedKeys::new(facts, layout);
                let Some(own) = context.entity(transaction.seq, of) else {
                    continue;
                };
                let key = in_order_of(key, (program, of), (layout, own));
                for (i, fact) in facts.list.iter().enumerate() {
                    if let Fact::Create {
                        entity,
                        slot,
                        generation,
                        ..
                    } = *fact
                        && entity == own
                        && key.is_some()
                        && keys.of(i) == key
                    {
                        found.push(Id { slot, generation });
                    }
                }
            }
        }
        // What the oldest graph has may have been created after the first frame.
        if let Some(first) = found.first().copied()
            && found.iter().skip(1).any(|id| *id == first)
        {
            found.remove(0);
        }
        Ok(found)
    }
}

/// Returns the parts of a key in the order in which another layout declares them, or `None` if its key has other parts.
fn in_order_of<'k>(
    key: &[&'k [u8]],
    (layout, of): (&Layout, EntityIx),
    (other, own): (&Layout, EntityIx),
) -> Option<Vec<&'k [u8]>> {
    let names = |layout: &Layout, entity: EntityIx| -> Vec<Name> {
        let columns = layout.entities[usize::from(entity)].key.iter();
        let name = |column: &ColumnIx| Name::clone(&layout.columns[usize::from(*column)].name);
        columns.map(name).collect()
    };
    let (ours, theirs) = (names(layout, of), names(other, own));
    if ours.len() != theirs.len() {
        return None;
    }
    let part = |name| key.get(ours.iter().position(|our| our == name)?).copied();
    theirs.iter().map(part).collect()
}
