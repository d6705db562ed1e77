//! What can happen in a net, in an abstraction that allows more than the net does: a place is marked if it can ever have a token, and
//! a marked place is assumed to have as many tokens as a transition needs. The places and transitions that remain are the
//! largest siphon without a token initially, and what it blocks. A fixed point; O(places * size of the net).

use ironweave_schema::{BindBy, Cardinality, Path};

use crate::{
    Action, Arc, Choice, Inscription, Net, PlaceIx, PlaceKind, Tokens, Transition, Variable,
};

use super::{States, a};

/// The places and transitions of a net that can ever have a token or fire.
pub(super) struct Reach<'n> {
    pub(super) net: &'n Net,
    /// By place, whether it can have a token.
    pub marked: Vec<bool>,
    /// By transition, why it can never fire.
    pub blocked: Vec<Option<String>>,
    /// By transition, what it requires of the entities that its paths reach.
    pub paths: Vec<Vec<PathUse>>,
}

/// What a transition requires of the entities that a path reaches.
#[derive(Debug)]
pub(super) struct PathUse {
    pub path: Path,
    /// Each of them is in one of these states.
    pub states: States,
    /// At least one of them is in one of these states, for each of the sets.
    pub any: Vec<States>,
    /// Whether the path reaches an entity whenever the transition fires.
    pub is_never_empty: bool,
}

impl<'n> Reach<'n> {
    pub(super) fn of(net: &'n Net) -> Self {
        let paths: Vec<_> = net.transitions.iter().map(|t| paths(net, t)).collect();
        let mut reach = Self {
            net,
            marked: vec![false; net.places.len()],
            blocked: vec![None; net.transitions.len()],
            paths,
        };
        while reach.mark() {}
        reach.blocked = (0..net.transitions.len()).map(|t| reach.why(t)).collect();
        reach
    }

    /// Marks what the transitions that can fire put tokens to. Returns whether a place became marked.
    fn mark(&mut self) -> bool {
        let mut puts = Vec::new();
        for (at, transition) in self.net.transitions.iter().enumerate() {
            if self.why(at).is_some() {
                continue;
            }
            let arcs = transition.arcs.iter().filter(|arc| self.acts(at, arc));
            puts.extend(arcs.filter_map(|arc| arc.action.puts()));
            let permits = transition.handler.iter().flat_map(|h| &h.permits);
            puts.extend(permits.filter(|a| self.can(a)).filter_map(Action::puts));
        }
        let mut changed = false;
        for place in puts {
            changed |= !std::mem::replace(&mut self.marked[place.0 as usize], true);
        }
        changed
    }

    pub(super) fn is_marked(&self, place: PlaceIx) -> bool {
        self.marked[place.0 as usize]
    }

    /// Returns the states of a set in which an entity can be.
    pub(super) fn marked_of(&self, states: &States) -> States {
        states
            .iter()
            .copied()
            .filter(|s| self.is_marked(*s))
            .collect()
    }

    /// Returns what a transition requires of a path.
    pub(super) fn path(&self, transition: usize, path: &Path) -> Option<&PathUse> {
        self.paths[transition].iter().find(|of| of.path == *path)
    }

    /// Returns the states from which an arc of a transition moves or deletes entities.
    pub(super) fn from(&self, transition: usize, arc: &Arc) -> States {
        let (Tokens::Entities(path), Action::Move { from, .. } | Action::Delete { from }) =
            (&arc.tokens, &arc.action)
        else {
            return States::new();
        };
        let from: States = from.iter().copied().collect();
        let from = match self.path(transition, path) {
            Some(of) => of.states.intersection(&from).copied().collect(),
            None => from,
        };
        self.marked_of(&from)
    }

    /// Returns whether a path can reach an entity before the arcs of a transition act.
    pub(super) fn may_reach(&self, transition: usize, path: &Path) -> bool {
        // Nothing is linked with a new entity then.
        let root = &self.net.transitions[transition][path.root];
        let is_late = root.by == BindBy::Created && !path.hops.is_empty();
        !is_late && self.may_reach_later(transition, path)
    }

