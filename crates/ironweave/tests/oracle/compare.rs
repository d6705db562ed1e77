//! Everything that can be read of a graph, compared with what the oracle says.

use std::fmt::Debug;

use ironweave::plumbing;
use ironweave::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, Hop, IndexKind, Schema, StateIx};
use ironweave::{Db, Entity, Handle as _, HistoryEntry, Id, Store};

use crate::entities::{Ent, OfKey, St, key_kind, keyed};
use crate::model::{Model, id};
use crate::values::{Ty, Typed as _, Val, column_ty, ty, with_type};
use crate::world::{World, columns, ends, far, keys, pair};

/// What differs: where, and how.
pub type Wrong = String;

pub fn same<T: PartialEq + Debug>(
    found: &T,
    expected: &T,
    what: impl FnOnce() -> String,
) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{}: found {found:?}, expected {expected:?}",
        what()
    ))
}

/// Runs code with the type of an entity, whatever its key.
macro_rules! entity {
    ($entity:expr, $t:ident => $body:expr) => {
        match $entity.get() {
            0 => {
                type $t = Ent<0, 0>;
                $body
            }
            1 => {
                type $t = Ent<1, 0>;
                $body
            }
            2 => {
                type $t = Ent<2, 0>;
                $body
            }
            3 => {
                type $t = Ent<3, 0>;
                $body
            }
            4 => {
                type $t = Ent<4, 0>;
                $body
            }
            _ => {
                type $t = Ent<5, 0>;
                $body
            }
        }
    };
}

pub(crate) use entity;

/// Runs code with the type of a state.
macro_rules! state {
    ($state:expr, $s:ident => $body:expr) => {
        match $state.get() {
            0 => {
                type $s = St<0>;
                $body
            }
            1 => {
                type $s = St<1>;
                $body
            }
            2 => {
                type $s = St<2>;
                $body
            }
            3 => {
                type $s = St<3>;
                $body
            }
            _ => {
                type $s = St<4>;
                $body
            }
        }
    };
}

/// The state of an entity, if it is alive.
fn state<D: Db>(db: &D, entity: EntityIx, who: Id) -> Option<StateIx> {
    let entity = entity.get();
    plumbing::alive(db, entity, who).then(|| StateIx::new(plumbing::state_of(db, entity, who)))
}

/// What an entity is linked with; `there` is the type at the other end.
pub fn links<D: Db>(db: &D, entity: EntityIx, hop: Hop, who: Id, there: EntityIx) -> Vec<Id> {
    entity!(there, T => {
        let all: Vec<Id> = plumbing::many::<T, D>(db, entity.get(), hop, who).map(|x| x.id()).collect();
        all
    })
}

/// The history of an entity.
pub fn history(
    store: &Store<Model>,
    entity: EntityIx,
    who: Id,
) -> Result<Vec<HistoryEntry<Model>>, ironweave::ReadError> {
    entity!(entity, T => store.history(<T as ironweave::Handle>::from_id(who)))
}

fn value<D: Db>(db: &D, ty: Ty, column: ColumnIx, entity: EntityIx, who: Id) -> Val {
    with_type!(ty, T => {
        let value = plumbing::field::<T, D>(db, column.get(), entity.get(), who);
        value.val()
    })
}

fn link_data<D: Db>(db: &D, ty: Ty, entity: EntityIx, hop: Hop, who: Id, other: Id) -> Option<Val> {
    with_type!(ty, T => {
        let data = plumbing::link_data::<T, D>(db, entity.get(), hop, who, other);
        data.map(T::val)
    })
}

pub fn slots<T: Entity>(items: impl Iterator<Item = T>) -> Vec<u32> {
    items.map(|x| x.id().slot()).collect()
}

/// Entities by the value of an indexed column; by the range up to it, too, where it is ordered.
fn by<D: Db, T: Entity>(db: &D, column: ColumnIx, value: &Val, range: bool) -> Vec<u32> {
    with_type!(value.ty(), V => {
        let x = V::read(value);
        if range {
            slots(plumbing::by_range::<T, V, D>(db, column.get(), ..=x))
        } else {
            slots(plumbing::by::<T, V, D>(db, column.get(), &x))
        }
    })
}

