//! Findings on immediate events: those that an earlier one always forestalls, and those that enable each other without end.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ironweave_schema::{EntityIx, EventIx};

use crate::{Action, Net, PlaceIx, Tokens};

use super::reach::Reach;
use super::worlds::{Rule, Rules, World};
use super::{Certainty, Finding, Lint, a};

pub(super) fn findings(net: &Net, reach: &Reach<'_>) -> Vec<Finding> {
    let all: Vec<Rules> = EntityIx::all(net.entities.len())
        .map(|entity| Rules::of(net, reach, entity))
        .filter(|rules| !rules.rules.is_empty())
        .collect();
    let mut found: Vec<Finding> = Vec::new();
    for rules in &all {
        found.extend(forestalled(net, reach, rules));
    }
    found.extend(Loops::new(net, reach, &all).findings());
    found
}

/// Finds the rules that are never enabled on an entity, or only where an earlier one is enabled too and fires first.
fn forestalled(net: &Net, reach: &Reach<'_>, rules: &Rules) -> Vec<Finding> {
    let paths: Vec<usize> = (0..rules.paths.len()).collect();
    let Some(worlds) = rules.worlds(net, reach, &paths) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (at, rule) in rules.rules.iter().enumerate() {
        let mut first = BTreeSet::new();
        let mut fires = false;
        for world in worlds.iter().filter(|w| w.enables(rule) != Some(false)) {
            for state in &rule.from {
                let earlier = rules.rules[..at].iter().find(|earlier| {
                    earlier.from.contains(state) && world.enables(earlier) == Some(true)
                });
                match earlier {
                    Some(earlier) => drop(first.insert(&*net[earlier.event].name)),
                    None => fires = true,
                }
            }
        }
        if fires {
            continue;
        }
        let name = &net[rule.event].name;
        let why = match first.is_empty() {
            true => "its conditions exclude each other".to_owned(),
            false => {
                let first: Vec<&str> = first.into_iter().collect();
                let first = first.join(" or ");
                format!(
                    "whenever it is enabled, {first} is enabled too, which is declared earlier and fires first"
                )
            }
        };
        let message = format!("{name} can never fire: {why}");
        found.push(Finding::certain(Lint::EventNeverFires, name, message));
    }
    found
}

/// A move of an entity by an immediate event.
#[derive(Clone, Copy)]
struct Step {
    from: PlaceIx,
    to: PlaceIx,
    event: EventIx,
    /// Whether the event is bound to the entity.
    is_own: bool,
}

/// The immediate events that may fire without end.
struct Loops<'a> {
    net: &'a Net,
    reach: &'a Reach<'a>,
    all: &'a [Rules],
    /// Those that are not excluded yet.
    events: BTreeSet<EventIx>,
}

impl<'a> Loops<'a> {
    fn new(net: &'a Net, reach: &'a Reach<'a>, all: &'a [Rules]) -> Self {
        let events = all.iter().flat_map(|rules| &rules.rules);
        let events = events.map(|rule| rule.event).collect();
        Self {
            net,
            reach,
            all,
            events,
        }
    }

    /// If infinitely many events fire, then from some point on only those that fire infinitely often. Each of these moves an entity
    /// on a cycle of states, or is bound to new entities without end. What cannot be such an event is excluded until none
    /// is, with the neighbours that none of the others changes as they are.
    fn findings(mut self) -> Vec<Finding> {
        loop {
            let kept: BTreeSet<EventIx> = (self.events.iter().copied())
                .filter(|event| self.can_repeat(*event))
                .collect();
            if kept == self.events {
                break;
            }
            self.events = kept;
        }
        self.report()
    }

