//! What is checked of each picture in SVG, from its text alone: nodes do not overlap, text is not clipped, arrows cross no node
//! and no text.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

/// A rectangle by its left, top, right and bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect([f64; 4]);

impl Rect {
    fn contains(self, other: Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        // The numbers of a picture are rounded.
        a <= e + 0.2 && b <= f + 0.2 && g <= c + 0.2 && h <= d + 0.2
    }

    fn overlaps(self, other: Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        a < g - 0.2 && e < c - 0.2 && b < h - 0.2 && f < d - 0.2
    }

    /// Whether a line from one point to another has a part in the rectangle.
    fn is_crossed(self, from: (f64, f64), to: (f64, f64)) -> bool {
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        let [left, top, right, bottom] = self.0;
        for (start, end, low, high) in [(from.0, to.0, left, right), (from.1, to.1, top, bottom)] {
            let way = end - start;
            let (low, high) = (low + 0.3, high - 0.3);
            if way.abs() < 1e-9 {
                if start <= low || start >= high {
                    return false;
                }
                continue;
            }
            let (a, b) = ((low - start) / way, (high - start) / way);
            enter = enter.max(a.min(b));
            leave = leave.min(a.max(b));
        }
        enter < leave
    }
}

/// An element with its attributes, and the text after it.
struct Element<'a> {
    name: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    text: &'a str,
}

impl Element<'_> {
    fn number(&self, name: &str) -> f64 {
        let value = self
            .attributes
            .get(name)
            .unwrap_or_else(|| panic!("{name} of {}", self.name));
        value.parse().unwrap_or_else(|_| panic!("{name} = {value}"))
    }

    fn has_class(&self, class: &str) -> bool {
        let classes = self.attributes.get("class").unwrap_or(&"");
        classes
            .split(' ')
            .any(|c| c.trim_start_matches("iw-") == class)
    }
}

/// Reads the elements, whose tags must match each other.
fn elements(svg: &str) -> Vec<Element<'_>> {
    let mut open = Vec::new();
    let mut elements = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("the end of a tag");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
            continue;
        }
        let (tag, is_closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        if !is_closed {
            open.push(name);
        }
        let mut attributes = BTreeMap::new();
        while let Some((key, value)) = rest.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("the end of an attribute");
            attributes.insert(key.trim(), value);
            rest = after;
        }
        elements.push(Element {
            name,
            attributes,
            text,
        });
    }
    assert_eq!(open, Vec::<&str>::new(), "not closed");
    elements
}

