//! Random graphs are carried over to randomly changed schemas, and compared with what plain maps of names give.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::error::Inconsistency;
use crate::base::hash::{cell_term, hash_bytes, link_data_term, link_term, salt, state_term};
use crate::base::id::Id;
use crate::graph::Journal;
use crate::graph::column::ColumnTypes;
use crate::graph::paged::Paged;
use crate::graph::storage::Flat;
use crate::schema::{Cardinality, ColumnDef, EdgeDef, EndDef, EntityDef, Hop, StateDef};

#[path = "../../../tests/harness/random.rs"]
mod random;
mod schemas;
mod values;

use random::Random;
use schemas::{Names, changed, graph, renamed, schema};

/// A text that names something: `Bed`, `Bed.Free`, `Bed.number`.
type Path = String;

/// All that a graph has, by names.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    /// By type, the generation of each slot and the state of the entity there.
    slots: BTreeMap<Path, Vec<(u32, Option<String>)>>,
    /// By type, the slots that are used next, the first one last.
    free: BTreeMap<Path, Vec<u32>>,
    /// By column and slot, the encoding of the value.
    values: BTreeMap<(Path, u32), Vec<u8>>,
    /// By the end of an edge and slot, the slots in the list there.
    lists: BTreeMap<(Path, u32), Vec<u32>>,
    /// By declaring end and slots, the encoding of the data.
    data: BTreeMap<(Path, u32, u32), Vec<u8>>,
}

fn column_path(schema: &Schema, def: &ColumnDef) -> Path {
    let entity = &schema[def.entity];
    match def.state {
        None => format!("{}.{}", entity.name, def.name),
        Some(state) => format!("{}.{}.{}", entity.name, entity[state].name, def.name),
    }
}

fn end_path(schema: &Schema, end: &EndDef) -> Path {
    format!("{}.{}", schema[end.entity].name, end.name)
}

impl Content {
    fn of<S: Storage>(graph: &Graph<S>) -> Self {
        let schema = &graph.layout.schema;
        let mut content = Self::default();
        for ix in EntityIx::all(schema.entities.len()) {
            let def = &schema[ix];
            let slot = |slot| {
                let alive = graph.is_alive(ix, slot);
                let state = alive.then(|| def[graph.state_of(ix, slot)].name.clone());
                (graph.id(ix, slot).generation, state)
            };
            let slots = (0..graph.slots(ix)).map(slot).collect();
            content.slots.insert(def.name.clone(), slots);
            let free = &graph.entities[usize::from(ix)].free;
            let free = (0..free.len()).map(|i| *free.at(i)).collect();
            content.free.insert(def.name.clone(), free);
        }
        for ix in ColumnIx::all(schema.columns.len()) {
            let def = &schema[ix];
            for slot in graph.living(def.entity) {
                if let Some(value) = graph.column(ix).encoded(slot) {
                    content
                        .values
                        .insert((column_path(schema, def), slot), value);
                }
            }
        }
        for edge in EdgeIx::all(schema.edges.len()) {
            let def = &schema[edge];
            for forward in [true, false] {
                let end = def.near(forward);
                for slot in graph.living(end.entity) {
                    let list = graph.links(Hop { edge, forward }, slot).to_vec();
                    for other in list.iter().filter(|_| forward) {
                        let value = graph.link_row(edge, slot, *other);
                        if let Some(value) = value.and_then(|(data, row)| data.encoded(row)) {
                            let key = (end_path(schema, end), slot, *other);
                            content.data.insert(key, value);
                        }
                    }
                    if !list.is_empty() {
                        content.lists.insert((end_path(schema, end), slot), list);
                    }
                }
            }
        }
        content
    }

    fn id(&self, entity: &str, slot: u32) -> Id {
        let generation = self.slots[entity][slot as usize].0;
        Id { slot, generation }
    }