    /// Returns whether an event is on a cycle of the entity that it is bound to, or is bound to new entities.
    fn can_repeat(&self, event: EventIx) -> bool {
        self.all.iter().any(|rules| {
            let is_rule = rules.rules.iter().any(|rule| rule.event == event);
            is_rule
                && (self.creates(rules.entity)
                    || self.steps(rules).iter().any(|steps| {
                        let mut own = steps.iter().filter(|s| s.event == event && s.is_own);
                        own.any(|step| on_cycle(steps, step))
                    }))
        })
    }

    /// Returns whether one of the events creates entities of a type.
    fn creates(&self, entity: EntityIx) -> bool {
        self.actions().any(|action| match action {
            Action::Create { to } | Action::Ensure { to } => self.net[*to].entity() == Some(entity),
            _ => false,
        })
    }

    fn actions(&self) -> impl Iterator<Item = &'a Action> + '_ {
        let events = self.events.iter().map(|event| &self.net[*event]);
        events.flat_map(|transition| {
            let permits = transition.handler.iter().flat_map(|h| &h.permits);
            transition.arcs.iter().map(|arc| &arc.action).chain(permits)
        })
    }

    /// Returns the paths whose neighbours none of the events changes.
    fn stable(&self, rules: &Rules) -> Vec<usize> {
        let changes = |edge: PlaceIx, far: EntityIx| {
            self.actions().any(|action| match action {
                Action::Link { edge: of }
                | Action::Relink { edge: of }
                | Action::Unlink { edge: of } => *of == edge,
                Action::Move { to, .. } => self.net[*to].entity() == Some(far),
                Action::Delete { .. } => true,
                _ => false,
            })
        };
        let is_stable = |path: &usize| {
            let hops = &rules.paths[*path];
            hops.iter().all(|hop| {
                let edge = &self.net[hop.edge];
                !changes(edge.place, edge.far(*hop).entity)
            })
        };
        (0..rules.paths.len()).filter(is_stable).collect()
    }

    /// Returns the moves of an entity by the events, for each world of what they do not change.
    fn steps(&self, rules: &Rules) -> Vec<Vec<Step>> {
        let worlds = rules.worlds(self.net, self.reach, &self.stable(rules));
        let worlds = worlds.or_else(|| rules.worlds(self.net, self.reach, &[]));
        let foreign = self.foreign(rules.entity);
        let steps = worlds.into_iter().flatten().map(|world| {
            let mut steps = foreign.clone();
            for &state in &self.net[rules.entity].states {
                let fires = rules.rules.iter().filter(|rule| rule.from.contains(&state));
                self.own(&mut steps, state, fires, &world);
            }
            steps
        });
        steps.collect()
    }

