//! The exploration: breadth first from the first state, until all states were found or a limit or a violation ends it.

use std::sync::Arc;
use std::time::Instant;

use crate::check::bindings::{Candidate, Enumeration};
use crate::check::domain::Resolved;
#[cfg(feature = "draw")]
use crate::check::drawing::Drawing;
use crate::check::interned::Events;
use crate::check::live::{Live, Tried};
use crate::check::property::{Failed, Kind};
use crate::check::report::{EventCounts, Report};
use crate::check::resample::{Outcome, Resampling, key_fields};
use crate::check::reverse::Successors;
use crate::check::states::{FIRST, NOTHING, Origin, States};
use crate::check::symmetry::{Names, is_sampled};
use crate::check::{Checker, Progress};
use crate::schema::{EntityIx, StateIx};
use crate::step::model::Model;
use crate::store::Store;

/// After how many states the clock is read.
const STATES_PER_CLOCK: usize = 256;

/// Explores a model. States that differ only by a renaming are one state, unless the program distinguishes such states.
pub(super) fn explore<M: Model>(
    checker: Checker<M>,
    resolved: Resolved,
    names: Names,
) -> Report<M> {
    let again = names.renamed.is_some().then(|| resolved.clone());
    let mut exploration = Exploration::new(checker, resolved, names);
    let mut ended = exploration.run();
    if let Some((why, resolved)) = exploration.told_apart.take().zip(again) {
        exploration = Exploration::new(exploration.checker, resolved, Names::default());
        ended = exploration.run();
        exploration.told_apart = Some(why);
    }
    exploration.report(&ended)
}

impl<M: Model> Exploration<M> {
    fn new(checker: Checker<M>, mut resolved: Resolved, names: Names) -> Self {
        let mut enumeration = Enumeration::new(&mut resolved);
        let mut live = Live::new(&checker.domains, resolved.entities.clone());
        let plan = Arc::clone(&live.store.plan);
        let schema = &plan.layout.schema;
        let has_code =
            (schema.events.iter()).any(|event| !event.guards.is_empty() || !event.mays.is_empty());
        let has_ordered_lists = has_code && !checker.ignores_order;
        live.order_lists(has_ordered_lists);
        let entities = schema
            .entities
            .iter()
            .map(|def| vec![false; def.states.len()]);
        let is_recording = (checker.properties.iter()).any(|p| p.kind == Kind::EventuallyPossible);
        // Then no event has to be tried that will be cut.
        enumeration.skips_cut = checker.allows_deadlocks && !is_recording;
        let resampling = names.renamed.map(|renamed| {
            let mut mirror = Live::new(&checker.domains, resolved.entities.clone());
            for live in [&mut live, &mut mirror] {
                live.rename(renamed.clone());
            }
            mirror.order_lists(has_ordered_lists);
            let key_fields = key_fields(schema, &renamed);
            Resampling::new(renamed, mirror, key_fields)
        });
        Self {
            fingerprint_decides: resampling.is_none()
                && (has_ordered_lists || checker.ignores_order),
            has_code,
            has_ordered_lists,
            resampling,
            tried: Vec::new(),
            #[cfg(feature = "draw")]
            drawing: Drawing::default(),
            told_apart: None,
            kept_names: names.kept,
            reached: entities.collect(),
            counts: vec![EventCounts::default(); resolved.events.len()],
            satisfied: vec![Vec::new(); checker.properties.len()],
            found: vec![false; checker.properties.len()],
            successors: is_recording.then(Successors::default),
            started: Instant::now(),
            reported: Instant::now(),
            depth_ends: Vec::new(),
            events: Events::new(),
            states: States::new(),
            escapes: Vec::new(),
            violation: None,
            immediates: vec![0; live.store.plan.events.len()],
            fired: 0,
            explored: 0,
            enumeration,
            live,
            resolved,
            checker,
        }
    }
}

/// Why an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All states were found.
    Complete,
    /// A limit, by its name.
    Limit(&'static str),
    /// A violation.
    Violation,
}

/// What is wrong with a state.
pub(super) enum Finding {
    /// A property by its index, and why its condition does not hold.
    Always(usize, Failed),
    /// The condition of a property can never hold again.
    NeverAgain(usize),
    /// Entities that are in states which their lifecycles can leave.
    Deadlock(Vec<(EntityIx, u32, StateIx)>),
    /// The message of a panic.
    Panic(String),
    /// The exploration cannot go on.
    Defect(String),
}

