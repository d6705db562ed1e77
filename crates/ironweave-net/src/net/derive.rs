//! The net of a schema.

use ironweave_schema::{
    Arc as ArcDef, BindBy, Cardinality, ColumnDef, EdgeIx, EndDef, EntityIx, EventDef, Hop,
    Invalid, May, NameIx, Path, Quantifier, Schema, Scope, Source, StateIx,
};

use super::{
    Action, Arc, Choice, Edge, End, Entity, Field, Firing, Handler, Inscription, Invariant,
    Lifecycle, Net, Place, PlaceIx, PlaceKind, Read, Tokens, Transition, Variable,
};

impl Net {
    /// Derives the net of a model from its schema. O(states * columns + size of the schema), and for each `delete` O(edges).
    ///
    /// # Errors
    /// If the schema is not [valid](Schema::validate).
    pub fn of(schema: &Schema) -> Result<Self, Invalid> {
        schema.validate()?;
        let mut net = Self {
            name: schema.name.clone(),
            ..Self::default()
        };
        net.add_states(schema);
        net.add_edges(schema);
        let mut priority = 0;
        for event in &schema.events {
            let firing = match event.immediate {
                true => Firing::Immediate { priority },
                false => Firing::Requested,
            };
            priority += u32::from(event.immediate);
            let transition = Derive::new(schema, &net, event).transition(firing);
            net.transitions.push(transition);
        }
        net.invariants = (schema.invariants.iter())
            .map(|def| Invariant {
                name: def.name.clone(),
                entity: def.entity,
                via: def.via.clone(),
                check: def.check.clone(),
            })
            .collect();
        Ok(net)
    }

    fn add(&mut self, name: String, kind: PlaceKind) -> PlaceIx {
        self.places.push(Place { name, kind });
        PlaceIx(self.places.len() as u32 - 1)
    }

    fn add_states(&mut self, schema: &Schema) {
        for (ix, def) in EntityIx::all(schema.entities.len()).zip(&schema.entities) {
            let fields = |of: Option<StateIx>| -> Vec<Field> {
                let own = |c: &&ColumnDef| c.entity == ix && c.state == of;
                schema.columns.iter().filter(own).map(field).collect()
            };
            let mut states = Vec::with_capacity(def.states.len());
            for (state, of) in StateIx::all(def.states.len()).zip(&def.states) {
                let kind = PlaceKind::State {
                    entity: ix,
                    state,
                    initial: state == def.initial,
                    terminal: of.terminal,
                    data: fields(Some(state)),
                };
                states.push(self.add(format!("{}::{}", def.name, of.name), kind));
            }
            let moves = def.states.iter().zip(&states).flat_map(|(of, from)| {
                let to = of.to.iter();
                to.map(|to| Lifecycle {
                    from: *from,
                    to: states[to.to.index()],
                    verb: to.verb.clone(),
                })
            });
            self.entities.push(Entity {
                name: def.name.clone(),
                initial: states[def.initial.index()],
                fields: fields(None),
                lifecycle: moves.collect(),
                states,
            });
        }
    }

    fn add_edges(&mut self, schema: &Schema) {
        for (ix, def) in EdgeIx::all(schema.edges.len()).zip(&schema.edges) {
            let name = format!("{}.{}", schema[def.from.entity].name, def.from.name);
            let place = self.add(name, PlaceKind::Edge(ix));
            self.edges.push(Edge {
                place,
                from: end(&def.from),
                to: end(&def.to),
                data: def.data.clone(),
                acyclic: def.acyclic,
            });
        }
    }
}

fn field(column: &ColumnDef) -> Field {
    Field {
        name: column.name.clone(),
        ty: column.ty.clone(),
        key: column.key,
    }
}

fn end(def: &EndDef) -> End {
    End {
        entity: def.entity,
        name: def.name.clone(),
        cardinality: def.cardinality,
        min: def.min.max(u32::from(def.cardinality == Cardinality::One)),
        max: match def.cardinality {
            Cardinality::Many => def.max,
            Cardinality::One | Cardinality::Option => Some(1),
        },
        on_delete: def.on_delete,
        counted: def.counted,
    }
}

