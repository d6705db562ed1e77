//! Two schemas compared: whether a log of one can be read as the other, and how the numbers in its frames are to be
//! read then.
//!
//! A logged schema may be large and strange, so everything here is linear in the two.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::Arc;

use crate::graph::fact::Fact;
use crate::schema::{Cardinality, ColumnDef, EdgeDef, EndDef, EventDef, NameDef, Schema};

/// For each index of a logged schema, the index in this program's.
pub(crate) struct Tags {
    entities: Vec<u16>,
    states: Vec<Vec<u8>>,
    columns: Vec<u16>,
    edges: Vec<u16>,
    pub(super) events: Vec<EventTags>,
}

/// One event of a logged schema.
pub(super) struct EventTags {
    /// Its index in this program's schema.
    pub event: u16,
    pub immediate: bool,
    /// For each of its fields the index in this program's schema.
    pub fields: Arc<[u16]>,
    /// How many entities each of its names stands for.
    pub names: Vec<Cardinality>,
    /// For each name that the event has in this program's schema, the one that it had then; none where it had none, or
    /// one of something else.
    pub named: Vec<Option<usize>>,
}

/// What sets two schemas apart in what they store; `None` where a log of one can be read as the other. Both are
/// [valid](Schema::validate).
pub(crate) fn shape_difference(logged: &Schema, ours: &Schema) -> Option<String> {
    fn named(
        what: &str,
        of: impl Fn(&Schema) -> Vec<String>,
        pair: [&Schema; 2],
    ) -> Option<String> {
        let [logged, ours] = pair.map(of);
        let missing = |these: &[String], those: &[String]| {
            let those: HashSet<&String> = those.iter().collect();
            these.iter().find(|x| !those.contains(x)).cloned()
        };
        if let Some(gone) = missing(&logged, &ours) {
            return Some(format!("the store has {what} {gone}, the program does not"));
        }
        let new = missing(&ours, &logged)?;
        Some(format!("the program has {what} {new}, the store does not"))
    }
    let entities = |s: &Schema| s.entities.iter().map(|e| format!("`{}`", e.name)).collect();
    let states = |s: &Schema| {
        let entities = s.entities.iter();
        let of = |e: &crate::schema::EntityDef| -> Vec<String> {
            let states = e.states.iter();
            states
                .map(|state| format!("`{}` of `{}`", state.name, e.name))
                .collect()
        };
        entities.flat_map(of).collect()
    };
    let columns = |s: &Schema| s.columns.iter().map(|c| column_text(s, c)).collect();
    let edges = |s: &Schema| s.edges.iter().map(|e| edge_text(s, e)).collect();
    let events = |s: &Schema| s.events.iter().map(event_text).collect();
    let pair = [logged, ours];
    named("the entity", entities, pair)
        .or_else(|| named("the state", states, pair))
        .or_else(|| named("the field", columns, pair))
        .or_else(|| named("the edge", edges, pair))
        .or_else(|| named("the event", events, pair))
}

fn column_text(schema: &Schema, c: &ColumnDef) -> String {
    let entity = &schema.entities[usize::from(c.entity)];
    let state = c.state.map_or_else(String::new, |state| {
        format!("{}.", entity.states[usize::from(state)].name)
    });
    let key = if c.key { " (the key)" } else { "" };
    format!("`{}.{state}{}: {}`{key}", entity.name, c.name, c.ty)
}

fn edge_text(schema: &Schema, e: &EdgeDef) -> String {
    let end = |e: &EndDef| {
        let entity = &schema.entities[usize::from(e.entity)].name;
        format!("{entity}.{} ({:?})", e.name, e.cardinality)
    };
    let data = (e.data.as_ref()).map_or_else(String::new, |ty| format!(" with `{ty}`"));
    format!("`{} <-> {}`{data}", end(&e.from), end(&e.to))
}

fn event_text(e: &EventDef) -> String {
    let mut text = format!(
        "`{}{} {{ ",
        if e.immediate { "immediate " } else { "" },
        e.name
    );
    for (i, field) in e.fields.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        // Into a text nothing can fail.
        let _ = write!(text, "{comma}{}: {}", field.name, field.ty);
    }
    text + " }`"
}

