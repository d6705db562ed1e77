//! The canonical form of a coloured graph: two graphs have the same form exactly if they are isomorphic.
//!
//! This is the method of nauty (B. D. McKay and A. Piperno, *Practical graph isomorphism, II*, 2014), reduced to what graphs with
//! some ten vertices need:
//!
//! 1. *Refine*: the colour of each vertex is mixed with the labels and colours at its arcs until no more colours appear.
//! 2. *Individualize*: if some vertices still share a colour, each vertex of the smallest such class gets a colour of its own in
//!    turn, and the colours are refined again.
//! 3. A *leaf*, at which all colours differ, puts the vertices in an order. The form is the least list of arcs in the order of a leaf.
//!
//! Two leaves with the same list show an automorphism. Vertices that an automorphism maps to one that was tried are not tried. So `n`
//! entities without a difference need about n² leaves rather than n!. The worst case is exponential; it needs regular graphs, which
//! are rare among graphs of entities with states. A refinement costs O(rounds · (arcs + vertices · log vertices)).

use xxhash_rust::xxh3::xxh3_128;

use crate::base::hash::fold;
use crate::graph::Graph;
use crate::graph::coloured::{ColouredGraph, Renamed};
use crate::graph::storage::Flat;

/// The depth at which a search does not return early.
const NOT_YET: usize = usize::MAX;

/// Computes fingerprints that are equal for graphs which differ only by a renaming.
pub(super) struct Canonizer {
    pub renamed: Renamed,
    graph: ColouredGraph,
    content: Vec<u8>,
}

impl Canonizer {
    pub(super) fn new(renamed: Renamed) -> Self {
        Self {
            renamed,
            graph: ColouredGraph::default(),
            content: Vec::new(),
        }
    }

    /// The fingerprint of a graph up to a renaming.
    pub(super) fn fingerprint(&mut self, graph: &Graph<Flat>, has_ordered_lists: bool) -> u128 {
        self.graph.clear();
        self.content.clear();
        graph.colour_into(
            &self.renamed,
            has_ordered_lists,
            &mut self.graph,
            &mut self.content,
        );
        for word in canonical_form(&self.graph) {
            self.content.extend_from_slice(&word.to_le_bytes());
        }
        xxh3_128(&self.content)
    }
}

/// Returns the canonical form of a graph.
pub(super) fn canonical_form(graph: &ColouredGraph) -> Vec<u64> {
    let mut search = Search::new(graph);
    search.visit(graph.colours.clone());
    search.best.map(|leaf| leaf.form).unwrap_or_default()
}

/// A leaf of the search.
#[derive(Clone)]
struct Leaf {
    form: Vec<u64>,
    /// The vertices in their order.
    order: Vec<u32>,
    /// The vertices that were individualized.
    path: Vec<u32>,
}

struct Search<'g> {
    graph: &'g ColouredGraph,
    /// The vertices that are individualized.
    path: Vec<u32>,
    first: Option<Leaf>,
    best: Option<Leaf>,
    /// By vertex, its image.
    automorphisms: Vec<Vec<u32>>,
    /// The colours after a round. Reused.
    next: Vec<u64>,
    /// Reused.
    sorted: Vec<u64>,
    /// The form of a leaf. Reused.
    form: Vec<u64>,
}

/// Mixes two words. It is not symmetric.
fn mix(a: u64, b: u64) -> u64 {
    fold(a ^ 0x9e37_79b9_7f4a_7c15, b ^ 0xe703_7ed1_a0b4_28db)
}

impl<'g> Search<'g> {
    fn new(graph: &'g ColouredGraph) -> Self {
        Self {
            graph,
            path: Vec::new(),
            first: None,
            best: None,
            automorphisms: Vec::new(),
            next: Vec::new(),
            sorted: Vec::new(),
            form: Vec::new(),
        }
    }

    /// Visits a node of the search and those below it. Returns the depth of the node at which the search goes on.
    fn visit(&mut self, mut colours: Vec<u64>) -> usize {
        let are_different = self.refine(&mut colours);
        let depth = self.path.len();
        // At this depth, all vertices are individualized. Colours can only be equal by a collision of hashes.
        if are_different || depth > colours.len() {
            return self.leaf(&colours);
        }
        let mut tried: Vec<u32> = Vec::new();
        for vertex in smallest_class(&colours) {
            if !tried.is_empty() && self.is_image(vertex, &tried) {
                continue;
            }
            tried.push(vertex);
            let mut child = colours.clone();
            child[vertex as usize] = mix(child[vertex as usize], depth as u64);
            self.path.push(vertex);
            let back = self.visit(child);
            self.path.pop();
            if back < depth {
                return back;
            }
        }
        NOT_YET
    }

