//! The oracle's graph: plain lists and maps, searched from one end to the other.

use std::collections::BTreeMap;

use ironweave::schema::{
    Cardinality, ColumnIx, EdgeDef, EdgeIx, EndDef, EntityIx, Hop, Schema, StateIx,
};

use crate::planted::Bug;
use crate::values::Val;

/// Slot and generation.
pub type Oid = (u32, u32);

/// Names of variants of `StepError`, one of which a rejection must be.
pub type Kinds = Vec<&'static str>;

/// An entity that there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub state: StateIx,
    /// By column.
    pub values: BTreeMap<ColumnIx, Val>,
}

/// A slot: its last generation, and who is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub generation: u32,
    pub row: Option<Row>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub slots: Vec<Slot>,
    /// Slots without an entity, the one that was freed last at the end.
    pub free: Vec<u32>,
}

/// The links of one edge: a list at each end, by slot, and the data by pair (declaring end, inverse end).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    pub forward: BTreeMap<u32, Vec<u32>>,
    pub backward: BTreeMap<u32, Vec<u32>>,
    pub data: BTreeMap<(u32, u32), Val>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub tables: Vec<Table>,
    pub edges: Vec<Links>,
    /// Links that were removed and are still counted, if [`Bug::CounterMissedOnUnlink`] is planted.
    pub still_counted: Vec<(Hop, u32, u32)>,
}

/// The end of an edge that a hop leaves from, and the one that it comes to.
pub fn ends(edge: &EdgeDef, forward: bool) -> (&EndDef, &EndDef) {
    if forward {
        (&edge.from, &edge.to)
    } else {
        (&edge.to, &edge.from)
    }
}

/// The type of the entities that a hop comes to.
pub fn far(schema: &Schema, hop: Hop) -> EntityIx {
    ends(&schema.edges[usize::from(hop.edge)], hop.forward)
        .1
        .entity
}

/// A pair as (declaring end, inverse end).
pub fn pair(hop: Hop, near: u32, far: u32) -> (u32, u32) {
    if hop.forward {
        (near, far)
    } else {
        (far, near)
    }
}

fn take_out(lists: &mut BTreeMap<u32, Vec<u32>>, of: u32, member: u32) {
    let list = lists.entry(of).or_default();
    let at = list.iter().position(|m| *m == member);
    // The last fills the hole.
    list.swap_remove(at.expect("both directions are the same"));
}

impl World {
    pub fn new(schema: &Schema) -> Self {
        Self {
            tables: schema.entities.iter().map(|_| Table::default()).collect(),
            edges: schema.edges.iter().map(|_| Links::default()).collect(),
            still_counted: Vec::new(),
        }
    }

    pub fn row(&self, entity: EntityIx, slot: u32) -> Option<&Row> {
        self.tables[usize::from(entity)]
            .slots
            .get(slot as usize)?
            .row
            .as_ref()
    }

    pub fn row_mut(&mut self, entity: EntityIx, slot: u32) -> &mut Row {
        let slot = &mut self.tables[usize::from(entity)].slots[slot as usize];
        slot.row.as_mut().expect("an entity is there")
    }

    pub fn state(&self, entity: EntityIx, slot: u32) -> StateIx {
        self.row(entity, slot).expect("an entity is there").state
    }

    pub fn oid(&self, entity: EntityIx, slot: u32) -> Oid {
        (
            slot,
            self.tables[usize::from(entity)].slots[slot as usize].generation,
        )
    }

    pub fn alive(&self, entity: EntityIx, (slot, generation): Oid) -> bool {
        let slot = self.tables[usize::from(entity)].slots.get(slot as usize);
        slot.is_some_and(|s| s.row.is_some() && s.generation == generation)
    }

    /// The slots of all entities of a type, in order.
    pub fn living(&self, entity: EntityIx) -> Vec<u32> {
        let slots = self.tables[usize::from(entity)].slots.iter().enumerate();
        slots
            .filter(|(_, s)| s.row.is_some())
            .map(|(i, _)| i as u32)
            .collect()
    }

    pub fn population(&self) -> usize {
        (0..self.tables.len())
            .map(|e| self.living(EntityIx::new(e as u16)).len())
            .sum()
    }

