//! Binding: from the fields of an event to the entities that they name (the first stage of a step, see `fire.rs`).

pub(super) mod encoded;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::base::error::{Chain, Name, Reject, StepError};
use crate::base::id::Id;
use crate::db::entity::{Ensure, Entity, Handle, Key, Keyed};
use crate::db::{find, handle};
use crate::graph::key::{self, parts};
use crate::graph::layout::Layout;
use crate::graph::storage::Storage;
use crate::graph::{GraphMut, GraphRef, Journal};
use crate::schema::{Encoding, EntityIx, StateIx};
use crate::step::Core;
use crate::step::bindings::Bindings;
use crate::step::event::DynEvent;
use crate::step::plan::EventPlan;
use crate::value::debug::SerializedDebug;
use crate::value::item::display;
use crate::value::{EncodeError, encode, encode_faithful, encode_value, equal};

impl<S: Storage> Core<S> {
    /// Binds the entity fields of an event; `Ensure` creates the entities that do not exist.
    #[inline(always)]
    pub(super) fn bind<E: DynEvent + ?Sized>(
        &mut self,
        def: &EventPlan,
        event: &E,
    ) -> Result<(), Reject> {
        self.bindings.clear();
        event.bind(&mut Binder {
            graph: S::graph_mut(&mut self.graph),
            journal: &mut self.open.journal,
            bindings: &mut self.bindings,
            event: def,
        })
    }
}

/// Binds the entity fields of an event, one after the other.
pub struct Binder<'a> {
    graph: GraphMut<'a>,
    journal: &'a mut Journal,
    bindings: &'a mut Bindings,
    event: &'a EventPlan,
}

/// What can name an entity in an event: a handle, a token, a [`Key`], an [`Ensure`].
pub trait Ref {
    /// Its id, if it is a handle.
    fn handle(&self) -> Option<Id> {
        None
    }

