//! Linking: both directions of an edge change, with their entries in the journal and counters.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::base::hash::link_term;
use crate::base::id::Id;
use crate::graph::edge::NONE;
use crate::graph::entry::Entry;
use crate::graph::layout::EdgeLayout;
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{Cardinality, EdgeIx};

impl<S: Storage> Graph<S> {
    pub(crate) fn link(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        from: u32,
        to: u32,
    ) -> Result<(), StepError> {
        let ix = usize::from(edge);
        let layout = &self.layout.edges[ix];
        if self.edges[ix].linked(from, to) {
            return Err(StepError::AlreadyLinked {
                edge: Arc::clone(&layout.from.path),
                from: self.named(layout.from.entity, from),
                to: self.named(layout.to.entity, to),
                chain: Chain::default(),
            });
        }
        for (end, forward, slot) in [(&layout.from, true, from), (&layout.to, false, to)] {
            if end.cardinality != Cardinality::Many
                && !self.edges[ix].slots(forward, slot).is_empty()
            {
                return Err(StepError::Cardinality {
                    entity: self.named(end.entity, slot),
                    edge: Arc::clone(&end.path),
                    found: 2,
                    allowed: "at most one is allowed (`relink` takes over)".to_owned(),
                    chain: Chain::default(),
                });
            }
        }
        self.link_free(journal, edge, from, to);
        Ok(())
    }

    /// Links two entities that are not linked, at ends that have room.
    #[inline]
    fn link_free(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        let ix = usize::from(edge);
        if self.layout.edges[ix].is_watched {
            return self.link_watched(journal, edge, from, to);
        }
        self.edges[ix].link(from, to);
        journal.push(Entry::Link { edge, from, to });
    }

    /// The same over an edge that counters or indexes depend on.
    #[inline(never)]
    fn link_watched(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        self.hold_linked(edge, from, to);
        self.edges[usize::from(edge)].link(from, to);
        journal.push(Entry::Link { edge, from, to });
        self.rekey_linked(edge, from, to);
        self.rewatch(edge, from, to, true, true);
    }

    /// The term of a link in the fingerprint.
    #[inline(always)]
    pub(super) fn link_term(&self, layout: &EdgeLayout, from: u32, to: u32) -> u128 {
        let (a, b) = self.end_ids(layout, from, to);
        link_term(layout.salt, a, b)
    }

    /// The ids of the entities at both ends of a link.
    #[inline(always)]
    pub(super) fn end_ids(&self, layout: &EdgeLayout, from: u32, to: u32) -> (Id, Id) {
        (
            self.id(layout.from.entity, from),
            self.id(layout.to.entity, to),
        )
    }

    pub(crate) fn unlink(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        from: u32,
        to: u32,
    ) -> Result<(), StepError> {
        let ix = usize::from(edge);
        if !self.edges[ix].linked(from, to) {
            return Err(self.not_linked(edge, from, to));
        }
        self.unlink_linked(journal, edge, from, to);
        Ok(())
    }

    /// The error for a change of a link that does not exist.
    #[cold]
    pub(super) fn not_linked(&self, edge: EdgeIx, from: u32, to: u32) -> StepError {
        let layout = &self.layout.edges[usize::from(edge)];
        StepError::NotLinked {
            edge: Arc::clone(&layout.from.path),
            from: self.named(layout.from.entity, from),
            to: self.named(layout.to.entity, to),
            chain: Chain::default(),
        }
    }

    /// Unlinks two entities that are linked.
    #[inline]
    fn unlink_linked(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        if self.layout.edges[usize::from(edge)].is_watched {
            return self.unlink_watched(journal, edge, from, to);
        }
        self.unlink_only(journal, edge, from, to);
    }

    /// The same over an edge that counters or indexes depend on.
    #[inline(never)]
    fn unlink_watched(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        self.hold_linked(edge, from, to);
        self.unlink_only(journal, edge, from, to);
        self.rekey_linked(edge, from, to);
        self.rewatch(edge, from, to, false, true);
    }

    /// Unlinks two entities, without what depends on their link.
    #[inline]
    fn unlink_only(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        let ix = usize::from(edge);
        if self.edges[ix].data.is_some() {
            self.clear_link(journal, edge, from, to);
        }
        let at = self.edges[ix].unlink(from, to);
        journal.push(Entry::Unlink { edge, from, to, at });
    }

    /// Links two entities. An end that can hold only one loses the link that it has. Nothing happens if the two are linked
    /// already.
    #[inline(always)]
    pub(crate) fn relink(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        match self.edges[usize::from(edge)].plain_fan {
            Some(true) => self.relink_typed::<true>(journal, edge, from, to),
            Some(false) => self.relink_typed::<false>(journal, edge, to, from),
            None => self.relink_each(journal, edge, from, to),
        }
    }

    /// As [`Graph::relink`], link by link.
    pub(super) fn relink_each(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        let ix = usize::from(edge);
        if self.edges[ix].linked(from, to) {
            return;
        }
        if let Some(far) = self.edges[ix].only(true, from) {
            self.unlink_linked(journal, edge, from, far);
        }
        if let Some(far) = self.edges[ix].only(false, to) {
            self.unlink_linked(journal, edge, far, to);
        }
        self.link_free(journal, edge, from, to);
    }

    /// As [`Graph::relink`], over a plain fan: an edge without data and watches, one end of which holds lists. `FORWARD` says
    /// whether that is the declaring end. `holder` is at that end, and `held` at the other one.
    #[inline(always)]
    pub(super) fn take_over<const FORWARD: bool>(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        holder: u32,
        held: u32,
    ) {
        match self.edges[usize::from(edge)].take_over::<FORWARD>(holder, held) {
            None => {}
            Some(links) if links.old == NONE => {
                let (from, to) = links.made();
                journal.push(Entry::Link { edge, from, to });
            }
            Some(links) => journal.push_relink(Entry::Relink { edge, links }),
        }
    }
}
