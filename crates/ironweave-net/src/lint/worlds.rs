//! What the conditions of the immediate events of one entity type can see: for each path, in which states there is a neighbour.
//!
//! A condition (`all`, `any`, `none`) depends only on which states of the neighbours occur. States that no condition tells apart are
//! one class, so a world is a set of classes for each path. A world has no numbers and no values: a condition on these may hold or not,
//! except that there is no neighbour in a state that does not occur.

use ironweave_schema::{Cardinality, EntityIx, EventIx, Hop, Path};

use crate::{Action, Amount, Inscription, Net, PlaceIx, Tokens};

use super::States;
use super::reach::Reach;

/// The most worlds that are looked at for one entity type.
const WORLDS_MAX: u64 = 1 << 16;

/// An immediate event, as far as it concerns the entity that it is bound to.
pub(super) struct Rule {
    pub event: EventIx,
    /// The states in which the entity enables it.
    pub from: States,
    pub conditions: Vec<Condition>,
    /// Whether it also depends on what a world does not have: values, and candidates of a choice.
    is_open: bool,
}

/// A condition on the neighbours over a path.
pub(super) struct Condition {
    /// The path, by its position in [`Rules::paths`].
    pub path: usize,
    quantifier: Inscription,
    states: States,
    /// The condition on their number, if they are counted.
    amount: Option<Amount>,
}

/// The immediate events of one entity type, in order of their priority.
pub(super) struct Rules {
    pub entity: EntityIx,
    pub rules: Vec<Rule>,
    pub paths: Vec<Vec<Hop>>,
}

impl Rules {
    pub(super) fn of(net: &Net, reach: &Reach<'_>, entity: EntityIx) -> Self {
        let mut rules = Self {
            entity,
            rules: Vec::new(),
            paths: Vec::new(),
        };
        for (event, transition) in EventIx::all(net.transitions.len()).zip(&net.transitions) {
            let is_bound = transition
                .variables
                .first()
                .is_some_and(|v| v.entity == entity);
            let at = event.index();
            if !transition.is_immediate() || !is_bound || reach.blocked[at].is_some() {
                continue;
            }
            let mut conditions = Vec::new();
            for read in &transition.reads {
                if let (Tokens::Entities(path), true) =
                    (&read.tokens, read.inscription != Inscription::Those)
                {
                    let amount = read.amount.clone();
                    rules.add(
                        &mut conditions,
                        path,
                        (read.inscription, amount),
                        &read.places,
                    );
                }
            }
            for arc in &transition.arcs {
                // The runtime takes a move of all neighbours over one edge as a condition, and rejects the step if a longer path
                // does not allow the move.
                let is_near =
                    |path: &Path| arc.inscription != Inscription::Those && path.hops.len() == 1;
                match (&arc.tokens, &arc.action) {
                    (Tokens::Entities(path), Action::Move { from, .. }) if is_near(path) => {
                        rules.add(&mut conditions, path, (Inscription::All, None), from);
                    }
                    _ => {}
                }
            }
            let from = reach.marked_of(&reach.paths[at][0].states);
            rules.rules.push(Rule {
                event,
                from,
                conditions,
                is_open: !transition.choices.is_empty()
                    || !transition.conditions.is_empty()
                    || !transition.guards.is_empty(),
            });
        }
        rules
    }

    fn add(
        &mut self,
        conditions: &mut Vec<Condition>,
        path: &Path,
        (quantifier, amount): (Inscription, Option<Amount>),
        states: &[PlaceIx],
    ) {
        if path.hops.is_empty() || path.root.index() != 0 {
            return;
        }
        let at = self.paths.iter().position(|hops| *hops == path.hops);
        let path = at.unwrap_or_else(|| {
            self.paths.push(path.hops.clone());
            self.paths.len() - 1
        });
        conditions.push(Condition {
            path,
            quantifier,
            states: states.iter().copied().collect(),
            amount,
        });
    }

    /// Returns the worlds of some of the paths, or `None` if these are too many.
    pub(super) fn worlds(
        &self,
        net: &Net,
        reach: &Reach<'_>,
        seen: &[usize],
    ) -> Option<Vec<World>> {
        let mut worlds = vec![World {
            states: vec![None; self.paths.len()],
        }];
        for &path in seen {
            let options = self.options(net, reach, path)?;
            if (worlds.len() * options.len()) as u64 > WORLDS_MAX {
                return None;
            }
            let all = worlds.iter().flat_map(|world| {
                options.iter().map(|option| {
                    let mut world = world.clone();
                    world.states[path] = Some(option.clone());
                    world
                })
            });
            worlds = all.collect();
        }
        Some(worlds)
    }

    /// Returns the sets of states that the neighbours over a path can be in, with one state for each class.
    fn options(&self, net: &Net, reach: &Reach<'_>, path: usize) -> Option<Vec<States>> {
        let hops = &self.paths[path];
        let far = hops.last().map(|hop| net[hop.edge].far(*hop).entity)?;
        let can_link = hops.iter().all(|hop| reach.is_marked(net[hop.edge].place));
        let conditions = self.rules.iter().flat_map(|rule| &rule.conditions);
        let sets: Vec<&States> = conditions
            .filter(|c| c.path == path)
            .map(|c| &c.states)
            .collect();
        let mut classes: Vec<(Vec<bool>, PlaceIx)> = Vec::new();
        for &state in net[far]
            .states
            .iter()
            .filter(|s| can_link && reach.is_marked(**s))
        {
            let class: Vec<bool> = sets.iter().map(|set| set.contains(&state)).collect();
            if classes.iter().all(|(other, _)| *other != class) {
                classes.push((class, state));
            }
        }
        let near = |hop: &Hop| net[hop.edge].near(*hop);
        let is_one = hops
            .iter()
            .all(|hop| near(hop).cardinality != Cardinality::Many);
        let is_never_empty = hops.iter().all(|hop| near(hop).min > 0);
        let sets = 1u64.checked_shl(classes.len() as u32)?;
        if sets > WORLDS_MAX {
            return None;
        }
        let options = (0..sets)
            .filter(|bits| !(is_one && bits.count_ones() > 1 || is_never_empty && *bits == 0))
            .map(|bits| {
                let chosen = classes
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| bits >> i & 1 == 1);
                chosen.map(|(_, (_, state))| *state).collect()
            });
        Some(options.collect())
    }
}

/// In which states there are neighbours, by path; `None` if the path is left open.
#[derive(Clone, Debug)]
pub(super) struct World {
    states: Vec<Option<States>>,
}

impl World {
    /// Returns whether a condition holds, or `None` if its path is left open or that depends on a number.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        let states = self.states[condition.path].as_ref()?;
        let is_none = states.is_disjoint(&condition.states);
        match (condition.quantifier, &condition.amount) {
            (Inscription::Any, _) => Some(!is_none),
            (Inscription::None, _) => Some(is_none),
            (_, None) => Some(states.is_subset(&condition.states)),
            (_, Some(amount)) if is_none => amount.holds(0),
            (_, Some(amount)) => amount.holds_from_one(),
        }
    }

    /// Returns whether all conditions of a rule hold: `Some(true)` for certain, `Some(false)` if one of them does not, and
    /// `None` if that depends on paths that are left open, or on values and numbers.
    pub(super) fn enables(&self, rule: &Rule) -> Option<bool> {
        let mut is_certain = !rule.is_open;
        for condition in &rule.conditions {
            match self.holds(condition) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => is_certain = false,
            }
        }
        is_certain.then_some(true)
    }
}
