//! Results in pages, in order of ids or of an indexed field.

use std::any::Any;
use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::ops::Bound;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Filter;
use super::candidates::{holds, list};
use super::node::{Kind, Node, Sought};
use super::path::{FieldPath, IndexedInOrder};
use crate::base::id::Id;
use crate::db::Db;
use crate::db::entity::Entity;
use crate::graph::Graph;
use crate::graph::any::either;
use crate::graph::column::Column;
use crate::graph::index::Positions;
use crate::graph::storage::Storage;
use crate::schema::ColumnIx;
use crate::value::{Value, decode_value, encode};

/// Some results of a query, returned by [`Filter::page`] and [`Sorted::page`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The entities, at most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins; `None` if there were no more entities when this one was read.
    pub next: Option<PageToken>,
}

/// The position after a page, with which the next one is asked for.
///
/// A token remembers the position of the last entity of its page, not the page: the next page has the entities that are accepted
/// when it is asked for and come after that position. It is valid after that entity was changed or deleted, in snapshots,
/// and after a restart. An entity that gets a new position in the meantime, because the field that gives the order changes, or
/// because it is created with the id of a deleted one, may be in two pages or in none. Read the pages of one
/// [`Snapshot`](crate::Snapshot) if that matters.
///
/// `Display` and serde write it as a text of letters, digits, `.` and `-`, and `FromStr` reads that. A token of an order by a field
/// contains the value of that field, without encryption.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageToken {
    id: Id,
    /// For an order by a field: the column, whether it is descending, and the value in CBOR.
    by: Option<(u16, bool, Vec<u8>)>,
}

/// The error of a request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageError {
    /// The page may have no entities, so that the next one would begin at the same position.
    NoItems,
    /// The token is of a page in another order.
    OtherOrder,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoItems => "a page of 0 entities was asked for; ask for at least 1",
            Self::OtherOrder => {
                "the token is of a page in another order; ask for the first page without a token"
            }
        })
    }
}

impl std::error::Error for PageError {}

impl<T: Entity> Filter<T> {
    /// Returns the first `most` accepted entities in order of ids that come after a page, or the first ones of all. O(`most`), if
    /// most entities are accepted; otherwise see [*Cost*](Self#cost). Groups of 4,096 entities without an accepted one are
    /// skipped at once.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/wards.rs")); } use doc::wards;
    /// use ironweave::prelude::*;
    /// use wards::{Bed, SetUp, state::Free};
    ///
    /// let mut store = Store::<wards::Model>::memory();
    /// for number in 1..=5 {
    ///     store.step(SetUp { number, ward: "icu".into() });
    /// }
    /// let free = Bed::in_place::<Free>();
    /// let first = free.page(&store, None, 3)?;
    /// assert_eq!(first.items.len(), 3);
    /// let second = free.page(&store, first.next.as_ref(), 3)?;
    /// assert_eq!((second.items.len(), second.next), (2, None));
    /// # Ok::<(), ironweave::query::PageError>(())
    /// ```
    ///
    /// # Errors
    /// `NoItems` if `most` is 0; `OtherOrder` if the token is not of a page in order of ids.
    pub fn page(
        &self,
        db: &impl Db,
        after: Option<&PageToken>,
        most: usize,
    ) -> Result<Page<T>, PageError> {
        db.asks("page");
        let from = match after {
            None => 0,
            Some(PageToken { id, by: None }) => id.slot.saturating_add(1),
            Some(_) => return Err(PageError::OtherOrder),
        };
        let graph = db.graph();
        let slots: Vec<u32> = either!(graph, graph => {
            let members = self.clone().members(graph, from);
            members.take(most.saturating_add(1)).collect()
        });
        page(slots, most, |slot| graph.id(T::INDEX, slot), |_| Some(None))
    }

    /// Returns the query with its results in order of a field that has `#[index(ordered)]`, and in order of ids where the values
    /// are equal.
    #[must_use]
    pub fn order_by<V: Value + Ord, I: IndexedInOrder>(
        self,
        path: FieldPath<T, V, I>,
    ) -> Sorted<T, V> {
        Sorted {
            filter: self,
            column: path.column,
            descending: false,
            of: PhantomData,
        }
    }
}

/// The page of the slots after a position, of which there is one more than the page may have if it is not the last.
fn page<T: Entity>(
    mut slots: Vec<u32>,
    most: usize,
    id: impl Fn(u32) -> Id,
    by: impl Fn(u32) -> Option<Option<(u16, bool, Vec<u8>)>>,
) -> Result<Page<T>, PageError> {
    if most == 0 {
        return Err(PageError::NoItems);
    }
    let is_last = slots.len() <= most;
    slots.truncate(most);
    let last = slots.last().filter(|_| !is_last);
    let next = last.and_then(|slot| {
        Some(PageToken {
            id: id(*slot),
            by: by(*slot)?,
        })
    });
    let items = slots.into_iter().map(|slot| T::from_id(id(slot)));
    Ok(Page {
        items: items.collect(),
        next,
    })
}

