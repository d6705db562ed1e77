//! Indexes of the entities of a type by several parts, or of those that are in some states.
//!
//! A change of an entity is between two calls: [`CompositeIndex::hold`] notes the key that the entity has before it, and
//! [`CompositeIndex::rekey`] replaces that by the one that it has after it. So nothing is changed if the operation between
//! them fails or panics, and an undo makes the same two calls.
//!
//! | kind | an index is | a query is |
//! |---|---|---|
//! | [`OrderedParts`] | a set of the values of the parts and the slot, in order | O(log n) to begin, at either end, and O(1) for each slot that is taken |
//! | [`EqualParts`] | a set of the hash of all parts and the slot | the same; the caller compares the values |

use std::any::Any;
use std::ops::{Bound, RangeBounds as _};

use crate::graph::index::parts::{self, KeyParts, PartCells, Rest};
use crate::graph::index::{Slots, with_hash};
use crate::graph::paged::Paged;
use crate::graph::storage::{Flat, Set, Storage};

/// The type of an index, as functions that make an empty one in either storage.
#[derive(Clone, Copy)]
pub struct IndexType {
    pub(crate) flat: fn() -> Box<dyn CompositeIndex>,
    pub(crate) paged: fn() -> Box<dyn CompositeIndex>,
}

impl IndexType {
    /// An index by the order of the parts `P`, a nested pair: `(A, (B, ()))`.
    #[must_use]
    pub fn ordered<P: KeyParts>() -> Self {
        Self {
            flat: || Box::<OrderedParts<P, Flat>>::default(),
            paged: || Box::<OrderedParts<P, Paged>>::default(),
        }
    }

    /// An index by equal values of all parts `P`.
    #[must_use]
    pub fn equal<P: parts::EqualParts>() -> Self {
        Self {
            flat: || Box::<EqualParts<Flat>>::default(),
            paged: || Box::<EqualParts<Paged>>::default(),
        }
    }
}

/// What a query selects of an ordered index: the entities whose first parts equal some values, and whose next part is within
/// a range.
#[derive(Clone, Copy)]
pub struct Selection<'q> {
    /// The values of the first parts, each of the type of its part. That of a linked entity is its slot, a `u32`.
    pub prefix: &'q [&'q dyn Any],
    /// The bounds of the next part, of its type. Both are unbounded if the prefix has all parts.
    pub range: (Bound<&'q dyn Any>, Bound<&'q dyn Any>),
}

/// Slots that an index finds, with the greatest values first. Each is looked up when it is taken.
pub type DescendingSlots<'i> = Box<dyn Iterator<Item = u32> + Send + Sync + 'i>;