/// Compares all there is.
pub fn compare<D: Db>(db: &D, schema: &Schema, world: &World) -> Result<(), Wrong> {
    for entity in EntityIx::all(schema.entities.len()) {
        compare_places(db, schema, world, entity)?;
        compare_indexes(db, schema, world, entity)?;
        for slot in world.living(entity) {
            compare_entity(db, schema, world, entity, slot)?;
        }
    }
    for edge in EdgeIx::all(schema.edges.len()) {
        for forward in [true, false] {
            compare_end(db, schema, world, Hop { edge, forward })?;
        }
    }
    Ok(())
}

fn compare_places<D: Db>(
    db: &D,
    schema: &Schema,
    world: &World,
    entity: EntityIx,
) -> Result<(), Wrong> {
    let def = &schema.entities[usize::from(entity)];
    for (slot, there) in world.tables[usize::from(entity)].slots.iter().enumerate() {
        let slot = slot as u32;
        for generation in there.generation - 1..=there.generation + 1 {
            let found = state(db, entity, id(slot, generation));
            let expected = there.row.as_ref().map(|row| row.state);
            let expected = expected.filter(|_| generation == there.generation);
            same(&found, &expected, || {
                format!("state of {}/{slot}.{generation}", def.name)
            })?;
        }
    }
    let next = world.next(entity);
    let found = state(db, entity, id(next.0, next.1));
    same(&found, &None, || format!("state of the next {}", def.name))?;
    let living = world.living(entity);
    let count = entity!(entity, T => db.count::<T, ironweave::Any>());
    same(&count, &living.len(), || format!("count of {}", def.name))?;
    for (state, of) in StateIx::all(def.states.len()).zip(&def.states) {
        let expected: Vec<u32> = living
            .iter()
            .copied()
            .filter(|s| world.state(entity, *s) == state)
            .collect();
        let (found, count) = entity!(entity, T => state!(state, S => {
            (slots(db.place::<T, S>()), db.count::<T, S>())
        }));
        same(&found, &expected, || {
            format!("place {}: {}", def.name, of.name)
        })?;
        same(&count, &expected.len(), || {
            format!("count of {}: {}", def.name, of.name)
        })?;
    }
    Ok(())
}

fn compare_indexes<D: Db>(
    db: &D,
    schema: &Schema,
    world: &World,
    entity: EntityIx,
) -> Result<(), Wrong> {
    for column in columns(schema, entity, None) {
        let def = &schema.columns[usize::from(column)];
        let Some(kind) = def.index else { continue };
        let mut cells: Vec<(&Val, u32)> = Vec::new();
        for slot in world.living(entity) {
            cells.push((
                &world.row(entity, slot).expect("the entity is alive").values[&column],
                slot,
            ));
        }
        cells.sort();
        for value in column_ty(schema, column).pool() {
            let of = |fits: &dyn Fn(&Val) -> bool| -> Vec<u32> {
                cells
                    .iter()
                    .filter(|(v, _)| fits(v))
                    .map(|(_, s)| *s)
                    .collect()
            };
            let what = || format!("by {}.{} = {value:?}", entity, def.name);
            if kind == IndexKind::Ordered {
                let found = entity!(entity, T => by::<D, T>(db, column, &value, true));
                same(&found, &of(&|v| *v <= value), what)?;
                let between = entity!(entity, T => match &value {
                    Val::U(x) => slots(plumbing::by_range::<T, u64, D>(db, column.get(), x..=x)),
                    _ => of(&|v| *v == value),
                });
                same(&between, &of(&|v| *v == value), what)?;
            } else {
                let found = entity!(entity, T => by::<D, T>(db, column, &value, false));
                same(&found, &of(&|v| *v == value), what)?;
            }
        }
    }
    let Some(kind) = key_kind(schema, entity) else {
        return Ok(());
    };
    let key = keys(schema, entity);
    let pools: Vec<Vec<Val>> = key.iter().map(|c| column_ty(schema, *c).pool()).collect();
    let all: Vec<Vec<Val>> = match pools.as_slice() {
        [one] => one.iter().map(|v| vec![v.clone()]).collect(),
        // Some of all pairs; those that there are are found below.
        [a, b] => a
            .iter()
            .zip(b)
            .map(|(a, b)| vec![a.clone(), b.clone()])
            .collect(),
        _ => unreachable!("a key has one part or two"),
    };
    let there = world.living(entity).into_iter().map(|slot| {
        let values = &world.row(entity, slot).expect("the entity is alive").values;
        key.iter().map(|c| values[c].clone()).collect::<Vec<_>>()
    });
    for key in all.into_iter().chain(there) {
        let expected = world
            .find(schema, entity, &key)
            .map(|slot| world.oid(entity, slot));
        let found = keyed!(entity, kind, T => {
            db.find::<T>(&<<T as ironweave::Keyed>::Key as OfKey>::of(&key)).map(|x| x.id())
        });
        let found = found.map(|id| (id.slot(), id.generation()));
        same(&found, &expected, || format!("find E{entity} {key:?}"))?;
    }
    Ok(())
}

