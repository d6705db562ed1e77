//! What sets two schemas apart, as values and in words.

use std::fmt;

use crate::Schema;
use crate::differ::Diff;
use crate::unknown::UnknownItem;

/// Something that a schema contains.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// The model itself, by its name.
    Model(String),
    /// An entity type, by its name.
    Entity(String),
    /// A state.
    State {
        /// The entity type.
        entity: String,
        /// Its name.
        name: String,
    },
    /// A move of a lifecycle.
    Transition {
        /// The entity type.
        entity: String,
        /// The state that it leaves.
        from: String,
        /// The state that it leads to.
        to: String,
        /// The method that makes it.
        verb: String,
    },
    /// A field of an entity.
    Field {
        /// The entity type.
        entity: String,
        /// Its name.
        name: String,
        /// Its type as written.
        ty: String,
    },
    /// A piece of the data of a state.
    Data {
        /// The entity type.
        entity: String,
        /// The state.
        state: String,
        /// Its name.
        name: String,
        /// Its type as written.
        ty: String,
    },
    /// An edge.
    Edge {
        /// Its declaring end, `JobRun.builds`.
        from: String,
        /// Its inverse end.
        to: String,
    },
    /// An event, by its name.
    Event(String),
    /// A field of an event.
    EventField {
        /// The event.
        event: String,
        /// Its name.
        name: String,
        /// Its type as written.
        ty: String,
    },
    /// An arc of an event.
    Arc {
        /// The event.
        event: String,
        /// The arc as one writes it.
        arc: String,
    },
    /// Something that the handler of an event may do.
    May {
        /// The event.
        event: String,
        /// The declaration as one writes it.
        may: String,
    },
    /// A guard of an event.
    Guard {
        /// The event.
        event: String,
        /// The path of the function.
        guard: String,
    },
    /// An invariant, by its name.
    Invariant(String),
    /// Something that this version does not know.
    Unknown(Box<UnknownItem>),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(name) => write!(f, "model `{name}`"),
            Self::Entity(name) => write!(f, "entity `{name}`"),
            Self::State { entity, name } => write!(f, "state `{entity}::{name}`"),
            Self::Transition {
                entity, from, to, ..
            } => write!(f, "move `{entity}: {from} -> {to}`"),
            Self::Field { entity, name, .. } => write!(f, "field `{entity}.{name}`"),
            Self::Data {
                entity,
                state,
                name,
                ..
            } => write!(f, "data `{name}` of state `{entity}::{state}`"),
            Self::Edge { from, to } => write!(f, "edge `{from} <-> {to}`"),
            Self::Event(name) => write!(f, "event `{name}`"),
            Self::EventField { event, name, .. } => write!(f, "field `{name}` of event `{event}`"),
            Self::Arc { event, arc } => write!(f, "arc `{arc}` of event `{event}`"),
            Self::May { event, may } => write!(f, "`{may}` of event `{event}`"),
            Self::Guard { event, guard } => write!(f, "guard `{guard}` of event `{event}`"),
            Self::Invariant(name) => write!(f, "invariant `{name}`"),
            Self::Unknown(item) => write!(f, "`{}` of {}", item.key, item.of),
        }
    }
}

impl Item {
    /// The item that has this one, and what it has there; none for what stands for itself.
    fn owner(&self) -> Option<(Self, String)> {
        let state = |entity: &String, name: &String| Self::State {
            entity: entity.clone(),
            name: name.clone(),
        };
        let event = |name: &String| Self::Event(name.clone());
        Some(match self {
            Self::Transition {
                entity,
                from,
                to,
                verb,
            } => (state(entity, from), format!("the move `{verb} -> {to}`")),
            Self::Field { entity, name, ty } => (
                Self::Entity(entity.clone()),
                format!("field `{name}: {ty}`"),
            ),
            Self::Data {
                entity,
                state: of,
                name,
                ty,
            } => (state(entity, of), format!("data `{name}: {ty}`")),
            Self::EventField {
                event: of,
                name,
                ty,
            } => (event(of), format!("field `{name}: {ty}`")),
            Self::Arc { event: of, arc } => (event(of), format!("the arc `{arc}`")),
            Self::May { event: of, may } => (event(of), format!("`{may}`")),
            Self::Guard { event: of, guard } => (event(of), format!("the guard `{guard}`")),
            Self::Unknown(item) => (
                item.of.clone(),
                format!(
                    "`{}: {}`, which this version does not know",
                    item.key, item.value
                ),
            ),
            _ => return None,
        })
    }
}

/// What can be said of an item with yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flag {
    /// A state is terminal.
    Terminal,
    /// A field is the key or a part of it.
    Key,
    /// An edge never leads back.
    Acyclic,
    /// An end of an edge is counted by state.
    Counted,
    /// An event fires by itself.
    Immediate,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminal => "terminal",
            Self::Key => "a key",
            Self::Acyclic => "acyclic",
            Self::Counted => "counted",
            Self::Immediate => "immediate",
        })
    }
}

