//! The checks of the stored data that changes of the model depend on.

use std::collections::{HashMap, HashSet};

use crate::base::cbor::NULL;
use crate::graph::Graph;
use crate::graph::column::ColumnType;
use crate::graph::storage::Flat;
use crate::schema::{
    Cardinality, Check, ColumnDef, ColumnIx, EdgeIx, EntityIx, Hop, Item, Schema, Usage,
};
use crate::step::plan::Plan;

/// The data of a store, and the model that is to continue it. A logged schema may be large, so each item is found by a map.
pub(super) struct Judge<'a> {
    graph: &'a Graph<Flat>,
    /// The schema of the graph, with the names that the model gives to its items.
    named: &'a Schema,
    names: Names<'a>,
    /// The model.
    program: &'a Plan,
    program_names: Names<'a>,
    /// The answers that other differences ask for again.
    known: HashMap<String, Usage>,
}

/// The items of a schema by their names.
struct Names<'s> {
    entities: HashMap<&'s str, EntityIx>,
    columns: HashMap<(&'s str, Option<&'s str>, &'s str), ColumnIx>,
    /// The key of each entity type.
    keys: HashMap<EntityIx, Vec<ColumnIx>>,
    ends: HashMap<String, Hop>,
}

impl<'s> Names<'s> {
    fn of(schema: &'s Schema) -> Self {
        let entities = EntityIx::all(schema.entities.len()).zip(&schema.entities);
        let columns = || ColumnIx::all(schema.columns.len()).zip(&schema.columns);
        let mut keys = HashMap::<_, Vec<_>>::new();
        for (column, def) in columns().filter(|(_, def)| def.key) {
            keys.entry(def.entity).or_default().push(column);
        }
        let path = |def: &'s ColumnDef| {
            let of = &schema[def.entity];
            let state = def.state.map(|state| of[state].name.as_str());
            (of.name.as_str(), state, def.name.as_str())
        };
        let edges = EdgeIx::all(schema.edges.len()).zip(&schema.edges);
        let ends = edges.flat_map(|(edge, def)| {
            [(true, &def.from), (false, &def.to)]
                .map(|(forward, end)| (schema.end_path(end), Hop { edge, forward }))
        });
        Self {
            entities: entities.map(|(ix, def)| (def.name.as_str(), ix)).collect(),
            columns: columns().map(|(ix, def)| (path(def), ix)).collect(),
            keys,
            ends: ends.collect(),
        }
    }

    fn column(&self, item: &Item) -> Option<ColumnIx> {
        let (entity, state, name) = match item {
            Item::Field { entity, name, .. } => (entity, None, name),
            Item::Data {
                entity,
                state,
                name,
                ..
            } => (entity, Some(state.as_str()), name),
            _ => return None,
        };
        self.columns.get(&(&**entity, state, &**name)).copied()
    }

    /// Returns the edge that an item names by its declaring end.
    fn edge(&self, item: &Item) -> Option<EdgeIx> {
        let Item::Edge { from, .. } = item else {
            return None;
        };
        let hop = self.ends.get(from)?;
        hop.forward.then_some(hop.edge)
    }
}

impl<'a> Judge<'a> {
    /// Returns a judge of the data in a graph. `named` has the indexes of its schema, and the names of the program.
    pub(super) fn new(graph: &'a Graph<Flat>, named: &'a Schema, program: &'a Plan) -> Self {
        Self {
            names: Names::of(named),
            program_names: Names::of(&program.layout.schema),
            known: HashMap::new(),
            graph,
            named,
            program,
        }
    }

    /// Returns how much of the data fails a check. Invariants need the graph of the model, so none fails here.
    pub(super) fn usage(&mut self, check: &Check) -> Usage {
        let found = match check {
            Check::NoEntity(entity) => self.entities(entity, |_, _| true),
            Check::NoneIn { entity, state } => self.none_in(entity, state),
            Check::NoValue(item) => self.values(item),
            Check::NoLink(item) => self.links(item),
            Check::UniqueKeys(entity) => match self.known.get(entity) {
                Some(known) => Some(known.clone()),
                None => {
                    let found = self.equal_keys(entity).unwrap_or_default();
                    self.known.insert(entity.clone(), found.clone());
                    Some(found)
                }
            },
            Check::Links { end, .. } => self.other_numbers(end),
            Check::NoCycle(item) => self.cycles(item),
            Check::Readable { item, .. } => self.unreadable(item),
            _ => None,
        };
        found.unwrap_or_default()
    }

