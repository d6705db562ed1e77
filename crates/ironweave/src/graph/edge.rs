//! Edges: both directions of one relation, kept together so that they cannot disagree.
//!
//! Each end is a column of single slots (`One`, `Option`) or of lists (`Many`). Link and unlink are O(1) at any fan-in:
//! unlinking moves the last member of a list into the freed position, and the position of each member is known. It is
//! beside the slot of the far end if that holds one, and otherwise in a table of pairs. Short lists of the live store find
//! it themselves.

mod carry;
mod copies;
mod fan;
mod image;
mod lists;
mod ordered;
mod places;

use crate::graph::acyclic::Sorted;
use crate::graph::data::LinkData;
use crate::graph::edge::fan::{FREE, Only, attach, join, leave, rejoin, restore};
pub(in crate::graph) use crate::graph::edge::image::ReadLinks;
use crate::graph::edge::lists::Lists;
use crate::graph::edge::places::Places;
use crate::graph::entry::Relinked;
use crate::graph::list::{LinkSlots, List};
use crate::graph::storage::{Map, Storage, Table, touched};
use crate::schema::Cardinality;

/// No entity.
pub(crate) const NONE: u32 = u32::MAX;

/// The positions of a link in the lists at both ends (0 at an end that holds one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    pub from: u32,
    pub to: u32,
}

/// The links, by what the ends can hold.
// With a tag of its own, one comparison shows which.
#[repr(u8)]
enum Links<S: Storage> {
    /// Both ends hold one.
    Ones {
        from: S::Table<u32>,
        to: S::Table<u32>,
    },
    /// One end holds lists.
    Fan {
        /// Whether that is the declaring end.
        forward: bool,
        lists: Lists<S>,
        ones: S::Table<Only>,
    },
    /// Both ends hold lists.
    Pairs {
        from: Lists<S>,
        to: Lists<S>,
        positions: Places<S::Map<Positions>>,
    },
}

/// One edge.
pub(crate) struct Edge<S: Storage> {
    links: Links<S>,
    /// The data of the links, if they have data.
    pub(super) data: Option<LinkData<S>>,
    /// The order of an `acyclic` edge, if it is kept.
    pub(super) sorted: Option<Box<Sorted>>,
    /// Whether the declaring end holds lists, if only one end does and the links have neither data nor watches nor an order.
    pub(super) plain_fan: Option<bool>,
}

pub(super) fn pair(from: u32, to: u32) -> u64 {
    u64::from(from) << 32 | u64::from(to)
}

/// A slot, or [`NONE`], as a list.
#[inline]
fn as_list(far: &u32) -> LinkSlots<'_> {
    if *far == NONE {
        LinkSlots::NONE
    } else {
        LinkSlots::Slice(std::slice::from_ref(far))
    }
}

/// Two slots in their order, or in the reverse order.
#[inline]
fn ordered(straight: bool, a: u32, b: u32) -> (u32, u32) {
    if straight { (a, b) } else { (b, a) }
}

impl<S: Storage> Edge<S> {
    pub(crate) fn new(from: Cardinality, to: Cardinality, data: Option<S::Column>) -> Self {
        let many = |end| end == Cardinality::Many;
        let links = match (many(from), many(to)) {
            (true, true) => Links::Pairs {
                from: Lists::default(),
                to: Lists::default(),
                positions: Places::default(),
            },
            (false, false) => Links::Ones {
                from: S::Table::default(),
                to: S::Table::default(),
            },
            (forward, _) => Links::Fan {
                forward,
                lists: Lists::default(),
                ones: S::Table::default(),
            },
        };
        Self {
            links,
            data: data.map(|column| LinkData::new(column, from, to)),
            sorted: None,
            plain_fan: None,
        }
    }

    /// The same edge with an order of its links, if it is to have one and the storage keeps those.
    pub(super) fn sorted(mut self, acyclic: bool) -> Self {
        let slots = match &self.links {
            Links::Ones { from, .. } => from.len(),
            Links::Fan { lists, .. } => lists.len(),
            Links::Pairs { from, .. } => from.len(),
        };
        self.sorted = (S::SORTS && acyclic).then(|| Box::new(Sorted::stale(slots)));
        self
    }

    /// Notes that a link was added, for the order.
    #[inline]
    fn added(&mut self, from: u32, to: u32) {
        if let Some(sorted) = &mut self.sorted {
            sorted.added(from, to);
        }
    }