    /// Returns whether a path can reach an entity when the arcs of a transition have linked entities.
    fn may_reach_later(&self, transition: usize, path: &Path) -> bool {
        let root = &self.net.transitions[transition][path.root];
        let of = Path {
            root: path.root,
            hops: Vec::new(),
        };
        let states = self.path(transition, &of).map(|of| &of.states);
        let exists = root.by == BindBy::Created
            || states.is_none_or(|states| !self.marked_of(states).is_empty());
        let mut edges = path.hops.iter().map(|hop| self.net[hop.edge].place);
        exists && edges.all(|edge| self.is_marked(edge))
    }

    /// Returns whether an arc of a transition that fires can change anything.
    pub(super) fn acts(&self, transition: usize, arc: &Arc) -> bool {
        // What a deletion implies follows when links have been made.
        let reaches = |path: &Path| match arc.implied {
            true => self.may_reach_later(transition, path),
            false => self.may_reach(transition, path),
        };
        match (&arc.action, &arc.tokens) {
            (Action::Create { .. } | Action::Ensure { .. }, _) => true,
            (Action::Move { .. }, Tokens::Entities(path)) => {
                reaches(path) && !self.from(transition, arc).is_empty()
            }
            (
                Action::Unlink { edge } | Action::SetLink { edge },
                Tokens::Links { near, far, .. },
            ) => self.is_marked(*edge) && reaches(near) && far.as_ref().is_none_or(reaches),
            (_, Tokens::Links { near, far, .. }) => {
                reaches(near) && far.as_ref().is_none_or(reaches)
            }
            (Action::Set { state, .. }, Tokens::Entities(path)) => {
                reaches(path) && state.is_none_or(|state| self.is_marked(state))
            }
            (_, Tokens::Entities(path)) => reaches(path),
        }
    }

    /// Returns whether a handler can ever make a change that it is permitted.
    pub(super) fn can(&self, action: &Action) -> bool {
        match action {
            Action::Move { from, .. } | Action::Delete { from } => {
                from.iter().any(|s| self.is_marked(*s))
            }
            Action::Unlink { edge } | Action::SetLink { edge } => self.is_marked(*edge),
            Action::Link { edge } | Action::Relink { edge } => {
                let ends = self.net[*edge].edge().map(|edge| &self.net[edge]);
                ends.is_some_and(|e| [&e.from, &e.to].iter().all(|end| self.exists(end.entity)))
            }
            Action::Set { state, .. } => state.is_none_or(|s| self.is_marked(s)),
            Action::Create { .. } | Action::Ensure { .. } => true,
        }
    }

    /// Returns whether there can be an entity of a type.
    pub(super) fn exists(&self, entity: crate::EntityIx) -> bool {
        self.net[entity].states.iter().any(|s| self.is_marked(*s))
    }

    /// Returns whether a transition can choose an entity for a variable that it has just created.
    fn may_choose_new(&self, at: usize, of: &PathUse) -> bool {
        let transition = &self.net.transitions[at];
        let choice = transition.choice(of.path.root);
        let entity = transition[of.path.root].entity;
        let all = (0u16..).zip(&transition.variables);
        let new = all.filter(|(_, v)| v.entity == entity && is_new(v));
        let mut first = new.filter_map(|(root, _)| {
            let path = Path {
                root: root.into(),
                hops: Vec::new(),
            };
            first_state(self.net, transition, &path)
        });
        choice.is_some_and(|choice| choice.from.is_none())
            && first.any(|state| of.states.contains(&state))
    }

