//! From executions to places and transitions.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{EdgeIx, EntityIx, EventIx};

use super::fire::Step;
use super::free::Node;
use super::known::Link;
use super::model::Model;
use super::states::{FREE, States};
use crate::plain::{self, PlaceIx};

/// An execution as conditions on the marking before it, and changes.
pub(super) struct Execution {
    event: EventIx,
    binding: String,
    /// Entity type, slot, the states before, and the state after if it was set.
    slots: Vec<(EntityIx, u32, States, Option<u8>)>,
    links: Vec<(EdgeIx, (u32, u32), Link)>,
    stacks: Vec<Stack>,
}

/// The change of the free slots of an entity type.
struct Stack {
    entity: EntityIx,
    /// The slot on top before and after.
    top: (Node, Node),
    /// The slots that were taken, and those that were put on the stack, each with the one below it.
    taken: Vec<(u32, Node)>,
    put: Vec<(u32, Node)>,
}

impl Execution {
    pub(super) fn of(event: EventIx, step: Step<'_>) -> Self {
        let Step { known, binding, .. } = step;
        let mut slots = Vec::new();
        let mut stacks = Vec::new();
        for entity in EntityIx::all(known.slots.len()) {
            let any = known.model.any_state(entity);
            for (number, slot) in (0..).zip(&known.slots[entity.index()]) {
                if slot.before != any || slot.now.is_some() {
                    slots.push((entity, number, slot.before, slot.now));
                }
            }
            let free = &known.free[entity.index()];
            if let (Some(top), Some(top_now)) = (free.top, free.top_now()) {
                let below = std::iter::once(free.rest.flatten());
                let below = below.chain(free.put.iter().map(|slot| Some(*slot)));
                stacks.push(Stack {
                    entity,
                    top: (top, top_now),
                    taken: free
                        .taken
                        .iter()
                        .map(|(slot, below)| (*slot, *below))
                        .collect(),
                    put: free.put.iter().copied().zip(below).collect(),
                });
            }
        }
        let links = EdgeIx::all(known.links.len()).flat_map(|edge| {
            let links = known.links[edge.index()].iter();
            links.map(move |(pair, link)| (edge, *pair, *link))
        });
        Self {
            event,
            binding,
            slots,
            links: links.collect(),
            stacks,
        }
    }
}

/// The places of an unfolded net.
struct Places<'m> {
    model: &'m Model<'m>,
    net: plain::Net,
    /// By entity type and slot, the places of the states and then that of the free slot.
    states: Vec<Vec<Vec<PlaceIx>>>,
    /// By entity type and slot, the places that are marked in each of several states.
    any_of: Vec<Vec<BTreeMap<States, PlaceIx>>>,
    linked: BTreeMap<(EdgeIx, u32, u32), PlaceIx>,
    unlinked: BTreeMap<(EdgeIx, u32, u32), PlaceIx>,
    top: BTreeMap<(EntityIx, Node), PlaceIx>,
    below: BTreeMap<(EntityIx, u32, Node), PlaceIx>,
}

/// What a marking can have: states and links, each of which some execution makes.
#[derive(Default)]
struct Reached {
    states: BTreeSet<(EntityIx, u32, u8)>,
    links: BTreeSet<(EdgeIx, (u32, u32))>,
}

impl Reached {
    fn allows(&self, execution: &Execution) -> bool {
        let mut slots = execution.slots.iter();
        let is_reached = |entity, slot, state| self.states.contains(&(entity, slot, state));
        slots.all(|&(entity, slot, before, _)| {
            before.iter().any(|state| is_reached(entity, slot, state))
        }) && (execution.links.iter())
            .all(|(edge, pair, link)| !link.before || self.links.contains(&(*edge, *pair)))
    }

    fn add(&mut self, execution: &Execution) {
        for &(entity, slot, _, now) in &execution.slots {
            self.states.extend(now.map(|state| (entity, slot, state)));
        }
        let links = execution.links.iter().filter(|(.., link)| link.now);
        self.links
            .extend(links.map(|(edge, pair, _)| (*edge, *pair)));
    }
}