pub(super) struct Exploration<M: Model> {
    pub checker: Checker<M>,
    /// Whether the model has guards or handlers.
    pub has_code: bool,
    /// Whether invariants are taken to have the same results in states with the same fingerprint. They can tell apart what differs
    /// by the order of links or by a renaming.
    pub fingerprint_decides: bool,
    /// Whether states are distinguished by the order of links.
    pub has_ordered_lists: bool,
    /// Fires steps again if there is symmetry.
    pub resampling: Option<Resampling<M>>,
    /// The events that were tried in the present state, if they are fired again.
    pub tried: Vec<(Candidate, Outcome)>,
    #[cfg(feature = "draw")]
    pub drawing: Drawing,
    /// How the program distinguished what differs only by a renaming.
    pub told_apart: Option<String>,
    /// What was not renamed, although symmetry was asked for.
    pub kept_names: Vec<String>,
    pub resolved: Resolved,
    pub enumeration: Enumeration,
    pub live: Live<M>,
    pub events: Events<M::Event>,
    pub states: States,
    /// The number of states up to each depth.
    pub depth_ends: Vec<usize>,
    /// By property: for `sometimes` unused, for `eventually_possible` by state whether the condition holds.
    pub satisfied: Vec<Vec<bool>>,
    /// By property, whether its condition was found to hold.
    pub found: Vec<bool>,
    pub successors: Option<Successors>,
    /// The states in which an event was cut that would move or delete an entity.
    pub escapes: Vec<u32>,
    pub counts: Vec<EventCounts>,
    /// By event of the schema, how often it fired as an immediate one.
    pub immediates: Vec<u64>,
    /// By entity type and state, whether an entity was in it.
    pub reached: Vec<Vec<bool>>,
    pub fired: u64,
    /// How many states were explored.
    pub explored: usize,
    /// What was found, the state, and an event that was tried there.
    pub violation: Option<(Finding, u32, Option<u32>)>,
    pub started: Instant,
    pub reported: Instant,
}

impl<M: Model> Exploration<M> {
    fn run(&mut self) -> Ended {
        let first = Origin {
            parent: NOTHING,
            event: NOTHING,
        };
        let fingerprint = self.live.fingerprint();
        if let Err(vacant) = self.states.find(fingerprint) {
            self.states.insert(vacant, first);
        }
        self.see_state(FIRST);
        self.depth_ends.push(1);
        let mut candidates = Vec::new();
        let mut depth = 0;
        while self.explored < self.states.len() {
            if self.violation.is_some() {
                return Ended::Violation;
            }
            if self.explored == self.depth_ends[depth] {
                depth += 1;
                self.depth_ends.push(self.states.len());
            }
            if let Some(limit) = self.limit(depth) {
                return Ended::Limit(limit);
            }
            self.report_progress(depth, false);
            if let Err(e) = self.expand(self.explored as u32, &mut candidates) {
                self.violation = Some((Finding::Defect(e), self.explored as u32, None));
            }
            self.explored += 1;
            if self.told_apart.is_some() {
                return Ended::Violation;
            }
        }
        self.report_progress(depth, true);
        match self.violation {
            Some(_) => Ended::Violation,
            None => Ended::Complete,
        }
    }