    /// Returns why a transition cannot fire with the places that are marked so far, or `None` if it can.
    fn why(&self, at: usize) -> Option<String> {
        let net = self.net;
        let transition = &net.transitions[at];
        for of in &self.paths[at] {
            let entity = net.reached(transition, &of.path);
            let (name, text) = (&net[entity].name, net.path_text(transition, &of.path));
            let root = &transition[of.path.root];
            if of.path.hops.is_empty() && is_new(root) {
                let first = first_state(net, transition, &of.path);
                let is_possible = first.is_some_and(|s| of.states.contains(&s));
                let exists = root.by == BindBy::Ensure && !self.marked_of(&of.states).is_empty();
                if of.is_never_empty && !is_possible && !exists {
                    let states = states_text(net, &of.states);
                    return Some(format!("a new `{text}` is not in {states}, as it requires"));
                }
                continue;
            }
            if of.path.hops.is_empty() && self.may_choose_new(at, of) {
                continue;
            }
            if of.is_never_empty {
                if !self.exists(entity) {
                    return Some(format!("it needs {}, and none is ever created", a(name)));
                }
                if of.states.is_empty() {
                    return Some(format!("its conditions on `{text}` exclude each other"));
                }
                if self.marked_of(&of.states).is_empty() {
                    let states = states_text(net, &of.states);
                    return Some(format!(
                        "it needs `{text}` in {states}, where no {name} ever is"
                    ));
                }
                // A link that must be there can be made only together with the entity.
                if !self.may_reach(at, &of.path) {
                    return Some(format!("it needs `{text}`, which is never linked"));
                }
            }
            for any in &of.any {
                let states = states_text(net, any);
                let both: States = any.intersection(&of.states).copied().collect();
                if both.is_empty() {
                    return Some(format!("its conditions on `{text}` exclude each other"));
                }
                if !self.may_reach(at, &of.path) {
                    return Some(format!("it needs one of `{text}`, and there never is one"));
                }
                if self.marked_of(&both).is_empty() {
                    return Some(format!(
                        "it needs one of `{text}` in {states}, where no {name} ever is"
                    ));
                }
            }
        }
        if let Some(why) = self.never_enough(at) {
            return Some(why);
        }
        transition.arcs.iter().find_map(|arc| {
            let (Action::SetLink { edge }, Tokens::Links { near, far, .. }) =
                (&arc.action, &arc.tokens)
            else {
                return None;
            };
            let paths = [Some(near), far.as_ref()].into_iter().flatten();
            let required = paths
                .map(|path| self.path(at, path))
                .all(|of| of.is_some_and(|of| of.is_never_empty));
            let own = transition
                .arcs
                .iter()
                .any(|arc| arc.action.puts() == Some(*edge));
            (required && !own && !self.is_marked(*edge)).then(|| {
                let name = &net[*edge].name;
                format!("it sets the data of a link of {name}, and no event makes one")
            })
        })
    }
}

/// Returns whether the entity that a variable is bound to may be a new one.
pub(super) fn is_new(variable: &Variable) -> bool {
    matches!(variable.by, BindBy::Created | BindBy::Ensure)
}

/// Returns the state in which a transition creates the entity of a variable, if it does.
pub(super) fn first_state(net: &Net, transition: &Transition, path: &Path) -> Option<PlaceIx> {
    let variable = &transition[path.root];
    if variable.by == BindBy::Ensure {
        return Some(net[variable.entity].initial);
    }
    transition
        .arcs
        .iter()
        .find_map(|arc| match (&arc.action, &arc.tokens) {
            (Action::Create { to }, Tokens::Entities(of)) if of.root == path.root => Some(*to),
            _ => None,
        })
}

pub(super) fn states_text(net: &Net, states: &States) -> String {
    let states: Vec<PlaceIx> = states.iter().copied().collect();
    net.states_text(&states)
}