    /// Counts entities, each by its slot.
    fn count(&self, entity: EntityIx, mut slots: impl Iterator<Item = u32>) -> Usage {
        let Some(first) = slots.next() else {
            return Usage::default();
        };
        Usage {
            count: 1 + slots.count() as u64,
            first: Some(self.graph.named(entity, first).to_string()),
        }
    }

    fn entity(&self, name: &str) -> Option<EntityIx> {
        self.names.entities.get(name).copied()
    }

    fn entities(&self, name: &str, is: impl Fn(EntityIx, u32) -> bool) -> Option<Usage> {
        let entity = self.entity(name)?;
        let slots = self.graph.living(entity);
        Some(self.count(entity, slots.filter(|slot| is(entity, *slot))))
    }

    fn none_in(&self, entity: &str, state: &str) -> Option<Usage> {
        let state = self.named[self.entity(entity)?].state(state)?;
        self.entities(entity, |ix, slot| self.graph.state_of(ix, slot) == state)
    }

    fn column(&self, item: &Item) -> Option<(ColumnIx, &ColumnDef)> {
        let column = self.names.column(item)?;
        Some((column, &self.named[column]))
    }

    fn edge(&self, item: &Item) -> Option<EdgeIx> {
        self.names.edge(item)
    }

    fn values(&self, item: &Item) -> Option<Usage> {
        let (column, def) = self.column(item)?;
        let cells = self.graph.column(column);
        let has = |slot: &u32| cells.encoded(*slot).is_some_and(|value| *value != [NULL]);
        Some(self.count(def.entity, self.graph.living(def.entity).filter(has)))
    }

    fn links(&self, item: &Item) -> Option<Usage> {
        let edge = self.edge(item)?;
        let forward = true;
        let near = self.named[edge].from.entity;
        let linked = (self.graph.living(near))
            .flat_map(|slot| vec![slot; self.graph.degree(Hop { edge, forward }, slot)]);
        Some(self.count(near, linked))
    }

    /// The entities with a key that an entity before them has, by the key that the model has.
    fn equal_keys(&self, name: &str) -> Option<Usage> {
        let entity = self.entity(name)?;
        let ours = &self.program.layout.schema;
        let key = (self.program_names.keys).get(self.program_names.entities.get(name)?)?;
        let part = |column: &ColumnIx| {
            let path = (name, None, ours[*column].name.as_str());
            self.names.columns.get(&path).copied()
        };
        let parts = key.iter().map(part);
        // A part that the data does not have is refused for itself.
        let parts: Vec<ColumnIx> = parts.collect::<Option<_>>()?;
        let mut seen = HashSet::new();
        let again = |slot: &u32| {
            let part = |column: &ColumnIx| self.graph.column(*column).encoded(*slot);
            !seen.insert(parts.iter().map(part).collect::<Vec<_>>())
        };
        Some(self.count(entity, self.graph.living(entity).filter(again)))
    }

    /// The entities with a number of links that the model does not permit at an end.
    fn other_numbers(&self, end: &str) -> Option<Usage> {
        let hop = *self.names.ends.get(end)?;
        let ours = &self.program.layout.schema;
        let there = *self.program_names.ends.get(end)?;
        let now = ours[there.edge].near(there.forward);
        let (min, max) = match now.cardinality {
            Cardinality::One => (now.min.max(1), Some(1)),
            Cardinality::Option => (now.min, Some(1)),
            Cardinality::Many => (now.min, now.max),
        };
        let near = self.named[hop.edge].near(hop.forward).entity;
        let is_other = |slot: &u32| {
            let links = self.graph.degree(hop, *slot);
            links < min as usize || max.is_some_and(|max| links > max as usize)
        };
        Some(self.count(near, self.graph.living(near).filter(is_other)))
    }

    /// The links that are part of a cycle.
    fn cycles(&self, item: &Item) -> Option<Usage> {
        let edge = self.edge(item)?;
        let near = self.named[edge].from.entity;
        let forward = true;
        let far = |slot: u32| self.graph.links(Hop { edge, forward }, slot);
        let components = components(self.graph.slots(near), |slot, at| {
            far(slot).get(at).copied()
        });
        let component = |slot: u32| components.get(slot as usize);
        let cyclic = self.graph.living(near).flat_map(|slot| {
            let back = (far(slot).iter()).filter(|other| component(**other) == component(slot));
            vec![slot; back.count()]
        });
        Some(self.count(near, cyclic))
    }

