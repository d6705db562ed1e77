//! The sampled check of symmetry: the steps of a state are fired again after a random renaming of its entities.

use std::collections::BTreeSet;

use crate::base::image::ImageError;
use crate::check::bindings::{Candidate, Enumeration};
use crate::check::explore::Exploration;
use crate::check::live::{Live, Tried};
use crate::check::rust_test::Shown;
use crate::check::structure::key_of;
use crate::check::symmetry::{KeyFields, draw, random_of, renamed_event};
use crate::graph::Graph;
use crate::graph::coloured::Renamed;
use crate::graph::renamed::Renaming;
use crate::graph::storage::Flat;
use crate::schema::{EntityIx, EventIx, Schema};
use crate::step::model::Model;

/// What an event did that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Rejected,
    Cut,
    Panicked,
    /// The fingerprints of the state after it, with and without the order of links.
    Fired {
        exact: u128,
        unordered: u128,
    },
}

impl Outcome {
    fn render(self) -> &'static str {
        match self {
            Self::Rejected => "is rejected",
            Self::Cut => "exceeds a bound",
            Self::Panicked => "panics",
            Self::Fired { .. } => "fires",
        }
    }

    /// Without the order of links, since each set of entities is tried in one order, which depends on their slots.
    fn unordered(self) -> Self {
        match self {
            Self::Fired { unordered, .. } => Self::Fired {
                exact: unordered,
                unordered,
            },
            other => other,
        }
    }
}

/// Fires steps again after a renaming.
pub(super) struct Resampling<M: Model> {
    pub renamed: Renamed,
    /// A store whose graph is a renamed one.
    mirror: Live<M>,
    key_fields: KeyFields,
    /// By entity type, the keys that were seen and those that are tried.
    keys: Vec<BTreeSet<Vec<u8>>>,
    candidates: Vec<Candidate>,
    /// How many states were renamed.
    pub states: u64,
    /// How many steps were fired again.
    pub steps: u64,
}

impl<M: Model> Resampling<M> {
    pub(super) fn new(renamed: Renamed, mirror: Live<M>, key_fields: KeyFields) -> Self {
        Self {
            renamed,
            mirror,
            key_fields,
            keys: Vec::new(),
            candidates: Vec::new(),
            states: 0,
            steps: 0,
        }
    }

    /// Adds the keys that entities have, and those that are tried, to those that are known.
    pub(super) fn see_keys(&mut self, graph: &Graph<Flat>, enumeration: &Enumeration) {
        let renamed = &self.renamed.keys;
        self.keys.resize_with(renamed.len(), BTreeSet::new);
        for (entity, known) in EntityIx::all(renamed.len()).zip(&mut self.keys) {
            if renamed[entity.index()] {
                known.extend(enumeration.known_keys(entity).iter().cloned());
                known.extend((graph.living(entity)).map(|slot| graph.encoded_key(entity, slot)));
            }
        }
    }

    /// Fires an event in the renamed state, and undoes it.
    fn fire(&mut self, event: &M::Event) -> Outcome {
        let mark = self.mirror.mark();
        let tried = self.mirror.fire(event);
        let outcome = self.mirror.outcome(&tried);
        if matches!(tried, Tried::Fired) {
            self.mirror.undo(mark);
        }
        outcome
    }

    /// Compares a state, in which the exploration is, with a renamed one. Returns what the program did differently there.
    fn compare(&mut self, of: &mut Exploration<M>, state: u32) -> Option<String> {
        let graph = &of.live.store.core.graph;
        self.see_keys(graph, &of.enumeration);
        let mut random = random_of(state);
        let bounds = &of.resolved.entities;
        let renaming = draw(&mut random, graph, &self.renamed, bounds, &self.keys);
        self.mirror.store.core.graph = match graph.renamed(&of.live.store.plan.columns, &renaming) {
            Ok(graph) => graph,
            Err(e) => {
                let why = match e {
                    ImageError::Content(e) => e,
                    ImageError::Storage(e) => e.to_string(),
                };
                return Some(format!("a state cannot be renamed: {why}"));
            }
        };
        self.states += 1;
        if self.mirror.fingerprint() != of.states.fingerprint(state) {
            return Some(
                "a state has another fingerprint when its entities are renamed".to_owned(),
            );
        }
        for property in &of.checker.properties {
            let holds = (property.holds)(&of.live.store).is_ok();
            if (property.holds)(&self.mirror.store).is_ok() != holds {
                let now = if holds {
                    "holds in a state, but not"
                } else {
                    "does not hold in a state, but does"
                };
                return Some(format!(
                    "the condition \"{}\" {now} when the entities are renamed",
                    property.name
                ));
            }
        }
        (0..of.tried.len())
            .find_map(|i| self.compare_step(of, i, &renaming))
            .or_else(|| self.compare_bindings(of))
    }

