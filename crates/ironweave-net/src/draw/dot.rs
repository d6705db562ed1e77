//! Diagrams in DOT, the language of Graphviz.

use std::fmt::Write as _;

use super::{Arrow, Diagram, Line, Node, Shape, Tip};

impl Diagram {
    /// Returns the diagram in DOT, for Graphviz: `dot -Tsvg`.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut out = format!("digraph {} {{\n", quoted(&self.title));
        let mut line = |indent: &str, text: &str| {
            let _ = writeln!(out, "{indent}{text}");
        };
        let label: Vec<&str> = std::iter::once(&*self.title)
            .chain(self.notes.iter().map(String::as_str))
            .collect();
        line("  ", &format!("label={};", lines(&label, "\\n")));
        line("  ", "fontname=\"Helvetica\";");
        line("  ", "node [fontname=\"Helvetica\", shape=box];");
        line("  ", "edge [fontname=\"Helvetica\", fontsize=11];");
        for (group, name) in self.groups.iter().enumerate() {
            line("  ", &format!("subgraph cluster_{group} {{"));
            line("    ", &format!("label={};", quoted(name)));
            for (at, node) in self.nodes.iter().enumerate() {
                if node.group == Some(group) {
                    line("    ", &statement(at, node));
                }
            }
            line("  ", "}");
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if node.group.is_none() {
                line("  ", &statement(at, node));
            }
        }
        for arrow in &self.arrows {
            line("  ", &edge(arrow));
        }
        out.push_str("}\n");
        out
    }
}

/// Returns a text as a quoted string of DOT.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, ""))
}

/// Returns lines as a quoted string of DOT. Each ends with `end`, which is an escape sequence.
fn lines(lines: &[&str], end: &str) -> String {
    let lines = lines.iter().map(|line| escaped(line, "") + end);
    format!("\"{}\"", lines.collect::<String>())
}

/// Returns a text as it is in a quoted string, with a backslash before further characters too.
fn escaped(text: &str, further: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c == '"' || c == '\\' || further.contains(c) => out.extend(['\\', c]),
            // Graphviz reads the entities of HTML.
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Returns a node. The lines of one with fields are aligned to the left, below the name.
fn statement(at: usize, node: &Node) -> String {
    let style = match node.shape {
        Shape::Start => return format!("n{at} [shape=point, width=0.15, label=\"\"];"),
        Shape::State { terminal: true, .. } => "style=rounded, peripheries=2",
        Shape::State { .. } => "style=rounded",
        Shape::Entity => "shape=record",
        Shape::Links => "shape=ellipse",
        Shape::Event { immediate: false } => "style=filled, fillcolor=gray92",
        Shape::Event { immediate: true } => "style=filled, fillcolor=gray80",
    };
    let body: Vec<String> = node.lines().into_iter().chain(node.tokens_line()).collect();
    let body: Vec<&str> = body.iter().map(String::as_str).collect();
    let label = if node.shape == Shape::Entity {
        let escape = |text: &str| escaped(text, "{}|<>");
        let body: String = body.iter().map(|line| escape(line) + "\\l").collect();
        match &*body {
            "" => format!("\"{{{}}}\"", escape(&node.name)),
            body => format!("\"{{{}|{body}}}\"", escape(&node.name)),
        }
    } else if body.is_empty() {
        quoted(&node.name)
    } else {
        let all: Vec<&str> = std::iter::once(&*node.name).chain(body).collect();
        lines(&all, "\\n")
    };
    format!("n{at} [{style}, label={label}];")
}

fn edge(arrow: &Arrow) -> String {
    let label = arrow.lines();
    let label: Vec<&str> = label.iter().map(String::as_str).collect();
    let mut attributes = Vec::new();
    if !label.is_empty() {
        attributes.push(format!("label={}", lines(&label, "\\n")));
    }
    match arrow.line {
        Line::Solid => {}
        Line::Dashed => attributes.push("style=dashed".to_owned()),
        Line::Dotted => attributes.push("style=dotted".to_owned()),
    }
    if arrow.tail != Tip::Plain {
        attributes.push("dir=both".to_owned());
        attributes.push(format!("arrowtail={}", tip(arrow.tail)));
    }
    if arrow.head != Tip::Arrow {
        attributes.push(format!("arrowhead={}", tip(arrow.head)));
    }
    let attributes = match attributes.is_empty() {
        true => String::new(),
        false => format!(" [{}]", attributes.join(", ")),
    };
    format!("n{} -> n{}{attributes};", arrow.from, arrow.to)
}

fn tip(tip: Tip) -> &'static str {
    match tip {
        Tip::Plain => "none",
        Tip::Arrow => "normal",
        Tip::Circle => "odot",
        Tip::One => "teetee",
        Tip::Option => "teeodot",
        Tip::Many => "crowodot",
        Tip::AtLeastOne => "crowtee",
    }
}
