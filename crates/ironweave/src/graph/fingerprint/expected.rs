//! Entries that are expected: a compiled arc nearly always makes an entry of one kind, for one column, edge or type. The code
//! that visits such an entry is compiled for what is constant of it.

use super::{FactVisitor, Sum};
use crate::base::id::Id;
use crate::graph::entry::Entry;
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EdgeIx, EntityIx};

/// An entry that is expected. The entities exist.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// `held` is linked with another entity at the end that holds lists, which is the declaring one if `forward`.
    Relink {
        edge: EdgeIx,
        forward: bool,
        held: Id,
        holder: Id,
    },
    /// A plain value is set.
    Set {
        column: ColumnIx,
        id: Id,
    },
    Move {
        entity: EntityIx,
        id: Id,
    },
}

impl<S: Storage> Graph<S> {
    /// Returns whether the fingerprint is kept, and includes nothing of the open transaction yet.
    #[inline(always)]
    pub(crate) fn includes_nothing(&self, journal: &Journal) -> bool {
        self.fingerprinting && journal.fingerprinted == 0
    }

    /// Includes the sum of the terms of all entries in a fingerprint that [includes none](Self::includes_nothing).
    #[inline(always)]
    pub(crate) fn include(&mut self, sum: u128, journal: &mut Journal) {
        self.fingerprint = self.fingerprint.wrapping_add(sum);
        journal.fingerprinted = journal.entries.len();
    }

    /// Visits an entry if it is the expected one. Otherwise returns `false` and has done nothing. The transaction must not have
    /// deleted entities.
    #[inline(always)]
    pub(crate) fn visit_expected(
        &self,
        expected: Expected,
        entry: &Entry,
        sum: &Sum,
        visitor: &mut impl FactVisitor,
    ) -> bool {
        match (expected, *entry) {
            (
                Expected::Relink {
                    edge,
                    forward,
                    held,
                    holder,
                },
                Entry::Relink { edge: of, links },
            ) if (of, links.forward) == (edge, forward)
                && (links.held, links.holder) == (held.slot, holder.slot) =>
            {
                let (of_holder, _) = self.layout.edges[usize::from(edge)].holder_and_held(forward);
                let holders = [self.id(of_holder, links.old), holder];
                self.visit_relink(sum, (edge, forward), (held, holders), visitor);
                true
            }
            (
                Expected::Set { column, id },
                Entry::ReplacePlain {
                    column: of,
                    slot,
                    form,
                    new,
                    old,
                },
            ) if (of, slot) == (column, id.slot) => {
                self.visit_replace(sum, (column, id), (form, old, new), visitor);
                true
            }
            (
                Expected::Set { column, id },
                Entry::FillPlain {
                    column: of,
                    slot,
                    form,
                    new,
                },
            ) if (of, slot) == (column, id.slot) => {
                self.visit_fill(sum, (column, id), (form, new), visitor);
                true
            }
            (
                Expected::Move { entity, id },
                Entry::Move {
                    entity: of,
                    slot,
                    from,
                    to,
                },
            ) if (of, slot) == (entity, id.slot) => {
                self.visit_move(sum, (entity, id), (from, to), visitor);
                true
            }
            _ => false,
        }
    }
}