/// A query with its results in order of a field, returned by [`Filter::order_by`].
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/wards.rs")); } use doc::wards;
/// use ironweave::prelude::*;
/// use wards::{Admitted, Patient};
///
/// let mut store = Store::<wards::Model>::memory();
/// for (number, age) in [(1, 30), (2, 81), (3, 70)] {
///     store.step(Admitted { number, age, doctors: vec![] });
/// }
/// let oldest = Patient::BED.is_none().order_by(Patient::AGE).descending();
/// let page = oldest.page(&store, None, 2)?;
/// let ages: Vec<u32> = page.items.iter().map(|patient| patient.age(&store)).collect();
/// assert_eq!(ages, [81, 70]);
/// assert_eq!(oldest.page(&store, page.next.as_ref(), 2)?.items.len(), 1);
/// # Ok::<(), ironweave::query::PageError>(())
/// ```
pub struct Sorted<T, V> {
    filter: Filter<T>,
    column: ColumnIx,
    descending: bool,
    of: PhantomData<fn() -> V>,
}

impl<T, V> Clone for Sorted<T, V> {
    fn clone(&self) -> Self {
        Self {
            filter: self.filter.clone(),
            of: PhantomData,
            ..*self
        }
    }
}

impl<T, V> fmt::Debug for Sorted<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted")
            .field("filter", &self.filter)
            .field("column", &self.column)
            .field("descending", &self.descending)
            .finish()
    }
}

impl<T: Entity, V: Value + Ord> Sorted<T, V> {
    /// Returns the query in the opposite order: the greatest values first, and the greatest ids first where values are equal.
    #[must_use]
    pub fn descending(self) -> Self {
        Self {
            descending: !self.descending,
            ..self
        }
    }

    /// Returns the first accepted entity in this order, or `None` if there is none; see [`page`](Self::page).
    #[must_use]
    pub fn first(&self, db: &impl Db) -> Option<T> {
        db.asks("first");
        let graph = db.graph();
        let slots = either!(graph, graph => self.slots(graph, None, 1));
        let slot = slots.first()?;
        Some(T::from_id(graph.id(T::INDEX, *slot)))
    }

    /// Returns the first `most` accepted entities that come after a page in this order, or the first ones of all.
    ///
    /// O(log n + `most`) if most entities are accepted. Otherwise it reads the index from there on and tests each entity, or lists
    /// and sorts all accepted entities as [`Filter`] does, whichever costs less. A condition of the filter on the same field, such as
    /// `Patient::AGE.ge(65)`, limits the part of the index that is read.
    ///
    /// # Errors
    /// `NoItems` if `most` is 0; `OtherOrder` if the token is not of a page in this order.
    pub fn page(
        &self,
        db: &impl Db,
        after: Option<&PageToken>,
        most: usize,
    ) -> Result<Page<T>, PageError> {
        db.asks("page");
        let after = match after {
            None => None,
            Some(PageToken {
                id,
                by: Some((column, descending, value)),
            }) if *column == self.column.get() && *descending == self.descending => {
                let value: V = decode_value(value).map_err(|_| PageError::OtherOrder)?;
                Some((value, id.slot))
            }
            Some(_) => return Err(PageError::OtherOrder),
        };
        let graph = db.graph();
        let slots = either!(graph, graph => {
            self.slots(graph, after, most.saturating_add(1))
        });
        let by = |slot| {
            let mut bytes = Vec::new();
            let value = graph.column(self.column).value(slot)?;
            encode(value.downcast_ref::<V>()?, &mut bytes).ok()?;
            Some(Some((self.column.get(), self.descending, bytes)))
        };
        page(slots, most, |slot| graph.id(T::INDEX, slot), by)
    }

    /// The slots of at most so many accepted entities after a position.
    fn slots<S: Storage>(
        &self,
        graph: &Graph<S>,
        after: Option<(V, u32)>,
        most: usize,
    ) -> Vec<u32> {
        let node = &self.filter.node;
        let column: &dyn Any = graph.column(self.column);
        let Some(column) = column.downcast_ref::<Column<V, S>>() else {
            return Vec::new();
        };
        let range = self.range(after.clone());
        let mut walk = column.between(range);
        let mut next = || match self.descending {
            false => walk.next(),
            true => walk.next_back(),
        };
        let mut found = Vec::new();
        let mut slot = next();
        // As in a query that is not sorted, both ways are tried with a budget that doubles.
        let mut budget: usize = 64;
        loop {
            let mut left = budget;
            while let Some(at) = slot {
                left = left.saturating_sub(1);
                let is = holds(graph, T::INDEX, node, at, &mut left);
                if left == 0 {
                    break;
                }
                if is {
                    found.push(at);
                }
                if found.len() >= most {
                    return found;
                }
                slot = next();
            }
            if slot.is_none() {
                return found;
            }
            if let Some(slots) = self.listed(graph, column, after.as_ref(), most, budget) {
                return slots;
            }
            budget = budget.saturating_mul(2);
        }
    }

