//! Where boxes, labels and arrows are.
//!
//! Boxes and labels are in layers. An arrow passes a layer vertically, between its items, so nothing overlaps and no arrow crosses
//! a box or a label.

use super::order::{Item, Layers, layers};
use super::svg::{LINE, width};
use super::{Arrow, Kind, Picture};

/// The distance of the layers.
const GAP: f64 = 24.0;
/// The distance of the items of a layer.
const BESIDE: f64 = 18.0;
/// The distance of two arrows at a box, and of the first one from its corner.
const PORT: f64 = 12.0;
/// The distance of a loop from its box.
const LOOP: f64 = 16.0;
/// The radius of the start of a lifecycle.
pub const DOT: f64 = 6.0;

pub type Point = (f64, f64);

/// A rectangle by its left, top, width and height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A placed picture.
#[derive(Default)]
pub struct Placed {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Rect>,
    /// For each arrow its pieces, from its start to its end: each is a list of points at which the arrow is vertical.
    pub arrows: Vec<Vec<Vec<Point>>>,
    pub labels: Vec<Rect>,
}

/// Returns the arrows from a box to itself.
fn loops(picture: &Picture, at: usize) -> impl Iterator<Item = (usize, &Arrow)> {
    let arrows = picture.arrows.iter().enumerate();
    arrows.filter(move |(_, arrow)| arrow.from == at && arrow.to == at)
}

fn loop_height(arrow: &Arrow) -> f64 {
    (arrow.label.len() as f64 * LINE).max(18.0) + 8.0
}

fn label_width(arrow: &Arrow) -> f64 {
    arrow
        .label
        .iter()
        .map(|line| width(line))
        .fold(0.0, f64::max)
}

/// Returns the width and the height of a box, with room for the ends of its arrows.
fn box_size(picture: &Picture, at: usize) -> (f64, f64) {
    let this = &picture.boxes[at];
    if this.kind == Kind::Start {
        return (2.0 * DOT, 2.0 * DOT);
    }
    let text = this
        .lines
        .iter()
        .map(|line| width(line))
        .fold(0.0, f64::max);
    let others = picture.arrows.iter().filter(|arrow| arrow.from != arrow.to);
    let ends = others
        .flat_map(|arrow| [arrow.from, arrow.to])
        .filter(|end| *end == at)
        .count();
    let height: f64 = loops(picture, at)
        .map(|(_, arrow)| loop_height(arrow))
        .sum();
    (
        // The name, which comes first, is bold.
        (text * 1.16 + 20.0).max(ends as f64 * PORT + 2.0 * PORT),
        (this.lines.len() as f64 * LINE + 12.0).max(height),
    )
}

/// Returns the size of an item with its loops, which are to the right of a box. The left has the same room.
fn item_size(picture: &Picture, item: Item) -> (f64, f64) {
    match item {
        Item::Box(at) => {
            let (width, height) = box_size(picture, at);
            let labels = loops(picture, at).map(|(_, arrow)| label_width(arrow) + LOOP + 6.0);
            let loops_height: f64 = loops(picture, at)
                .map(|(_, arrow)| loop_height(arrow))
                .sum();
            (
                width + 2.0 * labels.fold(0.0, f64::max),
                height.max(loops_height),
            )
        }
        Item::Pass { arrow, label: true } => {
            let arrow = &picture.arrows[arrow];
            (label_width(arrow).max(4.0), arrow.label.len() as f64 * LINE)
        }
        Item::Pass { label: false, .. } => (4.0, 0.0),
    }
}