/// The transition of one event, in the making.
pub(super) struct Derive<'a> {
    pub(super) schema: &'a Schema,
    pub(super) net: &'a Net,
    pub(super) event: &'a EventDef,
    pub(super) choices: Vec<Choice>,
    pub(super) reads: Vec<Read>,
    pub(super) conditions: Vec<String>,
    pub(super) arcs: Vec<Arc>,
    unknown: usize,
}

impl<'a> Derive<'a> {
    fn new(schema: &'a Schema, net: &'a Net, event: &'a EventDef) -> Self {
        Self {
            schema,
            net,
            event,
            choices: Vec::new(),
            reads: Vec::new(),
            conditions: Vec::new(),
            arcs: Vec::new(),
            unknown: 0,
        }
    }

    fn transition(mut self, firing: Firing) -> Transition {
        for (name, def) in NameIx::all(self.event.names.len()).zip(&self.event.names) {
            let root = Path {
                root: name,
                hops: Vec::new(),
            };
            match def.by {
                BindBy::Ensure => {
                    let to = self.net[def.entity].initial;
                    self.arc(Action::Ensure { to }, &root);
                }
                BindBy::Token(state) if !self.is_moved(name) => {
                    self.read(vec![self.net.place_of(def.entity, state)], None, root);
                }
                BindBy::Token(_)
                | BindBy::Handle
                | BindBy::Key
                | BindBy::Created
                | BindBy::Chosen => {}
            }
        }
        for arc in &self.event.arcs {
            self.declared(arc);
        }
        let handler = self.handler();
        let calculations = self.calculations();
        let fixed_keys = self.fixed_keys();
        let variables = self.event.names.iter().map(|def| Variable {
            name: def.name.clone(),
            entity: def.entity,
            count: def.count,
            by: def.by,
        });
        Transition {
            name: self.event.name.clone(),
            firing,
            variables: variables.collect(),
            order: self.event.order.map(|order| self.schema.order_text(order)),
            due: self.due(),
            choices: self.choices,
            reads: self.reads,
            conditions: self.conditions,
            arcs: self.arcs,
            calculations,
            guards: self.event.guards.clone(),
            handler,
            fixed_keys,
            unknown: self.unknown,
        }
    }

    /// Returns the created names whose key does not depend on a field of the event, or is that of a former one.
    fn fixed_keys(&self) -> Vec<NameIx> {
        let mut given: Vec<(EntityIx, Vec<&Source>)> = Vec::new();
        let mut fixed = Vec::new();
        for arc in &self.event.arcs {
            let ArcDef::Create { name, values, .. } = arc else {
                continue;
            };
            let entity = self.event.names[name.index()].entity;
            let has_key = (self.schema.columns.iter()).any(|c| c.entity == entity && c.key);
            let parts = values.iter().filter(|v| self.schema[v.column].key);
            let key = (entity, parts.map(|v| &v.source).collect::<Vec<_>>());
            let is_free = key
                .1
                .iter()
                .any(|source| matches!(source, Source::Field(_)));
            if has_key && (!is_free || given.contains(&key)) {
                fixed.push(*name);
            }
            given.push(key);
        }
        fixed
    }

    /// Returns whether an arc moves all entities that a name is bound to, so that it requires their state.
    pub(super) fn is_moved(&self, name: NameIx) -> bool {
        self.event.arcs.iter().any(|arc| match arc {
            ArcDef::Move { scope, path, .. } => {
                *scope == Scope::Each && path.root == name && path.hops.is_empty()
            }
            _ => false,
        })
    }

    /// Returns whether a path reaches at most one entity.
    fn is_one(&self, path: &Path) -> bool {
        let root = &self.event.names[path.root.index()];
        let one = |hop: &Hop| self.schema[hop.edge].near(hop.forward).cardinality;
        root.count != Cardinality::Many && path.hops.iter().all(|hop| one(hop) != Cardinality::Many)
    }

