//! Random changes of a graph, whose journal undoes them exactly, has the right fingerprint, and becomes facts with which
//! another graph follows.

use super::*;
use crate::base::time::Timestamp;
use crate::graph::column::ColumnType;
use crate::graph::layout::Layout;
use crate::graph::paged::Paged;
use crate::graph::storage::{Flat, Storage, Table};
use crate::graph::{Graph, Mark};
use crate::schema::{
    Cardinality, ColumnDef, ColumnIx, EdgeDef, EdgeIx, EndDef, EntityDef, Hop, Schema, StateDef,
};

pub const TASK: u16 = 0;
pub const TEAM: u16 = 1;
/// Columns: mandatory ones, one that is indexed, one that is not plain, and the data of a state.
pub const COUNT: u16 = 0;
const DONE: u16 = 1;
pub const RANK: u16 = 2;
pub const LABEL: u16 = 3;
pub const SINCE: u16 = 4;
pub const NOTE: u16 = 5;
/// Edges with lists at one end, at the other, at none and at both, and then such with data.
const EDGES: u16 = 6;

pub fn types() -> (Vec<ColumnType>, Vec<Option<ColumnType>>) {
    let columns = vec![
        ColumnType::of::<u64>(),
        ColumnType::of::<bool>(),
        ColumnType::ordered::<i32>(),
        ColumnType::of::<String>(),
        ColumnType::of::<Timestamp>(),
        ColumnType::of::<String>(),
    ];
    let data = vec![
        None,
        None,
        None,
        None,
        Some(ColumnType::of::<u16>()),
        Some(ColumnType::of::<String>()),
    ];
    (columns, data)
}

fn layout() -> std::sync::Arc<Layout> {
    Layout::new(schema(), &[])
}

pub fn schema() -> Schema {
    let entity = |name: &str| EntityDef {
        name: name.into(),
        states: ["Open", "Held", "Shut"]
            .map(|name| StateDef {
                name: name.into(),
                terminal: true,
                ..StateDef::default()
            })
            .into(),
        ..EntityDef::default()
    };
    let column = |name: &str, state: Option<u8>| ColumnDef {
        entity: TASK.into(),
        state: state.map(StateIx::new),
        name: name.into(),
        ..ColumnDef::default()
    };
    let end = |entity: u16, name: String, cardinality| EndDef {
        entity: entity.into(),
        name,
        cardinality,
        ..EndDef::default()
    };
    use Cardinality::{Many, Option as AtMostOne};
    let ends = [
        (AtMostOne, Many),
        (Many, AtMostOne),
        (AtMostOne, AtMostOne),
        (Many, Many),
        (AtMostOne, Many),
        (Many, Many),
    ];
    Schema {
        name: "m".into(),
        entities: vec![entity("Task"), entity("Team")],
        columns: vec![
            column("count", None),
            column("done", None),
            column("rank", None),
            column("label", None),
            column("since", Some(1)),
            column("note", Some(1)),
        ],
        edges: (ends.into_iter().enumerate())
            .map(|(i, (from, to))| EdgeDef {
                from: end(TASK, format!("to{i}"), from),
                to: end(TEAM, format!("from{i}"), to),
                data: (i >= 4).then(|| "data".into()),
                ..EdgeDef::default()
            })
            .collect(),
        ..Schema::default()
    }
}

/// Everything that a program can see of a graph, with the order of lists and of free slots.
fn picture<S: Storage>(graph: &Graph<S>) -> Vec<String> {
    let mut seen = Vec::new();
    for entity in [TASK, TEAM].map(EntityIx::new) {
        let table = &graph.entities[usize::from(entity)];
        let free: Vec<u32> = (0..table.free.len()).map(|i| *table.free.at(i)).collect();
        seen.push(format!("{free:?} {}", graph.slots(entity)));
        for slot in graph.living(entity) {
            let (id, state) = (graph.id(entity, slot), graph.state_of(entity, slot));
            seen.push(format!("{id} in {state:?}"));
            for edge in EdgeIx::all(EDGES.into()) {
                let forward = entity == EntityIx::new(TASK);
                let links = graph.links(Hop { edge, forward }, slot).to_vec();
                seen.push(format!("{edge:?} {links:?}"));
                for far in links.iter().filter(|_| forward) {
                    let data = graph.link_row(edge, slot, *far);
                    let data = data.and_then(|(column, row)| column.encoded(row));
                    seen.push(format!("{far} {data:?}"));
                }
            }
            for column in &graph.layout.entities[usize::from(entity)].columns {
                let value = graph.column(*column).encoded(slot);
                seen.push(format!("{column:?} {value:?}"));
            }
        }
    }
    seen
}

