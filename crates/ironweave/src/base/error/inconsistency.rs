//! What a check of a store can find: derived state that is not what the graph says.

use std::fmt;

use crate::base::error::EntityRef;

/// A difference between what a store keeps and what its graph says, as [`Store::check`](crate::Store::check) finds it.
/// Any is a defect of ironweave, of a handler that is not deterministic, or of the memory of the machine.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// The entity that it concerns, where it concerns one.
    pub entity: Option<EntityRef>,
    /// What differs: an index, a counter, a column, the links of an edge, an invariant.
    pub what: String,
    /// What was recomputed.
    pub expected: String,
    /// What is kept.
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
