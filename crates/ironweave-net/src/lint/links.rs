//! Findings on edges: those that nothing links, counters that nothing reads, and the states in which an entity has a link.

use std::collections::BTreeSet;

use ironweave_schema::{BindBy, Cardinality, EdgeIx, EntityIx, Hop, Path};

use crate::{Action, Inscription, Net, PlaceIx, Tokens, Transition};

use super::reach::{Reach, first_state, states_text};
use super::{Finding, Lint, States, a};

/// The most paths of one event that reach an entity type, of which each subset is looked at.
const PATHS_MAX: usize = 10;

pub(super) fn findings(net: &Net, reach: &Reach<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (ix, edge) in EdgeIx::all(net.edges.len()).zip(&net.edges) {
        if !reach.is_marked(edge.place) {
            let ends = [&edge.from, &edge.to];
            // An entity type that is never created has a finding of its own.
            if ends.iter().all(|end| reach.exists(end.entity)) {
                found.push(never_linked(net, edge.place));
            }
            continue;
        }
        for forward in [true, false] {
            let hop = Hop { edge: ix, forward };
            found.extend(unwatched(net, hop));
            found.extend(linked_in(net, reach, hop));
        }
    }
    found
}

fn never_linked(net: &Net, place: PlaceIx) -> Finding {
    let name = &net[place].name;
    let links = net.transitions.iter().filter(|transition| {
        let arcs = transition.arcs.iter().map(|arc| &arc.action);
        let permits = transition.handler.iter().flat_map(|h| &h.permits);
        arcs.chain(permits)
            .any(|action| action.puts() == Some(place))
    });
    let links: Vec<&str> = links.map(|transition| &*transition.name).collect();
    let why = match links.is_empty() {
        true => "no event links entities by it".to_owned(),
        false => format!(
            "{} would link entities by it, but can never do so",
            links.join(", ")
        ),
    };
    let message = format!("{name} never has a link: {why}");
    Finding::certain(Lint::EdgeNeverLinked, name, message)
}

fn unwatched(net: &Net, hop: Hop) -> Option<Finding> {
    let end = net[hop.edge].near(hop);
    let is_read = net.transitions.iter().flat_map(|t| &t.reads).any(|read| {
        let is_condition = matches!(
            read.inscription,
            Inscription::All | Inscription::Any | Inscription::None | Inscription::Counted
        );
        match &read.tokens {
            Tokens::Entities(path) => is_condition && path.hops.last() == Some(&hop),
            Tokens::Links { .. } => false,
        }
    });
    let is_seen = net.invariants.iter().any(|rule| rule.via.contains(&hop));
    if !end.counted || is_read || is_seen {
        return None;
    }
    let name = format!("{}.{}", net[end.entity].name, end.name);
    let message = format!(
        "{name} is counted, and no `when` or invariant of the model reads it: only the code of the program can, with `{}_in`",
        end.name
    );
    Some(Finding {
        certainty: super::Certainty::Net,
        ..Finding::certain(Lint::CounterUnwatched, name, message)
    })
}

/// What is known of an entity: its state, and whether it has a link.
type Known = (PlaceIx, bool);

/// Says in which states an entity certainly has a link over a hop, and in which it certainly has none.
fn linked_in(net: &Net, reach: &Reach<'_>, hop: Hop) -> Option<Finding> {
    let end = net[hop.edge].near(hop);
    if end.min > 0 {
        return None;
    }
    let known = Links { net, reach, hop }.known()?;
    let of = |linked: bool| -> States {
        let states = net[end.entity].states.iter().copied();
        let occurs = |state: &PlaceIx, is| known.contains(&(*state, is));
        states
            .filter(|s| occurs(s, linked) && !occurs(s, !linked))
            .collect()
    };
    let (with, without) = (of(true), of(false));
    if with.is_empty() {
        return None;
    }
    let name = &net[end.entity].name;
    let states: BTreeSet<PlaceIx> = known.iter().map(|(state, _)| *state).collect();
    let with_text = states_text(net, &with);
    let kind = a(name);
    let message = if with.len() == states.len() {
        format!("{kind} always has a link `{}`", end.name)
    } else if with.len() + without.len() == states.len() {
        format!(
            "{kind} has a link `{}` exactly if it is in {with_text}",
            end.name
        )
    } else {
        format!("{kind} in {with_text} always has a link `{}`", end.name)
    };
    let subject = format!("{name}.{}", end.name);
    Some(Finding::certain(Lint::LinkedInStates, subject, message))
}