/// Places a picture.
pub fn place(picture: &Picture) -> Placed {
    let layers = layers(picture);
    let sizes: Vec<(f64, f64)> = layers
        .items
        .iter()
        .map(|item| item_size(picture, *item))
        .collect();
    let centres = centres(&layers, &sizes);
    // The top and the height of the layer of each item.
    let mut bands = vec![(0.0, 0.0); layers.items.len()];
    let mut top = 2.0;
    for layer in &layers.layers {
        let height = layer.iter().map(|item| sizes[*item].1).fold(0.0, f64::max);
        layer.iter().for_each(|item| bands[*item] = (top, height));
        top += height + GAP;
    }
    let lefts = centres.iter().zip(&sizes).map(|(x, size)| x - size.0 / 2.0);
    let left = lefts.fold(f64::INFINITY, f64::min);
    let rights = centres.iter().zip(&sizes).map(|(x, size)| x + size.0 / 2.0);
    let right = rights.fold(left, f64::max);
    let move_x = if left.is_finite() { 2.0 - left } else { 0.0 };
    let centres: Vec<f64> = centres.iter().map(|x| x + move_x).collect();
    let mut placed = Placed {
        width: if left.is_finite() {
            right - left + 4.0
        } else {
            4.0
        },
        height: (top - GAP).max(0.0) + 2.0,
        labels: vec![Rect::default(); picture.arrows.len()],
        arrows: vec![Vec::new(); picture.arrows.len()],
        ..Placed::default()
    };
    for at in 0..picture.boxes.len() {
        let (width, height) = box_size(picture, at);
        let (top, band) = bands[at];
        placed.boxes.push(Rect {
            x: centres[at] - width / 2.0,
            y: top + (band - height) / 2.0,
            width,
            height,
        });
    }
    let ports = ports(picture, &layers, &centres, &placed.boxes);
    for (at, chain) in layers.chains.iter().enumerate() {
        let arrow = &picture.arrows[at];
        let [first, passes @ .., last] = &chain[..] else {
            continue;
        };
        let (start, end) = ports[at];
        let (top, height) = bands[*first];
        let mut pieces = vec![vec![
            (start, placed.boxes[*first].y + placed.boxes[*first].height),
            (start, top + height + 2.0),
        ]];
        for item in passes {
            let (x, (top, height)) = (centres[*item], bands[*item]);
            let (_, own) = sizes[*item];
            let edge = top + (height - own) / 2.0;
            let mut enter = vec![(x, top - 2.0)];
            if own > 0.0 {
                enter.push((x, edge));
                placed.labels[at] = Rect {
                    x: x - sizes[*item].0 / 2.0,
                    y: edge,
                    width: sizes[*item].0,
                    height: own,
                };
            }
            if let Some(piece) = pieces.last_mut() {
                piece.append(&mut enter);
            }
            let leave = (x, top + height + 2.0);
            match pieces.last_mut() {
                Some(piece) if own == 0.0 => piece.push(leave),
                _ => pieces.push(vec![(x, edge + own), leave]),
            }
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push((end, bands[*last].0 - 10.0));
            piece.push((end, placed.boxes[*last].y));
        }
        if *first != arrow.from {
            pieces.reverse();
            pieces.iter_mut().for_each(|piece| piece.reverse());
        }
        placed.arrows[at] = pieces;
    }
    for at in 0..picture.boxes.len() {
        place_loops(picture, at, &mut placed);
    }
    placed
}

/// Returns the horizontal centres of the items: near those of their neighbours, in the order of the layer.
fn centres(layers: &Layers, sizes: &[(f64, f64)]) -> Vec<f64> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
    for pair in layers.chains.iter().flat_map(|chain| chain.windows(2)) {
        near[pair[0]].push(pair[1]);
        near[pair[1]].push(pair[0]);
    }
    let mut centres = vec![0.0; sizes.len()];
    for round in 0..30 {
        let count = layers.layers.len();
        for step in 0..count {
            let layer = &layers.layers[if round % 2 == 0 {
                step
            } else {
                count - 1 - step
            }];
            let wish = |item: &usize| {
                let of = &near[*item];
                let sum: f64 = of.iter().map(|other| centres[*other]).sum();
                if of.is_empty() {
                    centres[*item]
                } else {
                    sum / of.len() as f64
                }
            };
            let wishes: Vec<f64> = layer.iter().map(wish).collect();
            for (item, x) in layer.iter().zip(spread(&wishes, layer, sizes)) {
                centres[*item] = x;
            }
        }
    }
    centres
}