    /// The values that the type in the model does not read.
    fn unreadable(&self, item: &Item) -> Option<Usage> {
        let program = self.program;
        if let Some(edge) = self.edge(item) {
            let now = self.program_names.edge(item)?;
            let ty = program.columns.data.get(usize::from(now))?.as_ref()?;
            let mut reader = Reader::new(ty);
            let near = self.named[edge].from.entity;
            let forward = true;
            let unread = self.graph.living(near).flat_map(|slot| {
                let far = self.graph.links(Hop { edge, forward }, slot);
                let mut fails = |other: &u32| {
                    let value = self.graph.link_row(edge, slot, *other);
                    let value = value.and_then(|(cells, row)| cells.encoded(row));
                    value.is_some_and(|value| !reader.reads(&value))
                };
                let failed = far.iter().filter(|other| fails(other)).count();
                vec![slot; failed]
            });
            return Some(self.count(near, unread));
        }
        let (column, def) = self.column(item)?;
        let now = self.program_names.column(item)?;
        let mut reader = Reader::new(program.columns.columns.get(usize::from(now))?);
        let cells = self.graph.column(column);
        let mut fails = |slot: &u32| {
            let value = cells.encoded(*slot);
            value.is_some_and(|value| !reader.reads(&value))
        };
        let slots = self.graph.living(def.entity);
        Some(self.count(def.entity, slots.filter(|slot| fails(slot))))
    }
}

/// Reads values as those of a type.
struct Reader {
    cell: Box<dyn crate::graph::column::AnyColumn>,
    scratch: Vec<u8>,
}

impl Reader {
    fn new(ty: &ColumnType) -> Self {
        let mut cell = (ty.flat)(ty.equal);
        cell.grow();
        Self {
            cell,
            scratch: Vec::new(),
        }
    }

    fn reads(&mut self, value: &[u8]) -> bool {
        self.scratch.clear();
        let read = self.cell.set_encoded(0, value, &mut self.scratch).is_ok();
        let _ = self.cell.clear(0);
        self.cell.forget_replaced();
        read
    }
}

/// Returns a number for each node of a graph, equal for two nodes if each can be reached from the other. A node that reaches
/// itself only by a link to itself has the number of that link's end, which is its own. O(nodes + links), by Tarjan.
fn components(nodes: u32, next: impl Fn(u32, usize) -> Option<u32>) -> Vec<u32> {
    const UNSEEN: u32 = u32::MAX;
    let n = nodes as usize;
    let (mut index, mut low, mut component) = (vec![UNSEEN; n], vec![0; n], vec![UNSEEN; n]);
    let (mut stack, mut calls, mut seen) = (Vec::new(), Vec::new(), 0u32);
    for root in 0..nodes {
        if index[root as usize] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, at)) = calls.pop() {
            let i = node as usize;
            if at == 0 {
                (index[i], low[i]) = (seen, seen);
                seen += 1;
                stack.push(node);
            }
            match next(node, at) {
                Some(other) => {
                    calls.push((node, at + 1));
                    let o = other as usize;
                    if index[o] == UNSEEN {
                        calls.push((other, 0));
                    } else if component[o] == UNSEEN {
                        low[i] = low[i].min(index[o]);
                    }
                }
                None => {
                    if low[i] == index[i] {
                        while let Some(member) = stack.pop() {
                            component[member as usize] = node;
                            if member == node {
                                break;
                            }
                        }
                    }
                    if let Some((caller, _)) = calls.last() {
                        let c = *caller as usize;
                        low[c] = low[c].min(low[i]);
                    }
                }
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn nodes_of_one_cycle_are_one_component() {
        // 0 -> 1 -> 2 -> 0, 2 -> 3 -> 4 -> 3, 5
        let links: [&[u32]; 6] = [&[1], &[2], &[0, 3], &[4], &[3], &[]];
        let found = components(6, |node, at| links[node as usize].get(at).copied());
        let same = |a: usize, b: usize| found[a] == found[b];
        assert!(same(0, 1) && same(1, 2) && same(3, 4));
        assert!(!same(2, 3) && !same(4, 5) && !same(0, 5));
    }
}