    /// The sum of the terms of all that there is, by `docs/log-format.md`.
    fn fingerprint(&self, schema: &Schema) -> u128 {
        let mut sum = 0u128;
        for (entity, slots) in &self.slots {
            for (slot, (_, state)) in (0..).zip(slots) {
                if let Some(state) = state {
                    let salt = salt(&format!("{entity}: {state}"));
                    sum = sum.wrapping_add(state_term(salt, self.id(entity, slot)));
                }
            }
        }
        for ((path, slot), value) in &self.values {
            let entity = path.split('.').next().unwrap_or_default();
            let id = self.id(entity, *slot);
            sum = sum.wrapping_add(cell_term(salt(path), id, hash_bytes(value)));
        }
        for def in &schema.edges {
            let path = end_path(schema, &def.from);
            let [from, to] = [&def.from, &def.to].map(|end| &schema[end.entity].name);
            for ((end, a), list) in &self.lists {
                for b in list.iter().filter(|_| *end == path) {
                    let (a, b) = (self.id(from, *a), self.id(to, *b));
                    sum = sum.wrapping_add(link_term(salt(&path), a, b));
                }
            }
            for ((end, a, b), value) in &self.data {
                if *end == path {
                    let (a, b) = (self.id(from, *a), self.id(to, *b));
                    let hash = hash_bytes(value);
                    sum = sum.wrapping_add(link_data_term(salt(&path), a, b, hash));
                }
            }
        }
        sum
    }

    /// What is left of this content in a schema; `was` is the schema that it has. An error says that two keys are equal.
    fn carried(&self, was: &Schema, now: &Schema) -> Result<Self, ()> {
        let mut new = Self::default();
        for def in &now.entities {
            let state = |name: &String| {
                let kept = def.states.iter().any(|state| state.name == *name);
                let state = if kept { name } else { &def[def.initial].name };
                state.clone()
            };
            let old = self.slots.get(&def.name).cloned().unwrap_or_default();
            let slots = old
                .iter()
                .map(|(n, s)| (*n, s.as_ref().map(state)))
                .collect();
            new.slots.insert(def.name.clone(), slots);
            let free = self.free.get(&def.name).cloned().unwrap_or_default();
            new.free.insert(def.name.clone(), free);
        }
        for def in &now.columns {
            let (path, entity) = (column_path(now, def), &now[def.entity].name);
            let old = was.columns.iter().find(|old| column_path(was, old) == path);
            let encoding = def.encoding.as_ref();
            let old = old.filter(|old| can_read((now, encoding), (was, old.encoding.as_ref())));
            for (slot, (_, state)) in (0..).zip(&new.slots[entity]) {
                let value = self
                    .values
                    .get(&(path.clone(), slot))
                    .filter(|_| old.is_some());
                let value = value.cloned().or_else(|| zero_of(def));
                if let Some(value) = value.filter(|_| state.is_some()) {
                    new.values.insert((path.clone(), slot), value);
                }
            }
        }
        for entity in &now.entities {
            let of = |def: &&ColumnDef| def.key && now[def.entity].name == entity.name;
            let key: Vec<Path> = (now.columns.iter().filter(of))
                .map(|def| column_path(now, def))
                .collect();
            let mut seen = BTreeSet::new();
            for slot in 0..new.slots[&entity.name].len() as u32 {
                let parts = key.iter().map(|path| new.values.get(&(path.clone(), slot)));
                let parts: Option<Vec<_>> = parts.collect();
                if parts.is_some_and(|parts| !parts.is_empty() && !seen.insert(parts)) {
                    return Err(());
                }
            }
        }
        for def in &now.edges {
            self.carry_links(was, (now, def), &mut new);
        }
        Ok(new)
    }

    fn carry_links(&self, was: &Schema, (now, def): (&Schema, &EdgeDef), new: &mut Self) {
        let (from, to) = (end_path(now, &def.from), end_path(now, &def.to));
        let mut old = was.edges.iter().filter(|old| {
            end_path(was, &old.from) == from && was[old.to.entity].name == now[def.to.entity].name
        });
        let Some(old) = old.next() else { return };
        let data = old.data.is_some()
            && def.data.is_some()
            && can_read((now, def.encoding.as_ref()), (was, old.encoding.as_ref()));
        let one = |end: &EndDef| end.cardinality != Cardinality::Many;
        let (mut kept, mut ends) = (BTreeSet::new(), BTreeSet::new());
        for ((_, a), list) in self.lists.iter().filter(|((end, _), _)| *end == from) {
            for b in list {
                let full = one(&def.from) && ends.contains(&(true, *a))
                    || one(&def.to) && ends.contains(&(false, *b));
                if !full {
                    kept.insert((*a, *b));
                    ends.extend([(true, *a), (false, *b)]);
                }
            }
        }
        let far = end_path(was, &old.to);
        for ((end, slot), list) in &self.lists {
            let list = |is_kept: &dyn Fn(u32) -> bool| -> Vec<u32> {
                list.iter()
                    .copied()
                    .filter(|other| is_kept(*other))
                    .collect()
            };
            // The two ends of an edge have different names.
            let (path, list) = if *end == from {
                (&from, list(&|other| kept.contains(&(*slot, other))))
            } else if *end == far {
                (&to, list(&|other| kept.contains(&(other, *slot))))
            } else {
                continue;
            };
            if !list.is_empty() {
                new.lists.insert((path.clone(), *slot), list);
            }
        }
        for ((end, a, b), value) in &self.data {
            if data && *end == from && kept.contains(&(*a, *b)) {
                new.data.insert((from.clone(), *a, *b), value.clone());
            }
        }
    }
}

