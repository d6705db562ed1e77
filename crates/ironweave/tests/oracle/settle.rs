//! What follows an event, by the oracle: bounds on links, circles, immediate events until none is enabled, and
//! the invariants of a transaction. All of it over the whole graph.

use std::collections::BTreeMap;

use ironweave::schema::{
    Arc, BindBy, Cardinality, EdgeIx, EntityIx, EventDef, EventIx, Hop, NameIx, Quantifier, Schema,
    Scope, StateIx,
};

use crate::planted::Bug;
use crate::rules::{Fire, Fired, Firing, Immediate};
use crate::values::{Rule, Val};
use crate::world::{Kinds, Oid, World, far};

/// How often one immediate event may fire on one entity in one step.
const FIRINGS_MAX: usize = 64;
/// How deep immediate events may create; the stores of these tests have this limit.
pub const CREATION_DEPTH_MAX: u32 = 3;
/// How often immediate events may fire in one step on what immediate events created; a limit of the stores too.
pub const CREATED_FIRINGS_MAX: u32 = 4;

/// How deep the entities are that immediate events created in this step.
type Depths = BTreeMap<(EntityIx, Oid), u32>;

impl World {
    /// The graph after an event, or what it is rejected for.
    pub fn after(&self, schema: &Schema, fire: &Fire, time: i64) -> Result<(Self, Fired), Kinds> {
        let mut world = self.clone();
        let mut firing = Firing::new(schema, fire.event, &fire.fields, time);
        firing.bind(&mut world)?;
        firing.fire(&mut world)?;
        world.in_bounds(schema)?;
        let names = std::mem::take(&mut firing.names);
        let mut immediates: Vec<Immediate> = Vec::new();
        let mut decided = firing.decided;
        let (mut depths, mut on_created) = (Depths::new(), 0);
        while let Some((event, slot)) = world.enabled(schema, time).map_err(|kind| vec![kind])? {
            let def = &schema.events[usize::from(event)];
            let entity = def.names[0].entity;
            let who = (event, world.oid(entity, slot));
            let depth = depths.get(&(entity, who.1)).copied().unwrap_or(0);
            on_created += u32::from(depth > 0);
            let times = immediates.iter().filter(|f| (f.event, f.who) == who);
            let times = times.count();
            let creates = def.names.iter().any(|name| name.by == BindBy::Created);
            if times == FIRINGS_MAX
                || on_created > CREATED_FIRINGS_MAX
                || creates && depth == CREATION_DEPTH_MAX
            {
                return Err(vec!["Loop"]);
            }
            decided.fires_in_order(def, world.enabled_by_slot(schema, event, time), slot);
            let mut firing = Firing::new(schema, event, &[], time);
            firing.names.push(vec![who.1]);
            firing.fire(&mut world)?;
            decided.add_choices(firing.decided, true);
            world.in_bounds(schema)?;
            if depth == CREATION_DEPTH_MAX && !firing.handled.is_empty() {
                return Err(vec!["Loop"]);
            }
            let names = def.names.iter().zip(&firing.names);
            for (name, ids) in names.filter(|(name, _)| name.by == BindBy::Created) {
                depths.insert((name.entity, ids[0]), depth + 1);
            }
            let handled = firing.handled.into_iter();
            depths.extend(handled.map(|created| (created, depth + 1)));
            let (who, names) = (who.1, firing.names);
            immediates.push(Immediate { event, who, names });
        }
        let deepest = depths.into_values().max().unwrap_or(0);
        let fired = Fired {
            names,
            immediates,
            deepest,
            decided,
        };
        Ok((world, fired))
    }

