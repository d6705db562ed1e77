//! A naive program that executes the events of a schema on a few entities: what it does, a lint must not call impossible.

mod choose;

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{
    Arc, BindBy, Cardinality, EdgeIx, EndDef, EntityIx, EventDef, EventIx, Hop, May, NameDef,
    NameIx, OnDelete, Path, Quantifier, Schema, Scope, StateIx,
};

/// From here on, a number in a binding is not a slot but a key that no entity has.
pub(crate) const NEW: u8 = 100;
/// How many immediate events may fire in a step.
const FIRINGS_MAX: u32 = 2_000;

/// A graph: the state of each slot by entity type, and the linked pairs by edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Graph {
    pub entities: Vec<Vec<Option<StateIx>>>,
    pub links: Vec<BTreeSet<(u8, u8)>>,
    /// By entity type, the slots without an entity; the last one is used next.
    pub free: Vec<Vec<u8>>,
}

/// An event that fires in a graph.
pub(crate) struct Fired {
    pub event: EventIx,
    pub binding: Vec<Slots>,
    /// The graph after it and the immediate events that follow.
    pub graph: Graph,
}

/// What a program has done.
#[derive(Default)]
pub(crate) struct Seen {
    pub states: BTreeSet<(EntityIx, StateIx)>,
    pub linked: BTreeSet<EdgeIx>,
    pub fired: BTreeSet<EventIx>,
    pub done: Done,
    /// Whether an entity in a state was linked over a hop at the end of an event.
    pub degrees: BTreeSet<(EdgeIx, bool, StateIx, bool)>,
    pub looped: bool,
}

/// The changes that events have made.
#[derive(Clone, Default)]
pub(crate) struct Done {
    /// The arcs that have changed something, by their position in the event.
    pub acted: BTreeSet<(EventIx, usize)>,
    pub moves: BTreeSet<(EntityIx, StateIx, StateIx)>,
    pub deleted: BTreeSet<(EntityIx, StateIx)>,
}

pub(crate) struct Program<'s> {
    pub schema: &'s Schema,
    pub seen: Seen,
}

type Slots = Vec<u8>;

impl<'s> Program<'s> {
    pub(crate) fn new(schema: &'s Schema) -> Self {
        let seen = Seen::default();
        Self { schema, seen }
    }

    /// Returns the graph without entities, with the number of slots of each entity type.
    pub(crate) fn empty(&self, slots: &[u8]) -> Graph {
        let of_type = |n: &u8| vec![None; usize::from(*n)];
        Graph {
            entities: slots.iter().map(of_type).collect(),
            links: vec![BTreeSet::new(); self.schema.edges.len()],
            free: slots.iter().map(|n| (0..*n).rev().collect()).collect(),
        }
    }

    /// Returns all that can happen in one step. An event whose handler has a choice occurs several times.
    pub(crate) fn steps(&mut self, graph: &Graph) -> Vec<Fired> {
        let mut after = Vec::new();
        for event in EventIx::all(self.schema.events.len()) {
            if self.schema[event].immediate {
                continue;
            }
            for binding in bindings(&self.schema[event], graph) {
                for fired in self.fire(event, graph, binding.clone()) {
                    let graph = self.settle(event, fired);
                    let binding = binding.clone();
                    after.extend(graph.map(|graph| Fired {
                        event,
                        binding,
                        graph,
                    }));
                }
            }
        }
        after
    }

    /// Fires immediate events until none is enabled.
    fn settle(&mut self, by: EventIx, mut graph: Graph) -> Option<Graph> {
        self.look(by, &graph);
        for _ in 0..FIRINGS_MAX {
            let Some((event, slot)) = self.enabled(&graph) else {
                return Some(graph);
            };
            graph = self.fire(event, &graph, vec![vec![slot]]).pop()?;
            self.look(event, &graph);
        }
        self.seen.looped = true;
        None
    }

