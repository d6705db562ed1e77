//! Handlers of random models: a list of calls, which the event carries as a text so that the log keeps it. Each call does
//! all or nothing, and the handler ignores what comes of it: most of the random ones fail.

use std::any::Any;

use ironweave::plumbing;
use ironweave::schema::{
    Cardinality, ColumnIx, EdgeIx, EntityIx, EventDef, EventFieldDef, Hop, May, Schema, StateIx,
};
use ironweave::{Reject, Tx};

use crate::deletes::delete;
use crate::model::{id, typed};
use crate::rng::Rng;
use crate::rules::begin;
use crate::values::{Val, column_ty, ty};
use crate::world::{Kinds, Oid, World, columns, ends, keys, pair};

/// A link that a created entity begins with: over a hop, to whom, with what data.
type NewLink = (Hop, Oid, Option<Val>);

/// One call of a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    Create(EntityIx, Vec<Val>, Vec<NewLink>),
    Delete(EntityIx, Oid),
    Link(EdgeIx, Oid, Oid, Option<Val>),
    Unlink(EdgeIx, Oid, Oid),
    Relink(EdgeIx, Oid, Oid, Option<Val>),
    SetLink(EdgeIx, Oid, Oid, Val),
    Set(ColumnIx, Oid, Val),
}

/// An event whose handler does what its one field says.
pub fn event(number: usize) -> EventDef {
    EventDef {
        name: format!("Ev{number}"),
        immediate: false,
        fields: vec![EventFieldDef {
            name: "calls".to_owned(),
            ty: "String".to_owned(),
            ..EventFieldDef::default()
        }],
        // Which one does not matter when it runs: the compiler has seen to that.
        mays: vec![May::Delete(EntityIx::default())],
        ..EventDef::default()
    }
}

/// Draws a few calls, as text.
pub fn draw(rng: &mut Rng, schema: &Schema, world: &World, room: bool) -> String {
    draw_some(rng, schema, room, &mut |rng, entity| {
        someone(rng, world, entity)
    })
}

/// Represents the entity of an immediate event.
const OWN: Oid = (u32::MAX, u32::MAX);

/// Gives an immediate event a handler, with calls that its one field has as its default: the handler has no other data.
pub fn add_script(rng: &mut Rng, schema: &Schema, event: &mut EventDef, creates: bool) {
    let own = event.names[0].entity;
    let text = draw_some(rng, schema, creates, &mut |rng, entity| {
        if entity == own && rng.chance(60) {
            return [OWN.0.into(), OWN.1.into()];
        }
        [rng.below(6) as u64, 1 + rng.below(2) as u64]
    });
    if !text.is_empty() {
        event.mays = vec![May::Delete(EntityIx::default())];
        event.fields[0].default = Some(text);
    }
}

/// Takes the handler of an immediate event away.
pub fn remove_script(event: &mut EventDef) {
    if script(event).is_some() {
        event.mays.clear();
        event.fields[0].default = None;
    }
}

/// The calls of the handler of an immediate event, as text.
pub fn script(event: &EventDef) -> Option<&str> {
    let field = event.fields.first().filter(|_| event.immediate)?;
    field.default.as_deref()
}

/// Draws the entity of a call, of a type.
type Someone<'w> = dyn FnMut(&mut Rng, EntityIx) -> [u64; 2] + 'w;

fn draw_some(rng: &mut Rng, schema: &Schema, room: bool, someone: &mut Someone<'_>) -> String {
    let mut calls = Vec::new();
    for _ in 0..1 + rng.below(4) {
        calls.extend(draw_one(rng, schema, room, someone).map(|numbers| {
            let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
            words.join(" ")
        }));
    }
    calls.join(";")
}

fn place(rng: &mut Rng, schema: &Schema, column: ColumnIx) -> u64 {
    rng.below(column_ty(schema, column).pool().len()) as u64
}

/// An entity that there is, mostly.
fn someone(rng: &mut Rng, world: &World, entity: EntityIx) -> [u64; 2] {
    let (slot, generation) = match rng.pick(&world.living(entity)).copied() {
        Some(slot) if rng.chance(95) => world.oid(entity, slot),
        _ => world.next(entity),
    };
    [slot.into(), generation.into()]
}

