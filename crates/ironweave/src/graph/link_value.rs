//! The data of links: written, replaced and cleared, with the fingerprint, facts and undo.

use std::any::Any;
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::base::hash::link_data_term;
use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::fact::Fact;
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::EdgeIx;

impl<S: Storage> Graph<S> {
    /// The column of the data of an edge and the row of one of its links.
    pub(crate) fn link_row(
        &self,
        edge: EdgeIx,
        from: u32,
        to: u32,
    ) -> Option<(&dyn AnyColumn, u32)> {
        let edge = &self.edges[usize::from(edge)];
        if !edge.linked(from, to) {
            return None;
        }
        let data = edge.data.as_ref()?;
        Some((data.column(), data.row(from, to)))
    }

    /// Writes the data of a link that exists; `value` is of the type of the edge's data.
    pub(crate) fn set_link(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        (from, to): (u32, u32),
        value: &dyn Any,
    ) -> Result<(), StepError> {
        let at = self.must_be_linked(journal, edge, from, to)?;
        let written = (self.edges[usize::from(edge)].data.as_mut()).map(|data| {
            let mut written = Written::default();
            let bytes = &mut journal.facts.bytes;
            data.set((from, to), value, bytes, &mut written)
                .map(|()| written)
        });
        self.journal_set_link(journal, edge, (from, to), at, written)
    }

    /// Writes the data of a link that exists, from its encoding.
    pub(crate) fn set_link_encoded(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        (from, to): (u32, u32),
        bytes: &[u8],
    ) -> Result<(), StepError> {
        let at = self.must_be_linked(journal, edge, from, to)?;
        let written = (self.edges[usize::from(edge)].data.as_mut()).map(|data| {
            let mut written = Written::default();
            data.set_encoded((from, to), bytes, &mut written)
                .map(|()| written)
        });
        if let Some(Ok(_)) = written {
            journal.facts.bytes.extend_from_slice(bytes);
        }
        self.journal_set_link(journal, edge, (from, to), at, written)
    }

    /// The position of the next value in the journal; an error if the two are not linked.
    fn must_be_linked(
        &self,
        journal: &Journal,
        edge: EdgeIx,
        from: u32,
        to: u32,
    ) -> Result<usize, StepError> {
        if self.edges[usize::from(edge)].linked(from, to) {
            return Ok(journal.facts.bytes.len());
        }
        Err(self.not_linked(edge, from, to))
    }

    fn journal_set_link(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        (from, to): (u32, u32),
        at: usize,
        written: Option<Result<Written, ColumnError>>,
    ) -> Result<(), StepError> {
        let layout = &self.layout.edges[usize::from(edge)];
        let Some(written) = written else {
            return Err(StepError::Unwritable {
                what: Arc::clone(&layout.from.path),
                reason: "its links have no data".to_owned(),
                chain: Chain::default(),
            });
        };
        let written = written.map_err(|e| e.into_step(&layout.from.path))?;
        let end = journal.facts.bytes.len();
        let (Ok(at), Ok(_)) = (u32::try_from(at), u32::try_from(end)) else {
            // No fact will undo it.
            if let Some(data) = &mut self.edges[usize::from(edge)].data {
                data.undo();
            }
            return Err(StepError::Full {
                what: "the values of one transaction".into(),
                chain: Chain::default(),
            });
        };
        if self.fingerprinting {
            let (a, b) = self.end_ids(layout, from, to);
            if let Some(old) = written.old {
                let term = link_data_term(layout.salt, a, b, old);
                self.fingerprint = self.fingerprint.wrapping_sub(term);
            }
            let term = link_data_term(layout.salt, a, b, written.new);
            self.fingerprint = self.fingerprint.wrapping_add(term);
        }
        journal.facts.list.push(Fact::SetLink {
            edge,
            from,
            to,
            at,
            len: end as u32 - at,
        });
        Ok(())
    }

    /// Empties the data of a link before the link is removed.
    pub(super) fn clear_link(&mut self, edge: EdgeIx, from: u32, to: u32) {
        let layout = &self.layout.edges[usize::from(edge)];
        let Some(data) = &mut self.edges[usize::from(edge)].data else {
            return;
        };
        let hash = data.clear(from, to, self.fingerprinting);
        if let Some(hash) = hash.filter(|_| self.fingerprinting) {
            let (a, b) = self.end_ids(layout, from, to);
            let term = link_data_term(layout.salt, a, b, hash);
            self.fingerprint = self.fingerprint.wrapping_sub(term);
        }
    }
}