    /// Refines colours. Returns whether all differ.
    fn refine(&mut self, colours: &mut Vec<u64>) -> bool {
        let mut classes = self.classes(colours);
        while classes < colours.len() {
            self.next.clear();
            for (vertex, colour) in colours.iter().enumerate() {
                let arcs = self.graph.arcs(vertex).iter();
                let sum = arcs.fold(0u64, |sum, (label, far)| {
                    sum.wrapping_add(mix(*label, colours[*far as usize]))
                });
                self.next.push(mix(*colour, sum));
            }
            std::mem::swap(colours, &mut self.next);
            let before = std::mem::replace(&mut classes, self.classes(colours));
            if classes <= before {
                break;
            }
        }
        classes == colours.len()
    }

    /// The number of different colours.
    fn classes(&mut self, colours: &[u64]) -> usize {
        self.sorted.clear();
        self.sorted.extend_from_slice(colours);
        self.sorted.sort_unstable();
        self.sorted.dedup();
        self.sorted.len()
    }

    /// Whether an automorphism that keeps all individualized vertices maps a vertex to one that was tried.
    fn is_image(&self, vertex: u32, tried: &[u32]) -> bool {
        let keeps_path = |map: &&Vec<u32>| self.path.iter().all(|v| map[*v as usize] == *v);
        let maps: Vec<&Vec<u32>> = self.automorphisms.iter().filter(keeps_path).collect();
        let mut orbit = vec![vertex];
        let mut at = 0;
        while let Some(member) = orbit.get(at).copied() {
            if tried.contains(&member) {
                return true;
            }
            for map in &maps {
                let image = map[member as usize];
                if !orbit.contains(&image) {
                    orbit.push(image);
                }
            }
            at += 1;
        }
        false
    }

    /// Compares a leaf with the first and the best one.
    fn leaf(&mut self, colours: &[u64]) -> usize {
        let mut order: Vec<u32> = (0..colours.len() as u32).collect();
        order.sort_unstable_by_key(|vertex| colours[*vertex as usize]);
        self.write_form(&order);
        let known = [&self.first, &self.best];
        let same = (known.into_iter().flatten()).find(|leaf| leaf.form == self.form);
        if let Some(same) = same {
            let mut map = vec![0; order.len()];
            for (from, to) in same.order.iter().zip(&order) {
                map[*from as usize] = *to;
            }
            // The first individualized vertex that differs.
            let common = (same.path.iter().zip(&self.path)).position(|(a, b)| a != b);
            let back = common.filter(|common| {
                let mut pairs = same.path.iter().zip(&self.path).take(common + 1);
                pairs.all(|(from, to)| map[*from as usize] == *to)
            });
            self.automorphisms.push(map);
            // If the map takes one way to the other up to there, the nodes below have the same leaves, and those of the other way
            // were all visited.
            return back.unwrap_or(NOT_YET);
        }
        let is_better = (self.best.as_ref()).is_none_or(|best| self.form < best.form);
        if is_better {
            let leaf = Leaf {
                form: self.form.clone(),
                order,
                path: self.path.clone(),
            };
            if self.first.is_none() && !self.path.is_empty() {
                self.first = Some(leaf.clone());
            }
            self.best = Some(leaf);
        }
        NOT_YET
    }

    /// The colours and arcs of the vertices in an order.
    fn write_form(&mut self, order: &[u32]) {
        let mut ranks = vec![0u64; order.len()];
        for (rank, vertex) in (0..).zip(order) {
            ranks[*vertex as usize] = rank;
        }
        self.form.clear();
        self.form.push(order.len() as u64);
        let mut arcs = Vec::new();
        for vertex in order {
            let all = self.graph.arcs(*vertex as usize);
            arcs.clear();
            arcs.extend(
                all.iter()
                    .map(|(label, far)| (*label, ranks[*far as usize])),
            );
            arcs.sort_unstable();
            let colour = self.graph.colours[*vertex as usize];
            self.form.extend([colour, arcs.len() as u64]);
            let words = arcs.iter().flat_map(|(label, far)| [*label, *far]);
            self.form.extend(words);
        }
    }
}

/// The vertices that share a colour: of the smallest such class, and of several of that size the one with the least colour.
fn smallest_class(colours: &[u64]) -> Vec<u32> {
    let mut sorted: Vec<(u64, u32)> = colours.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let classes = sorted.chunk_by(|(a, _), (b, _)| a == b);
    let smallest = classes
        .filter(|class| class.len() > 1)
        .min_by_key(|class| class.len());
    smallest
        .unwrap_or_default()
        .iter()
        .map(|(_, vertex)| *vertex)
        .collect()
}

#[cfg(test)]
mod tests;
