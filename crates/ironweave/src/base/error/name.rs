//! The error of reading a graph by name.

use std::error::Error;
use std::fmt;

use crate::base::error::{ErrorKind, Name};

/// The error of a name that the schema does not have, or of a text that is not a key. An unknown name has the names in the
/// schema that are similar to it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The schema has no entity type of this name.
    UnknownType {
        /// The requested name.
        name: Name,
        /// Similar names, the closest first.
        similar: Vec<String>,
    },
    /// The entity type has no state of this name.
    UnknownState {
        /// The entity type.
        entity: Name,
        /// The requested name.
        name: Name,
        /// Similar names, the closest first.
        similar: Vec<String>,
    },
    /// The entity type has no field of this name, and none of its states has data of this name.
    UnknownField {
        /// The entity type.
        entity: Name,
        /// The requested name.
        name: Name,
        /// Similar names, the closest first.
        similar: Vec<String>,
    },
    /// The entity type has no end of an edge of this name.
    UnknownEdge {
        /// The entity type.
        entity: Name,
        /// The requested name.
        name: Name,
        /// Similar names, the closest first.
        similar: Vec<String>,
    },
    /// The entity type has no key.
    NoKey {
        /// The entity type.
        entity: Name,
    },
    /// The text is not a key of the entity type.
    InvalidKey {
        /// The entity type.
        entity: Name,
        /// The requested key.
        key: Name,
        /// The form that a key has.
        expected: String,
    },
    /// The text is not a handle.
    InvalidHandle {
        /// The text.
        text: Name,
    },
}

impl NameError {
    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownType { .. }
            | Self::UnknownState { .. }
            | Self::UnknownField { .. }
            | Self::UnknownEdge { .. } => ErrorKind::NotFound,
            Self::NoKey { .. } | Self::InvalidKey { .. } | Self::InvalidHandle { .. } => {
                ErrorKind::Invalid
            }
        }
    }

    /// Returns the names in the schema that are similar to an unknown one, the closest first.
    #[must_use]
    pub fn similar(&self) -> &[String] {
        match self {
            Self::UnknownType { similar, .. }
            | Self::UnknownState { similar, .. }
            | Self::UnknownField { similar, .. }
            | Self::UnknownEdge { similar, .. } => similar,
            _ => &[],
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { name, .. } => write!(f, "the model has no entity type `{name}`")?,
            Self::UnknownState { entity, name, .. } => {
                write!(f, "`{entity}` has no state `{name}`")?
            }
            Self::UnknownField { entity, name, .. } => {
                write!(f, "`{entity}` has no field `{name}`")?
            }
            Self::UnknownEdge { entity, name, .. } => write!(f, "`{entity}` has no edge `{name}`")?,
            Self::NoKey { entity } => {
                write!(
                    f,
                    "`{entity}` has no key; name its entities by handles, as in `{entity}/3.1`"
                )?;
            }
            Self::InvalidKey {
                entity,
                key,
                expected,
            } => write!(f, "`{key}` is not a key of `{entity}`; write {expected}")?,
            Self::InvalidHandle { text } => {
                write!(
                    f,
                    "`{text}` is not a handle; write an entity type, a slot and a generation, as in `Order/3.1`"
                )?;
            }
        }
        for (i, name) in self.similar().iter().enumerate() {
            let before = if i == 0 { "; did you mean" } else { " or" };
            write!(f, "{before} `{name}`")?;
        }
        f.write_str(if self.similar().is_empty() { "" } else { "?" })
    }
}

impl Error for NameError {}

/// The number of similar names that an error lists.
const SIMILAR_MAX: usize = 3;

/// Returns the names that are similar to `name`, the closest first: those that differ from it in a third of its letters at
/// most, and those that begin with it.
pub(crate) fn similar<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let name = name.to_lowercase();
    let most = name.chars().count().div_ceil(3);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|known| {
            let lower = known.to_lowercase();
            let distance = edit_distance(&name, &lower);
            let begins = !name.is_empty() && lower.starts_with(&name);
            (distance <= most || begins).then_some((distance, known))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    let found = found.into_iter().take(SIMILAR_MAX);
    found.map(|(_, known)| known.to_owned()).collect()
}

/// Returns the number of letters that must be inserted, removed or replaced to make one text of the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_has_the_similar_ones() {
        let names = ["Order", "OrderLine", "Customer", "Ordinal"];
        let of = |name| similar(name, names.into_iter());
        assert_eq!(of("order"), ["Order", "OrderLine"]);
        assert_eq!(of("Odrer"), ["Order"]);
        assert_eq!(of("Custmer"), ["Customer"]);
        assert!(of("Bed").is_empty() && of("").is_empty());
        let error = NameError::UnknownType {
            name: "order".into(),
            similar: of("order"),
        };
        assert_eq!(
            error.to_string(),
            "the model has no entity type `order`; did you mean `Order` or `OrderLine`?"
        );
    }
}
