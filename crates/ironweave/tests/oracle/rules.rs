//! The oracle's step: what an event does, by the rules of the language as they are written down, one phase after
//! the other, over the whole graph. It shares no code with what it judges.

use std::cell::RefCell;

use ironweave::schema::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, EndDef, EntityIx, EventDef, EventIx, Hop, NameDef,
    Path, Schema, Scope, Source, StateIx,
};

use crate::deletes::delete;
use crate::handler::{calls, calls_on, handle, script};
use crate::model::{Field, Who};
use crate::operations::{calculate, literals};
use crate::stats::Decided;
use crate::values::{Guard, Val, column_ty};
use crate::world::{Kinds, Oid, Row, World, columns, far, keys, pair};

/// A firing of an event of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Fire {
    pub event: EventIx,
    pub fields: Vec<Field>,
}

/// The result of an event: the entities of its names, and which immediate events fired on which entities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fired {
    pub names: Vec<Vec<Oid>>,
    pub immediates: Vec<Immediate>,
    /// The creation depth of the deepest entity that those created.
    pub deepest: u32,
    pub decided: Decided,
}

/// An immediate event that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Immediate {
    pub event: EventIx,
    pub who: Oid,
    /// The entities of its names.
    pub names: Vec<Vec<Oid>>,
}

/// An event that fires: its definition, its fields, its literals, the time, and its names.
pub struct Firing<'a> {
    pub schema: &'a Schema,
    pub def: &'a EventDef,
    pub fields: &'a [Field],
    pub literals: Vec<Val>,
    pub time: i64,
    pub names: Vec<Vec<Oid>>,
    /// Whether it is asked if an immediate event is enabled, which counters tell.
    pub watches: bool,
    pub decided: Decided,
    /// What its handler created.
    pub handled: Vec<(EntityIx, Oid)>,
}

/// What an arc will do, to slots, in the order of execution.
enum Deed {
    Unlink(Hop, Vec<u32>, Vec<u32>),
    Relink(Hop, Vec<u32>, Vec<u32>, Option<Val>),
    Link(Hop, Vec<u32>, Vec<u32>, Option<Val>),
    SetLink(Hop, Vec<u32>, Vec<u32>, Option<Val>),
    Set(EntityIx, Vec<u32>, ColumnIx, Option<Val>),
    Move(EntityIx, Vec<u32>, StateIx, Vec<(ColumnIx, Val)>),
    Delete(EntityIx, Vec<u32>),
}

impl<'a> Firing<'a> {
    pub fn new(schema: &'a Schema, event: EventIx, fields: &'a [Field], time: i64) -> Self {
        let def = &schema.events[usize::from(event)];
        Self {
            schema,
            def,
            fields,
            literals: literals(schema, def),
            time,
            names: Vec::new(),
            watches: false,
            decided: Decided::default(),
            handled: Vec::new(),
        }
    }

    /// The type of what a path reaches.
    pub fn reached(&self, path: &Path) -> EntityIx {
        let root = self.def.names[usize::from(path.root)].entity;
        path.hops.last().map_or(root, |hop| far(self.schema, *hop))
    }

    /// What a path reaches: each once, in the order in which it is first reached.
    pub fn walk(&self, world: &World, path: &Path) -> Vec<u32> {
        let mut here: Vec<u32> = self.names[usize::from(path.root)]
            .iter()
            .map(|o| o.0)
            .collect();
        for hop in &path.hops {
            let mut there = Vec::new();
            for slot in here.iter().flat_map(|near| world.list(*hop, *near)) {
                if !there.contains(slot) {
                    there.push(*slot);
                }
            }
            if self.watches {
                let missed = world.still_counted.iter().filter(|(over, near, far)| {
                    over == hop && here.contains(near) && !there.contains(far)
                });
                let alive = missed.filter(|m| world.row(far(self.schema, *hop), m.2).is_some());
                let missed: Vec<u32> = alive.map(|m| m.2).collect();
                there.extend(missed);
            }
            here = there;
        }
        here
    }