/// Returns the positions nearest to the wishes at which the items do not overlap (isotonic regression by pooling).
fn spread(wishes: &[f64], layer: &[usize], sizes: &[(f64, f64)]) -> Vec<f64> {
    // The distance of each item from the first one.
    let (mut offsets, mut offset) = (Vec::new(), 0.0);
    for (at, item) in layer.iter().enumerate() {
        if at > 0 {
            offset += (sizes[layer[at - 1]].0 + sizes[*item].0) / 2.0 + BESIDE;
        }
        offsets.push(offset);
    }
    // Groups of items that touch each other: the sum of their wishes, and their number.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        let mut pool = (wish - offset, 1);
        while let Some(last) = pools.last() {
            if last.0 / last.1 as f64 <= pool.0 / pool.1 as f64 {
                break;
            }
            pool = (pool.0 + last.0, pool.1 + last.1);
            pools.pop();
        }
        pools.push(pool);
    }
    let means = pools
        .iter()
        .flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    means
        .zip(offsets)
        .map(|(mean, offset)| mean + offset)
        .collect()
}

/// Returns where each arrow leaves its upper box and enters its lower one.
fn ports(picture: &Picture, layers: &Layers, centres: &[f64], boxes: &[Rect]) -> Vec<(f64, f64)> {
    let mut ports = vec![(0.0, 0.0); layers.chains.len()];
    for (at, rect) in boxes.iter().enumerate() {
        for below in [true, false] {
            let mut ends: Vec<(f64, usize)> = Vec::new();
            for (arrow, chain) in layers.chains.iter().enumerate() {
                if let [first, .., last] = &chain[..] {
                    if below && *first == at {
                        ends.push((centres[chain[1]], arrow));
                    } else if !below && *last == at {
                        ends.push((centres[chain[chain.len() - 2]], arrow));
                    }
                }
            }
            ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let (left, right) = (rect.x + PORT, rect.x + rect.width - PORT);
            let clamp = |x: f64| x.clamp(left.min(right), right.max(left));
            let mut xs: Vec<f64> = ends.iter().map(|end| clamp(end.0)).collect();
            for at in 1..xs.len() {
                xs[at] = xs[at].max(xs[at - 1] + PORT);
            }
            let mut limit = right;
            for x in xs.iter_mut().rev() {
                *x = x.min(limit);
                limit = *x - PORT;
            }
            for ((_, arrow), x) in ends.iter().zip(xs) {
                let x = match picture.boxes[at].kind {
                    Kind::Start => rect.x + rect.width / 2.0,
                    _ => x,
                };
                match below {
                    true => ports[*arrow].0 = x,
                    false => ports[*arrow].1 = x,
                }
            }
        }
    }
    ports
}

fn place_loops(picture: &Picture, at: usize, placed: &mut Placed) {
    let rect = placed.boxes[at];
    let total: f64 = loops(picture, at)
        .map(|(_, arrow)| loop_height(arrow))
        .sum();
    let (right, mut y) = (rect.x + rect.width, rect.y + (rect.height - total) / 2.0);
    for (number, arrow) in loops(picture, at) {
        let height = loop_height(arrow);
        let (top, bottom) = (y + 6.0, y + height - 6.0);
        let far = right + LOOP;
        placed.arrows[number] = vec![vec![
            (right, top),
            (far, top),
            (far, bottom),
            (right, bottom),
        ]];
        let text = arrow.label.len() as f64 * LINE;
        placed.labels[number] = Rect {
            x: far + 6.0,
            y: y + (height - text) / 2.0,
            width: label_width(arrow),
            height: text,
        };
        y += height;
    }
}