    /// Adds the moves of an entity in a state by the rules that are enabled for it: all up to the first that certainly is.
    fn own<'r>(
        &self,
        steps: &mut Vec<Step>,
        from: PlaceIx,
        fires: impl Iterator<Item = &'r Rule>,
        world: &World,
    ) {
        for rule in fires {
            let enabled = world.enables(rule);
            if enabled == Some(false) {
                continue;
            }
            if self.events.contains(&rule.event) {
                let arcs = self.net[rule.event].arcs.iter();
                steps.extend(arcs.filter_map(|arc| match (&arc.action, &arc.tokens) {
                    (Action::Move { from: of, to }, Tokens::Entities(path)) => {
                        let is_own = path.hops.is_empty() && path.root.index() == 0;
                        (is_own && of.contains(&from)).then_some(Step {
                            from,
                            to: *to,
                            event: rule.event,
                            is_own,
                        })
                    }
                    _ => None,
                }));
            }
            if enabled == Some(true) {
                return;
            }
        }
    }

    /// Returns the moves of entities of a type by events that are bound to another entity, and by their handlers.
    fn foreign(&self, entity: EntityIx) -> Vec<Step> {
        let mut steps = Vec::new();
        for &event in &self.events {
            for permit in self.net[event].handler.iter().flat_map(|h| &h.permits) {
                let Action::Move { from, to } = permit else {
                    continue;
                };
                if self.net[*to].entity() == Some(entity) {
                    steps.extend(from.iter().map(|from| Step {
                        from: *from,
                        to: *to,
                        event,
                        is_own: false,
                    }));
                }
            }
            for arc in &self.net[event].arcs {
                let (Action::Move { from, to }, Tokens::Entities(path)) =
                    (&arc.action, &arc.tokens)
                else {
                    continue;
                };
                let is_own = path.hops.is_empty() && path.root.index() == 0;
                if is_own || self.net[*to].entity() != Some(entity) {
                    continue;
                }
                steps.extend(from.iter().map(|from| Step {
                    from: *from,
                    to: *to,
                    event,
                    is_own,
                }));
            }
        }
        steps
    }

    /// Returns a finding for each cycle of disjoint events, the shortest first, and one for entities that are created without end.
    fn report(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut reported = BTreeSet::new();
        for rules in self.all {
            let worlds = self.steps(rules);
            loop {
                let cycles = worlds.iter().filter_map(|steps| {
                    let left = |s: &&Step| !reported.contains(&s.event);
                    let left: Vec<Step> = steps.iter().filter(left).copied().collect();
                    shortest_cycle(&left)
                });
                let Some(cycle) = cycles.min_by_key(Vec::len) else {
                    break;
                };
                reported.extend(cycle.iter().map(|step| step.event));
                found.push(self.cycle(rules.entity, &cycle));
            }
        }
        let created: Vec<&str> = (self.events.difference(&reported))
            .map(|event| &*self.net[*event].name)
            .collect();
        if !created.is_empty() {
            let names = created.join(", ");
            let message = format!(
                "{names} can fire without end: each firing can create an entity or move one on which another of them fires; a step with such a loop is rejected"
            );
            found.push(possible(names, message));
        }
        found
    }

    fn cycle(&self, entity: EntityIx, cycle: &[Step]) -> Finding {
        let net = self.net;
        let name = a(&net[entity].name);
        let moves = cycle.iter().map(|step| {
            let (from, to) = (net.state_name(step.from), net.state_name(step.to));
            format!("{} moves it {from} -> {to}", net[step.event].name)
        });
        let moves: Vec<String> = moves.collect();
        let mut names: Vec<&str> = cycle.iter().map(|step| &*net[step.event].name).collect();
        names.dedup();
        let message = format!(
            "immediate events can move {name} in a circle: {}; a step that enters it is rejected after 64 firings",
            moves.join(", ")
        );
        possible(names.join(", "), message)
    }
}

fn possible(subject: String, message: String) -> Finding {
    Finding {
        lint: Lint::ImmediateLoop,
        subject,
        certainty: Certainty::Net,
        message,
    }
}

/// Returns the shortest way over steps from a state to another, without the first step.
fn way(steps: &[Step], from: PlaceIx, to: PlaceIx) -> Option<Vec<Step>> {
    let mut came: BTreeMap<PlaceIx, Option<Step>> = BTreeMap::from([(from, None)]);
    let mut queue = VecDeque::from([from]);
    while let Some(state) = queue.pop_front() {
        if state == to {
            let mut way = Vec::new();
            let mut at = state;
            while let Some(Some(step)) = came.get(&at) {
                way.push(*step);
                at = step.from;
            }
            way.reverse();
            return Some(way);
        }
        for step in steps.iter().filter(|step| step.from == state) {
            if let Entry::Vacant(new) = came.entry(step.to) {
                new.insert(Some(*step));
                queue.push_back(step.to);
            }
        }
    }
    None
}

fn on_cycle(steps: &[Step], step: &Step) -> bool {
    way(steps, step.to, step.from).is_some()
}

fn shortest_cycle(steps: &[Step]) -> Option<Vec<Step>> {
    let cycles = steps.iter().filter_map(|step| {
        let mut cycle = vec![*step];
        cycle.extend(way(steps, step.to, step.from)?);
        Some(cycle)
    });
    cycles.min_by_key(Vec::len)
}
