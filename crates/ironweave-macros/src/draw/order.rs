//! The layers of a picture, and the order of the items in each.

use super::Picture;

/// An item of a layer: a box, or the place where an arrow passes, which is that of its label in one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    Box(usize),
    Pass { arrow: usize, label: bool },
}

/// Items in layers, from above to below, and for each arrow its items, from the upper one of its boxes to the lower one.
pub struct Layers {
    pub layers: Vec<Vec<usize>>,
    pub items: Vec<Item>,
    pub chains: Vec<Vec<usize>>,
}

/// Puts boxes and arrows into layers such that few arrows cross.
pub fn layers(picture: &Picture) -> Layers {
    let ranks = ranks(picture);
    let mut out = Layers {
        layers: vec![Vec::new(); ranks.iter().max().map_or(0, |max| max + 1)],
        items: (0..picture.boxes.len()).map(Item::Box).collect(),
        chains: Vec::new(),
    };
    for (at, rank) in ranks.iter().enumerate() {
        out.layers[*rank].push(at);
    }
    for (at, arrow) in picture.arrows.iter().enumerate() {
        let (mut upper, mut lower) = (arrow.from, arrow.to);
        if ranks[upper] > ranks[lower] {
            std::mem::swap(&mut upper, &mut lower);
        }
        let mut chain = vec![upper];
        if upper != lower {
            // Boxes are in layers with even numbers. The label is in the middle.
            let middle = (ranks[upper] + ranks[lower]) / 2;
            for (rank, layer) in out.layers.iter_mut().enumerate() {
                if rank > ranks[upper] && rank < ranks[lower] {
                    let label = rank == middle;
                    layer.push(out.items.len());
                    chain.push(out.items.len());
                    out.items.push(Item::Pass { arrow: at, label });
                }
            }
            chain.push(lower);
        }
        out.chains.push(chain);
    }
    sort(&mut out);
    out
}

/// Returns the layer of each box: an even number, larger than that of each box from which an arrow leads to it. Arrows that
/// close a cycle do not count.
fn ranks(picture: &Picture) -> Vec<usize> {
    let count = picture.boxes.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for arrow in picture.arrows.iter().filter(|arrow| arrow.from != arrow.to) {
        next[arrow.from].push(arrow.to);
    }
    // Boxes that were left come before those that lead to them, so the reverse is an order of the boxes.
    let (mut seen, mut left) = (vec![false; count], Vec::new());
    for root in 0..count {
        let mut path = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((at, child)) = path.pop() {
            match next[at].get(child) {
                None => left.push(at),
                Some(&to) => {
                    path.push((at, child + 1));
                    if !std::mem::replace(&mut seen[to], true) {
                        path.push((to, 0));
                    }
                }
            }
        }
    }
    let mut position = vec![0; count];
    for (at, node) in left.iter().rev().enumerate() {
        position[*node] = at;
    }
    let mut ranks = vec![0; count];
    for from in left.iter().rev() {
        for to in next[*from]
            .iter()
            .filter(|to| position[**to] > position[*from])
        {
            ranks[*to] = ranks[*to].max(ranks[*from] + 2);
        }
    }
    ranks
}

/// Sorts the items of each layer by the means of their neighbours' positions, down and up, and keeps the best order.
fn sort(layers: &mut Layers) {
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); layers.items.len()];
    let mut below = above.clone();
    for pair in layers.chains.iter().flat_map(|chain| chain.windows(2)) {
        below[pair[0]].push(pair[1]);
        above[pair[1]].push(pair[0]);
    }
    let mut position = vec![0.0; layers.items.len()];
    let number = |layers: &[Vec<usize>], position: &mut Vec<f64>| {
        for (at, item) in layers.iter().flat_map(|layer| layer.iter().enumerate()) {
            position[*item] = at as f64;
        }
    };
    number(&layers.layers, &mut position);
    let mut current = layers.layers.clone();
    let mut best = (crossings(&current, &below, &position), current.clone());
    for round in 0..12 {
        let down = round % 2 == 0;
        let count = current.len();
        for step in 0..count {
            let layer = if down { step } else { count - 1 - step };
            let neighbours = if down { &above } else { &below };
            let mean = |item: &usize| {
                let of = &neighbours[*item];
                let sum: f64 = of.iter().map(|other| position[*other]).sum();
                if of.is_empty() {
                    position[*item]
                } else {
                    sum / of.len() as f64
                }
            };
            let mut sorted: Vec<(f64, usize)> = current[layer]
                .iter()
                .map(|item| (mean(item), *item))
                .collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            current[layer] = sorted.into_iter().map(|(_, item)| item).collect();
            number(&current[layer..=layer], &mut position);
        }
        let found = crossings(&current, &below, &position);
        if found < best.0 {
            best = (found, current.clone());
        }
    }
    layers.layers = best.1;
}

/// Counts the pairs of lines between neighbouring layers that cross.
fn crossings(layers: &[Vec<usize>], below: &[Vec<usize>], position: &[f64]) -> usize {
    let mut count = 0;
    for layer in layers {
        let lines = layer
            .iter()
            .flat_map(|item| below[*item].iter().map(|to| (*item, *to)));
        let lines: Vec<(f64, f64)> = lines
            .map(|(from, to)| (position[from], position[to]))
            .collect();
        for (at, a) in lines.iter().enumerate() {
            let crossed = |b: &&(f64, f64)| (a.0 - b.0) * (a.1 - b.1) < 0.0;
            count += lines[at + 1..].iter().filter(crossed).count();
        }
    }
    count
}
