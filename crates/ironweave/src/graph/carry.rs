//! Carrying a graph over to another schema: what the two schemas have in common by name stays, and the rest is dropped.
//!
//! | of the graph | what is carried over |
//! |---|---|
//! | entities | of each type that the new schema has, with their ids, generations and free slots |
//! | states | an entity is in the state of the same name, or in the initial state of the new schema if there is none |
//! | values | of each field, and of each piece of data of a state, that the new schema has with an encoding that [reads](Encoding::reads) them |
//! | links | of each edge that the new schema has at the same declaring end and with the same far type, in the order of both lists; an end that holds one now keeps its first link |
//! | data of links | as values |
//!
//! A field that is new has no value, unless each entity has a value in its column (see [`Layout::may_be_mandatory`]): that
//! is 0, `false` or the time 0 until another is set.

mod summary;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use summary::{CarrySummary, Lost};

use crate::base::error::{CarriedCell, Name, NotCarried};
use crate::base::id::FREE;
use crate::graph::Graph;
use crate::graph::column::{ColumnError, ColumnType};
use crate::graph::layout::Layout;
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EdgeIx, Encoding, EntityIx, Schema, StateIx};

/// For each item of a schema, the item of another schema that has the same name and can take over what it holds.
pub(crate) struct CarryMap {
    entities: Vec<Option<EntityIx>>,
    /// By entity type and state. States of types that are dropped have none.
    states: Vec<Vec<Option<StateIx>>>,
    columns: Vec<Option<ColumnIx>>,
    edges: Vec<Option<EdgeIx>>,
    /// By edge, whether the data of its links is carried over.
    data: Vec<bool>,
}

fn positions<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, usize> {
    keys.zip(0..).collect()
}

/// Returns whether values with one encoding are carried over to a column with another. What is not known is tried. `of` is the
/// entity type that has taken over the entities of a type: the encodings of handles and keys have the indexes of two schemas.
fn reads(
    now: Option<&Encoding>,
    was: Option<&Encoding>,
    of: &impl Fn(EntityIx) -> Option<EntityIx>,
) -> bool {
    now.zip(was).is_none_or(|(now, was)| {
        let was = with_entities(was, of);
        was.is_some_and(|was| now.reads(&was))
    })
}

/// Returns an encoding with the entity types of another schema, or `None` if it does not have one of them.
fn with_entities(
    encoding: &Encoding,
    of: &impl Fn(EntityIx) -> Option<EntityIx>,
) -> Option<Encoding> {
    Some(match encoding {
        Encoding::Id(entity) => Encoding::Id(of(*entity)?),
        Encoding::Key(entity) => Encoding::Key(of(*entity)?),
        Encoding::Option(inner) => Encoding::Option(Box::new(with_entities(inner, of)?)),
        Encoding::List(inner) => Encoding::List(Box::new(with_entities(inner, of)?)),
        plain => plain.clone(),
    })
}

impl CarryMap {
    /// The entity type of the other schema that takes over the entities of a type.
    pub(crate) fn entity(&self, was: EntityIx) -> Option<EntityIx> {
        self.entities.get(usize::from(was)).copied().flatten()
    }

    /// The state of the other schema that takes over the entities in a state.
    pub(crate) fn state(&self, of: EntityIx, was: StateIx) -> Option<StateIx> {
        let states = self.states.get(usize::from(of))?;
        states.get(usize::from(was)).copied().flatten()
    }

    /// The column of the other schema that takes over the values of a column.
    pub(crate) fn column(&self, was: ColumnIx) -> Option<ColumnIx> {
        self.columns.get(usize::from(was)).copied().flatten()
    }

    /// The edge of the other schema that takes over the links of an edge.
    pub(crate) fn edge(&self, was: EdgeIx) -> Option<EdgeIx> {
        self.edges.get(usize::from(was)).copied().flatten()
    }

    /// The columns of the other schema that take over values.
    pub(crate) fn columns(&self) -> impl Iterator<Item = ColumnIx> {
        self.columns.iter().flatten().copied()
    }

    /// Returns whether an edge of the other schema takes over the data of the links of another one.
    pub(crate) fn has_data(&self, now: EdgeIx) -> bool {
        let of = self.edges.iter().position(|edge| *edge == Some(now));
        of.and_then(|was| self.data.get(was))
            .is_some_and(|data| *data)
    }