/// What can be said of an item with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Property {
    /// Of a model.
    Name,
    /// The state in which an entity begins.
    Initial,
    /// The method that makes a move.
    Verb,
    /// The type of a field, as written.
    Type,
    /// How values are encoded.
    Encoding,
    /// How a field is indexed.
    Index,
    /// What a field has where nothing is given.
    Default,
    /// The type of the data of links.
    Data,
    /// The inverse end of an edge.
    Inverse,
    /// How many links an end may have.
    Cardinality,
    /// The least number of links.
    Min,
    /// The greatest number of links.
    Max,
    /// What happens to the links of an entity that is deleted.
    OnDelete,
    /// What a name of an event stands for.
    Binding,
    /// The entity that an invariant is of.
    Of,
    /// The edges over which an invariant reads.
    Via,
    /// The function of an invariant.
    Check,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Initial => "initial state",
            Self::Verb => "verb",
            Self::Type => "type",
            Self::Encoding => "encoding",
            Self::Index => "index",
            Self::Default => "default",
            Self::Data => "link data",
            Self::Inverse => "inverse end",
            Self::Cardinality => "cardinality",
            Self::Min => "`min`",
            Self::Max => "`max`",
            Self::OnDelete => "`on_delete`",
            Self::Binding => "binding",
            Self::Of => "entity",
            Self::Via => "`via`",
            Self::Check => "function",
        })
    }
}

/// One difference between two schemas, of which one was before the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Something is new.
    Added(Item),
    /// Something is gone.
    Removed(Item),
    /// Something has become so.
    Became {
        /// What.
        item: Item,
        /// At which end, of an edge.
        end: Option<String>,
        /// What it has become.
        flag: Flag,
    },
    /// Something is no longer so.
    Ceased {
        /// What.
        item: Item,
        /// At which end, of an edge.
        end: Option<String>,
        /// What it no longer is.
        flag: Flag,
    },
    /// Something has another value.
    Changed {
        /// What.
        item: Item,
        /// At which end of an edge, or for which name of an event.
        end: Option<String>,
        /// Which of its properties.
        property: Property,
        /// The value before.
        was: String,
        /// The value after.
        now: String,
        /// Whether values that were written before can be read.
        readable: bool,
    },
    /// The same items stand in another order.
    Reordered {
        /// What has them.
        item: Item,
        /// Which of its items.
        what: &'static str,
    },
    /// The same items refer to each other in another way.
    Renumbered,
}

impl Change {
    /// Whether a log that was written before the change cannot be read after it: the change is one of what is stored, and
    /// not only of the rules.
    #[must_use]
    pub fn is_of_shape(&self) -> bool {
        match self {
            Self::Added(item) | Self::Removed(item) => match item {
                Item::Entity(_)
                | Item::State { .. }
                | Item::Field { .. }
                | Item::Data { .. }
                | Item::Edge { .. }
                | Item::Event(_)
                | Item::EventField { .. } => true,
                Item::Unknown(item) => item.key == "cardinality",
                _ => false,
            },
            Self::Became { flag, .. } | Self::Ceased { flag, .. } => {
                matches!(flag, Flag::Key | Flag::Immediate)
            }
            Self::Changed {
                property, readable, ..
            } => match property {
                Property::Type | Property::Data | Property::Inverse | Property::Cardinality => true,
                Property::Encoding => !readable,
                _ => false,
            },
            Self::Reordered { what, .. } => *what == "fields",
            Self::Renumbered => false,
        }
    }
}

/// ` (at ..)`, where an end of an edge is meant.
fn at(end: Option<&String>) -> String {
    end.map_or_else(String::new, |end| format!(" at `{end}`"))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(item) => match item.owner() {
                Some((owner, what)) => write!(f, "{owner} now has {what}"),
                None => write!(f, "{item} was added"),
            },
            Self::Removed(item) => match item.owner() {
                Some((owner, what)) => write!(f, "{owner} no longer has {what}"),
                None => write!(f, "{item} was removed"),
            },
            Self::Became { item, end, flag } => {
                write!(f, "{item} is now {flag}{}", at(end.as_ref()))
            }
            Self::Ceased { item, end, flag } => {
                write!(f, "{item} is no longer {flag}{}", at(end.as_ref()))
            }
            Self::Changed {
                item,
                end,
                property,
                was,
                now,
                ..
            } => {
                let item = match item {
                    Item::Model(_) => "the model".to_owned(),
                    item => item.to_string(),
                };
                let at = at(end.as_ref());
                write!(
                    f,
                    "the {property} of {item}{at} was `{was}` and is now `{now}`"
                )
            }
            Self::Reordered { item, what } => {
                write!(f, "the {what} of {item} stand in another order")
            }
            Self::Renumbered => f.write_str("items of the schema refer to others by other numbers"),
        }
    }
}

impl Schema {
    /// What has changed from this schema to another: first what the other has no longer or has otherwise, in order, then
    /// what it has in addition, kind by kind. Empty exactly where the two [are the same](Schema::is_same).
    ///
    /// Items are recognized by their names, edges by the name of their declaring end.
    #[must_use]
    pub fn diff(&self, now: &Self) -> Vec<Change> {
        let mut changes = Diff::of(self, now);
        if changes.is_empty() && !self.is_same(now) {
            changes.push(Change::Renumbered);
        }
        changes
    }
}
