//! The order of acyclic edges against a search in a plain set of links.

use std::collections::{BTreeSet, HashSet};

use super::*;
use crate::graph::fact::Facts;
use crate::graph::layout::Layout;
use crate::graph::storage::{Flat, TOUCHED};
use crate::graph::{Journal, Mark};
use crate::schema::{Cardinality, EdgeDef, EndDef, EntityDef, EntityIx, Schema, StateDef, StateIx};

const TASK: EntityIx = EntityIx::new(0);
const NEEDS: EdgeIx = EdgeIx::new(0);
/// Its declaring end holds one.
const FOLLOWS: EdgeIx = EdgeIx::new(1);

/// An empty graph of a type with two acyclic edges to itself.
fn empty() -> Graph<Flat> {
    let end = |name: &str, cardinality| EndDef {
        name: name.into(),
        cardinality,
        ..EndDef::default()
    };
    let many = |name| end(name, Cardinality::Many);
    let edge = |from, to| EdgeDef {
        from,
        to,
        acyclic: true,
        ..EdgeDef::default()
    };
    let schema = Schema {
        name: "m".into(),
        entities: vec![EntityDef {
            name: "Task".into(),
            states: vec![StateDef {
                name: "Exists".into(),
                terminal: true,
                ..StateDef::default()
            }],
            ..EntityDef::default()
        }],
        edges: vec![
            edge(many("needs"), many("needed_by")),
            edge(end("follows", Cardinality::Option), many("followed_by")),
        ],
        ..Schema::default()
    };
    Graph::new(Layout::new(schema, &[]), &[], &[None, None])
}

/// A graph of `n` entities.
fn graph(n: u32) -> Graph<Flat> {
    let mut graph = empty();
    for _ in 0..n {
        let created = graph.create(&mut Journal::default(), TASK, StateIx::default());
        created.expect("room");
    }
    graph
}

/// Links two entities and returns whether that may close a cycle.
fn links(graph: &mut Graph<Flat>, from: u32, to: u32) -> bool {
    graph
        .link(&mut Journal::default(), NEEDS, from, to)
        .expect("new");
    graph.may_have_cycle(NEEDS)
}

#[test]
fn the_way_back_is_found_where_there_is_one() {
    let mut graph = graph(6);
    for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 4)] {
        assert!(!links(&mut graph, a, b));
    }
    assert_eq!(graph.way_back(NEEDS, 3, 0), Some(vec![0, 1, 2, 3]));
    assert_eq!(graph.way_back(NEEDS, 4, 1), Some(vec![1, 4]));
    assert_eq!(graph.way_back(NEEDS, 2, 2), Some(vec![2]));
    assert_eq!(graph.way_back(NEEDS, 0, 5), None);
    assert_eq!(graph.way_back(NEEDS, 4, 3), None);
    assert_eq!(graph.any_cycle(NEEDS, 6), None);
    assert!(links(&mut graph, 3, 1));
    assert!(
        graph
            .any_cycle(NEEDS, 6)
            .is_some_and(|slot| (1..=3).contains(&slot))
    );
}

/// Whether links have a cycle.
fn naive(links: &BTreeSet<(u32, u32)>) -> bool {
    let mut left = links.clone();
    loop {
        let targets: HashSet<u32> = left.iter().map(|(_, to)| *to).collect();
        let before = left.len();
        left.retain(|(from, _)| targets.contains(from));
        if left.len() == before {
            return before > 0;
        }
    }
}

struct World {
    graph: Graph<Flat>,
    journal: Journal,
    seed: u64,
}