fn compare_entity<D: Db>(
    db: &D,
    schema: &Schema,
    world: &World,
    entity: EntityIx,
    slot: u32,
) -> Result<(), Wrong> {
    let (_, generation) = world.oid(entity, slot);
    let who = id(slot, generation);
    let row = world.row(entity, slot).expect("the entity is alive");
    let mut all = columns(schema, entity, None);
    all.extend(columns(schema, entity, Some(row.state)));
    for column in all {
        let found = value(db, column_ty(schema, column), column, entity, who);
        let name = &schema.columns[usize::from(column)].name;
        same(&Some(&found), &row.values.get(&column), || {
            format!(
                "{name} of {}/{who}",
                schema.entities[usize::from(entity)].name
            )
        })?;
    }
    Ok(())
}

/// One end of an edge: lists in order, counts, data.
fn compare_end<D: Db>(db: &D, schema: &Schema, world: &World, hop: Hop) -> Result<(), Wrong> {
    let edge = &schema.edges[usize::from(hop.edge)];
    let (near, _) = ends(edge, hop.forward);
    let (entity, there) = (near.entity, far(schema, hop));
    let states = schema.entities[usize::from(there)].states.len();
    for slot in world.living(entity) {
        let who = id(slot, world.oid(entity, slot).1);
        let what = || {
            format!(
                "{} of {}/{who}",
                near.name,
                schema.entities[usize::from(entity)].name
            )
        };
        let list = world.list(hop, slot);
        let other = |slot: &u32| id(*slot, world.oid(there, *slot).1);
        let expected: Vec<Id> = list.iter().map(other).collect();
        let found = links(db, entity, hop, who, there);
        same(&found, &expected, what)?;
        same(
            &plumbing::count(db, entity.get(), hop, who),
            &list.len(),
            what,
        )?;
        if near.cardinality != Cardinality::Many {
            let one = entity!(there, T => plumbing::option::<T>(db, entity.get(), hop, who).map(|x| x.id()));
            same(&one, &expected.first().copied(), what)?;
        }
        if near.counted {
            for state in StateIx::all(states) {
                let n = list
                    .iter()
                    .filter(|s| world.state(there, **s) == state)
                    .count();
                let found = entity!(there, T => state!(state, S => {
                    plumbing::counted::<T, S>(db, entity.get(), hop, who)
                }));
                same(&found, &n, || format!("{} in state {state}", what()))?;
            }
        }
        let some = world
            .living(there)
            .into_iter()
            .filter(|s| (s + slot) % 4 == 0);
        for s in some.chain(list.first().copied()) {
            let found = plumbing::linked(db, entity.get(), hop, who, other(&s));
            same(&found, &list.contains(&s), || {
                format!("{} contains {s}", what())
            })?;
        }
        if let Some(data) = &edge.data {
            for s in list {
                let found = link_data(db, ty(data), entity, hop, who, other(s));
                let expected = world.edges[usize::from(hop.edge)]
                    .data
                    .get(&pair(hop, slot, *s));
                same(&found.as_ref(), &expected, || {
                    format!("data of {} with {s}", what())
                })?;
            }
        }
    }
    Ok(())
}
