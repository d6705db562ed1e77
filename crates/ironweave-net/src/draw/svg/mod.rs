//! Diagrams as SVG.

mod layout;
mod text;

use std::fmt::Write as _;

use self::layout::{Box, Layout, Link, Point, Rect, Route, Size, extent, layout};
use self::text::{Style, width};
use super::{Arrow, Diagram, Kind, Line, Node, Shape, Tip};
use crate::PlaceIx;

const TITLE: Style = Style {
    size: 16.0,
    bold: true,
};
const NAME: Style = Style {
    size: 13.0,
    bold: true,
};
const BODY: Style = Style {
    size: 12.0,
    bold: false,
};
const LABEL: Style = Style {
    size: 11.5,
    bold: false,
};

const NAME_HEIGHT: f64 = 19.0;
const LINE_HEIGHT: f64 = 16.0;
const PADDING: f64 = 14.0;
const MARGIN: f64 = 20.0;
const TITLE_HEIGHT: f64 = 34.0;
/// The radius of the dot where a lifecycle starts.
const DOT: f64 = 7.0;

/// The colours, first those for a light background.
const CSS: &str = "\
.ironweave{font-family:system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu Sans',sans-serif}\
.ironweave text{fill:#1f2328;stroke:none}\
.ironweave .name,.ironweave .title{font-weight:600}\
.ironweave .count{fill:#a3224f;font-weight:600}\
.ironweave .note{fill:#57606a}\
.ironweave .paper{fill:#fff;stroke:none}\
.ironweave .node,.ironweave .inner{stroke-width:1.5}\
.ironweave .state{fill:#eaf2fb;stroke:#3f74b5}\
.ironweave .inner{fill:none;stroke:#3f74b5}\
.ironweave .entity{fill:#f6f8fa;stroke:#57606a}\
.ironweave .rule{stroke:#57606a;stroke-width:1}\
.ironweave .links{fill:#e9f5e9;stroke:#3f8a45}\
.ironweave .event{fill:#fdf3e1;stroke:#b0761a}\
.ironweave .immediate{fill:#f8ddb0;stroke:#b0761a;stroke-width:3}\
.ironweave .start{fill:#57606a;stroke:#57606a}\
.ironweave .line,.ironweave .tip{fill:none;stroke:#57606a;stroke-width:1.3}\
.ironweave .tip{fill:#57606a;stroke-linejoin:round}\
.ironweave .open{fill:#fff}\
.ironweave .bare{fill:none}\
.ironweave .dashed{stroke-dasharray:7 4}\
.ironweave .dotted{stroke-dasharray:2 3}\
@media(prefers-color-scheme:dark){\
.ironweave text{fill:#e6edf3}\
.ironweave .count{fill:#ff9bbb}\
.ironweave .note{fill:#9aa4af}\
.ironweave .paper,.ironweave .open{fill:#0d1117}\
.ironweave .state{fill:#12263d;stroke:#6ea8e6}\
.ironweave .inner{stroke:#6ea8e6}\
.ironweave .entity{fill:#161b22;stroke:#9aa4af}\
.ironweave .rule{stroke:#9aa4af}\
.ironweave .links{fill:#11291a;stroke:#6cc07a}\
.ironweave .event{fill:#2e220b;stroke:#d9a441}\
.ironweave .immediate{fill:#4d380f;stroke:#d9a441}\
.ironweave .start{fill:#9aa4af;stroke:#9aa4af}\
.ironweave .line,.ironweave .tip{stroke:#9aa4af}\
.ironweave .tip{fill:#9aa4af}\
.ironweave .bare{fill:none}\
.ironweave .open{fill:#0d1117}\
}";

