//! Reading a graph by the names of its schema, without the types of the model.
//!
//! [`GraphView`] is a whole graph and [`EntityType`] one of its entity types; `entity.rs` has single entities, their links and
//! their values.

mod entity;

use std::fmt;
use std::sync::Arc;

pub use entity::{EntityView, LinkView, ValueView};

use crate::base::error::{NameError, similar};
use crate::base::id::Id;
use crate::graph::GraphRef;
use crate::graph::any::either;
use crate::graph::key::parts;
use crate::graph::layout::EntityLayout;
use crate::graph::slots::{Cursor, GROUP_SLOTS};
use crate::schema::{ColumnDef, ColumnIx, EdgeIx, EntityDef, EntityIx, Hop, Schema, StateIx};
use crate::value::parse::{handle, parse_key};

/// A graph that is read by the names in its schema, returned by [`Db::by_name`](crate::Db::by_name).
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::Lit;
///
/// let mut store = Store::<lamps::Model>::memory();
/// store.step(Lit { lamp: "hall".into() });
/// let graph = store.by_name();
/// for lamp in graph.entity_type("Lamp")?.entities_in("On")? {
///     println!("{} in {}", lamp.label(), lamp.field("room")?.expect("it is set"));
/// }
/// let error = graph.find("lamp", "hall").unwrap_err();
/// assert_eq!(error.to_string(), "the model has no entity type `lamp`; did you mean `Lamp`?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct GraphView<'g> {
    graph: GraphRef<'g>,
}

impl fmt::Debug for GraphView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |ty: EntityType<'_>| (ty.name().to_owned(), ty.count());
        f.debug_map()
            .entries(self.entity_types().map(counts))
            .finish()
    }
}

impl<'g> GraphView<'g> {
    pub(crate) fn new(graph: GraphRef<'g>) -> Self {
        Self { graph }
    }

    /// Returns the graph.
    pub(crate) fn graph(self) -> GraphRef<'g> {
        self.graph
    }

    /// Returns the schema of the graph.
    #[must_use]
    pub fn schema(self) -> &'g Schema {
        &self.graph.layout().schema
    }

    /// Returns the entity types, in order of declaration.
    #[must_use]
    pub fn entity_types(self) -> impl ExactSizeIterator<Item = EntityType<'g>> {
        let all = 0..self.schema().entities.len() as u16;
        all.map(move |index| EntityType {
            graph: self.graph,
            index: EntityIx::new(index),
        })
    }

    /// Returns the entity type with an index in the schema.
    pub(crate) fn type_at(self, index: EntityIx) -> EntityType<'g> {
        let graph = self.graph;
        EntityType { graph, index }
    }

    /// Returns the entity type of a name.
    ///
    /// # Errors
    /// `UnknownType` if there is none.
    pub fn entity_type(self, name: &str) -> Result<EntityType<'g>, NameError> {
        let (graph, index) = (self.graph, entity_named(self.schema(), name)?);
        Ok(EntityType { graph, index })
    }

    /// Returns the entity of a type that has a key, or `None` if there is none; see [`EntityType::find`].
    ///
    /// # Errors
    /// `UnknownType`, and those of [`EntityType::find`].
    pub fn find(self, entity_type: &str, key: &str) -> Result<Option<EntityView<'g>>, NameError> {
        self.entity_type(entity_type)?.find(key)
    }

    /// Returns the entity of a handle as it is displayed, `Order/3.1` or `Order-3.1`, or `None` if it does not exist.
    ///
    /// # Errors
    /// `InvalidHandle` if the text is not a handle, and `UnknownType`.
    pub fn entity(self, handle: &str) -> Result<Option<EntityView<'g>>, NameError> {
        let invalid = || NameError::InvalidHandle {
            text: handle.into(),
        };
        let (name, id) = handle.rsplit_once(['/', '-']).ok_or_else(invalid)?;
        let id = id.parse().map_err(|_| invalid())?;
        Ok(self.entity_type(name)?.at(id))
    }

    /// Returns the number of tokens in each place of the net of the model: for each entity type the entities in each of its
    /// states, and then the links of each edge, in the order of the schema. O(entities with edges).
    #[must_use]
    pub fn tokens(self) -> Vec<u64> {
        let (graph, schema) = (self.graph, self.schema());
        let types = self.entity_types();
        let mut tokens: Vec<u64> = types
            .flat_map(|of| {
                let states = StateIx::all(of.def().states.len());
                states.map(move |state| graph.count(of.index, state) as u64)
            })
            .collect();
        for (edge, def) in EdgeIx::all(schema.edges.len()).zip(&schema.edges) {
            let hop = Hop {
                edge,
                forward: true,
            };
            let entities = self.type_at(def.from.entity).entities();
            let degrees = entities.map(|entity| graph.degree(hop, entity.id().slot) as u64);
            tokens.push(degrees.sum());
        }
        tokens
    }

    /// Returns the number of entities of all types.
    #[must_use]
    pub fn count(self) -> usize {
        self.entity_types().map(EntityType::count).sum()
    }
}