    fn look(&mut self, by: EventIx, graph: &Graph) {
        self.seen.fired.insert(by);
        for (entity, slots) in EntityIx::all(graph.entities.len()).zip(&graph.entities) {
            let states = slots.iter().flatten().map(|state| (entity, *state));
            self.seen.states.extend(states);
        }
        for edge in EdgeIx::all(graph.links.len()) {
            if !graph.links[edge.index()].is_empty() {
                self.seen.linked.insert(edge);
            }
            for forward in [true, false] {
                let hop = Hop { edge, forward };
                let entity = self.schema[edge].near(forward).entity;
                for slot in graph.alive(entity) {
                    let state = graph.state(entity, slot).unwrap();
                    let is_linked = !graph.over(hop, slot).is_empty();
                    self.seen.degrees.insert((edge, forward, state, is_linked));
                }
            }
        }
    }

    /// The immediate event that fires next.
    fn enabled(&self, graph: &Graph) -> Option<(EventIx, u8)> {
        for ix in EventIx::all(self.schema.events.len()) {
            let event = &self.schema[ix];
            if !event.immediate {
                continue;
            }
            let entity = event.names[0].entity;
            let is_enabled = |slot: &u8| {
                let state = graph.state(entity, *slot).unwrap();
                let mut moved = false;
                event.arcs.iter().all(|arc| match arc {
                    Arc::Move {
                        scope, path, from, ..
                    } if path.root == NameIx::new(0) => match (scope, path.hops.len()) {
                        (Scope::Those, 0) => {
                            moved |= from.contains(&state);
                            true
                        }
                        (Scope::Each, 0) => {
                            moved |= from.contains(&state);
                            from.contains(&state)
                        }
                        (Scope::Each, 1) => {
                            let all = graph.over(path.hops[0], *slot);
                            let far = self.schema[path.hops[0].edge].far(path.hops[0].forward);
                            let is = |s: &u8| from.contains(&graph.state(far.entity, *s).unwrap());
                            all.iter().all(is)
                        }
                        _ => true,
                    },
                    _ => true,
                }) && moved
                    && self.bound(event, graph, *slot).is_some()
            };
            if let Some(slot) = graph.alive(entity).into_iter().find(is_enabled) {
                return Some((ix, slot));
            }
        }
        None
    }

    fn entity(&self, event: &EventDef, path: &Path) -> EntityIx {
        match path.hops.last() {
            Some(hop) => self.schema[hop.edge].far(hop.forward).entity,
            None => event[path.root].entity,
        }
    }

    fn holds(&self, event: &EventDef, graph: &Graph, binding: &[Slots], arc: &Arc) -> bool {
        let Arc::When {
            quantifier,
            path,
            states,
        } = arc
        else {
            return true;
        };
        let entity = self.entity(event, path);
        let reached = graph.reach(path, binding);
        let mut is = reached
            .iter()
            .map(|s| states.contains(&graph.state(entity, *s).unwrap()));
        match quantifier {
            Quantifier::All => is.all(|is| is),
            Quantifier::Any => is.any(|is| is),
            Quantifier::None => !is.any(|is| is),
        }
    }

    /// Returns the graphs after an event: none if it is rejected, and several if its handler has a choice.
    fn fire(&mut self, ix: EventIx, before: &Graph, mut binding: Vec<Slots>) -> Vec<Graph> {
        let schema = self.schema;
        let event = &schema[ix];
        let mut graph = before.clone();
        let mut created = BTreeMap::new();
        for (name, slots) in event.names.iter().zip(&mut binding) {
            for slot in slots.iter_mut().filter(|slot| **slot >= NEW) {
                let initial = schema[name.entity].initial;
                let known = created.get(&(name.entity, *slot)).copied();
                let Some(new) = known.or_else(|| graph.create(name.entity, initial)) else {
                    return Vec::new();
                };
                created.insert((name.entity, *slot), new);
                *slot = new;
            }
        }
        for arc in &event.arcs {
            if let Arc::Create { name, state, .. } = arc {
                match graph.create(event[*name].entity, *state) {
                    Some(new) => binding.push(vec![new]),
                    None => return Vec::new(),
                }
            }
        }
        let Some(binding) = self.choose(event, &graph, binding) else {
            return Vec::new();
        };
        let done = self.seen.done.clone();
        let after: Vec<Graph> = match self.act(ix, graph, &binding) {
            Some(graph) if event.mays.is_empty() => vec![graph],
            Some(graph) => {
                let mut all = BTreeSet::from([graph]);
                for _ in 0..2 {
                    let more: Vec<Graph> = all.iter().flat_map(|g| self.handle(event, g)).collect();
                    all.extend(more);
                }
                all.into_iter()
                    .filter(|graph| self.is_bounded(graph))
                    .collect()
            }
            None => Vec::new(),
        };
        let after: Vec<Graph> = after.into_iter().filter(|g| self.is_bounded(g)).collect();
        // A rejected event has done nothing.
        if after.is_empty() {
            self.seen.done = done;
        }
        after
    }

