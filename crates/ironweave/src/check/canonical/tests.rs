//! Forms beside a search over all permutations.

use super::*;
use crate::check::random::Random;

/// Vertices with colours, and arcs with labels as (from, label, to).
#[derive(Clone, PartialEq, Eq)]
struct Plain {
    colours: Vec<u64>,
    arcs: Vec<(u32, u64, u32)>,
}

impl Plain {
    fn random(random: &mut Random, vertices: u64) -> Self {
        let colours = (0..vertices).map(|_| random.below(2)).collect();
        let arcs = (0..random.below(vertices * 2)).flat_map(|_| {
            let (from, to) = (random.below(vertices) as u32, random.below(vertices) as u32);
            let label = 2 * random.below(2);
            [(from, label, to), (to, label + 1, from)]
        });
        Self {
            colours,
            arcs: arcs.collect(),
        }
        .sorted()
    }

    fn sorted(mut self) -> Self {
        self.arcs.sort_unstable();
        self
    }

    fn renamed(&self, names: &[u32]) -> Self {
        let mut colours = self.colours.clone();
        for (name, colour) in names.iter().zip(&self.colours) {
            colours[*name as usize] = *colour;
        }
        let name = |vertex: &u32| names[*vertex as usize];
        let arcs = self.arcs.iter();
        Self {
            colours,
            arcs: arcs.map(|(a, l, b)| (name(a), *l, name(b))).collect(),
        }
        .sorted()
    }

    fn coloured(&self) -> ColouredGraph {
        let mut graph = ColouredGraph::default();
        graph.colours.extend_from_slice(&self.colours);
        for vertex in 0..self.colours.len() as u32 {
            let own = self.arcs.iter().filter(|(from, ..)| *from == vertex);
            graph.arcs.extend(own.map(|(_, label, to)| (*label, *to)));
            graph.ends.push(graph.arcs.len() as u32);
        }
        graph
    }
}

/// All permutations of 0 to n.
fn permutations(n: u32) -> Vec<Vec<u32>> {
    let Some(last) = n.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let insert = |of: Vec<u32>| {
        (0..n as usize).map(move |at| {
            let mut with = of.clone();
            with.insert(at, last);
            with
        })
    };
    permutations(last).into_iter().flat_map(insert).collect()
}

#[test]
fn forms_are_equal_exactly_if_a_permutation_makes_graphs_equal() {
    let mut random = Random::new(7);
    let (mut same, mut different) = (0, 0);
    for round in 0..1500 {
        let vertices = 1 + random.below(5);
        let one = Plain::random(&mut random, vertices);
        let all = permutations(vertices as u32);
        let renamed = one.renamed(&all[random.below(all.len() as u64) as usize]);
        assert_eq!(
            canonical_form(&one.coloured()),
            canonical_form(&renamed.coloured()),
            "round {round}"
        );
        // A graph that often is isomorphic: an arc ends at another vertex.
        let mut other = renamed.clone();
        if !other.arcs.is_empty() {
            let at = random.below(other.arcs.len() as u64) as usize;
            let (from, label, to) = other.arcs.remove(at);
            let back = (to, label ^ 1, from);
            let at = other
                .arcs
                .iter()
                .position(|arc| *arc == back)
                .expect("both");
            other.arcs.remove(at);
            let to = random.below(vertices) as u32;
            other
                .arcs
                .extend([(from, label, to), (to, label ^ 1, from)]);
            other = other.sorted();
        }
        let are_isomorphic = all.iter().any(|names| one.renamed(names) == other);
        let are_equal = canonical_form(&one.coloured()) == canonical_form(&other.coloured());
        assert_eq!(are_equal, are_isomorphic, "round {round}");
        *(if are_isomorphic {
            &mut same
        } else {
            &mut different
        }) += 1;
    }
    assert!(same > 200 && different > 200, "{same} {different}");
}

/// Two triangles and a hexagon have the same refined colours.
#[test]
fn forms_distinguish_what_refinement_does_not() {
    let ring = |len: u32, first: u32| {
        (0..len).flat_map(move |i| {
            let (a, b) = (first + i, first + (i + 1) % len);
            [(a, 0, b), (b, 0, a)]
        })
    };
    let graph = |arcs: Vec<(u32, u64, u32)>| Plain {
        colours: vec![0; 6],
        arcs,
    };
    let hexagon = graph(ring(6, 0).collect());
    let triangles = graph(ring(3, 0).chain(ring(3, 3)).collect());
    assert_ne!(
        canonical_form(&hexagon.coloured()),
        canonical_form(&triangles.coloured())
    );
}

/// Entities without a difference, and pairs of them, do not need a leaf for each permutation.
#[test]
fn few_leaves_are_needed_for_what_is_alike() {
    let pairs = (0..8).flat_map(|i| [(i, 0, i + 8), (i + 8, 1, i)]);
    for arcs in [Vec::new(), pairs.collect()] {
        let graph = Plain {
            colours: vec![0; 16],
            arcs,
        }
        .sorted()
        .coloured();
        let mut search = Search::new(&graph);
        search.visit(graph.colours.clone());
        assert!(
            search.automorphisms.len() < 16 * 16,
            "{}",
            search.automorphisms.len()
        );
    }
}