    pub(super) fn scope(&self, path: &Path) -> Inscription {
        match self.is_one(path) {
            true => Inscription::Bound,
            false => Inscription::Each,
        }
    }

    pub(super) fn entity(&self, path: &Path) -> EntityIx {
        self.schema.reached(self.event, path)
    }

    pub(super) fn places(&self, path: &Path, states: &[StateIx]) -> Vec<PlaceIx> {
        let entity = self.entity(path);
        let places = states.iter().map(|s| self.net.place_of(entity, *s));
        places.collect()
    }

    /// Adds a read of the links that a path follows.
    pub(super) fn follow(&mut self, path: &Path) {
        for (at, hop) in path.hops.iter().enumerate() {
            let near = Path {
                root: path.root,
                hops: path.hops[..at].to_vec(),
            };
            let read = Read {
                places: vec![self.net[hop.edge].place],
                inscription: Inscription::Those,
                tokens: Tokens::Links {
                    near,
                    hop: *hop,
                    far: None,
                },
                amount: None,
            };
            if !self.reads.contains(&read) {
                self.reads.push(read);
            }
        }
    }

    pub(super) fn read(
        &mut self,
        places: Vec<PlaceIx>,
        inscription: Option<Inscription>,
        path: Path,
    ) {
        let inscription = inscription.unwrap_or_else(|| self.scope(&path));
        self.add_read(Read {
            places,
            inscription,
            tokens: Tokens::Entities(path),
            amount: None,
        });
    }

    /// Adds a read, after one of the links that its path follows.
    pub(super) fn add_read(&mut self, read: Read) {
        if let Tokens::Entities(path) = &read.tokens {
            self.follow(path);
        }
        if !self.reads.contains(&read) {
            self.reads.push(read);
        }
    }

    fn arc(&mut self, action: Action, path: &Path) {
        let inscription = self.scope(path);
        self.arc_with(action, inscription, path);
    }

    fn arc_with(&mut self, action: Action, inscription: Inscription, path: &Path) {
        self.follow(path);
        self.arcs.push(Arc {
            action,
            inscription,
            tokens: Tokens::Entities(path.clone()),
            implied: false,
        });
    }

    fn links(&mut self, action: Action, those: bool, near: &Path, hop: Hop, far: &Path) {
        self.follow(near);
        self.follow(far);
        self.arcs.push(Arc {
            action,
            inscription: match (those, self.is_one(near) && self.is_one(far)) {
                (true, _) => Inscription::Those,
                (false, true) => Inscription::Bound,
                (false, false) => Inscription::Each,
            },
            tokens: Tokens::Links {
                near: near.clone(),
                hop,
                far: Some(far.clone()),
            },
            implied: false,
        });
    }

