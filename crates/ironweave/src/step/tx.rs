//! `Tx`: what a handler changes the graph through. Generated methods check at compile time that the event
//! declares the arc; what is left to check here is the state of the graph.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::db::Db;
use crate::error::{Reject, StepError};
use crate::graph::Graph;
use crate::graph::storage::Flat;
use crate::id::Id;
use crate::schema::{ColumnIx, EntityIx, Hop, StateIx};
use crate::step::plan::Plan;
use crate::step::{Core, who};

/// The graph within a handler of event `E`: it can be read, and changed as the event's `#[may(..)]` says.
pub struct Tx<'a, E> {
    core: &'a mut Core,
    event: &'a Arc<str>,
    of: PhantomData<fn() -> E>,
}

impl<'a, E: crate::Event> Tx<'a, E> {
    pub(crate) fn new(core: &'a mut Core, plan: &'a Plan) -> Self {
        Self {
            core,
            event: &plan.events[usize::from(E::INDEX)].name,
            of: PhantomData,
        }
    }
}

impl<E> Tx<'_, E> {
    /// The time of the transaction.
    #[must_use]
    pub fn time(&self) -> crate::Timestamp {
        self.core.now
    }

    fn dead(&self, entity: EntityIx, id: Id) -> Reject {
        StepError::Dead {
            event: Arc::clone(self.event),
            entity: who(&self.core.graph, entity, id),
        }
        .into()
    }

    fn alive(&self, entity: EntityIx, id: Id) -> Result<StateIx, Reject> {
        self.core
            .graph
            .state(entity, id)
            .ok_or_else(|| self.dead(entity, id))
    }

    /// The two ends of a link, both alive, as slots at the declaring and the inverse end.
    fn ends(&self, hop: Hop, near: Id, far: Id) -> Result<(u32, u32), Reject> {
        let edge = &self.core.graph.layout.edges[usize::from(hop.edge)];
        self.alive(edge.near(hop.forward).entity, near)?;
        self.alive(edge.far(hop.forward).entity, far)?;
        Ok(if hop.forward {
            (near.slot, far.slot)
        } else {
            (far.slot, near.slot)
        })
    }
}

impl<E> Db for Tx<'_, E> {
    // A copy, so that the loop over it may change the graph.
    type List<'a, I: Iterator + 'a>
        = std::vec::IntoIter<I::Item>
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I> {
        items.collect::<Vec<_>>().into_iter()
    }

    fn graph(&self) -> &Graph<Flat> {
        &self.core.graph
    }
}

/// Moves an entity, if it still is in the state that its token claims.
///
/// # Errors
/// `Dead` or `NotInPlace`.
pub fn transition<E>(
    tx: &mut Tx<'_, E>,
    entity: EntityIx,
    id: Id,
    from: StateIx,
    to: StateIx,
    data: &[(ColumnIx, &dyn Any)],
) -> Result<(), Reject> {
    let found = tx.alive(entity, id)?;
    if found != from {
        let states = &tx.core.graph.layout.entities[usize::from(entity)].states;
        return Err(StepError::NotInPlace {
            event: Arc::clone(tx.event),
            entity: who(&tx.core.graph, entity, id),
            expected: Arc::clone(&states[usize::from(from)].name),
            found: Arc::clone(&states[usize::from(found)].name),
        }
        .into());
    }
    tx.core.graph.move_to(entity, id.slot, to);
    for (column, value) in data {
        tx.core.graph.set(*column, id.slot, *value)?;
    }
    Ok(())
}

/// Sets a field.
///
/// # Errors
/// `Dead`.
pub fn set<E>(
    tx: &mut Tx<'_, E>,
    entity: EntityIx,
    id: Id,
    column: ColumnIx,
    value: &dyn Any,
) -> Result<(), Reject> {
    tx.alive(entity, id)?;
    Ok(tx.core.graph.set(column, id.slot, value)?)
}

/// Links two entities.
///
/// # Errors
/// `Dead`, `AlreadyLinked`, or `Cardinality` where an end is taken.
pub fn link<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    Ok(tx.core.graph.link(hop.edge, from, to)?)
}

/// Unlinks two entities.
///
/// # Errors
/// `Dead`, `NotLinked`.
pub fn unlink<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    Ok(tx.core.graph.unlink(hop.edge, from, to)?)
}

/// Links two entities; an end that can hold only one gives up the one it has.
///
/// # Errors
/// `Dead`.
pub fn relink<E>(tx: &mut Tx<'_, E>, hop: Hop, near: Id, far: Id) -> Result<(), Reject> {
    let (from, to) = tx.ends(hop, near, far)?;
    Ok(tx.core.graph.relink(hop.edge, from, to)?)
}
