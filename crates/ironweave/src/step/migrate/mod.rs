//! Migrations: the code of a program changes a graph that was carried over to a new schema.
//!
//! | file | what it has |
//! |---|---|
//! | `mod.rs` | [`Migration`], through which the code reads and changes the graph, and the order of what happens around it |
//! | `change.rs` | the changes |
//! | `value.rs` | the values that they write |
//! | `complete.rs` | what must be true after the code has run |
//!
//! All changes go through the journal of one open transaction, as those of events do. Its facts are what the log gets.

mod change;
mod complete;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::marker::PhantomData;

pub use change::{MigrationEntity, MigrationValues};
pub use value::MigrationValue;

use crate::base::error::MigrationError;
use crate::base::hash::FastMap;
use crate::base::time::Timestamp;
use crate::db::entity::Entity;
use crate::db::named::GraphView;
use crate::db::{Db, Reader};
use crate::graph::GraphRef;
use crate::graph::any::{Either, either};
use crate::graph::carry::CarryMap;
use crate::schema::{EntityIx, StateIx};
use crate::step::Core;
use crate::step::plan::Plan;

/// The code of a program that migrates a graph of an earlier version of its model, without the type of the model.
pub(crate) struct MigrationCode(Box<Code>);

type Code =
    dyn for<'a> FnOnce(GraphView<'a>, Changes<'a>) -> Result<Changes<'a>, MigrationError> + Send;

impl MigrationCode {
    pub(crate) fn new<M>(
        code: impl FnOnce(GraphView<'_>, &mut Migration<'_, M>) -> Result<(), MigrationError>
        + Send
        + 'static,
    ) -> Self {
        Self(Box::new(|old, changes| {
            let mut migration = Migration {
                changes,
                model: PhantomData,
            };
            code(old, &mut migration)?;
            Ok(migration.changes)
        }))
    }
}

/// A graph that was carried over to a new schema, before its migration.
pub(crate) struct Carried<'a> {
    /// The graph in the new schema, with an open transaction, in whose journal are the defaults of what is new.
    pub core: &'a mut Core,
    pub plan: &'a Plan,
    /// The graph in the old schema.
    pub old: GraphRef<'a>,
    /// The map by which it was carried over.
    pub map: &'a CarryMap,
}

/// The entities whose state has no counterpart in the new schema, and that were neither moved nor deleted: by their type in the
/// new schema and their slot, the type and the state in the old one.
type Unplaced = FastMap<(EntityIx, u32), (EntityIx, StateIx)>;

impl Carried<'_> {
    /// Runs the code, if there is any, checks that the graph is complete, of all entities, and fires the immediate events that
    /// are enabled. The facts are in the journal of the open transaction then; events that fired are not recorded. A panic of
    /// user code continues in the caller. Invariants are not checked, see [`Core::check_all_invariants`].
    ///
    /// # Errors
    /// The error of the code; `Incomplete` with all that it has left undone; `Step` if links form a cycle or immediate events
    /// are rejected. The open transaction must be rolled back then.
    pub(crate) fn migrate(self, code: Option<MigrationCode>) -> Result<(), MigrationError> {
        let Self {
            core,
            plan,
            old,
            map,
        } = self;
        let mut changes = Changes {
            unplaced: unplaced(old, map),
            core,
            old: GraphView::new(old),
            map,
        };
        if let Some(MigrationCode(code)) = code {
            changes = code(changes.old, changes)?;
        }
        let Changes { core, unplaced, .. } = changes;
        core.open.check_whole()?;
        core.check_complete((old, map), &unplaced)?;
        core.check_all_acyclic()?;
        core.fire_all_enabled(plan)?;
        core.open.firings.clear();
        core.open.event_bytes.clear();
        Ok(())
    }
}

fn unplaced(old: GraphRef<'_>, map: &CarryMap) -> Unplaced {
    let mut unplaced = Unplaced::default();
    let schema = &old.layout().schema;
    for was in EntityIx::all(schema.entities.len()) {
        let Some(now) = map.entity(was) else {
            continue;
        };
        let gone = |state: &StateIx| map.state(was, *state).is_none();
        if !StateIx::all(schema[was].states.len()).any(|state| gone(&state)) {
            continue;
        }
        either!(old, graph => {
            for slot in graph.living(was) {
                let state = graph.state_of(was, slot);
                if gone(&state) {
                    unplaced.insert((now, slot), (was, state));
                }
            }
        });
    }
    unplaced
}

/// The graph in a migration: what the new model has in common with the old one, and what the migration has changed so far. It
/// is read through [`Db`](crate::Db) with the types of the new model, and changed by the names in its schema.
///
/// A change need not be a move that the lifecycle has, and no event is necessary for it. It is checked at once that entities
/// exist, that names are those of the model, that values are of their types, that keys are unique, and that no end of an edge
/// gets more than it can hold. A change that is refused has no effect, and the code may go on. What must be true at the end, as
/// that each entity has all its fields, is checked when the code returns.
///
/// [`Options::migrate`](crate::Options::migrate) has an example.
pub struct Migration<'a, M> {
    changes: Changes<'a>,
    model: PhantomData<fn() -> M>,
}

/// A migration without the type of its model.
pub(crate) struct Changes<'a> {
    core: &'a mut Core,
    old: GraphView<'a>,
    map: &'a CarryMap,
    unplaced: Unplaced,
}

impl Changes<'_> {
    fn graph(&self) -> GraphRef<'_> {
        Either::Flat(&self.core.graph)
    }
}

impl<M> fmt::Debug for Migration<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration")
            .field("old", &self.changes.old)
            .field("new", &self.by_name())
            .finish_non_exhaustive()
    }
}

impl<M> Migration<'_, M> {
    /// Returns the time of the migration.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.changes.core.open.clock.now()
    }

    /// Returns a reader of the same graph whose lists borrow from it, so that a read costs only what it takes of a list.
    /// Lists of the `Migration` itself are copies, and cost all that is in the list.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader::of(self.graph())
    }

    /// Returns the handle of an entity of the old graph, or `None` if it is of another type, or does not exist in the new
    /// graph. Entities keep their ids.
    #[must_use]
    pub fn handle<T: Entity<Model = M>>(&self, entity: impl MigrationEntity<M>) -> Option<T> {
        let (ix, id) = self.changes.resolve(&entity.find()).ok()?;
        (ix == T::INDEX).then(|| T::from_id(id))
    }
}

impl<M> Db for Migration<'_, M> {
    // A copy, so that a loop over it may change the graph.
    type List<'a, I: Iterator + 'a>
        = std::vec::IntoIter<I::Item>
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I> {
        items.collect::<Vec<_>>().into_iter()
    }

    fn graph(&self) -> GraphRef<'_> {
        self.changes.graph()
    }
}
