//! `acyclic` edges: they never lead from an entity back to itself.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::schema::{EdgeIx, Hop};

impl<S: Storage> Graph<S> {
    /// A path from `to` back to `from` over an edge from a type to itself, if there is one: with the link from `from` to
    /// `to` it is a cycle.
    ///
    /// The search alternates between both directions, forward from `to` and backward from `from`. As soon as one side has
    /// seen everything that it can reach, there is no path. So the cost is that of the smaller side, however large the
    /// other is (two-way search, as in Bender, Fineman, Gilbert, Tarjan: A New Approach to Incremental Cycle Detection,
    /// 2016).
    pub(crate) fn way_back(&self, edge: EdgeIx, from: u32, to: u32) -> Option<Vec<u32>> {
        if from == to {
            return Some(vec![from]);
        }
        let mut ahead = Search::new(to);
        let mut behind = Search::new(from);
        loop {
            for forward in [true, false] {
                let hop = Hop { edge, forward };
                let (this, that) = if forward {
                    (&mut ahead, &behind)
                } else {
                    (&mut behind, &ahead)
                };
                let slot = *this.queue.get(this.next)?;
                let links = self.links(hop, slot);
                if let Some(met) = links.iter().find(|s| that.came.contains_key(s)) {
                    // The path from `to`, over `slot` and `met`, to `from`.
                    let mut near = this.way(slot);
                    let mut far = that.way(*met);
                    if forward {
                        near.reverse();
                        near.append(&mut far);
                        return Some(near);
                    }
                    far.reverse();
                    far.append(&mut near);
                    return Some(far);
                }
                this.next += 1;
                for &link in links {
                    if let Entry::Vacant(entry) = this.came.entry(link) {
                        entry.insert(slot);
                        this.queue.push(link);
                    }
                }
            }
        }
    }

    /// An entity that is on a cycle of an edge; O(links).
    pub(super) fn any_cycle(&self, edge: EdgeIx, slots: u32) -> Option<u32> {
        // Entities without a predecessor are removed until none is left (Kahn 1962).
        let [forward, backward] = [true, false].map(|forward| Hop { edge, forward });
        let mut before: Vec<usize> = (0..slots).map(|s| self.links(backward, s).len()).collect();
        let mut free: Vec<u32> = (0..slots).filter(|s| before[*s as usize] == 0).collect();
        let mut gone: HashSet<u32> = HashSet::new();
        while let Some(slot) = free.pop() {
            gone.insert(slot);
            for &next in self.links(forward, slot) {
                before[next as usize] -= 1;
                if before[next as usize] == 0 {
                    free.push(next);
                }
            }
        }
        (0..slots).find(|slot| !gone.contains(slot))
    }
}

/// One side of a two-way search: what it has seen, from where, and what it has yet to visit.
struct Search {
    came: HashMap<u32, u32>,
    queue: Vec<u32>,
    next: usize,
}

impl Search {
    fn new(start: u32) -> Self {
        Self {
            came: HashMap::from([(start, start)]),
            queue: vec![start],
            next: 0,
        }
    }

    /// The path from an entity back to where the search began.
    fn way(&self, mut slot: u32) -> Vec<u32> {
        let mut way = vec![slot];
        while self.came[&slot] != slot {
            slot = self.came[&slot];
            way.push(slot);
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::layout::Layout;
    use crate::graph::storage::Flat;
    use crate::graph::{Graph, Journal};
    use crate::schema::{
        Cardinality, EdgeDef, EdgeIx, EndDef, EntityDef, EntityIx, Schema, StateDef, StateIx,
    };

    /// A graph of `n` entities and one edge from the type to itself.
    fn graph(n: u32) -> Graph<Flat> {
        let end = |name: &str| EndDef {
            name: name.into(),
            cardinality: Cardinality::Many,
            ..EndDef::default()
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
            edges: vec![EdgeDef {
                from: end("needs"),
                to: end("needed_by"),
                acyclic: true,
                ..EdgeDef::default()
            }],
            ..Schema::default()
        };
        let mut graph = Graph::new(Layout::new(schema), &[], &[None]);
        for _ in 0..n {
            let (entity, state) = (EntityIx::default(), StateIx::default());
            let created = graph.create(&mut Journal::default(), entity, state);
            created.expect("room");
        }
        graph
    }

    #[test]
    fn the_way_back_is_found_where_there_is_one() {
        let mut graph = graph(6);
        let edge = EdgeIx::default();
        for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 4)] {
            graph
                .link(&mut Journal::default(), edge, a, b)
                .expect("new");
        }
        assert_eq!(graph.way_back(edge, 3, 0), Some(vec![0, 1, 2, 3]));
        assert_eq!(graph.way_back(edge, 4, 1), Some(vec![1, 4]));
        assert_eq!(graph.way_back(edge, 2, 2), Some(vec![2]));
        assert_eq!(graph.way_back(edge, 0, 5), None);
        assert_eq!(graph.way_back(edge, 4, 3), None);
        assert_eq!(graph.any_cycle(edge, 6), None);
        graph
            .link(&mut Journal::default(), edge, 3, 1)
            .expect("new");
        assert!(graph.any_cycle(edge, 6).is_some());
    }
}