/// Returns what a transition requires of each path that it names.
fn paths(net: &Net, transition: &Transition) -> Vec<PathUse> {
    let mut paths = Paths {
        net,
        transition,
        all: Vec::new(),
    };
    for (root, _) in (0u16..).zip(&transition.variables) {
        let root = root.into();
        paths.of(&Path {
            root,
            hops: Vec::new(),
        });
    }
    for read in &transition.reads {
        let Some(of) = paths.tokens(&read.tokens) else {
            continue;
        };
        let places: States = read.places.iter().copied().collect();
        match read.inscription {
            Inscription::Bound | Inscription::Each | Inscription::All | Inscription::Chosen => {
                of.states.retain(|s| places.contains(s));
            }
            Inscription::None => of.states.retain(|s| !places.contains(s)),
            Inscription::Any => of.any.push(places),
            Inscription::Counted => match &read.amount {
                Some(amount) if amount.requires_one() => of.any.push(places),
                Some(amount) if amount.requires_none() => of.states.retain(|s| !places.contains(s)),
                _ => {}
            },
            Inscription::Those => {}
        }
    }
    for path in transition.choices.iter().filter_map(|c| c.from.as_ref()) {
        paths.of(path);
    }
    // An immediate event is enabled only for an entity that it moves.
    let mut moved = States::new();
    for arc in &transition.arcs {
        let Some(of) = paths.tokens(&arc.tokens) else {
            continue;
        };
        if let Action::Move { from, .. } = &arc.action {
            if of.path.root.index() == 0 && of.path.hops.is_empty() {
                moved.extend(from);
            }
            if arc.inscription != Inscription::Those {
                of.states.retain(|s| from.contains(s));
            }
        }
    }
    if let (true, Some(of)) = (transition.is_immediate(), paths.all.first_mut()) {
        of.states.retain(|s| moved.contains(s));
    }
    paths.all
}

struct Paths<'n> {
    net: &'n Net,
    transition: &'n Transition,
    all: Vec<PathUse>,
}

impl Paths<'_> {
    /// Returns the use of the path of entities, and adds the paths of links.
    fn tokens(&mut self, tokens: &Tokens) -> Option<&mut PathUse> {
        match tokens {
            Tokens::Entities(path) => Some(self.of(path)),
            Tokens::Links { near, far, .. } => {
                self.of(near);
                if let Some(far) = far {
                    self.of(far);
                }
                None
            }
        }
    }

    fn of(&mut self, path: &Path) -> &mut PathUse {
        let at = self.all.iter().position(|of| of.path == *path);
        let at = at.unwrap_or_else(|| {
            let entity = self.net.reached(self.transition, path);
            let is_created = self.transition[path.root].by == BindBy::Created;
            let states = match first_state(self.net, self.transition, path) {
                Some(first) if is_created && path.hops.is_empty() => States::from([first]),
                _ => self.net[entity].states.iter().copied().collect(),
            };
            self.all.push(PathUse {
                path: path.clone(),
                states,
                any: Vec::new(),
                is_never_empty: self.is_never_empty(path),
            });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    fn is_never_empty(&self, path: &Path) -> bool {
        let root = &self.transition[path.root];
        let chosen = self.transition.choice(path.root);
        (root.count == Cardinality::One || chosen.is_some_and(Choice::requires_one))
            && (path.hops.is_empty()
                || existed(self.transition, root)
                    && path
                        .hops
                        .iter()
                        .all(|hop| self.net[hop.edge].near(*hop).min > 0))
    }
}

/// Returns whether the entity that a variable is bound to certainly existed before the event, so that its edges have as many links as
/// they must.
pub(super) fn existed(transition: &Transition, variable: &Variable) -> bool {
    let others = || transition.variables.iter();
    let is_same = |v: &Variable| v.entity == variable.entity;
    match variable.by {
        BindBy::Handle | BindBy::Token(_) => true,
        // A key may be that of an entity that the event has just created.
        BindBy::Key => !others().any(|v| v.by == BindBy::Ensure && is_same(v)),
        // The event creates entities before it chooses.
        BindBy::Chosen => !others().any(|v| is_new(v) && is_same(v)),
        BindBy::Ensure | BindBy::Created => false,
    }
}

impl Net {
    /// Returns whether a place is a terminal state.
    pub(super) fn is_terminal(&self, place: PlaceIx) -> bool {
        matches!(self[place].kind, PlaceKind::State { terminal: true, .. })
    }
}
