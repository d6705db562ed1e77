//! The positions of the links of an edge whose ends both hold lists: a table, which is computed when it is needed.
//!
//! A live graph that is read from an image has the lists, and the table would take a good part of the time for all the rest. A store that is
//! only read needs no table: whether two entities are linked is found in the shorter of their lists. A store that is opened for writing computes
//! the tables at the end of its opening, so that no step does.

use super::{NONE, Positions, pair};
use crate::graph::edge::lists::Lists;
use crate::graph::list::List as _;
use crate::graph::storage::{Map, Storage};

/// The positions of links.
#[derive(Clone, Default)]
pub(super) struct Places<M> {
    table: M,
    /// Whether the table is empty and the lists are not.
    is_unknown: bool,
}

impl<M: Map<Positions>> Places<M> {
    /// The positions are those in the lists, which were added without them.
    pub(super) fn forget(&mut self) {
        self.is_unknown = true;
    }

    /// The table. If it is unknown, it is computed in O(links of the edge).
    #[inline]
    pub(super) fn table<S: Storage>(&mut self, from: &Lists<S>, to: &Lists<S>) -> &mut M {
        if self.is_unknown {
            self.compute::<S>(from, to);
        }
        &mut self.table
    }

    #[cold]
    fn compute<S: Storage>(&mut self, from: &Lists<S>, to: &Lists<S>) {
        self.is_unknown = false;
        self.table.reserve(total::<S>(from));
        for slot in 0..from.used() {
            for (at, far) in (0..).zip(from.at(slot).slots()) {
                let there = Positions { from: at, to: NONE };
                self.table.put(pair(slot as u32, *far), there);
            }
        }
        for slot in 0..to.used() {
            for (at, far) in (0..).zip(to.at(slot).slots()) {
                if let Some(there) = self.table.at_mut(pair(*far, slot as u32)) {
                    there.to = at;
                }
            }
        }
    }

    /// The positions of a link. O(1), or O(links of the two entities) if they are unknown.
    #[inline]
    pub(super) fn of<S: Storage>(
        &self,
        lists: [&Lists<S>; 2],
        (from, to): (u32, u32),
    ) -> Option<Positions> {
        if !self.is_unknown {
            return self.table.at(pair(from, to)).copied();
        }
        let [ours, theirs] = lists;
        let find = |list: &S::List, slot| list.slots().iter().position(|member| *member == slot);
        Some(Positions {
            from: find(ours.at(from as usize), to)? as u32,
            to: find(theirs.at(to as usize), from)? as u32,
        })
    }

    /// Whether two entities are linked. O(1), or O(links of the one that has fewer) if the positions are unknown.
    #[inline]
    pub(super) fn has<S: Storage>(&self, lists: [&Lists<S>; 2], (from, to): (u32, u32)) -> bool {
        if !self.is_unknown {
            return self.table.at(pair(from, to)).is_some();
        }
        let (ours, theirs) = (lists[0].at(from as usize), lists[1].at(to as usize));
        match ours.len() <= theirs.len() {
            true => ours.slots().contains(&to),
            false => theirs.slots().contains(&from),
        }
    }

    /// How many links there are.
    pub(super) fn len<S: Storage>(&self, from: &Lists<S>) -> usize {
        match self.is_unknown {
            true => total::<S>(from),
            false => self.table.len(),
        }
    }

    /// A copy in another storage.
    pub(super) fn copy<B: Map<Positions>>(&self) -> Places<B> {
        Places {
            table: self.table.copy(),
            is_unknown: self.is_unknown,
        }
    }
}

/// How many members lists have together.
fn total<S: Storage>(lists: &Lists<S>) -> usize {
    (0..lists.used()).map(|slot| lists.at(slot).len()).sum()
}
