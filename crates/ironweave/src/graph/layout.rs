//! The layout: a schema, prepared for the hot paths.
//!
//! For each change of an entity it lists what depends on it, so that nothing else is visited: a move updates the watches of
//! that type, a link the watches of that edge. Without watches neither costs anything.

mod choices;
mod due;
mod immediates;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use choices::{Matching, Wait, Waiting};
pub(crate) use due::Due;
pub(crate) use immediates::{
    Immediate, LinkWake, NumberTest, Reached, Requires, ValueTest, ValuesCompared, Wake, is_watched,
};

use crate::base::error::Name;
use crate::base::hash::salt;
use crate::graph::index::composite::IndexType;
use crate::graph::indexing::IndexLayout;
use crate::schema::{
    Cardinality, ColumnIx, EdgeIx, EntityIx, Hop, InvariantIx, OnDelete, Schema, StateIx,
};
use crate::value::calculate::ImmediateCode;

/// A schema with shared names, salts for hashes, and lists of what depends on what.
pub(crate) struct Layout {
    pub schema: Schema,
    pub entities: Vec<EntityLayout>,
    pub columns: Vec<ColumnLayout>,
    pub edges: Vec<EdgeLayout>,
    /// The edges that are acyclic.
    pub acyclic: Vec<EdgeIx>,
    pub watches: Vec<Watch>,
    pub immediates: Vec<Immediate>,
    /// What immediate events that choose wait for. Their numbers among what is woken follow those of `immediates`.
    pub waits: Vec<Wait>,
    /// The events that have a due time, in order of declaration.
    pub dues: Vec<Due>,
    pub invariants: Vec<Name>,
    /// The indexes of several parts, in the order of the schema.
    pub indexes: Vec<IndexLayout>,
    /// Whether the columns are those of a logged schema, without the types of a program.
    pub is_untyped: bool,
}

pub(crate) struct EntityLayout {
    pub name: Name,
    pub states: Vec<StateLayout>,
    /// Fields and state data.
    pub columns: Vec<ColumnIx>,
    /// Fields only.
    pub fields: Vec<ColumnIx>,
    /// The parts of the key.
    pub key: Vec<ColumnIx>,
    /// Fields with a default.
    pub defaults: Vec<ColumnIx>,
    /// Both ends of each edge that touches the type.
    pub ends: Vec<Hop>,
    /// Ends whose number of links is bounded from below, or above by more than one.
    pub bounded: Vec<Bounded>,
    /// Waits that the deletion of an entity may end.
    pub deleted: Vec<u16>,
    /// Watches that count entities of this type.
    pub counted_by: Vec<u16>,
    /// Watches that belong to entities of this type.
    pub watches: Vec<u16>,
    /// Events that are due at a time of this type, as indexes of [`Layout::dues`].
    pub dues: Vec<u16>,
    /// Invariants of this type.
    pub invariants: Vec<InvariantIx>,
    /// Invariants that read this type through `via`: the invariant, and the hop back to its entities.
    pub seen_by: Vec<(InvariantIx, Hop)>,
    /// Indexes of this type of several parts.
    pub indexes: Vec<u16>,
    /// Those that a move may change.
    pub moved_indexes: Vec<u16>,
}

pub(crate) struct StateLayout {
    pub name: Name,
    pub salt: u64,
    pub data: Vec<ColumnIx>,
    /// Immediate events that can fire in this state, and waits that entering it may end.
    pub immediates: Vec<u16>,
}

pub(crate) struct ColumnLayout {
    pub entity: EntityIx,
    pub name: Name,
    /// `Partition.name`
    pub path: Name,
    pub salt: u64,
    /// Whether it is one of several parts of a key.
    pub composite: bool,
    /// Indexes of several parts that it is one of.
    pub indexes: Vec<u16>,
    /// Immediate events that compare its values.
    pub readers: Vec<u16>,
    /// Whether something follows from a change of a value: it is a part of a key of several parts, or of an index, or has
    /// readers.
    pub is_part: bool,
}

pub(crate) struct EdgeLayout {
    pub from: EndLayout,
    pub to: EndLayout,
    pub salt: u64,
    pub acyclic: bool,
    /// Whether a change of its links can break a bound or close a cycle.
    pub bounded: bool,
    /// Watches that count over this edge.
    pub watches: Vec<u16>,
    /// Indexes of which an end is a part, each with whether that is the declaring end.
    pub indexes: Vec<(u16, bool)>,
    /// Immediate events that a link or an unlink may enable, whatever the states of its ends.
    pub wakes: Vec<LinkWake>,
    /// Whether something else changes with its links: watches, an index, or immediate events.
    pub is_watched: bool,
}

