//! Data of links: one column for each edge that has data, and the rows that its links have in it.

use std::any::Any;
use std::collections::BTreeSet;

use crate::base::image::{ImageError, ImageSource};
use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::edge::{NONE, pair};
use crate::graph::entry::OldValue;
use crate::graph::storage::{Map, Storage, Table};
use crate::schema::Cardinality;

/// The data of the links of one edge.
pub(crate) struct LinkData<S: Storage> {
    column: S::Column,
    rows: Rows<S>,
}

/// Where the row of a link is.
enum Rows<S: Storage> {
    /// At the slot of the declaring end, which holds one link.
    From,
    /// At the slot of the inverse end, which holds one link.
    To,
    /// Looked up by pair, since both ends hold lists. The row that was freed last is used first, so that an undo in
    /// reverse order gives each link its row back.
    Pairs {
        rows: S::Map<u32>,
        free: S::Table<u32>,
        /// By row, the pair that has it or had it last.
        pairs: S::Table<u64>,
    },
}

impl<S: Storage> Clone for Rows<S> {
    fn clone(&self) -> Self {
        match self {
            Self::From => Self::From,
            Self::To => Self::To,
            Self::Pairs { rows, free, pairs } => Self::Pairs {
                rows: rows.clone(),
                free: free.clone(),
                pairs: pairs.clone(),
            },
        }
    }
}

impl<S: Storage> Clone for LinkData<S> {
    fn clone(&self) -> Self {
        Self {
            column: self.column.clone(),
            rows: self.rows.clone(),
        }
    }
}

impl<S: Storage> LinkData<S> {
    pub(crate) fn new(column: S::Column, from: Cardinality, to: Cardinality) -> Self {
        let rows = match (from, to) {
            (Cardinality::One | Cardinality::Option, _) => Rows::From,
            (_, Cardinality::One | Cardinality::Option) => Rows::To,
            _ => Rows::Pairs {
                rows: S::Map::default(),
                free: S::Table::default(),
                pairs: S::Table::default(),
            },
        };
        Self { column, rows }
    }

    /// A copy in another storage, whose column is empty.
    pub(super) fn copy<B: Storage>(&self, mut column: B::Column) -> LinkData<B> {
        column.copy(&*self.column);
        let rows = match &self.rows {
            Rows::From => Rows::From,
            Rows::To => Rows::To,
            Rows::Pairs { rows, free, pairs } => Rows::Pairs {
                rows: rows.copy(),
                free: free.copy(),
                pairs: pairs.copy(),
            },
        };
        LinkData { column, rows }
    }

    /// The rows that may differ.
    fn differing_rows(&self, other: &Self) -> BTreeSet<u32> {
        let mut rows = BTreeSet::new();
        let mut see = |row| {
            rows.insert(row as u32);
        };
        self.column.differing(&*other.column, &mut see);
        rows
    }

    /// The links of `self` whose data may differ. `only` gives the link of a slot at an end that holds one.
    pub(super) fn differing(
        &self,
        other: &Self,
        only: impl Fn(bool, u32) -> Option<u32>,
    ) -> Vec<(u32, u32)> {
        let rows = self.differing_rows(other);
        let of = |forward| {
            rows.iter()
                .filter_map(move |row| Some((*row, only(forward, *row)?)))
        };
        match &self.rows {
            Rows::From => of(true).collect(),
            Rows::To => of(false).map(|(to, from)| (from, to)).collect(),
            Rows::Pairs {
                rows: at, pairs, ..
            } => {
                let made = rows.iter().filter(|row| (**row as usize) < pairs.len());
                made.map(|row| (row, *pairs.at(*row as usize)))
                    // A row that is free has no pair.
                    .filter(|(row, pair)| at.at(*pair) == Some(row))
                    .map(|(_, pair)| ((pair >> 32) as u32, pair as u32))
                    .collect()
            }
        }
    }

    /// Whether rows have the numbers of the slots of an end (`forward`: the declaring one).
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
        if let Rows::Pairs { rows, free, pairs } = &mut self.rows {
            let row = if free.len() > 0 {
                let row = *free.at(free.len() - 1);
                free.pop();
                *pairs.at_mut(row as usize) = pair(from, to);
                row
            } else {
                self.column.grow();
                pairs.push(pair(from, to));
                pairs.len() as u32 - 1
            };
            rows.put(pair(from, to), row);
        }
    }

    /// Frees the row of a link, which has been emptied.
    pub(crate) fn unlink(&mut self, from: u32, to: u32) {
        if let Rows::Pairs { rows, free, .. } = &mut self.rows
            && let Some(row) = rows.take(pair(from, to))
        {
            free.push(row);
        }
    }

    /// The row of a link that exists.
    pub(crate) fn row(&self, from: u32, to: u32) -> u32 {
        match &self.rows {
            Rows::From => from,
            Rows::To => to,
            // The caller has checked that the two are linked.
            Rows::Pairs { rows, .. } => rows.at(pair(from, to)).copied().unwrap_or(NONE),
        }
    }

    /// The column.
    pub(crate) fn column(&self) -> &dyn AnyColumn {
        &*self.column
    }

    /// Reads the data of links, which have none, from an image. Calls `see` with each row and the hash of its value.
    pub(super) fn read_cells(
        &mut self,
        links: &[(u32, u32)],
        from: &mut dyn ImageSource,
        see: &mut dyn FnMut(u32, u64),
    ) -> Result<(), ImageError> {
        let rows: Vec<u32> = (links.iter())
            .map(|(from, to)| self.row(*from, *to))
            .collect();
        self.column.read_cells(&mut rows.into_iter(), from, see)
    }

    /// Writes the data of a link that has none.
    pub(crate) fn set(
        &mut self,
        (from, to): (u32, u32),
        value: &dyn Any,
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        let row = self.row(from, to);
        self.column.set(row, value, bytes)
    }

    /// The same from its encoding.
    pub(crate) fn set_encoded(
        &mut self,
        (from, to): (u32, u32),
        encoded: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        let row = self.row(from, to);
        self.column.set_encoded(row, encoded, bytes)
    }

    /// Empties the row of a link and returns its value, if it had one.
    pub(crate) fn clear(&mut self, from: u32, to: u32) -> Option<OldValue> {
        let row = self.row(from, to);
        self.column.clear(row)
    }

    /// Undoes the last change of a value that is not plain.
    pub(crate) fn undo(&mut self) {
        self.column.undo();
    }

    /// Undoes a change of a plain value: the link has a word again, or no value.
    pub(crate) fn put_back(&mut self, from: u32, to: u32, word: Option<u64>) {
        let row = self.row(from, to);
        self.column.put_back(row, word);
    }

    /// Copies what changes replaced.
    pub(super) fn copy_undo(&mut self, from: &dyn AnyColumn) {
        self.column.copy_undo(from);
    }

    /// Forgets what was replaced.
    pub(crate) fn forget_replaced(&mut self) {
        self.column.forget_replaced();
    }

    /// How many links have a row, if rows are looked up by pair; for `check`.
    pub(crate) fn pairs(&self) -> Option<usize> {
        match &self.rows {
            Rows::Pairs { rows, .. } => Some(rows.len()),
            _ => None,
        }
    }
}
