//! Whether two schemas are equal except for unknown encodings.

use crate::{Encoding, Schema};

impl Schema {
    /// Returns whether the schema `now` equals this one, which was read from a log. An encoding that is not known in this
    /// schema is not a difference, because old logs contain no encodings.
    #[must_use]
    pub fn is_same(&self, now: &Self) -> bool {
        let mut now = now.clone();
        for (ours, theirs) in self.encodings().zip(now.encodings_mut()) {
            if ours.is_none() {
                *theirs = None;
            }
        }
        *self == now
    }

    /// Returns all encodings, in order.
    pub(crate) fn encodings(&self) -> impl Iterator<Item = &Option<Encoding>> {
        let columns = self.columns.iter().map(|column| &column.encoding);
        let edges = self.edges.iter().map(|edge| &edge.encoding);
        let fields = self.events.iter().flat_map(|event| &event.fields);
        columns.chain(edges).chain(fields.map(|f| &f.encoding))
    }

    fn encodings_mut(&mut self) -> impl Iterator<Item = &mut Option<Encoding>> {
        let columns = self.columns.iter_mut().map(|column| &mut column.encoding);
        let edges = self.edges.iter_mut().map(|edge| &mut edge.encoding);
        let fields = self.events.iter_mut().flat_map(|event| &mut event.fields);
        columns.chain(edges).chain(fields.map(|f| &mut f.encoding))
    }
}