/// An entity type of a graph, by its name.
#[derive(Clone, Copy)]
pub struct EntityType<'g> {
    graph: GraphRef<'g>,
    index: EntityIx,
}

impl fmt::Debug for EntityType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'g> EntityType<'g> {
    /// Returns the index of the type in the schema.
    pub(crate) fn index(self) -> EntityIx {
        self.index
    }

    /// Returns whether the type is one of this graph, and not of another one.
    pub(crate) fn is_of(self, graph: GraphRef<'_>) -> bool {
        Arc::ptr_eq(self.graph.layout(), graph.layout())
    }

    fn layout(self) -> &'g EntityLayout {
        &self.graph.layout().entities[usize::from(self.index)]
    }

    fn schema(self) -> &'g Schema {
        &self.graph.layout().schema
    }

    /// Returns the definition in the schema.
    #[must_use]
    pub fn def(self) -> &'g EntityDef {
        &self.schema()[self.index]
    }

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'g str {
        &self.def().name
    }

    /// Returns the names of the states, in order of declaration.
    #[must_use]
    pub fn states(self) -> impl ExactSizeIterator<Item = &'g str> {
        self.def().states.iter().map(|state| &*state.name)
    }

    /// Returns the definitions of the fields, in order of declaration.
    pub fn fields(self) -> impl Iterator<Item = &'g ColumnDef> {
        let fields = self.layout().fields.iter();
        fields.map(move |column| &self.schema()[*column])
    }

    /// Returns the definitions of the fields that are the key, in order of declaration.
    pub fn key(self) -> impl Iterator<Item = &'g ColumnDef> {
        let key = self.layout().key.iter();
        key.map(move |column| &self.schema()[*column])
    }

    /// Returns the definitions of the data of a state, in order of declaration.
    ///
    /// # Errors
    /// `UnknownState`.
    pub fn data_of(self, state: &str) -> Result<impl Iterator<Item = &'g ColumnDef>, NameError> {
        let state = self.state(state)?;
        let data = self.layout().states[usize::from(state)].data.iter();
        Ok(data.map(move |column| &self.schema()[*column]))
    }

    /// Returns the names of its ends of edges, in order of the edges.
    pub fn edges(self) -> impl Iterator<Item = &'g str> {
        let ends = self.layout().ends.iter();
        ends.map(move |hop| &*self.schema()[hop.edge].near(hop.forward).name)
    }

    /// Returns the number of entities. O(1).
    #[must_use]
    pub fn count(self) -> usize {
        self.graph.alive(self.index)
    }

    /// Returns the number of entities in a state. O(1).
    ///
    /// # Errors
    /// `UnknownState`.
    pub fn count_in(self, state: &str) -> Result<usize, NameError> {
        Ok(self.graph.count(self.index, self.state(state)?))
    }

    /// Returns the entities, in order of ids.
    pub fn entities(self) -> impl Iterator<Item = EntityView<'g>> {
        self.entities_of(StateIx::all(self.def().states.len()).collect(), None)
    }

    /// Returns the entities in a state, in order of ids.
    ///
    /// # Errors
    /// `UnknownState`.
    pub fn entities_in(
        self,
        state: &str,
    ) -> Result<impl Iterator<Item = EntityView<'g>>, NameError> {
        Ok(self.entities_of(vec![self.state(state)?], None))
    }

    /// Returns the entities that follow another one in order of ids, of all states or of one. That entity need not exist any more, nor
    /// be in the state. The first of them is found without a visit of those before it: entities are read in pages by the last id of the
    /// page before.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::Bought;
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// for room in ["hall", "attic", "cellar"] {
    ///     store.step(Bought { room: room.into() });
    /// }
    /// let lamps = store.by_name().entity_type("Lamp")?;
    /// let first = lamps.entities().next().expect("there are three");
    /// let next: Vec<String> = lamps.entities_after(Some("Off"), first.id())?.map(|lamp| lamp.label()).collect();
    /// assert_eq!(next, ["attic", "cellar"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `UnknownState`.
    pub fn entities_after(
        self,
        state: Option<&str>,
        after: Id,
    ) -> Result<impl Iterator<Item = EntityView<'g>>, NameError> {
        let states = match state {
            Some(state) => vec![self.state(state)?],
            None => StateIx::all(self.def().states.len()).collect(),
        };
        Ok(self.entities_of(states, Some(after)))
    }

    fn entities_of(
        self,
        states: Vec<StateIx>,
        after: Option<Id>,
    ) -> impl Iterator<Item = EntityView<'g>> {
        let Self { graph, index } = self;
        // The slots of a group are visited from its first one on.
        let group = after.map_or(0, |id| id.slot as usize / GROUP_SLOTS);
        let mut cursor = either!(graph, graph => {
            let groups = states.iter().map(|state| graph.in_state(index, *state).groups());
            Cursor::between(group, groups.max().unwrap_or(0))
        });
        let slots = std::iter::from_fn(move || {
            either!(graph, graph => {
                let mut sets = states.iter().map(|state| graph.in_state(index, *state));
                cursor.next(
                    &mut sets,
                    |sets, i| sets.clone().fold(0, |all, set| all | set.group(i)),
                    |sets, i| sets.clone().fold(0, |all, set| all | set.word(i)),
                )
            })
        });
        slots
            .skip_while(move |slot| after.is_some_and(|id| *slot <= id.slot))
            .map(move |slot| self.at_slot(slot))
    }

    /// Returns the entity of an id, or `None` if it does not exist. O(1).
    #[must_use]
    pub fn at(self, id: Id) -> Option<EntityView<'g>> {
        self.graph.state(self.index, id)?;
        Some(self.at_slot(id.slot))
    }

    fn at_slot(self, slot: u32) -> EntityView<'g> {
        EntityView::new(self, self.graph.id(self.index, slot))
    }

    /// Returns the entity of a handle in one of the forms `Order/3.1`, `Order-3.1` and `3.1`, or `None` if the text is not a
    /// handle or the entity does not exist. O(1).
    #[must_use]
    pub fn at_handle(self, text: &str) -> Option<EntityView<'g>> {
        handle(text, self.name()).and_then(|id| self.at(id))
    }

    /// Returns the entity that has a key, or `None` if there is none. O(1).
    ///
    /// The text is the key as [`label`](EntityView::label) and [`ValueView`] display it. The parts of a key of several fields are separated by commas, as
    /// in `2026, 1`; a part that is a text can be in quotes. If the schema does not have the type of the key, the entity is
    /// searched whose key is this number or this text.
    ///
    /// # Errors
    /// `NoKey`; `InvalidKey` if the text is not a value of the type of the key.
    pub fn find(self, key: &str) -> Result<Option<EntityView<'g>>, NameError> {
        let found = keys_named(self.schema(), self.index, key)?
            .into_iter()
            .find_map(|key| {
                let parts: Vec<&[u8]> = key.iter().map(Vec::as_slice).collect();
                self.find_parts(&parts)
            });
        Ok(found)
    }

    /// Returns the entity that has a key, or `None` if there is none. The key is in CBOR: the value of the key field, or an
    /// array of the values of several. O(1).
    ///
    /// # Errors
    /// `NoKey`.
    pub fn find_encoded(self, key: &[u8]) -> Result<Option<EntityView<'g>>, NameError> {
        match self.layout().key.len() {
            0 => Err(NameError::NoKey {
                entity: self.layout().name.clone(),
            }),
            1 => Ok(self.find_parts(&[key])),
            _ => Ok(self.find_parts(&parts(key))),
        }
    }

    fn find_parts(self, parts: &[&[u8]]) -> Option<EntityView<'g>> {
        let slot = match (&*self.layout().key, parts) {
            ([column], [key]) => self.graph.column(*column).holder(key)?,
            (columns, parts) if columns.len() == parts.len() => {
                self.graph.find_parts(self.index, parts)?
            }
            _ => return None,
        };
        Some(self.at_slot(slot))
    }

    /// Returns the state of a name.
    pub(crate) fn state(self, name: &str) -> Result<StateIx, NameError> {
        self.def()
            .state(name)
            .ok_or_else(|| NameError::UnknownState {
                entity: self.layout().name.clone(),
                name: name.into(),
                similar: similar(name, self.states()),
            })
    }

    /// Returns the columns of a name: that of a field, and those of the data of states.
    pub(crate) fn columns(self, name: &str) -> Result<impl Iterator<Item = ColumnIx>, NameError> {
        let schema = self.schema();
        let mut columns = (self.layout().columns.iter().copied())
            .filter(move |column| schema[*column].name == name)
            .peekable();
        if columns.peek().is_none() {
            let known = self.layout().columns.iter();
            return Err(NameError::UnknownField {
                entity: self.layout().name.clone(),
                name: name.into(),
                similar: similar(name, known.map(|column| &*schema[*column].name)),
            });
        }
        Ok(columns)
    }

    /// Returns the hop over the edge that has an end of a name.
    pub(crate) fn hop(self, name: &str) -> Result<Hop, NameError> {
        let hop = self.graph.layout().hop(self.index, name);
        hop.ok_or_else(|| NameError::UnknownEdge {
            entity: self.layout().name.clone(),
            name: name.into(),
            similar: similar(name, self.edges()),
        })
    }
}

/// Returns the index of the entity type of a name.
pub(crate) fn entity_named(schema: &Schema, name: &str) -> Result<EntityIx, NameError> {
    let mut all = EntityIx::all(schema.entities.len());
    let found = all.find(|entity| schema[*entity].name == name);
    found.ok_or_else(|| NameError::UnknownType {
        name: name.into(),
        similar: similar(name, schema.entities.iter().map(|def| &*def.name)),
    })
}

/// Returns the keys of an entity type that a text can be, each as the encodings of its parts, the most likely first.
pub(crate) fn keys_named(
    schema: &Schema,
    entity: EntityIx,
    text: &str,
) -> Result<Vec<Vec<Vec<u8>>>, NameError> {
    let name = || schema[entity].name.as_str().into();
    if !(schema.columns.iter()).any(|column| column.key && column.entity == entity) {
        return Err(NameError::NoKey { entity: name() });
    }
    parse_key(text, entity, schema).map_err(|expected| NameError::InvalidKey {
        entity: name(),
        key: text.into(),
        expected,
    })
}