    /// A value, or why there is none.
    pub fn value(&self, world: &World, source: &Source) -> Result<Val, &'static str> {
        Ok(match source {
            Source::Time => Val::T(self.time),
            Source::Meta(_) => unreachable!("no random model has {source:?}"),
            Source::Calculated {
                operator,
                left,
                right,
                ..
            } => {
                let (left, right) = (self.value(world, left)?, self.value(world, right)?);
                calculate(*operator, &left, &right).ok_or("Overflow")?
            }
            Source::Literal { index, .. } => {
                self.literals[usize::from(*index) - self.def.fields.len()].clone()
            }
            Source::Field(field) => match &self.fields[usize::from(*field)] {
                Field::Value(value) => value.clone(),
                other => unreachable!("{other:?} is no value"),
            },
            Source::Entity { name, column } => {
                let entity = self.def.names[usize::from(*name)].entity;
                let slot = self.names[usize::from(*name)][0].0;
                let values = &world.row(entity, slot).expect("it is bound").values;
                values.get(column).ok_or("Unwritable")?.clone()
            }
        })
    }

    /// 1. The fields name entities; what is to be ensured begins.
    pub fn bind(&mut self, world: &mut World) -> Result<(), Kinds> {
        let by_field = |n: &&NameDef| !matches!(n.by, BindBy::Created | BindBy::Chosen);
        let bound = self.def.names.iter().filter(by_field);
        let fields = self.fields.iter().filter(|f| !matches!(f, Field::Value(_)));
        for (name, field) in bound.zip(fields) {
            let all: Vec<&Who> = match field {
                Field::Value(_) => unreachable!("filtered"),
                Field::One(who) => vec![who],
                Field::Option(who) => who.iter().collect(),
                Field::Many(all) => all.iter().collect(),
            };
            let mut found = Vec::new();
            for who in all {
                found.push(self.bind_one(world, name.entity, name.by, who)?);
            }
            if (1..found.len()).any(|i| found[..i].contains(&found[i])) {
                return Err(vec!["Repeated"]);
            }
            self.names.push(found);
        }
        Ok(())
    }

    fn bind_one(
        &self,
        world: &mut World,
        entity: EntityIx,
        by: BindBy,
        who: &Who,
    ) -> Result<Oid, Kinds> {
        let key = match who {
            Who::Id(slot, generation) => {
                let id = (*slot, *generation);
                if !world.alive(entity, id) {
                    return Err(vec!["StaleHandle"]);
                }
                return match by {
                    BindBy::Token(state) if world.state(entity, id.0) != state => {
                        Err(vec!["NotInPlace"])
                    }
                    _ => Ok(id),
                };
            }
            Who::Key(key) => key,
        };
        if let Some(slot) = world.find(self.schema, entity, key) {
            return Ok(world.oid(entity, slot));
        }
        if by == BindBy::Key {
            return Err(vec!["UnknownKey"]);
        }
        let slot = world.create(entity, self.schema.entities[usize::from(entity)].initial);
        let values = keys(self.schema, entity)
            .into_iter()
            .zip(key.iter().cloned());
        begin(
            self.schema,
            world.row_mut(entity, slot),
            entity,
            values.collect(),
        );
        Ok(world.oid(entity, slot))
    }

    /// 2. What is to be created begins.
    fn create(&mut self, world: &mut World) -> Result<(), Kinds> {
        for arc in &self.def.arcs {
            let Arc::Create {
                name,
                state,
                values,
            } = arc
            else {
                continue;
            };
            let entity = self.def.names[usize::from(*name)].entity;
            let mut wrong = Vec::new();
            let mut given = Vec::new();
            for Assign { column, source } in values {
                match self.value(world, source) {
                    Ok(value) => given.push((*column, value)),
                    Err(kind) => wrong.push(kind),
                }
            }
            let of = |column: &ColumnIx| given.iter().find(|(c, _)| c == column);
            let key: Vec<Val> = (keys(self.schema, entity).iter())
                .filter_map(|column| of(column).map(|(_, value)| value.clone()))
                .collect();
            if !key.is_empty() && world.find(self.schema, entity, &key).is_some() {
                wrong.push("Duplicate");
            }
            if !wrong.is_empty() {
                return Err(wrong);
            }
            let slot = world.create(entity, *state);
            begin(self.schema, world.row_mut(entity, slot), entity, given);
            self.names.push(vec![world.oid(entity, slot)]);
        }
        Ok(())
    }

    /// 3. Source states, conditions, paths and values, all on the graph as it is before any arc acts.
    fn evaluate(&self, world: &World) -> Result<Vec<Deed>, Kinds> {
        let mut wrong: Kinds = Vec::new();
        let mut deeds = Vec::new();
        for arc in &self.def.arcs {
            let without = RefCell::new(Vec::new());
            let known = |source: &Source| {
                let value = self.value(world, source);
                value.map_err(|kind| without.borrow_mut().push(kind)).ok()
            };
            let data = |source: &Option<Source>| source.as_ref().and_then(known);
            deeds.push(match arc {
                Arc::Create { .. } | Arc::Choose { .. } | Arc::Unknown(_) => continue,
                Arc::Count { .. } | Arc::Compare { .. } => {
                    match self.compares(world, arc) {
                        Ok(true) => {}
                        Ok(false) => wrong.push("When"),
                        Err(kind) => wrong.push(kind),
                    }
                    continue;
                }
                Arc::When {
                    quantifier,
                    path,
                    states,
                } => {
                    if !self.when(world, *quantifier, path, states) {
                        wrong.push("When");
                    }
                    continue;
                }
                Arc::Unlink { path, hop, with } => {
                    Deed::Unlink(*hop, self.walk(world, path), self.walk(world, with))
                }
                Arc::Relink {
                    path,
                    hop,
                    with,
                    data: d,
                } => Deed::Relink(
                    *hop,
                    self.walk(world, path),
                    self.walk(world, with),
                    data(d),
                ),
                Arc::Link {
                    path,
                    hop,
                    with,
                    data: d,
                } => Deed::Link(
                    *hop,
                    self.walk(world, path),
                    self.walk(world, with),
                    data(d),
                ),
                Arc::SetLink {
                    path,
                    hop,
                    with,
                    data: d,
                } => {
                    let (near, far) = (self.walk(world, path), self.walk(world, with));
                    Deed::SetLink(*hop, near, far, known(d))
                }
                Arc::Set { path, value } => {
                    let (entity, slots) = (self.reached(path), self.walk(world, path));
                    let of = self.schema.columns[usize::from(value.column)].state;
                    if slots
                        .iter()
                        .any(|s| of.is_some_and(|of| of != world.state(entity, *s)))
                    {
                        wrong.push("NotInPlace");
                    }
                    Deed::Set(entity, slots, value.column, known(&value.source))
                }
                Arc::Move {
                    scope,
                    path,
                    from,
                    to,
                    data: arc_data,
                } => {
                    let (entity, mut slots) = (self.reached(path), self.walk(world, path));
                    let all = slots.len();
                    slots.retain(|s| from.contains(&world.state(entity, *s)));
                    if *scope == Scope::Each && slots.len() < all {
                        wrong.push("NotInPlace");
                    }
                    let data = |a: &Assign| Some((a.column, known(&a.source)?));
                    Deed::Move(
                        entity,
                        slots,
                        *to,
                        arc_data.iter().filter_map(data).collect(),
                    )
                }
                Arc::Delete { path } => Deed::Delete(self.reached(path), self.walk(world, path)),
            });
            wrong.append(&mut without.into_inner());
        }
        if meet(&deeds) {
            wrong.push("TwoArcs");
        }
        if self.crowd(&deeds) {
            wrong.push("Cardinality");
        }
        if wrong.is_empty() {
            Ok(deeds)
        } else {
            Err(wrong)
        }
    }

    /// 4. Guards.
    fn guard(&self, world: &World) -> Result<(), Kinds> {
        let holds = |text: &String| match Guard::read(text) {
            Guard::NotTwo(field) => self.fields[field] != Field::Value(Val::U(2)),
            Guard::Links(name, hop, max) => world.list(hop, self.names[name][0].0).len() <= max,
        };
        if self.def.guards.iter().all(holds) {
            Ok(())
        } else {
            Err(vec!["Guard"])
        }
    }

    /// 5. Unlink, relink, link, set, moves, delete; those of a kind as they are written.
    fn act(&self, world: &mut World, deeds: Vec<Deed>) -> Result<(), Kinds> {
        let order = |deed: &Deed| match deed {
            Deed::Unlink(..) => 0,
            Deed::Relink(..) => 1,
            Deed::Link(..) => 2,
            Deed::SetLink(..) => 3,
            Deed::Set(..) => 4,
            Deed::Move(..) => 5,
            Deed::Delete(..) => 6,
        };
        let mut deeds = deeds;
        deeds.sort_by_key(order);
        let mut doomed = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Unlink(hop, near, far) => {
                    for (a, b) in pairs(hop, &near, &far) {
                        if world.linked(hop.edge, (a, b)) {
                            world.unlink(hop.edge, (a, b));
                        }
                    }
                }
                Deed::Relink(hop, near, far, data) => {
                    for ends in pairs(hop, &near, &far) {
                        if !world.linked(hop.edge, ends) {
                            world.make_way(self.schema, hop.edge, ends);
                            world.link(self.schema, hop.edge, ends)?;
                        }
                        world.give(hop.edge, ends, data.as_ref());
                    }
                }
                Deed::Link(hop, near, far, data) => {
                    for ends in pairs(hop, &near, &far) {
                        world.link(self.schema, hop.edge, ends)?;
                        world.give(hop.edge, ends, data.as_ref());
                    }
                }
                Deed::SetLink(hop, near, far, data) => {
                    for ends in pairs(hop, &near, &far) {
                        if !world.linked(hop.edge, ends) {
                            return Err(vec!["NotLinked"]);
                        }
                        world.give(hop.edge, ends, data.as_ref());
                    }
                }
                Deed::Set(entity, slots, column, value) => {
                    for slot in slots {
                        let row = world.row_mut(entity, slot);
                        row.values
                            .extend(value.clone().map(|value| (column, value)));
                    }
                }
                Deed::Move(entity, slots, to, data) => {
                    for slot in slots {
                        let row = world.row_mut(entity, slot);
                        let left = columns(self.schema, entity, Some(row.state));
                        row.values.retain(|column, _| !left.contains(column));
                        row.state = to;
                        row.values.extend(data.iter().cloned());
                    }
                }
                Deed::Delete(entity, slots) => doomed.extend(slots.iter().map(|s| (entity, *s))),
            }
        }
        delete(self.schema, world, doomed)
    }

    /// Whether an end that holds one would be linked with several, by arcs of this event.
    fn crowd(&self, deeds: &[Deed]) -> bool {
        let mut links = Vec::new();
        for deed in deeds {
            if let Deed::Relink(hop, near, far, _) | Deed::Link(hop, near, far, _) = deed {
                links.extend(
                    pairs(*hop, near, far)
                        .into_iter()
                        .map(|ends| (hop.edge, ends)),
                );
            }
        }
        links.iter().any(|(edge, (from, to))| {
            let def = &self.schema.edges[usize::from(*edge)];
            let one = |end: &EndDef| end.cardinality != Cardinality::Many;
            links.iter().any(|(other, (a, b))| {
                let far_taken = one(&def.from) && a == from && b != to;
                let near_taken = one(&def.to) && b == to && a != from;
                other == edge && (far_taken || near_taken)
            })
        })
    }

    /// All of it, from `create` on.
    pub fn fire(&mut self, world: &mut World) -> Result<(), Kinds> {
        self.create(world)?;
        self.choose(world)?;
        let deeds = self.evaluate(world)?;
        self.guard(world)?;
        self.act(world, deeds)?;
        self.handle(world);
        Ok(())
    }

    /// 6. The handler.
    fn handle(&mut self, world: &mut World) {
        if self.def.mays.is_empty() {
            return;
        }
        let calls = match (self.fields.first(), script(self.def)) {
            (Some(Field::Value(Val::S(text))), _) => calls(self.schema, text),
            (_, Some(text)) => calls_on(self.schema, text, self.names[0][0]),
            _ => return,
        };
        self.handled = handle(self.schema, world, &calls);
    }
}