impl Diagram {
    /// Lays the diagram out and returns it as SVG, for light and dark backgrounds. It has no scripts and refers to nothing outside.
    ///
    /// Equal diagrams give equal text. Nodes and labels do not overlap, and arrows do not cross them. Text has room in all usual fonts.
    ///
    /// The layout takes time that grows with about the square of the number of nodes, and faster with the number of arrows at one node.
    /// In a build without optimization, a ring of 1,000 states takes about 5 seconds, and 500 states with arrows to one of them 16. There is no limit:
    /// for larger diagrams, `to_dot` and `to_mermaid` take milliseconds and leave the layout to other programs.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let boxes: Vec<Box> = self.nodes.iter().map(|node| self.size_of(node)).collect();
        let links: Vec<Link> = self.arrows.iter().map(link).collect();
        let layout = layout(&boxes, &links);
        Writer::new(self, &layout).write()
    }

    /// As [`to_svg`](Self::to_svg), for a page that shows changing numbers of tokens: it has no style sheet, which the page must have,
    /// and says which places each part is of. A node with places is a group with the attribute `data-places`, which has their positions
    /// in [`Net::places`](crate::Net::places) with spaces between them. The text with the number of tokens, if there is one, has the
    /// class `count`, and on an arrow of an edge the attribute too.
    #[must_use]
    pub fn to_page_svg(&self) -> String {
        let boxes: Vec<Box> = self.nodes.iter().map(|node| self.size_of(node)).collect();
        let links: Vec<Link> = self.arrows.iter().map(link).collect();
        let layout = layout(&boxes, &links);
        let mut writer = Writer::new(self, &layout);
        writer.for_page = true;
        writer.write()
    }

    /// Returns the name of a node behind that of its group, which is not drawn: the arrows between the states of an entity type and
    /// its events are shorter if the states may be anywhere.
    fn name_of(&self, node: &Node) -> String {
        match node.group.and_then(|group| self.groups.get(group)) {
            Some(group) => format!("{group}::{}", node.name),
            None => node.name.clone(),
        }
    }

    fn size_of(&self, node: &Node) -> Box {
        let lines = node.lines();
        let count = node.tokens_line();
        let widths = lines.iter().map(|line| width(line, BODY));
        let counts = count
            .iter()
            .map(|line| width(line, Style { bold: true, ..BODY }));
        let widest = widths
            .chain(counts)
            .fold(width(&self.name_of(node), NAME), f64::max);
        let below = (lines.len() + usize::from(count.is_some())) as f64 * LINE_HEIGHT;
        let rule = if node.shape == Shape::Entity && below > 0.0 {
            10.0
        } else {
            0.0
        };
        let size = match node.shape {
            Shape::Start => Size {
                width: 2.0 * DOT,
                height: 2.0 * DOT,
            },
            _ => Size {
                width: (widest + 2.0 * PADDING).max(60.0),
                height: NAME_HEIGHT + below + rule + PADDING,
            },
        };
        Box {
            size,
            point: node.shape == Shape::Start,
        }
    }
}

fn link(arrow: &Arrow) -> Link {
    let lines = arrow.lines();
    let widest = lines
        .iter()
        .map(|line| width(line, LABEL))
        .fold(0.0, f64::max);
    let label = match lines.len() {
        0 => Size::default(),
        count => Size {
            width: widest + 8.0,
            height: count as f64 * LINE_HEIGHT,
        },
    };
    Link {
        from: arrow.from,
        to: arrow.to,
        label,
    }
}