fn can_read(
    (now, new): (&Schema, Option<&Encoding>),
    (was, old): (&Schema, Option<&Encoding>),
) -> bool {
    use Encoding::{Id, List, Option as Maybe};
    match (new, old) {
        (Some(Id(new)), Some(Id(old))) => now[*new].name == was[*old].name,
        (Some(Maybe(new)), Some(Maybe(old))) | (Some(List(new)), Some(List(old))) => {
            can_read((now, Some(new)), (was, Some(old)))
        }
        (Some(Maybe(new)), old) => can_read((now, Some(new)), (was, old)),
        (Some(new), Some(old)) => new.reads(old),
        _ => true,
    }
}

/// What an entity has in a column until it is set, if that is not nothing.
fn zero_of(def: &ColumnDef) -> Option<Vec<u8>> {
    let optional = def.state.is_some() || def.key || def.index.is_some();
    match def.encoding.as_ref().filter(|_| !optional)? {
        Encoding::Bool => Some(vec![0xf4]),
        Encoding::U8 | Encoding::U16 | Encoding::U32 | Encoding::U64 | Encoding::I64 => {
            Some(vec![0])
        }
        Encoding::Timestamp => Some(vec![0]),
        _ => None,
    }
}

/// What of the check is not the work of carrying over: values and links that the new schema demands.
fn is_demand(wrong: &Inconsistency, graph: &Graph<Flat>) -> bool {
    let has_no_key = || {
        let who = wrong.entity.as_ref()?;
        let entities = &graph.layout.schema.entities;
        let at = entities.iter().position(|def| *def.name == *who.entity)?;
        let entity = EntityIx::try_from(at).ok()?;
        Some(graph.key_hash(entity, who.id.slot).is_none())
    };
    match &*wrong.what {
        "its key in the index" => has_no_key() == Some(true),
        what => {
            wrong.found == "no entry" && !what.contains("state")
                || what.starts_with("the number of links at")
                || what.starts_with("the number of indexed keys")
                || what.starts_with("the immediate event")
        }
    }
}

#[test]
fn a_graph_keeps_what_the_other_schema_has_by_name() {
    let (mut refused, mut carried) = (0, 0);
    for seed in 0..3_000 {
        let (random, names) = (&mut Random(seed), &mut Names(0));
        let was = schema(random, names);
        let graph = graph(random, &was);
        assert_eq!(graph.differences(&Journal::default()), []);
        // The names of now, and then the other changes.
        let named = renamed(random, names, &was);
        let adds = random.chance(50);
        let now = changed(random, names, &named, adds);
        let map = CarryMap::by_name(&named, &now);
        let ColumnTypes { columns, data } = ColumnTypes::of_log(&now);
        let layout = if random.chance(50) {
            Layout::new(now.clone(), &[])
        } else {
            Layout::of_facts(now.clone())
        };
        let found = graph.carried_over(&layout, (&columns, &data), &map);
        let before = Content::of(&graph).with_names(&was, &named);
        let expected = before.carried(&named, &now);
        let (Ok(found), Ok(expected)) = (&found, &expected) else {
            assert!(found.is_err() && expected.is_err(), "seed {seed}");
            refused += 1;
            continue;
        };
        carried += 1;
        assert_eq!(Content::of(found), *expected, "seed {seed}");
        assert_eq!(found.fingerprint, expected.fingerprint(&now), "seed {seed}");
        let wrong = found.differences(&Journal::default()).into_iter();
        let wrong: Vec<_> = wrong.filter(|wrong| !is_demand(wrong, found)).collect();
        assert_eq!(wrong, [], "seed {seed}");
        let ColumnTypes {
            columns: old_columns,
            data: old_data,
        } = ColumnTypes::of_log(&was);
        let paged: Graph<Paged> = graph.copy(&old_columns, &old_data);
        let paged = paged.carried_over(&layout, (&columns, &data), &map);
        let paged = paged.expect("as the other storage");
        assert_eq!(Content::of(&paged), *expected, "seed {seed}");
        assert_eq!(paged.fingerprint, found.fingerprint, "seed {seed}");
    }
    assert!(refused > 20 && carried > 2_000, "{refused} of {carried}");
}