/// Returns about how wide a text is: less than in a wide font, and more than in a narrow one.
fn width(text: &str, size: f64) -> f64 {
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | 'I' | ' ' | '.' | ',' | ':' | ';' | '|' | '(' | ')'
        | '[' | ']' | '\'' => 0.27,
        'm' | 'w' | 'M' | 'W' | '@' => 0.8,
        'A'..='Z' => 0.62,
        c if c.is_ascii() => 0.52,
        _ => 0.9,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// Returns the points of a path, with the control points of its curves.
fn points(path: &str) -> Vec<(f64, f64)> {
    let numbers: Vec<f64> = path
        .split(|c: char| c == ' ' || c.is_ascii_alphabetic())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().expect("a number"))
        .collect();
    numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The parts of a picture.
#[derive(Default)]
pub struct Picture {
    page: Option<Rect>,
    pub nodes: Vec<Rect>,
    /// The text, each with its words and the number of its arrow.
    pub texts: Vec<(Rect, String, Option<usize>)>,
    pub arrows: Vec<Vec<(f64, f64)>>,
}

impl Picture {
    /// Reads a picture that `to_svg`, or the drawer for the documentation, has written.
    pub fn read(svg: &str) -> Self {
        let mut picture = Self::default();
        let mut arrow = None;
        for element in elements(svg) {
            match element.name {
                "svg" => {
                    let view = element.attributes["viewBox"].split(' ');
                    let view: Vec<f64> = view.map(|n| n.parse().expect("a number")).collect();
                    let [left, top, width, height] = view[..] else {
                        panic!("{view:?}")
                    };
                    picture.page = Some(Rect([left, top, left + width, top + height]));
                }
                "rect" if element.has_class("node") => {
                    let [x, y] = ["x", "y"].map(|name| element.number(name));
                    let [w, h] = ["width", "height"].map(|name| element.number(name));
                    picture.nodes.push(Rect([x, y, x + w, y + h]));
                    arrow = None;
                }
                "circle" if element.has_class("start") => {
                    let [x, y, r] = ["cx", "cy", "r"].map(|name| element.number(name));
                    picture.nodes.push(Rect([x - r, y - r, x + r, y + r]));
                    arrow = None;
                }
                "path" if element.has_class("line") => {
                    arrow = Some(picture.arrows.len());
                    picture.arrows.push(points(element.attributes["d"]));
                }
                "text" => {
                    let [x, y] = ["x", "y"].map(|name| element.number(name));
                    let size = element.number("font-size");
                    let width = width(element.text, size);
                    let left = match element.attributes["text-anchor"] {
                        "start" => x,
                        "middle" => x - width / 2.0,
                        other => panic!("{other}"),
                    };
                    let rect = Rect([left, y - size * 0.75, left + width, y + size * 0.2]);
                    let of = arrow.filter(|_| !element.has_class("note"));
                    picture.texts.push((rect, element.text.to_owned(), of));
                }
                _ => {}
            }
        }
        picture
    }

    /// Returns what is wrong.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let page = self.page.expect("an svg");
        for (at, node) in self.nodes.iter().enumerate() {
            if !page.contains(*node) {
                problems.push(format!("node {at} is not on the page: {node:?}"));
            }
            for (other, rect) in self.nodes.iter().enumerate().skip(at + 1) {
                if node.overlaps(*rect) {
                    problems.push(format!("nodes {at} and {other} overlap: {node:?} {rect:?}"));
                }
            }
        }
        for (at, (rect, text, of)) in self.texts.iter().enumerate() {
            if !page.contains(*rect) {
                problems.push(format!("`{text}` is not on the page"));
            }
            for node in &self.nodes {
                if node.overlaps(*rect) && !node.contains(*rect) {
                    problems.push(format!("`{text}` is clipped by a node: {rect:?} {node:?}"));
                }
                if of.is_some() && node.overlaps(*rect) {
                    problems.push(format!("the label `{text}` is on a node"));
                }
            }
            for (other, words, _) in &self.texts[at + 1..] {
                if other.overlaps(*rect) {
                    problems.push(format!(
                        "`{text}` and `{words}` overlap: {rect:?} {other:?}"
                    ));
                }
            }
        }
        for (at, arrow) in self.arrows.iter().enumerate() {
            for line in arrow.windows(2) {
                for (node, rect) in self.nodes.iter().enumerate() {
                    if rect.is_crossed(line[0], line[1]) {
                        problems.push(format!("arrow {at} crosses node {node}: {line:?} {rect:?}"));
                    }
                }
                for (rect, text, of) in &self.texts {
                    if *of != Some(at) && rect.is_crossed(line[0], line[1]) {
                        problems.push(format!("arrow {at} crosses `{text}`"));
                    }
                }
            }
        }
        problems
    }
}

/// Checks a picture that has at least some nodes.
#[track_caller]
pub fn check_svg(what: &str, svg: &str, nodes: usize) {
    let picture = Picture::read(svg);
    let problems = picture.problems();
    assert!(
        problems.is_empty(),
        "{what}: {}\n{svg}",
        problems.join("\n")
    );
    assert!(picture.nodes.len() >= nodes, "{what} has nodes");
    assert!(!svg.contains("<script") && !svg.contains("NaN"), "{what}");
    assert!(
        !svg.replace("http://www.w3.org/2000/svg", "")
            .contains("http"),
        "{what}"
    );
}
