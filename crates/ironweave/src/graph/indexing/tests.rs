//! Indexes of several parts beside sorted lists that are made of the graph each time.

use std::any::Any;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::graph::index::composite::{IndexType, Selection};
use crate::graph::index::parts::Linked;
use crate::graph::journal::tests::{
    COUNT, LABEL, NOTE, RANK, Random, SINCE, TASK, TEAM, change, schema, types,
};
use crate::graph::layout::Layout;
use crate::graph::paged::Paged;
use crate::graph::storage::{Flat, Storage};
use crate::graph::{Graph, Journal, Mark};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, Hop, IndexDef, IndexKind, IndexPart, StateIx};

/// All entities of an index.
const ALL: &Selection<'static> = &Selection {
    prefix: &[],
    range: (Bound::Unbounded, Bound::Unbounded),
};

/// The part of a key as the oracle has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Count(u64),
    Rank(i32),
    Text(String),
    Time(Timestamp),
    Slot(u32),
}

impl Part {
    fn any(&self) -> &dyn Any {
        match self {
            Self::Count(value) => value,
            Self::Rank(value) => value,
            Self::Text(value) => value,
            Self::Time(value) => value,
            Self::Slot(value) => value,
        }
    }
}

/// The indexes, each with its type.
fn indexes() -> Vec<(IndexDef, IndexType)> {
    let column = |column: u16| IndexPart::Column(column.into());
    let end = |edge: u16, forward: bool| {
        IndexPart::End(Hop {
            edge: EdgeIx::new(edge),
            forward,
        })
    };
    let index = |entity: u16, kind, parts: &[IndexPart], states: &[u8]| IndexDef {
        name: format!("{parts:?}"),
        entity: entity.into(),
        kind,
        parts: parts.to_vec(),
        states: states.iter().map(|state| StateIx::new(*state)).collect(),
        ..IndexDef::default()
    };
    use IndexKind::{Equal, Ordered};
    type Task = Linked<()>;
    vec![
        (
            index(TASK, Ordered, &[column(RANK), column(LABEL)], &[]),
            IndexType::ordered::<(i32, (String, ()))>(),
        ),
        (
            index(TASK, Ordered, &[column(LABEL), column(COUNT)], &[0, 2]),
            IndexType::ordered::<(String, (u64, ()))>(),
        ),
        (
            index(TASK, Ordered, &[column(SINCE)], &[]),
            IndexType::ordered::<(Timestamp, ())>(),
        ),
        (
            index(TASK, Ordered, &[end(0, true), column(RANK)], &[1]),
            IndexType::ordered::<(Task, (i32, ()))>(),
        ),
        (
            index(TASK, Equal, &[column(LABEL), end(2, true)], &[]),
            IndexType::equal::<(String, (Task, ()))>(),
        ),
        (
            index(TASK, Ordered, &[column(NOTE), end(2, true)], &[1, 2]),
            IndexType::ordered::<(String, (Task, ()))>(),
        ),
        (
            index(TEAM, Ordered, &[end(1, false)], &[]),
            IndexType::ordered::<(Task, ())>(),
        ),
        (
            index(TASK, Ordered, &[column(COUNT)], &[1]),
            IndexType::ordered::<(u64, ())>(),
        ),
    ]
}

fn layout() -> Arc<Layout> {
    let (defs, types): (Vec<_>, Vec<_>) = indexes().into_iter().unzip();
    let mut schema = schema();
    schema.indexes = defs;
    schema.validate().expect("the schema is valid");
    Layout::new(schema, &types)
}

fn empty<S: Storage>() -> Graph<S> {
    let (columns, data) = types();
    Graph::new(layout(), &columns, &data)
}

/// The part of an entity.
fn part<S: Storage>(graph: &Graph<S>, part: IndexPart, slot: u32) -> Option<Part> {
    match part {
        IndexPart::End(hop) => graph.links(hop, slot).first().map(|far| Part::Slot(*far)),
        IndexPart::Column(column) => {
            let value = graph.column(column).value(slot)?;
            let rank = value.downcast_ref().map(|v| Part::Rank(*v));
            let count = value.downcast_ref().map(|v| Part::Count(*v));
            let time = value.downcast_ref().map(|v| Part::Time(*v));
            let text = value.downcast_ref().map(|v: &String| Part::Text(v.clone()));
            rank.or(count).or(time).or(text)
        }
    }
}

