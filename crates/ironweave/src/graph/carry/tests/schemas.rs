//! Random schemas, graphs of them, and changes to them.

use std::collections::BTreeMap;

use super::Random;
use crate::graph::column::ColumnTypes;
use crate::graph::layout::Layout;
use crate::graph::storage::Flat;
use crate::graph::{Graph, Journal};
use crate::schema::{
    Cardinality, ColumnDef, ColumnIx, EdgeDef, EdgeIx, Encoding, EndDef, EntityDef, EntityIx, Hop,
    IndexKind, Schema, StateDef, StateIx,
};
use crate::value::encode;

/// An encoding in a schema that has so many entity types.
fn encoding(random: &mut Random, entities: usize) -> Option<Encoding> {
    let handle = |random: &mut Random| {
        let entity = EntityIx::try_from(random.below(entities)).expect("few");
        Encoding::Id(entity)
    };
    Some(match random.below(10) {
        0 => Encoding::Bool,
        1 => Encoding::U8,
        2 => Encoding::U32,
        3 => Encoding::I64,
        4 => Encoding::Text,
        5 => Encoding::Timestamp,
        6 => Encoding::Serde,
        7 => handle(random),
        8 => Encoding::List(Box::new(handle(random))),
        _ => return None,
    })
}

/// The encoding in a schema in which an entity type has the index `of`, and maybe that of another type.
fn in_schema(
    random: &mut Random,
    encoding: &Encoding,
    of: &impl Fn(EntityIx) -> Option<EntityIx>,
) -> Option<Encoding> {
    let mut boxed = |inner: &Encoding| Some(Box::new(in_schema(random, inner, of)?));
    Some(match encoding {
        Encoding::Option(inner) => Encoding::Option(boxed(inner)?),
        Encoding::List(inner) => Encoding::List(boxed(inner)?),
        Encoding::Id(entity) => {
            let other = of(EntityIx::new(0)).filter(|_| random.chance(10));
            Encoding::Id(other.or(of(*entity))?)
        }
        plain => plain.clone(),
    })
}

/// The encoding of a value, of which there are few.
fn value(random: &mut Random, encoding: Option<&Encoding>) -> Vec<u8> {
    let n = random.below(40) as u8;
    let id = |slot: u8| u64::from(slot) << 24 | 1;
    let mut bytes = Vec::new();
    match encoding {
        Some(Encoding::Bool) => encode(&(n.is_multiple_of(2)), &mut bytes),
        Some(Encoding::Text) => encode(&format!("t{n}"), &mut bytes),
        Some(Encoding::Serde) => encode(&(n, vec![n; 3]), &mut bytes),
        Some(Encoding::Id(_)) => encode(&id(n), &mut bytes),
        Some(Encoding::List(_)) => encode(&[id(n), id(n + 1)], &mut bytes),
        Some(Encoding::Option(of)) if n.is_multiple_of(2) => return value(random, Some(of)),
        Some(Encoding::Option(_)) => encode(&None::<u8>, &mut bytes),
        _ => encode(&n, &mut bytes),
    }
    .expect("a value");
    bytes
}

/// Gives each item a name of its own.
pub(super) struct Names(pub u32);

impl Names {
    fn next(&mut self, kind: &str) -> String {
        self.0 += 1;
        format!("{kind}{}", self.0)
    }
}

fn entity(random: &mut Random, names: &mut Names) -> EntityDef {
    let state = |name| StateDef {
        name,
        ..StateDef::default()
    };
    let states: Vec<StateDef> = (0..1 + random.below(3))
        .map(|_| state(names.next("S")))
        .collect();
    EntityDef {
        name: names.next("E"),
        initial: StateIx::new(random.below(states.len()) as u8),
        states,
        ..EntityDef::default()
    }
}

fn column(random: &mut Random, names: &mut Names, schema: &Schema) -> ColumnDef {
    let entity = EntityIx::try_from(random.below(schema.entities.len())).expect("few");
    let states = schema[entity].states.len();
    let state = (random.chance(30)).then(|| StateIx::new(random.below(states) as u8));
    // Several states may have data of one name.
    let data = format!("data{}", random.below(3));
    let is_new = |def: &&ColumnDef| (def.entity, def.state, &def.name) == (entity, state, &data);
    let is_new = !schema.columns.iter().any(|def| is_new(&def));
    let name = match state.is_some() && is_new {
        true => data,
        false => names.next("f"),
    };
    let indexes = [None, None, Some(IndexKind::Equal), Some(IndexKind::Ordered)];
    ColumnDef {
        entity,
        state,
        name,
        encoding: encoding(random, schema.entities.len()),
        key: state.is_none() && random.chance(15),
        index: indexes[random.below(4)].filter(|_| state.is_none()),
        ..ColumnDef::default()
    }
}

