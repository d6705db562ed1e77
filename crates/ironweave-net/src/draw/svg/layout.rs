//! Where the nodes, arrows and labels of a diagram are.
//!
//! The crate `dagre` ranks and orders the nodes, and places them, the labels and the bends of the arrows. All nodes and labels of
//! a rank lie in a horizontal band. An arrow crosses a band vertically, at a bend that `dagre` keeps free of nodes and labels, so
//! it never crosses one.

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

/// The distance of two arrows at a node.
const PORT: f64 = 14.0;
/// The distance of the first arrow from the corner of its node.
const CORNER: f64 = 12.0;
/// The length of the straight end of an arrow.
const STUB: f64 = 13.0;
/// How far an arrow stays vertical above and below the nodes and labels that it passes.
const PASS: f64 = 9.0;
/// The distance of a loop from its node.
const LOOP: f64 = 22.0;
/// The distance of two loops.
const LOOP_GAP: f64 = 10.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A rectangle by its centre.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn left(&self) -> f64 {
        self.x - self.width / 2.0
    }

    pub fn right(&self) -> f64 {
        self.x + self.width / 2.0
    }

    pub fn top(&self) -> f64 {
        self.y - self.height / 2.0
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height / 2.0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

/// A node to place.
pub struct Box {
    pub size: Size,
    /// Whether all arrows start at its centre.
    pub point: bool,
}

/// An arrow to place. Its label has no size if it has no text.
pub struct Link {
    pub from: usize,
    pub to: usize,
    pub label: Size,
}

/// Where an arrow is.
pub struct Route {
    pub points: Vec<Point>,
    pub label: Rect,
}

/// Where everything is.
pub struct Layout {
    pub nodes: Vec<Rect>,
    pub routes: Vec<Route>,
}

/// Places nodes and arrows.
pub fn layout(boxes: &[Box], links: &[Link]) -> Layout {
    let sizes = sizes(boxes, links);
    let outer: Vec<Size> = (0..boxes.len())
        .map(|node| Size {
            width: sizes[node].width + 2.0 * loops_width(links, node),
            height: sizes[node].height.max(loops_height(links, node)),
        })
        .collect();
    let placed = place(&outer, links);
    let rect = |name: &str| {
        let node = placed.node(name)?;
        Some(Rect {
            x: node.x?,
            y: node.y?,
            width: node.width,
            height: node.height,
        })
    };
    let outer: Vec<Rect> = (0..boxes.len())
        .map(|node| rect(&format!("n{node}")).unwrap_or_default())
        .collect();
    let nodes: Vec<Rect> = outer
        .iter()
        .zip(&sizes)
        .map(|(outer, size)| Rect {
            width: size.width,
            height: size.height,
            ..*outer
        })
        .collect();
    let mut routes = Vec::new();
    for (at, link) in links.iter().enumerate() {
        let edge = ends(link).and_then(|[from, to]| placed.edge(&from, &to, Some(&at.to_string())));
        let point = |p: &dagre::Point| Point { x: p.x, y: p.y };
        let mut route = Route {
            points: Vec::new(),
            label: Rect::default(),
        };
        if let Some(edge) = edge {
            route.points = edge.points.iter().map(point).collect();
            route.label = Rect {
                x: edge.x.unwrap_or_default(),
                y: edge.y.unwrap_or_default(),
                width: link.label.width,
                height: link.label.height,
            };
        }
        routes.push(route);
    }
    let bands = Bands::of(&outer, &routes);
    for side in [Side::Top, Side::Bottom] {
        for (node, rect) in nodes.iter().enumerate() {
            ports(node, rect, side, boxes[node].point, links, &mut routes);
        }
    }
    for (route, link) in routes.iter_mut().zip(links) {
        if link.from != link.to {
            bands.straighten(route, [&nodes[link.from], &nodes[link.to]]);
        }
    }
    for (node, rect) in nodes.iter().enumerate() {
        loops(node, rect, links, &mut routes);
    }
    Layout { nodes, routes }
}

/// Returns the names of the ends of an arrow, unless it is a loop.
fn ends(link: &Link) -> Option<[String; 2]> {
    (link.from != link.to).then(|| [link.from, link.to].map(|node| format!("n{node}")))
}

/// Returns the sizes of the nodes, with room for the ends of their arrows.
fn sizes(boxes: &[Box], links: &[Link]) -> Vec<Size> {
    let mut sizes: Vec<Size> = boxes.iter().map(|b| b.size).collect();
    for (node, size) in sizes.iter_mut().enumerate() {
        if boxes[node].point {
            continue;
        }
        let others = links.iter().filter(|link| link.from != link.to);
        let ends = others.flat_map(|link| [link.from, link.to]);
        let ends = ends.filter(|end| *end == node).count();
        size.width = size.width.max(2.0 * CORNER + PORT * ends as f64);
        size.height = size.height.max(loops_height(links, node));
    }
    sizes
}

fn loop_height(link: &Link) -> f64 {
    link.label.height.max(24.0)
}

/// Returns the height of the loops of a node, which are below each other.
fn loops_height(links: &[Link], node: usize) -> f64 {
    let loops = links.iter().filter(|l| l.from == node && l.to == node);
    let heights: f64 = loops.map(|l| loop_height(l) + LOOP_GAP).sum();
    if heights > 0.0 {
        heights + LOOP_GAP
    } else {
        0.0
    }
}

/// Returns the width of the loops of a node, which are to the right of it.
fn loops_width(links: &[Link], node: usize) -> f64 {
    let loops = links.iter().filter(|l| l.from == node && l.to == node);
    let widths = loops.map(|l| LOOP + 6.0 + l.label.width);
    widths.fold(0.0, f64::max)
}

/// Calls `dagre`. The arrows whose ends are one node are not given to it.
fn place(outer: &[Size], links: &[Link]) -> Graph<NodeLabel, EdgeLabel> {
    let mut graph = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (node, size) in outer.iter().enumerate() {
        let label = NodeLabel {
            width: size.width,
            height: size.height,
            ..NodeLabel::default()
        };
        graph.set_node(format!("n{node}"), Some(label));
    }
    for (at, link) in links.iter().enumerate() {
        let Some([from, to]) = ends(link) else {
            continue;
        };
        let label = EdgeLabel {
            width: link.label.width,
            height: link.label.height,
            labelpos: dagre::layout::types::LabelPos::Center,
            ..EdgeLabel::default()
        };
        graph.set_edge(from, to, Some(label), Some(&at.to_string()));
    }
    let options = LayoutOptions {
        nodesep: 26.0,
        edgesep: 18.0,
        ranksep: 64.0,
        ..LayoutOptions::default()
    };
    dagre::layout::layout(&mut graph, Some(options));
    graph
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Top,
    Bottom,
}

/// Gives each arrow at a side of a node its own point there, as near as possible to its next bend.
fn ports(node: usize, rect: &Rect, side: Side, point: bool, links: &[Link], routes: &mut [Route]) {
    // The bend that is next to the node, and whether the arrow starts here.
    let mut ends: Vec<(f64, usize, bool)> = Vec::new();
    for (at, link) in links.iter().enumerate() {
        if link.from == link.to {
            continue;
        }
        let points = &routes[at].points;
        for (is_from, end) in [(true, link.from), (false, link.to)] {
            let bend = match is_from {
                true => points.get(1),
                false => points.len().checked_sub(2).and_then(|at| points.get(at)),
            };
            let Some(bend) = bend.filter(|_| end == node) else {
                continue;
            };
            let below = bend.y > rect.y;
            if below == (side == Side::Bottom) {
                ends.push((bend.x, at, is_from));
            }
        }
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (left, right) = (rect.left() + CORNER, rect.right() - CORNER);
    let mut xs: Vec<f64> = ends
        .iter()
        .map(|end| end.0.clamp(left.min(right), right.max(left)))
        .collect();
    for at in 1..xs.len() {
        xs[at] = xs[at].max(xs[at - 1] + PORT);
    }
    let mut limit = right;
    for x in xs.iter_mut().rev() {
        *x = x.min(limit);
        limit = *x - PORT;
    }
    let y = match side {
        Side::Top => rect.top(),
        Side::Bottom => rect.bottom(),
    };
    for (&(_, at, is_from), x) in ends.iter().zip(xs) {
        let points = &mut routes[at].points;
        let end = if is_from {
            points.first_mut()
        } else {
            points.last_mut()
        };
        if let Some(end) = end {
            *end = Point {
                x: if point { rect.x } else { x },
                y,
            };
        }
    }
}

/// The horizontal bands in which nodes and labels are, from above to below.
struct Bands(Vec<(f64, f64)>);

impl Bands {
    fn of(nodes: &[Rect], routes: &[Route]) -> Self {
        let labels = routes.iter().map(|route| &route.label);
        let all = nodes
            .iter()
            .chain(labels.filter(|label| label.height > 0.0));
        let mut all: Vec<(f64, f64)> = all.map(|rect| (rect.top(), rect.bottom())).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut bands: Vec<(f64, f64)> = Vec::new();
        for (top, bottom) in all {
            match bands.last_mut() {
                Some(last) if top < last.1 => last.1 = last.1.max(bottom),
                _ => bands.push((top, bottom)),
            }
        }
        Self(bands)
    }

    fn at(&self, y: f64) -> Option<(f64, f64)> {
        let mut bands = self.0.iter();
        bands
            .find(|band| (band.0 - 0.5..=band.1 + 0.5).contains(&y))
            .copied()
    }

    /// Makes an arrow vertical within each band.
    fn straighten(&self, route: &mut Route, ends: [&Rect; 2]) {
        let [first, .., last] = route.points[..] else {
            return;
        };
        let down = ends[1].y > ends[0].y;
        let ordered = |band: (f64, f64)| {
            if down {
                [band.0, band.1]
            } else {
                [band.1, band.0]
            }
        };
        let (away, pass) = if down { (STUB, PASS) } else { (-STUB, -PASS) };
        let mut points = vec![first];
        if let Some(band) = self.at(ends[0].y) {
            let [_, far] = ordered(band);
            points.push(Point {
                x: first.x,
                y: far + away,
            });
        }
        for bend in &route.points[1..route.points.len() - 1] {
            match self.at(bend.y) {
                Some(band) => {
                    let [near, far] = ordered(band);
                    let ys = [near - pass, far + pass];
                    points.extend(ys.map(|y| Point { x: bend.x, y }));
                }
                None => points.push(*bend),
            }
        }
        if let Some(band) = self.at(ends[1].y) {
            let [near, _] = ordered(band);
            points.push(Point {
                x: last.x,
                y: near - away,
            });
        }
        points.push(last);
        route.points.clear();
        for point in points {
            // The middle one of three points above each other.
            if let [.., before, middle] = route.points[..]
                && before.x == middle.x
                && middle.x == point.x
            {
                route.points.pop();
            }
            route.points.push(point);
        }
    }
}

/// Places the arrows whose ends are one node, to the right of it and below each other.
fn loops(node: usize, rect: &Rect, links: &[Link], routes: &mut [Route]) {
    let of = |link: &Link| link.from == node && link.to == node;
    let total: f64 = links
        .iter()
        .filter(|link| of(link))
        .map(|l| loop_height(l) + LOOP_GAP)
        .sum();
    let mut y = rect.y - total / 2.0;
    for (link, route) in links.iter().zip(routes).filter(|(link, _)| of(link)) {
        let height = loop_height(link);
        let (top, bottom) = (y + LOOP_GAP / 2.0, y + LOOP_GAP / 2.0 + height);
        let right = rect.right() + LOOP;
        let corners = [
            (rect.right(), top + 4.0),
            (right, top + 4.0),
            (right, bottom - 4.0),
            (rect.right(), bottom - 4.0),
        ];
        route.points = corners.map(|(x, y)| Point { x, y }).to_vec();
        route.label = Rect {
            x: right + 6.0 + link.label.width / 2.0,
            y: (top + bottom) / 2.0,
            width: link.label.width,
            height: link.label.height,
        };
        y = bottom + LOOP_GAP / 2.0;
    }
}

/// Returns the smallest rectangle that contains everything.
pub fn extent(layout: &Layout) -> Rect {
    let labels = layout.routes.iter().map(|route| &route.label);
    let labels = labels.filter(|label| label.width > 0.0);
    let rects = layout.nodes.iter().chain(labels);
    let corners = rects.flat_map(|r| [(r.left(), r.top()), (r.right(), r.bottom())]);
    let bends = layout.routes.iter().flat_map(|route| &route.points);
    let points: Vec<(f64, f64)> = corners.chain(bends.map(|p| (p.x, p.y))).collect();
    let [mut left, mut top, mut right, mut bottom] = match points.first() {
        Some(&(x, y)) => [x, y, x, y],
        None => [0.0; 4],
    };
    for (x, y) in points {
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    Rect {
        x: (left + right) / 2.0,
        y: (top + bottom) / 2.0,
        width: right - left,
        height: bottom - top,
    }
}