/// What an index has to have: keys and slots in order.
fn expected<S: Storage>(graph: &Graph<S>, def: &IndexDef) -> Vec<(Vec<Part>, u32)> {
    let mut all = Vec::new();
    for slot in graph.living(def.entity) {
        let state = graph.state_of(def.entity, slot);
        if !def.states.is_empty() && !def.states.contains(&state) {
            continue;
        }
        let parts = def.parts.iter().map(|p| part(graph, *p, slot));
        if let Some(parts) = parts.collect::<Option<Vec<Part>>>() {
            all.push((parts, slot));
        }
    }
    all.sort();
    all
}

/// Compares all of each index with what it has to have.
fn compare<S: Storage>(graph: &Graph<S>) {
    for (index, (def, _)) in (0..).zip(indexes()) {
        let expected = expected(graph, &def);
        let slots: Vec<u32> = expected.iter().map(|(_, slot)| *slot).collect();
        if def.kind == IndexKind::Ordered {
            let all = graph.select_ordered(index, ALL);
            assert_eq!(all.collect::<Vec<_>>(), slots, "{}", def.name);
        }
    }
    let mut broken = Vec::new();
    graph.check_indexes(&mut broken);
    assert!(broken.is_empty(), "{broken:?}");
}

/// Asks an index something and compares the answers with those of the list. Returns whether something was selected.
fn ask<S: Storage>(graph: &Graph<S>, random: &mut Random) -> bool {
    let all = indexes();
    let index = random.below(all.len() as u32) as u16;
    let def = &all[usize::from(index)].0;
    let expected = expected(graph, def);
    if def.kind == IndexKind::Equal {
        let Some((parts, slot)) = expected.get(random.below(expected.len() as u32) as usize) else {
            return false;
        };
        let hash = |part: &Part| match (part, def.parts[0]) {
            (Part::Slot(slot), _) => Some(super::hash_of_slot(*slot)),
            (_, IndexPart::Column(column)) => graph.column(column).hash(*slot),
            _ => None,
        };
        let hash = super::hash_of_parts(parts.iter().map(hash)).expect("each has a hash");
        let same = expected.iter().filter(|(other, _)| other == parts);
        let same: Vec<u32> = same.map(|(_, slot)| *slot).collect();
        assert_eq!(graph.select_equal(index, hash).collect::<Vec<_>>(), same);
        return true;
    }
    // Values that entities have, and a few of one of them.
    let any = |random: &mut Random| {
        let at = random.below(expected.len() as u32) as usize;
        expected.get(at).map(|(parts, _)| parts.clone())
    };
    let Some(parts) = any(random) else {
        return false;
    };
    let given = random.below(parts.len() as u32 + 1) as usize;
    let bounds = [any(random), any(random)].map(|parts| {
        let value = parts.and_then(|parts| parts.get(given).cloned());
        match (random.below(3), value) {
            (0, Some(value)) => Bound::Included(value),
            (1, Some(value)) => Bound::Excluded(value),
            _ => Bound::Unbounded,
        }
    });
    let prefix: Vec<&dyn Any> = parts[..given].iter().map(Part::any).collect();
    let [from, to] = bounds.each_ref().map(|bound| bound.as_ref().map(Part::any));
    let selection = Selection {
        prefix: &prefix,
        range: (from, to),
    };
    let is_in = |key: &[Part]| {
        let Some(value) = key.get(given) else {
            return key == parts;
        };
        let from = match &bounds[0] {
            Bound::Included(from) => value >= from,
            Bound::Excluded(from) => value > from,
            Bound::Unbounded => true,
        };
        let to = match &bounds[1] {
            Bound::Included(to) => value <= to,
            Bound::Excluded(to) => value < to,
            Bound::Unbounded => true,
        };
        key[..given] == parts[..given] && from && to
    };
    let mut selected = expected.clone();
    selected.retain(|(key, _)| is_in(key));
    let slots: Vec<u32> = selected.iter().map(|(_, slot)| *slot).collect();
    let found: Vec<u32> = graph.select_ordered(index, &selection).collect();
    assert_eq!(found, slots);
    let back: Vec<u32> = graph.select_ordered(index, &selection).rev().collect();
    assert_eq!(back.into_iter().rev().collect::<Vec<_>>(), slots);

    let mut descending = selected.clone();
    descending.sort_by(|(a, _), (b, _)| b.get(given).cmp(&a.get(given)));
    let descending: Vec<u32> = descending.iter().map(|(_, slot)| *slot).collect();
    let found: Vec<u32> = graph.select_descending(index, &selection).collect();
    assert_eq!(found, descending);

    for slot in 0..graph.slots(def.entity) {
        let own = expected.iter().find(|(_, other)| *other == slot);
        let after = own.and_then(|own| selected.iter().find(|other| *other > own));
        let before = own.and_then(|own| selected.iter().rfind(|other| *other < own));
        for (side, expected) in [(true, after), (false, before)] {
            let found = graph.select_beside(index, slot, &selection, side);
            assert_eq!(found, expected.map(|(_, slot)| *slot), "{slot} {side}");
        }
        let is_selected = selected.iter().any(|(_, other)| *other == slot);
        assert_eq!(graph.is_selected(index, slot, &selection), is_selected);
    }
    !selected.is_empty()
}

