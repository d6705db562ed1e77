//! Random events of a schema: what they bind, and arcs of every kind.

use ironweave::schema::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, EntityIx, EventDef, EventFieldDef, Hop, NameDef,
    NameIx, Path, Schema, Scope, SortBy, StateIx,
};

use crate::due;
use crate::edit;
use crate::entities::key_kind;
use crate::handler;
use crate::lists;
use crate::model::EVENTS_MAX;
use crate::queues;
use crate::rng::Rng;
use crate::schemas::hops;
use crate::values::{Guard, column_ty};
use crate::world::{columns, ends};

/// An event that is being made.
pub struct Draft<'s> {
    pub schema: &'s Schema,
    pub fields: Vec<EventFieldDef>,
    /// Those of fields first, then those created, then those chosen, in the end.
    pub named: Vec<NameDef>,
    pub created: Vec<NameDef>,
    pub chosen: Vec<NameDef>,
    pub creates: Vec<Arc>,
    pub chooses: Vec<Arc>,
    pub arcs: Vec<Arc>,
    /// Of an immediate event, on which entity it fires first.
    pub order: Option<SortBy>,
    pub immediate: bool,
    /// Whether it binds one entity and has no other field.
    pub closed: bool,
}

/// Roots of names that are created, until all fields are known.
const CREATED: u16 = 1_000;
/// Roots of names that are chosen.
pub const CHOSEN: u16 = 2_000;

/// Gives a model its events.
pub fn draw(rng: &mut Rng, schema: &mut Schema) {
    let entities = EntityIx::all(schema.entities.len());
    let mut events = Vec::new();
    for entity in entities {
        events.push(ordinary(rng, schema, events.len(), Some(entity)));
    }
    for _ in 0..3 + rng.below(6) {
        events.push(ordinary(rng, schema, events.len(), None));
    }
    if rng.chance(60) {
        events.push(handler::event(events.len()));
    }
    if rng.chance(40) {
        events.extend(
            lists::events(rng, schema, events.len())
                .into_iter()
                .flatten(),
        );
    }
    for _ in 0..rng.below(3) {
        events.extend(due::event(rng, schema, events.len()));
    }
    let mut may_create = 3;
    for _ in 0..rng.below(4) {
        let event = queues::event(rng, schema, &events);
        events.extend(event);
    }
    for _ in 0..rng.below(7) {
        let event = immediate(rng, schema, &events, &mut may_create);
        events.extend(event);
    }
    // Immediate ones in any place.
    for i in (1..events.len()).rev() {
        events.swap(i, rng.below(i + 1));
    }
    events.truncate(EVENTS_MAX);
    schema.events = events;
}

fn ordinary(rng: &mut Rng, schema: &Schema, number: usize, creates: Option<EntityIx>) -> EventDef {
    let mut draft = Draft::new(schema, false);
    if let Some(entity) = creates {
        draft.create(rng, entity, 0);
    }
    let arcs = if creates.is_some() {
        rng.below(3)
    } else {
        1 + rng.below(3)
    };
    if rng.chance(25) {
        draft.chooses(rng);
    }
    for _ in 0..arcs {
        draft.any_arc(rng);
    }
    let mut guards = Vec::new();
    if rng.chance(10) {
        let number = |f: &EventFieldDef| f.ty == "u64" && f.name.starts_with('v');
        let field = draft.fields.iter().position(number);
        guards.extend(field.map(|f| Guard::NotTwo(f).text()));
        let by_handle = |n: &NameDef| {
            n.count == Cardinality::One && matches!(n.by, BindBy::Handle | BindBy::Token(_))
        };
        if let Some(name) = draft.named.iter().position(by_handle)
            && let Some(hop) = rng.pick(&hops(schema, draft.named[name].entity))
        {
            guards.push(Guard::Links(name, *hop, rng.below(4)).text());
        }
    }
    draft.finish(rng, format!("Ev{number}"), guards)
}

