//! Random histories of a model: transactions that are kept, dropped or only asked about, with savepoints, and
//! stores that are opened again.

use ironweave::schema::{
    Arc, BindBy, Cardinality, ColumnIx, EventIx, NameDef, NameIx, Schema, Scope, StateIx,
};

use crate::due::LATER;
use crate::events;
use crate::handler;
use crate::model::{Field, Who};
use crate::rng::Rng;
use crate::rules::Fire;
use crate::schemas;
use crate::values::{Ty, Val, ty};
use crate::world::{World, keys};

/// What is done in a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Fire(Fire),
    Save,
    /// Back to a savepoint, by number.
    Back(usize),
    Check,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Commit,
    Drop,
    /// Neither committed nor dropped: leaked.
    Leak,
    WhatIf,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Tx(Vec<Op>, End),
    Reopen,
    /// Moves the clock and fires what is due.
    Due,
}

/// A model and a history of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    pub schema: Schema,
    pub steps: Vec<Step>,
    /// Whether the log lies in files.
    pub files: bool,
    /// Whether the store does everything twice and compares.
    pub paranoid: bool,
    /// Whether the interpreter executes all arcs.
    pub interpreted: bool,
}

/// How many events a history has.
const EVENTS: usize = 100;
/// How many entities there are at most, but for what immediate events create.
const ENTITIES: usize = 60;

impl Case {
    /// The time of a step: one microsecond after that of the step before, or [`LATER`].
    pub fn time(&self, step: usize) -> i64 {
        let later = |step: &&Step| **step == Step::Due;
        let dues = self.steps[..=step].iter().filter(later).count();
        step as i64 + dues as i64 * LATER
    }

    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut schema = schemas::draw(&mut rng);
        events::draw(&mut rng, &mut schema);
        let files = rng.chance(10);
        let mut walk = Walk {
            world: World::new(&schema),
            schema: &schema,
            rng,
            fired: 0,
            time: -1,
        };
        let mut steps = Vec::new();
        while walk.fired < EVENTS {
            steps.push(walk.step());
        }
        steps.push(Step::Reopen);
        Self {
            schema,
            steps,
            files,
            paranoid: seed % 5 == 2,
            interpreted: seed % 5 == 3,
        }
    }
}

struct Walk<'s> {
    schema: &'s Schema,
    world: World,
    rng: Rng,
    fired: usize,
    time: i64,
}