struct Writer<'a> {
    diagram: &'a Diagram,
    layout: &'a Layout,
    /// Whether the style sheet is left out and the places are named.
    for_page: bool,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(diagram: &'a Diagram, layout: &'a Layout) -> Self {
        let out = String::new();
        Self {
            diagram,
            layout,
            for_page: false,
            out,
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn text(&mut self, class: &str, anchor: &str, at: Point, style: Style, text: &str) {
        self.text_of(class, "", anchor, at, style, text);
    }

    /// Writes a text with further attributes.
    fn text_of(
        &mut self,
        class: &str,
        attributes: &str,
        anchor: &str,
        at: Point,
        style: Style,
        text: &str,
    ) {
        let element = format!(
            "<text class=\"{class}\"{attributes} x=\"{:.1}\" y=\"{:.1}\" font-size=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            at.x,
            at.y,
            style.size,
            escaped(text)
        );
        self.line(&element);
    }

    fn rect(&mut self, class: &str, rect: &Rect, radius: f64) {
        let element = format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius:.1}\"/>",
            rect.left(),
            rect.top(),
            rect.width,
            rect.height
        );
        self.line(&element);
    }

    fn write(mut self) -> String {
        let diagram = self.diagram;
        let drawn = extent(self.layout);
        let below = |text: &String| width(text, LABEL);
        let widest = diagram
            .notes
            .iter()
            .map(below)
            .fold(width(&diagram.title, TITLE), f64::max);
        let notes = diagram.notes.len() as f64 * LINE_HEIGHT;
        let page = Rect {
            width: drawn.width.max(widest) + 2.0 * MARGIN,
            height: drawn.height + TITLE_HEIGHT + notes + 2.0 * MARGIN,
            x: drawn.x,
            y: drawn.y + (notes - TITLE_HEIGHT) / 2.0,
        };
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ironweave\" role=\"img\" width=\"{:.0}\" height=\"{:.0}\" viewBox=\"{:.1} {:.1} {:.1} {:.1}\">",
            page.width.ceil(),
            page.height.ceil(),
            page.left(),
            page.top(),
            page.width,
            page.height
        );
        self.line(&head);
        self.line(&format!("<title>{}</title>", escaped(&diagram.title)));
        if !self.for_page {
            self.line(&format!("<style>{CSS}</style>"));
        }
        self.rect("paper", &page, 6.0);
        let left = page.left() + MARGIN;
        let at = Point {
            x: left,
            y: page.top() + MARGIN + 12.0,
        };
        self.text("title", "start", at, TITLE, &diagram.title);
        for (arrow, route) in diagram.arrows.iter().zip(&self.layout.routes) {
            self.arrow(arrow, route);
        }
        for (node, rect) in diagram.nodes.iter().zip(&self.layout.nodes) {
            let places = match self.for_page {
                true => places_of(&node.places),
                false => None,
            };
            if let Some(places) = &places {
                self.line(&format!("<g class=\"places\"{places}>"));
            }
            self.node(node, rect);
            if places.is_some() {
                self.line("</g>");
            }
        }
        for (at, note) in diagram.notes.iter().rev().enumerate() {
            let y = page.bottom() - MARGIN - at as f64 * LINE_HEIGHT;
            self.text("note", "start", Point { x: left, y }, LABEL, note);
        }
        self.out.push_str("</svg>\n");
        self.out
    }

    fn node(&mut self, node: &Node, rect: &Rect) {
        let round = match self.diagram.kind {
            Kind::Net => (rect.height / 2.0).min(17.0),
            _ => 10.0,
        };
        let (class, radius) = match node.shape {
            Shape::Start => {
                let element = format!(
                    "<circle class=\"start\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{DOT:.1}\"/>",
                    rect.x, rect.y
                );
                return self.line(&element);
            }
            Shape::State { .. } => ("node state", round),
            Shape::Entity => ("node entity", 3.0),
            Shape::Links => ("node links", round),
            Shape::Event { immediate: false } => ("node event", 0.0),
            Shape::Event { immediate: true } => ("node event immediate", 0.0),
        };
        self.rect(class, rect, radius);
        if matches!(node.shape, Shape::State { terminal: true, .. }) {
            let inner = Rect {
                width: rect.width - 7.0,
                height: rect.height - 7.0,
                ..*rect
            };
            self.rect("inner", &inner, (radius - 3.0).max(0.0));
        }
        let (lines, count) = (node.lines(), node.tokens_line());
        let below = (lines.len() + usize::from(count.is_some())) as f64 * LINE_HEIGHT;
        let rule = if node.shape == Shape::Entity && below > 0.0 {
            10.0
        } else {
            0.0
        };
        // The box of an entity type can be higher than its text.
        let mut y = 14.0
            + match node.shape {
                Shape::Entity if rule > 0.0 => rect.top() + PADDING / 2.0,
                _ => rect.y - (NAME_HEIGHT + below + rule) / 2.0,
            };
        self.text(
            "name",
            "middle",
            Point { x: rect.x, y },
            NAME,
            &self.diagram.name_of(node),
        );
        if rule > 0.0 {
            let at = y + 8.0;
            let element = format!(
                "<line class=\"rule\" x1=\"{:.1}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>",
                rect.left(),
                rect.right()
            );
            self.line(&element);
            y += rule;
        }
        y += 2.0;
        for line in &lines {
            y += LINE_HEIGHT;
            match node.shape {
                Shape::Entity => {
                    let at = Point {
                        x: rect.left() + PADDING,
                        y,
                    };
                    self.text("body", "start", at, BODY, line);
                }
                _ => self.text("body", "middle", Point { x: rect.x, y }, BODY, line),
            }
        }
        if let Some(count) = count {
            y += LINE_HEIGHT;
            self.text("count", "middle", Point { x: rect.x, y }, BODY, &count);
        }
    }

    fn arrow(&mut self, arrow: &Arrow, route: &Route) {
        let class = match arrow.line {
            Line::Solid => "line",
            Line::Dashed => "line dashed",
            Line::Dotted => "line dotted",
        };
        self.line("<g class=\"arrow\">");
        let path = rounded(&route.points);
        self.line(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
        if let ([first, second, ..], [.., before, last]) = (&route.points[..], &route.points[..]) {
            self.tip(arrow.tail, *first, *second);
            self.tip(arrow.head, *last, *before);
        }
        let lines = arrow.lines();
        if !lines.is_empty() {
            self.rect("paper", &route.label, 3.0);
        }
        let mut y = route.label.top() - 4.0;
        for (at, line) in lines.iter().enumerate() {
            y += LINE_HEIGHT;
            let count = arrow.tokens.is_some() && at + 1 == lines.len();
            let class = if count { "count" } else { "label" };
            let place = arrow.place.filter(|_| count && self.for_page);
            let places = place.and_then(|place| places_of(&[place]));
            self.text_of(
                class,
                places.as_deref().unwrap_or_default(),
                "middle",
                Point {
                    x: route.label.x,
                    y,
                },
                LABEL,
                line,
            );
        }
        self.line("</g>");
    }

    /// Draws an end of an arrow at a point, which comes from another one.
    fn tip(&mut self, tip: Tip, at: Point, from: Point) {
        let (dx, dy) = (from.x - at.x, from.y - at.y);
        let length = (dx * dx + dy * dy).sqrt().max(0.001);
        let (dx, dy) = (dx / length, dy / length);
        // The point at a distance from the end, and at another one to the side.
        let point = |along: f64, aside: f64| {
            let (x, y) = (
                at.x + dx * along - dy * aside,
                at.y + dy * along + dx * aside,
            );
            format!("{x:.1} {y:.1}")
        };
        let bar = |along: f64| format!("M{} L{}", point(along, -6.0), point(along, 6.0));
        let circle = |along: f64| {
            let (x, y) = (at.x + dx * along, at.y + dy * along);
            format!("<circle class=\"tip open\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>")
        };
        let foot = || {
            let (a, b, c) = (point(0.0, -6.0), point(10.0, 0.0), point(0.0, 6.0));
            format!("<path class=\"tip bare\" d=\"M{a} L{b} L{c}\"/>")
        };
        let bars = |d: String| format!("<path class=\"tip bare\" d=\"{d}\"/>");
        let element = match tip {
            Tip::Plain => return,
            Tip::Arrow => {
                let (a, b, c) = (point(9.0, -4.0), point(0.5, 0.0), point(9.0, 4.0));
                format!("<path class=\"tip\" d=\"M{a} L{b} L{c} Z\"/>")
            }
            Tip::Circle => circle(4.0),
            Tip::One => bars(format!("{} {}", bar(5.0), bar(9.0))),
            Tip::Option => bars(bar(4.0)) + &circle(9.5),
            Tip::Many => foot() + &circle(13.5),
            Tip::AtLeastOne => foot() + &bars(bar(12.5)),
        };
        self.line(&element);
    }
}

