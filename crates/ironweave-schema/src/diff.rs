//! What sets two schemas apart, as values and in words.
//!
//! A logged schema may be large and strange, so everything here is linear in the two.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;

use crate::unknown::UnknownItem;
use crate::{EdgeDef, EndDef, EntityDef, EntityIx, EventDef, InvariantDef, Schema};

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
        let mut diff = Diff {
            was: self,
            now,
            changes: Vec::new(),
        };
        diff.all();
        if diff.changes.is_empty() && !self.is_same(now) {
            diff.changes.push(Change::Renumbered);
        }
        diff.changes
    }
}

/// A comparison.
struct Diff<'s> {
    was: &'s Schema,
    now: &'s Schema,
    changes: Vec<Change>,
}

/// Pairs items of two lists by a key, and sorts out what only one has. The last says whether what both have stands in
/// another order.
struct Paired<'s, T> {
    both: Vec<(&'s T, &'s T)>,
    removed: Vec<&'s T>,
    added: Vec<&'s T>,
    reordered: bool,
}

fn paired<'s, T, K: Hash + Eq>(
    was: &'s [T],
    now: &'s [T],
    key_was: impl Fn(&'s T) -> K,
    key_now: impl Fn(&'s T) -> K,
) -> Paired<'s, T> {
    // In a schema that is not valid, several may have one key: the first is paired with the first.
    let mut places: HashMap<K, Vec<usize>> = HashMap::with_capacity(now.len());
    for (at, item) in now.iter().enumerate().rev() {
        places.entry(key_now(item)).or_default().push(at);
    }
    let mut taken = vec![false; now.len()];
    let mut paired = Paired {
        both: Vec::new(),
        removed: Vec::new(),
        added: Vec::new(),
        reordered: false,
    };
    let mut last = None;
    for item in was {
        match places.get_mut(&key_was(item)).and_then(Vec::pop) {
            Some(at) => {
                taken[at] = true;
                paired.both.push((item, &now[at]));
                paired.reordered |= last > Some(at);
                last = Some(at);
            }
            None => paired.removed.push(item),
        }
    }
    let left = now.iter().zip(&taken).filter(|(_, taken)| !**taken);
    paired.added = left.map(|(item, _)| item).collect();
    paired
}

impl<'s> Diff<'s> {
    fn all(&mut self) {
        let (was, now) = (self.was, self.now);
        let model = || Item::Model(now.name.clone());
        self.value(model, None, Property::Name, &was.name, &now.name);
        self.entities();
        self.columns();
        self.edges();
        self.events();
        self.invariants();
        let (known, here) = (was.unknown_items(), now.unknown_items());
        let only = |these: Vec<UnknownItem>, those: &[UnknownItem]| {
            let those: HashSet<String> = those.iter().map(ToString::to_string).collect();
            let new = these.into_iter();
            new.filter(move |item| !those.contains(&item.to_string()))
        };
        let gone =
            only(known.clone(), &here).map(|item| Change::Removed(Item::Unknown(Box::new(item))));
        self.changes.extend(gone);
        self.changes.extend(only(here, &known).map(Change::from));
    }

    /// Compares a value.
    fn value<T: PartialEq + ToString + ?Sized>(
        &mut self,
        item: impl FnOnce() -> Item,
        end: Option<&str>,
        property: Property,
        was: &T,
        now: &T,
    ) {
        if was != now {
            self.changes.push(Change::Changed {
                item: item(),
                end: end.map(str::to_owned),
                property,
                was: was.to_string(),
                now: now.to_string(),
                readable: true,
            });
        }
    }

    /// Compares a flag.
    fn flag(
        &mut self,
        item: impl FnOnce() -> Item,
        end: Option<&str>,
        flag: Flag,
        was: bool,
        now: bool,
    ) {
        let end = end.map(str::to_owned);
        match (was, now) {
            (false, true) => {
                let item = item();
                self.changes.push(Change::Became { item, end, flag });
            }
            (true, false) => {
                let item = item();
                self.changes.push(Change::Ceased { item, end, flag });
            }
            _ => {}
        }
    }

    fn encoding(
        &mut self,
        item: impl FnOnce() -> Item,
        was: Option<&crate::Encoding>,
        now: Option<&crate::Encoding>,
    ) {
        let (before, after) = (self.was, self.now);
        let (Some(was), Some(now)) = (was, now) else {
            return;
        };
        let (old, new) = (was.render(before), now.render(after));
        // Of what names an entity, the number may be another, which the numbers of the entities explain.
        if old == new {
            return;
        }
        let readable = now.reads(was) || was.entity().is_some() && now.entity().is_some();
        self.changes.push(Change::Changed {
            item: item(),
            end: None,
            property: Property::Encoding,
            was: old,
            now: new,
            readable,
        });
    }

