//! The differences of two schemas, as values and as text.

use std::fmt;

use crate::Schema;
use crate::unknown::UnknownItem;

/// An item of a schema.
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
        /// The name of the item.
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
        /// The name of the method that makes the move.
        verb: String,
    },
    /// A field of an entity.
    Field {
        /// The entity type.
        entity: String,
        /// The name of the item.
        name: String,
        /// The type as written in the model.
        ty: String,
    },
    /// An item of the data of a state.
    Data {
        /// The entity type.
        entity: String,
        /// The state.
        state: String,
        /// The name of the item.
        name: String,
        /// The type as written in the model.
        ty: String,
    },
    /// An edge.
    Edge {
        /// The declaring end, such as `JobRun.builds`.
        from: String,
        /// The inverse end.
        to: String,
    },
    /// An end of an edge, such as `JobRun.builds`.
    End(String),
    /// An event, by its name.
    Event(String),
    /// A field of an event.
    EventField {
        /// The event.
        event: String,
        /// The name of the item.
        name: String,
        /// The type as written in the model.
        ty: String,
    },
    /// An arc of an event.
    Arc {
        /// The event.
        event: String,
        /// The arc as it is written in a model.
        arc: String,
    },
    /// A permission of the handler of an event.
    May {
        /// The event.
        event: String,
        /// The permission as it is written in a model.
        may: String,
    },
    /// A guard of an event.
    Guard {
        /// The event.
        event: String,
        /// The path of the guard function.
        guard: String,
    },
    /// An invariant, by its name.
    Invariant(String),
    /// An index of several fields, or of the entities in some states.
    Index {
        /// The entity type.
        entity: String,
        /// The index as it is written in a model.
        index: String,
    },
    /// An item that this version does not know.
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
            Self::End(path) => write!(f, "end `{path}` of an edge"),
            Self::Event(name) => write!(f, "event `{name}`"),
            Self::EventField { event, name, .. } => write!(f, "field `{name}` of event `{event}`"),
            Self::Arc { event, arc } => write!(f, "arc `{arc}` of event `{event}`"),
            Self::May { event, may } => write!(f, "`{may}` of event `{event}`"),
            Self::Guard { event, guard } => write!(f, "guard `{guard}` of event `{event}`"),
            Self::Invariant(name) => write!(f, "invariant `{name}`"),
            Self::Index { entity, index } => write!(f, "`{index}` of entity `{entity}`"),
            Self::Unknown(item) => write!(f, "`{}` of {}", item.key, item.of),
        }
    }
}

impl Item {
    /// Returns the item that contains this one, and a description of this one within it. Returns `None` for an item of the
    /// schema itself.
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
            Self::Index { entity, index } => {
                (Self::Entity(entity.clone()), format!("the `{index}`"))
            }
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

/// A boolean property of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flag {
    /// A state is terminal.
    Terminal,
    /// A field is the key or a part of the key.
    Key,
    /// The links of an edge must not form a cycle.
    Acyclic,
    /// The entities linked at an end of an edge are counted by state.
    Counted,
    /// An event is immediate.
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

/// A property of an item that has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Property {
    /// The name of a model.
    Name,
    /// The initial state of an entity type.
    Initial,
    /// The name of the method that makes a move.
    Verb,
    /// The type of a field, as written.
    Type,
    /// The encoding of values.
    Encoding,
    /// The kind of the index of a field.
    Index,
    /// The default value of a field.
    Default,
    /// The type of the data of links.
    Data,
    /// The inverse end of an edge.
    Inverse,
    /// The cardinality of an end of an edge.
    Cardinality,
    /// The minimum number of links.
    Min,
    /// The maximum number of links.
    Max,
    /// The effect of the deletion of an entity on its links.
    OnDelete,
    /// The entities that a name of an event is bound to.
    Binding,
    /// The entity type of an invariant.
    Of,
    /// The edges over which the invariant reads.
    Via,
    /// The predicate function of an invariant.
    Check,
    /// The former names, by `#[renamed(from = "..")]`.
    FormerNames,
    /// Which of the entities an immediate event fires on first.
    SortBy,
    /// The time at which an event is due.
    Due,
    /// The logged events that a function of the program reads as the event, by `#[upcast(from = "..")]`.
    Upcasts,
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
            Self::SortBy => "order",
            Self::Due => "due time",
            Self::FormerNames => "former name",
            Self::Upcasts => "upcast from",
        })
    }
}

/// A difference between an earlier and a later schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An item was added.
    Added(Item),
    /// An item was removed.
    Removed(Item),
    /// An item has another name, and names this one in `#[renamed(from = "..")]`.
    Renamed {
        /// The item, by its new name.
        item: Item,
        /// The name before.
        was: String,
    },
    /// A flag of an item was set.
    Became {
        /// The item.
        item: Item,
        /// The end of the edge, if the item is an edge.
        end: Option<String>,
        /// The flag.
        flag: Flag,
    },
    /// A flag of an item was cleared.
    Ceased {
        /// The item.
        item: Item,
        /// The end of the edge, if the item is an edge.
        end: Option<String>,
        /// The flag.
        flag: Flag,
    },
    /// A property of an item has another value.
    Changed {
        /// The item.
        item: Item,
        /// The end of the edge or the name in the event to which the change applies.
        end: Option<String>,
        /// The property.
        property: Property,
        /// The value before.
        was: String,
        /// The value after.
        now: String,
        /// Whether values that were written before the change can still be read.
        readable: bool,
    },
    /// The same items are in another order.
    Reordered {
        /// The item that contains them.
        item: Item,
        /// The kind of the reordered items.
        what: &'static str,
    },
    /// The same items refer to each other by other indexes.
    Renumbered,
}

/// Returns `` at `..` `` if the change applies to an end of an edge, or else an empty text.
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
            Self::Renamed { item, was } => write!(f, "{item} was named `{was}`"),
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
                write!(f, "the {what} of {item} are in another order")
            }
            Self::Renumbered => f.write_str("items of the schema refer to others by other numbers"),
        }
    }
}

impl Schema {
    /// Returns the changes from this schema to another one: renamed items first, and then, for each kind of item, the removed
    /// and changed ones before the added ones. The result is empty if and only if the two [are the same](Schema::is_same).
    ///
    /// Items are matched by their names, and edges by the name of their declaring end. An item with
    /// `#[renamed(from = "..")]` is matched by a former name if this schema does not have the new one.
    /// [`Schema::compatibility`] also says what each change means for a log.
    #[must_use]
    pub fn diff(&self, now: &Self) -> Vec<Change> {
        let differences = self.compatibility(now).differences;
        differences.into_iter().map(|d| d.change).collect()
    }
}