/// For each of the logged things the index of ours that has the same key.
fn matched<K: Hash + Eq>(
    logged: impl Iterator<Item = Option<K>>,
    ours: impl Iterator<Item = K>,
) -> Option<Vec<u16>> {
    let ours: HashMap<K, u16> = ours.zip(0..=u16::MAX).collect();
    logged.map(|key| ours.get(&key?).copied()).collect()
}

impl Tags {
    /// The mapping between two schemas of the same shape, which are [valid](Schema::validate).
    pub(crate) fn new(logged: &Schema, ours: &Schema) -> Option<Self> {
        let entities = matched(
            logged.entities.iter().map(|e| Some(&e.name)),
            ours.entities.iter().map(|e| &e.name),
        )?;
        let states = (logged.entities.iter().zip(&entities)).map(|(l, ix)| {
            let tags = matched(
                l.states.iter().map(|s| Some(&s.name)),
                ours.entities[usize::from(*ix)]
                    .states
                    .iter()
                    .map(|s| &s.name),
            )?;
            Some(tags.into_iter().map(|t| t as u8).collect())
        });
        let states: Vec<Vec<u8>> = states.collect::<Option<_>>()?;
        let entity = |e: u16| entities.get(usize::from(e)).copied();
        let state = |e: u16, s: u8| states.get(usize::from(e))?.get(usize::from(s)).copied();
        let columns = matched(
            logged.columns.iter().map(|c| {
                let state = match c.state {
                    None => None,
                    Some(s) => Some(state(c.entity, s)?),
                };
                Some((entity(c.entity)?, state, &c.name))
            }),
            ours.columns.iter().map(|c| (c.entity, c.state, &c.name)),
        )?;
        let edges = matched(
            logged
                .edges
                .iter()
                .map(|e| Some((entity(e.from.entity)?, &e.from.name))),
            ours.edges.iter().map(|e| (e.from.entity, &e.from.name)),
        )?;
        let events = matched(
            logged.events.iter().map(|e| Some(&e.name)),
            ours.events.iter().map(|e| &e.name),
        )?;
        let events = (logged.events.iter().zip(events)).map(|(l, event)| {
            let fields = matched(
                l.fields.iter().map(|f| Some(&f.name)),
                ours.events[usize::from(event)]
                    .fields
                    .iter()
                    .map(|f| &f.name),
            )?;
            let known: HashMap<&str, usize> = l.names.iter().map(|n| &*n.name).zip(0..).collect();
            let named = ours.events[usize::from(event)].names.iter().map(|now| {
                let then = *known.get(&*now.name)?;
                let NameDef {
                    entity: of, count, ..
                } = l.names[then];
                ((entity(of), count) == (Some(now.entity), now.count)).then_some(then)
            });
            Some(EventTags {
                named: named.collect(),
                event,
                immediate: l.immediate,
                fields: fields.into(),
                names: l.names.iter().map(|n| n.count).collect(),
            })
        });
        let events = events.collect::<Option<_>>()?;
        Some(Self {
            entities,
            states,
            columns,
            edges,
            events,
        })
    }

    /// The index in the logged schema of a type of this program.
    pub(crate) fn logged_entity(&self, entity: usize) -> Option<usize> {
        self.entities.iter().position(|e| usize::from(*e) == entity)
    }

    pub(super) fn fact(&self, fact: Fact) -> Option<Fact> {
        let state = |entity: u16, state: u8| {
            self.states
                .get(usize::from(entity))?
                .get(usize::from(state))
                .copied()
        };
        Some(match fact {
            Fact::Create {
                entity,
                state: s,
                slot,
                generation,
            } => Fact::Create {
                entity: *self.entities.get(usize::from(entity))?,
                state: state(entity, s)?,
                slot,
                generation,
            },
            Fact::Delete {
                entity,
                state: s,
                slot,
                generation,
            } => Fact::Delete {
                entity: *self.entities.get(usize::from(entity))?,
                state: state(entity, s)?,
                slot,
                generation,
            },
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => Fact::Move {
                entity: *self.entities.get(usize::from(entity))?,
                slot,
                from: state(entity, from)?,
                to: state(entity, to)?,
            },
            Fact::Set {
                column,
                slot,
                at,
                len,
            } => Fact::Set {
                column: *self.columns.get(usize::from(column))?,
                slot,
                at,
                len,
            },
            Fact::Link { edge, from, to } => Fact::Link {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
            },
            Fact::Unlink { edge, from, to } => Fact::Unlink {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
            },
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            } => Fact::SetLink {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
                at,
                len,
            },
        })
    }
}