fn immediate(
    rng: &mut Rng,
    schema: &Schema,
    before: &[EventDef],
    may_create: &mut u32,
) -> Option<EventDef> {
    let entity = EntityIx::new(rng.below(schema.entities.len()) as u16);
    let mut draft = Draft::new(schema, true);
    draft.name(entity, Cardinality::One, BindBy::Handle);
    let own = Path {
        root: NameIx::default(),
        hops: vec![],
    };
    // Mostly onwards, so that it comes to an end.
    let onwards = rng.chance(85);
    if rng.chance(85) {
        draft.moves(rng, own.clone(), Scope::Each, onwards)?;
    } else {
        draft.moves(rng, own.clone(), Scope::Those, onwards)?;
        draft.moves(rng, own.clone(), Scope::Those, onwards);
    }
    for _ in 0..rng.below(3) {
        draft.watches(rng);
    }
    if rng.chance(40) {
        draft.chooses(rng);
    }
    if rng.chance(40) {
        let mut of = columns(schema, entity, None);
        for state in StateIx::all(schema.entities[usize::from(entity)].states.len()) {
            of.extend(columns(schema, entity, Some(state)));
        }
        draft.order = draft.random_order(rng, &of);
    }
    if *may_create > 0 && rng.chance(35) {
        // Often one on which another of them creates, so that they create deep; mostly of other types, so that it ends.
        let creates = |event: &&EventDef| event.immediate && event.names.len() > 1;
        let next = before.iter().rfind(creates).filter(|_| rng.chance(80));
        let other = match next {
            Some(event) => event.names[0].entity,
            None => EntityIx::new(rng.below(schema.entities.len()) as u16),
        };
        if other != entity || rng.chance(30) {
            // In a state in which that one fires.
            let state = next.and_then(|event| event.arcs.iter().find_map(own_source));
            let state = state.unwrap_or_else(|| draft.some_state(rng, other));
            draft.create_in(rng, other, state, 0);
            *may_create -= 1;
        }
    }
    for _ in 0..rng.below(3) {
        draft.any_arc(rng);
    }
    let handled = rng.chance(20);
    let mut event = draft.finish(rng, format!("Im{}", before.len()), Vec::new());
    if handled {
        let creates = *may_create > 0 && rng.chance(50);
        *may_create -= u32::from(creates);
        handler::add_script(rng, schema, &mut event, creates);
    }
    Some(event)
}

/// A state that an arc of an immediate event moves its entity from.
fn own_source(arc: &Arc) -> Option<StateIx> {
    match arc {
        Arc::Move { path, from, .. } if *path == bare(NameIx::default()) => from.first().copied(),
        _ => None,
    }
}

impl<'s> Draft<'s> {
    pub fn new(schema: &'s Schema, immediate: bool) -> Self {
        Self {
            schema,
            fields: Vec::new(),
            named: Vec::new(),
            created: Vec::new(),
            chosen: Vec::new(),
            creates: Vec::new(),
            chooses: Vec::new(),
            arcs: Vec::new(),
            order: None,
            immediate,
            closed: immediate,
        }
    }

    /// A new field that names entities; its root.
    pub fn name(&mut self, entity: EntityIx, count: Cardinality, by: BindBy) -> NameIx {
        let name = format!("n{}", self.named.len());
        let inner = match by {
            BindBy::Token(s) => format!("E{entity}<S{s}>"),
            BindBy::Key => format!("Key<E{entity}>"),
            BindBy::Ensure => format!("Ensure<E{entity}>"),
            BindBy::Handle | BindBy::Created | BindBy::Chosen => format!("E{entity}"),
        };
        self.fields.push(EventFieldDef {
            name: name.clone(),
            ty: match count {
                Cardinality::One => inner,
                Cardinality::Option => format!("Option<{inner}>"),
                Cardinality::Many => format!("Vec<{inner}>"),
            },
            ..EventFieldDef::default()
        });
        self.named.push(NameDef {
            name,
            entity,
            count,
            by,
            ..NameDef::default()
        });
        NameIx::new(self.named.len() as u16 - 1)
    }

    pub fn name_of(&self, root: NameIx) -> &NameDef {
        if root.get() >= CHOSEN {
            &self.chosen[usize::from(root.get() - CHOSEN)]
        } else if root.get() >= CREATED {
            &self.created[usize::from(root.get() - CREATED)]
        } else {
            &self.named[usize::from(root)]
        }
    }

    pub fn roots(&self) -> Vec<NameIx> {
        let chosen = (0..self.chosen.len() as u16).map(|i| NameIx::new(CHOSEN + i));
        self.given_roots().into_iter().chain(chosen).collect()
    }

    /// The names that are bound before anything is chosen.
    pub fn given_roots(&self) -> Vec<NameIx> {
        let created = (0..self.created.len() as u16).map(|i| NameIx::new(CREATED + i));
        NameIx::all(self.named.len()).chain(created).collect()
    }

    /// A name of a type: one that there is, or a new one. An immediate event has none but its own.
    pub fn root(&mut self, rng: &mut Rng, entity: EntityIx) -> Option<NameIx> {
        let mut there = self.roots();
        there.retain(|root| self.name_of(*root).entity == entity);
        if (self.closed || rng.chance(60))
            && let Some(root) = rng.pick(&there)
        {
            return Some(*root);
        }
        if self.closed || self.named.len() > 3 {
            return there.first().copied();
        }
        let count = match rng.below(10) {
            0..=5 => Cardinality::One,
            6 => Cardinality::Option,
            _ => Cardinality::Many,
        };
        let states = self.schema.entities[usize::from(entity)].states.len();
        let key = key_kind(self.schema, entity).is_some();
        let by = match rng.below(100) {
            0..=19 if key && self.can_ensure(entity) => BindBy::Ensure,
            0..=39 if key => BindBy::Key,
            40..=59 => BindBy::Token(StateIx::new(rng.below(states) as u8)),
            _ => BindBy::Handle,
        };
        Some(self.name(entity, count, by))
    }