    /// The immediate event that fires next: of those enabled the first declared, on the first entity in its order. An error if one
    /// calculates something that overflows, and is enabled otherwise.
    pub fn enabled(
        &self,
        schema: &Schema,
        time: i64,
    ) -> Result<Option<(EventIx, u32)>, &'static str> {
        let events = EventIx::all(schema.events.len()).zip(&schema.events);
        let mut immediate: Vec<_> = events.filter(|(_, e)| e.immediate).collect();
        if Bug::LastDeclaredFires.is_planted() {
            immediate.reverse();
        }
        for (ix, def) in immediate {
            let mut slots = self.movable(def);
            if let Some(order) = def.order.filter(|_| !Bug::FiringIgnoresBy.is_planted()) {
                self.sort(def.names[0].entity, &mut slots, order);
            }
            if let Some(slot) = self.first_enabled(schema, ix, &slots, time)? {
                return Ok(Some((ix, slot)));
            }
        }
        Ok(None)
    }

    /// The smallest slot on which an immediate event is enabled.
    fn enabled_by_slot(&self, schema: &Schema, ix: EventIx, time: i64) -> Option<u32> {
        let def = &schema.events[usize::from(ix)];
        def.order?;
        let slots = self.movable(def);
        self.first_enabled(schema, ix, &slots, time).ok().flatten()
    }

    /// The slots of the entities that an immediate event can move, in order.
    fn movable(&self, def: &EventDef) -> Vec<u32> {
        let entity = def.names[0].entity;
        let mut slots = self.living(entity);
        slots.retain(|slot| {
            let own = self.state(entity, *slot);
            def.arcs.iter().any(|arc| {
                matches!(arc, Arc::Move { path, from, .. }
                    if path.root == NameIx::default() && path.hops.is_empty() && from.contains(&own))
            })
        });
        slots
    }

    /// The first of some slots on which an immediate event is enabled.
    fn first_enabled(
        &self,
        schema: &Schema,
        ix: EventIx,
        slots: &[u32],
        time: i64,
    ) -> Result<Option<u32>, &'static str> {
        let entity = schema.events[usize::from(ix)].names[0].entity;
        let mut firing = None;
        for slot in slots {
            let firing = firing.get_or_insert_with(|| Firing::new(schema, ix, &[], time));
            if self.enabled_on(firing, self.oid(entity, *slot))? {
                return Ok(Some(*slot));
            }
        }
        Ok(None)
    }

    /// Whether an immediate event, which can move an entity, is enabled on it.
    fn enabled_on(&self, firing: &mut Firing<'_>, who: Oid) -> Result<bool, &'static str> {
        firing.names = vec![vec![who]];
        firing.watches = true;
        let mut overflows = None;
        let def = firing.def;
        for arc in &def.arcs {
            let holds = match arc {
                Arc::When {
                    quantifier,
                    path,
                    states,
                } => Ok(firing.when(self, *quantifier, path, states)),
                // It must be able to move each of those that it is to move: itself, and its neighbours.
                Arc::Move {
                    scope: Scope::Each,
                    path,
                    from,
                    ..
                } if path.root == NameIx::default() => {
                    Ok(firing.when(self, Quantifier::All, path, from))
                }
                _ => firing.compares(self, arc),
            };
            match holds {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(kind) => overflows = Some(kind),
            }
        }
        // It chooses again when it fires.
        firing.watches = false;
        match (firing.choose_before_creating(self), overflows) {
            (Ok(()), None) => Ok(true),
            (Err(kinds), _) if kinds.contains(&"NothingToChoose") => Ok(false),
            _ => Err("Overflow"),
        }
    }

    /// How many links each entity has at each end, and that acyclic edges are.
    fn in_bounds(&self, schema: &Schema) -> Result<(), Kinds> {
        let mut wrong = Vec::new();
        for (edge, def) in schema.edges.iter().enumerate() {
            let edge = EdgeIx::new(edge as u16);
            for (forward, end) in [(true, &def.from), (false, &def.to)] {
                for slot in self.living(end.entity) {
                    let n = self.list(Hop { edge, forward }, slot).len();
                    let fits = match end.cardinality {
                        Cardinality::One => n == 1,
                        Cardinality::Option => n <= 1,
                        Cardinality::Many => {
                            n >= end.min as usize && end.max.is_none_or(|max| n <= max as usize)
                        }
                    };
                    if !fits {
                        wrong.push("Cardinality");
                    }
                }
            }
            if def.acyclic
                && self
                    .living(def.from.entity)
                    .iter()
                    .any(|s| self.leads_back(edge, *s))
            {
                wrong.push("Cycle");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn leads_back(&self, edge: EdgeIx, start: u32) -> bool {
        let forward = Hop {
            edge,
            forward: true,
        };
        let mut reached: Vec<u32> = self.list(forward, start).to_vec();
        let mut i = 0;
        while i < reached.len() {
            let more = self.list(forward, reached[i]).to_vec();
            i += 1;
            for slot in more {
                if !reached.contains(&slot) {
                    reached.push(slot);
                }
            }
        }
        reached.contains(&start)
    }

    /// Whether all invariants hold of all entities.
    pub fn invariants_hold(&self, schema: &Schema) -> bool {
        schema.invariants.iter().all(|def| {
            let rule = Rule::read(&def.check);
            let slots = self.living(def.entity);
            slots.into_iter().all(|slot| {
                let own = self.state(def.entity, slot);
                let within = |set: &u64, state: StateIx| set >> state.get() & 1 == 1;
                match &rule {
                    Rule::Below(column, limit) => {
                        let values = &self
                            .row(def.entity, slot)
                            .expect("the entity is alive")
                            .values;
                        values[column] < Val::U(*limit)
                    }
                    Rule::Links(states, hop, max) => {
                        !within(states, own) || self.list(*hop, slot).len() <= *max
                    }
                    Rule::Far(states, hop, all, there) => {
                        let entity = far(schema, *hop);
                        let list = self.list(*hop, slot);
                        let every = list.iter().all(|s| within(there, self.state(entity, *s)));
                        !within(states, own) || *all == every
                    }
                }
            })
        })
    }
}
