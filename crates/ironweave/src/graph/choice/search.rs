//! Searches: how an index finds the entities that are in some states, meet some conditions, and perhaps are linked with one that
//! is known.
//!
//! An index is used as far as it goes: its first parts are determined by equalities and by the known link, the next part may be
//! limited to a range, and the parts after those that are determined may be in the order that is wanted. It is used only if each
//! entity that is sought is in it: those states are among its states, and such an entity has a value of each part.
//!
//! | index | equalities | cost |
//! |---|---|---|
//! | the key | on each part | O(1) |
//! | by equality, of one field or of several parts | on each part | O(log n + entities with these values) |
//! | ordered, also that of a due time | on some first parts | O(log n + entities that are taken from the range) |
//!
//! Of several indexes that can be used, the best one is taken. What is found does not depend on which that is.

use std::any::Any;
use std::cmp::Reverse;
use std::ops::Bound;

use crate::graph::Graph;
use crate::graph::column::AnyColumn;
use crate::graph::index::composite::Selection;
use crate::graph::indexing::{IndexLayout, hash_of_parts, hash_of_slot};
use crate::graph::key::combined;
use crate::graph::layout::{Layout, StateSet};
use crate::graph::storage::{Storage, touched};
use crate::schema::{ColumnIx, Comparison, EntityIx, Hop, IndexKind, IndexPart, SortBy, StateIx};

/// A condition on the value of a column. What it is compared with is given when the search begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub column: ColumnIx,
    pub comparison: Comparison,
}

/// The entities that are sought.
pub(crate) struct Sought<'s> {
    pub entity: EntityIx,
    /// The end at which each of them is linked with an entity that is known. It holds at most one link.
    pub near: Option<Hop>,
    /// The states in one of which each of them is.
    pub states: &'s [StateIx],
    pub limits: &'s [Limit],
    /// The order in which they are wanted, before that of slots.
    pub order: &'s [SortBy],
}

/// An index, and how it is used.
#[derive(PartialEq, Eq)]
pub(crate) struct Search {
    index: UsedIndex,
    /// What determines the first parts.
    prefix: Vec<Determined>,
    /// The column of the next part, if conditions limit it to a range.
    range: Option<ColumnIx>,
    /// Whether the greatest values of the next part come first.
    descending: bool,
    /// The first columns of the wanted order, in which the index has the entities. Those that are equal in them are in any
    /// order.
    pub groups: Vec<SortBy>,
    /// Whether they are in the whole order that is wanted, and then in that of slots.
    pub sorted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UsedIndex {
    /// The key, which is one field.
    Key(ColumnIx),
    /// The key, which is several fields.
    KeyParts(EntityIx),
    /// The index of a field, by equality.
    Equal(ColumnIx),
    /// The index of a field, by order.
    Ordered(ColumnIx),
    EqualParts(u16),
    OrderedParts(u16),
}

/// What determines a part of an index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Determined {
    /// The condition at this index, which is an equality.
    By(usize),
    /// The entity that is known.
    Near,
}

/// An index that may be used.
struct Usable<'i> {
    index: UsedIndex,
    parts: &'i [IndexPart],
    /// The states in one of which an entity is that is in the index.
    states: Option<StateSet>,
    name: &'i str,
}

/// How good a search is: the greatest is the best.
type Rank<'i> = (
    bool,
    bool,
    usize,
    bool,
    bool,
    Reverse<(usize, usize, &'i str)>,
);