impl Walk<'_> {
    fn step(&mut self) -> Step {
        self.time += 1;
        if self.schema.events.iter().any(|e| e.due.is_some()) && self.rng.chance(8) {
            self.time += LATER;
            self.world = self.world.fire_due(self.schema, self.time).0;
            return Step::Due;
        }
        let before = self.world.clone();
        let (most, end) = match self.rng.below(100) {
            0..=55 => (1, End::Commit),
            56..=77 => (5, End::Commit),
            78..=84 => (5, End::Drop),
            85..=87 => (5, End::Leak),
            88..=97 => (5, End::WhatIf),
            _ => return Step::Reopen,
        };
        let mut ops = Vec::new();
        let mut saved: Vec<World> = Vec::new();
        for _ in 0..if most == 1 {
            1
        } else {
            1 + self.rng.below(most)
        } {
            ops.push(Op::Fire(self.fire()));
            if most == 1 {
                break;
            }
            if self.rng.chance(35) {
                saved.push(self.world.clone());
                ops.push(Op::Save);
            }
            if self.rng.chance(30) && !saved.is_empty() {
                let to = self.rng.below(saved.len());
                saved.truncate(to + 1);
                self.world = saved[to].clone();
                ops.push(Op::Back(to));
            }
            if self.rng.chance(10) {
                ops.push(Op::Check);
            }
        }
        if end != End::Commit || !self.world.invariants_hold(self.schema) {
            self.world = before;
        }
        Step::Tx(ops, end)
    }

    /// An event that mostly is not rejected.
    fn fire(&mut self) -> Fire {
        self.fired += 1;
        let events = EventIx::all(self.schema.events.len()).zip(&self.schema.events);
        let ordinary: Vec<EventIx> = events
            .filter(|(_, e)| !e.immediate && (self.world.population() < ENTITIES || !grows(e)))
            .map(|(ix, _)| ix)
            .collect();
        let Some(first) = self.rng.pick(&ordinary).copied() else {
            // Everything creates, and all is full: anything but that.
            let event = self
                .schema
                .events
                .iter()
                .position(|e| !e.immediate)
                .unwrap_or(0);
            return self.dead(EventIx::new(event as u16));
        };
        let mut fire = self.draw(first);
        for _ in 0..self.rng.below(5) {
            match self.world.after(self.schema, &fire, self.time) {
                Ok((world, _)) => {
                    self.world = world;
                    return fire;
                }
                Err(_) => {
                    let other = self.rng.pick(&ordinary).copied().unwrap_or(first);
                    fire = self.draw(other);
                }
            }
        }
        if let Ok((world, _)) = self.world.after(self.schema, &fire, self.time) {
            self.world = world;
        }
        fire
    }

    /// An event whose handles name nothing, or that is too much.
    fn dead(&mut self, event: EventIx) -> Fire {
        let mut fire = self.draw(event);
        for field in &mut fire.fields {
            if let Field::One(who @ Who::Id(..)) = field {
                *who = Who::Id(1_000, 1);
            }
        }
        if let Ok((world, _)) = self.world.after(self.schema, &fire, self.time) {
            self.world = world;
        }
        fire
    }

    fn draw(&mut self, event: EventIx) -> Fire {
        let def = &self.schema.events[usize::from(event)];
        let mut fields = Vec::new();
        if !def.mays.is_empty() {
            let room = self.world.population() < ENTITIES;
            let calls = handler::draw(&mut self.rng, self.schema, &self.world, room);
            let fields = vec![Field::Value(Val::S(calls))];
            return Fire { event, fields };
        }
        for field in &def.fields {
            let name = def.names.iter().position(|n| n.name == field.name);
            fields.push(match name {
                None => Field::Value(self.value(ty(&field.ty))),
                Some(at) => {
                    let name = &def.names[at];
                    let states = sources(def, NameIx::new(at as u16));
                    match name.count {
                        Cardinality::One => Field::One(self.who(name, &states)),
                        Cardinality::Option => {
                            let some = self.rng.chance(80);
                            Field::Option(some.then(|| self.who(name, &states)))
                        }
                        Cardinality::Many => {
                            let mut all = Vec::new();
                            for _ in 0..self.rng.below(5) {
                                let who = self.who(name, &states);
                                if !all.contains(&who) || self.rng.chance(4) {
                                    all.push(who);
                                }
                            }
                            Field::Many(all)
                        }
                    }
                }
            });
        }
        Fire { event, fields }
    }

    fn value(&mut self, ty: Ty) -> Val {
        if self.rng.chance(50) {
            let n = self.rng.below(40);
            match ty {
                Ty::U => return Val::U(n as u64),
                Ty::S => return Val::S(format!("s{n}")),
                Ty::T => return Val::T(n as i64),
                Ty::M => return Val::M(Some(n as i64)),
                Ty::D => return Val::D(n as u128 * 500),
                Ty::O => {}
            }
        }
        let mut pool = ty.pool();
        let at = self.rng.below(pool.len());
        pool.swap_remove(at)
    }

    /// An index that mostly fits.
    fn who(&mut self, name: &NameDef, states: &[StateIx]) -> Who {
        let entity = name.entity;
        let mut there = self.world.living(entity);
        if !states.is_empty() && self.rng.chance(90) {
            let fitting = |s: &u32| states.contains(&self.world.state(entity, *s));
            let some: Vec<u32> = there.iter().copied().filter(fitting).collect();
            if !some.is_empty() {
                there = some;
            }
        }
        let one = self.rng.pick(&there).copied();
        if matches!(name.by, BindBy::Key | BindBy::Ensure) {
            let columns = keys(self.schema, entity);
            let known = if name.by == BindBy::Key { 92 } else { 55 };
            if let (Some(slot), true) = (one, self.rng.chance(known)) {
                let row = self.world.row(entity, slot).expect("the entity is alive");
                return Who::Key(columns.iter().map(|c| row.values[c].clone()).collect());
            }
            let of = |c: &ColumnIx| ty(&self.schema.columns[usize::from(*c)].ty);
            let types: Vec<Ty> = columns.iter().map(of).collect();
            return Who::Key(types.into_iter().map(|t| self.value(t)).collect());
        }
        match one {
            Some(slot) if self.rng.chance(96) => {
                let (slot, generation) = self.world.oid(entity, slot);
                Who::Id(slot, generation)
            }
            // The next one, or an earlier one of a slot.
            Some(slot) if self.rng.chance(50) => Who::Id(slot, self.world.oid(entity, slot).1 - 1),
            _ => {
                let (slot, generation) = self.world.next(entity);
                Who::Id(slot, generation)
            }
        }
    }
}

/// Whether an event can create something.
fn grows(def: &ironweave::schema::EventDef) -> bool {
    let new = |n: &NameDef| matches!(n.by, BindBy::Created | BindBy::Ensure);
    def.names.iter().any(new)
}

/// The states that an event demands of a name of its own; none, where any will do.
fn sources(def: &ironweave::schema::EventDef, name: NameIx) -> Vec<StateIx> {
    if let BindBy::Token(state) = def.names[usize::from(name)].by {
        return vec![state];
    }
    let moved = def.arcs.iter().find_map(|arc| match arc {
        Arc::Move {
            scope: Scope::Each,
            path,
            from,
            ..
        } if path.root == name && path.hops.is_empty() => Some(from.clone()),
        _ => None,
    });
    moved.unwrap_or_default()
}
