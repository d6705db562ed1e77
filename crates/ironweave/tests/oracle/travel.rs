//! Snapshots beside the oracle: what they show, what `with` gives, what leads from one to another, and that they stay
//! as they are.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::schema::{ColumnIx, EdgeIx, EntityIx, Schema, StateIx};
use ironweave::{Changes, Fact, FactKind, Id, Meta, Seq, Snapshot, Store, Timestamp};

use crate::compare::{Wrong, compare, history, same};
use crate::fingerprint::{Salts, cbor};
use crate::indexes;
use crate::model::{Model, event, id};
use crate::rules::Fire;
use crate::world::World;

/// Snapshots that were taken, with what they showed.
#[derive(Default)]
pub struct Kept {
    pub all: Vec<(usize, Snapshot<Model>, World)>,
    /// After each transaction, its sequence and what there was.
    pub frames: Vec<(Option<Seq>, World)>,
}

/// Compares all that can be read of a snapshot.
pub fn shows(
    snapshot: &Snapshot<Model>,
    schema: &Schema,
    salts: &Salts,
    world: &World,
) -> Result<(), Wrong> {
    compare(snapshot, schema, world)?;
    indexes::compare_all(snapshot, schema, world)?;
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
            let between =
                |a: &Snapshot<Model>, b: &Snapshot<Model>| a.diff(b).map_err(|e| e.to_string());
            leads(&between(from, &snapshot)?, schema, then, world)?;
            leads(&between(&snapshot, from)?, schema, world, then)?;
        }
        self.all.push((step, snapshot, world.clone()));
        Ok(())
    }

    /// Goes back to where the store was after each transaction.
    pub fn is_the_past_of(
        &self,
        store: &Store<Model>,
        (schema, salts): (&Schema, &Salts),
    ) -> Result<(), Wrong> {
        // By leaps, so that values are made from others before and from the beginning.
        let n = self.frames.len();
        for i in (0..n).map(|i| i * 7 % n.max(1)) {
            let (seq, world) = &self.frames[i];
            let then = store
                .as_of(seq.unwrap_or(Seq::ZERO))
                .map_err(|e| e.to_string())?;
            same(&then.seq(), seq, || "the sequence of then".into())?;
            let expected = salts.fingerprint(schema, world);
            same(&then.fingerprint(), &expected, || {
                "the fingerprint of then".into()
            })?;
            if i % 4 == 0 {
                shows(&then, schema, salts, world)?;
            }
        }
        for entity in EntityIx::all(schema.entities.len()) {
            histories(store, schema, entity)?;
        }
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
    let after = base.with_any(Meta::new().with_time(time), &event);
    (base, after.ok().map(|after| after.snapshot))
}

/// A world without order.
#[derive(Debug, Default, PartialEq)]
struct Sets {
    entities: BTreeMap<(EntityIx, u32), (u32, StateIx)>,
    values: BTreeMap<(ColumnIx, u32), Vec<u8>>,
    links: BTreeMap<(EdgeIx, u32, u32), Option<Vec<u8>>>,
}