    /// The id that the next entity of a type has.
    pub fn next(&self, entity: EntityIx) -> Oid {
        let table = &self.tables[usize::from(entity)];
        match table.free.last() {
            Some(slot) => (*slot, table.slots[*slot as usize].generation + 1),
            None => (table.slots.len() as u32, 1),
        }
    }

    pub fn create(&mut self, entity: EntityIx, state: StateIx) -> u32 {
        let (slot, generation) = self.next(entity);
        let table = &mut self.tables[usize::from(entity)];
        let row = Some(Row {
            state,
            values: BTreeMap::new(),
        });
        if table.free.pop().is_some() {
            table.slots[slot as usize] = Slot { generation, row };
        } else {
            table.slots.push(Slot { generation, row });
        }
        slot
    }

    pub fn list(&self, hop: Hop, near: u32) -> &[u32] {
        let links = &self.edges[usize::from(hop.edge)];
        let lists = if hop.forward {
            &links.forward
        } else {
            &links.backward
        };
        lists.get(&near).map_or(&[], Vec::as_slice)
    }

    pub fn linked(&self, edge: EdgeIx, (from, to): (u32, u32)) -> bool {
        let forward = Hop {
            edge,
            forward: true,
        };
        self.list(forward, from).contains(&to)
    }

    pub fn link(
        &mut self,
        schema: &Schema,
        edge: EdgeIx,
        (from, to): (u32, u32),
    ) -> Result<(), Kinds> {
        if self.linked(edge, (from, to)) {
            return Err(vec!["AlreadyLinked"]);
        }
        for (forward, slot) in [(true, from), (false, to)] {
            let end = ends(&schema.edges[usize::from(edge)], forward).0;
            if end.cardinality != Cardinality::Many
                && !self.list(Hop { edge, forward }, slot).is_empty()
            {
                return Err(vec!["Cardinality"]);
            }
        }
        let links = &mut self.edges[usize::from(edge)];
        links.forward.entry(from).or_default().push(to);
        links.backward.entry(to).or_default().push(from);
        Ok(())
    }

    pub fn unlink(&mut self, edge: EdgeIx, (from, to): (u32, u32)) {
        if Bug::CounterMissedOnUnlink.is_planted() {
            for (forward, near, far) in [(true, from, to), (false, to, from)] {
                self.still_counted.push((Hop { edge, forward }, near, far));
            }
        }
        let links = &mut self.edges[usize::from(edge)];
        take_out(&mut links.forward, from, to);
        take_out(&mut links.backward, to, from);
        links.data.remove(&(from, to));
    }

    /// An end that holds one gives up the one it has.
    pub fn make_way(&mut self, schema: &Schema, edge: EdgeIx, (from, to): (u32, u32)) {
        let def = &schema.edges[usize::from(edge)];
        for (end, forward, slot) in [(&def.from, true, from), (&def.to, false, to)] {
            let hop = Hop { edge, forward };
            if end.cardinality != Cardinality::Many {
                for far in self.list(hop, slot).to_vec() {
                    self.unlink(edge, pair(hop, slot, far));
                }
            }
        }
    }

    /// Gives a link data, where there is some.
    pub fn give(&mut self, edge: EdgeIx, ends: (u32, u32), data: Option<&Val>) {
        if let Some(data) = data {
            let links = &mut self.edges[usize::from(edge)];
            links.data.insert(ends, data.clone());
        }
    }

    /// The entity with a key.
    pub fn find(&self, schema: &Schema, entity: EntityIx, key: &[Val]) -> Option<u32> {
        let columns = keys(schema, entity);
        self.living(entity).into_iter().find(|slot| {
            let values = &self.row(entity, *slot).expect("the entity is alive").values;
            columns.iter().map(|c| &values[c]).eq(key)
        })
    }
}

/// The columns of the key of a type.
pub fn keys(schema: &Schema, entity: EntityIx) -> Vec<ColumnIx> {
    let columns = schema.columns.iter().enumerate();
    columns
        .filter(|(_, c)| c.entity == entity && c.key)
        .map(|(i, _)| ColumnIx::new(i as u16))
        .collect()
}

/// The columns of the fields of a type, or of the data of one of its states.
pub fn columns(schema: &Schema, entity: EntityIx, state: Option<StateIx>) -> Vec<ColumnIx> {
    let columns = schema.columns.iter().enumerate();
    columns
        .filter(|(_, c)| c.entity == entity && c.state == state)
        .map(|(i, _)| ColumnIx::new(i as u16))
        .collect()
}