    /// The same, from a list of all accepted entities, if that can be read within a budget.
    fn listed<S: Storage>(
        &self,
        graph: &Graph<S>,
        column: &Column<V, S>,
        after: Option<&(V, u32)>,
        most: usize,
        mut budget: usize,
    ) -> Option<Vec<u32>> {
        let listed = list(graph, T::INDEX, &self.filter.node, false, &mut budget)?;
        let with_value = |slot| Some((column.get(slot)?, slot));
        let mut all: Vec<(&V, u32)> = listed.slots.into_iter().filter_map(with_value).collect();
        if let Some((value, slot)) = after {
            let after = (value, *slot);
            all.retain(|at| match self.descending {
                false => *at > after,
                true => *at < after,
            });
        }
        match self.descending {
            false => all.sort_unstable(),
            true => all.sort_unstable_by_key(|at| Reverse(*at)),
        }
        Some(all.into_iter().map(|(_, slot)| slot).take(most).collect())
    }

    /// The part of the index that is after a position and within the bounds of the filter.
    fn range(&self, after: Option<(V, u32)>) -> Positions<V> {
        let (mut from, mut to) = (Bound::Unbounded, Bound::Unbounded);
        let value = |sought: &Sought| sought.value.downcast_ref::<V>().cloned();
        for part in self.filter.node.parts() {
            let Node::Value(test) = part else { continue };
            if test.column != self.column {
                continue;
            }
            let (lower, upper) = match &test.kind {
                Kind::Range { from, to, .. } => (from.as_ref(), to.as_ref()),
                Kind::Equal { to, .. } if to.len() == 1 => {
                    (Bound::Included(&to[0]), Bound::Included(&to[0]))
                }
                Kind::Equal { .. } | Kind::Matches(_) => continue,
            };
            // No entity has the greatest slot, so that each position is strictly between two entities or at one.
            let lower = match lower {
                Bound::Unbounded => None,
                Bound::Included(sought) => value(sought).map(|value| Bound::Included((value, 0))),
                Bound::Excluded(sought) => {
                    value(sought).map(|value| Bound::Excluded((value, u32::MAX)))
                }
            };
            let upper = match upper {
                Bound::Unbounded => None,
                Bound::Included(sought) => {
                    value(sought).map(|value| Bound::Included((value, u32::MAX)))
                }
                Bound::Excluded(sought) => value(sought).map(|value| Bound::Excluded((value, 0))),
            };
            from = later(from, lower.unwrap_or(Bound::Unbounded));
            to = earlier(to, upper.unwrap_or(Bound::Unbounded));
        }
        match (after, self.descending) {
            (None, _) => {}
            (Some(after), false) => from = later(from, Bound::Excluded(after)),
            (Some(after), true) => to = earlier(to, Bound::Excluded(after)),
        }
        (from, to)
    }
}

/// The later of two lower bounds.
fn later<X: Ord>(a: Bound<X>, b: Bound<X>) -> Bound<X> {
    match (&a, &b) {
        (Bound::Unbounded, _) => b,
        (_, Bound::Unbounded) => a,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => {
            let b_is_later = y > x || (y == x && matches!(b, Bound::Excluded(_)));
            if b_is_later { b } else { a }
        }
    }
}

/// The earlier of two upper bounds.
fn earlier<X: Ord>(a: Bound<X>, b: Bound<X>) -> Bound<X> {
    match (&a, &b) {
        (Bound::Unbounded, _) => b,
        (_, Bound::Unbounded) => a,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => {
            let b_is_earlier = y < x || (y == x && matches!(b, Bound::Excluded(_)));
            if b_is_earlier { b } else { a }
        }
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((column, descending, value)) = &self.by {
            let order = if *descending { 'd' } else { 'a' };
            write!(f, "{column}{order}-")?;
            for byte in value {
                write!(f, "{byte:02x}")?;
            }
            f.write_char('-')?;
        }
        fmt::Display::fmt(&self.id, f)
    }
}

/// The error of parsing a text that is not a [`PageToken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePageTokenError {
    text: String,
}

impl fmt::Display for ParsePageTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a token of a page", self.text)
    }
}

impl std::error::Error for ParsePageTokenError {}

impl FromStr for PageToken {
    type Err = ParsePageTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParsePageTokenError { text: text.into() })
    }
}

fn parse(text: &str) -> Option<PageToken> {
    let (by, id) = match text.rsplit_once('-') {
        None => (None, text),
        Some((by, id)) => {
            let (order, value) = by.split_once('-')?;
            let (column, descending) = match order.strip_suffix('d') {
                Some(column) => (column, true),
                None => (order.strip_suffix('a')?, false),
            };
            let by = (column.parse().ok()?, descending, bytes(value)?);
            (Some(by), id)
        }
    };
    let id = id.parse().ok()?;
    Some(PageToken { id, by })
}

/// The bytes of a text of hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = digit(high)? << 4 | digit(low)?;
        u8::try_from(byte).ok()
    });
    bytes.collect::<Option<_>>().filter(|_| rest.is_empty())
}

impl Serialize for PageToken {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PageToken {
    fn deserialize<Z: Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