    /// Whether a key is enough to make one.
    fn can_ensure(&self, entity: EntityIx) -> bool {
        let initial = self.schema.entities[usize::from(entity)].initial;
        let given = |c: &ColumnIx| {
            let def = &self.schema.columns[usize::from(*c)];
            def.key || def.default.is_some()
        };
        columns(self.schema, entity, None).iter().all(given)
            && columns(self.schema, entity, Some(initial)).is_empty()
            && (hops(self.schema, entity).iter()).all(|hop| {
                let edge = &self.schema.edges[usize::from(hop.edge)];
                ends(edge, hop.forward).0.cardinality != Cardinality::One
            })
    }

    pub fn assigns(&mut self, rng: &mut Rng, columns: &[ColumnIx]) -> Vec<Assign> {
        let mut out = Vec::new();
        for &column in columns {
            let optional = self.schema.columns[usize::from(column)].default.is_some();
            if !optional || rng.chance(50) {
                let source = self.source(rng, column_ty(self.schema, column));
                out.push(Assign { column, source });
            }
        }
        out
    }

    /// Creates one, with the links that it must have.
    pub fn create(&mut self, rng: &mut Rng, entity: EntityIx, depth: usize) -> NameIx {
        let state = self.some_state(rng, entity);
        self.create_in(rng, entity, state, depth)
    }

    /// A state to create one in, mostly its initial one.
    fn some_state(&self, rng: &mut Rng, entity: EntityIx) -> StateIx {
        let def = &self.schema.entities[usize::from(entity)];
        if rng.chance(85) {
            def.initial
        } else {
            StateIx::new(rng.below(def.states.len()) as u8)
        }
    }

    fn create_in(
        &mut self,
        rng: &mut Rng,
        entity: EntityIx,
        state: StateIx,
        depth: usize,
    ) -> NameIx {
        let mut given = columns(self.schema, entity, None);
        given.extend(columns(self.schema, entity, Some(state)));
        let chosen = std::mem::take(&mut self.chosen);
        // What is created gets no value of what is chosen later.
        let values = self.assigns(rng, &given);
        self.chosen = chosen;
        let at = self.created.len() as u16;
        self.created.push(NameDef {
            name: format!("c{at}"),
            entity,
            count: Cardinality::One,
            by: BindBy::Created,
            ..NameDef::default()
        });
        let own = NameIx::new(CREATED + at);
        self.creates.push(Arc::Create {
            name: own,
            state,
            values,
        });
        for hop in hops(self.schema, entity) {
            let (near, there) = ends(&self.schema.edges[usize::from(hop.edge)], hop.forward);
            if near.min == 0 && !rng.chance(15) {
                continue;
            }
            let must_be_new = there.cardinality == Cardinality::One && near.min > 0;
            let root = if must_be_new && depth < 2 && !self.closed {
                Some(self.create_far(rng, there.entity, depth + 1, hop))
            } else {
                self.root(rng, there.entity)
            };
            if let Some(root) = root {
                let (path, with) = (bare(own), bare(root));
                self.link(rng, path, hop, with);
            }
        }
        own
    }

    /// Adds a `create` whose entity other arcs may link.
    fn create_far(&mut self, rng: &mut Rng, entity: EntityIx, depth: usize, _: Hop) -> NameIx {
        if depth < 2 {
            self.create(rng, entity, depth)
        } else {
            self.root(rng, entity).unwrap_or_default()
        }
    }

    /// Puts names and literals into their places, and arcs of different kinds into any order.
    pub fn finish(mut self, rng: &mut Rng, name: String, guards: Vec<String>) -> EventDef {
        let named = self.named.len() as u16;
        let created = self.created.len() as u16;
        let mut arcs = std::mem::take(&mut self.creates);
        for more in [&mut self.chooses, &mut self.arcs] {
            arcs = interleave(rng, arcs, std::mem::take(more));
        }
        for arc in &mut arcs {
            edit::roots(arc, &mut |root| {
                if root.get() >= CHOSEN {
                    *root = NameIx::new(root.get() - CHOSEN + created + named);
                } else if root.get() >= CREATED {
                    *root = NameIx::new(root.get() - CREATED + named);
                }
            });
        }
        let mut names = self.named;
        names.append(&mut self.created);
        names.append(&mut self.chosen);
        let mut def = EventDef {
            name,
            immediate: self.immediate,
            fields: self.fields,
            names,
            arcs,
            guards,
            order: self.order,
            ..EventDef::default()
        };
        edit::number(&mut def);
        def
    }
}

/// Two lists as one, each in its order.
fn interleave<T>(rng: &mut Rng, a: Vec<T>, b: Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while a.peek().is_some() || b.peek().is_some() {
        let from = if rng.chance(70) { &mut a } else { &mut b };
        all.extend(from.next());
    }
    all
}

pub fn bare(root: NameIx) -> Path {
    Path {
        root,
        hops: Vec::new(),
    }
}
