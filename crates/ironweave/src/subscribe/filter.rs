//! The filter of a subscription.

use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::fact::Fact;
use crate::graph::layout::Layout;
use crate::schema::{EdgeIx, EntityIx, EventIx, StateIx};
use crate::store::record::DecodedTransaction;

/// Accepts a transaction that matches at least one of its parts, or every transaction if it has no parts.
#[derive(Default)]
pub(super) struct Filter {
    /// By type and slot, the entities whose transactions are accepted.
    entities: FastMap<(EntityIx, u32), Vec<Watched>>,
    places: Vec<(EntityIx, StateIx)>,
    edges: Vec<EdgeIx>,
    events: Vec<EventIx>,
}

/// An entity whose transactions are accepted.
struct Watched {
    generation: u32,
    /// Whether another entity is at its slot, according to the last fact that creates or deletes an entity there.
    is_other_at_slot: bool,
}

impl Filter {
    pub(super) fn entity(&mut self, entity: EntityIx, id: Id) {
        let watched = self.entities.entry((entity, id.slot)).or_default();
        watched.push(Watched {
            generation: id.generation,
            is_other_at_slot: false,
        });
    }

    pub(super) fn place(&mut self, entity: EntityIx, states: &[StateIx]) {
        self.places
            .extend(states.iter().map(|state| (entity, *state)));
    }

    pub(super) fn edge(&mut self, edge: EdgeIx) {
        self.edges.push(edge);
    }

    pub(super) fn event(&mut self, event: EventIx) {
        self.events.push(event);
    }

    /// Returns whether it accepts a transaction. It must be called for each transaction in order, since facts name slots.
    pub(super) fn accepts(&mut self, transaction: &DecodedTransaction, layout: &Layout) -> bool {
        let (foreign, logged) = (transaction.foreign.as_ref(), &transaction.decoded.facts);
        let translated = foreign.map(|foreign| foreign.unrendered(logged));
        let facts = &*translated.as_ref().unwrap_or(logged).list;
        let layout = foreign.map_or(layout, |foreign| &**foreign.layout());
        let event = |event| foreign.map_or(Some(event), |foreign| foreign.event(event));
        let is_about = self.is_about(facts, layout);
        let all = self.entities.is_empty()
            && self.places.is_empty()
            && self.edges.is_empty()
            && self.events.is_empty();
        let place = |entity, state| self.places.contains(&(entity, state));
        all || is_about
            || facts.iter().any(|fact| match *fact {
                Fact::Create { entity, state, .. } | Fact::Delete { entity, state, .. } => {
                    place(entity, state)
                }
                Fact::Move {
                    entity, from, to, ..
                } => place(entity, from) || place(entity, to),
                Fact::Link { edge, .. }
                | Fact::Unlink { edge, .. }
                | Fact::SetLink { edge, .. } => self.edges.contains(&edge),
                Fact::Set { .. } => false,
            })
            || (transaction.decoded.firings.iter())
                .any(|f| event(f.event).is_some_and(|event| self.events.contains(&event)))
    }

    /// Returns whether a fact is about one of the entities; O(facts), however many entities there are.
    fn is_about(&mut self, facts: &[Fact], layout: &Layout) -> bool {
        let mut is_about = false;
        for fact in facts {
            for at in fact.touches(layout).into_iter().flatten() {
                for watched in self.entities.get_mut(&at).into_iter().flatten() {
                    is_about |= watched.matches(*fact);
                }
            }
        }
        is_about
    }
}

impl Watched {
    /// Returns whether a fact that is about its slot is about the entity.
    fn matches(&mut self, fact: Fact) -> bool {
        #[cfg(test)]
        tests::COMPARED.set(tests::COMPARED.get() + 1);
        if let Fact::Create { generation, .. } | Fact::Delete { generation, .. } = fact {
            self.is_other_at_slot = generation != self.generation;
        }
        !self.is_other_at_slot
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::schema::{EntityDef, Schema, StateDef};

    thread_local! {
        /// How many facts were compared with an entity.
        pub(super) static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    fn layout() -> std::sync::Arc<Layout> {
        let state = StateDef {
            name: "Exists".into(),
            terminal: true,
            ..StateDef::default()
        };
        Layout::new(
            Schema {
                name: "m".into(),
                entities: vec![EntityDef {
                    name: "Task".into(),
                    states: vec![state],
                    ..EntityDef::default()
                }],
                ..Schema::default()
            },
            &[],
        )
    }

    const TASK: EntityIx = EntityIx::new(0);

    fn fact(is_create: bool, slot: u32, generation: u32) -> Fact {
        let (entity, state) = (TASK, StateIx::new(0));
        if is_create {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            }
        } else {
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            }
        }
    }

    #[test]
    fn a_transaction_is_compared_with_the_entities_that_it_is_about() {
        let layout = layout();
        let compared = |watched: u32| {
            let mut filter = Filter::default();
            for slot in 0..watched {
                let generation = 1;
                filter.entity(TASK, Id { slot, generation });
            }
            let before = COMPARED.get();
            assert!(filter.is_about(&[fact(false, 7, 1), fact(true, 7, 2)], &layout));
            assert!(!filter.is_about(&[fact(false, 7, 2), fact(true, watched, 1)], &layout));
            COMPARED.get() - before
        };
        assert_eq!(compared(10), 3);
        assert_eq!(compared(10_000), 3);
    }

    #[test]
    fn entities_that_had_the_same_slot_are_distinguished() {
        let layout = layout();
        let mut filter = Filter::default();
        for generation in [1, 3] {
            let slot = 5;
            filter.entity(TASK, Id { slot, generation });
        }
        let mut about =
            |is_create, generation| filter.is_about(&[fact(is_create, 5, generation)], &layout);
        let found = [
            about(false, 1),
            about(true, 2),
            about(false, 2),
            about(true, 3),
            about(false, 3),
            about(true, 4),
        ];
        assert_eq!(found, [true, false, false, true, true, false]);
    }
}
