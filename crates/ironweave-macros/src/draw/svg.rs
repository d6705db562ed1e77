//! A placed picture as SVG within HTML, in the colours of the page.

use std::fmt::Write as _;

use super::layout::{DOT, Placed, Point};
use super::{Kind, Line, Picture};

/// The size of text.
const SIZE: f64 = 12.0;
/// The distance of lines of text.
pub const LINE: f64 = 15.0;

/// Returns the width of a line of text in a wide font.
pub fn width(text: &str) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ' ' | '|' | '\'' => 0.34,
        'f' | 'r' | 't' | 'I' | '(' | ')' => 0.42,
        'm' | 'w' | 'M' | 'W' => 1.0,
        'A'..='Z' => 0.79,
        c if c.is_ascii() => 0.65,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * SIZE
}

/// Writes a picture as one block of HTML, which Markdown leaves as it is.
pub fn write(picture: &Picture, placed: &Placed) -> String {
    let (width, height) = (placed.width, placed.height);
    let title = escaped(&picture.title);
    let mut out = format!(
        "\n\n<div style=\"overflow-x:auto\"><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{title}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         style=\"fill:none;stroke:currentColor;font-family:sans-serif;max-width:none\">\n"
    );
    for (at, arrow) in picture.arrows.iter().enumerate() {
        let dashes = match arrow.line {
            Line::Solid => "",
            Line::Dashed => " stroke-dasharray=\"6 4\"",
            Line::Dotted => " stroke-dasharray=\"2 3\"",
        };
        let pieces = &placed.arrows[at];
        let is_loop = arrow.from == arrow.to;
        let path: String = pieces.iter().map(|points| path(points, is_loop)).collect();
        let _ = writeln!(
            out,
            "<path class=\"iw-line\"{dashes} d=\"{}\"/>",
            path.trim()
        );
        if let Some([.., before, last]) = pieces.last().map(|points| &points[..]) {
            head(&mut out, *last, *before);
        }
        let label = placed.labels[at];
        for (line, text) in arrow.label.iter().enumerate() {
            let y = label.y + (line + 1) as f64 * LINE - 4.0;
            text_at(&mut out, (label.x + label.width / 2.0, y), "", text);
        }
    }
    for (this, rect) in picture.boxes.iter().zip(&placed.boxes) {
        let (x, y) = (rect.x, rect.y);
        if this.kind == Kind::Start {
            let _ = writeln!(
                out,
                "<circle class=\"iw-start\" fill=\"currentColor\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{DOT:.1}\"/>",
                x + DOT,
                y + DOT
            );
            continue;
        }
        let mut outline = |class: &str, inset: f64, radius: f64| {
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\"/>",
                x + inset,
                y + inset,
                rect.width - 2.0 * inset,
                rect.height - 2.0 * inset
            );
        };
        outline("iw-node", 0.0, 7.0);
        if this.kind == Kind::Terminal {
            outline("iw-inner", 3.0, 4.0);
        }
        let top = y + (rect.height - this.lines.len() as f64 * LINE) / 2.0;
        for (line, text) in this.lines.iter().enumerate() {
            let y = top + (line + 1) as f64 * LINE - 4.0;
            let weight = if line == 0 {
                " font-weight=\"600\""
            } else {
                ""
            };
            text_at(&mut out, (x + rect.width / 2.0, y), weight, text);
        }
    }
    out.push_str("</svg></div>\n\n");
    out
}

fn text_at(out: &mut String, (x, y): Point, weight: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{SIZE}\"{weight} text-anchor=\"middle\" style=\"fill:currentColor;stroke:none\">{text}</text>"
    );
}

/// Returns a path: straight if it is a loop or vertical, and otherwise curves that are vertical at their ends.
fn path(points: &[Point], straight: bool) -> String {
    let mut out = String::new();
    let mut last: Option<Point> = None;
    for &(x, y) in points {
        let _ = match last {
            None => write!(out, " M{x:.1} {y:.1}"),
            Some(from) if straight || (from.0 - x).abs() < 0.05 => write!(out, " L{x:.1} {y:.1}"),
            Some(from) => {
                let middle = (from.1 + y) / 2.0;
                write!(
                    out,
                    " C{:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}",
                    from.0
                )
            }
        };
        last = Some((x, y));
    }
    out
}

/// Draws the head of an arrow at a point to which it comes from another one, straight down, up or to the left.
fn head(out: &mut String, (x, y): Point, (from_x, from_y): Point) {
    let (dx, dy) = if (from_x - x).abs() > (from_y - y).abs() {
        ((from_x - x).signum(), 0.0)
    } else {
        (0.0, (from_y - y).signum())
    };
    let (a, b) = (
        (x + dx * 8.0 - dy * 3.5, y + dy * 8.0 + dx * 3.5),
        (x + dx * 8.0 + dy * 3.5, y + dy * 8.0 - dx * 3.5),
    );
    let _ = writeln!(
        out,
        "<path fill=\"currentColor\" d=\"M{x:.1} {y:.1} L{:.1} {:.1} L{:.1} {:.1} Z\"/>",
        a.0, a.1, b.0, b.1
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
