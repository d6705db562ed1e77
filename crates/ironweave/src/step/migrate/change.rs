//! The changes of a migration. Each is checked before it has an effect, or undone if it fails.

use crate::base::cbor::NULL;
use crate::base::error::{MigrationError, Name, NameError, similar};
use crate::base::id::Id;
use crate::db::entity::{Entity, Handle};
use crate::db::named::{EntityType, EntityView, GraphView};
use crate::graph::Mark;
use crate::graph::layout::ends;
use crate::schema::{ColumnIx, EntityIx, Hop, StateIx};
use crate::step::migrate::value::{MigrationValue, encoded};
use crate::step::migrate::{Changes, Migration};
use crate::step::undo::undo;

/// An entity that a migration changes: a handle or a token of the new model, or an [`EntityView`] of the old graph, whose entities
/// keep their ids.
pub trait MigrationEntity<M> {
    #[doc(hidden)]
    fn find(&self) -> Found<'_>;
}

/// How an entity is given.
#[doc(hidden)]
pub enum Found<'e> {
    /// By the index of its type in the new model.
    Typed(EntityIx, Id),
    /// By name.
    Named(&'e EntityView<'e>),
}

impl<M: 'static, H: Handle<Entity: Entity<Model = M>>> MigrationEntity<M> for H {
    fn find(&self) -> Found<'_> {
        Found::Typed(H::Entity::INDEX, self.id())
    }
}

impl<M> MigrationEntity<M> for EntityView<'_> {
    fn find(&self) -> Found<'_> {
        Found::Named(self)
    }
}

/// The names and values of some fields.
pub type MigrationValues<'v> = [(&'v str, &'v dyn MigrationValue)];

impl<M> Migration<'_, M> {
    /// Creates an entity in its initial state. Fields that are not given have their defaults. The values of others can be
    /// written later, with [`set`](Self::set).
    ///
    /// # Errors
    /// `Name`, `Value`; `Step` with `Duplicate` if another entity has the key, or with `Full`.
    pub fn create<T: Entity<Model = M>>(
        &mut self,
        values: &MigrationValues<'_>,
    ) -> Result<T, MigrationError> {
        let created = self.changes.create(T::INDEX, None, values);
        created.map(T::from_id)
    }

    /// As [`create`](Self::create), in any state. The values may also be those of the data of that state.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in<T: Entity<Model = M>>(
        &mut self,
        state: &str,
        values: &MigrationValues<'_>,
    ) -> Result<T, MigrationError> {
        let created = self.changes.create(T::INDEX, Some(state), values);
        created.map(T::from_id)
    }

    /// Deletes an entity with its links, and others as the policies of its ends say (`on_delete`).
    ///
    /// # Errors
    /// `NoEntity` and other errors of the entity; `Step` with `Restricted`.
    pub fn delete(&mut self, entity: impl MigrationEntity<M>) -> Result<(), MigrationError> {
        self.changes.delete(entity.find())
    }

    /// Moves an entity to a state, with the data of that state. Each move is allowed, also one that the lifecycle does not have.
    /// Data that is not given has its default. An entity that is in the state keeps its other data.
    ///
    /// # Errors
    /// `Name`, `Value`; `NoEntity` and other errors of the entity.
    pub fn move_to(
        &mut self,
        entity: impl MigrationEntity<M>,
        state: &str,
        data: &MigrationValues<'_>,
    ) -> Result<(), MigrationError> {
        self.changes.move_to(entity.find(), state, data)
    }

    /// Writes a value of an entity. The name is that of a field, or of the data of the state that the entity is in, also with
    /// the name of the state, as in `Cleaning.by`. A part of a key is changed like any other field. No other entity may have the new
    /// key at that moment, so to exchange the keys of two entities, give one of them a third key first.
    ///
    /// The value may be of any type that serializes as the type of the field does, and may also be a value that was read from
    /// the old graph. `None` is the absence of a value.
    ///
    /// # Errors
    /// `Name`, `Value`, `NotInState`; `NoEntity` and other errors of the entity; `Step` with `Duplicate` if another entity has the
    /// key.
    pub fn set(
        &mut self,
        entity: impl MigrationEntity<M>,
        name: &str,
        value: impl MigrationValue,
    ) -> Result<(), MigrationError> {
        self.changes.set(entity.find(), name, &value)
    }

    /// Links an entity with another one, at an end of an edge that may be the declaring or the inverse one.
    ///
    /// # Errors
    /// `Name`, `WrongEnd`; `NoEntity` and other errors of the entities; `Step` with `AlreadyLinked`, or with `Cardinality` if an
    /// end that holds one is taken.
    pub fn link(
        &mut self,
        entity: impl MigrationEntity<M>,
        end: &str,
        other: impl MigrationEntity<M>,
    ) -> Result<(), MigrationError> {
        (self.changes).change_link(LinkChange::Link, entity.find(), end, other.find())
    }

    /// As [`link`](Self::link), with data.
    ///
    /// # Errors
    /// As [`link`](Self::link) and [`set_link`](Self::set_link).
    pub fn link_with(
        &mut self,
        entity: impl MigrationEntity<M>,
        end: &str,
        other: impl MigrationEntity<M>,
        data: impl MigrationValue,
    ) -> Result<(), MigrationError> {
        let change = LinkChange::LinkWith(&data);
        (self.changes).change_link(change, entity.find(), end, other.find())
    }

    /// As [`link`](Self::link). An end that can hold only one loses the link that it has.
    ///
    /// # Errors
    /// As [`link`](Self::link), without those of `Step`.
    pub fn relink(
        &mut self,
        entity: impl MigrationEntity<M>,
        end: &str,
        other: impl MigrationEntity<M>,
    ) -> Result<(), MigrationError> {
        (self.changes).change_link(LinkChange::Relink, entity.find(), end, other.find())
    }

    /// Removes the link between two entities.
    ///
    /// # Errors
    /// `Name`, `WrongEnd`; `NoEntity` and other errors of the entities; `Step` with `NotLinked`.
    pub fn unlink(
        &mut self,
        entity: impl MigrationEntity<M>,
        end: &str,
        other: impl MigrationEntity<M>,
    ) -> Result<(), MigrationError> {
        (self.changes).change_link(LinkChange::Unlink, entity.find(), end, other.find())
    }

    /// Writes the data of a link.
    ///
    /// # Errors
    /// As [`unlink`](Self::unlink); `Value`, `NoData`.
    pub fn set_link(
        &mut self,
        entity: impl MigrationEntity<M>,
        end: &str,
        other: impl MigrationEntity<M>,
        data: impl MigrationValue,
    ) -> Result<(), MigrationError> {
        let change = LinkChange::Set(&data);
        (self.changes).change_link(change, entity.find(), end, other.find())
    }
}

