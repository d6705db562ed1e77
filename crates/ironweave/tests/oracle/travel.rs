//! Snapshots beside the oracle: what they show, what `with` gives, what leads from one to another, and that they stay
//! as they are.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::schema::Schema;
use ironweave::{Changes, Fact, Meta, Snapshot, Store, Timestamp};

use crate::compare::{Wrong, compare, same};
use crate::fingerprint::{Salts, cbor};
use crate::model::{Model, event};
use crate::rules::Fire;
use crate::world::World;

/// Snapshots that were taken, with what they showed.
#[derive(Default)]
pub struct Kept {
    pub all: Vec<(usize, Snapshot<Model>, World)>,
}

/// Compares all that can be read of a snapshot.
pub fn shows(
    snapshot: &Snapshot<Model>,
    schema: &Schema,
    salts: &Salts,
    world: &World,
) -> Result<(), Wrong> {
    compare(snapshot, schema, world)?;
    let expected = salts.fingerprint(schema, world);
    same(&snapshot.fingerprint(), &expected, || {
        "the fingerprint".into()
    })?;
    same(&snapshot.check(), &Vec::new(), || "check".into())
}

impl Kept {
    /// Takes one now and then, looks at it, and at what leads to it from an earlier one and back.
    pub fn take(
        &mut self,
        step: usize,
        store: &Store<Model>,
        (schema, salts): (&Schema, &Salts),
        world: &World,
    ) -> Result<(), Wrong> {
        if !step.is_multiple_of(5) {
            return Ok(());
        }
        let snapshot = store.snapshot();
        shows(&snapshot, schema, salts, world)?;
        same(&snapshot.seq(), &store.seq(), || "its sequence".into())?;
        let earlier = self.all.len().checked_sub(1 + step % 3);
        if let Some((_, from, then)) = earlier.and_then(|i| self.all.get(i)) {
            leads(&from.diff(&snapshot), schema, then, world)?;
            leads(&snapshot.diff(from), schema, world, then)?;
        }
        self.all.push((step, snapshot, world.clone()));
        Ok(())
    }

    /// Looks at all of them again.
    pub fn are_what_they_were(&self, schema: &Schema, salts: &Salts) -> Result<(), Wrong> {
        let mut all = self.all.iter();
        all.try_for_each(|(_, snapshot, world)| shows(snapshot, schema, salts, world))
    }
}

/// What an event did to a snapshot, where it did not reject.
pub fn with(
    store: &Store<Model>,
    fire: &Fire,
    time: Timestamp,
) -> (Snapshot<Model>, Option<Snapshot<Model>>) {
    let base = store.snapshot();
    let event = event(fire.event, fire.fields.clone());
    let after = base.with_any(Meta::new().time(time), &event);
    (base, after.ok().map(|(after, ..)| after))
}

/// A world without order.
#[derive(Debug, Default, PartialEq)]
struct Sets {
    entities: BTreeMap<(u16, u32), (u32, u8)>,
    values: BTreeMap<(u16, u32), Vec<u8>>,
    links: BTreeMap<(u16, u32, u32), Option<Vec<u8>>>,
}

impl Sets {
    fn of(schema: &Schema, world: &World) -> Self {
        let mut sets = Self::default();
        for entity in 0..schema.entities.len() as u16 {
            for slot in world.living(entity) {
                let row = world.row(entity, slot).expect("it lives");
                let (_, generation) = world.oid(entity, slot);
                sets.entities
                    .insert((entity, slot), (generation, row.state));
                for (column, value) in &row.values {
                    sets.values.insert((*column, slot), cbor(value));
                }
            }
        }
        for (edge, links) in (0..).zip(&world.edges) {
            for (from, list) in &links.forward {
                for to in list {
                    let data = links.data.get(&(*from, *to)).map(cbor);
                    sets.links.insert((edge, *from, *to), data);
                }
            }
        }
        sets
    }

    /// Applies a fact, strictly.
    fn apply(&mut self, schema: &Schema, changes: &Changes, fact: Fact) -> Option<()> {
        let value = changes.value(fact).map(<[u8]>::to_vec);
        let linked: BTreeSet<(u16, u32)> = (self.links.keys())
            .flat_map(|(edge, from, to)| {
                let def = &schema.edges[usize::from(*edge)];
                [(def.from.entity, *from), (def.to.entity, *to)]
            })
            .collect();
        let there =
            |sets: &Self, entity: u16, slot: u32| sets.entities.contains_key(&(entity, slot));
        match fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => {
                let before = self.entities.insert((entity, slot), (generation, state));
                before.is_none().then_some(())?;
            }
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } => {
                let gone = self.entities.remove(&(entity, slot))?;
                let fits = gone == (generation, state) && !linked.contains(&(entity, slot));
                let of = |c: u16| schema.columns[usize::from(c)].entity;
                self.values
                    .retain(|(c, s), _| of(*c) != entity || *s != slot);
                fits.then_some(())?;
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let who = self.entities.get_mut(&(entity, slot))?;
                (who.1 == from && from != to).then_some(())?;
                who.1 = to;
                let left = |c: u16| {
                    let c = &schema.columns[usize::from(c)];
                    c.entity == entity && c.state == Some(from)
                };
                self.values.retain(|(c, s), _| !left(*c) || *s != slot);
            }
            Fact::Set { column, slot, .. } => {
                let def = &schema.columns[usize::from(column)];
                let state = self.entities.get(&(def.entity, slot))?.1;
                def.state.is_none_or(|s| s == state).then_some(())?;
                let before = self.values.insert((column, slot), value.clone()?);
                // What says nothing new is no difference.
                (before != value).then_some(())?;
            }
            Fact::Link { edge, from, to } => {
                let def = &schema.edges[usize::from(edge)];
                let ends = there(self, def.from.entity, from) && there(self, def.to.entity, to);
                let before = self.links.insert((edge, from, to), None);
                (ends && before.is_none()).then_some(())?;
            }
            Fact::Unlink { edge, from, to } => {
                self.links.remove(&(edge, from, to))?;
            }
            Fact::SetLink { edge, from, to, .. } => {
                let link = self.links.get_mut(&(edge, from, to))?;
                (*link != value).then_some(())?;
                *link = value;
            }
        }
        Some(())
    }
}

/// Compares what changes make of one world with another.
fn leads(changes: &Changes, schema: &Schema, from: &World, to: &World) -> Result<(), Wrong> {
    let mut sets = Sets::of(schema, from);
    for fact in changes.facts() {
        let words = || format!("of {changes:?}: {}", changes.words(*fact));
        sets.apply(schema, changes, *fact).ok_or_else(words)?;
    }
    same(&sets, &Sets::of(schema, to), || format!("{changes:?}"))
}
