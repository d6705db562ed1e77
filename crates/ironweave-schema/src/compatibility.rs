//! What the changes of a schema mean for a log that was written before them.
//!
//! `differ` gives each [`Change`] its [`Verdict`] where it finds it. A verdict may depend on the stored data, which the caller
//! looks up: a [`Check`] says what, and a [`Usage`] is the answer.

use std::fmt;

use crate::Schema;
use crate::diff::{Change, Item};
use crate::differ::Diff;

/// The changes from an earlier to a later schema, each with what it means for a log of the earlier one.
///
/// ```
/// use ironweave_schema::{EntityDef, Schema, StateDef, Usage};
///
/// let state = |name: &str| StateDef { name: name.to_owned(), ..StateDef::default() };
/// let schema = |states| Schema {
///     entities: vec![EntityDef { name: "Bed".to_owned(), states, ..EntityDef::default() }],
///     ..Schema::default()
/// };
/// let was = schema(vec![state("Free"), state("Cleaning")]);
/// let now = schema(vec![state("Free"), state("Broken")]);
/// let changes = was.compatibility(&now);
/// // Three beds are in the removed state.
/// let beds = Usage { count: 3, first: Some(r#"Bed "4A""#.to_owned()) };
/// let refused = changes.refused(|_| beds.clone());
/// assert_eq!(
///     refused[0].to_string(),
///     "state `Bed::Cleaning` was removed: 3 entities are in it, first `Bed \"4A\"`; if it has another name now, write \
///      `#[renamed(from = \"Cleaning\")]` on it; otherwise move them to other states before, or write a migration"
/// );
/// // The store may also have none, and then nothing is refused.
/// assert!(changes.refused(|_| Usage::default()).is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// The differences, in the order of [`Schema::diff`].
    pub differences: Vec<Difference>,
}

/// A change with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The change.
    pub change: Change,
    /// What it means for a log that was written before it.
    pub verdict: Verdict,
    /// See [`Difference::is_of_shape`].
    pub(crate) of_shape: bool,
    /// See [`Difference::may_fire`].
    pub(crate) may_fire: bool,
}

/// What a change of a schema means for a log that was written before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The change is taken.
    Free,
    /// The change is taken if a check of the stored data succeeds.
    Data {
        /// The check.
        check: Check,
        /// What to write if it fails.
        hint: String,
    },
    /// The change is not taken.
    Refused {
        /// What to write.
        hint: String,
    },
}

/// A condition on the data in a store. Its names are those of the earlier schema, after renaming.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// No entity of the type exists.
    NoEntity(String),
    /// No entity is in the state.
    NoneIn {
        /// The entity type.
        entity: String,
        /// The state.
        state: String,
    },
    /// No entity has a value in the field, or in the data of a state.
    NoValue(Item),
    /// The edge has no links.
    NoLink(Item),
    /// No two entities of the type have the same key, by the key of the later schema.
    UniqueKeys(String),
    /// Each entity has an allowed number of links at an end of an edge.
    Links {
        /// The end, such as `Ward.beds`.
        end: String,
        /// The minimum.
        min: u32,
        /// The maximum, if there is one.
        max: Option<u32>,
    },
    /// The links of the edge form no cycle.
    NoCycle(Item),
    /// The values can be read as the new type.
    Readable {
        /// The field, the data of a state, or the edge whose links have the data.
        item: Item,
        /// The new type as written.
        ty: String,
    },
    /// The invariant holds.
    Invariant(String),
}

/// How much of the stored data fails a [`Check`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of entities, values or links that fail it.
    pub count: u64,
    /// The first of them, as it is to be shown: `Bed "4A"`.
    pub first: Option<String>,
}

/// A difference that is refused, with the data because of which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'c> {
    /// The difference.
    pub difference: &'c Difference,
    /// The data that fails its check, if it has one.
    pub usage: Option<Usage>,
}

impl Compatibility {
    /// Returns whether the two schemas are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Returns whether each log of the earlier schema can be read, whatever data it has.
    #[must_use]
    pub fn is_free(&self) -> bool {
        (self.differences.iter()).all(|difference| difference.verdict == Verdict::Free)
    }

    /// Returns the differences that are refused for a store, in which `usage` counts what fails a check.
    pub fn refused<'s>(&'s self, mut usage: impl FnMut(&Check) -> Usage) -> Vec<Refused<'s>> {
        let mut refused = |difference: &'s Difference| {
            let Difference { verdict, .. } = difference;
            let usage = match verdict {
                Verdict::Free => return None,
                Verdict::Refused { .. } => None,
                Verdict::Data { check, .. } => {
                    let usage = usage(check);
                    if usage.count == 0 {
                        return None;
                    }
                    Some(usage)
                }
            };
            Some(Refused { difference, usage })
        };
        (self.differences.iter()).filter_map(&mut refused).collect()
    }
}