/// A call as numbers: which one, of what, whom, and values by their place in the pool of their type.
fn draw_one(
    rng: &mut Rng,
    schema: &Schema,
    room: bool,
    someone: &mut Someone<'_>,
) -> Option<Vec<u64>> {
    let entity = EntityIx::new(rng.below(schema.entities.len()) as u16);
    let edge =
        (!schema.edges.is_empty()).then(|| EdgeIx::new(rng.below(schema.edges.len()) as u16));
    let data = |edge: EdgeIx| schema.edges[usize::from(edge)].data.as_deref().map(ty);
    match rng.below(10) {
        0..=2 if room => {
            let def = &schema.entities[usize::from(entity)];
            if !columns(schema, entity, Some(def.initial)).is_empty() {
                return None;
            }
            let mut call = vec![0, entity.into()];
            for column in columns(schema, entity, None) {
                call.push(place(rng, schema, column));
            }
            for (edge, def) in schema.edges.iter().enumerate() {
                for forward in [true, false] {
                    let (near, far) = ends(def, forward);
                    if near.entity != entity || near.cardinality != Cardinality::One {
                        continue;
                    }
                    call.extend([edge as u64, forward.into()]);
                    call.extend(someone(rng, far.entity));
                    let data =
                        data(EdgeIx::new(edge as u16)).map_or(0, |ty| rng.below(ty.pool().len()));
                    call.push(data as u64);
                }
            }
            Some(call)
        }
        3 => {
            let [slot, generation] = someone(rng, entity);
            Some(vec![1, entity.into(), slot, generation])
        }
        4 => {
            let of = |c: &ColumnIx| !schema.columns[usize::from(*c)].key;
            let all: Vec<ColumnIx> = ColumnIx::all(schema.columns.len()).filter(of).collect();
            let column = *rng.pick(&all)?;
            let entity = schema.columns[usize::from(column)].entity;
            let [slot, generation] = someone(rng, entity);
            Some(vec![
                6,
                column.into(),
                slot,
                generation,
                place(rng, schema, column),
            ])
        }
        kind => {
            let edge = edge?;
            let def = &schema.edges[usize::from(edge)];
            let ([a, b], [c, d]) = (someone(rng, def.from.entity), someone(rng, def.to.entity));
            let data = data(edge).map_or(0, |ty| rng.below(ty.pool().len()));
            let kind = [2, 2, 3, 4, 4, 5][kind % 6];
            Some(vec![kind, edge.into(), a, b, c, d, data as u64])
        }
    }
}