/// Returns the attribute that names places, or `None` if there are none.
fn places_of(places: &[PlaceIx]) -> Option<String> {
    let numbers: Vec<String> = places.iter().map(|place| place.0.to_string()).collect();
    (!numbers.is_empty()).then(|| format!(" data-places=\"{}\"", numbers.join(" ")))
}

/// Returns the data of a path through points, with rounded corners.
fn rounded(points: &[Point]) -> String {
    const RADIUS: f64 = 9.0;
    let mut out = String::new();
    let [first, .., last] = points else {
        return out;
    };
    let _ = write!(out, "M{:.1} {:.1}", first.x, first.y);
    // A point on the way from a corner to its neighbour.
    let toward = |corner: &Point, next: &Point| {
        let (dx, dy) = (next.x - corner.x, next.y - corner.y);
        let length = (dx * dx + dy * dy).sqrt();
        let part = if length > 0.0 {
            (RADIUS / length).min(0.5)
        } else {
            0.0
        };
        (corner.x + dx * part, corner.y + dy * part)
    };
    for corner in points.windows(3) {
        let [before, at, after] = corner else {
            continue;
        };
        let (from, to) = (toward(at, before), toward(at, after));
        let _ = write!(
            out,
            " L{:.1} {:.1} Q{:.1} {:.1} {:.1} {:.1}",
            from.0, from.1, at.x, at.y, to.0, to.1
        );
    }
    let _ = write!(out, " L{:.1} {:.1}", last.x, last.y);
    out
}

/// Returns a text as it is in XML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML permits neither.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
