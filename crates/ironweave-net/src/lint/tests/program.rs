//! A naive program that executes the events of a schema on a few entities: what it does, a lint must not call impossible.

use std::collections::BTreeSet;

use ironweave_schema::{
    Arc, BindBy, Cardinality, EdgeIx, EndDef, EntityIx, EventDef, EventIx, Hop, May, NameIx,
    OnDelete, Path, Quantifier, Schema, Scope, StateIx,
};

/// The slots of each entity type.
const SLOTS: u8 = 2;

/// A graph: the state of each slot by entity type, and the linked pairs by edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Graph {
    pub entities: Vec<Vec<Option<StateIx>>>,
    pub links: Vec<BTreeSet<(u8, u8)>>,
}

/// What a program has done.
#[derive(Default)]
pub(super) struct Seen {
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
pub(super) struct Done {
    /// The arcs that have changed something, by their position in the event.
    pub acted: BTreeSet<(EventIx, usize)>,
    pub moves: BTreeSet<(EntityIx, StateIx, StateIx)>,
    pub deleted: BTreeSet<(EntityIx, StateIx)>,
}

pub(super) struct Program<'s> {
    pub schema: &'s Schema,
    pub seen: Seen,
}

type Slots = Vec<u8>;

impl Program<'_> {
    pub(super) fn empty(&self) -> Graph {
        Graph {
            entities: vec![vec![None; SLOTS.into()]; self.schema.entities.len()],
            links: vec![BTreeSet::new(); self.schema.edges.len()],
        }
    }

    /// Returns all graphs that one step can lead to.
    pub(super) fn steps(&mut self, graph: &Graph) -> Vec<Graph> {
        let mut after = Vec::new();
        for ix in EventIx::all(self.schema.events.len()) {
            let event = &self.schema[ix];
            if event.immediate {
                continue;
            }
            for binding in bindings(event, graph) {
                for fired in self.fire(ix, graph, binding) {
                    after.extend(self.settle(ix, fired));
                }
            }
        }
        after
    }

    /// Fires immediate events until none is enabled.
    fn settle(&mut self, by: EventIx, mut graph: Graph) -> Option<Graph> {
        self.look(by, &graph);
        for _ in 0..64 {
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
                    Arc::When { .. } => self.holds(event, graph, &[vec![*slot]], arc),
                    _ => true,
                }) && moved
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
        for (name, slots) in event.names.iter().zip(&mut binding) {
            if name.by != BindBy::Ensure {
                continue;
            }
            for slot in slots.iter_mut().filter(|slot| **slot == SLOTS) {
                let initial = schema[name.entity].initial;
                match graph.create(name.entity, initial) {
                    Some(new) => *slot = new,
                    None => return Vec::new(),
                }
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
        let (mut moves, mut deletes) = (Vec::new(), BTreeSet::new());
        for (number, arc) in event.arcs.iter().enumerate() {
            match arc {
                Arc::When { .. } if !self.holds(event, &at, binding, arc) => return None,
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
                        deletes.insert((entity, slot));
                        self.seen.done.acted.insert((ix, number));
                    }
                }
                _ => {}
            }
        }
        // Two arcs on one entity reject.
        let moved: BTreeSet<_> = moves.iter().map(|(e, slot, ..)| (*e, *slot)).collect();
        if moved.len() < moves.len() || !moved.is_disjoint(&deletes) {
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
        for kind in 0..3 {
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
                            _ if links.contains(&pair) => return None,
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

    fn delete(&mut self, graph: &mut Graph, mut gone: BTreeSet<(EntityIx, u8)>) -> Option<()> {
        let hops = |entity: EntityIx| {
            let edges = EdgeIx::all(self.schema.edges.len());
            let hops = edges.flat_map(|edge| [true, false].map(|forward| Hop { edge, forward }));
            let of = |hop: &Hop| self.schema[hop.edge].near(hop.forward).entity == entity;
            hops.filter(of).collect::<Vec<_>>()
        };
        let end = |hop: Hop| -> &EndDef { self.schema[hop.edge].near(hop.forward) };
        let mut queue: Vec<_> = gone.iter().copied().collect();
        while let Some((entity, slot)) = queue.pop() {
            for hop in hops(entity)
                .into_iter()
                .filter(|hop| end(*hop).on_delete == OnDelete::Cascade)
            {
                let far = self.schema[hop.edge].far(hop.forward).entity;
                let more = graph.over(hop, slot).into_iter().map(|slot| (far, slot));
                queue.extend(more.filter(|of| gone.insert(*of)));
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
                        if self
                            .delete(&mut graph, BTreeSet::from([(*entity, slot)]))
                            .is_some()
                        {
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
        EdgeIx::all(self.schema.edges.len()).all(|edge| {
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

fn relink(links: &mut BTreeSet<(u8, u8)>, def: &ironweave_schema::EdgeDef, pair: (u8, u8)) {
    if links.contains(&pair) {
        return;
    }
    links.retain(|(from, to)| {
        let is_taken = def.from.cardinality != Cardinality::Many && *from == pair.0
            || def.to.cardinality != Cardinality::Many && *to == pair.1;
        !is_taken
    });
    links.insert(pair);
}

impl Graph {
    fn state(&self, entity: EntityIx, slot: u8) -> Option<StateIx> {
        self.entities[entity.index()][usize::from(slot)]
    }

    fn alive(&self, entity: EntityIx) -> Slots {
        (0..SLOTS)
            .filter(|slot| self.state(entity, *slot).is_some())
            .collect()
    }

    fn create(&mut self, entity: EntityIx, state: StateIx) -> Option<u8> {
        let slots = &mut self.entities[entity.index()];
        let free = slots.iter().position(Option::is_none)?;
        slots[free] = Some(state);
        Some(free as u8)
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

/// Returns all bindings of an event in a graph. A slot that does not exist yet represents a key without an entity.
fn bindings(event: &EventDef, graph: &Graph) -> Vec<Vec<Slots>> {
    let mut all: Vec<Vec<Slots>> = vec![Vec::new()];
    for name in event.names.iter().filter(|name| name.by != BindBy::Created) {
        let mut slots = graph.alive(name.entity);
        match name.by {
            BindBy::Token(state) => slots.retain(|s| graph.state(name.entity, *s) == Some(state)),
            BindBy::Ensure => slots.push(SLOTS),
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
    }
    all
}
