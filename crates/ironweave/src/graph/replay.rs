//! Replay: facts from a log are applied to the graph.
//!
//! `docs/log-format.md`, *What is refused*, has the rules. Each fact is checked when it is applied, in O(1). What must be
//! true at the end of a transaction is checked then, only of what its facts name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::StepError;
use crate::base::id::{FREE, Id};
use crate::graph::fact::{Fact, Facts};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, Hop, StateIx};

/// The number of facts after a creation that are searched for the values of the new entity, beside two for each field.
const FACTS_NEAR: usize = 16;

/// For each value that a transaction sets, its last fact that does so. Computed when it is first needed, so that the time of
/// a transaction is linear in its facts whatever their order.
#[derive(Default)]
struct LastSets(Option<HashMap<(ColumnIx, u32), usize>>);

impl LastSets {
    fn of(&mut self, facts: &[Fact], column: ColumnIx, slot: u32) -> Option<usize> {
        let sets = facts
            .iter()
            .enumerate()
            .filter_map(|(i, fact)| match *fact {
                Fact::Set { column, slot, .. } => Some(((column, slot), i)),
                _ => None,
            });
        let last = self.0.get_or_insert_with(|| sets.collect());
        last.get(&(column, slot)).copied()
    }
}

impl<S: Storage> Graph<S> {
    /// Applies one fact, with indexes of this graph's schema; an error says why it does not fit.
    pub(crate) fn apply(
        &mut self,
        journal: &mut Journal,
        fact: Fact,
        facts: &Facts,
    ) -> Result<(), String> {
        match fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => {
                let next = self.next_id(entity);
                if next != (Id { slot, generation }) {
                    return Err(format!("the next id is {next}"));
                }
                self.create(journal, entity, state)
                    .map_err(|e| e.to_string())?;
            }
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } => {
                self.must_exist(entity, slot)?;
                let id = Id { slot, generation };
                if self.state(entity, id) != Some(state) {
                    return Err(format!(
                        "{} is in another state",
                        self.entity_ref(entity, slot)
                    ));
                }
                let layout = Arc::clone(&self.layout);
                let mut ends = layout.entities[usize::from(entity)].ends.iter();
                if ends.any(|hop| !self.links(*hop, slot).is_empty()) {
                    return Err(format!("{} is linked", self.entity_ref(entity, slot)));
                }
                self.end(journal, entity, slot);
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                self.must_exist(entity, slot)?;
                if self.state_of(entity, slot) != from {
                    return Err(format!(
                        "{} is in another state",
                        self.entity_ref(entity, slot)
                    ));
                }
                self.move_to(journal, entity, slot, to);
            }
            Fact::Set {
                column,
                slot,
                at,
                len,
            } => {
                self.may_be_set(column, slot)?;
                self.set_encoded(journal, column, slot, facts.value(at, len))
                    .map_err(|e| self.unread(self.layout.schema[column].entity, slot, e))?;
            }
            Fact::Link { edge, from, to } => {
                self.ends_must_exist(edge, from, to)?;
                self.link(journal, edge, from, to)
                    .map_err(|e| e.to_string())?;
            }
            Fact::Unlink { edge, from, to } => {
                self.ends_must_exist(edge, from, to)?;
                self.unlink(journal, edge, from, to)
                    .map_err(|e| e.to_string())?;
            }
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            } => {
                self.ends_must_exist(edge, from, to)?;
                self.set_link_encoded(journal, edge, (from, to), facts.value(at, len))
                    .map_err(|e| self.unread(self.layout.schema[edge].from.entity, from, e))?;
            }
        }
        Ok(())
    }

    /// The error of a value of an entity that a column refused.
    #[cold]
    fn unread(&self, entity: EntityIx, slot: u32, e: StepError) -> String {
        match e {
            StepError::Unwritable { what, reason, .. } => {
                format!(
                    "{what} of {} cannot be read: {reason}",
                    self.named(entity, slot)
                )
            }
            e => e.to_string(),
        }
    }

    /// As [`Graph::apply`], for a fact of a migration, which may change keys.
    pub(crate) fn apply_migrated(
        &mut self,
        journal: &mut Journal,
        fact: Fact,
        facts: &Facts,
    ) -> Result<(), String> {
        let Fact::Set {
            column,
            slot,
            at,
            len,
        } = fact
        else {
            return self.apply(journal, fact, facts);
        };
        let def = &self.layout.schema[column];
        if !def.key {
            return self.apply(journal, fact, facts);
        }
        self.must_exist(def.entity, slot)?;
        self.change_key_encoded(journal, column, slot, facts.value(at, len))
            .map_err(|e| e.to_string())
    }

    /// An error if a fact of a list with generations names an entity that is not at its slot. It does not say whether a
    /// slot is free.
    #[inline]
    pub(crate) fn check_generations(&self, facts: &Facts, i: usize) -> Result<(), String> {
        let (Some(fact), Some(generations)) = (facts.list.get(i), facts.generations.get(i)) else {
            return Ok(());
        };
        // The replay of a creation compares its id with that of the next entity.
        if matches!(fact, Fact::Create { .. }) {
            return Ok(());
        }
        let touched = fact.touches(&self.layout).into_iter().flatten();
        for ((entity, slot), generation) in touched.zip(*generations) {
            if slot < self.slots(entity) && self.id(entity, slot).generation != generation {
                return Err(self.other_generation(entity, Id { slot, generation }));
            }
        }
        Ok(())
    }

    #[cold]
    fn other_generation(&self, entity: EntityIx, named: Id) -> String {
        let found = self.entity_ref(entity, named.slot);
        format!("it names {named}, and the slot has {found}")
    }

    /// An error if a field may not be set: a key that is set already, or data of a state in another state.
    fn may_be_set(&self, column: ColumnIx, slot: u32) -> Result<(), String> {
        let def = &self.layout.schema[column];
        self.must_exist(def.entity, slot)?;
        if def.key && self.column(column).has(slot) {
            return Err(format!(
                "{} has that part of its key already, and only a migration changes a key",
                self.entity_ref(def.entity, slot)
            ));
        }
        if def
            .state
            .is_some_and(|state| state != self.state_of(def.entity, slot))
        {
            return Err(format!(
                "{} is in another state, which has no such data",
                self.entity_ref(def.entity, slot)
            ));
        }
        Ok(())
    }

    /// An error if something is missing at the end of a transaction of these facts: a field, state data or a link at an end
    /// that holds exactly one, of an entity that was created; state data of an entity that was moved; the data of a new
    /// link.
    pub(crate) fn must_be_complete(&self, facts: &Facts) -> Result<(), String> {
        let mut last_sets = LastSets::default();
        for (i, fact) in facts.list.iter().enumerate() {
            match *fact {
                Fact::Create {
                    entity,
                    slot,
                    generation,
                    ..
                } => {
                    // It may have been deleted since.
                    if let Some(state) = self.state(entity, Id { slot, generation }) {
                        self.must_have_fields(entity, slot, None)?;
                        self.must_be_set(entity, slot, &facts.list, i, &mut last_sets)?;
                        self.must_have_fields(entity, slot, Some(state))?;
                        for hop in &self.layout.entities[usize::from(entity)].ends {
                            self.must_be_linked_once(*hop, slot)?;
                        }
                    }
                }
                Fact::Move { entity, slot, .. } => {
                    let state = self.state_of(entity, slot);
                    if state.get() != FREE {
                        self.must_have_fields(entity, slot, Some(state))?;
                    }
                }
                Fact::Unlink { edge, from, to } => {
                    for (forward, slot) in [(true, from), (false, to)] {
                        let hop = Hop { edge, forward };
                        let near = self.layout.edges[usize::from(edge)].near(forward).entity;
                        if self.is_alive(near, slot) {
                            self.must_be_linked_once(hop, slot)?;
                        }
                    }
                }
                Fact::Link { edge, from, to } => self.must_have_data(edge, from, to)?,
                Fact::Delete { .. } | Fact::Set { .. } | Fact::SetLink { .. } => {}
            }
        }
        Ok(())
    }

    /// An error if an entity has not all fields, or not the data of its state.
    fn must_have_fields(
        &self,
        entity: EntityIx,
        slot: u32,
        state: Option<StateIx>,
    ) -> Result<(), String> {
        let layout = &self.layout.entities[usize::from(entity)];
        let columns = match state {
            None => &layout.fields,
            Some(state) => &layout.states[usize::from(state)].data,
        };
        match columns
            .iter()
            .find(|column| !self.column(**column).has(slot))
        {
            None => Ok(()),
            Some(column) => Err(self.has_no(entity, slot, *column)),
        }
    }

    /// An error if no fact after `created` sets a field of the entity created there that has a value before it is set. The
    /// facts right after it are searched, where ironweave writes the values of a new entity, and then `last_sets`.
    fn must_be_set(
        &self,
        entity: EntityIx,
        slot: u32,
        facts: &[Fact],
        created: usize,
        last_sets: &mut LastSets,
    ) -> Result<(), String> {
        let fields = &self.layout.entities[usize::from(entity)].fields;
        let after = &facts[created..];
        let near = &after[..after.len().min(FACTS_NEAR + 2 * fields.len())];
        let mut is_unset = |column: &ColumnIx| {
            let sets = |fact: &Fact| matches!(fact, Fact::Set { column: set, slot: at, .. } if (set, at) == (column, &slot));
            self.column(*column).is_mandatory()
                && !near.iter().any(sets)
                && last_sets.of(facts, *column, slot) < Some(created)
        };
        match fields.iter().find(|column| is_unset(column)) {
            None => Ok(()),
            Some(column) => Err(self.has_no(entity, slot, *column)),
        }
    }

    /// The error for an entity without a value.
    fn has_no(&self, entity: EntityIx, slot: u32, column: ColumnIx) -> String {
        let path = &self.layout.columns[usize::from(column)].path;
        format!("{} has no {path}", self.entity_ref(entity, slot))
    }

    /// An error if an entity is not linked at an end that holds exactly one.
    fn must_be_linked_once(&self, hop: Hop, slot: u32) -> Result<(), String> {
        let near = self.layout.edges[usize::from(hop.edge)].near(hop.forward);
        if near.cardinality != Cardinality::One || self.degree(hop, slot) == 1 {
            return Ok(());
        }
        Err(format!(
            "{} is not linked at {}, which holds exactly one",
            self.entity_ref(near.entity, slot),
            near.path
        ))
    }

    /// An error if a link has no data although its edge has.
    fn must_have_data(&self, edge: EdgeIx, from: u32, to: u32) -> Result<(), String> {
        match self.link_row(edge, from, to) {
            Some((data, row)) if !data.has(row) => Err(format!(
                "the link of {from} and {to} at {} has no data",
                self.layout.edges[usize::from(edge)].from.path
            )),
            _ => Ok(()),
        }
    }

    fn must_exist(&self, entity: EntityIx, slot: u32) -> Result<(), String> {
        if slot < self.slots(entity) && self.is_alive(entity, slot) {
            return Ok(());
        }
        Err(format!(
            "there is no {}/{slot}",
            self.layout.entities[usize::from(entity)].name
        ))
    }

    fn ends_must_exist(&self, edge: EdgeIx, from: u32, to: u32) -> Result<(), String> {
        let (a, b) = {
            let edge = &self.layout.edges[usize::from(edge)];
            (edge.from.entity, edge.to.entity)
        };
        self.must_exist(a, from)?;
        self.must_exist(b, to)
    }
}
