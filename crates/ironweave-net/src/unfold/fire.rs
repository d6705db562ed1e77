//! The execution of one event on what is known of a marking, in the stages of the runtime.
//!
//! 1. Its variables are bound, and entities are created.
//! 2. Its conditions are evaluated, its paths are followed, and the states that its arcs require are checked.
//! 3. Its arcs act: unlink, relink, link, moves, delete.
//! 4. The numbers of links and acyclic edges are checked.
//!
//! A requirement that does not hold ends the execution without a transition.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{BindBy, Cardinality, EdgeIx, EntityIx, Hop, OnDelete, Path};

use super::immediates::Pending;
use super::known::{Known, Stop, pair};
use super::model::{is_condition, state_of, states_of};
use super::states::{FREE, States};
use crate::net::{Action, Arc, Inscription, PlaceIx, Read, Tokens, Transition, Variable};

/// The execution of a step: an event of the program, and the immediate events that follow.
pub(super) struct Step<'m> {
    pub known: Known<'m>,
    /// Whether the graph of an acyclic edge is not checked.
    pub ignores_cycles: bool,
    /// The immediate events that may be enabled.
    pub pending: Pending,
    /// The entities that each variable of the event is bound to, as text.
    pub binding: String,
}

/// The slots that an arc acts on: those of its entities, or of the near and far ends of its links.
type Targets = (Vec<u32>, Vec<u32>);

/// The slots of each variable.
pub(super) type Bound = Vec<Vec<u32>>;