impl Sought<'_> {
    /// All searches that find them, the best one first. The name of the index decides between two that are equally good.
    pub(crate) fn searches(&self, layout: &Layout) -> Vec<Search> {
        if layout.is_untyped {
            // Values that stay in their encoding have no order.
            return Vec::new();
        }
        let mut ranked: Vec<(Rank<'_>, Search)> = Vec::new();
        let of = &layout.entities[usize::from(self.entity)];
        let columns: Vec<[IndexPart; 1]> =
            of.columns.iter().map(|c| [IndexPart::Column(*c)]).collect();
        let key: Vec<IndexPart> = of.key.iter().map(|c| IndexPart::Column(*c)).collect();
        for (column, parts) in of.columns.iter().zip(&columns) {
            let kind = match (&*of.key, layout.schema[*column].index) {
                ([key], _) if key == column => UsedIndex::Key(*column),
                (_, Some(IndexKind::Equal)) => UsedIndex::Equal(*column),
                (_, Some(IndexKind::Ordered)) => UsedIndex::Ordered(*column),
                (_, None) => continue,
            };
            let name = &layout.columns[usize::from(*column)].path;
            ranked.extend(self.by(layout, Usable::of(kind, parts, name)));
        }
        if key.len() > 1 {
            let kind = UsedIndex::KeyParts(self.entity);
            ranked.extend(self.by(layout, Usable::of(kind, &key, &of.name)));
        }
        for ix in &of.indexes {
            let index = &layout.indexes[usize::from(*ix)];
            ranked.extend(self.by(layout, Usable::of_parts(*ix, index)));
        }
        ranked.sort_by(|(a, _), (b, _)| b.cmp(a));
        ranked.into_iter().map(|(_, search)| search).collect()
    }

    /// The states in one of which each of them is, since one in another has no value that a condition compares.
    fn possible_states(&self, layout: &Layout) -> Vec<StateIx> {
        let compared = self.limits.iter().map(|limit| limit.column);
        let of: Vec<StateIx> = compared
            .filter_map(|column| layout.schema[column].state)
            .collect();
        let is_possible = |state: &StateIx| of.iter().all(|of| of == state);
        self.states.iter().copied().filter(is_possible).collect()
    }

    /// How an index finds them, if it can.
    fn by<'i>(&self, layout: &Layout, usable: Usable<'i>) -> Option<(Rank<'i>, Search)> {
        let states = self.possible_states(layout);
        if let Some(of) = usable.states
            && !states.iter().all(|state| of.contains(*state))
        {
            return None;
        }
        let (is_key, is_ordered) = match usable.index {
            UsedIndex::Key(_) | UsedIndex::KeyParts(_) => (true, false),
            UsedIndex::Equal(_) | UsedIndex::EqualParts(_) => (false, false),
            UsedIndex::Ordered(_) | UsedIndex::OrderedParts(_) => (false, true),
        };
        let determined = |part: &IndexPart| match part {
            IndexPart::End(hop) => (self.near == Some(*hop)).then_some(Determined::Near),
            IndexPart::Column(column) => {
                let is_equal = |limit: &Limit| {
                    limit.column == *column && limit.comparison == Comparison::Equal
                };
                self.limits.iter().position(is_equal).map(Determined::By)
            }
        };
        let prefix: Vec<Determined> = usable.parts.iter().map_while(determined).collect();
        if self.near.is_some() && !prefix.contains(&Determined::Near) {
            return None;
        }
        let (done, rest) = usable.parts.split_at(prefix.len());
        // An entity that is new has no link yet, also at an end that holds exactly one.
        let has = |part: &IndexPart| match part {
            IndexPart::End(_) => false,
            IndexPart::Column(column) => {
                (layout.schema[*column].state).is_none_or(|state| states == [state])
            }
        };
        if !rest.iter().all(has) || !(is_ordered || rest.is_empty()) {
            return None;
        }
        let range = match rest {
            [IndexPart::Column(column), ..] => Some(*column).filter(|column| {
                (self.limits.iter()).any(|limit| {
                    limit.column == *column && limit.comparison != Comparison::NotEqual
                })
            }),
            _ => None,
        };
        // An order by what is equal anyway is none.
        let is_part =
            |parts: &[IndexPart], by: &SortBy| parts.contains(&IndexPart::Column(by.column));
        let wanted: Vec<SortBy> = (self.order.iter().copied())
            .filter(|by| !is_part(done, by))
            .collect();
        let pairs = (0..).zip(wanted.iter().zip(rest));
        let groups: Vec<SortBy> = pairs
            .map_while(|(at, (by, part))| {
                // Only the first part can be descending, and those after it are ascending then too.
                let is_next = *part == IndexPart::Column(by.column);
                (is_next && (at == 0 || !by.descending)).then_some(*by)
            })
            .collect();
        if prefix.is_empty() && range.is_none() && groups.is_empty() {
            return None;
        }
        let sorted = is_key || groups.len() == wanted.len() && groups.len() == rest.len();
        let used = self.limits.iter().filter(|limit| {
            range == Some(limit.column)
                || done.contains(&IndexPart::Column(limit.column))
                    && limit.comparison == Comparison::Equal
        });
        let others = usable.others(layout, self.entity, self.states);
        let rank = (
            is_key,
            sorted && used.count() == self.limits.len() && others == 0,
            prefix.len(),
            sorted || !groups.is_empty(),
            range.is_some(),
            Reverse((others, usable.parts.len(), usable.name)),
        );
        let search = Search {
            index: usable.index,
            prefix,
            range,
            descending: groups.first().is_some_and(|by| by.descending),
            groups,
            sorted,
        };
        Some((rank, search))
    }
}