pub struct Random(pub u32);

impl Random {
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 10) % n.max(1)
    }

    /// An entity of a type, if there is one.
    fn of<S: Storage>(&mut self, graph: &Graph<S>, entity: u16) -> Option<u32> {
        let living: Vec<u32> = graph.living(entity.into()).collect();
        living
            .get(self.below(living.len() as u32) as usize)
            .copied()
    }
}

/// Sets a field, or a piece of the data of the state `Held`.
fn set<S: Storage>(
    graph: &mut Graph<S>,
    journal: &mut Journal,
    random: &mut Random,
    column: u16,
    slot: u32,
) {
    let n = random.below(300);
    let ix = ColumnIx::new(column);
    let set = match column {
        COUNT => graph.set_typed(journal, ix, slot, &u64::from(n)),
        DONE => graph.set(journal, ix, slot, &(n > 150)),
        RANK => graph.set(journal, ix, slot, &(n as i32 - 150)),
        SINCE => graph.set_typed(journal, ix, slot, &Timestamp::from_micros(n.into())),
        _ => graph.set(journal, ix, slot, &format!("{n}")),
    };
    set.expect("it can be set");
}

/// Makes a change, as an event could.
pub fn change<S: Storage>(graph: &mut Graph<S>, journal: &mut Journal, random: &mut Random) {
    let held = StateIx::new(1);
    let (task, team) = (random.of(graph, TASK), random.of(graph, TEAM));
    match (random.below(12), task, team) {
        (0 | 1, ..) => {
            let open = StateIx::new(0);
            let slot = graph.create(journal, TASK.into(), open).expect("room");
            for column in [COUNT, DONE, RANK, LABEL] {
                set(graph, journal, random, column, slot);
            }
        }
        (2, ..) => {
            let open = StateIx::new(0);
            graph.create(journal, TEAM.into(), open).expect("room");
        }
        (3, Some(task), _) => {
            let deleted = graph.delete(journal, &[(TASK.into(), task)]);
            deleted.expect("nothing restricts it");
        }
        (4, _, Some(team)) if random.below(4) == 0 => {
            let deleted = graph.delete(journal, &[(TEAM.into(), team)]);
            deleted.expect("nothing restricts it");
        }
        (5, Some(task), _) => {
            let to = StateIx::new(random.below(3) as u8);
            graph.move_to(journal, TASK.into(), task, to);
            if to == held {
                set(graph, journal, random, SINCE, task);
                set(graph, journal, random, NOTE, task);
            }
        }
        (6 | 7, Some(task), _) => {
            let in_held = graph.state_of(TASK.into(), task) == held;
            let column = random.below(if in_held { 6 } else { 4 });
            set(graph, journal, random, column as u16, task);
        }
        (8, Some(task), Some(team)) => {
            let edge = EdgeIx::new(random.below(EDGES.into()) as u16);
            // It is an error if the two are not linked.
            let _ = graph.unlink(journal, edge, task, team);
        }
        (_, Some(task), Some(team)) => {
            let edge = random.below(EDGES.into()) as u16;
            let ix = EdgeIx::new(edge);
            match edge {
                0 if random.below(2) == 0 => {
                    graph.relink_typed::<false>(journal, ix, team, task);
                }
                1 => graph.relink_typed::<true>(journal, ix, task, team),
                _ => graph.relink(journal, ix, task, team),
            }
            let n = random.below(99);
            let set = match edge {
                4 => graph.set_link(journal, ix, (task, team), &(n as u16)),
                5 => graph.set_link(journal, ix, (task, team), &format!("{n}")),
                _ => Ok(()),
            };
            set.expect("the two are linked");
        }
        _ => {}
    }
}