    fn reordered(&mut self, is: bool, item: impl FnOnce() -> Item, what: &'static str) {
        if is {
            let item = item();
            self.changes.push(Change::Reordered { item, what });
        }
    }

    fn entities(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |entity: &'s EntityDef| entity.name.as_str();
        let pairs = paired(&was.entities, &now.entities, name, name);
        let item = |entity: &EntityDef| Item::Entity(entity.name.clone());
        self.changes
            .extend(pairs.removed.iter().map(|e| Change::Removed(item(e))));
        for (a, b) in pairs.both {
            self.entity(a, b);
        }
        self.changes
            .extend(pairs.added.iter().map(|e| Change::Added(item(e))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "entities");
    }

    fn entity(&mut self, was: &'s EntityDef, now: &'s EntityDef) {
        let initial = |def: &'s EntityDef| {
            let state = def.states.get(def.initial.index());
            state.map_or("?", |state| state.name.as_str())
        };
        let entity = || Item::Entity(now.name.clone());
        self.value(entity, None, Property::Initial, initial(was), initial(now));
        let state = |name: &str| Item::State {
            entity: now.name.clone(),
            name: name.to_owned(),
        };
        let pairs = paired(&was.states, &now.states, |s| &s.name, |s| &s.name);
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|s| Change::Removed(state(&s.name))));
        for (a, b) in pairs.both {
            let item = || state(&b.name);
            self.flag(item, None, Flag::Terminal, a.terminal, b.terminal);
            let name = |def: &'s EntityDef, to: &'s crate::TransitionDef| {
                let state = def.states.get(to.to.index());
                state.map_or("?", |state| state.name.as_str())
            };
            let moves = paired(&a.to, &b.to, |to| name(was, to), |to| name(now, to));
            let transition = |def: &'s EntityDef, to: &'s crate::TransitionDef| Item::Transition {
                entity: now.name.clone(),
                from: b.name.clone(),
                to: name(def, to).to_owned(),
                verb: to.verb.clone(),
            };
            for to in moves.removed {
                self.changes.push(Change::Removed(transition(was, to)));
            }
            for (before, after) in moves.both {
                let item = || transition(now, after);
                self.value(item, None, Property::Verb, &before.verb, &after.verb);
            }
            for to in moves.added {
                self.changes.push(Change::Added(transition(now, to)));
            }
            self.reordered(moves.reordered, item, "moves");
        }
        let added = pairs.added.iter();
        self.changes
            .extend(added.map(|s| Change::Added(state(&s.name))));
        self.reordered(pairs.reordered, entity, "states");
    }

    fn columns(&mut self) {
        let (was, now) = (self.was, self.now);
        let path = |schema: &'s Schema, def: &'s crate::ColumnDef| schema.column_path(def);
        let pairs = paired(
            &was.columns,
            &now.columns,
            |c| path(was, c),
            |c| path(now, c),
        );
        for column in pairs.removed {
            self.changes.push(Change::Removed(was.column_item(column)));
        }
        for (a, b) in pairs.both {
            let item = || now.column_item(b);
            self.value(item, None, Property::Type, &a.ty, &b.ty);
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            self.flag(item, None, Flag::Key, a.key, b.key);
            let index = |def: &crate::ColumnDef| match def.index {
                None => "none",
                Some(crate::IndexKind::Equal) => "equal",
                Some(crate::IndexKind::Ordered) => "ordered",
            };
            self.value(item, None, Property::Index, index(a), index(b));
            let default = |def: &'s crate::ColumnDef| def.default.as_deref().unwrap_or("none");
            self.value(item, None, Property::Default, default(a), default(b));
        }
        for column in pairs.added {
            self.changes.push(Change::Added(now.column_item(column)));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "columns");
    }

    fn edges(&mut self) {
        let (was, now) = (self.was, self.now);
        let path = |schema: &'s Schema, def: &'s EdgeDef| schema.end_path(&def.from);
        let pairs = paired(&was.edges, &now.edges, |e| path(was, e), |e| path(now, e));
        for edge in pairs.removed {
            self.changes.push(Change::Removed(was.edge_item(edge)));
        }
        for (a, b) in pairs.both {
            let item = || now.edge_item(b);
            let (old, new) = (was.end_path(&a.to), now.end_path(&b.to));
            self.value(item, None, Property::Inverse, &old, &new);
            let data = |def: &'s EdgeDef| def.data.as_deref().unwrap_or("none");
            self.value(item, None, Property::Data, data(a), data(b));
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            self.flag(item, None, Flag::Acyclic, a.acyclic, b.acyclic);
            self.end(b, &a.from, &b.from);
            self.end(b, &a.to, &b.to);
        }
        for edge in pairs.added {
            self.changes.push(Change::Added(now.edge_item(edge)));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "edges");
    }

    fn end(&mut self, edge: &EdgeDef, was: &EndDef, now: &EndDef) {
        let schema = self.now;
        let item = || schema.edge_item(edge);
        let path = schema.end_path(now);
        let end = Some(path.as_str());
        let text = |end: &EndDef| format!("{:?}", end.cardinality);
        self.value(item, end, Property::Cardinality, &text(was), &text(now));
        self.value(item, end, Property::Min, &was.min, &now.min);
        let max = |end: &EndDef| end.max.map_or("none".to_owned(), |max| max.to_string());
        self.value(item, end, Property::Max, &max(was), &max(now));
        let policy = |end: &EndDef| format!("{:?}", end.on_delete).to_lowercase();
        self.value(item, end, Property::OnDelete, &policy(was), &policy(now));
        self.flag(item, end, Flag::Counted, was.counted, now.counted);
    }

    fn events(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |event: &'s EventDef| event.name.as_str();
        let pairs = paired(&was.events, &now.events, name, name);
        let item = |event: &EventDef| Item::Event(event.name.clone());
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|e| Change::Removed(item(e))));
        for (a, b) in pairs.both {
            self.event(a, b);
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|e| Change::Added(item(e))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "events");
    }

    fn event(&mut self, a: &'s EventDef, b: &'s EventDef) {
        let (was, now) = (self.was, self.now);
        let item = || Item::Event(b.name.clone());
        self.flag(item, None, Flag::Immediate, a.immediate, b.immediate);
        let field = |def: &crate::EventFieldDef| Item::EventField {
            event: b.name.clone(),
            name: def.name.clone(),
            ty: def.ty.clone(),
        };
        let pairs = paired(&a.fields, &b.fields, |f| &f.name, |f| &f.name);
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|f| Change::Removed(field(f))));
        for (before, after) in pairs.both {
            let item = || field(after);
            self.value(item, None, Property::Type, &before.ty, &after.ty);
            self.encoding(item, before.encoding.as_ref(), after.encoding.as_ref());
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|f| Change::Added(field(f))));
        self.reordered(pairs.reordered, item, "fields");
        // Names come from fields and from arcs, which were compared: what is left is what they stand for.
        let names = paired(&a.names, &b.names, |n| &n.name, |n| &n.name);
        for (before, after) in names.both {
            let (old, new) = (was.binding_text(before), now.binding_text(after));
            self.value(item, Some(&after.name), Property::Binding, &old, &new);
        }
        let of = || b.name.clone();
        let arcs = |schema: &Schema, def: &EventDef| -> Vec<String> {
            let arcs = def.arcs.iter();
            arcs.filter(|arc| !matches!(arc, crate::Arc::Unknown(_)))
                .map(|arc| schema.arc_text(def, arc))
                .collect()
        };
        let arc = |arc: String| Item::Arc { event: of(), arc };
        self.texts(item(), "arcs", [arcs(was, a), arcs(now, b)], arc);
        let mays = |schema: &Schema, def: &EventDef| -> Vec<String> {
            let mays = def.mays.iter();
            mays.filter(|may| !matches!(may, crate::May::Unknown(_)))
                .map(|may| schema.may_text(may))
                .collect()
        };
        let may = |may: String| Item::May { event: of(), may };
        self.texts(item(), "permissions", [mays(was, a), mays(now, b)], may);
        let guard = |guard: String| Item::Guard { event: of(), guard };
        let guards = [a.guards.clone(), b.guards.clone()];
        self.texts(item(), "guards", guards, guard);
    }

    /// Compares two lists of texts.
    fn texts(
        &mut self,
        of: Item,
        what: &'static str,
        [was, now]: [Vec<String>; 2],
        item: impl Fn(String) -> Item,
    ) {
        let pairs = paired(&was, &now, |text| text, |text| text);
        let (removed, added) = (pairs.removed.into_iter(), pairs.added.into_iter());
        self.changes
            .extend(removed.map(|text| Change::Removed(item(text.clone()))));
        self.changes
            .extend(added.map(|text| Change::Added(item(text.clone()))));
        self.reordered(pairs.reordered, || of, what);
    }

    fn invariants(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |invariant: &'s InvariantDef| invariant.name.as_str();
        let pairs = paired(&was.invariants, &now.invariants, name, name);
        let item = |invariant: &InvariantDef| Item::Invariant(invariant.name.clone());
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|i| Change::Removed(item(i))));
        for (a, b) in pairs.both {
            let of = |schema: &'s Schema, entity: EntityIx| schema.entity_name(entity);
            let (old, new) = (of(was, a.entity), of(now, b.entity));
            self.value(|| item(b), None, Property::Of, old, new);
            let (old, new) = (was.hops_text(&a.via), now.hops_text(&b.via));
            self.value(|| item(b), None, Property::Via, &old, &new);
            self.value(|| item(b), None, Property::Check, &a.check, &b.check);
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|i| Change::Added(item(i))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "invariants");
    }
}
