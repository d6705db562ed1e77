//! The facts of the journal as a log has them: entities by their ids, and plain values as words. A log is written from them
//! directly, so that the list of [`Facts`](crate::graph::fact::Facts) is made only if a caller reads it.
//!
//! As for the [fingerprint](crate::graph::fingerprint), the generation of a slot is that of the slot now, unless the
//! transaction used the slot of an entity that it had deleted.

use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::entry::{Change, NewValue};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{EdgeIx, EntityIx};

/// The kinds of facts, as in a log.
pub(crate) mod kind {
    pub(crate) const CREATE: u8 = 0;
    pub(crate) const DELETE: u8 = 1;
    pub(crate) const MOVE: u8 = 2;
    pub(crate) const SET: u8 = 3;
    pub(crate) const LINK: u8 = 4;
    pub(crate) const UNLINK: u8 = 5;
    pub(crate) const SET_LINK: u8 = 6;
}

/// A fact as a log has it.
#[derive(Clone, Copy)]
pub(crate) struct LoggedFact {
    /// One of [`kind`].
    pub kind: u8,
    /// The index of an entity type, a column or an edge.
    pub index: u16,
    /// The entity; of a link, that at the declaring end.
    pub entity: Id,
    /// The id at the other end of a link, or the states.
    pub operand: u64,
    pub value: Option<NewValue>,
}

impl LoggedFact {
    #[inline(always)]
    fn new(kind: u8, index: u16, entity: Id, operand: u64) -> Self {
        Self {
            kind,
            index,
            entity,
            operand,
            value: None,
        }
    }

    #[inline(always)]
    fn of_link(kind: u8, edge: EdgeIx, (from, to): (Id, Id)) -> Self {
        Self::new(kind, edge.get(), from, to.to_bits())
    }
}

impl<S: Storage> Graph<S> {
    /// Calls `see` with each fact of a journal, in order. The journal must be that of the open transaction.
    #[inline(always)]
    pub(crate) fn each_logged_fact(&self, journal: &Journal, mut see: impl FnMut(LoggedFact)) {
        if journal.may_reuse_slots {
            return self.each_with_reused_slots(journal, &mut see);
        }
        for entry in &journal.entries {
            self.logged_facts(
                entry.change(),
                |entity, slot| self.id(entity, slot),
                &mut see,
            );
        }
    }

    #[cold]
    fn each_with_reused_slots(&self, journal: &Journal, see: &mut dyn FnMut(LoggedFact)) {
        let mut deleted: FastMap<(EntityIx, u32), Vec<(usize, u32)>> = FastMap::default();
        for (i, entry) in journal.entries.iter().enumerate() {
            if let Change::Delete { entity, id, .. } = entry.change() {
                let of_slot = deleted.entry((entity, id.slot)).or_default();
                of_slot.push((i, id.generation));
            }
        }
        for (i, entry) in journal.entries.iter().enumerate() {
            // An entity that this entry or a later one deletes.
            let next_deleted = |entity, slot| {
                let of_slot: &Vec<(usize, u32)> = deleted.get(&(entity, slot))?;
                let next = of_slot.partition_point(|(delete, _)| *delete < i);
                let generation = of_slot.get(next)?.1;
                Some(Id { slot, generation })
            };
            let id =
                |entity, slot| next_deleted(entity, slot).unwrap_or_else(|| self.id(entity, slot));
            self.logged_facts(entry.change(), id, &mut *see);
        }
    }

    /// Calls `see` with the facts of an entry. `id` gives the id that the entity at a slot had when the entry was made.
    #[inline(always)]
    fn logged_facts(
        &self,
        change: Change,
        id: impl Fn(EntityIx, u32) -> Id,
        mut see: impl FnMut(LoggedFact),
    ) {
        let ends = |edge: EdgeIx, from: u32, to: u32| {
            let layout = &self.layout.edges[usize::from(edge)];
            (id(layout.from.entity, from), id(layout.to.entity, to))
        };
        match change {
            Change::Create { entity, state, id } => {
                let states = state.get().into();
                see(LoggedFact::new(kind::CREATE, entity.get(), id, states));
            }
            Change::Delete { entity, state, id } => {
                let states = state.get().into();
                see(LoggedFact::new(kind::DELETE, entity.get(), id, states));
            }
            Change::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let states = u16::from_le_bytes([from.get(), to.get()]).into();
                see(LoggedFact::new(
                    kind::MOVE,
                    entity.get(),
                    id(entity, slot),
                    states,
                ));
            }
            Change::Set {
                column, slot, new, ..
            } => {
                let id = id(self.layout.columns[usize::from(column)].entity, slot);
                see(LoggedFact {
                    value: Some(new),
                    ..LoggedFact::new(kind::SET, column.get(), id, 0)
                });
            }
            Change::Link { edge, from, to } => {
                see(LoggedFact::of_link(kind::LINK, edge, ends(edge, from, to)));
            }
            Change::Unlink { edge, from, to, .. } => {
                see(LoggedFact::of_link(
                    kind::UNLINK,
                    edge,
                    ends(edge, from, to),
                ));
            }
            Change::Relink { edge, links } => {
                let layout = &self.layout.edges[usize::from(edge)];
                let (from, to) = (layout.from.entity, layout.to.entity);
                let (holder, held) = if links.forward {
                    (from, to)
                } else {
                    (to, from)
                };
                let held = id(held, links.held);
                let ends = |holder: Id| match links.forward {
                    true => (holder, held),
                    false => (held, holder),
                };
                let removed = ends(id(holder, links.old));
                see(LoggedFact::of_link(kind::UNLINK, edge, removed));
                let made = ends(id(holder, links.holder));
                see(LoggedFact::of_link(kind::LINK, edge, made));
            }
            Change::SetLink {
                edge,
                from,
                to,
                new,
            } => see(LoggedFact {
                value: Some(new),
                ..LoggedFact::of_link(kind::SET_LINK, edge, ends(edge, from, to))
            }),
            // The fact of the deletion, move or unlink implies it.
            Change::Clear { .. } | Change::ClearLink { .. } => {}
        }
    }
}
