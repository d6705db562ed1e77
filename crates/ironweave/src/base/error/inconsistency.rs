//! The result of [`Store::check`](crate::Store::check): derived state that differs from the graph.

use std::fmt;

use crate::base::error::EntityRef;

/// A difference between derived state that a store maintains and the same state recomputed from its graph, found by
/// [`Store::check`](crate::Store::check). It is caused by a defect of ironweave, by user code that is not deterministic, or
/// by faulty memory.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// The entity, if the difference concerns one.
    pub entity: Option<EntityRef>,
    /// The derived state: an index, a counter, a column, the links of an edge, or an invariant.
    pub what: String,
    /// The recomputed state.
    pub expected: String,
    /// The maintained state.
    pub found: String,
}

impl Inconsistency {
    pub(crate) fn new(
        entity: Option<EntityRef>,
        what: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            entity,
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entity,
            what,
            expected,
            found,
        } = self;
        if let Some(entity) = entity {
            write!(f, "{entity}: ")?;
        }
        write!(f, "{what}: expected {expected}, found {found}")
    }
}
