//! The data of links: written, replaced and cleared, with their entries in the journal.

use std::any::Any;
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::data::LinkData;
use crate::graph::entry::{Entry, NewValue};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal, too_many_bytes};
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

    /// The column of the data of an edge, if it has data.
    pub(crate) fn link_column(&self, edge: EdgeIx) -> Option<&dyn AnyColumn> {
        let data = self.edges[usize::from(edge)].data.as_ref()?;
        Some(data.column())
    }

    /// Writes the data of a link that exists; `value` is of the type of the edge's data.
    pub(crate) fn set_link(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        ends: (u32, u32),
        value: &dyn Any,
    ) -> Result<(), StepError> {
        self.set_link_by(journal, edge, ends, |data, bytes| {
            data.set(ends, value, bytes)
        })
    }

    /// Writes the data of a link that exists, from its encoding.
    pub(crate) fn set_link_encoded(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        ends: (u32, u32),
        encoded: &[u8],
    ) -> Result<(), StepError> {
        self.set_link_by(journal, edge, ends, |data, bytes| {
            data.set_encoded(ends, encoded, bytes)
        })
    }

    fn set_link_by(
        &mut self,
        journal: &mut Journal,
        edge: EdgeIx,
        (from, to): (u32, u32),
        set: impl FnOnce(&mut LinkData<S>, &mut Vec<u8>) -> Result<Written, ColumnError>,
    ) -> Result<(), StepError> {
        if !self.edges[usize::from(edge)].linked(from, to) {
            return Err(self.not_linked(edge, from, to));
        }
        self.clear_link(journal, edge, from, to);
        let path = &self.layout.edges[usize::from(edge)].from.path;
        let Some(data) = &mut self.edges[usize::from(edge)].data else {
            return Err(StepError::Unwritable {
                what: Arc::clone(path),
                reason: "its links have no data".to_owned(),
                chain: Chain::default(),
            });
        };
        let Written { new, .. } = set(data, &mut journal.bytes).map_err(|e| e.into_step(path))?;
        if u32::try_from(journal.bytes.len()).is_err() {
            // The change is undone here, since the journal gets no entry for it.
            match new {
                NewValue::Plain(..) => data.put_back(from, to, None),
                NewValue::Encoded { .. } => data.undo(),
            }
            return Err(too_many_bytes());
        }
        journal.push(Entry::set_link(edge, (from, to), new));
        Ok(())
    }

    /// Empties the data of a link, before the link is removed or other data is set.
    pub(super) fn clear_link(&mut self, journal: &mut Journal, edge: EdgeIx, from: u32, to: u32) {
        if let Some(data) = &mut self.edges[usize::from(edge)].data
            && let Some(old) = data.clear(from, to)
        {
            journal.push_clear(Entry::clear_link(edge, (from, to), old));
        }
    }
}