/// The values of a new entity: those given, and defaults.
pub fn begin(schema: &Schema, row: &mut Row, entity: EntityIx, given: Vec<(ColumnIx, Val)>) {
    row.values.extend(given);
    for column in columns(schema, entity, None) {
        if schema.columns[usize::from(column)].default.is_some() {
            let default = || column_ty(schema, column).default();
            row.values.entry(column).or_insert_with(default);
        }
    }
}

/// Every pair of two ends, as (declaring end, inverse end).
fn pairs(hop: Hop, near: &[u32], far: &[u32]) -> Vec<(u32, u32)> {
    let of = |a: &u32| far.iter().map(|b| pair(hop, *a, *b)).collect::<Vec<_>>();
    near.iter().flat_map(of).collect()
}

/// Whether two moves, a move and a delete, or two sets of one field, are of one entity.
fn meet(deeds: &[Deed]) -> bool {
    let (mut moved, mut set, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    for deed in deeds {
        match deed {
            Deed::Move(entity, slots, ..) => moved.extend(slots.iter().map(|s| (*entity, *s))),
            Deed::Set(_, slots, column, _) => set.extend(slots.iter().map(|s| (*column, *s))),
            Deed::Delete(entity, slots) => deleted.extend(slots.iter().map(|s| (*entity, *s))),
            _ => {}
        }
    }
    fn twice<T: PartialEq>(list: &[T]) -> bool {
        (1..list.len()).any(|i| list[..i].contains(&list[i]))
    }
    twice(&moved) || twice(&set) || deleted.iter().any(|d| moved.contains(d))
}
