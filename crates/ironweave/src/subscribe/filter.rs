//! The filter of a subscription.

use crate::base::id::Id;
use crate::graph::fact::Fact;
use crate::graph::layout::Layout;
use crate::schema::{EdgeIx, EntityIx, EventIx, StateIx};
use crate::store::record::DecodedTransaction;

/// Accepts a transaction that matches at least one of its parts, or every transaction if it has no parts.
#[derive(Default)]
pub(super) struct Filter {
    entities: Vec<Watched>,
    places: Vec<(EntityIx, StateIx)>,
    edges: Vec<EdgeIx>,
    events: Vec<EventIx>,
}

/// An entity whose transactions are accepted.
struct Watched {
    entity: EntityIx,
    id: Id,
    /// Whether another entity is at its slot, according to the last fact that creates or deletes an entity there.
    is_other_at_slot: bool,
}

impl Filter {
    pub(super) fn entity(&mut self, entity: EntityIx, id: Id) {
        self.entities.push(Watched {
            entity,
            id,
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
        let facts = &*transaction.decoded.facts.list;
        let mut is_about = false;
        for watched in &mut self.entities {
            for fact in facts {
                is_about |= watched.matches(*fact, layout);
            }
        }
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
            || (transaction.decoded.firings.iter()).any(|f| self.events.contains(&f.event))
    }
}

impl Watched {
    /// Returns whether a fact is about the entity.
    fn matches(&mut self, fact: Fact, layout: &Layout) -> bool {
        let at = Some((self.entity, self.id.slot));
        if !fact.touches(layout).contains(&at) {
            return false;
        }
        if let Fact::Create { generation, .. } | Fact::Delete { generation, .. } = fact {
            self.is_other_at_slot = generation != self.id.generation;
        }
        !self.is_other_at_slot
    }
}
