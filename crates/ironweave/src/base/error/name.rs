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
    /// The value cannot be read as the type that was asked for.
    OtherType {
        /// The field, or the data of a state, and the entity: `` `since` of Bed "4A" ``.
        what: Name,
        /// The value as text.
        found: String,
        /// The type that was asked for.
        expected: &'static str,
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
            Self::NoKey { .. }
            | Self::InvalidKey { .. }
            | Self::OtherType { .. }
            | Self::InvalidHandle { .. } => ErrorKind::Invalid,
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
            Self::OtherType {
                what,
                found,
                expected,
            } => write!(f, "{what} is {found}, which cannot be read as `{expected}`")?,
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

/// Returns the [similar names](ironweave_schema::similar_names) for an error.
pub(crate) fn similar<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let names = ironweave_schema::similar_names(name, known);
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_has_the_similar_ones() {
        let error = |name: &str| NameError::UnknownType {
            name: name.into(),
            similar: similar(name, ["Order", "OrderLine", "Customer"]),
        };
        assert_eq!(
            error("order").to_string(),
            "the model has no entity type `order`; did you mean `Order` or `OrderLine`?"
        );
        assert_eq!(
            error("Bed").to_string(),
            "the model has no entity type `Bed`"
        );
    }
}
