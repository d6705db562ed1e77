//! Findings on entity types and their states, and on events that never fire.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::EntityIx;

use crate::{Action, Entity, Net, PlaceIx};

use super::reach::{Reach, states_text};
use super::{Finding, Lint, States, a};

/// The moves and deletions that events make.
struct Changes {
    /// The moves from a state to another.
    moves: BTreeMap<PlaceIx, States>,
    /// The states in which entities are deleted.
    deleted: States,
}

pub(super) fn findings(net: &Net, reach: &Reach<'_>) -> Vec<Finding> {
    let changes = changes(net, reach);
    let mut found = Vec::new();
    for (ix, entity) in EntityIx::all(net.entities.len()).zip(&net.entities) {
        if !reach.exists(ix) {
            found.push(never_created(net, ix, entity));
            continue;
        }
        for &state in &entity.states {
            if !reach.is_marked(state) {
                found.push(never_reached(net, reach, state));
            } else {
                found.extend(never_left(net, entity, &changes, state));
            }
        }
        found.extend(never_ends(net, reach, entity, &changes));
        found.extend(never_made(net, reach, entity, &changes));
    }
    for (at, transition) in net.transitions.iter().enumerate() {
        let name = &transition.name;
        if let Some(why) = &reach.blocked[at] {
            let message = format!("{name} can never fire: {why}");
            found.push(Finding::certain(Lint::EventNeverFires, name, message));
            continue;
        }
        // A deletion removes the links that there are.
        let declared = transition.arcs.iter().filter(|arc| !arc.implied);
        for arc in declared.filter(|arc| !reach.acts(at, arc)) {
            let tokens = net.tokens_text(transition, &arc.tokens);
            let scope = arc.inscription.text();
            let tokens = format!("{scope} {tokens}").trim_start().to_owned();
            let action = net.action_text(&arc.action);
            found.push(Finding::certain(
                Lint::ArcNeverActs,
                format!("{name} {tokens}: {action}"),
                format!("{name} never changes `{tokens}: {action}`: there is nothing that it could change"),
            ));
        }
    }
    found
}

fn changes(net: &Net, reach: &Reach<'_>) -> Changes {
    let mut changes = Changes {
        moves: BTreeMap::new(),
        deleted: States::new(),
    };
    let mut add = |action: &Action, from: States| match action {
        Action::Move { to, .. } => {
            for state in from {
                changes.moves.entry(state).or_default().insert(*to);
            }
        }
        Action::Delete { .. } => changes.deleted.extend(from),
        _ => {}
    };
    for (at, transition) in net.transitions.iter().enumerate() {
        if reach.blocked[at].is_some() {
            continue;
        }
        for arc in transition.arcs.iter().filter(|arc| reach.acts(at, arc)) {
            add(&arc.action, reach.from(at, arc));
        }
        for action in transition.handler.iter().flat_map(|h| &h.permits) {
            let from: States = match action {
                Action::Move { from, .. } | Action::Delete { from } => {
                    from.iter().copied().collect()
                }
                _ => continue,
            };
            add(action, reach.marked_of(&from));
        }
    }
    changes
}

impl Changes {
    fn from(&self, state: PlaceIx) -> impl Iterator<Item = PlaceIx> + '_ {
        self.moves.get(&state).into_iter().flatten().copied()
    }

    /// Returns all states that an entity in a state can come to, with that state.
    fn after(&self, state: PlaceIx) -> States {
        let mut seen = States::from([state]);
        let mut queue = vec![state];
        while let Some(state) = queue.pop() {
            queue.extend(self.from(state).filter(|to| seen.insert(*to)));
        }
        seen
    }
}

fn never_created(net: &Net, ix: EntityIx, entity: &Entity) -> Finding {
    let kind = a(&entity.name);
    let creates = events(net, |action| {
        let to = match action {
            Action::Create { to } | Action::Ensure { to } => net[*to].entity(),
            _ => None,
        };
        to == Some(ix)
    });
    let message = match creates.as_str() {
        "" => format!("{kind} is never created: no event creates one"),
        creates => format!("{kind} is never created: {creates} creates one, but can never fire"),
    };
    Finding::certain(Lint::EntityNeverCreated, &entity.name, message)
}