impl<'i> Usable<'i> {
    fn of(index: UsedIndex, parts: &'i [IndexPart], name: &'i str) -> Self {
        Self {
            index,
            parts,
            states: None,
            name,
        }
    }

    fn of_parts(ix: u16, index: &'i IndexLayout) -> Self {
        Self {
            index: match index.kind {
                IndexKind::Equal => UsedIndex::EqualParts(ix),
                IndexKind::Ordered => UsedIndex::OrderedParts(ix),
            },
            parts: &index.parts,
            states: index.states,
            name: &index.path,
        }
    }

    /// The number of states in which an entity may be in the index but is not sought.
    fn others(&self, layout: &Layout, entity: EntityIx, sought: &[StateIx]) -> usize {
        let all = StateIx::all(layout.entities[usize::from(entity)].states.len());
        let may_be_in = |state: &StateIx| {
            let has = |part: &IndexPart| match part {
                IndexPart::End(_) => true,
                IndexPart::Column(column) => {
                    (layout.schema[*column].state).is_none_or(|of| of == *state)
                }
            };
            self.states.is_none_or(|states| states.contains(*state)) && self.parts.iter().all(has)
        };
        all.filter(|state| !sought.contains(state) && may_be_in(state))
            .count()
    }
}

/// A range of values.
type Range<'v> = (Bound<&'v dyn Any>, Bound<&'v dyn Any>);

/// Slots that a search finds.
pub(crate) type Found<'g> = Box<dyn Iterator<Item = u32> + 'g>;