    /// The map between two [valid](Schema::validate) schemas. `was` has the indexes of the schema of the graph, and the names
    /// that its items have now, if they were renamed.
    pub(crate) fn by_name(was: &Schema, now: &Schema) -> Self {
        let known = positions(now.entities.iter().map(|def| &def.name));
        let entity = |def: &crate::schema::EntityDef| {
            let found = known.get(&def.name).copied()?;
            EntityIx::try_from(found).ok()
        };
        let entities: Vec<Option<EntityIx>> = was.entities.iter().map(entity).collect();
        let states = |(def, ix): (&crate::schema::EntityDef, &Option<EntityIx>)| {
            let now = ix.map(|ix| &now[ix]);
            let state = |state: &crate::schema::StateDef| now?.state(&state.name);
            def.states.iter().map(state).collect()
        };
        let states: Vec<Vec<Option<StateIx>>> =
            was.entities.iter().zip(&entities).map(states).collect();
        let of = |entity: EntityIx| entities.get(usize::from(entity)).copied().flatten();
        let known = positions((now.columns.iter()).map(|def| (def.entity, def.state, &def.name)));
        let column = |def: &crate::schema::ColumnDef| {
            let state = match def.state {
                None => None,
                Some(state) => Some(states[usize::from(def.entity)][usize::from(state)]?),
            };
            let found = *known.get(&(of(def.entity)?, state, &def.name))?;
            let encoding = now.columns[found].encoding.as_ref();
            let reads = reads(encoding, def.encoding.as_ref(), &of);
            ColumnIx::try_from(found).ok().filter(|_| reads)
        };
        let columns = was.columns.iter().map(column).collect();
        let known = positions((now.edges.iter()).map(|def| (def.from.entity, &def.from.name)));
        let edge = |def: &crate::schema::EdgeDef| {
            let found = *known.get(&(of(def.from.entity)?, &def.from.name))?;
            let same_far = of(def.to.entity) == Some(now.edges[found].to.entity);
            EdgeIx::try_from(found).ok().filter(|_| same_far)
        };
        let edges: Vec<Option<EdgeIx>> = was.edges.iter().map(edge).collect();
        let data = |(def, ix): (&crate::schema::EdgeDef, &Option<EdgeIx>)| {
            let Some(now) = ix.map(|ix| &now[ix]) else {
                return false;
            };
            let have = def.data.is_some() && now.data.is_some();
            have && reads(now.encoding.as_ref(), def.encoding.as_ref(), &of)
        };
        Self {
            data: was.edges.iter().zip(&edges).map(data).collect(),
            entities,
            states,
            columns,
            edges,
        }
    }
}

/// Returns whether graphs of two schemas have the same tables: they differ at most in their events and invariants.
pub(crate) fn have_same_tables(a: &Schema, b: &Schema) -> bool {
    let entities = |schema: &Schema| -> Vec<_> {
        let states = |def: &crate::schema::EntityDef| -> Vec<String> {
            def.states.iter().map(|state| state.name.clone()).collect()
        };
        let entity = |def: &crate::schema::EntityDef| (def.name.clone(), states(def), def.initial);
        schema.entities.iter().map(entity).collect()
    };
    let columns = |schema: &Schema| -> Vec<_> {
        let column = |def: &crate::schema::ColumnDef| {
            let at = (def.entity, def.state, def.name.clone());
            (at, def.encoding.clone(), def.key, def.index)
        };
        schema.columns.iter().map(column).collect()
    };
    let edges = |schema: &Schema| -> Vec<_> {
        let end = |end: &crate::schema::EndDef| {
            let bounds = (end.cardinality, end.min, end.max);
            (end.entity, end.name.clone(), bounds)
        };
        let edge = |def: &crate::schema::EdgeDef| {
            let data = (def.data.is_some(), def.encoding.clone());
            (end(&def.from), end(&def.to), data, def.acyclic)
        };
        schema.edges.iter().map(edge).collect()
    };
    let indexes = |schema: &Schema| schema.indexes.clone();
    let tables = entities(a) == entities(b) && columns(a) == columns(b) && edges(a) == edges(b);
    tables && indexes(a) == indexes(b)
}

impl<S: Storage> Graph<S> {
    /// Returns a graph of another layout with what the map carries over, on which no transaction is open. O(size of the
    /// graph). Bounds, invariants and immediate events of the new layout are not considered.
    ///
    /// # Errors
    /// The first value that the new schema refuses: because it cannot be read, or because it is a key that another entity has.
    pub(crate) fn carried_over(
        &self,
        layout: &Arc<Layout>,
        (columns, data): (&[ColumnType], &[Option<ColumnType>]),
        map: &CarryMap,
    ) -> Result<Self, Box<NotCarried>> {
        let mut now = Self::new(Arc::clone(layout), columns, data);
        let all = EntityIx::all(self.entities.len());
        for (was, states) in all.zip(&map.states) {
            if let Some(entity) = map.entities[usize::from(was)] {
                now.take_entities(entity, self, was, states);
            }
        }
        for (was, column) in ColumnIx::all(self.columns.len()).zip(&map.columns) {
            if let Some(column) = *column {
                now.take_values(column, self, was)?;
            }
        }
        now.index_keys(|graph, (entity, slot), e| {
            Box::new(NotCarried {
                what: Arc::clone(&graph.layout.entities[usize::from(entity)].name),
                entity: graph.entity_ref(entity, slot),
                reason: e.to_string(),
                seq: None,
                location: None,
                cell: None,
            })
        })?;
        for (was, edge) in EdgeIx::all(self.edges.len()).zip(&map.edges) {
            if let Some(edge) = *edge {
                now.take_links(edge, self, was, map.data[usize::from(was)])?;
            }
        }
        now.sort_acyclic_edges();
        now.fill_indexes();
        now.count_watched();
        now.fingerprinting = self.fingerprinting;
        if now.fingerprinting {
            now.fingerprint = now.recomputed_fingerprint();
            now.committed_fingerprint = now.fingerprint;
        }
        Ok(now)
    }

