//! How the numbers in the frames of a log are to be read, where its schema has the shape of this program's.
//!
//! A logged schema may be large and strange, so everything here is linear in the two.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::graph::fact::Fact;
use crate::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, EventIx, NameDef, Schema, StateIx};

/// For each index of a logged schema, the index in this program's.
pub(crate) struct Tags {
    entities: Vec<EntityIx>,
    states: Vec<Vec<StateIx>>,
    columns: Vec<ColumnIx>,
    edges: Vec<EdgeIx>,
    pub(super) events: Vec<EventTags>,
}

/// One event of a logged schema.
pub(super) struct EventTags {
    /// Its index in this program's schema.
    pub event: EventIx,
    pub immediate: bool,
    /// For each of its fields the index in this program's schema.
    pub fields: Arc<[u16]>,
    /// How many entities each of its names stands for.
    pub names: Vec<Cardinality>,
    /// For each name that the event has in this program's schema, the one that it had then; none where it had none, or
    /// one of something else.
    pub named: Vec<Option<usize>>,
}

/// For each of the logged things the index of ours that has the same key.
fn matched<K: Hash + Eq, Ix: Copy + TryFrom<usize>>(
    logged: impl Iterator<Item = Option<K>>,
    ours: impl Iterator<Item = K>,
) -> Option<Vec<Ix>> {
    let ours: HashMap<K, usize> = ours.zip(0..).collect();
    logged
        .map(|key| Ix::try_from(*ours.get(&key?)?).ok())
        .collect()
}

impl Tags {
    /// The mapping between two schemas of the same shape, which are [valid](Schema::validate).
    pub(crate) fn new(logged: &Schema, ours: &Schema) -> Option<Self> {
        let entities: Vec<EntityIx> = matched(
            logged.entities.iter().map(|e| Some(&e.name)),
            ours.entities.iter().map(|e| &e.name),
        )?;
        let states = (logged.entities.iter().zip(&entities)).map(|(l, ix)| {
            matched(
                l.states.iter().map(|s| Some(&s.name)),
                ours[*ix].states.iter().map(|s| &s.name),
            )
        });
        let states: Vec<Vec<StateIx>> = states.collect::<Option<_>>()?;
        let entity = |e: EntityIx| entities.get(usize::from(e)).copied();
        let state =
            |e: EntityIx, s: StateIx| states.get(usize::from(e))?.get(usize::from(s)).copied();
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
        let events: Vec<EventIx> = matched(
            logged.events.iter().map(|e| Some(&e.name)),
            ours.events.iter().map(|e| &e.name),
        )?;
        let events = (logged.events.iter().zip(events)).map(|(l, event)| {
            let fields: Vec<u16> = matched(
                l.fields.iter().map(|f| Some(&f.name)),
                ours[event].fields.iter().map(|f| &f.name),
            )?;
            let known: HashMap<&str, usize> = l.names.iter().map(|n| &*n.name).zip(0..).collect();
            let named = ours[event].names.iter().map(|now| {
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
        let state = |entity: EntityIx, state: StateIx| {
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
