//! Which transactions a subscription wants to hear of.

use crate::base::id::Id;
use crate::graph::fact::Fact;
use crate::graph::layout::Layout;
use crate::schema::{EdgeIx, EntityIx, EventIx, StateIx};
use crate::store::record::DecodedTransaction;

/// Takes what one of its parts takes; all, where it has none.
#[derive(Default)]
pub(super) struct Filter {
    entities: Vec<Watched>,
    places: Vec<(EntityIx, StateIx)>,
    edges: Vec<EdgeIx>,
    events: Vec<EventIx>,
}

/// An entity.
struct Watched {
    entity: EntityIx,
    id: Id,
    /// Whether another is at its slot, as far as is known.
    other: bool,
}

impl Filter {
    pub(super) fn entity(&mut self, entity: EntityIx, id: Id) {
        self.entities.push(Watched {
            entity,
            id,
            other: false,
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

    /// Whether it takes a transaction. It must be shown all, in order.
    pub(super) fn takes(&mut self, transaction: &DecodedTransaction, layout: &Layout) -> bool {
        let facts = &*transaction.decoded.facts.list;
        let mut about = false;
        for watched in &mut self.entities {
            for fact in facts {
                about |= watched.is_in(*fact, layout);
            }
        }
        let all = self.entities.is_empty()
            && self.places.is_empty()
            && self.edges.is_empty()
            && self.events.is_empty();
        let place = |entity, state| self.places.contains(&(entity, state));
        all || about
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
    /// Whether a fact is about it.
    fn is_in(&mut self, fact: Fact, layout: &Layout) -> bool {
        let who = Some((self.entity, self.id.slot));
        if !fact.touches(layout).contains(&who) {
            return false;
        }
        if let Fact::Create { generation, .. } | Fact::Delete { generation, .. } = fact {
            self.other = generation != self.id.generation;
        }
        !self.other
    }
}