impl EdgeLayout {
    /// Returns the types of an entity at the end that holds lists, which is the declaring one if `forward`, and of one at the
    /// other end.
    #[inline(always)]
    pub(crate) fn holder_and_held(&self, forward: bool) -> (EntityIx, EntityIx) {
        if forward {
            (self.from.entity, self.to.entity)
        } else {
            (self.to.entity, self.from.entity)
        }
    }
}

pub(crate) struct EndLayout {
    pub entity: EntityIx,
    pub name: Name,
    /// `Want.partitions`
    pub path: Name,
    pub cardinality: Cardinality,
    pub on_delete: OnDelete,
    /// By state of the far end, the watch that counts it; empty if the end is not counted.
    pub counted: Vec<u16>,
}

pub(crate) struct Bounded {
    pub hop: Hop,
    pub min: u32,
    pub max: Option<u32>,
}

/// A counter for each entity of a type: how many of its neighbours over an edge are in a set of states.
pub(crate) struct Watch {
    pub hop: Hop,
    pub member: StateSet,
    /// Immediate events that a change of the counter may enable.
    pub wakes: Vec<Wake>,
}

/// A set of states, by index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateSet([u64; 4]);

impl StateSet {
    /// All states.
    pub(crate) const ALL: Self = Self([!0; 4]);

    /// No state.
    const NONE: Self = Self([0; 4]);

    pub(crate) fn of(states: &[StateIx]) -> Self {
        let mut set = Self::NONE;
        for &state in states {
            set.0[state.index() / 64] |= 1 << (state.get() % 64);
        }
        set
    }

    pub(crate) fn contains(&self, state: StateIx) -> bool {
        self.0[state.index() / 64] >> (state.get() % 64) & 1 == 1
    }

    /// The set as one word, if it has no state beyond the first 64.
    pub(crate) fn word(&self) -> Option<u64> {
        let [word, 0, 0, 0] = self.0 else {
            return None;
        };
        Some(word)
    }

    fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    fn not(&self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

/// The existing watches, by what they count.
type Watches = HashMap<(EdgeIx, bool, [u64; 4]), u16>;

impl EntityLayout {
    /// Whether a move has no consequences: no state data that is cleared, no watch, no immediate event and no index.
    pub(crate) fn is_quiet(&self) -> bool {
        let idle = |state: &StateLayout| state.data.is_empty() && state.immediates.is_empty();
        let uncounted = self.counted_by.is_empty() && self.moved_indexes.is_empty();
        uncounted && self.states.iter().all(idle)
    }
}

impl Layout {
    /// Returns whether each entity has a value in a column, and not only as a part of its key or of an index: a new entity is in
    /// an index once all parts are set.
    pub(crate) fn may_be_mandatory(&self, column: ColumnIx) -> bool {
        let def = &self.schema[column];
        let layout = &self.columns[usize::from(column)];
        // A value that an immediate event compares is written by the general function, after which the event is woken.
        let is_plain = layout.indexes.is_empty() && layout.readers.is_empty();
        def.state.is_none() && !def.key && is_plain
    }

    /// Whether a hop leads to at most one entity.
    fn leads_to_one(&self, hop: Hop) -> bool {
        let edge = &self.edges[usize::from(hop.edge)];
        edge.near(hop.forward).cardinality != Cardinality::Many
    }

    /// Returns the hop over the edge that has a field of an entity type as an end.
    pub(crate) fn hop(&self, entity: EntityIx, field: &str) -> Option<Hop> {
        let mut ends = self.entities.get(usize::from(entity))?.ends.iter();
        let named =
            |hop: &&Hop| &*self.edges[usize::from(hop.edge)].near(hop.forward).name == field;
        ends.find(named).copied()
    }
}

impl EdgeLayout {
    /// The end that a hop leaves from.
    pub(crate) fn near(&self, forward: bool) -> &EndLayout {
        if forward { &self.from } else { &self.to }
    }

    /// The end that a hop arrives at.
    pub(crate) fn far(&self, forward: bool) -> &EndLayout {
        self.near(!forward)
    }
}

impl Layout {
    /// The layout of a schema without values that are compared.
    #[cfg(test)]
    pub(crate) fn new(schema: Schema, indexes: &[IndexType]) -> Arc<Self> {
        Self::of_model(schema, indexes, &[])
    }

    /// The layout of a model. There is an entry in `codes` for each event.
    pub(crate) fn of_model(
        schema: Schema,
        indexes: &[IndexType],
        codes: &[ImmediateCode],
    ) -> Arc<Self> {
        let mut layout = Self::of_shape(schema);
        layout.add_indexes(indexes);
        layout.add_dues();
        layout.add_invariants();
        let mut watches = HashMap::new();
        layout.add_immediates(&mut watches, codes);
        layout.add_counted(&mut watches);
        Arc::new(layout)
    }

    /// The layout of a graph that only replays facts: without what events and invariants need.
    pub(crate) fn of_facts(schema: Schema) -> Arc<Self> {
        Arc::new(Self {
            is_untyped: true,
            ..Self::of_shape(schema)
        })
    }

    /// The layout of a graph without the types of the program, on which events are tried by the schema alone.
    pub(crate) fn of_trial(schema: Schema, codes: &[ImmediateCode]) -> Arc<Self> {
        let mut layout = Self {
            is_untyped: true,
            ..Self::of_shape(schema)
        };
        layout.add_invariants();
        layout.add_immediates(&mut HashMap::new(), codes);
        Arc::new(layout)
    }

    fn of_shape(schema: Schema) -> Self {
        let mut keys = vec![0u32; schema.entities.len()];
        for column in schema.columns.iter().filter(|c| c.key) {
            keys[usize::from(column.entity)] += 1;
        }
        let columns: Vec<ColumnLayout> = (schema.columns.iter())
            .map(|c| column(&schema, c, keys[usize::from(c.entity)]))
            .collect();
        let mut entities: Vec<EntityLayout> = schema.entities.iter().map(entity).collect();
        for (ix, def) in ColumnIx::all(schema.columns.len()).zip(&schema.columns) {
            let entity = &mut entities[usize::from(def.entity)];
            entity.columns.push(ix);
            if let Some(state) = def.state {
                entity.states[usize::from(state)].data.push(ix);
            } else {
                entity.fields.push(ix);
            }
            if def.key {
                entity.key.push(ix);
            }
            if def.default.is_some() && def.state.is_none() {
                entity.defaults.push(ix);
            }
        }
        let mut edges = Vec::new();
        for (ix, def) in EdgeIx::all(schema.edges.len()).zip(&schema.edges) {
            let end = |end: &crate::schema::EndDef| EndLayout {
                entity: end.entity,
                name: end.name.as_str().into(),
                path: format!("{}.{}", entities[usize::from(end.entity)].name, end.name).into(),
                cardinality: end.cardinality,
                on_delete: end.on_delete,
                counted: Vec::new(),
            };
            let (from, to) = (end(&def.from), end(&def.to));
            let salt = salt(&from.path);
            edges.push(EdgeLayout {
                from,
                to,
                salt,
                acyclic: def.acyclic,
                bounded: def.acyclic,
                watches: Vec::new(),
                indexes: Vec::new(),
                wakes: Vec::new(),
                is_watched: false,
            });
            for (forward, end) in [(true, &def.from), (false, &def.to)] {
                let hop = Hop { edge: ix, forward };
                let entity = &mut entities[usize::from(end.entity)];
                entity.ends.push(hop);
                let min = end.min.max(u32::from(end.cardinality == Cardinality::One));
                let max = end.max.filter(|_| end.cardinality == Cardinality::Many);
                if min > 0 || max.is_some() {
                    entity.bounded.push(Bounded { hop, min, max });
                    edges[ix.index()].bounded = true;
                }
            }
        }
        Self {
            entities,
            columns,
            acyclic: (EdgeIx::all(edges.len()).zip(&edges))
                .filter_map(|(ix, edge)| edge.acyclic.then_some(ix))
                .collect(),
            edges,
            watches: Vec::new(),
            immediates: Vec::new(),
            waits: Vec::new(),
            dues: Vec::new(),
            invariants: Vec::new(),
            indexes: Vec::new(),
            is_untyped: false,
            schema,
        }
    }

    fn add_invariants(&mut self) {
        let all = InvariantIx::all(self.schema.invariants.len());
        for (ix, def) in all.zip(&self.schema.invariants) {
            self.invariants.push(def.name.as_str().into());
            self.entities[usize::from(def.entity)].invariants.push(ix);
            for hop in &def.via {
                let far = self.edges[usize::from(hop.edge)].far(hop.forward).entity;
                let seen_by = &mut self.entities[usize::from(far)].seen_by;
                seen_by.push((ix, reverse(*hop)));
            }
        }
    }

    /// The watch of a hop and a set of states, which is made if there is none.
    fn watch(&mut self, known: &mut Watches, hop: Hop, member: StateSet) -> u16 {
        let key = (hop.edge, hop.forward, member.0);
        if let Some(watch) = known.get(&key) {
            return *watch;
        }
        let edge = &mut self.edges[usize::from(hop.edge)];
        let watch = self.watches.len() as u16;
        edge.watches.push(watch);
        edge.is_watched = true;
        let (near, far) = (edge.near(hop.forward).entity, edge.far(hop.forward).entity);
        self.entities[usize::from(far)].counted_by.push(watch);
        self.entities[usize::from(near)].watches.push(watch);
        self.watches.push(Watch {
            hop,
            member,
            wakes: Vec::new(),
        });
        known.insert(key, watch);
        watch
    }

    /// Adds a watch for each state at the far side of ends that are `counted`.
    fn add_counted(&mut self, known: &mut Watches) {
        for edge in EdgeIx::all(self.schema.edges.len()) {
            for forward in [true, false] {
                if !self.schema[edge].near(forward).counted {
                    continue;
                }
                let hop = Hop { edge, forward };
                let far = self.edges[edge.index()].far(forward).entity;
                let states = self.entities[usize::from(far)].states.len();
                let counted = StateIx::all(states)
                    .map(|state| self.watch(known, hop, StateSet::of(&[state])))
                    .collect();
                let edge = &mut self.edges[edge.index()];
                let end = if forward {
                    &mut edge.from
                } else {
                    &mut edge.to
                };
                end.counted = counted;
            }
        }
    }

    /// States in the words of the model: `Idle | Building`.
    pub(crate) fn states_text(&self, entity: EntityIx, states: &[StateIx]) -> String {
        let names: Vec<&str> = states
            .iter()
            .map(|s| &*self.entities[usize::from(entity)].states[usize::from(*s)].name)
            .collect();
        names.join(" | ")
    }

    /// The type of the entities that a path reaches.
    pub(crate) fn path_entity(
        &self,
        event: &crate::schema::EventDef,
        path: &crate::schema::Path,
    ) -> EntityIx {
        path.hops
            .last()
            .map_or(event.names[usize::from(path.root)].entity, |hop| {
                self.edges[usize::from(hop.edge)].far(hop.forward).entity
            })
    }
}

/// The hop in the other direction.
pub(crate) fn reverse(hop: Hop) -> Hop {
    Hop {
        forward: !hop.forward,
        ..hop
    }
}

/// Returns the slots at the declaring and at the inverse end of a link, from those that a hop leads from and to.
#[inline(always)]
pub(crate) fn ends<T>(hop: Hop, near: T, far: T) -> (T, T) {
    if hop.forward {
        (near, far)
    } else {
        (far, near)
    }
}

fn column(schema: &Schema, def: &crate::schema::ColumnDef, parts: u32) -> ColumnLayout {
    let entity = &schema[def.entity];
    let path = match def.state {
        None => format!("{}.{}", entity.name, def.name),
        Some(state) => format!(
            "{}.{}.{}",
            entity.name,
            entity.states[usize::from(state)].name,
            def.name
        ),
    };
    ColumnLayout {
        entity: def.entity,
        name: def.name.as_str().into(),
        salt: salt(&path),
        composite: def.key && parts > 1,
        is_part: def.key && parts > 1,
        indexes: Vec::new(),
        readers: Vec::new(),
        path: path.into(),
    }
}

fn entity(def: &crate::schema::EntityDef) -> EntityLayout {
    let state = |state: &crate::schema::StateDef| StateLayout {
        name: state.name.as_str().into(),
        salt: salt(&format!("{}: {}", def.name, state.name)),
        data: Vec::new(),
        immediates: Vec::new(),
    };
    EntityLayout {
        name: def.name.as_str().into(),
        states: def.states.iter().map(state).collect(),
        columns: Vec::new(),
        fields: Vec::new(),
        key: Vec::new(),
        defaults: Vec::new(),
        ends: Vec::new(),
        bounded: Vec::new(),
        deleted: Vec::new(),
        counted_by: Vec::new(),
        watches: Vec::new(),
        dues: Vec::new(),
        invariants: Vec::new(),
        seen_by: Vec::new(),
        indexes: Vec::new(),
        moved_indexes: Vec::new(),
    }
}