impl World {
    fn random(&mut self, below: u32) -> u32 {
        self.seed = (self.seed.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
        (self.seed >> 33) as u32 % below
    }

    fn links(&self, edge: EdgeIx) -> BTreeSet<(u32, u32)> {
        let hop = Hop {
            edge,
            forward: true,
        };
        (0..self.graph.slots(TASK))
            .flat_map(|from| {
                self.graph
                    .links(hop, from)
                    .iter()
                    .map(move |to| (from, *to))
            })
            .collect()
    }

    fn some_entity(&mut self) -> Option<u32> {
        let slots = self.graph.slots(TASK);
        let slot = self.random(slots.max(1));
        (slot < slots && self.graph.is_alive(TASK, slot)).then_some(slot)
    }

    /// Makes one change, which may close a cycle.
    fn change(&mut self) {
        let edge = [NEEDS, FOLLOWS][self.random(2) as usize];
        let what = self.random(40);
        let ends = self.some_entity().zip(self.some_entity());
        let journal = &mut self.journal;
        match (what, ends) {
            (0..2, _) | (_, None) if self.graph.alive(TASK) < 30 => {
                let created = self.graph.create(journal, TASK, StateIx::default());
                created.expect("room");
            }
            (2, Some((slot, _))) => self.graph.delete(journal, &[(TASK, slot)]).expect("free"),
            (3..12, Some((from, to))) => self.graph.relink(journal, edge, from, to),
            (12..20, Some((from, _))) => {
                let hop = Hop {
                    edge,
                    forward: true,
                };
                if let Some(to) = self.graph.links(hop, from).first().copied() {
                    self.graph.unlink(journal, edge, from, to).expect("linked");
                }
            }
            // It may be linked already, or hold one.
            (_, Some((from, to))) => drop(self.graph.link(journal, edge, from, to)),
            (_, None) => {}
        }
    }

    /// Makes a few changes, as an event does, and takes them back if they close a cycle. Returns whether they did.
    fn event(&mut self) -> bool {
        let mark = self.graph.mark(&mut self.journal);
        for _ in 0..=self.random(4) {
            self.change();
            // A call of the handler that fails.
            if self.random(12) == 0 {
                let mark = self.graph.mark(&mut self.journal);
                self.change();
                self.change();
                self.rollback(mark);
            }
        }
        let mut cyclic = false;
        for edge in [NEEDS, FOLLOWS] {
            let expected = naive(&self.links(edge));
            assert_eq!(self.graph.may_have_cycle(edge), expected, "{edge}");
            cyclic |= expected;
        }
        if cyclic {
            self.rollback(mark);
        }
        cyclic
    }

    fn rollback(&mut self, mark: Mark) {
        self.graph.rollback(&mut self.journal, mark);
        self.is_sorted();
    }

    fn is_sorted(&self) {
        for edge in [NEEDS, FOLLOWS] {
            assert!(self.graph.edges[usize::from(edge)].sorted.is_some());
            assert!(self.graph.is_sorted(edge), "{edge}");
        }
    }
}

/// Events, rejections, savepoints, rollbacks, deletions and replays of two edges.
#[test]
fn an_order_finds_the_cycles_that_a_search_of_all_links_finds() {
    let (mut cycles, mut moved) = (0, 0);
    for seed in 0..60 {
        let mut world = World {
            graph: empty(),
            journal: Journal::default(),
            seed,
        };
        let mut replayed = empty();
        for _ in 0..60 {
            let savepoint = world.graph.mark(&mut world.journal);
            for _ in 0..world.random(6) {
                cycles += usize::from(world.event());
                world.is_sorted();
            }
            match world.random(4) {
                0 => world.rollback(savepoint),
                1 => {
                    let whole = world.random(2) == 0;
                    if whole {
                        world.graph.rollback_all(&mut world.journal);
                    }
                    world.is_sorted();
                }
                _ => {}
            }
            if world.random(3) == 0 {
                let facts: &Facts = world.journal.facts();
                let mut journal = Journal::default();
                for fact in &facts.list {
                    replayed.apply(&mut journal, *fact, facts).expect("it fits");
                }
                replayed.commit(&mut journal);
                world.graph.commit(&mut world.journal);
            }
            // The replayed graph goes on, sometimes at once and sometimes after more of the log.
            if world.journal.is_empty() && world.random(4) == 0 {
                if world.random(2) == 0 {
                    replayed.sort_acyclic_edges();
                }
                moved += 1;
                let copy = world.graph.copy(&[], &[None, None]);
                world.graph = std::mem::replace(&mut replayed, copy);
                world.is_sorted();
            }
        }
    }
    assert!(cycles > 500 && moved > 100, "{cycles}, {moved}");
}

/// A log may have a cycle from a time at which the edge was not acyclic.
#[test]
fn a_graph_that_has_a_cycle_keeps_no_order() {
    let mut graph = graph(4);
    let facts = Facts::default();
    for (from, to) in [(0, 1), (1, 0), (2, 3)] {
        let edge = NEEDS;
        let fact = crate::graph::fact::Fact::Link { edge, from, to };
        let applied = graph.apply(&mut Journal::default(), fact, &facts);
        applied.expect("it fits");
    }
    graph.sort_acyclic_edges();
    assert!(graph.edges[0].sorted.is_none() && graph.edges[1].sorted.is_some());
    // So each link is searched from.
    assert!(links(&mut graph, 1, 2));
    assert_eq!(graph.way_back(NEEDS, 1, 2), None);
    assert_eq!(graph.any_cycle(NEEDS, 4), Some(0));
}

/// Returns the rows that a check of a new link reads or changes.
fn rows(graph: &mut Graph<Flat>, from: u32, to: u32) -> usize {
    let before = TOUCHED.get();
    assert!(!links(graph, from, to));
    TOUCHED.get() - before
}

#[test]
fn a_link_that_leads_forward_costs_the_same_in_a_longer_chain() {
    let costs = |n: u32| {
        let mut graph = graph(n + 1);
        // A chain, built from its end.
        (1..n)
            .rev()
            .for_each(|i| assert!(!links(&mut graph, i - 1, i)));
        let middle = n / 2;
        // Over one entity, over many, from and to one without links, and to the end of the chain.
        [
            rows(&mut graph, middle, middle + 2),
            rows(&mut graph, middle / 2, middle),
            rows(&mut graph, 0, n - 1),
            rows(&mut graph, n, middle),
            rows(&mut graph, middle - 1, n),
        ]
    };
    let small = costs(100);
    assert_eq!(costs(50_000), small);
    assert!(small.iter().all(|rows| *rows < 80), "{small:?}");
}

#[test]
fn a_link_that_leads_backward_costs_the_smaller_side_between_its_ends() {
    let n = 20_000;
    let mut graph = graph(2 * n);
    // Two chains, the second of which is after the first.
    (1..n).for_each(|i| assert!(!links(&mut graph, i - 1, i)));
    (n + 1..2 * n).for_each(|i| assert!(!links(&mut graph, i - 1, i)));
    // From the tenth of the second to the tenth last of the first: nine are behind, and nine ahead, of either.
    let cost = rows(&mut graph, n + 9, n - 10);
    assert!(cost < 1_000, "{cost}");
    assert!(graph.is_sorted(NEEDS));
    // All of the second are before the end of the first now.
    let cost = rows(&mut graph, n + 9, n - 1);
    assert!(cost < 80, "{cost}");
}