    fn compare_step(
        &mut self,
        of: &Exploration<M>,
        i: usize,
        renaming: &Renaming,
    ) -> Option<String> {
        let (candidate, outcome) = of.tried[i];
        let choices = &of.resolved.events[candidate.of as usize];
        let event = of.events.get(candidate.number);
        let schema = &of.live.store.plan.layout.schema;
        let key_fields = &self.key_fields[usize::from(choices.event)];
        let renamed = match renamed_event(event, choices.number, schema, key_fields, renaming) {
            Ok(renamed) => renamed,
            Err(e) => {
                return Some(format!(
                    "the entities that {} names cannot be renamed: {e}",
                    Shown(event)
                ));
            }
        };
        self.steps += 1;
        let now = self.fire(&renamed);
        if now == outcome {
            return None;
        }
        let (before, after) = match (outcome, now) {
            (Outcome::Fired { .. }, Outcome::Fired { .. }) => ("fires", "does something else"),
            _ => (outcome.render(), now.render()),
        };
        Some(format!(
            "{} tells entities apart: {} {before}, but {after} as {} when the entities are renamed",
            choices.name,
            Shown(event),
            Shown(&renamed)
        ))
    }

    /// Compares what the functions of [`Checker::bindings`](crate::check::Checker::bindings) return: the results must be the same.
    fn compare_bindings(&mut self, of: &mut Exploration<M>) -> Option<String> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let source = (&of.resolved, &of.checker.domains);
        let events = &mut of.events;
        let collected =
            (of.enumeration).collect(source, &self.mirror.store, events, &mut candidates);
        let mut found = collected.err();
        for (ix, choices) in (0..).zip(&of.resolved.events) {
            if choices.binder.is_none() || found.is_some() {
                continue;
            }
            let is_of = |candidate: &Candidate| candidate.of == ix && !candidate.is_cut;
            let before = of.tried.iter().filter(|(candidate, _)| is_of(candidate));
            let mut before: Vec<Outcome> = before.map(|(_, outcome)| outcome.unordered()).collect();
            let now = candidates.iter().filter(|candidate| is_of(candidate));
            let mut now: Vec<Outcome> = now
                .map(|candidate| self.fire(of.events.get(candidate.number)).unordered())
                .collect();
            before.sort_unstable();
            now.sort_unstable();
            if before != now {
                found = Some(format!(
                    "the bindings that were given for {} tell entities apart: when the entities are renamed, they lead to other \
                     states",
                    choices.name
                ));
            }
        }
        self.candidates = candidates;
        found
    }
}

impl<M: Model> Exploration<M> {
    /// Fires the steps of a state again, in which the store is. Returns what the program did differently.
    pub(super) fn resample(&mut self, state: u32) -> Option<String> {
        let mut resampling = self.resampling.take()?;
        let found = resampling.compare(self, state);
        self.resampling = Some(resampling);
        found
    }
}

/// By event of a model and field, the type of the entity that the event creates with the field as its key, if keys of the type are
/// renamed.
pub(super) fn key_fields(schema: &Schema, renamed: &Renamed) -> KeyFields {
    let of_event = |ix: EventIx| {
        let def = &schema[ix];
        let of_field = |field| {
            let entity = key_of(schema, def, field);
            entity.filter(|entity| renamed.keys[entity.index()])
        };
        (0..def.fields.len()).map(of_field).collect()
    };
    EventIx::all(schema.events.len()).map(of_event).collect()
}