fn never_reached(net: &Net, reach: &Reach<'_>, state: PlaceIx) -> Finding {
    let name = &net[state].name;
    let enters = |action: &Action| match action {
        Action::Move { from, to } => *to == state && *from != [state],
        _ => action.puts() == Some(state),
    };
    let names = events(net, enters);
    if names.is_empty() {
        let entity = net[state].entity().map_or("", |entity| &net[entity].name);
        let entity = a(entity);
        let message = format!(
            "{name} is never entered: no event moves {entity} into it or creates one in it"
        );
        return Finding::certain(Lint::StateNeverEntered, name, message);
    }
    let fires = |at: usize| reach.blocked[at].is_none();
    let entering = (0..net.transitions.len()).filter(|at| fires(*at));
    let any = entering.into_iter().any(|at| {
        let arcs = net.transitions[at].arcs.iter();
        arcs.map(|arc| &arc.action).any(enters)
    });
    let why = match any {
        true => {
            format!("{names} would move an entity into it, but from states that are never reached")
        }
        false => format!("{names} would bring an entity into it, but can never fire"),
    };
    let message = format!("{name} is never reached: {why}");
    Finding::certain(Lint::StateNeverReached, name, message)
}

/// Returns the names of the events that have such an arc, or permit it.
fn events(net: &Net, has: impl Fn(&Action) -> bool) -> String {
    let names = net.transitions.iter().filter(|transition| {
        let arcs = transition.arcs.iter().map(|arc| &arc.action);
        let permits = transition.handler.iter().flat_map(|h| &h.permits);
        arcs.chain(permits).any(&has)
    });
    let names: Vec<&str> = names.map(|transition| &*transition.name).collect();
    names.join(", ")
}

fn is_left(changes: &Changes, state: PlaceIx) -> bool {
    changes.deleted.contains(&state) || changes.from(state).any(|to| to != state)
}

fn never_left(net: &Net, entity: &Entity, changes: &Changes, state: PlaceIx) -> Option<Finding> {
    // An entity without a lifecycle has one state.
    if net.is_terminal(state) || entity.states.len() == 1 || is_left(changes, state) {
        return None;
    }
    let (name, kind) = (&net[state].name, a(&entity.name));
    let leaves = events(net, |action| match action {
        Action::Move { from, to } => from.contains(&state) && *to != state,
        _ => false,
    });
    let why = match leaves.as_str() {
        "" => format!("no event moves {kind} out of it"),
        leaves => format!("{leaves} would move {kind} out of it, but can never do so"),
    };
    let message = format!("{name} cannot be left: {why}, and it is not #[terminal]");
    Some(Finding::certain(Lint::StateNeverLeft, name, message))
}

/// Finds the traps: sets of several states that an entity never leaves once it is in one of them, although others end.
fn never_ends(net: &Net, reach: &Reach<'_>, entity: &Entity, changes: &Changes) -> Vec<Finding> {
    let ends = |state: &PlaceIx| net.is_terminal(*state) || changes.deleted.contains(state);
    let states: States = entity.states.iter().copied().collect();
    if !states.iter().any(ends) {
        return Vec::new();
    }
    let mut traps = BTreeSet::new();
    for state in reach.marked_of(&states) {
        let after = changes.after(state);
        let is_trap = after.len() > 1
            && !after.iter().any(ends)
            && after.iter().all(|other| changes.after(*other) == after);
        if is_trap {
            traps.insert(after);
        }
    }
    let (name, kind) = (&entity.name, a(&entity.name));
    let found = traps.into_iter().map(|trap| {
        let states = states_text(net, &trap);
        let message = format!(
            "{kind} in {states} never ends: no event moves it to another state or deletes it"
        );
        Finding::certain(Lint::NeverEnds, format!("{name}::{states}"), message)
    });
    found.collect()
}

fn never_made(net: &Net, reach: &Reach<'_>, entity: &Entity, changes: &Changes) -> Vec<Finding> {
    let moves = entity.lifecycle.iter().filter(|allowed| {
        // A state that is never reached has a finding of its own.
        let is_reached = reach.is_marked(allowed.from) && reach.is_marked(allowed.to);
        is_reached && !changes.from(allowed.from).any(|to| to == allowed.to)
    });
    let found = moves.map(|allowed| {
        let (from, to) = (&net[allowed.from].name, net.state_name(allowed.to));
        let message = format!("the lifecycle allows {from} -> {to}, and no event makes this move");
        Finding::certain(Lint::MoveNeverMade, format!("{from} -> {to}"), message)
    });
    found.collect()
}
