//! The report of an exploration: what was found, and what was not.

use std::marker::PhantomData;

use crate::check::explore::{Ended, Exploration, Finding};
use crate::check::property::Kind;
use crate::check::report::{Report, Symmetry, Violation, ViolationKind};
use crate::check::rust_test::{Shown, Shows, rust_test};
use crate::schema::{EntityDef, EntityIx};
use crate::step::model::Model;

impl<M: Model> Exploration<M> {
    /// The violations of `eventually_possible`.
    fn impossible(&mut self) -> Vec<(usize, u32)> {
        let Some(successors) = &self.successors else {
            return Vec::new();
        };
        let mut impossible = Vec::new();
        for (i, property) in self.checker.properties.iter().enumerate() {
            if property.kind != Kind::EventuallyPossible {
                continue;
            }
            let mut reaches = std::mem::take(&mut self.satisfied[i]);
            for escape in &self.escapes {
                reaches[*escape as usize] = true;
            }
            // What follows from states that were not explored is not known.
            reaches[self.explored..].fill(true);
            let first = successors.first_that_cannot_reach(reaches);
            impossible.extend(first.map(|state| (i, state)));
        }
        impossible
    }

    pub(super) fn report(mut self, ended: &Ended) -> Report<M> {
        let elapsed = self.started.elapsed();
        let mut found: Vec<_> = self.violation.take().into_iter().collect();
        if found.is_empty() {
            let impossible = self.impossible().into_iter();
            let finding = |(property, state)| (Finding::NeverAgain(property), state, None);
            found.extend(impossible.map(finding));
        }
        #[cfg(feature = "draw")]
        let states: Vec<u32> = found.iter().map(|(_, state, _)| *state).collect();
        let mut violations: Vec<_> = found
            .into_iter()
            .map(|found| self.violation(found))
            .collect();
        #[cfg(feature = "draw")]
        let graph = {
            let messages = violations.iter().map(|violation| violation.message.clone());
            let wrong: Vec<_> = states.into_iter().zip(messages).collect();
            std::mem::take(&mut self.drawing).finish(
                M::NAME,
                self.states.len(),
                self.explored,
                &wrong,
            )
        };
        let mut undecided = Vec::new();
        for (i, property) in self.checker.properties.iter().enumerate() {
            let is_violated = || {
                violations
                    .iter()
                    .any(|v| v.message.contains(&property.name))
            };
            match property.kind {
                Kind::Sometimes if self.found[i] => {}
                Kind::Sometimes if *ended == Ended::Complete => violations.push(Violation {
                    kind: ViolationKind::Sometimes,
                    message: format!("\"{}\" holds in no state", property.name),
                    events: Vec::new(),
                    test: None,
                }),
                _ if *ended == Ended::Complete || is_violated() => {}
                _ => undecided.push(property.name.clone()),
            }
        }
        let schema = &self.live.store.plan.layout.schema;
        let states = |(def, reached): (&EntityDef, &Vec<bool>)| {
            let unreached = def
                .states
                .iter()
                .zip(reached.clone())
                .filter(|(_, reached)| !reached);
            let texts = unreached.map(|(state, _)| format!("{}: {}", def.name, state.name));
            texts.collect::<Vec<_>>()
        };
        let events = self.resolved.events.iter().map(|event| event.name.clone());
        let immediates = schema.events.iter().zip(&self.immediates);
        let immediates = immediates.filter(|(def, _)| def.immediate);
        let explored_ends = self.depth_ends.partition_point(|end| *end <= self.explored);
        Report {
            states: self.states.len(),
            explored: self.explored,
            fired: self.fired,
            depth: self.states.depth(),
            complete_depth: match ended {
                Ended::Complete => self.states.depth(),
                _ => explored_ends,
            },
            limit: match ended {
                Ended::Limit(limit) => Some(limit),
                _ => None,
            },
            is_complete: *ended == Ended::Complete,
            bytes: self.bytes(),
            guard_calls: self.live.calls.guards.get(),
            handler_calls: self.live.handler_calls(),
            unreached: schema
                .entities
                .iter()
                .zip(&self.reached)
                .flat_map(states)
                .collect(),
            immediates: immediates
                .map(|(def, fired)| (def.name.clone(), *fired))
                .collect(),
            events: events.zip(self.counts.iter().copied()).collect(),
            undecided,
            abstractions: self.abstractions(),
            symmetry: self.symmetry(),
            #[cfg(feature = "draw")]
            graph,
            violations,
            elapsed,
            model: PhantomData,
        }
    }