    /// Takes over the slots of a type, which has none, with empty columns and without links.
    fn take_entities(
        &mut self,
        entity: EntityIx,
        from: &Self,
        was: EntityIx,
        states: &[Option<StateIx>],
    ) {
        let initial = self.layout.schema[entity].initial;
        let old = &from.entities[usize::from(was)];
        let table = &mut self.entities[usize::from(entity)];
        for slot in 0..old.words.len() as u32 {
            let word = *old.words.at(slot as usize);
            if slot % 64 == 0 {
                table.in_state.reach(slot);
            }
            if word as u8 == FREE {
                table.words.push(word);
            } else {
                let state = states.get(usize::from(word as u8)).copied().flatten();
                let state = state.unwrap_or(initial);
                table.words.push(word & !0xff | u32::from(state));
                table.in_state.insert(state, slot);
            }
        }
        table.free = old.free.clone();
        table.alive = old.alive;
        table.any_deleted = old.any_deleted;
        self.make_cells(entity, old.words.len() as u32);
    }

    /// Takes over the values of a column.
    fn take_values(
        &mut self,
        column: ColumnIx,
        from: &Self,
        was: ColumnIx,
    ) -> Result<(), Box<NotCarried>> {
        let entity = self.layout.columns[usize::from(column)].entity;
        let old = from.column(was);
        let mut scratch = Vec::new();
        for slot in 0..old.len() as u32 {
            if !self.is_alive(entity, slot) {
                continue;
            }
            let Some(value) = old.encoded(slot) else {
                continue;
            };
            scratch.clear();
            let cells = &mut self.columns[usize::from(column)];
            if let Err(e) = cells.set_encoded(slot, &value, &mut scratch) {
                let what = &self.layout.columns[usize::from(column)].path;
                let cell = CarriedCell::Column(column, slot);
                return Err(self.not_carried(what, entity, cell, e));
            }
            cells.forget_replaced();
        }
        Ok(())
    }

    #[cold]
    fn not_carried(
        &self,
        what: &Name,
        entity: EntityIx,
        cell: CarriedCell,
        error: ColumnError,
    ) -> Box<NotCarried> {
        let (CarriedCell::Column(_, slot) | CarriedCell::Link(_, slot, _)) = cell;
        let reason = match error {
            ColumnError::Duplicate(holder) => {
                format!("{} has the same key", self.entity_ref(entity, holder))
            }
            ColumnError::Unwritable(reason) => reason,
            ColumnError::Unreadable(e) => format!("its value cannot be read: {e}"),
        };
        Box::new(NotCarried {
            what: Arc::clone(what),
            entity: self.entity_ref(entity, slot),
            reason,
            seq: None,
            location: None,
            cell: Some(cell),
        })
    }

    /// Takes over the links of an edge, and their data if `data`.
    fn take_links(
        &mut self,
        edge: EdgeIx,
        from: &Self,
        was: EdgeIx,
        data: bool,
    ) -> Result<(), Box<NotCarried>> {
        let layout = Arc::clone(&self.layout);
        let layout = &layout.edges[usize::from(edge)];
        let slots = [&layout.from, &layout.to].map(|end| self.slots(end.entity));
        let ones = [&layout.from, &layout.to]
            .map(|end| end.cardinality != crate::schema::Cardinality::Many);
        self.edges[usize::from(edge)].take_links(&from.edges[usize::from(was)], slots, ones);
        if layout.acyclic {
            self.edges[usize::from(edge)].forget_order(slots[0] as usize);
        }
        let mut scratch = Vec::new();
        for slot in (0..slots[0]).filter(|_| data) {
            let far = self.edges[usize::from(edge)].held(true, slot).to_vec();
            for other in far {
                let Some((column, row)) = from.link_row(was, slot, other) else {
                    continue;
                };
                let Some(value) = column.encoded(row) else {
                    continue;
                };
                scratch.clear();
                let Some(cells) = &mut self.edges[usize::from(edge)].data else {
                    continue;
                };
                let written = cells.set_encoded((slot, other), &value, &mut scratch);
                cells.forget_replaced();
                if let Err(e) = written {
                    let cell = CarriedCell::Link(edge, slot, other);
                    return Err(self.not_carried(&layout.from.path, layout.from.entity, cell, e));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
