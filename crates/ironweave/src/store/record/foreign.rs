//! Transactions of earlier epochs as the model of the program sees them.
//!
//! A transaction of an epoch with another schema is decoded with the indexes of that schema, and its facts and events are shown
//! by the names of then. What a program asks by its types is answered from the facts with the indexes of the program's model.

use std::ops::Range;
use std::sync::Arc;

use crate::graph::carry::CarryMap;
use crate::graph::fact::{Fact, Facts};
use crate::graph::layout::Layout;
use crate::schema::{EntityIx, EventIx, NameDef, Schema, StateIx};
use crate::step::plan::Plan;

/// A state that no entity type has, in place of one that the program does not have.
const UNKNOWN: StateIx = StateIx::new(254);

/// For each item of a logged schema, the item of the program's model that has its name.
pub(crate) struct ToProgram {
    map: CarryMap,
    /// For each event, that of the program, and the names of the logged one.
    events: Vec<(Option<EventIx>, Vec<NameDef>)>,
    plan: Arc<Plan>,
}

/// Facts with the indexes of the program's model, without those about items that it does not have.
pub(super) struct Translated {
    pub facts: Facts,
    /// The indexes that they had.
    from: Vec<usize>,
}

impl Translated {
    /// Returns the facts of a range of the facts that were translated.
    pub(super) fn range(&self, of: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.from.partition_point(|from| *from < index);
        at(of.start)..at(of.end)
    }
}

impl ToProgram {
    /// `renamed` is a schema of the log, with the names that its items have in the program.
    pub(in crate::store) fn new(renamed: &Schema, plan: &Arc<Plan>) -> Self {
        let ours = &plan.layout.schema;
        let known = EventIx::all(ours.events.len()).zip(&ours.events);
        let known: std::collections::HashMap<&str, EventIx> =
            known.map(|(ix, def)| (def.name.as_str(), ix)).collect();
        Self {
            map: CarryMap::by_name(renamed, ours),
            events: (renamed.events.iter())
                .map(|def| (known.get(def.name.as_str()).copied(), def.names.clone()))
                .collect(),
            plan: Arc::clone(plan),
        }
    }

    /// The layout of the program's model.
    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.plan.layout
    }

    pub(crate) fn entity(&self, was: EntityIx) -> Option<EntityIx> {
        self.map.entity(was)
    }

    pub(crate) fn event(&self, was: EventIx) -> Option<EventIx> {
        self.events.get(usize::from(was))?.0
    }

    /// Returns, for each name of an event of the program, the index of the name that the logged event has, or `None` if it has none
    /// for entities of the same type and number.
    pub(in crate::store) fn names(&self, was: EventIx, now: EventIx) -> Vec<Option<usize>> {
        let ours = &self.plan.layout.schema[now];
        let logged = self.events.get(usize::from(was));
        let logged = logged.map_or(&[][..], |(_, names)| names);
        let name = |name: &NameDef| {
            let is_same = |was: &NameDef| {
                let entity = self.entity(was.entity);
                was.name == name.name && was.count == name.count && entity == Some(name.entity)
            };
            logged.iter().position(is_same)
        };
        ours.names.iter().map(name).collect()
    }

    /// Translates facts. Entities in states that the program does not have are in an unknown state, or in the initial one.
    pub(super) fn facts(&self, facts: &Facts, unknown_is_initial: bool) -> Translated {
        let mut to = Translated {
            facts: Facts {
                bytes: facts.bytes.clone(),
                ..Facts::default()
            },
            from: Vec::new(),
        };
        for (i, fact) in facts.list.iter().enumerate() {
            if let Some(fact) = self.fact(*fact, unknown_is_initial) {
                to.from.push(i);
                to.facts.list.push(fact);
                to.facts.generations.extend(facts.generations.get(i));
            }
        }
        to
    }

    /// Translates facts for what does not render them.
    pub(crate) fn unrendered(&self, facts: &Facts) -> Facts {
        self.facts(facts, false).facts
    }

    fn fact(&self, mut fact: Fact, unknown_is_initial: bool) -> Option<Fact> {
        let map = &self.map;
        let state_of = |was: EntityIx, state: StateIx, now: EntityIx| {
            map.state(was, state).unwrap_or(match unknown_is_initial {
                true => self.plan.layout.schema[now].initial,
                false => UNKNOWN,
            })
        };
        match &mut fact {
            Fact::Create { entity, state, .. } | Fact::Delete { entity, state, .. } => {
                let now = map.entity(*entity)?;
                *state = state_of(*entity, *state, now);
                *entity = now;
            }
            Fact::Move {
                entity, from, to, ..
            } => {
                let now = map.entity(*entity)?;
                (*from, *to) = (state_of(*entity, *from, now), state_of(*entity, *to, now));
                *entity = now;
                if from == to {
                    return None;
                }
            }
            Fact::Set { column, .. } => *column = map.column(*column)?,
            Fact::Link { edge, .. } | Fact::Unlink { edge, .. } => *edge = map.edge(*edge)?,
            Fact::SetLink { edge, .. } => {
                let now = map.edge(*edge)?;
                map.has_data(now).then_some(())?;
                *edge = now;
            }
        }
        Some(fact)
    }
}