/// A change of a link.
enum LinkChange<'v> {
    Link,
    LinkWith(&'v dyn MigrationValue),
    Relink,
    Unlink,
    Set(&'v dyn MigrationValue),
}

impl Changes<'_> {
    fn create(
        &mut self,
        entity: EntityIx,
        state: Option<&str>,
        values: &MigrationValues<'_>,
    ) -> Result<Id, MigrationError> {
        let state = match state {
            Some(state) => self.of_type(entity).state(state)?,
            None => self.core.graph.layout.schema[entity].initial,
        };
        self.whole(|changes| {
            let core = &mut *changes.core;
            let slot = (core.graph).create(&mut core.open.journal, entity, state)?;
            let id = core.graph.id(entity, slot);
            let given = changes.set_all((entity, id), values)?;
            changes.set_defaults((entity, id), None, &given)?;
            changes.set_defaults((entity, id), Some(state), &given)?;
            Ok(id)
        })
    }

    fn delete(&mut self, entity: Found<'_>) -> Result<(), MigrationError> {
        let (ix, id) = self.resolve(&entity)?;
        self.whole(|changes| {
            let core = &mut *changes.core;
            Ok((core.graph).delete(&mut core.open.journal, &[(ix, id.slot)])?)
        })
    }

    fn move_to(
        &mut self,
        entity: Found<'_>,
        state: &str,
        data: &MigrationValues<'_>,
    ) -> Result<(), MigrationError> {
        let (ix, id) = self.resolve(&entity)?;
        let to = self.of_type(ix).state(state)?;
        self.whole(|changes| {
            let core = &mut *changes.core;
            let from = core.graph.state_of(ix, id.slot);
            if from != to {
                (core.graph).move_between(&mut core.open.journal, ix, id.slot, (from, to));
            }
            let given = changes.set_all((ix, id), data)?;
            changes.set_defaults((ix, id), Some(to), &given)
        })?;
        self.unplaced.remove(&(ix, id.slot));
        Ok(())
    }

    fn set(
        &mut self,
        entity: Found<'_>,
        name: &str,
        value: &dyn MigrationValue,
    ) -> Result<(), MigrationError> {
        let at = self.resolve(&entity)?;
        self.whole(|changes| changes.set_one(at, name, value).map(drop))
    }

    fn change_link(
        &mut self,
        change: LinkChange<'_>,
        entity: Found<'_>,
        end: &str,
        other: Found<'_>,
    ) -> Result<(), MigrationError> {
        let (hop, from, to) = self.ends(&entity, end, &other)?;
        self.whole(|changes| {
            let core = &mut *changes.core;
            let (graph, journal) = (&mut core.graph, &mut core.open.journal);
            match change {
                LinkChange::Link => graph.link(journal, hop.edge, from, to)?,
                LinkChange::LinkWith(data) => {
                    graph.link(journal, hop.edge, from, to)?;
                    changes.set_data(hop, (from, to), data)?;
                }
                LinkChange::Relink => graph.relink(journal, hop.edge, from, to),
                LinkChange::Unlink => graph.unlink(journal, hop.edge, from, to)?,
                LinkChange::Set(data) => changes.set_data(hop, (from, to), data)?,
            }
            Ok(())
        })
    }

    fn of_type(&self, entity: EntityIx) -> EntityType<'_> {
        GraphView::new(self.graph()).type_at(entity)
    }

    /// The type of an entity in the new model, and its id.
    pub(super) fn resolve(&self, entity: &Found<'_>) -> Result<(EntityIx, Id), MigrationError> {
        let (ix, id) = match *entity {
            Found::Typed(ix, id) => (ix, id),
            Found::Named(view) => (self.type_of(view)?, view.id()),
        };
        let graph = &self.core.graph;
        if graph.state(ix, id).is_some() {
            return Ok((ix, id));
        }
        let entity = graph.who(ix, id);
        Err(MigrationError::NoEntity { entity })
    }

    /// The type in the new model of an entity that is given by name.
    fn type_of(&self, view: &EntityView<'_>) -> Result<EntityIx, MigrationError> {
        let (of, entity) = (view.entity_type(), || view.entity_ref());
        if of.is_of(self.old.graph()) {
            let now = self.map.entity(of.index());
            now.ok_or_else(|| MigrationError::NoSuchType { entity: entity() })
        } else if of.is_of(self.graph()) {
            Ok(of.index())
        } else {
            Err(MigrationError::OtherGraph { entity: entity() })
        }
    }

    /// The slots at the declaring and the inverse end of a link.
    fn ends(
        &self,
        entity: &Found<'_>,
        end: &str,
        other: &Found<'_>,
    ) -> Result<(Hop, u32, u32), MigrationError> {
        let (ix, id) = self.resolve(entity)?;
        let (far_ix, far) = self.resolve(other)?;
        let hop = self.of_type(ix).hop(end)?;
        let graph = &self.core.graph;
        let edge = &graph.layout.edges[usize::from(hop.edge)];
        let expected = edge.far(hop.forward).entity;
        if far_ix != expected {
            return Err(MigrationError::WrongEnd {
                edge: edge.near(hop.forward).path.clone(),
                expected: graph.layout.entities[usize::from(expected)].name.clone(),
                entity: graph.who(far_ix, far),
            });
        }
        let (from, to) = ends(hop, id.slot, far.slot);
        Ok((hop, from, to))
    }

    /// Makes a change atomic: if it fails or panics, it is undone.
    fn whole<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, MigrationError>,
    ) -> Result<R, MigrationError> {
        self.core.open.check_whole()?;
        let mark = self.core.graph.mark(&mut self.core.open.journal);
        let mut guard = Change {
            changes: self,
            mark: Some(mark),
        };
        let result = change(guard.changes)?;
        guard.mark = None;
        Ok(result)
    }

    fn set_all(
        &mut self,
        entity: (EntityIx, Id),
        values: &MigrationValues<'_>,
    ) -> Result<Vec<ColumnIx>, MigrationError> {
        let set = |(name, value): &(&str, &dyn MigrationValue)| self.set_one(entity, name, *value);
        values.iter().map(set).collect()
    }

    /// Writes defaults in the fields, or in the data of a state, that are not given and have no value: `None` in those that are
    /// options and have no default.
    fn set_defaults(
        &mut self,
        (entity, id): (EntityIx, Id),
        state: Option<StateIx>,
        given: &[ColumnIx],
    ) -> Result<(), MigrationError> {
        let core = &mut *self.core;
        let layout = core.graph.layout.clone();
        let of = &layout.entities[usize::from(entity)];
        let columns = match state {
            None => &of.fields,
            Some(state) => &of.states[usize::from(state)].data,
        };
        for column in columns {
            let def = &layout.schema[*column];
            let cells = core.graph.column(*column);
            if given.contains(column) || cells.has(id.slot) && !cells.is_mandatory() {
                continue;
            }
            let journal = &mut core.open.journal;
            core.graph.set_default(journal, *column, id.slot)?;
            if def.is_optional() && !core.graph.column(*column).has(id.slot) {
                (core.graph).set_encoded(journal, *column, id.slot, &[NULL])?;
            }
        }
        Ok(())
    }

    fn set_one(
        &mut self,
        (entity, id): (EntityIx, Id),
        name: &str,
        value: &dyn MigrationValue,
    ) -> Result<ColumnIx, MigrationError> {
        let column = self.column((entity, id), name)?;
        let graph = &self.core.graph;
        let layout = graph.layout.clone();
        let (what, def) = (
            &layout.columns[usize::from(column)].path,
            &layout.schema[column],
        );
        let cells = graph.column(column);
        let bytes = encoded(value, cells, (what, &def.ty))?;
        // A key that stays the same is no duplicate of itself.
        let has = cells.has(id.slot) && !cells.is_mandatory();
        if has && cells.encoded(id.slot).as_ref() == Some(&bytes) {
            return Ok(column);
        }
        let core = &mut *self.core;
        let journal = &mut core.open.journal;
        (core.graph).change_key_encoded(journal, column, id.slot, &bytes)?;
        Ok(column)
    }

    /// The column that a name means for an entity.
    fn column(&self, (entity, id): (EntityIx, Id), name: &str) -> Result<ColumnIx, MigrationError> {
        let graph = &self.core.graph;
        let layout = &graph.layout;
        let of = self.of_type(entity);
        let found = graph.state_of(entity, id.slot);
        let (state, field) = match name.split_once('.') {
            Some((state, field)) => (Some(of.state(state)?), field),
            None => (None, name),
        };
        let mut columns: Vec<ColumnIx> = of.columns(field)?.collect();
        if let Some(state) = state {
            columns.retain(|column| layout.schema[*column].state == Some(state));
        }
        let Some(first) = columns.first() else {
            let data = state
                .map(|state| &layout.entities[usize::from(entity)].states[usize::from(state)].data);
            let names = data
                .into_iter()
                .flatten()
                .map(|column| &*layout.schema[*column].name);
            return Err(NameError::UnknownField {
                entity: layout.entities[usize::from(entity)].name.clone(),
                name: name.into(),
                similar: similar(field, names),
            }
            .into());
        };
        let can_be_set = |column: &&ColumnIx| {
            let state = layout.schema[**column].state;
            state.is_none_or(|state| state == found)
        };
        // Fields come before the data of states.
        columns.iter().find(can_be_set).copied().ok_or_else(|| {
            let state = &layout.entities[usize::from(entity)].states[usize::from(found)];
            MigrationError::NotInState {
                what: layout.columns[usize::from(*first)].path.clone(),
                entity: graph.who(entity, id),
                found: state.name.clone(),
            }
        })
    }

    fn set_data(
        &mut self,
        hop: Hop,
        ends: (u32, u32),
        data: &dyn MigrationValue,
    ) -> Result<(), MigrationError> {
        let core = &mut *self.core;
        let layout = core.graph.layout.clone();
        let path: &Name = &layout.edges[usize::from(hop.edge)].from.path;
        let Some(column) = core.graph.link_column(hop.edge) else {
            return Err(MigrationError::NoData { edge: path.clone() });
        };
        let ty = layout.schema[hop.edge].data.as_deref().unwrap_or_default();
        let bytes = encoded(data, column, (path, ty))?;
        let journal = &mut core.open.journal;
        Ok((core.graph).set_link_encoded(journal, hop.edge, ends, &bytes)?)
    }

    /// Undoes what was done since a mark.
    fn take_back(&mut self, mark: Mark) {
        let core = &mut *self.core;
        undo(&mut core.graph, &mut core.open, |graph, open| {
            graph.rollback(&mut open.journal, mark);
        });
    }
}

/// A change that is in progress. Dropped before its end, it is undone.
struct Change<'c, 'a> {
    changes: &'c mut Changes<'a>,
    mark: Option<Mark>,
}

impl Drop for Change<'_, '_> {
    fn drop(&mut self) {
        if let Some(mark) = self.mark {
            self.changes.take_back(mark);
        }
    }
}