fn edge(random: &mut Random, names: &mut Names, schema: &Schema) -> EdgeDef {
    let entities = schema.entities.len();
    let mut end = |random: &mut Random| EndDef {
        entity: EntityIx::try_from(random.below(entities)).expect("few"),
        name: names.next("e"),
        cardinality: [Cardinality::Many, Cardinality::Many, Cardinality::Option][random.below(3)],
        counted: random.chance(30),
        ..EndDef::default()
    };
    let (from, to) = (end(random), end(random));
    let data = random.chance(40).then(|| "D".to_owned());
    EdgeDef {
        acyclic: from.entity == to.entity && random.chance(50),
        encoding: data.as_ref().and_then(|_| encoding(random, entities)),
        data,
        from,
        to,
        ..EdgeDef::default()
    }
}

pub(super) fn schema(random: &mut Random, names: &mut Names) -> Schema {
    let mut schema = Schema::default();
    for _ in 0..1 + random.below(3) {
        schema.entities.push(entity(random, names));
    }
    for _ in 0..random.below(9) {
        let column = column(random, names, &schema);
        schema.columns.push(column);
    }
    for _ in 0..random.below(5) {
        let edge = edge(random, names, &schema);
        schema.edges.push(edge);
    }
    schema
}

fn shuffle<T>(random: &mut Random, list: &mut [T]) {
    for i in (1..list.len()).rev() {
        list.swap(i, random.below(i + 1));
    }
}

fn wider(random: &mut Random, encoding: Option<Encoding>) -> Option<Encoding> {
    Some(match encoding? {
        Encoding::U8 => [Encoding::U32, Encoding::I64, Encoding::U64][random.below(3)].clone(),
        Encoding::U32 => Encoding::U64,
        // The values are small, but the encoding does not say so.
        Encoding::I64 if random.chance(50) => Encoding::U8,
        other => Encoding::Option(Box::new(other)),
    })
}

/// Renames items of a schema.
pub(super) fn renamed(random: &mut Random, names: &mut Names, schema: &Schema) -> Schema {
    let mut new = schema.clone();
    let mut rename = |random: &mut Random, name: &mut String| {
        if random.chance(15) {
            *name = names.next(&name[..1]);
        }
    };
    for def in &mut new.entities {
        rename(random, &mut def.name);
        def.states
            .iter_mut()
            .for_each(|state| rename(random, &mut state.name));
    }
    new.columns
        .iter_mut()
        .for_each(|def| rename(random, &mut def.name));
    for def in &mut new.edges {
        rename(random, &mut def.from.name);
        rename(random, &mut def.to.name);
    }
    new
}

/// Changes anything but names, and adds items if `adds`.
pub(super) fn changed(random: &mut Random, names: &mut Names, was: &Schema, adds: bool) -> Schema {
    let mut order: Vec<EntityIx> = EntityIx::all(was.entities.len()).collect();
    shuffle(random, &mut order);
    order.retain(|_| random.chance(85));
    let mut now = Schema::default();
    let mut states = BTreeMap::new();
    for &ix in &order {
        let mut def = was[ix].clone();
        let mut kept: Vec<StateIx> = StateIx::all(def.states.len()).collect();
        shuffle(random, &mut kept);
        kept.retain(|_| random.chance(85));
        let mut list: Vec<StateDef> = kept.iter().map(|state| def[*state].clone()).collect();
        if list.is_empty() || adds && random.chance(30) {
            list.push(StateDef {
                name: names.next("S"),
                ..StateDef::default()
            });
        }
        def.initial = StateIx::new(random.below(list.len()) as u8);
        def.states = list;
        states.insert(ix, kept);
        now.entities.push(def);
    }
    if adds && random.chance(30) || now.entities.is_empty() {
        now.entities.push(entity(random, names));
    }
    let of = |ix: EntityIx| {
        let at = order.iter().position(|old| *old == ix)?;
        EntityIx::try_from(at).ok()
    };
    for def in &was.columns {
        let state = def.state.map(|old| {
            let kept = states
                .get(&def.entity)?
                .iter()
                .position(|state| *state == old)?;
            Some(StateIx::new(kept as u8))
        });
        let (Some(entity), Some(state)) =
            (of(def.entity), state.map_or(Some(None), |s| s.map(Some)))
        else {
            continue;
        };
        let mut def = ColumnDef {
            entity,
            state,
            ..def.clone()
        };
        if let Some(encoding) = &def.encoding {
            let Some(now) = in_schema(random, encoding, &of) else {
                continue;
            };
            def.encoding = Some(now);
        }
        if random.chance(20) {
            def.encoding = wider(random, def.encoding);
        }
        if random.chance(10) && def.state.is_none() {
            def.key = !def.key;
        }
        if random.chance(85) {
            now.columns.push(def);
        }
    }
    for def in &was.edges {
        let (Some(from), Some(to)) = (of(def.from.entity), of(def.to.entity)) else {
            continue;
        };
        let mut def = def.clone();
        (def.from.entity, def.to.entity) = (from, to);
        if let Some(encoding) = &def.encoding {
            let Some(now) = in_schema(random, encoding, &of) else {
                continue;
            };
            def.encoding = Some(now);
        }
        for end in [&mut def.from, &mut def.to] {
            if random.chance(20) {
                end.cardinality = match end.cardinality {
                    Cardinality::Many => Cardinality::Option,
                    _ => Cardinality::Many,
                };
            }
        }
        if def.data.is_some() && random.chance(20) {
            (def.data, def.encoding) = (None, None);
        } else if def.data.is_none() && adds && random.chance(20) {
            def.data = Some("D".to_owned());
            def.encoding = encoding(random, order.len());
        } else if random.chance(20) {
            def.encoding = wider(random, def.encoding);
        }
        if from == to && random.chance(20) {
            def.acyclic = !def.acyclic;
        }
        if random.chance(85) {
            now.edges.push(def);
        }
    }
    if adds {
        for _ in 0..random.below(3) {
            let column = column(random, names, &now);
            now.columns.push(column);
            let edge = edge(random, names, &now);
            now.edges.push(edge);
        }
    }
    shuffle(random, &mut now.columns);
    shuffle(random, &mut now.edges);
    now
}