    /// Makes room for one more entity at an end (`end`: whether it is the declaring one).
    pub(crate) fn grow(&mut self, end: bool) {
        match &mut self.links {
            Links::Ones { from, to } => if end { from } else { to }.push(NONE),
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                if end == *forward {
                    lists.push();
                } else {
                    ones.push(FREE);
                }
            }
            Links::Pairs { from, to, .. } => if end { from } else { to }.push(),
        }
        if let Some(data) = &mut self.data {
            data.grow(end);
        }
        if let Some(sorted) = self.sorted.as_mut().filter(|_| end) {
            sorted.grow();
        }
    }

    /// The inverse of [`Edge::grow`]; the entity has no links.
    pub(crate) fn shrink(&mut self, end: bool) {
        match &mut self.links {
            Links::Ones { from, to } => if end { from } else { to }.pop(),
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                if end == *forward {
                    lists.pop();
                } else {
                    ones.pop();
                }
            }
            Links::Pairs { from, to, .. } => if end { from } else { to }.pop(),
        }
        if let Some(data) = &mut self.data {
            data.shrink(end);
        }
        if let Some(sorted) = self.sorted.as_mut().filter(|_| end) {
            sorted.shrink();
        }
    }

    /// The entities that one is linked with at the declaring end (`end`) or at the inverse one.
    #[inline]
    pub(crate) fn slots(&self, end: bool, slot: u32) -> LinkSlots<'_> {
        let slots = self.held(end, slot);
        // The caller may visit all of them. A caller that does not uses `degree` and `member`.
        touched(slots.len());
        slots
    }

    /// How many entities one is linked with; O(1).
    #[inline]
    pub(crate) fn degree(&self, end: bool, slot: u32) -> usize {
        let slot = slot as usize;
        match &self.links {
            Links::Ones { from, to } => usize::from(*if end { from } else { to }.at(slot) != NONE),
            Links::Fan { forward, lists, .. } if end == *forward => lists.at(slot).len(),
            Links::Fan { ones, .. } => usize::from(ones.at(slot).far != NONE),
            Links::Pairs { from, to, .. } => if end { from } else { to }.at(slot).len(),
        }
    }

    /// The entity at a position among those that one is linked with; O(1).
    #[inline]
    pub(crate) fn member(&self, end: bool, slot: u32, position: usize) -> u32 {
        *(self.held(end, slot).get(position)).expect("the caller has a position that is there")
    }

    /// As [`Edge::slots`], for a caller that does not visit all of them.
    #[inline]
    pub(super) fn held(&self, end: bool, slot: u32) -> LinkSlots<'_> {
        let slot = slot as usize;
        match &self.links {
            Links::Ones { from, to } => as_list(if end { from } else { to }.at(slot)),
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                if end == *forward {
                    lists.at(slot).slots()
                } else {
                    as_list(&ones.at(slot).far)
                }
            }
            Links::Pairs { from, to, .. } => if end { from } else { to }.at(slot).slots(),
        }
    }

    /// The entity that one is linked with at an end that holds one.
    #[inline]
    pub(crate) fn only(&self, end: bool, slot: u32) -> Option<u32> {
        let far = match &self.links {
            Links::Ones { from, to } => *if end { from } else { to }.at(slot as usize),
            Links::Fan { forward, ones, .. } if end != *forward => ones.at(slot as usize).far,
            _ => NONE,
        };
        (far != NONE).then_some(far)
    }

    /// Whether two entities are linked; O(1).
    #[inline]
    pub(crate) fn linked(&self, from: u32, to: u32) -> bool {
        match &self.links {
            Links::Ones { from: column, .. } => *column.at(from as usize) == to,
            Links::Fan { forward, ones, .. } => {
                let (holder, held) = ordered(*forward, from, to);
                ones.at(held as usize).far == holder
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => positions.has::<S>([a, b], (from, to)),
        }
    }

    /// Links two entities that are not linked, at ends that have room.
    #[inline]
    pub(crate) fn link(&mut self, from: u32, to: u32) {
        match &mut self.links {
            Links::Ones { from: a, to: b } => {
                *a.at_mut(from as usize) = to;
                *b.at_mut(to as usize) = from;
            }
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                let (holder, held) = ordered(*forward, from, to);
                join::<S>(lists.at_mut(holder as usize), ones, holder, held);
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => {
                let positions = positions.table::<S>(a, b);
                let at = Positions {
                    from: attach(a.at_mut(from as usize), to),
                    to: attach(b.at_mut(to as usize), from),
                };
                positions.put(pair(from, to), at);
            }
        }
        if let Some(data) = &mut self.data {
            data.link(from, to);
        }
        self.added(from, to);
    }

    /// Unlinks two entities that are linked and returns the positions of the link. Its data has been emptied.
    #[inline]
    pub(crate) fn unlink(&mut self, from: u32, to: u32) -> Positions {
        if let Some(data) = &mut self.data {
            data.unlink(from, to);
        }
        match &mut self.links {
            Links::Ones { from: a, to: b } => {
                *a.at_mut(from as usize) = NONE;
                *b.at_mut(to as usize) = NONE;
                Positions { from: 0, to: 0 }
            }
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                let (holder, held) = ordered(*forward, from, to);
                let Only { at, .. } = std::mem::replace(ones.at_mut(held as usize), FREE);
                let at = leave::<S>(lists.at_mut(holder as usize), ones, held, at);
                let (from, to) = ordered(*forward, at, 0);
                Positions { from, to }
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => {
                let positions = positions.table::<S>(a, b);
                let at = (positions.take(pair(from, to)))
                    .expect("the caller has seen that the two are linked");
                if let Some(moved) = a.at_mut(from as usize).swap_remove(at.from)
                    && let Some(other) = positions.at_mut(pair(from, moved))
                {
                    other.from = at.from;
                }
                if let Some(moved) = b.at_mut(to as usize).swap_remove(at.to)
                    && let Some(other) = positions.at_mut(pair(moved, to))
                {
                    other.to = at.to;
                }
                at
            }
        }
    }

    /// Links `held` with `holder` over an edge whose links have no data. `FORWARD` says whether the declaring end holds
    /// lists, which `holder` is at; the other end holds one, and `held` loses the link that it has. `None` if the two are
    /// linked already.
    #[inline(always)]
    pub(crate) fn take_over<const FORWARD: bool>(
        &mut self,
        holder: u32,
        held: u32,
    ) -> Option<Relinked> {
        let Links::Fan { lists, ones, .. } = &mut self.links else {
            return None;
        };
        let old = *ones.at(held as usize);
        if old.far == holder {
            return None;
        }
        join::<S>(lists.at_mut(holder as usize), ones, holder, held);
        let at = if old.far == NONE {
            old.at
        } else {
            leave::<S>(lists.at_mut(old.far as usize), ones, held, old.at)
        };
        Some(Relinked {
            forward: FORWARD,
            held,
            holder,
            old: old.far,
            at,
        })
    }

    /// The exact inverse of [`Edge::take_over`] that replaced a link, if that was the last change of the lists.
    #[inline(always)]
    pub(crate) fn undo_take_over(&mut self, links: Relinked) {
        let Links::Fan { lists, ones, .. } = &mut self.links else {
            return;
        };
        let Relinked {
            held,
            holder,
            old,
            at,
            ..
        } = links;
        lists.at_mut(holder as usize).take_last();
        rejoin::<S>(
            lists.at_mut(old as usize),
            ones,
            held,
            Only { far: old, at },
        );
    }

    /// If exactly one end holds lists, whether that is the declaring one.
    pub(crate) fn fan(&self) -> Option<bool> {
        match self.links {
            Links::Fan { forward, .. } => Some(forward),
            _ => None,
        }
    }

    /// The exact inverse of [`Edge::link`], if that was the last change of both lists.
    pub(crate) fn undo_link(&mut self, from: u32, to: u32) {
        self.unlink(from, to);
        if let Some(sorted) = &mut self.sorted {
            sorted.undone(from, to);
        }
    }

    /// The exact inverse of [`Edge::unlink`].
    pub(crate) fn undo_unlink(&mut self, from: u32, to: u32, at: Positions) {
        match &mut self.links {
            Links::Ones { from: a, to: b } => {
                *a.at_mut(from as usize) = to;
                *b.at_mut(to as usize) = from;
            }
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                let (holder, held) = ordered(*forward, from, to);
                let at = if *forward { at.from } else { at.to };
                let only = Only { far: holder, at };
                rejoin::<S>(lists.at_mut(holder as usize), ones, held, only);
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => {
                let positions = positions.table::<S>(a, b);
                if let Some((moved, last)) = restore(a.at_mut(from as usize), to, at.from).0
                    && let Some(other) = positions.at_mut(pair(from, moved))
                {
                    other.from = last;
                }
                if let Some((moved, last)) = restore(b.at_mut(to as usize), from, at.to).0
                    && let Some(other) = positions.at_mut(pair(moved, to))
                {
                    other.to = last;
                }
                positions.put(pair(from, to), at);
            }
        }
        if let Some(data) = &mut self.data {
            data.link(from, to);
        }
        self.added(from, to);
    }

    /// The positions of a link that are kept; for `check`.
    pub(crate) fn noted(&self, from: u32, to: u32) -> Option<Positions> {
        match &self.links {
            Links::Ones { .. } => Some(Positions { from: 0, to: 0 }),
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                let (holder, held) = ordered(*forward, from, to);
                let noted = ones.at(held as usize).at;
                let at = lists.at(holder as usize).position(held, noted);
                let (from, to) = ordered(*forward, at, 0);
                Some(Positions { from, to })
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => positions.of::<S>([a, b], (from, to)),
        }
    }

    /// How many pairs are kept, if the edge has a table of pairs; for `check`.
    pub(crate) fn pairs(&self) -> Option<usize> {
        match &self.links {
            Links::Pairs {
                from, positions, ..
            } => Some(positions.len::<S>(from)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
