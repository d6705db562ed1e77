//! Due events by the oracle: all entities are looked at for the first event that is due and was not tried yet. And random due
//! events.

use ironweave::schema::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, DueDef, EntityIx, EventDef, EventIx, NameIx, Path,
    Quantifier, Schema, Scope, StateIx,
};

use crate::entities::key_kind;
use crate::events::{Draft, bare};
use crate::model::{Field, Who};
use crate::rng::Rng;
use crate::rules::{Fire, Fired};
use crate::values::{Ty, Val, column_ty};
use crate::world::{Kinds, Oid, World, keys};

/// How far a step that fires due events moves the clock: further than a rejected event waits.
pub const LATER: i64 = 300_000_000;

/// An event that is due: the time, the event, and the entity. In this order they fire.
pub type Deadline = (i64, EventIx, Oid);

/// A due event that was tried, with the rejection if it did not fire.
#[derive(Clone, Debug)]
pub struct TriedDue {
    pub deadline: Deadline,
    pub outcome: Result<Fired, Kinds>,
}

impl World {
    /// All that is due at a time, in the order in which it fires.
    pub fn due(&self, schema: &Schema, now: i64) -> Vec<Deadline> {
        let mut found = Vec::new();
        for (ix, def) in EventIx::all(schema.events.len()).zip(&schema.events) {
            let Some(due) = &def.due else { continue };
            let name = &def.names[usize::from(due.name)];
            for slot in self.living(name.entity) {
                let row = self.row(name.entity, slot).expect("the entity is alive");
                let time = match row.values.get(&due.column) {
                    Some(Val::T(time)) | Some(Val::M(Some(time))) => *time,
                    _ => continue,
                };
                if time <= now && may_be_due(schema, def, due.name, row.state) {
                    found.push((time, ix, self.oid(name.entity, slot)));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Fires what is due, each in a transaction of its own: what was tried, and the graph after it.
    pub fn fire_due(&self, schema: &Schema, now: i64) -> (Self, Vec<TriedDue>) {
        let mut world = self.clone();
        let mut tried: Vec<TriedDue> = Vec::new();
        loop {
            let is_new = |(_, event, who): &Deadline| {
                let same = |t: &TriedDue| (t.deadline.1, t.deadline.2) == (*event, *who);
                !tried.iter().any(same)
            };
            let Some(deadline) = world.due(schema, now).into_iter().find(is_new) else {
                return (world, tried);
            };
            let fire = world.due_fire(schema, deadline);
            let outcome = match world.after(schema, &fire, now) {
                Ok((after, fired)) if after.invariants_hold(schema) => {
                    world = after;
                    Ok(fired)
                }
                Ok(_) => Err(vec!["Invariant"]),
                Err(kinds) => Err(kinds),
            };
            tried.push(TriedDue { deadline, outcome });
        }
    }

    /// The event of a deadline as the program would fire it.
    fn due_fire(&self, schema: &Schema, (_, event, who): Deadline) -> Fire {
        let name = &schema.events[usize::from(event)].names[0];
        let who = match name.by {
            BindBy::Key => {
                let values = &self.row(name.entity, who.0).expect("it is due").values;
                let key = keys(schema, name.entity);
                Who::Key(key.iter().map(|c| values[c].clone()).collect())
            }
            _ => Who::Id(who.0, who.1),
        };
        let fields = vec![Field::One(who)];
        Fire { event, fields }
    }
}

/// Whether the state of an entity is no reason to reject the event that is due for it.
fn may_be_due(schema: &Schema, def: &EventDef, name: NameIx, state: StateIx) -> bool {
    let own = |path: &Path| path.root == name && path.hops.is_empty();
    let by = match def.names[usize::from(name)].by {
        BindBy::Token(token) => token == state,
        _ => true,
    };
    by && def.arcs.iter().all(|arc| match arc {
        Arc::Move {
            scope: Scope::Each,
            path,
            from,
            ..
        } if own(path) => from.contains(&state),
        Arc::When {
            quantifier,
            path,
            states,
        } if own(path) => states.contains(&state) != (*quantifier == Quantifier::None),
        Arc::Set { path, value } if own(path) => {
            let of = schema.columns[usize::from(value.column)].state;
            of.is_none_or(|of| of == state)
        }
        _ => true,
    })
}

/// The columns that have a time at which an event can be due.
fn times(schema: &Schema) -> Vec<ColumnIx> {
    let mut times: Vec<ColumnIx> = ColumnIx::all(schema.columns.len()).collect();
    times.retain(|column| {
        let def = &schema.columns[usize::from(*column)];
        !def.key && matches!(column_ty(schema, *column), Ty::T | Ty::M)
    });
    times
}

/// Draws an event that is due at a time.
pub fn event(rng: &mut Rng, schema: &Schema, number: usize) -> Option<EventDef> {
    let column = *rng.pick(&times(schema))?;
    let def = &schema.columns[usize::from(column)];
    let entity: EntityIx = def.entity;
    let mut draft = Draft::new(schema, false);
    draft.closed = true;
    let by = match (def.state, rng.below(10)) {
        (Some(state), 0..=2) => BindBy::Token(state),
        (_, 3..=6) if key_kind(schema, entity).is_some() => BindBy::Key,
        _ => BindBy::Handle,
    };
    let name = draft.name(entity, Cardinality::One, by);
    if rng.chance(75) {
        let onwards = rng.chance(60);
        draft.moves(rng, bare(name), Scope::Each, onwards);
    }
    if draft.arcs.is_empty() {
        let source = draft.source(rng, column_ty(schema, column));
        let (path, value) = (bare(name), Assign { column, source });
        draft.arcs.push(Arc::Set { path, value });
    }
    if rng.chance(20) {
        draft.chooses(rng);
    }
    for _ in 0..rng.below(3) {
        draft.any_arc(rng);
    }
    let mut event = draft.finish(rng, format!("Due{number}"), Vec::new());
    event.due = Some(DueDef {
        name,
        column,
        ..DueDef::default()
    });
    Some(event)
}