impl<S: Storage> Graph<S> {
    /// Returns the slots that a search finds: all that are sought, and others perhaps. There is a value for each condition.
    /// `None` if the index cannot be used, because a value is of another type than the column, or because equal values of a type
    /// of the program may be stored in different forms.
    pub(super) fn find<'g>(
        &'g self,
        search: &Search,
        near: Option<&'g u32>,
        limits: &[Limit],
        values: &[&'g dyn Any],
    ) -> Option<Found<'g>> {
        let column = |ix: ColumnIx| self.column(ix);
        let mut prefix: Vec<&dyn Any> = Vec::with_capacity(search.prefix.len());
        for part in &search.prefix {
            prefix.push(match part {
                Determined::By(at) => {
                    (column(limits[*at].column).is_of_type(values[*at])).then_some(values[*at])?
                }
                Determined::Near => near?,
            });
        }
        let hashes = || {
            let parts = search.prefix.iter().zip(&prefix);
            parts.map(|(part, value)| match part {
                Determined::By(at) => column(limits[*at].column).hash_of(*value),
                Determined::Near => near.map(|slot| hash_of_slot(*slot)),
            })
        };
        let is_exact = || {
            search.prefix.iter().all(|part| match part {
                Determined::By(at) => column(limits[*at].column).is_equal_as_stored(),
                Determined::Near => true,
            })
        };
        Some(match search.index {
            UsedIndex::Key(key) => column(key).equal_to(prefix[0])?,
            UsedIndex::Equal(field) if is_exact() => column(field).equal_to(prefix[0])?,
            UsedIndex::KeyParts(entity) if is_exact() => {
                let hashes: Option<Vec<u64>> = hashes().collect();
                let slots = hashes.map(|hashes| self.keyed(entity, combined(hashes.into_iter())));
                Box::new(slots.into_iter().flatten().copied().inspect(|_| touched(1)))
            }
            UsedIndex::EqualParts(index) if is_exact() => match hash_of_parts(hashes()) {
                Some(hash) => self.select_equal(index, hash),
                None => Box::new(std::iter::empty()),
            },
            UsedIndex::Equal(_) | UsedIndex::KeyParts(_) | UsedIndex::EqualParts(_) => return None,
            UsedIndex::Ordered(field) => {
                let range = match (&*prefix, search.range) {
                    ([value, ..], _) => (Bound::Included(*value), Bound::Included(*value)),
                    (_, Some(_)) => range(column(field), field, limits, values)?,
                    (_, None) => (Bound::Unbounded, Bound::Unbounded),
                };
                match search.descending {
                    true => descending(column(field), range),
                    false => column(field).range(range),
                }
            }
            UsedIndex::OrderedParts(index) => {
                let range = match search.range {
                    Some(of) => range(column(of), of, limits, values)?,
                    None => (Bound::Unbounded, Bound::Unbounded),
                };
                let selection = Selection {
                    prefix: &prefix,
                    range,
                };
                match search.descending {
                    true => self.select_descending(index, &selection),
                    false => self.select_ordered(index, &selection),
                }
            }
        })
    }
}

/// The slots in a range of an index by order, with the greatest values first. Those with equal values are in their order.
/// O(log n) for each value, and O(1) for each slot that is taken.
fn descending<'g>(column: &'g dyn AnyColumn, (from, mut to): Range<'g>) -> Found<'g> {
    let groups = std::iter::from_fn(move || {
        let last = column.range((from, to)).next_back()?;
        let value = column.value(last)?;
        to = Bound::Excluded(value);
        Some(column.range((Bound::Included(value), Bound::Included(value))))
    });
    Box::new(groups.flatten())
}

/// The range that conditions give for a column: the first bound in each direction. `None` if a bound is of another type than
/// the column.
fn range<'v>(
    of: &dyn AnyColumn,
    column: ColumnIx,
    limits: &[Limit],
    values: &[&'v dyn Any],
) -> Option<Range<'v>> {
    let (mut from, mut to) = (Bound::Unbounded, Bound::Unbounded);
    for (limit, value) in limits.iter().zip(values) {
        if limit.column != column || limit.comparison == Comparison::NotEqual {
            continue;
        }
        if !of.is_of_type(*value) {
            return None;
        }
        let (least, most) = match limit.comparison {
            Comparison::Less => (Bound::Unbounded, Bound::Excluded(*value)),
            Comparison::LessOrEqual => (Bound::Unbounded, Bound::Included(*value)),
            Comparison::Greater => (Bound::Excluded(*value), Bound::Unbounded),
            Comparison::GreaterOrEqual => (Bound::Included(*value), Bound::Unbounded),
            Comparison::Equal | Comparison::NotEqual => {
                (Bound::Included(*value), Bound::Included(*value))
            }
        };
        if matches!(from, Bound::Unbounded) {
            from = least;
        }
        if matches!(to, Bound::Unbounded) {
            to = most;
        }
    }
    Some((from, to))
}