/// A graph in which each entity has all values, after random changes.
pub(super) fn graph(random: &mut Random, schema: &Schema) -> Graph<Flat> {
    let ColumnTypes { columns, data } = ColumnTypes::of_log(schema);
    let mut graph = Graph::new(Layout::new(schema.clone(), &[]), &columns, &data);
    let mut journal = Journal::default();
    let fill =
        |graph: &mut Graph<Flat>, journal: &mut Journal, random: &mut Random, entity, slot| {
            let state = graph.state_of(entity, slot);
            for (ix, def) in ColumnIx::all(schema.columns.len()).zip(&schema.columns) {
                let is_of = def.entity == entity && def.state.is_none_or(|s| s == state);
                if is_of && !(def.key && graph.column(ix).has(slot)) {
                    let value = value(random, def.encoding.as_ref());
                    if graph.set_encoded(journal, ix, slot, &value).is_err() {
                        return false;
                    }
                }
            }
            true
        };
    for _ in 0..random.below(120) {
        let entity = EntityIx::try_from(random.below(schema.entities.len())).expect("few");
        let living: Vec<u32> = graph.living(entity).collect();
        let state = StateIx::new(random.below(schema[entity].states.len()) as u8);
        match random.below(6) {
            0 | 1 => {
                let slot = graph.create(&mut journal, entity, state).expect("room");
                if !fill(&mut graph, &mut journal, random, entity, slot) {
                    // Another entity has the key.
                    graph.rollback_all(&mut journal);
                }
            }
            2 if !living.is_empty() => {
                let slot = living[random.below(living.len())];
                graph.move_to(&mut journal, entity, slot, state);
                fill(&mut graph, &mut journal, random, entity, slot);
            }
            3 if !living.is_empty() && random.chance(40) => {
                let slot = living[random.below(living.len())];
                graph
                    .delete(&mut journal, &[(entity, slot)])
                    .expect("it is unlinked");
            }
            _ if !schema.edges.is_empty() => {
                let edge = EdgeIx::try_from(random.below(schema.edges.len())).expect("few");
                link(&mut graph, &mut journal, random, edge);
            }
            _ => {}
        }
        graph.commit(&mut journal);
        graph.pending.clear();
    }
    graph
}

fn link(graph: &mut Graph<Flat>, journal: &mut Journal, random: &mut Random, edge: EdgeIx) {
    let def = graph.layout.schema[edge].clone();
    for _ in 0..4 {
        let [a, b] = [&def.from, &def.to].map(|end| graph.living(end.entity).collect::<Vec<u32>>());
        if a.is_empty() || b.is_empty() {
            return;
        }
        let (a, b) = (a[random.below(a.len())], b[random.below(b.len())]);
        // So that no links form a cycle, whether the edge is acyclic or becomes so.
        if def.from.entity == def.to.entity && a >= b {
            continue;
        }
        let linked = graph.linked(
            Hop {
                edge,
                forward: true,
            },
            a,
            b,
        );
        if linked && random.chance(50) {
            graph.unlink(journal, edge, a, b).expect("it is linked");
        } else if !linked && graph.link(journal, edge, a, b).is_ok() && def.data.is_some() {
            let value = value(random, def.encoding.as_ref());
            let set = graph.set_link_encoded(journal, edge, (a, b), &value);
            set.expect("a value");
        }
    }
}
