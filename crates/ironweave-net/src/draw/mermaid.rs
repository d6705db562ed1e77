//! Diagrams in Mermaid, which GitHub and others render in Markdown.

use std::fmt::Write as _;

use super::{Arrow, Diagram, Kind, Line, Node, Shape, Tip, short_type};

impl Diagram {
    /// Returns the diagram in Mermaid: a state diagram, an entity-relationship diagram, or a flowchart of the net.
    ///
    /// A state diagram has no dashed and dotted lines, so only its labels say that a handler makes a move.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = format!("---\ntitle: {}\n---\n", yaml(&self.title));
        match self.kind {
            Kind::Lifecycle | Kind::States => self.write_states(&mut out),
            Kind::Edges => self.write_entities(&mut out),
            Kind::Net => self.write_flowchart(&mut out),
        }
        for note in &self.notes {
            let _ = writeln!(out, "%% {}", note.replace(char::is_control, " "));
        }
        out
    }

    fn write_states(&self, out: &mut String) {
        out.push_str("stateDiagram-v2\n");
        for (at, node) in self.nodes.iter().enumerate() {
            if node.shape == Shape::Start {
                continue;
            }
            let id = id(at, node);
            let lines: Vec<String> = node.lines().into_iter().chain(node.tokens_line()).collect();
            let text = label(std::iter::once(&node.name).chain(&lines));
            let _ = writeln!(out, "    state \"{text}\" as {id}");
        }
        for arrow in &self.arrows {
            let ends = [arrow.from, arrow.to].map(|at| id(at, &self.nodes[at]));
            let _ = writeln!(out, "    {} --> {}{}", ends[0], ends[1], after(arrow));
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if matches!(node.shape, Shape::State { terminal: true, .. }) {
                let _ = writeln!(out, "    {} --> [*]", id(at, node));
            }
        }
    }

    fn write_entities(&self, out: &mut String) {
        out.push_str("erDiagram\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let id = id(at, node);
            let title = match node.tokens_line() {
                Some(tokens) => {
                    format!("{id}[\"{}\"]", escaped(&format!("{}: {tokens}", node.name)))
                }
                None if id == node.name => id,
                None => format!("{id}[\"{}\"]", escaped(&node.name)),
            };
            if node.fields.is_empty() {
                let _ = writeln!(out, "    {title}");
                continue;
            }
            let _ = writeln!(out, "    {title} {{");
            for field in &node.fields {
                let key = if field.key { " PK" } else { "" };
                let _ = writeln!(
                    out,
                    "        {} {}{key}",
                    attribute(&short_type(&field.ty)),
                    attribute(&field.name)
                );
            }
            out.push_str("    }\n");
        }
        for arrow in &self.arrows {
            let ends = [arrow.from, arrow.to].map(|at| id(at, &self.nodes[at]));
            let (left, right) = (cardinality(arrow.tail, "}"), cardinality(arrow.head, "{"));
            let text = escaped(&arrow.lines().join(", "));
            let _ = writeln!(
                out,
                "    {} {left}--{right} {} : \"{text}\"",
                ends[0], ends[1]
            );
        }
    }

    fn write_flowchart(&self, out: &mut String) {
        out.push_str("flowchart TB\n");
        for (group, name) in self.groups.iter().enumerate() {
            let _ = writeln!(out, "    subgraph g{group} [\"{}\"]", escaped(name));
            for (at, node) in self.nodes.iter().enumerate() {
                if node.group == Some(group) {
                    let _ = writeln!(out, "        {}", flowchart_node(at, node));
                }
            }
            out.push_str("    end\n");
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if node.group.is_none() {
                let _ = writeln!(out, "    {}", flowchart_node(at, node));
            }
        }
        for arrow in &self.arrows {
            let tail = if arrow.tail == Tip::Arrow { "<" } else { "" };
            let (line, long) = match arrow.line {
                Line::Solid => ("--", "---"),
                Line::Dashed | Line::Dotted => ("-.-", "-.-"),
            };
            let line = match arrow.head {
                Tip::Arrow => format!("{tail}{line}>"),
                Tip::Circle => format!("{tail}{line}o"),
                _ => format!("{tail}{long}"),
            };
            let text = match &*arrow.lines() {
                [] => String::new(),
                lines => format!("|\"{}\"|", label(lines)),
            };
            let _ = writeln!(out, "    n{} {line}{text} n{}", arrow.from, arrow.to);
        }
    }
}

fn flowchart_node(at: usize, node: &Node) -> String {
    let lines: Vec<String> = node.lines().into_iter().chain(node.tokens_line()).collect();
    let text = label(std::iter::once(&node.name).chain(&lines));
    match node.shape {
        Shape::Event { immediate: false } => format!("n{at}[\"{text}\"]"),
        Shape::Event { immediate: true } => format!("n{at}[[\"{text}\"]]"),
        Shape::State { terminal: true, .. } => format!("n{at}(((\"{text}\")))"),
        _ => format!("n{at}([\"{text}\"])"),
    }
}

/// The keywords of state diagrams and entity-relationship diagrams, whose case Mermaid ignores.
const KEYWORDS: [&str; 14] = [
    "accDescr", "accTitle", "class", "classDef", "default", "end", "many", "note", "one", "scale",
    "state", "style", "subgraph", "to",
];

/// Returns the name by which the diagram refers to a node: that of the node if Mermaid reads it as a name. It begins with a
/// capital letter, so it is not that of another node that has a number.
fn id(at: usize, node: &Node) -> String {
    let mut chars = node.name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.iter().any(|k| k.eq_ignore_ascii_case(&node.name));
    match node.shape {
        Shape::Start => "[*]".to_owned(),
        _ if plain => node.name.clone(),
        _ => format!("n{at}"),
    }
}

/// Returns the label of a transition, with its colon.
fn after(arrow: &Arrow) -> String {
    match &*arrow.lines() {
        [] => String::new(),
        // A colon would end the label.
        lines => format!(" : {}", label(lines).replace(':', "#58;")),
    }
}

fn cardinality(tip: Tip, crow: &str) -> String {
    // The mark for the maximum is at the entity, so it is the outer one of both.
    let (min, max) = match tip {
        Tip::One => ("|", "|"),
        Tip::Option => ("o", "|"),
        Tip::AtLeastOne => ("|", crow),
        _ => ("o", crow),
    };
    match crow {
        "}" => format!("{max}{min}"),
        _ => format!("{min}{max}"),
    }
}

fn label<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let lines: Vec<String> = lines.into_iter().map(|line| escaped(line)).collect();
    lines.join("<br/>")
}

/// Returns a text with entities for the characters that have a meaning in Mermaid or in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | ';' | '<' | '>' | '&' | '{' | '}' | '|' | '\\' | '`' | '%' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Returns a text as a quoted string of YAML.
fn yaml(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns a type or a field as a word that an entity of Mermaid can have: `Vec<String>` becomes `Vec[String]`.
fn attribute(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push('['),
            '>' => out.push(']'),
            c if c.is_alphanumeric() || "_[]()".contains(c) => out.push(c),
            c if c.is_whitespace() => {}
            _ => out.push('-'),
        }
    }
    match out.chars().next() {
        // The marks of a key, whose case Mermaid ignores.
        _ if ["pk", "fk", "uk"]
            .iter()
            .any(|key| key.eq_ignore_ascii_case(&out)) =>
        {
            format!("_{out}")
        }
        Some(c) if c.is_alphabetic() || c == '_' => out,
        _ => format!("_{out}"),
    }
}