    /// Finds the entity.
    ///
    /// # Errors
    /// If it is deleted, unknown or in another state.
    fn bind(&self, binder: &mut Binder<'_>) -> Result<Id, Reject>;

    /// Finds the entity without an error for what is wrong, and without creating it. Returns `None` if it is deleted,
    /// unknown or in another state.
    fn resolve(&self, _graph: GraphRef<'_>) -> Option<Id> {
        None
    }

    /// Encodes the key that it names the entity by, if it is not a handle.
    ///
    /// # Errors
    /// If it would be read back as another key.
    fn encode_key(&self, _bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Whether every key of its type is known to be read back as it was written.
    #[must_use]
    fn is_faithful() -> bool {
        true
    }

    /// How it is encoded.
    #[must_use]
    fn encoding() -> Encoding;

    /// A copy.
    #[must_use]
    fn copy(&self) -> Self
    where
        Self: Sized;

    /// Formats it, for `Debug`.
    ///
    /// # Errors
    /// Those of the formatter.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Binder<'_> {
    /// Binds a field that names one entity.
    ///
    /// # Errors
    /// If it is deleted, unknown or in another state.
    #[inline(always)]
    pub fn one(&mut self, field: &impl Ref) -> Result<(), Reject> {
        let id = field.bind(self)?;
        self.bindings.push_one(id);
        Ok(())
    }

    /// Binds a field that names one entity or none.
    ///
    /// # Errors
    /// As [`Binder::one`].
    pub fn option<R: Ref>(&mut self, field: &Option<R>) -> Result<(), Reject> {
        let id = match field {
            Some(field) => Some(field.bind(self)?),
            None => None,
        };
        self.bindings.push_many(id.into_iter());
        Ok(())
    }

    /// Binds a field that names a set of entities.
    ///
    /// # Errors
    /// As [`Binder::one`], and if an entity occurs twice.
    pub fn many<R: Ref>(&mut self, field: &[R]) -> Result<(), Reject> {
        let start = self.bindings.all().len();
        for item in field {
            let id = item.bind(self)?;
            self.bindings.push_member(id);
        }
        self.end_set(start)
    }

    /// Ends a set that begins at an index among all entities.
    fn end_set(&mut self, start: usize) -> Result<(), Reject> {
        let set = &self.bindings.all()[start..];
        let repeated = if set.len() <= 16 {
            (1..set.len())
                .find(|i| set[..*i].contains(&set[*i]))
                .map(|i| set[i])
        } else {
            let mut sorted = set.to_vec();
            sorted.sort_unstable();
            sorted.windows(2).find(|w| w[0] == w[1]).map(|w| w[0])
        };
        if let Some(id) = repeated {
            let name = &self.event.names[self.bindings.len_before(start)];
            let entity = self.graph.as_ref().who(name.entity, id);
            return Err(StepError::Repeated {
                event: Arc::clone(&self.event.name),
                name: Arc::clone(&name.name),
                entity,
                chain: Chain::default(),
            }
            .into());
        }
        self.bindings.end_name(start);
        Ok(())
    }

    /// Checks a handle or token: its entity exists and is in the state that a token claims.
    ///
    /// # Errors
    /// `StaleHandle` or `NotInPlace`.
    #[inline(always)]
    pub fn handle(
        &mut self,
        entity: EntityIx,
        id: Id,
        claimed: Option<StateIx>,
    ) -> Result<Id, Reject> {
        let found = self.graph.as_ref().state(entity, id);
        if found.is_some() && (claimed.is_none() || found == claimed) {
            return Ok(id);
        }
        Err(refused(
            self.graph.as_ref(),
            &self.event.name,
            entity,
            id,
            claimed,
        ))
    }
}

/// The error for an entity that does not exist, or that is in another state than its token claims.
#[cold]
pub(super) fn refused(
    graph: GraphRef<'_>,
    event: &Name,
    entity: EntityIx,
    id: Id,
    claimed: Option<StateIx>,
) -> Reject {
    let layout = &graph.layout().entities[usize::from(entity)];
    let event = Arc::clone(event);
    let who = graph.who(entity, id);
    let chain = Chain::default();
    match (graph.state(entity, id), claimed) {
        (Some(found), Some(claimed)) => StepError::NotInPlace {
            event,
            entity: who,
            expected: Arc::clone(&layout.states[usize::from(claimed)].name),
            found: Arc::clone(&layout.states[usize::from(found)].name),
            chain,
        },
        _ => StepError::StaleHandle {
            event,
            entity: who,
            chain,
        },
    }
    .into()
}

/// Finds the entity that has a key, or creates it in its initial state.
pub(crate) fn ensure<T: Keyed>(
    graph: &mut GraphMut<'_>,
    journal: &mut Journal,
    key: &T::Key,
) -> Result<Id, StepError> {
    if let Some(id) = find::<T>(graph.as_ref(), key) {
        return Ok(id);
    }
    let layout = Arc::clone(graph.as_ref().layout());
    let initial = layout.schema[T::INDEX].initial;
    let mut bytes = Vec::new();
    if T::KEY.len() > 1 {
        // Before anything is created, since its parts are set one by one.
        encode_key::<T>(key, &mut bytes).map_err(|e| unwritable_key::<T>(&layout, &e))?;
    }
    let slot = graph.create(journal, T::INDEX, initial)?;
    match T::KEY {
        [column] => graph.set(journal, *column, slot, key)?,
        columns => {
            for (column, part) in columns.iter().zip(parts(&bytes)) {
                graph.set_encoded(journal, *column, slot, part)?;
            }
        }
    }
    for column in &layout.entities[usize::from(T::INDEX)].defaults {
        graph.set_default(journal, *column, slot)?;
    }
    Ok(graph.as_ref().id(T::INDEX, slot))
}

/// Encodes a key, unless it would be read back as another.
fn encode_key<T: Keyed>(key: &T::Key, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    if T::has_faithful_key() {
        encode_value(key, bytes)
    } else {
        encode_faithful(key, bytes, || Some(equal::<T::Key>))
    }
}

/// The error for a key of several fields that cannot be written: `Order.(year, number)`.
#[cold]
fn unwritable_key<T: Keyed>(layout: &Layout, e: &EncodeError) -> StepError {
    let columns = T::KEY.iter();
    let names: Vec<&str> = columns
        .map(|column| &*layout.schema[*column].name)
        .collect();
    StepError::Unwritable {
        what: format!("{}.({})", T::NAME, names.join(", ")).into(),
        reason: e.to_string(),
        chain: Chain::default(),
    }
}

fn key_text<T: Keyed>(key: &T::Key) -> String {
    let mut bytes = Vec::new();
    if let Err(e) = encode(key, &mut bytes) {
        return e.to_string();
    }
    match T::KEY {
        [_] => display(&bytes),
        _ => key::text(parts(&bytes).into_iter()),
    }
}

/// The entity of a handle, if it exists and is in the state that a token claims.
#[inline(always)]
#[must_use]
pub fn resolve_handle(
    graph: GraphRef<'_>,
    entity: EntityIx,
    id: Id,
    claimed: Option<StateIx>,
) -> Option<Id> {
    let found = match claimed {
        None => graph.exists(entity, id),
        Some(_) => graph.state(entity, id) == claimed,
    };
    found.then_some(id)
}

impl<H: Handle> Ref for H {
    #[inline]
    fn handle(&self) -> Option<Id> {
        Some(self.id())
    }

    #[inline(always)]
    fn bind(&self, binder: &mut Binder<'_>) -> Result<Id, Reject> {
        binder.handle(H::Entity::INDEX, self.id(), H::STATE)
    }

    #[inline(always)]
    fn resolve(&self, graph: GraphRef<'_>) -> Option<Id> {
        resolve_handle(graph, H::Entity::INDEX, self.id(), H::STATE)
    }

    fn encoding() -> Encoding {
        Encoding::Id(H::Entity::INDEX)
    }

    fn copy(&self) -> Self {
        H::from_id(self.id())
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle::show(H::Entity::NAME, self.id(), f)
    }
}

/// `Key("a")`.
fn show_key(by: &str, key: &impl Serialize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_tuple(by).field(&SerializedDebug(key)).finish()
}

impl<T: Keyed> Ref for Key<T> {
    #[inline]
    fn resolve(&self, graph: GraphRef<'_>) -> Option<Id> {
        find::<T>(graph, self.key())
    }

    fn bind(&self, binder: &mut Binder<'_>) -> Result<Id, Reject> {
        find::<T>(binder.graph.as_ref(), self.key()).ok_or_else(|| {
            StepError::UnknownKey {
                event: Arc::clone(&binder.event.name),
                entity: <T as Entity>::NAME.into(),
                key: key_text::<T>(self.key()),
                chain: Chain::default(),
            }
            .into()
        })
    }

    fn encode_key(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode_key::<T>(self.key(), bytes)
    }

    fn is_faithful() -> bool {
        T::has_faithful_key()
    }

    fn encoding() -> Encoding {
        Encoding::Key(T::INDEX)
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_key("Key", self.key(), f)
    }
}

impl<T: Keyed> Ref for Ensure<T> {
    #[inline]
    fn resolve(&self, graph: GraphRef<'_>) -> Option<Id> {
        find::<T>(graph, self.key())
    }

    fn bind(&self, binder: &mut Binder<'_>) -> Result<Id, Reject> {
        Ok(ensure::<T>(&mut binder.graph, binder.journal, self.key())?)
    }

    fn encode_key(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode_key::<T>(self.key(), bytes)
    }

    fn is_faithful() -> bool {
        T::has_faithful_key()
    }

    fn encoding() -> Encoding {
        Encoding::Key(T::INDEX)
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_key("Ensure", self.key(), f)
    }
}