impl Difference {
    /// Returns whether the change affects the stored data or the fingerprint, and not only the rules. The facts of a log
    /// mean the same before and after any other change.
    #[must_use]
    pub fn is_of_shape(&self) -> bool {
        self.of_shape
    }

    /// Returns whether the change makes an event immediate that entities of a log may enable already, so that it fires when the log is
    /// continued.
    #[must_use]
    pub fn may_fire(&self) -> bool {
        self.may_fire
    }

    /// Renders the change. A value that stored entities lack is needed and not only there.
    fn subject(&self) -> String {
        let text = self.change.to_string();
        let needs = match &self.change {
            Change::Added(Item::Field { .. } | Item::Data { .. } | Item::EventField { .. }) => {
                self.verdict != Verdict::Free
            }
            _ => false,
        };
        if !needs {
            return text;
        }
        text.replacen("now has field", "now needs", 1)
            .replacen("now has data", "now needs", 1)
    }
}

impl Schema {
    /// Compares this schema with a later one, and says for each difference what it means for a log of this one.
    #[must_use]
    pub fn compatibility(&self, now: &Self) -> Compatibility {
        // In an invalid schema, items of the same name would otherwise be taken for each other.
        if self.is_same(now) {
            return Compatibility::default();
        }
        let (was, renamed) = self.renamed_by(now);
        let mut differences = Diff::of(self, &was, now, renamed);
        if differences.is_empty() {
            differences.push(Difference {
                change: Change::Renumbered,
                verdict: Verdict::Free,
                of_shape: false,
                may_fire: false,
            });
        }
        Compatibility { differences }
    }
}

/// Renders `` , first `..` ``.
fn first(usage: &Usage) -> String {
    let first = usage.first.as_ref();
    first.map_or_else(String::new, |first| format!(", first `{first}`"))
}

impl Check {
    /// Returns the condition as text.
    fn condition(&self) -> String {
        match self {
            Self::NoEntity(entity) => format!("no `{entity}` exists"),
            Self::NoneIn { entity, state } => format!("no `{entity}` is in `{state}`"),
            Self::NoValue(_) => "no entity has a value in it".to_owned(),
            Self::NoLink(_) => "it has no links".to_owned(),
            Self::UniqueKeys(entity) => format!("no two `{entity}` have the same key"),
            Self::Links { end, min, max } => match max {
                Some(max) if min == max => format!("each entity has {min} links at `{end}`"),
                Some(max) => format!("each entity has {min} to {max} links at `{end}`"),
                None => format!("each entity has at least {min} links at `{end}`"),
            },
            Self::NoCycle(_) => "its links form no cycle".to_owned(),
            Self::Readable { ty, .. } => format!("each value can be read as `{ty}`"),
            Self::Invariant(_) => "it holds".to_owned(),
        }
    }

    /// Returns what fails the check as text.
    fn failure(&self, usage: &Usage) -> String {
        let n = usage.count;
        let (one, entities) = match n {
            1 => (true, "1 entity".to_owned()),
            _ => (false, format!("{n} entities")),
        };
        let by = |single: &str, plural: &str| if one { single } else { plural }.to_owned();
        let what = match self {
            Self::NoEntity(_) => format!("{entities} {}", by("exists", "exist")),
            Self::NoneIn { .. } => format!("{entities} {} in it", by("is", "are")),
            Self::NoValue(_) => format!("{entities} {} a value in it", by("has", "have")),
            Self::NoLink(_) => format!("{n} {}", by("link exists", "links exist")),
            Self::UniqueKeys(_) => {
                format!("{entities} {} the key of another one", by("has", "have"))
            }
            Self::Links { .. } => {
                format!("{entities} {} another number of links", by("has", "have"))
            }
            Self::NoCycle(_) => format!("{n} {} part of a cycle", by("link is", "links are")),
            Self::Readable { ty, .. } => {
                format!(
                    "{n} {} be read as `{ty}`",
                    by("value cannot", "values cannot")
                )
            }
            Self::Invariant(_) => format!("{entities} {} it", by("violates", "violate")),
        };
        format!("{what}{}", first(usage))
    }
}

/// Renders the change and what it means without the data: the check, if there is one, and what to write.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject())?;
        match &self.verdict {
            Verdict::Free => Ok(()),
            Verdict::Data { check, hint } => {
                write!(f, ": this is taken if {}; {hint}", check.condition())
            }
            Verdict::Refused { hint } => write!(f, "; {hint}"),
        }
    }
}

/// Renders the change, the data that fails its check, and what to write.
impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.difference.verdict, &self.usage) {
            (Verdict::Data { check, hint }, Some(usage)) => {
                let failure = check.failure(usage);
                write!(f, "{}: {failure}; {hint}", self.difference.subject())
            }
            _ => fmt::Display::fmt(self.difference, f),
        }
    }
}