    /// Executes the arcs of an event whose entities exist.
    fn act(&mut self, ix: EventIx, mut graph: Graph, binding: &[Slots]) -> Option<Graph> {
        let event = &self.schema[ix];
        let at = graph.clone();
        let (mut moves, mut deletes, mut sets) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, arc) in event.arcs.iter().enumerate() {
            match arc {
                Arc::When { .. } if !self.holds(event, &at, binding, arc) => return None,
                Arc::Count { .. } if !self.counts(event, &at, binding, arc) => return None,
                Arc::Move {
                    scope,
                    path,
                    from,
                    to,
                    ..
                } => {
                    let entity = self.entity(event, path);
                    for slot in at.reach(path, binding) {
                        let state = at.state(entity, slot).unwrap();
                        match (from.contains(&state), scope) {
                            (true, _) => moves.push((entity, slot, *to, number)),
                            (false, Scope::Each) => return None,
                            (false, Scope::Those) => {}
                        }
                    }
                }
                Arc::Delete { path } => {
                    let entity = self.entity(event, path);
                    for slot in at.reach(path, binding) {
                        deletes.push((entity, slot));
                        self.seen.done.acted.insert((ix, number));
                    }
                }
                Arc::Set { path, value } => {
                    let column = &self.schema[value.column];
                    for slot in at.reach(path, binding) {
                        let state = at.state(column.entity, slot);
                        if column.state.is_some() && column.state != state {
                            return None;
                        }
                        if !sets.insert((value.column, slot)) {
                            return None;
                        }
                    }
                }
                _ => {}
            }
        }
        // Two arcs on one entity reject.
        let moved: BTreeSet<_> = moves.iter().map(|(e, slot, ..)| (*e, *slot)).collect();
        if moved.len() < moves.len() || deletes.iter().any(|of| moved.contains(of)) {
            return None;
        }
        self.change_links(ix, &mut graph, &at, binding)?;
        for (entity, slot, to, number) in moves {
            let from = graph.state(entity, slot).unwrap();
            graph.entities[entity.index()][usize::from(slot)] = Some(to);
            self.seen.done.acted.insert((ix, number));
            self.seen.done.moves.insert((entity, from, to));
        }
        self.delete(&mut graph, deletes)?;
        Some(graph)
    }

    fn change_links(
        &mut self,
        ix: EventIx,
        graph: &mut Graph,
        at: &Graph,
        binding: &[Slots],
    ) -> Option<()> {
        let event = &self.schema[ix];
        let mut wanted: Vec<BTreeSet<(u8, u8)>> = vec![BTreeSet::new(); graph.links.len()];
        for kind in 0..4 {
            for (number, arc) in event.arcs.iter().enumerate() {
                let (path, hop, with) = match (kind, arc) {
                    (0, Arc::Unlink { path, hop, with }) => (path, hop, with),
                    (
                        1,
                        Arc::Relink {
                            path, hop, with, ..
                        },
                    )
                    | (
                        2,
                        Arc::Link {
                            path, hop, with, ..
                        },
                    )
                    | (
                        3,
                        Arc::SetLink {
                            path, hop, with, ..
                        },
                    ) => (path, hop, with),
                    _ => continue,
                };
                for near in at.reach(path, binding) {
                    for far in at.reach(with, binding) {
                        let pair = if hop.forward {
                            (near, far)
                        } else {
                            (far, near)
                        };
                        let links = &mut graph.links[hop.edge.index()];
                        match kind {
                            0 => {
                                if links.remove(&pair) {
                                    self.seen.done.acted.insert((ix, number));
                                }
                                continue;
                            }
                            1 => relink(links, &self.schema[hop.edge], pair),
                            3 if links.contains(&pair) => continue,
                            3 => return None,
                            _ if links.contains(&pair) => return None,
                            _ if is_taken(links, &self.schema[hop.edge], pair) => return None,
                            _ => drop(links.insert(pair)),
                        }
                        wanted[hop.edge.index()].insert(pair);
                        self.seen.done.acted.insert((ix, number));
                    }
                }
            }
        }
        // An event may not link several entities at an end that holds one.
        for (def, pairs) in self.schema.edges.iter().zip(&wanted) {
            let from: BTreeSet<u8> = pairs.iter().map(|(from, _)| *from).collect();
            let to: BTreeSet<u8> = pairs.iter().map(|(_, to)| *to).collect();
            if def.from.cardinality != Cardinality::Many && from.len() < pairs.len()
                || def.to.cardinality != Cardinality::Many && to.len() < pairs.len()
            {
                return None;
            }
        }
        Some(())
    }

    /// Deletes entities in this order, then those that a cascade finds.
    fn delete(&mut self, graph: &mut Graph, roots: Vec<(EntityIx, u8)>) -> Option<()> {
        let mut gone: Vec<(EntityIx, u8)> = Vec::new();
        for of in roots {
            if !gone.contains(&of) {
                gone.push(of);
            }
        }
        let hops = |entity: EntityIx| {
            let edges = EdgeIx::all(self.schema.edges.len());
            let hops = edges.flat_map(|edge| [true, false].map(|forward| Hop { edge, forward }));
            let of = |hop: &Hop| self.schema[hop.edge].near(hop.forward).entity == entity;
            hops.filter(of).collect::<Vec<_>>()
        };
        let end = |hop: Hop| -> &EndDef { self.schema[hop.edge].near(hop.forward) };
        let mut next = 0;
        while let Some(&(entity, slot)) = gone.get(next) {
            next += 1;
            for hop in hops(entity) {
                if end(hop).on_delete != OnDelete::Cascade {
                    continue;
                }
                let far = self.schema[hop.edge].far(hop.forward).entity;
                for slot in graph.over(hop, slot) {
                    if !gone.contains(&(far, slot)) {
                        gone.push((far, slot));
                    }
                }
            }
        }
        for &(entity, slot) in &gone {
            for hop in hops(entity) {
                let far = self.schema[hop.edge].far(hop.forward).entity;
                let stays = |s: &u8| !gone.contains(&(far, *s));
                if end(hop).on_delete == OnDelete::Restrict
                    && graph.over(hop, slot).iter().any(stays)
                {
                    return None;
                }
            }
        }
        for (entity, slot) in gone {
            let state = graph.state(entity, slot).unwrap();
            self.seen.done.deleted.insert((entity, state));
            for hop in hops(entity) {
                graph.links[hop.edge.index()].retain(|(from, to)| {
                    let near = if hop.forward { *from } else { *to };
                    near != slot
                });
            }
            graph.entities[entity.index()][usize::from(slot)] = None;
            graph.free[entity.index()].push(slot);
        }
        Some(())
    }

    /// Returns the graphs after one call of a handler.
    fn handle(&mut self, event: &EventDef, graph: &Graph) -> Vec<Graph> {
        let schema = self.schema;
        let mut after = Vec::new();
        let pairs = |edge: EdgeIx| {
            let def = &schema[edge];
            let to = graph.alive(def.to.entity);
            let from = graph.alive(def.from.entity);
            from.into_iter()
                .flat_map(|from| to.iter().map(move |to| (from, *to)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        for may in &event.mays {
            match may {
                May::Create(entity) | May::Ensure(entity) => {
                    let mut graph = graph.clone();
                    let initial = schema[*entity].initial;
                    if let Some(new) = graph.create(*entity, initial) {
                        after.extend(self.with_ones(*entity, new, graph));
                    }
                }
                May::Move { entity, from, to } => {
                    for slot in graph.alive(*entity) {
                        if graph.state(*entity, slot) == Some(*from) {
                            let mut graph = graph.clone();
                            graph.entities[entity.index()][usize::from(slot)] = Some(*to);
                            self.seen.done.moves.insert((*entity, *from, *to));
                            after.push(graph);
                        }
                    }
                }
                May::Link(edge) | May::Unlink(edge) | May::Relink(edge) => {
                    for pair in pairs(*edge) {
                        let mut graph = graph.clone();
                        let links = &mut graph.links[edge.index()];
                        match may {
                            May::Link(_) => drop(links.insert(pair)),
                            May::Unlink(_) => drop(links.remove(&pair)),
                            _ => relink(links, &schema[*edge], pair),
                        }
                        after.push(graph);
                    }
                }
                May::Delete(entity) => {
                    for slot in graph.alive(*entity) {
                        let mut graph = graph.clone();
                        if self.delete(&mut graph, vec![(*entity, slot)]).is_some() {
                            after.push(graph);
                        }
                    }
                }
                May::Set(_) | May::SetLink(_) | May::Unknown(_) => {}
            }
        }
        after
    }

    /// Returns the graphs in which a new entity is linked at the ends that hold exactly one.
    fn with_ones(&self, entity: EntityIx, new: u8, graph: Graph) -> Vec<Graph> {
        let mut graphs = vec![graph];
        for (edge, def) in EdgeIx::all(self.schema.edges.len()).zip(&self.schema.edges) {
            for forward in [true, false] {
                let near = def.near(forward);
                if near.entity != entity || near.cardinality != Cardinality::One {
                    continue;
                }
                let link = |graph: &Graph| {
                    let far = graph.alive(def.far(forward).entity);
                    let linked = far.into_iter().map(|far| {
                        let mut graph = graph.clone();
                        let pair = if forward { (new, far) } else { (far, new) };
                        graph.links[edge.index()].insert(pair);
                        graph
                    });
                    linked.collect::<Vec<_>>()
                };
                graphs = graphs.iter().flat_map(link).collect();
            }
        }
        graphs
    }

    fn is_bounded(&self, graph: &Graph) -> bool {
        let acyclic = self.schema.edges.iter().zip(&graph.links);
        let has_cycle = acyclic
            .into_iter()
            .any(|(edge, links)| edge.acyclic && has_cycle(links));
        !has_cycle
            && EdgeIx::all(self.schema.edges.len()).all(|edge| {
                [true, false].into_iter().all(|forward| {
                    let end = self.schema[edge].near(forward);
                    let (min, max) = match end.cardinality {
                        Cardinality::One => (1, 1),
                        Cardinality::Option => (0, 1),
                        Cardinality::Many => (end.min, end.max.unwrap_or(u32::MAX)),
                    };
                    graph.alive(end.entity).iter().all(|slot| {
                        let links = graph.over(Hop { edge, forward }, *slot).len() as u32;
                        (min..=max).contains(&links)
                    })
                })
            })
    }
}

fn has_cycle(links: &BTreeSet<(u8, u8)>) -> bool {
    let mut closure = links.clone();
    loop {
        let longer = closure.iter().flat_map(|(a, b)| {
            let next = links.iter().filter(move |(c, _)| b == c);
            next.map(move |(_, d)| (*a, *d))
        });
        let more: BTreeSet<(u8, u8)> = longer.collect();
        let len = closure.len();
        closure.extend(more);
        if closure.len() == len {
            return closure.iter().any(|(a, b)| a == b);
        }
    }
}

fn relink(links: &mut BTreeSet<(u8, u8)>, def: &ironweave_schema::EdgeDef, pair: (u8, u8)) {
    if links.contains(&pair) {
        return;
    }
    links.retain(|other| !is_taken(&BTreeSet::from([*other]), def, pair));
    links.insert(pair);
}

/// Whether a link has an end of a pair at which there can be only one.
fn is_taken(links: &BTreeSet<(u8, u8)>, def: &ironweave_schema::EdgeDef, pair: (u8, u8)) -> bool {
    links.iter().any(|(from, to)| {
        def.from.cardinality != Cardinality::Many && *from == pair.0
            || def.to.cardinality != Cardinality::Many && *to == pair.1
    })
}

impl Graph {
    fn state(&self, entity: EntityIx, slot: u8) -> Option<StateIx> {
        self.entities[entity.index()][usize::from(slot)]
    }

    fn alive(&self, entity: EntityIx) -> Slots {
        (0..self.entities[entity.index()].len() as u8)
            .filter(|slot| self.state(entity, *slot).is_some())
            .collect()
    }

    fn create(&mut self, entity: EntityIx, state: StateIx) -> Option<u8> {
        let slot = self.free[entity.index()].pop()?;
        self.entities[entity.index()][usize::from(slot)] = Some(state);
        Some(slot)
    }

    fn over(&self, hop: Hop, slot: u8) -> Slots {
        let pairs = self.links[hop.edge.index()].iter();
        pairs
            .map(|&(from, to)| if hop.forward { (from, to) } else { (to, from) })
            .filter_map(|(near, far)| (near == slot).then_some(far))
            .collect()
    }

    fn reach(&self, path: &Path, binding: &[Slots]) -> Slots {
        let mut slots = binding[path.root.index()].clone();
        for hop in &path.hops {
            let far: BTreeSet<u8> = slots.iter().flat_map(|s| self.over(*hop, *s)).collect();
            slots = far.into_iter().collect();
        }
        slots
    }
}

/// Returns all bindings of an event in a graph. Numbers from [`NEW`] on are keys without an entity, which occur in their order.
pub(crate) fn bindings(event: &EventDef, graph: &Graph) -> Vec<Vec<Slots>> {
    let mut all: Vec<Vec<Slots>> = vec![Vec::new()];
    let is_bound = |name: &&NameDef| !matches!(name.by, BindBy::Created | BindBy::Chosen);
    for name in event.names.iter().filter(is_bound) {
        let mut slots = graph.alive(name.entity);
        match name.by {
            BindBy::Token(state) => slots.retain(|s| graph.state(name.entity, *s) == Some(state)),
            // There are more new keys than free slots, and one more than other names may use.
            BindBy::Ensure => slots.extend(NEW..NEW + 4),
            _ => {}
        }
        let one = slots.iter().map(|slot| vec![*slot]);
        let choices: Vec<Slots> = match name.count {
            Cardinality::One => one.collect(),
            Cardinality::Option => one.chain([Vec::new()]).collect(),
            Cardinality::Many => (0..1u32 << slots.len())
                .map(|bits| {
                    let chosen = slots.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
                    chosen.map(|(_, slot)| *slot).collect()
                })
                .collect(),
        };
        let more = |binding: &Vec<Slots>| {
            let with = choices.iter().map(|choice| {
                let mut binding = binding.clone();
                binding.push(choice.clone());
                binding
            });
            with.collect::<Vec<_>>()
        };
        all = all.iter().flat_map(more).collect();
        all.retain(|binding| are_in_order(event, binding));
    }
    all
}

/// Whether the new keys of each entity type occur first in their order.
fn are_in_order(event: &EventDef, binding: &[Slots]) -> bool {
    let mut next: BTreeMap<EntityIx, u8> = BTreeMap::new();
    event.names.iter().zip(binding).all(|(name, slots)| {
        let next = next.entry(name.entity).or_insert(NEW);
        slots.iter().filter(|slot| **slot >= NEW).all(|slot| {
            let is_known = *slot <= *next;
            *next += u8::from(slot == next);
            is_known
        })
    })
}
