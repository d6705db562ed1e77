//! Data on links: one column for each edge that has some, and which of its rows is which link's.

use std::any::Any;

use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::edge::pair;
use crate::hash::FastMap;
use crate::schema::Cardinality;

/// The data on the links of one edge.
pub(crate) struct LinkData {
    column: Box<dyn AnyColumn>,
    rows: Rows,
}

/// Where the row of a link is.
enum Rows {
    /// At the slot of the declaring end, which holds one link.
    From,
    /// At the slot of the inverse end, which holds one link.
    To,
    /// Both ends hold lists: looked up by pair. The last row that was freed is taken first, so that undoing in
    /// reverse gives each link its row back.
    Pairs {
        rows: FastMap<u64, u32>,
        free: Vec<u32>,
        rows_made: u32,
    },
}

impl LinkData {
    pub(crate) fn new(column: Box<dyn AnyColumn>, from: Cardinality, to: Cardinality) -> Self {
        let rows = match (from, to) {
            (Cardinality::One | Cardinality::Option, _) => Rows::From,
            (_, Cardinality::One | Cardinality::Option) => Rows::To,
            _ => Rows::Pairs {
                rows: FastMap::default(),
                free: Vec::new(),
                rows_made: 0,
            },
        };
        Self { column, rows }
    }

    /// Whether rows stand at the slots of an end (`forward`: the declaring one).
    fn along(&self, forward: bool) -> bool {
        matches!(
            (&self.rows, forward),
            (Rows::From, true) | (Rows::To, false)
        )
    }

    /// Makes room for one more entity at an end.
    pub(crate) fn grow(&mut self, forward: bool) {
        if self.along(forward) {
            self.column.grow();
        }
    }

    /// The inverse of [`LinkData::grow`].
    pub(crate) fn shrink(&mut self, forward: bool) {
        if self.along(forward) {
            self.column.shrink();
        }
    }

    /// Gives a new link its row, which is empty.
    pub(crate) fn link(&mut self, from: u32, to: u32) {
        if let Rows::Pairs {
            rows,
            free,
            rows_made,
        } = &mut self.rows
        {
            let row = free.pop().unwrap_or_else(|| {
                self.column.grow();
                *rows_made += 1;
                *rows_made - 1
            });
            rows.insert(pair(from, to), row);
        }
    }

    /// Takes the row of a link back, which is empty again.
    pub(crate) fn unlink(&mut self, from: u32, to: u32) {
        if let Rows::Pairs { rows, free, .. } = &mut self.rows {
            free.extend(rows.remove(&pair(from, to)));
        }
    }

    /// The row of a link that there is.
    pub(crate) fn row(&self, from: u32, to: u32) -> u32 {
        match &self.rows {
            Rows::From => from,
            Rows::To => to,
            Rows::Pairs { rows, .. } => rows[&pair(from, to)],
        }
    }

    /// The column.
    pub(crate) fn column(&self) -> &dyn AnyColumn {
        &*self.column
    }

    pub(crate) fn set(
        &mut self,
        (from, to): (u32, u32),
        value: &dyn Any,
        bytes: &mut Vec<u8>,
        hashing: bool,
    ) -> Result<Written, ColumnError> {
        (self.column).set(self.row(from, to), value, bytes, hashing)
    }

    pub(crate) fn set_encoded(
        &mut self,
        (from, to): (u32, u32),
        bytes: &[u8],
        hashing: bool,
    ) -> Result<Written, ColumnError> {
        (self.column).set_encoded(self.row(from, to), bytes, hashing)
    }

    /// Empties the row of a link; the hash of what was there.
    pub(crate) fn clear(&mut self, from: u32, to: u32, hashing: bool) -> Option<u64> {
        self.column.clear(self.row(from, to), hashing)
    }

    /// Takes the last change of a value back.
    pub(crate) fn undo(&mut self) {
        self.column.undo();
    }

    /// Forgets what was replaced.
    pub(crate) fn settle(&mut self) {
        self.column.settle();
    }

    /// How many links have a row, where rows are looked up; for `check`.
    pub(crate) fn pairs(&self) -> Option<usize> {
        match &self.rows {
            Rows::Pairs { rows, .. } => Some(rows.len()),
            _ => None,
        }
    }
}