impl Content {
    /// The same content under the names of another schema with the same indexes.
    fn with_names(self, was: &Schema, now: &Schema) -> Self {
        let mut paths = BTreeMap::new();
        let mut pair = |a: Path, b: Path| paths.insert(a, b);
        for (a, b) in was.entities.iter().zip(&now.entities) {
            pair(a.name.clone(), b.name.clone());
        }
        for (a, b) in was.columns.iter().zip(&now.columns) {
            pair(column_path(was, a), column_path(now, b));
        }
        for (a, b) in was.edges.iter().zip(&now.edges) {
            pair(end_path(was, &a.from), end_path(now, &b.from));
            pair(end_path(was, &a.to), end_path(now, &b.to));
        }
        let states: BTreeMap<&String, &String> = (was.entities.iter().zip(&now.entities))
            .flat_map(|(a, b)| a.states.iter().zip(&b.states))
            .map(|(a, b)| (&a.name, &b.name))
            .collect();
        let state =
            |(n, state): (u32, Option<String>)| (n, state.map(|name| states[&name].clone()));
        let slots = |slots: Vec<_>| slots.into_iter().map(state).collect();
        let at = |path: Path| paths[&path].clone();
        Self {
            slots: (self.slots.into_iter())
                .map(|(k, v)| (at(k), slots(v)))
                .collect(),
            free: self.free.into_iter().map(|(k, v)| (at(k), v)).collect(),
            values: (self.values.into_iter())
                .map(|((k, s), v)| ((at(k), s), v))
                .collect(),
            lists: (self.lists.into_iter())
                .map(|((k, s), v)| ((at(k), s), v))
                .collect(),
            data: (self.data.into_iter())
                .map(|((k, a, b), v)| ((at(k), a, b), v))
                .collect(),
        }
    }
}

#[test]
fn a_value_that_cannot_be_read_or_a_key_of_two_entities_is_named() {
    let schema = |encoding, key| Schema {
        entities: vec![EntityDef {
            name: "Bed".into(),
            states: vec![StateDef::default()],
            ..EntityDef::default()
        }],
        columns: vec![ColumnDef {
            name: "number".into(),
            encoding,
            key,
            ..ColumnDef::default()
        }],
        ..Schema::default()
    };
    let was = schema(None, false);
    let ColumnTypes { columns, data } = ColumnTypes::of_log(&was);
    let mut graph: Graph<Flat> = Graph::new(Layout::new(was.clone(), &[]), &columns, &data);
    let journal = &mut Journal::default();
    for _ in 0..2 {
        let slot = graph
            .create(journal, EntityIx::new(0), StateIx::new(0))
            .expect("room");
        graph
            .set_encoded(journal, ColumnIx::new(0), slot, &[0x61, b'a'])
            .expect("a text");
    }
    graph.commit(journal);
    let refused = |now: Schema| {
        let ColumnTypes { columns, data } = ColumnTypes::of_log(&now);
        let map = CarryMap::by_name(&was, &now);
        let carried = graph.carried_over(&Layout::new(now, &[]), (&columns, &data), &map);
        carried.err().expect("it is refused").to_string()
    };
    let error = refused(schema(Some(Encoding::U8), false));
    let expected = "Bed.number of Bed/0.1 cannot be carried over: its value cannot be read: ";
    assert!(error.starts_with(expected), "{error}");
    let error = refused(schema(Some(Encoding::Text), true));
    assert_eq!(
        error,
        "Bed.number of Bed/1.1 cannot be carried over: Bed/0.1 has the same key"
    );
}