/// Random transactions with rollbacks to marks, in one storage.
fn run<S: Storage>(seed: u32) {
    let mut graph = empty::<S>();
    let mut follower = empty::<Paged>();
    let (mut journal, mut following) = (Journal::default(), Journal::default());
    let mut random = Random(seed);
    let (mut undone, mut answered) = (0, 0);
    let mut kept: Option<(Graph<S>, String)> = None;
    for round in 0..60 {
        let mut marks: Vec<Mark> = Vec::new();
        for _ in 0..random.below(20) {
            if random.below(5) == 0 {
                marks.push(graph.mark(&mut journal));
            }
            change(&mut graph, &mut journal, &mut random);
            compare(&graph);
            answered += usize::from(ask(&graph, &mut random));
            if random.below(8) == 0
                && let Some(mark) = marks.pop()
            {
                graph.rollback(&mut journal, mark);
                compare(&graph);
                undone += 1;
            }
        }
        graph.mark(&mut journal);
        if random.below(3) == 0 {
            graph.rollback_all(&mut journal);
            compare(&graph);
        }
        let facts = journal.to_facts();
        // The copy undoes what is open in the original.
        if round % 7 == 0 {
            let (columns, data) = types();
            let mut copy: Graph<Paged> = graph.copy(&columns, &data);
            compare(&copy);
            copy.without_open(&graph, &mut journal.clone());
            compare(&copy);
        }
        graph.commit(&mut journal);
        for fact in &facts.list {
            let applied = follower.apply(&mut following, *fact, &facts);
            applied.expect("what was possible before is possible again");
        }
        follower.commit(&mut following);
        compare(&follower);
        // A fork keeps its entries while the original changes.
        if let Some((fork, seen)) = &kept {
            compare(fork);
            assert_eq!(&shown(fork), seen);
        }
        if round % 10 == 0 {
            kept = Some((graph.fork(), shown(&graph)));
        }
    }
    assert!(undone > 10 && answered > 100, "{undone} {answered}");
    let tasks = graph.alive(EntityIx::new(TASK));
    assert!(tasks > 5, "{tasks}");
}

/// All slots of all indexes.
fn shown<S: Storage>(graph: &Graph<S>) -> String {
    let of = |index| -> Vec<u32> { graph.select_ordered(index, ALL).collect() };
    let all: Vec<Vec<u32>> = (0..indexes().len() as u16).map(of).collect();
    format!("{all:?}")
}

#[test]
fn indexes_are_what_their_entities_are() {
    for seed in 0..4 {
        run::<Flat>(seed);
        run::<Paged>(seed);
    }
}

#[test]
fn an_index_that_lacks_an_entity_or_has_another_is_inconsistent() {
    let mut graph = empty::<Flat>();
    let mut journal = Journal::default();
    let slot = graph.create(&mut journal, TASK.into(), StateIx::new(0));
    let slot = slot.expect("room");
    for (column, value) in [(LABEL, &String::from("a") as &dyn Any), (RANK, &5i32)] {
        let set = graph.set(&mut journal, ColumnIx::new(column), slot, value);
        set.expect("it can be set");
    }
    let indexed = |graph: &Graph<Flat>| -> Vec<String> {
        let mut wrong = Vec::new();
        graph.check_indexes(&mut wrong);
        wrong.iter().map(ToString::to_string).collect()
    };
    assert_eq!(indexed(&graph), Vec::<String>::new());
    graph.with_index(0, slot, Some(StateIx::new(0)), |index, cells| {
        index.hold(cells);
        index.rekey(slot, None);
    });
    let wrong = indexed(&graph);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("its key in the index Task."), "{wrong:?}");
}