/// Removes executions whose conditions are on what no other execution makes. O(executions * length of the longest chain of these).
fn prune(model: &Model<'_>, mut executions: Vec<Execution>) -> Vec<Execution> {
    let mut reached = Reached::default();
    for entity in EntityIx::all(model.net.entities.len()) {
        let slots = (0..model.slots(entity)).map(|slot| (entity, slot, FREE));
        reached.states.extend(slots);
    }
    let mut possible = vec![false; executions.len()];
    loop {
        let mut any_new = false;
        for (execution, possible) in executions.iter().zip(&mut possible) {
            if !*possible && reached.allows(execution) {
                reached.add(execution);
                (*possible, any_new) = (true, true);
            }
        }
        if !any_new {
            let mut possible = possible.into_iter();
            executions.retain(|_| possible.next() == Some(true));
            return executions;
        }
    }
}

/// Builds the net of some executions, with the event of each transition.
pub(super) fn build(model: &Model<'_>, executions: Vec<Execution>) -> (plain::Net, Vec<EventIx>) {
    let executions = prune(model, executions);
    let mut places = Places::new(model, &executions);
    let mut events = Vec::with_capacity(executions.len());
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for execution in &executions {
        let name = &model.net[execution.event].name;
        let mut name = format!("{name}({})", execution.binding);
        let number = numbers.entry(name.clone()).or_default();
        *number += 1;
        if *number > 1 {
            name = format!("{name}#{number}");
        }
        places.transition(name, execution);
        events.push(execution.event);
    }
    (places.net, events)
}

impl<'m> Places<'m> {
    fn new(model: &'m Model<'m>, executions: &[Execution]) -> Self {
        let mut places = Self {
            model,
            net: plain::Net::default(),
            states: Vec::new(),
            any_of: Vec::new(),
            linked: BTreeMap::new(),
            unlinked: BTreeMap::new(),
            top: BTreeMap::new(),
            below: BTreeMap::new(),
        };
        let sets = executions.iter().flat_map(|execution| &execution.slots);
        let several = sets.filter(|(_, _, before, _)| before.only().is_none());
        let several: BTreeSet<_> = several.map(|(e, slot, set, _)| (*e, *slot, *set)).collect();
        for entity in EntityIx::all(model.net.entities.len()) {
            places.add_slots(entity, &several);
        }
        let absent = executions.iter().flat_map(|execution| &execution.links);
        let absent = absent.filter(|(_, _, link)| !link.before);
        let absent: BTreeSet<_> = absent.map(|(edge, pair, _)| (*edge, *pair)).collect();
        for edge in EdgeIx::all(model.net.edges.len()) {
            places.add_links(edge, &absent);
        }
        for entity in EntityIx::all(model.net.entities.len()) {
            if model.is_created(entity) {
                places.add_stack(entity);
            }
        }
        places
    }

    fn add_slots(&mut self, entity: EntityIx, several: &BTreeSet<(EntityIx, u32, States)>) {
        let net = self.model.net;
        let def = &net[entity];
        let (mut states, mut any_of) = (Vec::new(), Vec::new());
        for slot in 0..self.model.slots(entity) {
            let names = def.states.iter().map(|place| &*net[*place].name);
            let mut of_slot: Vec<PlaceIx> = names
                .map(|name| self.net.place(format!("{name}({slot})"), 0))
                .collect();
            of_slot.push(self.net.place(format!("no {}({slot})", def.name), 1));
            states.push(of_slot);
            let first = (entity, slot, States::NONE);
            let of_slot = several
                .range(first..)
                .take_while(|(e, s, _)| (*e, *s) == (entity, slot));
            let of_slot = of_slot.map(|(.., set)| {
                let name = |state: u8| match def.states.get(usize::from(state)) {
                    Some(place) => net.state_name(*place),
                    None => "none",
                };
                let names: Vec<&str> = set.iter().map(name).collect();
                let name = match *set == self.model.alive(entity) {
                    true => format!("{}({slot})", def.name),
                    false => format!("{}::{}({slot})", def.name, names.join("|")),
                };
                (*set, self.net.place(name, u64::from(set.has(FREE))))
            });
            any_of.push(of_slot.collect());
        }
        self.states.push(states);
        self.any_of.push(any_of);
    }