impl Step<'_> {
    /// Fires an event of the program with some binding.
    pub(super) fn fire_any(&mut self, transition: &Transition) -> Result<(), Stop> {
        let bound = self.bind(transition)?;
        self.fire(transition, bound)?;
        self.fire_immediates()
    }

    /// Chooses what the variables are bound to.
    fn bind(&mut self, transition: &Transition) -> Result<Bound, Stop> {
        let mut bound = Bound::new();
        // By entity type, the entities that former variables have created.
        let mut new: BTreeMap<EntityIx, Vec<u32>> = BTreeMap::new();
        let mut texts = Vec::new();
        for variable in &transition.variables {
            if matches!(variable.by, BindBy::Created | BindBy::Chosen) {
                continue;
            }
            let new = new.entry(variable.entity).or_default();
            let slots = self.bind_variable(variable, new)?;
            let names = slots.iter().map(|slot| {
                let at = new.iter().position(|new| new == slot);
                at.map_or_else(|| slot.to_string(), |at| format!("new{at}"))
            });
            let names: Vec<String> = names.collect();
            let text = match (variable.count, names.is_empty()) {
                (Cardinality::Many, _) => format!("{{{}}}", names.join(",")),
                (_, true) => "none".to_owned(),
                (_, false) => names.join(","),
            };
            texts.push(format!("{}={text}", variable.name));
            bound.push(slots);
        }
        self.binding = texts.join(",");
        Ok(bound)
    }

    /// Chooses what a variable is bound to. `new` are the entities of its type that the event has created.
    fn bind_variable(&mut self, variable: &Variable, new: &mut Vec<u32>) -> Result<Vec<u32>, Stop> {
        let entity = variable.entity;
        let by_key = matches!(variable.by, BindBy::Ensure | BindBy::Key);
        let old = (0..self.known.model.slots(entity)).filter(|slot| !new.contains(slot));
        let mut candidates: Vec<u32> = old.collect();
        // A handle of an entity that the event creates does not exist before.
        if by_key {
            candidates.extend_from_slice(new);
        }
        let alive = self.known.model.alive(entity);
        let may_create = variable.by == BindBy::Ensure;
        let mut slots = Vec::new();
        if variable.count == Cardinality::Many {
            for slot in candidates {
                if self.known.choices.choose(2) == 1 {
                    self.known.require(entity, slot, alive)?;
                    slots.push(slot);
                }
            }
            while may_create && self.known.choices.choose(2) == 1 {
                slots.push(self.ensure(entity, new)?);
            }
            return Ok(slots);
        }
        let none = usize::from(variable.count == Cardinality::Option);
        let of = candidates.len() + usize::from(may_create) + none;
        if of == 0 {
            return Err(Stop::Rejected);
        }
        match self.known.choices.choose(of) {
            at if at < candidates.len() => {
                self.known.require(entity, candidates[at], alive)?;
                slots.push(candidates[at]);
            }
            at if may_create && at == candidates.len() => slots.push(self.ensure(entity, new)?),
            _ => {}
        }
        Ok(slots)
    }

    /// Creates the entity of an `Ensure` whose key no entity has.
    fn ensure(&mut self, entity: EntityIx, new: &mut Vec<u32>) -> Result<u32, Stop> {
        let slot = self.create(entity, self.known.model.net[entity].initial)?;
        new.push(slot);
        Ok(slot)
    }

    fn create(&mut self, entity: EntityIx, state: PlaceIx) -> Result<u32, Stop> {
        let slot = self.known.take_slot(entity)?;
        self.known.slots[entity.index()][slot as usize].generation += 1;
        let state = state_of(self.known.model.net, state).unwrap_or(FREE);
        self.known.set_state(entity, slot, state)?;
        self.wake(entity, slot);
        Ok(slot)
    }

    /// Fires an event whose fields are bound. Returns the entities that its `create` arcs have created.
    pub(super) fn fire(
        &mut self,
        transition: &Transition,
        mut bound: Bound,
    ) -> Result<Vec<(EntityIx, u32)>, Stop> {
        let mut created = Vec::new();
        for arc in &transition.arcs {
            if let Action::Create { to } = &arc.action {
                let entity = self.known.model.net[*to].entity().unwrap_or_default();
                let slot = self.create(entity, *to)?;
                bound.push(vec![slot]);
                created.push((entity, slot));
            }
        }
        for choice in &transition.choices {
            let chosen = self.choose(transition, choice, &bound)?;
            bound.push(chosen.ok_or(Stop::Rejected)?);
        }
        self.check_reads(transition, &bound)?;
        let targets = self.targets(transition, &bound)?;
        self.check_meetings(transition, &targets)?;
        self.check_competing(transition, &targets)?;
        self.act(transition, &targets)?;
        self.check_bounds()?;
        Ok(created)
    }

    /// The slots that a path leads to, in order.
    pub(super) fn reach(&mut self, path: &Path, bound: &Bound) -> Result<Vec<u32>, Stop> {
        let mut slots = bound[path.root.index()].clone();
        for hop in &path.hops {
            let mut next = BTreeSet::new();
            for slot in slots {
                next.extend(self.known.far(*hop, slot)?);
            }
            slots = next.into_iter().collect();
        }
        Ok(slots)
    }

    pub(super) fn reached(&self, transition: &Transition, path: &Path) -> EntityIx {
        self.known.model.net.reached(transition, path)
    }

    /// Checks the conditions, and the states that arcs and tokens require.
    fn check_reads(&mut self, transition: &Transition, bound: &Bound) -> Result<(), Stop> {
        // What is required of the bound entities comes first, since it makes no choices.
        for arc in &transition.arcs {
            if let Tokens::Entities(path) = &arc.tokens
                && path.hops.is_empty()
                && matches!(arc.action, Action::Move { .. })
                && arc.inscription != Inscription::Those
            {
                let slots = bound[path.root.index()].clone();
                self.acted_on(arc, self.reached(transition, path), slots)?;
            }
        }
        let is_first = |read: &&Read| {
            let is_root = matches!(&read.tokens, Tokens::Entities(path) if path.hops.is_empty());
            is_root && !is_condition(read.inscription)
        };
        let (first, later): (Vec<&Read>, Vec<&Read>) = transition.reads.iter().partition(is_first);
        for read in first.into_iter().chain(later) {
            let (Tokens::Entities(path), false) =
                (&read.tokens, read.inscription == Inscription::Those)
            else {
                continue;
            };
            if read.inscription == Inscription::Counted {
                if !self.is_met(transition, read, path, bound)? {
                    return Err(Stop::Rejected);
                }
                continue;
            }
            let entity = self.reached(transition, path);
            let states = states_of(self.known.model.net, &read.places);
            let slots = self.reach(path, bound)?;
            self.check(entity, &slots, states, read.inscription)?;
        }
        Ok(())
    }

    /// Checks that all, any or none of some slots are in some states.
    fn check(
        &mut self,
        entity: EntityIx,
        slots: &[u32],
        states: States,
        inscription: Inscription,
    ) -> Result<(), Stop> {
        match inscription {
            Inscription::Any => {
                for slot in slots {
                    if self.known.is_in(entity, *slot, states)? {
                        return Ok(());
                    }
                }
                Err(Stop::Rejected)
            }
            Inscription::None => {
                let others = self.known.model.alive(entity).without(states);
                (slots.iter()).try_for_each(|slot| self.known.require(entity, *slot, others))
            }
            _ => (slots.iter()).try_for_each(|slot| self.known.require(entity, *slot, states)),
        }
    }

    /// The slots that each arc acts on.
    fn targets(&mut self, transition: &Transition, bound: &Bound) -> Result<Vec<Targets>, Stop> {
        let mut targets = Vec::with_capacity(transition.arcs.len());
        for arc in &transition.arcs {
            if arc.implied || matches!(arc.action, Action::Create { .. } | Action::Ensure { .. }) {
                targets.push((Vec::new(), Vec::new()));
                continue;
            }
            targets.push(match &arc.tokens {
                Tokens::Links { near, far, .. } => {
                    let near = self.reach(near, bound)?;
                    let far = far.as_ref().map(|far| self.reach(far, bound));
                    (near, far.transpose()?.unwrap_or_default())
                }
                Tokens::Entities(path) => {
                    let slots = self.reach(path, bound)?;
                    let entity = self.reached(transition, path);
                    (self.acted_on(arc, entity, slots)?, Vec::new())
                }
            });
        }
        Ok(targets)
    }

    /// Checks that the entities of an arc are in its source states, or keeps only those that are.
    fn acted_on(
        &mut self,
        arc: &Arc,
        entity: EntityIx,
        mut slots: Vec<u32>,
    ) -> Result<Vec<u32>, Stop> {
        let net = self.known.model.net;
        let states = match &arc.action {
            Action::Move { from, .. } => states_of(net, from),
            Action::Set {
                state: Some(state), ..
            } => states_of(net, &[*state]),
            _ => return Ok(slots),
        };
        if arc.inscription != Inscription::Those {
            self.check(entity, &slots, states, Inscription::Each)?;
            return Ok(slots);
        }
        let mut kept = Vec::new();
        for slot in slots.drain(..) {
            if self.known.is_in(entity, slot, states)? {
                kept.push(slot);
            }
        }
        Ok(kept)
    }

    /// Two moves of one entity, a move and a deletion of it, and two sets of one field of it reject the event.
    fn check_meetings(&self, transition: &Transition, targets: &[Targets]) -> Result<(), Stop> {
        let net = self.known.model.net;
        let mut moved = BTreeSet::new();
        let mut set = BTreeSet::new();
        for (arc, (slots, _)) in transition.arcs.iter().zip(targets) {
            let is_new = |slot: &u32| match &arc.action {
                Action::Move { to, .. } => moved.insert((net[*to].entity(), *slot)),
                Action::Set {
                    entity,
                    state,
                    field,
                } => set.insert((*entity, *state, field, *slot)),
                _ => true,
            };
            if !slots.iter().all(is_new) {
                return Err(Stop::Rejected);
            }
        }
        for (arc, (slots, _)) in transition.arcs.iter().zip(targets) {
            if let Action::Delete { from } = &arc.action {
                let entity = from.first().and_then(|place| net[*place].entity());
                if slots.iter().any(|slot| moved.contains(&(entity, *slot))) {
                    return Err(Stop::Rejected);
                }
            }
        }
        Ok(())
    }

    /// An event that links several entities at an end that holds one is rejected.
    fn check_competing(&self, transition: &Transition, targets: &[Targets]) -> Result<(), Stop> {
        let mut linked: BTreeMap<(EdgeIx, bool, u32), u32> = BTreeMap::new();
        for (arc, (near, far)) in transition.arcs.iter().zip(targets) {
            let (Action::Link { .. } | Action::Relink { .. }, Tokens::Links { hop, .. }) =
                (&arc.action, &arc.tokens)
            else {
                continue;
            };
            for (near, far) in pairs(near, far) {
                let ends = [(hop.forward, near, far), (!hop.forward, far, near)];
                for (forward, slot, other) in ends {
                    let is_other = self.holds_one(Hop { forward, ..*hop })
                        && *linked.entry((hop.edge, forward, slot)).or_insert(other) != other;
                    if is_other {
                        return Err(Stop::Rejected);
                    }
                }
            }
        }
        Ok(())
    }

    fn holds_one(&self, hop: Hop) -> bool {
        self.known.model.net[hop.edge].near(hop).cardinality != Cardinality::Many
    }

    fn act(&mut self, transition: &Transition, targets: &[Targets]) -> Result<(), Stop> {
        let mut deleted = Vec::new();
        for phase in 0..6 {
            for (arc, (near, far)) in transition.arcs.iter().zip(targets) {
                match (&arc.action, &arc.tokens, phase) {
                    (Action::Unlink { .. }, Tokens::Links { hop, .. }, 0) => {
                        for (near, far) in pairs(near, far) {
                            let (from, to) = pair(*hop, near, far);
                            self.unlink(hop.edge, from, to)?;
                        }
                    }
                    (Action::Relink { .. }, Tokens::Links { hop, .. }, 1) => {
                        for (near, far) in pairs(near, far) {
                            self.relink(hop.edge, pair(*hop, near, far))?;
                        }
                    }
                    (Action::Link { .. }, Tokens::Links { hop, .. }, 2) => {
                        for (near, far) in pairs(near, far) {
                            self.link(hop.edge, pair(*hop, near, far))?;
                        }
                    }
                    (Action::SetLink { .. }, Tokens::Links { hop, .. }, 3) => {
                        for (near, far) in pairs(near, far) {
                            let ends = pair(*hop, near, far);
                            self.known.require_link(hop.edge, ends, true)?;
                        }
                    }
                    (Action::Move { to, .. }, Tokens::Entities(path), 4) => {
                        let entity = self.reached(transition, path);
                        for slot in near {
                            self.move_to(entity, *slot, *to)?;
                        }
                    }
                    (Action::Delete { .. }, Tokens::Entities(path), 5) => {
                        let entity = self.reached(transition, path);
                        deleted.extend(near.iter().map(|slot| (entity, *slot)));
                    }
                    _ => {}
                }
            }
        }
        match deleted.is_empty() {
            true => Ok(()),
            false => self.delete(&deleted),
        }
    }

    fn move_to(&mut self, entity: EntityIx, slot: u32, to: PlaceIx) -> Result<(), Stop> {
        let to = state_of(self.known.model.net, to).unwrap_or(FREE);
        let before = self.known.set_state(entity, slot, to)?;
        self.wake(entity, slot);
        self.wake_neighbours(entity, slot, before, to);
        Ok(())
    }

    fn unlink(&mut self, edge: EdgeIx, from: u32, to: u32) -> Result<(), Stop> {
        if self.known.linked(edge, from, to)? {
            self.known.set_link(edge, from, to, false);
            self.wake_ends(edge, from, to);
        }
        Ok(())
    }

    fn link(&mut self, edge: EdgeIx, (from, to): (u32, u32)) -> Result<(), Stop> {
        self.known.require_link(edge, (from, to), false)?;
        for (forward, near) in [(true, from), (false, to)] {
            let hop = Hop { edge, forward };
            if self.holds_one(hop) {
                for far in 0..self.known.model.slots(self.known.model.far(hop)) {
                    self.known.require_link(edge, pair(hop, near, far), false)?;
                }
            }
        }
        self.known.set_link(edge, from, to, true);
        self.wake_ends(edge, from, to);
        Ok(())
    }

    fn relink(&mut self, edge: EdgeIx, (from, to): (u32, u32)) -> Result<(), Stop> {
        if self.known.linked(edge, from, to)? {
            return Ok(());
        }
        for (forward, near) in [(true, from), (false, to)] {
            let hop = Hop { edge, forward };
            if self.holds_one(hop) {
                for far in self.known.far(hop, near)? {
                    let (from, to) = pair(hop, near, far);
                    self.unlink(edge, from, to)?;
                }
            }
        }
        self.known.set_link(edge, from, to, true);
        self.wake_ends(edge, from, to);
        Ok(())
    }

    /// Deletes entities, and others as the policies of their ends say.
    fn delete(&mut self, roots: &[(EntityIx, u32)]) -> Result<(), Stop> {
        let net = self.known.model.net;
        let mut all: Vec<(EntityIx, u32)> = Vec::new();
        let mut found = BTreeSet::new();
        all.extend(roots.iter().filter(|root| found.insert(**root)));
        let mut next = 0;
        while let Some(&(entity, slot)) = all.get(next) {
            next += 1;
            for hop in ends(net, entity) {
                if net[hop.edge].near(hop).on_delete == OnDelete::Cascade {
                    let far = self.known.model.far(hop);
                    let linked = self.known.far(hop, slot)?;
                    let linked = linked.into_iter().map(|slot| (far, slot));
                    all.extend(linked.filter(|of| found.insert(*of)));
                }
            }
        }
        for &(entity, slot) in &all {
            for hop in ends(net, entity) {
                if net[hop.edge].near(hop).on_delete != OnDelete::Restrict {
                    continue;
                }
                let far = self.known.model.far(hop);
                for other in 0..self.known.model.slots(far) {
                    if !found.contains(&(far, other)) {
                        let ends = pair(hop, slot, other);
                        self.known.require_link(hop.edge, ends, false)?;
                    }
                }
            }
        }
        for (entity, slot) in all {
            for hop in ends(net, entity) {
                for far in self.known.far(hop, slot)? {
                    let (from, to) = pair(hop, slot, far);
                    self.unlink(hop.edge, from, to)?;
                }
            }
            self.known.set_state(entity, slot, FREE)?;
            self.known.put_slot(entity, slot)?;
            self.wake_without(entity);
        }
        Ok(())
    }

    /// Checks the numbers of links at the ends that have changed, and that no acyclic edge has a cycle.
    fn check_bounds(&mut self) -> Result<(), Stop> {
        let net = self.known.model.net;
        for edge in EdgeIx::all(net.edges.len()) {
            for forward in [true, false] {
                let hop = Hop { edge, forward };
                let end = net[edge].near(hop);
                let (min, max) = (end.min as usize, end.max);
                if min == 0 && (max.is_none() || self.holds_one(hop)) {
                    continue;
                }
                let max = max.map_or(usize::MAX, |max| max as usize);
                for slot in 0..self.known.model.slots(end.entity) {
                    self.check_bound(hop, slot, (min, max))?;
                }
            }
            if net[edge].acyclic && !self.ignores_cycles {
                self.check_acyclic(edge)?;
            }
        }
        Ok(())
    }

    fn check_bound(&mut self, hop: Hop, slot: u32, (min, max): (usize, usize)) -> Result<(), Stop> {
        let entity = self.known.model.net[hop.edge].near(hop).entity;
        let of = self.known.slots[entity.index()][slot as usize];
        if of.now == Some(FREE) || of.before == States::one(FREE) && of.now.is_none() {
            return Ok(());
        }
        let far = 0..self.known.model.slots(self.known.model.far(hop));
        let is_new = of.generation > 0;
        let (mut more, mut fewer) = (0, 0);
        for far in far.clone() {
            let link = self.known.links[hop.edge.index()].get(&pair(hop, slot, far));
            more += usize::from(link.is_some_and(|link| link.now && !link.before));
            fewer += usize::from(link.is_some_and(|link| !link.now && link.before));
        }
        // Before the step, the number was within the bounds.
        let may_be_few = is_new || fewer > more;
        let may_be_many = is_new || more > fewer;
        if !may_be_few && !may_be_many {
            return Ok(());
        }
        let mut count = 0;
        for far in far {
            let (from, to) = pair(hop, slot, far);
            if (!may_be_many || max == usize::MAX) && count >= min {
                break;
            }
            count += usize::from(self.known.linked(hop.edge, from, to)?);
            if count > max {
                return Err(Stop::Rejected);
            }
        }
        match may_be_few && count < min {
            true => Err(Stop::Rejected),
            false => Ok(()),
        }
    }

    /// Checks that no link that was added closes a cycle.
    fn check_acyclic(&mut self, edge: EdgeIx) -> Result<(), Stop> {
        let links = self.known.links[edge.index()].iter();
        let added = links.filter(|(_, link)| link.now && !link.before);
        let added: Vec<(u32, u32)> = added.map(|(pair, _)| *pair).collect();
        let hop = Hop {
            edge,
            forward: true,
        };
        for (from, to) in added {
            let mut seen = BTreeSet::from([to]);
            let mut queue = vec![to];
            while let Some(slot) = queue.pop() {
                if slot == from {
                    return Err(Stop::Rejected);
                }
                let next = self.known.far(hop, slot)?;
                queue.extend(next.into_iter().filter(|next| seen.insert(*next)));
            }
        }
        Ok(())
    }
}

fn pairs<'p>(near: &'p [u32], far: &'p [u32]) -> impl Iterator<Item = (u32, u32)> + 'p {
    near.iter()
        .flat_map(move |near| far.iter().map(move |far| (*near, *far)))
}

/// The hops that start at an entity type.
fn ends(net: &crate::Net, entity: EntityIx) -> Vec<Hop> {
    let edges = EdgeIx::all(net.edges.len());
    let hops = edges.flat_map(|edge| [true, false].map(|forward| Hop { edge, forward }));
    hops.filter(|hop| net[hop.edge].near(*hop).entity == entity)
        .collect()
}