/// Random transactions with rollbacks to marks, in one storage.
fn run<S: Storage>(seed: u32) {
    let (columns, data) = types();
    let mut graph = Graph::<S>::new(layout(), &columns, &data);
    let mut follower = Graph::<Paged>::new(layout(), &columns, &data);
    let (mut journal, mut following) = (Journal::default(), Journal::default());
    let mut random = Random(seed);
    let (mut undone, mut reused) = (0, 0);
    let mut all = Facts::default();
    for _ in 0..120 {
        let before = picture(&graph);
        let mut marks: Vec<(Mark, Vec<String>, usize)> = Vec::new();
        for _ in 0..random.below(25) {
            if random.below(5) == 0 {
                let mark = graph.mark(&mut journal);
                marks.push((mark, picture(&graph), journal.facts_len()));
            }
            change(&mut graph, &mut journal, &mut random);
            if random.below(8) == 0
                && let Some((mark, picture_then, facts)) = marks.pop()
            {
                graph.rollback(&mut journal, mark);
                assert_eq!(picture(&graph), picture_then);
                assert_eq!(journal.facts_len(), facts);
                undone += 1;
            }
            if random.below(4) == 0 {
                graph.update_fingerprint(&mut journal);
            }
            let kept = graph.fingerprint_with(&journal);
            assert_eq!(kept, graph.recomputed_fingerprint());
        }
        reused += usize::from(journal.may_reuse_slots);
        // The events before are found by this, and a mark is made before what follows.
        graph.mark(&mut journal);
        if random.below(3) == 0 {
            graph.rollback_all(&mut journal);
            assert_eq!(picture(&graph), before);
        }
        let facts = journal.to_facts();
        assert_eq!(facts.list.len(), journal.facts_len());
        let appended_from = all.list.len();
        graph.append_facts(&journal, &mut all);
        assert_eq!(all.list.len(), appended_from + facts.list.len());
        graph.commit(&mut journal);
        for (i, fact) in facts.list.iter().enumerate() {
            let applied = follower.apply(&mut following, *fact, &facts);
            applied.expect("what was possible before is possible again");
            // The follower has the generations of this time.
            let generations = fact
                .touches(&follower.layout)
                .map(|at| at.map_or(0, |(entity, slot)| follower.id(entity, slot).generation));
            let i = appended_from + i;
            assert!(all.same(all.list[i], &facts, *fact), "{fact:?}");
            assert_eq!(all.generations[i], generations, "{fact:?}");
        }
        follower.must_be_complete(&facts).expect("all is set");
        follower.commit(&mut following);
        assert_eq!(follower.fingerprint, graph.fingerprint);
        assert_eq!(picture(&follower), picture(&graph));
        assert!(graph.differences(&journal).is_empty());
    }
    assert!(undone > 20 && reused > 5, "{undone} {reused}");
}

#[test]
fn every_change_is_undone_exactly_and_has_its_terms_in_the_fingerprint() {
    for seed in 0..3 {
        run::<Flat>(seed);
        run::<Paged>(seed);
    }
}

#[test]
fn the_facts_of_a_relink_are_an_unlink_and_a_link() {
    let (columns, data) = types();
    let mut graph = Graph::<Flat>::new(layout(), &columns, &data);
    let mut journal = Journal::default();
    let [task, _, _, _] = [TASK, TEAM, TEAM, TEAM].map(|entity| {
        let open = StateIx::new(0);
        graph
            .create(&mut journal, entity.into(), open)
            .expect("room")
    });
    let edge = EdgeIx::new(0);
    graph.relink(&mut journal, edge, task, 1);
    let start = journal.position();
    graph.relink(&mut journal, edge, task, 2);
    graph.relink(&mut journal, edge, task, 2);
    assert_eq!(journal.position(), start + 1, "one entry");
    let mut facts = Vec::new();
    let see = |fact| {
        facts.push(fact);
        Ok::<(), ()>(())
    };
    journal.try_each_fact_after(start, see).expect("no error");
    let (from, to) = (task, 1);
    let unlink = Fact::Unlink { edge, from, to };
    assert_eq!(facts, [unlink, Fact::Link { edge, from, to: 2 }]);
    assert_eq!(journal.facts().list[journal.facts_len() - 2..], facts);
}
