//! The conditions of filters as data.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::hash::hash_bytes;
use crate::base::id::Id;
use crate::graph::column::AnyColumn;
use crate::schema::{ColumnIx, Hop, IndexKind, StateIx};
use crate::value::{Value, encode, equal};

/// A condition on an entity, whose type is known where the condition is evaluated.
///
/// Negations are only in front of conditions that have no parts, since [`Node::negated`] pushes them there. Every entity meets
/// all of no conditions, and none meets any of none.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// It is in one of these states.
    In(Vec<StateIx>),
    /// It is one of these entities, which are in order.
    Named(Arc<[Id]>),
    /// Its value in a column meets a condition.
    Value(Arc<Test>),
    /// It is linked over an edge with an entity that meets a condition.
    Linked(Hop, Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

impl Node {
    /// The condition that exactly the other entities meet.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::All(parts) => Self::Any(parts.into_iter().map(Self::negated).collect()),
            Self::Any(parts) => Self::All(parts.into_iter().map(Self::negated).collect()),
            Self::Not(part) => *part,
            part @ (Self::In(_) | Self::Named(_) | Self::Value(_) | Self::Linked(..)) => {
                Self::Not(Box::new(part))
            }
        }
    }

    /// Both conditions.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut parts), Self::All(others)) => {
                parts.extend(others);
                Self::All(parts)
            }
            (Self::All(mut parts), part) | (part, Self::All(mut parts)) => {
                parts.push(part);
                Self::All(parts)
            }
            (a, b) => Self::All(vec![a, b]),
        }
    }

    /// At least one of the conditions.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(mut parts), Self::Any(others)) => {
                parts.extend(others);
                Self::Any(parts)
            }
            (Self::Any(mut parts), part) | (part, Self::Any(mut parts)) => {
                parts.push(part);
                Self::Any(parts)
            }
            (a, b) => Self::Any(vec![a, b]),
        }
    }

    /// The conditions that must hold together.
    pub(super) fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether only states matter.
    pub(super) fn is_of_states(&self) -> bool {
        match self {
            Self::In(_) => true,
            Self::Not(part) => part.is_of_states(),
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::is_of_states),
            Self::Named(_) | Self::Value(_) | Self::Linked(..) => false,
        }
    }
}

/// A condition on the value of an entity in a column. An entity without a value there does not meet it.
pub(super) struct Test {
    pub column: ColumnIx,
    pub kind: Kind,
}

pub(super) enum Kind {
    /// The value equals one of these.
    Equal {
        to: Vec<Sought>,
        equal: fn(&dyn Any, &dyn Any) -> bool,
    },
    /// The value is within bounds.
    Range {
        from: Bound<Sought>,
        to: Bound<Sought>,
        compare: fn(&dyn Any, &dyn Any) -> Option<Ordering>,
    },
    /// A function of the program accepts the value.
    Matches(Box<Accepts>),
}

/// A function of the program that accepts some values.
type Accepts = dyn Fn(&dyn Any) -> bool + Send + Sync;

/// A value that a filter compares with.
pub(super) struct Sought {
    pub value: Box<dyn Any + Send + Sync>,
    /// The value in CBOR, and the hash of that; `None` if it cannot be written, so that no entity has it.
    pub encoded: Option<(Vec<u8>, u64)>,
}

impl Sought {
    pub(super) fn new<V: Value>(value: V) -> Self {
        let mut bytes = Vec::new();
        let encoded = encode(&value, &mut bytes).is_ok().then(|| {
            let hash = hash_bytes(&bytes);
            (bytes, hash)
        });
        Self {
            value: Box::new(value),
            encoded,
        }
    }
}

/// Compares two values of the same type.
fn compare<V: PartialOrd + 'static>(a: &dyn Any, b: &dyn Any) -> Option<Ordering> {
    a.downcast_ref::<V>()?.partial_cmp(b.downcast_ref::<V>()?)
}

impl Test {
    pub(super) fn equal<V: Value + PartialEq>(
        column: ColumnIx,
        to: impl Iterator<Item = V>,
    ) -> Self {
        let to = to.map(Sought::new).collect();
        let equal = equal::<V>;
        Self {
            column,
            kind: Kind::Equal { to, equal },
        }
    }

    pub(super) fn range<V: Value + PartialOrd>(
        column: ColumnIx,
        (from, to): (Bound<V>, Bound<V>),
    ) -> Self {
        Self {
            column,
            kind: Kind::Range {
                from: from.map(Sought::new),
                to: to.map(Sought::new),
                compare: compare::<V>,
            },
        }
    }

    pub(super) fn matches<V: Value>(
        column: ColumnIx,
        accepts: impl Fn(&V) -> bool + Send + Sync + 'static,
    ) -> Self {
        let accepts = move |value: &dyn Any| value.downcast_ref().is_some_and(&accepts);
        Self {
            column,
            kind: Kind::Matches(Box::new(accepts)),
        }
    }

    /// Whether the value at a slot of the column meets the condition; `index` is the kind of its index.
    pub(super) fn accepts(
        &self,
        column: &dyn AnyColumn,
        index: Option<IndexKind>,
        slot: u32,
    ) -> bool {
        let Some(value) = column.value(slot) else {
            return false;
        };
        match &self.kind {
            Kind::Equal { to, equal } => {
                // An index by equality has hashes of what is stored, so that values that are equal but are stored in
                // different forms are different ones there. They are so here too, since the index may not be used.
                let hash = (index == Some(IndexKind::Equal)).then(|| column.hash(slot));
                to.iter().any(|sought| {
                    let same = sought.encoded.as_ref().map(|(_, hash)| *hash);
                    hash.is_none_or(|hash| hash == same) && equal(value, &*sought.value)
                })
            }
            Kind::Range { from, to, compare } => {
                let after = match from {
                    Bound::Unbounded => true,
                    Bound::Included(from) => {
                        compare(value, &*from.value).is_some_and(Ordering::is_ge)
                    }
                    Bound::Excluded(from) => {
                        compare(value, &*from.value).is_some_and(Ordering::is_gt)
                    }
                };
                after
                    && match to {
                        Bound::Unbounded => true,
                        Bound::Included(to) => {
                            compare(value, &*to.value).is_some_and(Ordering::is_le)
                        }
                        Bound::Excluded(to) => {
                            compare(value, &*to.value).is_some_and(Ordering::is_lt)
                        }
                    }
            }
            Kind::Matches(accepts) => accepts(value),
        }
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Equal { .. } => "Equal",
            Kind::Range { .. } => "Range",
            Kind::Matches(_) => "Matches",
        };
        write!(f, "{kind}({})", self.column)
    }
}
