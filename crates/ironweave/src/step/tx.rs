//! `Tx`: the access of a handler to the graph. Generated methods check at compile time that the event
//! declares an arc; the state of the graph is checked here.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::base::error::{Name, Reject, StepError};
use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::db::entity::{Entity, Handle, Keyed, StateOf};
use crate::db::{Db, Reader};
use crate::graph::any::either;
use crate::graph::layout::ends;
use crate::graph::{GraphMut, GraphRef, Mark};
use crate::schema::{ColumnIx, EntityIx, Hop, StateIx};
use crate::step::bindings::BoundNames;
use crate::step::event::{DynEvent, HandleImmediate};
use crate::step::open::OpenTransaction;
use crate::step::plan::EventPlan;
use crate::step::undo::undo;
use crate::step::{bind, rejected};

/// The graph and the open transaction that a handler changes, without the type of its event.
pub struct Workspace<'a> {
    graph: GraphMut<'a>,
    open: &'a mut OpenTransaction,
    event: &'a Name,
}

/// Runs the handler of an event.
#[inline(never)]
pub(super) fn run_handler(
    graph: GraphMut<'_>,
    open: &mut OpenTransaction,
    def: &EventPlan,
    names: BoundNames<'_>,
    event: &dyn DynEvent,
) -> Result<(), StepError> {
    run(graph, open, def, |workspace| event.handle(names, workspace))
}

/// Runs the handler of an immediate event.
#[inline(never)]
pub(super) fn run_immediate_handler(
    graph: GraphMut<'_>,
    open: &mut OpenTransaction,
    def: &EventPlan,
    names: BoundNames<'_>,
    handle: HandleImmediate,
) -> Result<(), StepError> {
    run(graph, open, def, |workspace| handle(names, workspace))
}

#[inline(always)]
fn run(
    graph: GraphMut<'_>,
    open: &mut OpenTransaction,
    def: &EventPlan,
    handle: impl FnOnce(Workspace<'_>) -> Result<(), Reject>,
) -> Result<(), StepError> {
    let workspace = Workspace {
        graph,
        open: &mut *open,
        event: &def.name,
    };
    handle(workspace).map_err(|e| rejected(def, e))?;
    // The handler may have caught the panic that left the graph broken.
    open.check_whole()
}

impl Workspace<'_> {
    /// Undoes what a call of the handler did since a mark.
    fn take_back(&mut self, mark: Mark) {
        // In shared pages any change may run user code: values are cloned when a page that is shared is copied.
        let shared = matches!(self.graph, GraphMut::Paged(_));
        let broken = shared && (self.open.is_broken() || std::thread::panicking());
        either!(&mut self.graph, graph => undo(graph, self.open, |graph, open| {
            graph.rollback(&mut open.journal, mark);
        }));
        if broken {
            self.open.set_broken(true);
        }
    }
}

/// The graph in a handler of event `E`. It can be read through [`Db`](crate::Db), and changed as the `#[may(..)]` of the
/// event permits.
pub struct Tx<'a, E> {
    at: Workspace<'a>,
    of: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Tx<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tx");
        shown.field("event", self.at.event).finish_non_exhaustive()
    }
}

impl<'a, E> Tx<'a, E> {
    pub(crate) fn new(workspace: Workspace<'a>) -> Self {
        Self {
            at: workspace,
            of: PhantomData,
        }
    }
}

impl<E> Tx<'_, E> {
    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.at.open.clock.now()
    }

    /// Returns the metadata of the transaction.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.at.open.meta
    }

    /// An error if an entity is deleted, or in another state than its token claims.
    fn must_be(&self, entity: EntityIx, id: Id, claimed: Option<StateIx>) -> Result<(), Reject> {
        let found = self.graph().state(entity, id);
        if found.is_some() && (claimed.is_none() || found == claimed) {
            return Ok(());
        }
        Err(bind::refused(
            self.graph(),
            self.at.event,
            entity,
            id,
            claimed,
        ))
    }

    /// Makes a call of a handler atomic: if it fails, or if user code panics in it, its changes are undone, so that the
    /// handler may ignore the error and go on.
    fn whole<R>(&mut self, call: impl FnOnce(&mut Self) -> Result<R, Reject>) -> Result<R, Reject> {
        self.at.open.check_whole()?;
        let mark = self.at.graph.as_ref().mark(&mut self.at.open.journal);
        let mut guard = Call {
            tx: self,
            mark: Some(mark),
        };
        let result = call(guard.tx)?;
        guard.mark = None;
        Ok(result)
    }

    /// The slots at the declaring and at the inverse end of a link; an error if one of the entities is deleted.
    fn ends(&self, hop: Hop, near: Id, far: Id) -> Result<(u32, u32), Reject> {
        let edge = &self.graph().layout().edges[usize::from(hop.edge)];
        self.must_be(edge.near(hop.forward).entity, near, None)?;
        self.must_be(edge.far(hop.forward).entity, far, None)?;
        Ok(ends(hop, near.slot, far.slot))
    }
}