impl Sets {
    fn of(schema: &Schema, world: &World) -> Self {
        let mut sets = Self::default();
        for entity in EntityIx::all(schema.entities.len()) {
            for slot in world.living(entity) {
                let row = world.row(entity, slot).expect("the entity is alive");
                let (_, generation) = world.oid(entity, slot);
                sets.entities
                    .insert((entity, slot), (generation, row.state));
                for (column, value) in &row.values {
                    sets.values.insert((*column, slot), cbor(value));
                }
            }
        }
        for (edge, links) in EdgeIx::all(world.edges.len()).zip(&world.edges) {
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
    fn apply(&mut self, schema: &Schema, fact: Fact<'_>) -> Option<()> {
        let value = fact.encoded().map(<[u8]>::to_vec);
        let linked: BTreeSet<(EntityIx, u32)> = (self.links.keys())
            .flat_map(|(edge, from, to)| {
                let def = &schema.edges[usize::from(*edge)];
                [(def.from.entity, *from), (def.to.entity, *to)]
            })
            .collect();
        let there =
            |sets: &Self, entity: EntityIx, slot: u32| sets.entities.contains_key(&(entity, slot));
        let entity = entity_of(schema, fact.entity().type_name())?;
        let slot = fact.entity().slot();
        let states = &schema.entities[usize::from(entity)].states;
        let state = |name: Option<&str>| {
            let found = states.iter().position(|s| Some(&*s.name) == name)?;
            StateIx::try_from(found).ok()
        };
        let edge = || {
            let is = |e: &ironweave::schema::EdgeDef| {
                e.from.entity == entity && Some(&*e.from.name) == fact.field()
            };
            let found = schema.edges.iter().position(is)?;
            Some((EdgeIx::try_from(found).ok()?, slot, fact.other()?.slot()))
        };
        match fact.kind() {
            FactKind::Create => {
                let generation = fact.entity().id()?.generation();
                let now = (generation, state(fact.to())?);
                let before = self.entities.insert((entity, slot), now);
                before.is_none().then_some(())?;
            }
            FactKind::Delete => {
                let gone = self.entities.remove(&(entity, slot))?;
                let then = (fact.entity().id()?.generation(), state(fact.from())?);
                let fits = gone == then && !linked.contains(&(entity, slot));
                let of = |c: ColumnIx| schema.columns[usize::from(c)].entity;
                self.values
                    .retain(|(c, s), _| of(*c) != entity || *s != slot);
                fits.then_some(())?;
            }
            FactKind::Move => {
                let (from, to) = (state(fact.from())?, state(fact.to())?);
                let now = self.entities.get_mut(&(entity, slot))?;
                (now.1 == from && from != to).then_some(())?;
                now.1 = to;
                let left = |c: ColumnIx| {
                    let c = &schema.columns[usize::from(c)];
                    c.entity == entity && c.state == Some(from)
                };
                self.values.retain(|(c, s), _| !left(*c) || *s != slot);
            }
            FactKind::Set => {
                let of_state = fact.data_of();
                let is = |c: &ironweave::schema::ColumnDef| {
                    let state = |s: StateIx| states.get(usize::from(s)).map(|s| &*s.name);
                    c.entity == entity
                        && Some(&*c.name) == fact.field()
                        && c.state.and_then(state) == of_state
                };
                let column = schema.columns.iter().position(is)?;
                let def = &schema.columns[column];
                let state = self.entities.get(&(entity, slot))?.1;
                def.state.is_none_or(|s| s == state).then_some(())?;
                let column = ColumnIx::try_from(column).ok()?;
                let before = self.values.insert((column, slot), value.clone()?);
                // What says nothing new is no difference.
                (before != value).then_some(())?;
            }
            FactKind::Link => {
                let (edge, from, to) = edge()?;
                let def = &schema.edges[usize::from(edge)];
                let ends = there(self, def.from.entity, from) && there(self, def.to.entity, to);
                let before = self.links.insert((edge, from, to), None);
                (ends && before.is_none()).then_some(())?;
            }
            FactKind::Unlink => {
                self.links.remove(&edge()?)?;
            }
            FactKind::SetLink => {
                let link = self.links.get_mut(&edge()?)?;
                (*link != value).then_some(())?;
                *link = value;
            }
        }
        Some(())
    }
}

/// The index of an entity type.
fn entity_of(schema: &Schema, name: &str) -> Option<EntityIx> {
    let found = schema.entities.iter().position(|e| e.name == name)?;
    EntityIx::try_from(found).ok()
}

/// Compares what changes make of one world with another.
fn leads(changes: &Changes<Model>, schema: &Schema, from: &World, to: &World) -> Result<(), Wrong> {
    let mut sets = Sets::of(schema, from);
    for fact in changes.facts() {
        let text = || format!("of {changes:?}: {fact}");
        sets.apply(schema, fact).ok_or_else(text)?;
    }
    same(&sets, &Sets::of(schema, to), || format!("{changes:?}"))
}

/// Compares the histories of the entities of a type with the facts of all transactions, searched from one end to the
/// other.
fn histories(store: &Store<Model>, schema: &Schema, entity: EntityIx) -> Result<(), Wrong> {
    fn text(e: impl std::fmt::Display) -> String {
        e.to_string()
    }
    let mut expected: BTreeMap<Id, Vec<(Seq, String)>> = BTreeMap::new();
    let mut here: BTreeMap<u32, u32> = BTreeMap::new();
    for record in store.tx_range(..).map_err(text)? {
        let record = record.map_err(text)?;
        for fact in record.facts() {
            let is =
                |e: &ironweave::FactEntity<'_>| entity_of(schema, e.type_name()) == Some(entity);
            if fact.kind() == FactKind::Create
                && let Some(id) = Some(fact.entity()).filter(is).and_then(|e| e.id())
            {
                here.insert(id.slot(), id.generation());
            }
            let touched = [Some(fact.entity()), fact.other()];
            let touched = touched.into_iter().flatten().filter(is);
            let slots: BTreeSet<u32> = touched.map(|e| e.slot()).collect();
            for slot in slots {
                let who = id(slot, here[&slot]);
                let line = (record.seq(), fact.to_string());
                expected.entry(who).or_default().push(line);
            }
        }
    }
    // As many as make up for the time.
    for (who, facts) in expected.iter().take(12) {
        let found = history(store, entity, *who).map_err(text)?;
        let found: Vec<(Seq, String)> = (found.iter())
            .map(|entry| (entry.seq(), entry.fact().to_string()))
            .collect();
        same(&found, facts, || format!("the history of {entity}/{who}"))?;
    }
    Ok(())
}