/// An index of several parts, without their types.
pub trait CompositeIndex: Any + Send + Sync {
    /// Notes the key of an entity before a change; `None` if it is not in the index.
    fn hold(&mut self, cells: Option<&dyn PartCells>);
    /// Replaces the key that was noted by the one after the change; `None` if the entity is not in the index then.
    fn rekey(&mut self, slot: u32, cells: Option<&dyn PartCells>);
    /// Whether an entity is in the index with these parts.
    fn has(&self, slot: u32, cells: &dyn PartCells) -> bool;
    /// How many entities are in the index.
    fn len(&self) -> usize;
    /// In an index by equality, the slots of the entities whose parts may equal values with this hash, in order.
    fn equal(&self, _hash: u64) -> Slots<'_> {
        Box::new(std::iter::empty())
    }
    /// In an ordered index, the slots of the selected entities, by their parts and then by slot.
    fn select(&self, _selection: &Selection<'_>) -> Slots<'_> {
        Box::new(std::iter::empty())
    }
    /// As `select`, with the greatest values of the part after the prefix first. Entities with the same value of it are in
    /// ascending order.
    fn descending(&self, _selection: &Selection<'_>) -> DescendingSlots<'_> {
        Box::new(std::iter::empty())
    }
    /// In an ordered index, the first selected entity `after` the one with these parts, or the last one before it.
    fn beside(
        &self,
        _slot: u32,
        _cells: &dyn PartCells,
        _selection: &Selection<'_>,
        _after: bool,
    ) -> Option<u32> {
        None
    }
    /// In an ordered index, whether an entity with these parts is selected.
    fn is_selected(&self, _slot: u32, _cells: &dyn PartCells, _selection: &Selection<'_>) -> bool {
        false
    }
    /// Whether user code has panicked while the index was being changed.
    fn is_broken(&self) -> bool;
    /// A copy.
    fn fork(&self) -> Box<dyn CompositeIndex>;
}

impl Clone for Box<dyn CompositeIndex> {
    fn clone(&self) -> Self {
        (**self).fork()
    }
}

/// Keys of entities in order.
pub(crate) struct OrderedParts<P: KeyParts, S: Storage> {
    keys: S::Set<(P::Key, u32)>,
    held: Option<P::Key>,
    /// Whether the set is being changed, or user code panicked while it was.
    changing: bool,
}

impl<P: KeyParts, S: Storage> Default for OrderedParts<P, S> {
    fn default() -> Self {
        Self {
            keys: S::Set::default(),
            held: None,
            changing: false,
        }
    }
}

impl<P: KeyParts, S: Storage> OrderedParts<P, S> {
    /// The bounds of a selection.
    fn bounds(selection: &Selection<'_>) -> (KeyBound<P>, KeyBound<P>) {
        let key = |value: Option<&dyn Any>, rest: Rest| {
            let slot = match rest {
                Rest::Least => 0,
                // No entity has the greatest slot.
                Rest::Greatest => u32::MAX,
            };
            let Some(value) = value else {
                return (P::bound(selection.prefix, rest), slot);
            };
            let given: Vec<&dyn Any> = (selection.prefix.iter().copied()).chain([value]).collect();
            (P::bound(&given, rest), slot)
        };
        let (from, to) = selection.range;
        let from = match from {
            Bound::Included(from) => Bound::Included(key(Some(from), Rest::Least)),
            Bound::Excluded(from) => Bound::Excluded(key(Some(from), Rest::Greatest)),
            Bound::Unbounded => Bound::Included(key(None, Rest::Least)),
        };
        let to = match to {
            Bound::Included(to) => Bound::Included(key(Some(to), Rest::Greatest)),
            Bound::Excluded(to) => Bound::Excluded(key(Some(to), Rest::Least)),
            Bound::Unbounded => Bound::Included(key(None, Rest::Greatest)),
        };
        (from, to)
    }
}

/// A bound of keys.
type KeyBound<P> = Bound<(<P as KeyParts>::Key, u32)>;

/// The key of a bound of a selection, which has one.
fn limit<K>(bound: &Bound<K>) -> Option<&K> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

impl<P: KeyParts, S: Storage> CompositeIndex for OrderedParts<P, S> {
    fn hold(&mut self, cells: Option<&dyn PartCells>) {
        self.held = cells.and_then(|cells| P::key(cells, 0));
    }

    fn rekey(&mut self, slot: u32, cells: Option<&dyn PartCells>) {
        // The `Ord` of a value may panic.
        let whole = !std::mem::replace(&mut self.changing, true);
        let new = cells.and_then(|cells| P::key(cells, 0));
        let old = self.held.take();
        if old != new {
            if let Some(old) = old {
                self.keys.take(&(old, slot));
            }
            if let Some(new) = new {
                self.keys.add((new, slot));
            }
        }
        self.changing = !whole;
    }

    fn has(&self, slot: u32, cells: &dyn PartCells) -> bool {
        P::key(cells, 0).is_some_and(|key| self.keys.has(&(key, slot)))
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn select(&self, selection: &Selection<'_>) -> Slots<'_> {
        Box::new(
            self.keys
                .range(Self::bounds(selection))
                .map(|(_, slot)| *slot),
        )
    }

    fn descending(&self, selection: &Selection<'_>) -> DescendingSlots<'_> {
        let (first, mut to) = Self::bounds(selection);
        let parts = selection.prefix.len() + 1;
        let groups = std::iter::from_fn(move || {
            let (last, _) = self.keys.range((first.clone(), to.clone())).next_back()?;
            let from = (P::beginning(last, parts, Rest::Least), 0);
            let end = (P::beginning(last, parts, Rest::Greatest), u32::MAX);
            to = Bound::Excluded(from.clone());
            // The group is whole: both bounds of the selection are beside groups.
            let group = (Bound::Included(from), Bound::Included(end));
            Some(self.keys.range(group).map(|(_, slot)| *slot))
        });
        Box::new(groups.flatten())
    }

    fn beside(
        &self,
        slot: u32,
        cells: &dyn PartCells,
        selection: &Selection<'_>,
        after: bool,
    ) -> Option<u32> {
        let key = (P::key(cells, 0)?, slot);
        let (from, to) = Self::bounds(selection);
        let found = if after {
            let is_before = limit(&from).is_some_and(|from| key < *from);
            let from = if is_before {
                from
            } else {
                Bound::Excluded(key)
            };
            self.keys.range((from, to)).next()
        } else {
            let is_after = limit(&to).is_some_and(|to| key > *to);
            let to = if is_after { to } else { Bound::Excluded(key) };
            self.keys.range((from, to)).next_back()
        };
        found.map(|(_, slot)| *slot)
    }

    fn is_selected(&self, slot: u32, cells: &dyn PartCells, selection: &Selection<'_>) -> bool {
        P::key(cells, 0).is_some_and(|key| Self::bounds(selection).contains(&(key, slot)))
    }

    fn is_broken(&self) -> bool {
        self.changing
    }

    fn fork(&self) -> Box<dyn CompositeIndex> {
        Box::new(Self {
            keys: self.keys.clone(),
            held: None,
            changing: self.changing,
        })
    }
}

/// Hashes of all parts of entities, with their slots.
pub(crate) struct EqualParts<S: Storage> {
    hashes: S::Set<(u64, u32)>,
    held: Option<u64>,
}

impl<S: Storage> Default for EqualParts<S> {
    fn default() -> Self {
        Self {
            hashes: S::Set::default(),
            held: None,
        }
    }
}

impl<S: Storage> CompositeIndex for EqualParts<S> {
    fn hold(&mut self, cells: Option<&dyn PartCells>) {
        self.held = cells.and_then(PartCells::hash);
    }

    fn rekey(&mut self, slot: u32, cells: Option<&dyn PartCells>) {
        let new = cells.and_then(PartCells::hash);
        let old = self.held.take();
        if old != new {
            if let Some(old) = old {
                self.hashes.take(&(old, slot));
            }
            if let Some(new) = new {
                self.hashes.add((new, slot));
            }
        }
    }

    fn has(&self, slot: u32, cells: &dyn PartCells) -> bool {
        (cells.hash()).is_some_and(|hash| self.hashes.has(&(hash, slot)))
    }

    fn len(&self) -> usize {
        self.hashes.len()
    }

    fn equal(&self, hash: u64) -> Slots<'_> {
        Box::new(self.hashes.range(with_hash(hash)).map(|(_, slot)| *slot))
    }

    fn is_broken(&self) -> bool {
        // It runs no user code.
        false
    }

    fn fork(&self) -> Box<dyn CompositeIndex> {
        Box::new(Self {
            hashes: self.hashes.clone(),
            held: None,
        })
    }
}