    fn limit(&self, depth: usize) -> Option<&'static str> {
        let checker = &self.checker;
        if depth >= checker.depth_max {
            return Some("depth");
        }
        if self.states.len() >= checker.states_max.min(NOTHING as usize - 1) {
            return Some("states");
        }
        if checker.memory_max == usize::MAX || !self.explored.is_multiple_of(STATES_PER_CLOCK) {
            return None;
        }
        (self.bytes() >= checker.memory_max).then_some("memory")
    }

    pub fn bytes(&self) -> usize {
        let successors = self.successors.as_ref().map_or(0, Successors::bytes);
        let satisfied: usize = self.satisfied.iter().map(Vec::capacity).sum();
        self.states.bytes() + self.events.bytes() + successors + satisfied
    }

    /// Whether it matters that an event is cut in a state: always for properties of what is eventually possible, and for deadlocks
    /// unless another event can fire.
    fn needs_escapes(&self, can_fire: bool) -> bool {
        self.successors.is_some() || !(self.checker.allows_deadlocks || can_fire)
    }

    /// Tries all events in a state.
    fn expand(&mut self, state: u32, candidates: &mut Vec<Candidate>) -> Result<(), String> {
        self.live.go_to(state, &self.states, &self.events)?;
        candidates.clear();
        let source = (&self.resolved, &self.checker.domains);
        let events = &mut self.events;
        self.enumeration
            .collect(source, &self.live.store, events, candidates)?;
        let (mut can_fire, mut escapes) = (false, false);
        let is_sampled = self.resampling.is_some() && is_sampled(state);
        self.tried.clear();
        let others = candidates.iter().filter(|candidate| !candidate.is_cut);
        for candidate in others.chain(candidates.iter().filter(|candidate| candidate.is_cut)) {
            // Such an event shows only that the state would have a way out without the bounds.
            if candidate.is_cut && (escapes || !self.needs_escapes(can_fire)) {
                break;
            }
            let counts = &mut self.counts[candidate.of as usize];
            counts.tried += 1;
            let before = self.live.before();
            let firings = self.live.store.core.open.firings.len();
            let event = self.events.get(candidate.number);
            let mut tried = self.live.fire_unchecked(event, before);
            let mut found = None;
            if matches!(tried, Tried::Fired) {
                let known = self.states.find(self.live.fingerprint());
                // A state that is known has passed the invariants.
                if known.is_err() || !self.fingerprint_decides {
                    tried = self.live.check_invariants(before);
                }
                found = Some(known);
            }
            if is_sampled {
                let outcome = self.live.outcome(&tried);
                if let (Some(resampling), Tried::Fired) = (&mut self.resampling, &tried) {
                    resampling.see_keys(&self.live.store.core.graph, &self.enumeration);
                }
                self.tried.push((*candidate, outcome));
            }
            match (tried, found) {
                (Tried::Cut { progress }, _) => {
                    counts.cut += 1;
                    escapes |= progress;
                }
                (Tried::Panicked(message), _) => {
                    let kind = Finding::Panic(message);
                    self.violation = Some((kind, state, Some(candidate.number)));
                    return Ok(());
                }
                (Tried::Fired, Some(found)) => {
                    counts.fired += 1;
                    self.fired += 1;
                    can_fire = true;
                    self.count_immediates(firings);
                    let to = found.unwrap_or_else(|vacant| {
                        let origin = Origin {
                            parent: state,
                            event: candidate.number,
                        };
                        let new = self.states.insert(vacant, origin);
                        self.see_state(new);
                        new
                    });
                    #[cfg(feature = "draw")]
                    {
                        let name = &self.resolved.events[candidate.of as usize].name;
                        self.drawing.add_arrow(state, to, name);
                    }
                    if let Some(successors) = &mut self.successors {
                        successors.push(to);
                    }
                    self.live.undo(before.mark);
                }
                (Tried::Rejected(_) | Tried::Fired, _) => counts.rejected += 1,
            }
        }
        if is_sampled {
            self.told_apart = self.resample(state);
        }
        if let Some(successors) = &mut self.successors {
            successors.end();
        }
        if escapes {
            self.escapes.push(state);
        }
        if !can_fire && !escapes && !self.checker.allows_deadlocks && self.violation.is_none() {
            let unfinished = self.unfinished();
            if !unfinished.is_empty() {
                self.violation = Some((Finding::Deadlock(unfinished), state, None));
            }
        }
        Ok(())
    }

    /// Counts the immediate events among the last firings.
    fn count_immediates(&mut self, from: usize) {
        let Store { core, plan, .. } = &self.live.store;
        for firing in core.open.firings.get(from..).unwrap_or_default() {
            if plan.layout.schema[firing.event].immediate {
                self.immediates[usize::from(firing.event)] += 1;
            }
        }
    }

    /// Tests the properties in a state that was just found, in which the graph is.
    fn see_state(&mut self, state: u32) {
        let graph = &self.live.store.core.graph;
        #[cfg(feature = "draw")]
        self.drawing.add_state(graph);
        for (entity, reached) in EntityIx::all(self.reached.len()).zip(&mut self.reached) {
            for (ix, reached) in StateIx::all(reached.len()).zip(reached) {
                *reached |= graph.count(entity, ix) > 0;
            }
        }
        for (i, property) in self.checker.properties.iter().enumerate() {
            match property.kind {
                Kind::Always => {
                    if let Err(why) = (property.holds)(&self.live.store)
                        && self.violation.is_none()
                    {
                        self.violation = Some((Finding::Always(i, why), state, None));
                    }
                }
                Kind::Sometimes => {
                    self.found[i] = self.found[i] || (property.holds)(&self.live.store).is_ok();
                }
                Kind::EventuallyPossible => {
                    let holds = (property.holds)(&self.live.store).is_ok();
                    self.found[i] |= holds;
                    self.satisfied[i].push(holds);
                }
            }
        }
    }

    /// The entities that are in a state which their lifecycle can leave.
    fn unfinished(&self) -> Vec<(EntityIx, u32, StateIx)> {
        let graph = &self.live.store.core.graph;
        let schema = &graph.layout.schema;
        let of_type = |entity: EntityIx| {
            let is_unfinished = move |slot: &u32| {
                let state = &schema[entity][graph.state_of(entity, *slot)];
                !state.terminal && !state.to.is_empty()
            };
            let unfinished = graph.living(entity).filter(is_unfinished);
            unfinished.map(move |slot| (entity, slot, graph.state_of(entity, slot)))
        };
        EntityIx::all(schema.entities.len())
            .flat_map(of_type)
            .collect()
    }

    fn report_progress(&mut self, depth: usize, is_last: bool) {
        let Some((interval, report)) = &self.checker.progress else {
            return;
        };
        if !is_last && !self.explored.is_multiple_of(STATES_PER_CLOCK) {
            return;
        }
        if is_last || self.reported.elapsed() >= *interval {
            self.reported = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            report(&Progress {
                states: self.states.len(),
                queue: self.states.len() - self.explored,
                fired: self.fired,
                depth,
                rate: self.states.len() as f64 / seconds.max(f64::MIN_POSITIVE),
            });
        }
    }
}