    fn add_links(&mut self, edge: EdgeIx, absent: &BTreeSet<(EdgeIx, (u32, u32))>) {
        let def = &self.model.net[edge];
        let name = &self.model.net[def.place].name;
        for from in 0..self.model.slots(def.from.entity) {
            for to in 0..self.model.slots(def.to.entity) {
                let place = self.net.place(format!("{name}({from},{to})"), 0);
                self.linked.insert((edge, from, to), place);
                if absent.contains(&(edge, (from, to))) {
                    let place = self.net.place(format!("no {name}({from},{to})"), 1);
                    self.unlinked.insert((edge, from, to), place);
                }
            }
        }
    }

    fn add_stack(&mut self, entity: EntityIx) {
        let name = &self.model.net[entity].name;
        let slots = self.model.slots(entity);
        let text = |node: Node| node.map_or("none".to_owned(), |slot| slot.to_string());
        let nodes = || (0..slots).map(Some).chain([None]);
        // The slots that were never used are used in their order.
        let first = Some(0).filter(|_| slots > 0);
        for node in nodes() {
            let tokens = u64::from(node == first);
            let place = self
                .net
                .place(format!("next {name}({})", text(node)), tokens);
            self.top.insert((entity, node), place);
        }
        if !self.model.is_deleted(entity) {
            return;
        }
        for slot in 0..slots {
            let after = Some(slot + 1).filter(|after| *after < slots);
            for node in nodes().filter(|node| *node != Some(slot)) {
                let tokens = u64::from(node == after);
                let name = format!("next {name} after({slot},{})", text(node));
                let place = self.net.place(name, tokens);
                self.below.insert((entity, slot, node), place);
            }
        }
    }

    fn state(&self, entity: EntityIx, slot: u32, state: u8) -> PlaceIx {
        let states = &self.states[entity.index()][slot as usize];
        states[usize::from(state).min(states.len() - 1)]
    }

    fn transition(&mut self, name: String, execution: &Execution) {
        let (mut inputs, mut outputs) = (BTreeSet::new(), BTreeSet::new());
        for &(entity, slot, before, now) in &execution.slots {
            let any_of = &self.any_of[entity.index()][slot as usize];
            let Some(exact) = before.only() else {
                if let Some(place) = any_of.get(&before) {
                    inputs.insert(*place);
                    outputs.insert(*place);
                }
                continue;
            };
            let now = now.unwrap_or(exact);
            inputs.insert(self.state(entity, slot, exact));
            outputs.insert(self.state(entity, slot, now));
            for (set, place) in any_of {
                match (set.has(exact), set.has(now)) {
                    (true, false) => _ = inputs.insert(*place),
                    (false, true) => _ = outputs.insert(*place),
                    _ => {}
                }
            }
        }
        for &(edge, (from, to), link) in &execution.links {
            let key = (edge, from, to);
            for (linked, places) in [(true, &self.linked), (false, &self.unlinked)] {
                let Some(place) = places.get(&key) else {
                    continue;
                };
                if link.before == linked {
                    inputs.insert(*place);
                }
                if link.now == linked {
                    outputs.insert(*place);
                }
            }
        }
        for stack in &execution.stacks {
            let entity = stack.entity;
            inputs.extend(self.top.get(&(entity, stack.top.0)));
            outputs.extend(self.top.get(&(entity, stack.top.1)));
            let below = |(slot, node): &(u32, Node)| self.below.get(&(entity, *slot, *node));
            inputs.extend(stack.taken.iter().filter_map(below));
            outputs.extend(stack.put.iter().filter_map(below));
        }
        let one = |places: BTreeSet<PlaceIx>| places.into_iter().map(|place| (place, 1));
        self.net.transition(name, one(inputs), one(outputs));
    }
}