/// A call of a handler that is in progress. Dropped before its end, it undoes its changes.
struct Call<'t, 'a, E> {
    tx: &'t mut Tx<'a, E>,
    mark: Option<Mark>,
}

impl<E> Drop for Call<'_, '_, E> {
    fn drop(&mut self) {
        if let Some(mark) = self.mark {
            self.tx.at.take_back(mark);
        }
    }
}

impl<E> Tx<'_, E> {
    /// Returns a reader of the same graph whose lists borrow from it, so that a read costs only what it takes of a list.
    /// Lists of the `Tx` itself are copies, and cost all that is in the list.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader::of(self.graph())
    }
}

impl<E> Db for Tx<'_, E> {
    // A copy, so that a loop over it may change the graph.
    type List<'a, I: Iterator + 'a>
        = std::vec::IntoIter<I::Item>
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I> {
        items.collect::<Vec<_>>().into_iter()
    }

    fn graph(&self) -> GraphRef<'_> {
        self.at.graph.as_ref()
    }
}

/// The argument of [`Tx::create`]: a new entity with all its fields and the links that it must have, which a handler of event
/// `E` may create.
///
/// The macro generates an implementation for each entity type, such as `NewJobRun` for `JobRun`.
pub trait New<E>: Sized {
    /// The entity type.
    type Entity: Entity;
    /// The initial state of the entity.
    type State: StateOf<Self::Entity>;
    #[doc(hidden)]
    fn create(self, tx: &mut Tx<'_, E>) -> Result<Id, Reject>;
}

/// An entity type that a handler of event `E` may find by its key or create, with [`Tx::ensure`].
pub trait Ensured<E>: Keyed {}

impl<E> Tx<'_, E> {
    /// Creates an entity in its initial state and returns it as a token, in an event with `#[may(create T)]`.
    ///
    /// # Errors
    /// `Duplicate` if another entity has the key; `StaleHandle` and `Cardinality` for the links; `Unwritable` for a value that
    /// would be decoded as a different value; `Full` if the table of the entity type is full.
    pub fn create<N: New<E>>(
        &mut self,
        new: N,
    ) -> Result<<N::Entity as Entity>::In<N::State>, Reject> {
        new.create(self).map(Handle::from_id)
    }

    /// Returns the entity that has a key, in an event with `#[may(ensure T)]`. If there is none, it is created in its initial
    /// state. O(1).
    ///
    /// # Errors
    /// `Full` if the table of the entity type is full; `Unwritable` if the key would be decoded as a different key.
    pub fn ensure<T: Ensured<E>>(&mut self, key: impl Into<T::Key>) -> Result<T, Reject> {
        let key = key.into();
        self.whole(|tx| {
            Ok(bind::ensure::<T>(
                &mut tx.at.graph,
                &mut tx.at.open.journal,
                &key,
            )?)
        })
        .map(T::from_id)
    }
}

/// A link that a new entity begins with: over which edge, to which entity, with which data.
pub type NewLink<'a> = (Hop, Id, Option<&'a dyn Any>);

