//! Keys of several parts: tuples that are made of the values of an entity, and the bounds of those that a query names.
//!
//! The graph knows no types. A key type is a nested pair of the types of its parts, `(A, (B, ()))`, which generated code names
//! once. [`KeyParts`] makes keys from cells and from the values of a query, so that an index is one ordered set of tuples.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::value::Value;

/// The values of one entity that an index reads.
pub trait PartCells {
    /// The value of a part, or the slot of the linked entity, a `u32`. `None` if the entity has none.
    fn value(&self, part: usize) -> Option<&dyn Any>;
    /// The hash of all parts; `None` if the entity lacks one.
    fn hash(&self) -> Option<u64>;
}

/// A part of a key, or what is before or after all values of a part. Only bounds of queries are not values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounded<T> {
    Least,
    Is(T),
    Greatest,
}

/// Whether a bound is before or after all keys that begin like it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Least,
    Greatest,
}

/// A part of an index: a value, or the entity at an end of an edge ([`Linked`]).
pub trait Part: 'static {
    /// The type of what the index has.
    type Stored: Clone + Send + Sync + 'static;
}

impl<T: Value> Part for T {
    type Stored = T;
}

/// The entity of type `E` that is linked at an end which holds at most one link. The index has its slot.
pub struct Linked<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Linked<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Linked")
    }
}

impl<E: 'static> Part for Linked<E> {
    type Stored = u32;
}

/// The parts of an index from one of them on, as nested pairs: `(A, (B, ()))`.
pub trait KeyParts: 'static {
    /// The key.
    type Key: Ord + Clone + Send + Sync + 'static;

    /// The key of an entity, of the parts from `at` on. `None` if the entity lacks one.
    fn key(cells: &dyn PartCells, at: usize) -> Option<Self::Key>;
    /// The bound of keys that begin with these values.
    fn bound(given: &[&dyn Any], rest: Rest) -> Self::Key;
    /// The bound of keys that begin with the first parts of this one.
    fn beginning(key: &Self::Key, parts: usize, rest: Rest) -> Self::Key;
}

impl KeyParts for () {
    type Key = ();

    fn key(_: &dyn PartCells, _: usize) -> Option<()> {
        Some(())
    }

    fn bound(_: &[&dyn Any], _: Rest) {}

    fn beginning((): &(), _: usize, _: Rest) {}
}

impl<A: Part<Stored: Ord>, R: KeyParts> KeyParts for (A, R) {
    type Key = (Bounded<A::Stored>, R::Key);

    fn key(cells: &dyn PartCells, at: usize) -> Option<Self::Key> {
        let value = cells.value(at)?.downcast_ref::<A::Stored>()?;
        // The rest first, since it may be missing.
        let rest = R::key(cells, at + 1)?;
        Some((Bounded::Is(value.clone()), rest))
    }

    fn bound(given: &[&dyn Any], rest: Rest) -> Self::Key {
        let Some((first, others)) = given.split_first() else {
            return (rest.into(), R::bound(&[], rest));
        };
        // Generated code is type-checked against the parts: another type is a bug of the caller, never input.
        let first = first.downcast_ref::<A::Stored>();
        let first = first.expect("a value of the type of the part").clone();
        (Bounded::Is(first), R::bound(others, rest))
    }

    fn beginning((first, others): &Self::Key, parts: usize, rest: Rest) -> Self::Key {
        match parts.checked_sub(1) {
            None => Self::bound(&[], rest),
            Some(parts) => (first.clone(), R::beginning(others, parts, rest)),
        }
    }
}

/// The parts of an index by equality, as nested pairs: `(A, (B, ()))`.
pub trait EqualParts: 'static {}

impl EqualParts for () {}

impl<A: Part<Stored: Eq>, R: EqualParts> EqualParts for (A, R) {}

impl<T> From<Rest> for Bounded<T> {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Least => Self::Least,
            Rest::Greatest => Self::Greatest,
        }
    }
}