/// An abstract interpretation of the net for one entity and one of its ends. Whatever an event does to the entity follows
/// from the paths by which it reaches the entity, and each set of paths is possible.
struct Links<'a> {
    net: &'a Net,
    reach: &'a Reach<'a>,
    hop: Hop,
}

impl Links<'_> {
    /// Returns what can be known of an entity at the end of an event, or `None` if an event has too many paths.
    fn known(&self) -> Option<BTreeSet<Known>> {
        let mut known = BTreeSet::new();
        loop {
            let mut next = known.clone();
            for at in 0..self.net.transitions.len() {
                if self.reach.blocked[at].is_none() {
                    next.extend(self.after(at, &known)?);
                }
            }
            if next == known {
                return Some(known);
            }
            known = next;
        }
    }

    fn entity(&self) -> EntityIx {
        self.net[self.hop.edge].near(self.hop).entity
    }

    /// Returns what is known of an entity after an event.
    fn after(&self, at: usize, known: &BTreeSet<Known>) -> Option<BTreeSet<Known>> {
        let transition = &self.net.transitions[at];
        let paths: Vec<&Path> = (self.reach.paths[at].iter())
            .map(|of| &of.path)
            .filter(|path| self.net.reached(transition, path) == self.entity())
            .collect();
        if paths.len() > PATHS_MAX {
            return None;
        }
        let mut after = BTreeSet::new();
        for bits in 0..1u32 << paths.len() {
            let by = paths.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
            let by: Vec<&Path> = by.map(|(_, path)| *path).collect();
            let created =
                |path: &&&Path| path.hops.is_empty() && transition[path.root].by == BindBy::Created;
            match (by.iter().find(created), by.len()) {
                (Some(path), 1) => {
                    let first = first_state(self.net, transition, path);
                    after.extend(
                        first
                            .into_iter()
                            .flat_map(|s| self.changed(at, &by, (s, false))),
                    );
                    continue;
                }
                // Another path does not reach what the event creates.
                (Some(_), _) => continue,
                _ => {}
            }
            let is_ensured =
                |path: &&Path| path.hops.is_empty() && transition[path.root].by == BindBy::Ensure;
            if !by.is_empty() && by.iter().all(is_ensured) {
                let first = self.net[self.entity()].initial;
                if self.permits(at, &by, (first, false)) {
                    after.extend(self.changed(at, &by, (first, false)));
                }
            }
            for &of in known.iter().filter(|of| self.permits(at, &by, **of)) {
                after.extend(self.changed(at, &by, of));
            }
        }
        if let Some(handler) = &transition.handler {
            self.handle(&handler.permits, &mut after);
        }
        // An event that leaves too few links is rejected.
        let end = self.net[self.hop.edge].near(self.hop);
        after.retain(|(_, is_linked)| *is_linked || end.min == 0);
        Some(after)
    }

    /// Returns whether an event can reach an entity by these paths.
    fn permits(&self, at: usize, by: &[&Path], (state, is_linked): Known) -> bool {
        let back = Hop {
            forward: !self.hop.forward,
            ..self.hop
        };
        by.iter().all(|path| {
            let states = self.reach.path(at, path).map(|of| &of.states);
            // An entity that is reached over the edge has a link, and so has one that is chosen among these.
            let chosen = self.net.transitions[at].choice(path.root);
            let from = chosen.and_then(|choice| choice.from.as_ref());
            let last = match path.hops.last() {
                None => from.and_then(|from| from.hops.last()),
                last => last,
            };
            let is_linked_by_path = last != Some(&back);
            let has_neighbour = self.reach.paths[at].iter().all(|of| {
                let is_over = of.path.root == path.root
                    && of.path.hops.len() == path.hops.len() + 1
                    && of.path.hops.starts_with(&path.hops)
                    && of.path.hops.last() == Some(&self.hop);
                // Only of one entity it is certain that it is the one with the neighbour.
                !(is_over && self.is_one(at, path)) || of.any.is_empty() || is_linked
            });
            states.is_none_or(|states| states.contains(&state))
                && (is_linked_by_path || is_linked)
                && has_neighbour
        })
    }

    fn is_one(&self, at: usize, path: &Path) -> bool {
        path.hops.is_empty() && self.net.transitions[at][path.root].count != Cardinality::Many
    }

    /// Returns what is known of an entity after the arcs of an event that reaches it by these paths. Nothing, if it is deleted or the
    /// event is rejected.
    fn changed(&self, at: usize, by: &[&Path], (state, is_linked): Known) -> Vec<Known> {
        let transition = &self.net.transitions[at];
        let mut links = BTreeSet::from([is_linked]);
        // Arcs act in this order.
        for kind in [is_unlink, is_relink, is_link] {
            for arc in transition.arcs.iter().filter(|arc| kind(&arc.action)) {
                self.link(at, &arc.action, &arc.tokens, by, &mut links);
            }
        }
        let mut targets = Vec::new();
        for arc in &transition.arcs {
            let Tokens::Entities(path) = &arc.tokens else {
                continue;
            };
            let is_reached = by.contains(&path);
            match &arc.action {
                Action::Move { from, to } if is_reached && from.contains(&state) => {
                    targets.push(*to);
                }
                Action::Delete { .. } if is_reached => return Vec::new(),
                _ => {}
            }
        }
        let state = match targets[..] {
            [] => state,
            [to] => to,
            // Two moves of one entity are rejected.
            _ => return Vec::new(),
        };
        links
            .into_iter()
            .map(|is_linked| (state, is_linked))
            .collect()
    }

    /// Applies an arc to whether the entity is linked.
    fn link(
        &self,
        at: usize,
        action: &Action,
        tokens: &Tokens,
        by: &[&Path],
        links: &mut BTreeSet<bool>,
    ) {
        let opposite = self.net[self.hop.edge].far(self.hop);
        let (near, hop, far) = match tokens {
            Tokens::Links { near, hop, far } if hop.edge == self.hop.edge => (near, *hop, far),
            _ => return,
        };
        let (mine, others) = match hop == self.hop {
            true => (Some(near), far.as_ref()),
            false => (far.as_ref(), Some(near)),
        };
        let is_mine = mine.is_none_or(|path| by.contains(&path));
        match action {
            Action::Unlink { .. } => {
                // All of its links are removed if the other side is all that it leads to.
                let all = mine.is_some_and(|mine| {
                    let mut path = mine.clone();
                    path.hops.push(self.hop);
                    is_mine && hop == self.hop && far.as_ref().is_none_or(|far| *far == path)
                });
                if all {
                    links.clear();
                }
                if is_mine {
                    links.insert(false);
                }
            }
            Action::Link { .. } | Action::Relink { .. } => {
                if is_mine {
                    let other = others.and_then(|path| self.reach.path(at, path));
                    if other.is_some_and(|other| other.is_never_empty) {
                        links.clear();
                    }
                    links.insert(true);
                }
                // Another entity may take over the linked one.
                let is_taken = opposite.cardinality != Cardinality::Many;
                let transition = &self.net.transitions[at];
                let is_only = relinks(transition, self.net[self.hop.edge].place) == 1;
                if matches!(action, Action::Relink { .. }) && is_taken && !(is_mine && is_only) {
                    links.insert(false);
                }
            }
            _ => {}
        }
    }

    /// Adds what a handler can make of entities, in any order and any number of times.
    fn handle(&self, permits: &[Action], known: &mut BTreeSet<Known>) {
        let place = self.net[self.hop.edge].place;
        let opposite = self.net[self.hop.edge].far(self.hop);
        loop {
            let mut next = known.clone();
            for action in permits {
                match action {
                    Action::Create { to } | Action::Ensure { to }
                        if self.net[*to].entity() == Some(self.entity()) =>
                    {
                        next.insert((*to, false));
                    }
                    Action::Move { from, to } => {
                        let moved = known.iter().filter(|(state, _)| from.contains(state));
                        next.extend(moved.map(|(_, is_linked)| (*to, *is_linked)));
                    }
                    Action::Link { edge } | Action::Relink { edge } if *edge == place => {
                        next.extend(known.iter().map(|(state, _)| (*state, true)));
                        let is_relink = matches!(action, Action::Relink { .. });
                        if is_relink && opposite.cardinality != Cardinality::Many {
                            next.extend(known.iter().map(|(state, _)| (*state, false)));
                        }
                    }
                    Action::Unlink { edge } if *edge == place => {
                        next.extend(known.iter().map(|(state, _)| (*state, false)));
                    }
                    _ => {}
                }
            }
            if next == *known {
                return;
            }
            *known = next;
        }
    }
}

fn is_unlink(action: &Action) -> bool {
    matches!(action, Action::Unlink { .. })
}

fn is_relink(action: &Action) -> bool {
    matches!(action, Action::Relink { .. })
}

fn is_link(action: &Action) -> bool {
    matches!(action, Action::Link { .. })
}

/// Returns how many arcs of a transition relink an edge.
fn relinks(transition: &Transition, place: PlaceIx) -> usize {
    let arcs = transition.arcs.iter().map(|arc| &arc.action);
    arcs.filter(|action| matches!(action, Action::Relink { edge } if *edge == place))
        .count()
}