/// Creates an entity in its initial state.
///
/// # Errors
/// As [`Tx::create`].
pub fn create<E>(
    tx: &mut Tx<'_, E>,
    entity: u16,
    columns: &[u16],
    values: &[&dyn Any],
    links: &[NewLink<'_>],
) -> Result<Id, Reject> {
    let entity = EntityIx::new(entity);
    let initial = tx.graph().layout().schema[entity].initial;
    tx.whole(|tx| {
        let slot = tx
            .at
            .graph
            .create(&mut tx.at.open.journal, entity, initial)?;
        for (column, value) in columns.iter().zip(values) {
            tx.at.graph.set(
                &mut tx.at.open.journal,
                ColumnIx::new(*column),
                slot,
                *value,
            )?;
        }
        let id = tx.graph().id(entity, slot);
        for (hop, far, data) in links {
            match data {
                Some(data) => link_with(tx, *hop, id, *far, *data)?,
                None => link(tx, *hop, id, *far)?,
            }
        }
        Ok(id)
    })
}

/// Deletes an entity, and others as the policies of its ends say.
///
/// # Errors
/// `StaleHandle`, `Restricted`.
pub fn delete<E>(
    tx: &mut Tx<'_, E>,
    entity: u16,
    id: Id,
    claimed: Option<StateIx>,
) -> Result<(), Reject> {
    let entity = EntityIx::new(entity);
    tx.must_be(entity, id, claimed)?;
    tx.whole(|tx| {
        Ok(tx
            .at
            .graph
            .delete(&mut tx.at.open.journal, &[(entity, id.slot)])?)
    })
}

/// Moves an entity from the state that its token claims to the state of another token, with the data of that state.
///
/// # Errors
/// `StaleHandle` or `NotInPlace`.
pub fn transition<E, From: Handle, To: Handle>(
    tx: &mut Tx<'_, E>,
    token: &From,
    columns: &[u16],
    values: &[&dyn Any],
) -> Result<To, Reject> {
    let (entity, id) = (From::Entity::INDEX, token.id());
    tx.must_be(entity, id, From::STATE)?;
    tx.whole(|tx| {
        if let Some(to) = To::STATE {
            tx.at
                .graph
                .move_to(&mut tx.at.open.journal, entity, id.slot, to);
        }
        for (column, value) in columns.iter().zip(values) {
            tx.at.graph.set(
                &mut tx.at.open.journal,
                ColumnIx::new(*column),
                id.slot,
                *value,
            )?;
        }
        Ok(To::from_id(id))
    })
}

/// Sets a field, or a piece of data of the state that it is claimed to be in.
///
/// # Errors
/// `StaleHandle`, `NotInPlace`.
pub fn set<E>(
    tx: &mut Tx<'_, E>,
    entity: u16,
    id: Id,
    claimed: Option<u8>,
    column: u16,
    value: &dyn Any,
) -> Result<(), Reject> {
    let (entity, column) = (EntityIx::new(entity), ColumnIx::new(column));
    let claimed = claimed.map(StateIx::new);
    tx.must_be(entity, id, claimed)?;
    tx.whole(|tx| {
        Ok(tx
            .at
            .graph
            .set(&mut tx.at.open.journal, column, id.slot, value)?)
    })
}

/// Links two entities.
///
/// # Errors
/// `StaleHandle`, `AlreadyLinked`, or `Cardinality` if an end that holds one is taken.
pub fn link<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    tx.whole(|tx| {
        Ok(tx
            .at
            .graph
            .link(&mut tx.at.open.journal, hop.edge, from, to)?)
    })
}

/// Unlinks two entities.
///
/// # Errors
/// `StaleHandle`, `NotLinked`.
pub fn unlink<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    tx.whole(|tx| {
        Ok(tx
            .at
            .graph
            .unlink(&mut tx.at.open.journal, hop.edge, from, to)?)
    })
}

/// Links two entities. An end that can hold only one loses the link that it has.
///
/// # Errors
/// `StaleHandle`.
pub fn relink<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    tx.whole(|tx| {
        tx.at
            .graph
            .relink(&mut tx.at.open.journal, hop.edge, from, to);
        Ok(())
    })
}

/// As [`link`], with data.
///
/// # Errors
/// As [`link`].
pub fn link_with<E>(
    tx: &mut Tx<'_, E>,
    hop: Hop,
    near: Id,
    far: Id,
    data: &dyn Any,
) -> Result<(), Reject> {
    tx.whole(|tx| {
        link(tx, hop, near, far)?;
        set_link(tx, hop, near, far, data)
    })
}

/// As [`relink`], with data. If they are linked already, only the data changes.
///
/// # Errors
/// As [`relink`].
pub fn relink_with<E>(
    tx: &mut Tx<'_, E>,
    hop: Hop,
    near: Id,
    far: Id,
    data: &dyn Any,
) -> Result<(), Reject> {
    tx.whole(|tx| {
        relink(tx, hop, near, far)?;
        set_link(tx, hop, near, far, data)
    })
}

/// Sets the data of a link.
///
/// # Errors
/// `StaleHandle`, `NotLinked`.
pub fn set_link<E>(
    tx: &mut Tx<'_, E>,
    hop: Hop,
    near: Id,
    far: Id,
    data: &dyn Any,
) -> Result<(), Reject> {
    let ends = tx.ends(hop, near, far)?;
    tx.whole(|tx| {
        Ok(tx
            .at
            .graph
            .set_link(&mut tx.at.open.journal, hop.edge, ends, data)?)
    })
}
