//! Histories: through the segments from the first to the last, following those that they are of.

use std::sync::Arc;

use crate::base::id::Id;
use crate::base::storage_error::StorageError;
use crate::graph::Graph;
use crate::graph::fact::Fact;
use crate::graph::paged::Paged;
use crate::history::Found;
use crate::history::archive::{Archive, Context, Part};
use crate::history::index::{EARLIER, KeysGiven, Names, pair};
use crate::log::Frame;
use crate::schema::EntityIx;
use crate::store::bad_frame;
use crate::store::record::{DecodedTransaction, about};

/// What became of an entity by some segment.
struct Life {
    entity: EntityIx,
    id: Id,
    now: Now,
}

#[derive(PartialEq)]
enum Now {
    Before,
    Alive,
    /// Somebody else is at its slot.
    Over,
}

impl Life {
    fn new(entity: EntityIx, id: Id, base: Option<&Graph<Paged>>) -> Self {
        let alive = base.is_some_and(|graph| graph.state(entity, id).is_some());
        let now = match alive {
            true => Now::Alive,
            // That is no generation of anybody.
            false if id.generation == EARLIER => Now::Over,
            false => Now::Before,
        };
        Self { entity, id, now }
    }
}

impl Archive<'_> {
    /// Whether an entity begins in a part.
    fn begins(&mut self, part: &mut Part, who: EntityIx, id: Id) -> Result<bool, StorageError> {
        let begins = |fact: &Fact| match *fact {
            Fact::Create {
                entity,
                slot,
                generation,
                ..
            } => (entity, slot, generation) == (who, id.slot, id.generation),
            _ => false,
        };
        // It does so in the first that is filed; only where two have one hash, others must be looked at.
        for most in [1, usize::MAX] {
            let hash = |names: &Names| names.entity(who, id.slot, id.generation);
            let places = self.places(part, most, hash)?;
            for place in &places {
                let found = self.facts(part, *place, |facts| facts.list.iter().any(begins))?;
                if found == Some(true) {
                    return Ok(true);
                }
            }
            if places.is_empty() {
                break;
            }
        }
        Ok(false)
    }

    /// Follows an entity into the next part; the generation under which it is filed there, if it is alive in it.
    fn follow(&mut self, life: &mut Life, part: &mut Part) -> Result<Option<u32>, StorageError> {
        let Life { entity, id, .. } = *life;
        let filed = match life.now {
            Now::Alive => EARLIER,
            Now::Before if self.begins(part, entity, id)? => id.generation,
            Now::Before | Now::Over => return Ok(None),
        };
        let next = Id {
            generation: id.generation + 1,
            ..id
        };
        life.now = if self.begins(part, entity, next)? {
            Now::Over
        } else {
            Now::Alive
        };
        Ok(Some(filed))
    }

    /// All that is about an entity, or about the links between two.
    pub(super) fn history(&mut self, all: &[(EntityIx, Id)]) -> Result<Found, StorageError> {
        let base = self.context.base;
        let mut lives: Vec<Life> = (all.iter())
            .map(|&(entity, id)| Life::new(entity, id, base))
            .collect();
        let mut history = Vec::new();
        for mut part in self.parts() {
            let mut filed = Vec::new();
            for life in &mut lives {
                filed.push(self.follow(life, &mut part)?);
            }
            let Some(filed) = filed.into_iter().collect::<Option<Vec<u32>>>() else {
                continue;
            };
            let places = self.places(&part, usize::MAX, |names| {
                let mut hashes = (all.iter().zip(&filed))
                    .map(|((entity, id), generation)| names.entity(*entity, id.slot, *generation));
                let first = hashes.next()??;
                match hashes.next() {
                    Some(second) => Some(pair(first, second?)),
                    None => Some(first),
                }
            })?;
            for place in places {
                let frame = self.frame(&mut part, place)?;
                self.add(&frame, all, &mut history)?;
            }
            if lives.iter().any(|life| life.now == Now::Over) {
                break;
            }
        }
        Ok(history)
    }

    /// Adds the facts of a frame that are about an entity, or about the links between two.
    fn add(
        &self,
        frame: &Frame,
        all: &[(EntityIx, Id)],
        history: &mut Found,
    ) -> Result<(), StorageError> {
        let Context { epochs, plan, .. } = self.context;
        let seq = frame.header.seq;
        let tags = (epochs.at(seq)).ok_or_else(|| bad_frame(seq, "no schema precedes it"))?;
        let transaction = Arc::new(DecodedTransaction::read(frame, tags, plan)?);
        let found = about(&transaction.decoded.facts.list, &plan.layout, all);
        history.extend(
            found
                .into_iter()
                .map(|fact| (Arc::clone(&transaction), fact)),
        );
        Ok(())
    }

    /// Who ever got a key of these values, in order of creation.
    pub(super) fn had_key(&mut self, of: EntityIx, key: &[&[u8]]) -> Result<Vec<Id>, StorageError> {
        let layout = &self.context.plan.layout;
        let mut had = Vec::new();
        for mut part in self.parts() {
            for place in self.places(&part, usize::MAX, |names| names.key(of, key))? {
                self.facts(&mut part, place, |facts| {
                    let keys = KeysGiven::new(facts, layout);
                    for (i, fact) in facts.list.iter().enumerate() {
                        if let Fact::Create {
                            entity,
                            slot,
                            generation,
                            ..
                        } = *fact
                            && entity == of
                            && keys.of(i).as_deref() == Some(key)
                        {
                            had.push(Id { slot, generation });
                        }
                    }
                })?;
            }
        }
        Ok(had)
    }
}