    fn violation(&mut self, (finding, state, last): (Finding, u32, Option<u32>)) -> Violation {
        let mut numbers = self.states.events_to(state);
        numbers.extend(last);
        let events: Vec<&M::Event> = numbers.iter().map(|n| self.events.get(*n)).collect();
        let properties = &self.checker.properties;
        let graph = &self.live.store.core.graph;
        let (kind, message, name, shows) = match &finding {
            Finding::Always(i, why) => (
                ViolationKind::Always,
                format!("\"{}\" {why}", properties[*i].name),
                properties[*i].name.clone(),
                Some(Shows::Fails(&properties[*i])),
            ),
            Finding::NeverAgain(i) => (
                ViolationKind::EventuallyPossible,
                format!("\"{}\" can never hold again", properties[*i].name),
                properties[*i].name.clone(),
                Some(Shows::NeverAgain(&properties[*i])),
            ),
            Finding::Deadlock(unfinished) => {
                let texts = unfinished.iter().map(|(entity, slot, state)| {
                    let state = &graph.layout.schema[*entity][*state].name;
                    format!("{} is {state}", self.texts(*entity, *slot))
                });
                let texts: Vec<String> = texts.collect();
                let first = unfinished.first();
                (
                    ViolationKind::Deadlock,
                    format!("a deadlock: no event can fire, and {}", texts.join(", ")),
                    "deadlock".to_owned(),
                    first.map(|(entity, slot, _)| Shows::Deadlock(*entity, *slot)),
                )
            }
            Finding::Panic(message) => (
                ViolationKind::Panic,
                format!("a panic: {message}"),
                "panic".to_owned(),
                Some(Shows::Panics),
            ),
            Finding::Defect(message) => (
                ViolationKind::Unexplorable,
                message.clone(),
                String::new(),
                None,
            ),
        };
        let comment = format!("Found by the checker: {message}.");
        Violation {
            kind,
            events: events
                .iter()
                .map(|event| Shown(*event).to_string())
                .collect(),
            test: shows.map(|shows| {
                let domains = &self.checker.domains;
                let events = shows.fates(&events, domains.first_time());
                rust_test(domains, (&name, &comment), &events, &shows)
            }),
            message,
        }
    }

    fn texts(&self, entity: EntityIx, slot: u32) -> String {
        self.live
            .store
            .core
            .graph
            .entity_ref(entity, slot)
            .to_string()
    }

    /// What symmetry was used.
    fn symmetry(&self) -> Symmetry {
        if let Some(why) = &self.told_apart {
            return Symmetry::Refuted(why.clone());
        }
        let Some(resampling) = &self.resampling else {
            return match self.kept_names.is_empty() {
                true => Symmetry::NotUsed,
                false => Symmetry::Refuted(self.kept_names.join("; ")),
            };
        };
        let entities = &self.live.store.plan.layout.schema.entities;
        let names = |is_renamed: &[bool]| {
            let names = entities.iter().zip(is_renamed.to_vec());
            let names = names.filter(|(_, is_renamed)| *is_renamed);
            names.map(|(def, _)| def.name.clone()).collect()
        };
        Symmetry::Used {
            types: names(&resampling.renamed.slots),
            keys: names(&resampling.renamed.keys),
            kept: self.kept_names.clone(),
            states: resampling.states,
            steps: resampling.steps,
        }
    }

    /// What was ignored and what was not tried.
    fn abstractions(&self) -> Vec<String> {
        let mut all = Vec::new();
        let schema = &self.live.store.plan.layout.schema;
        let order = match (self.has_code, self.has_ordered_lists) {
            (_, true) => {
                "states that differ in the order of links were distinguished, since a guard or handler may read it"
            }
            (true, false) => {
                "the order of links was ignored on request; a guard or handler may read it"
            }
            (false, false) => {
                "the order of links was ignored, since no guard or handler can read it"
            }
        };
        all.push(order.to_owned());
        all.push("how often a slot was reused was ignored".to_owned());
        all.push(format!(
            "time stood still at {}",
            self.checker.domains.first_time()
        ));
        if schema.events.iter().any(|event| event.due.is_some()) {
            all.push("events that are due fired at any time, in any order".to_owned());
        }
        let bounds = schema.entities.iter().zip(&self.resolved.entities);
        let bounds: Vec<_> = bounds
            .map(|(def, max)| format!("{max} {}", def.name))
            .collect();
        all.push(format!("at most {} existed", bounds.join(", ")));
        let sets = self.resolved.events.iter().any(|event| event.has_sets());
        if sets {
            all.push(
                "each set of entities in a field of an event was tried in one order".to_owned(),
            );
        }
        let next: Vec<&str> = (schema.entities.iter().zip(&self.resolved.default_keys))
            .filter(|(_, is_default)| **is_default)
            .map(|(def, _)| &*def.name)
            .collect();
        if !next.is_empty() {
            all.push(format!(
                "of unused keys only the next ones were tried: {}",
                next.join(", ")
            ));
        }
        all
    }
}