    fn declared(&mut self, arc: &ArcDef) {
        let place = |hop: &Hop| self.net[hop.edge].place;
        match arc {
            ArcDef::Create { name, state, .. } => {
                let root = Path {
                    root: *name,
                    hops: Vec::new(),
                };
                let to = self.net.place_of(self.entity(&root), *state);
                self.arc(Action::Create { to }, &root);
            }
            ArcDef::Move {
                scope,
                path,
                from,
                to,
                ..
            } => {
                let to = self.net.place_of(self.entity(path), *to);
                let mut from = from.clone();
                if path.hops.is_empty() {
                    match self.event.names[path.root.index()].by {
                        BindBy::Token(state) => from.retain(|from| *from == state),
                        BindBy::Chosen => self.retain_chosen(path.root, &mut from),
                        BindBy::Handle | BindBy::Key | BindBy::Ensure | BindBy::Created => {}
                    }
                }
                let from = self.places(path, &from);
                let inscription = match scope {
                    Scope::Each => self.scope(path),
                    Scope::Those => Inscription::Those,
                };
                self.arc_with(Action::Move { from, to }, inscription, path);
            }
            ArcDef::Link {
                path, hop, with, ..
            } => {
                let edge = place(hop);
                self.links(Action::Link { edge }, false, path, *hop, with);
            }
            ArcDef::Relink {
                path, hop, with, ..
            } => {
                let edge = place(hop);
                self.links(Action::Relink { edge }, false, path, *hop, with);
            }
            ArcDef::Unlink { path, hop, with } => {
                let edge = place(hop);
                self.links(Action::Unlink { edge }, true, path, *hop, with);
            }
            ArcDef::SetLink {
                path, hop, with, ..
            } => {
                let edge = place(hop);
                self.links(Action::SetLink { edge }, false, path, *hop, with);
            }
            ArcDef::Set { path, value } => {
                let action = self.set(value.column);
                let is_created = self.event.names[path.root.index()].by == BindBy::Created;
                if let (
                    Action::Set {
                        state: Some(state), ..
                    },
                    false,
                ) = (&action, is_created && path.hops.is_empty())
                {
                    self.read(vec![*state], None, path.clone());
                }
                self.arc(action, path);
            }
            ArcDef::Delete { path } => {
                let entity = self.entity(path);
                self.arc(self.delete(entity), path);
                self.implied(entity, path);
            }
            ArcDef::When {
                quantifier,
                path,
                states,
            } => {
                let inscription = match quantifier {
                    Quantifier::All => Inscription::All,
                    Quantifier::Any => Inscription::Any,
                    Quantifier::None => Inscription::None,
                };
                let places = self.places(path, states);
                self.read(places, Some(inscription), path.clone());
            }
            ArcDef::Count { .. } | ArcDef::Compare { .. } | ArcDef::Choose { .. } => {
                self.requirement(arc);
            }
            ArcDef::Unknown(_) => self.unknown += 1,
        }
    }

    fn set(&self, column: ironweave_schema::ColumnIx) -> Action {
        let def = &self.schema[column];
        Action::Set {
            entity: def.entity,
            state: def.state.map(|s| self.net.place_of(def.entity, s)),
            field: def.name.clone(),
        }
    }

    fn handler(&mut self) -> Option<Handler> {
        let mut permits = Vec::new();
        for may in &self.event.mays {
            let place = |edge: &EdgeIx| self.net[*edge].place;
            permits.push(match may {
                May::Create(entity) => {
                    let to = self.net[*entity].initial;
                    permits.push(Action::Create { to });
                    permits.extend(self.links_of_new(*entity));
                    continue;
                }
                May::Ensure(entity) => Action::Ensure {
                    to: self.net[*entity].initial,
                },
                May::Move { entity, from, to } => Action::Move {
                    from: vec![self.net.place_of(*entity, *from)],
                    to: self.net.place_of(*entity, *to),
                },
                May::Link(edge) => Action::Link { edge: place(edge) },
                May::Unlink(edge) => Action::Unlink { edge: place(edge) },
                May::Relink(edge) => Action::Relink { edge: place(edge) },
                May::SetLink(edge) => Action::SetLink { edge: place(edge) },
                May::Set(column) => self.set(*column),
                May::Delete(entity) => {
                    permits.extend(self.deletes(*entity));
                    continue;
                }
                May::Unknown(_) => {
                    self.unknown += 1;
                    continue;
                }
            });
        }
        if self.event.mays.is_empty() {
            return None;
        }
        let mut distinct = Vec::with_capacity(permits.len());
        for action in permits {
            if !distinct.contains(&action) {
                distinct.push(action);
            }
        }
        Some(Handler {
            name: format!("{}::apply", self.event.name),
            permits: distinct,
        })
    }

    /// Returns the links with which a handler creates an entity: those that it must have.
    fn links_of_new(&self, entity: EntityIx) -> impl Iterator<Item = Action> + use<'a> {
        let ends = self.ends(entity).into_iter();
        let (net, ones) = (
            self.net,
            ends.filter(|(_, end)| end.cardinality == Cardinality::One),
        );
        ones.map(|(hop, _)| Action::Link {
            edge: net[hop.edge].place,
        })
    }
}