/// Reads one call. One that says nothing in this schema is none.
fn read(schema: &Schema, text: &str) -> Option<Call> {
    let mut numbers = text.split(' ').map(|word| word.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    fn oid(next: &mut dyn FnMut() -> Option<u64>) -> Option<Oid> {
        Some((next()? as u32, next()? as u32))
    }
    let value = |of: &str, at: u64| ty(of).pool().into_iter().nth(at as usize);
    let kind = next()?;
    let of = next()? as u16;
    if kind == 0 {
        let of = EntityIx::new(of);
        schema.entities.get(usize::from(of))?;
        let mut values = Vec::new();
        for column in columns(schema, of, None) {
            values.push(value(&schema.columns[usize::from(column)].ty, next()?)?);
        }
        let mut links = Vec::new();
        while let Some(edge) = next() {
            let hop = Hop {
                edge: EdgeIx::new(edge as u16),
                forward: next()? == 1,
            };
            let def = schema.edges.get(usize::from(hop.edge))?;
            if ends(def, hop.forward).0.entity != of {
                return None;
            }
            let far = oid(&mut next)?;
            let at = next()?;
            links.push((hop, far, def.data.as_deref().and_then(|ty| value(ty, at))));
        }
        return Some(Call::Create(of, values, links));
    }
    if kind == 1 {
        schema.entities.get(usize::from(of))?;
        return Some(Call::Delete(EntityIx::new(of), oid(&mut next)?));
    }
    if kind == 6 {
        let column = schema.columns.get(usize::from(of)).filter(|c| !c.key)?;
        let who = oid(&mut next)?;
        return Some(Call::Set(
            ColumnIx::new(of),
            who,
            value(&column.ty, next()?)?,
        ));
    }
    let of = EdgeIx::new(of);
    let def = schema.edges.get(usize::from(of))?;
    let (from, to, at) = (oid(&mut next)?, oid(&mut next)?, next()?);
    let data = def.data.as_deref().and_then(|ty| value(ty, at));
    Some(match kind {
        2 => Call::Link(of, from, to, data),
        3 => Call::Unlink(of, from, to),
        4 => Call::Relink(of, from, to, data),
        _ => Call::SetLink(of, from, to, data?),
    })
}

/// The calls of a text.
pub fn calls(schema: &Schema, text: &str) -> Vec<Call> {
    text.split(';')
        .filter_map(|call| read(schema, call))
        .collect()
}

/// The calls of an immediate event that fires on an entity.
pub fn calls_on(schema: &Schema, text: &str, own: Oid) -> Vec<Call> {
    let mut calls = calls(schema, text);
    for call in &mut calls {
        call.entities(&mut |who| {
            if *who == OWN {
                *who = own;
            }
        });
    }
    calls
}

impl Call {
    /// Every entity of a call.
    fn entities(&mut self, change: &mut dyn FnMut(&mut Oid)) {
        match self {
            Self::Create(_, _, links) => links.iter_mut().for_each(|(_, far, _)| change(far)),
            Self::Delete(_, who) | Self::Set(_, who, _) => change(who),
            Self::Link(_, a, b, _)
            | Self::Unlink(_, a, b)
            | Self::Relink(_, a, b, _)
            | Self::SetLink(_, a, b, _) => {
                change(a);
                change(b);
            }
        }
    }

    /// Does it on the real thing.
    pub fn real<E: ironweave::Event>(
        &self,
        schema: &Schema,
        tx: &mut Tx<'_, E>,
    ) -> Result<(), Reject> {
        let of = |(slot, generation): Oid| id(slot, generation);
        let hop = |edge: EdgeIx| Hop {
            edge,
            forward: true,
        };
        match self {
            Self::Create(entity, values, links) => {
                let values: Vec<Box<dyn Any>> = values.iter().map(typed).collect();
                let values: Vec<&dyn Any> = values.iter().map(|v| &**v).collect();
                let data: Vec<Option<Box<dyn Any>>> = (links.iter())
                    .map(|(.., data)| data.as_ref().map(typed))
                    .collect();
                let links: Vec<_> = (links.iter().zip(&data))
                    .map(|((hop, far, _), data)| (*hop, of(*far), data.as_deref()))
                    .collect();
                let columns: Vec<u16> = (columns(schema, *entity, None).into_iter())
                    .map(ColumnIx::get)
                    .collect();
                plumbing::create(tx, entity.get(), &columns, &values, &links).map(|_| ())
            }
            Self::Delete(entity, who) => plumbing::delete(tx, entity.get(), of(*who), None),
            Self::Link(edge, a, b, None) => plumbing::link(tx, hop(*edge), of(*a), of(*b)),
            Self::Link(edge, a, b, Some(data)) => {
                plumbing::link_with(tx, hop(*edge), of(*a), of(*b), &*typed(data))
            }
            Self::Unlink(edge, a, b) => plumbing::unlink(tx, hop(*edge), of(*a), of(*b)),
            Self::Relink(edge, a, b, None) => plumbing::relink(tx, hop(*edge), of(*a), of(*b)),
            Self::Relink(edge, a, b, Some(data)) => {
                plumbing::relink_with(tx, hop(*edge), of(*a), of(*b), &*typed(data))
            }
            Self::SetLink(edge, a, b, data) => {
                plumbing::set_link(tx, hop(*edge), of(*a), of(*b), &*typed(data))
            }
            Self::Set(column, who, value) => {
                let def = &schema.columns[usize::from(*column)];
                let value = typed(value);
                let state = def.state.map(StateIx::get);
                plumbing::set(tx, def.entity.get(), of(*who), state, column.get(), &*value)
            }
        }
    }

    /// Does it on the oracle's graph, which is of no use any more where it fails.
    fn act(&self, schema: &Schema, world: &mut World) -> Result<(), Kinds> {
        let alive = |world: &World, entity: EntityIx, who: Oid| {
            if world.alive(entity, who) {
                Ok(who.0)
            } else {
                Err(vec!["StaleHandle"])
            }
        };
        let both = |world: &World, edge: EdgeIx, a: Oid, b: Oid| -> Result<(u32, u32), Kinds> {
            let def = &schema.edges[usize::from(edge)];
            Ok((
                alive(world, def.from.entity, a)?,
                alive(world, def.to.entity, b)?,
            ))
        };
        let linked = |world: &World, edge: EdgeIx, ends: (u32, u32)| {
            if world.linked(edge, ends) {
                Ok(())
            } else {
                Err(vec!["NotLinked"])
            }
        };
        match self {
            Self::Create(entity, values, links) => {
                let columns = columns(schema, *entity, None);
                let given: Vec<(ColumnIx, Val)> = columns.into_iter().zip(values.clone()).collect();
                let of_key =
                    |c: &ColumnIx| given.iter().find(|(g, _)| g == c).map(|(_, v)| v.clone());
                let key: Vec<Val> = keys(schema, *entity).iter().filter_map(of_key).collect();
                if !key.is_empty() && world.find(schema, *entity, &key).is_some() {
                    return Err(vec!["Duplicate"]);
                }
                let slot = world.create(*entity, schema.entities[usize::from(*entity)].initial);
                begin(schema, world.row_mut(*entity, slot), *entity, given);
                for (hop, far, data) in links {
                    let there = ends(&schema.edges[usize::from(hop.edge)], hop.forward).1;
                    let far = alive(world, there.entity, *far)?;
                    let ends = pair(*hop, slot, far);
                    world.link(schema, hop.edge, ends)?;
                    world.give(hop.edge, ends, data.as_ref());
                }
                Ok(())
            }
            Self::Delete(entity, who) => {
                let slot = alive(world, *entity, *who)?;
                delete(schema, world, vec![(*entity, slot)])
            }
            Self::Link(edge, a, b, data) => {
                let ends = both(world, *edge, *a, *b)?;
                world.link(schema, *edge, ends)?;
                world.give(*edge, ends, data.as_ref());
                Ok(())
            }
            Self::Unlink(edge, a, b) => {
                let ends = both(world, *edge, *a, *b)?;
                linked(world, *edge, ends)?;
                world.unlink(*edge, ends);
                Ok(())
            }
            Self::Relink(edge, a, b, data) => {
                let ends = both(world, *edge, *a, *b)?;
                if !world.linked(*edge, ends) {
                    world.make_way(schema, *edge, ends);
                    world.link(schema, *edge, ends)?;
                }
                world.give(*edge, ends, data.as_ref());
                Ok(())
            }
            Self::SetLink(edge, a, b, data) => {
                let ends = both(world, *edge, *a, *b)?;
                linked(world, *edge, ends)?;
                world.give(*edge, ends, Some(data));
                Ok(())
            }
            Self::Set(column, who, value) => {
                let def = &schema.columns[usize::from(*column)];
                let slot = alive(world, def.entity, *who)?;
                if def
                    .state
                    .is_some_and(|state| state != world.state(def.entity, slot))
                {
                    return Err(vec!["NotInPlace"]);
                }
                let row = world.row_mut(def.entity, slot);
                row.values.insert(*column, value.clone());
                Ok(())
            }
        }
    }
}

/// What a handler does to the oracle's graph; returns what it created.
pub fn handle(schema: &Schema, world: &mut World, calls: &[Call]) -> Vec<(EntityIx, Oid)> {
    let mut created = Vec::new();
    for call in calls {
        let mut after = world.clone();
        if call.act(schema, &mut after).is_ok() {
            if let Call::Create(entity, ..) = call {
                created.push((*entity, world.next(*entity)));
            }
            *world = after;
        }
    }
    created
}
