//! Pictures of the net of a model: the lifecycle of an entity type, the entity types with their edges, and the whole net.
//!
//! A picture is first a [`Diagram`], which is plain data, and then text in one of several languages.
//!
//! | to | use |
//! |---|---|
//! | draw the states of an entity type, and the events that move it | [`Diagram::lifecycle`] |
//! | draw the entity types and edges with cardinalities and data | [`Diagram::edges`] |
//! | draw the places and the events that move tokens between them | [`Diagram::net`] |
//! | show how many entities and links there are | [`Diagram::with_tokens`] |
//! | write DOT for Graphviz, or Mermaid for Markdown | [`Diagram::to_dot`], [`Diagram::to_mermaid`] |
//! | lay it out and write SVG (feature `svg`) | `Diagram::to_svg` |

mod dot;
mod edges;
mod lifecycle;
mod mermaid;
mod net;
#[cfg(feature = "svg")]
mod svg;
#[cfg(test)]
mod tests;

use crate::{Field, PlaceIx};

/// A picture as plain data: nodes, which may be in groups, and arrows between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagram {
    /// What the picture shows.
    pub kind: Kind,
    /// The title: `Lifecycle of Partition`.
    pub title: String,
    /// The nodes. An arrow refers to them by position.
    pub nodes: Vec<Node>,
    /// The arrows, in a defined order.
    pub arrows: Vec<Arrow>,
    /// The names of the groups. A node refers to them by position.
    pub groups: Vec<String>,
    /// Remarks below the picture.
    pub notes: Vec<String>,
}

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The lifecycle of an entity type.
    Lifecycle,
    /// The entity types and their edges.
    Edges,
    /// The net.
    Net,
    /// The states that a checker has found, with the events between them.
    States,
}

/// A node of a [`Diagram`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// What it represents, which determines its outline.
    pub shape: Shape,
    /// The name. It is empty for [`Shape::Start`].
    pub name: String,
    /// Fields of the entity type, or data of the state.
    pub fields: Vec<Field>,
    /// Further lines: the choices of an event, its conditions on values, its guards, and when it fires.
    pub remarks: Vec<String>,
    /// The places that the node represents: one for a state or an edge, all states for an entity type, none for an event.
    pub places: Vec<PlaceIx>,
    /// The number of tokens in these places, if it is known.
    pub tokens: Option<u64>,
    /// The group that contains it.
    pub group: Option<usize>,
}

/// What a node represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// The dot from which the arrows to the states of new entities start.
    Start,
    /// A state.
    State {
        /// Whether it is the state of a new entity, unless an event names another one.
        initial: bool,
        /// Whether it is terminal.
        terminal: bool,
    },
    /// An entity type.
    Entity,
    /// The place of the links of an edge.
    Links,
    /// An event.
    Event {
        /// Whether it fires by itself.
        immediate: bool,
    },
}

/// An arrow of a [`Diagram`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrow {
    /// The node where it starts.
    pub from: usize,
    /// The node where it ends.
    pub to: usize,
    /// The lines of its label.
    pub label: Vec<String>,
    /// How it is drawn.
    pub line: Line,
    /// Its end at `from`.
    pub tail: Tip,
    /// Its end at `to`.
    pub head: Tip,
    /// The place of the edge, if the arrow represents one.
    pub place: Option<PlaceIx>,
    /// The number of links, if the arrow represents an edge and the number is known.
    pub tokens: Option<u64>,
}

/// How an arrow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Line {
    /// A declared change.
    Solid,
    /// A change that a handler may make.
    Dashed,
    /// A condition, or a move of a lifecycle that no event makes.
    Dotted,
}

/// An end of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tip {
    /// Nothing.
    Plain,
    /// An arrow head.
    Arrow,
    /// A small circle: there must be no token.
    Circle,
    /// Exactly one entity at this end.
    One,
    /// At most one entity at this end.
    Option,
    /// Any number of entities at this end.
    Many,
    /// At least one entity at this end.
    AtLeastOne,
}

impl Diagram {
    /// Returns a picture of nothing, for nodes and arrows that are not those of a net.
    #[must_use]
    pub fn new(kind: Kind, title: String) -> Self {
        Self {
            kind,
            title,
            nodes: Vec::new(),
            arrows: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds the numbers of tokens. `tokens` has one for each place of the net, in order.
    #[must_use]
    pub fn with_tokens(mut self, tokens: &[u64]) -> Self {
        let count = |place: &PlaceIx| tokens.get(place.0 as usize).copied();
        for node in self.nodes.iter_mut().filter(|n| !n.places.is_empty()) {
            node.tokens = node.places.iter().map(count).sum();
        }
        for arrow in &mut self.arrows {
            arrow.tokens = arrow.place.as_ref().and_then(count);
        }
        self
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

impl Node {
    /// Returns a node that has only a name.
    #[must_use]
    pub fn new(shape: Shape, name: &str) -> Self {
        Self {
            shape,
            name: name.to_owned(),
            fields: Vec::new(),
            remarks: Vec::new(),
            places: Vec::new(),
            tokens: None,
            group: None,
        }
    }

    /// Returns the lines below the name: the fields, then the remarks.
    fn lines(&self) -> Vec<String> {
        let fields = self.fields.iter().map(|field| {
            let key = if field.key { " (key)" } else { "" };
            format!("{}: {}{key}", field.name, short_type(&field.ty))
        });
        fields.chain(self.remarks.iter().cloned()).collect()
    }

    /// Returns the number of tokens as a line of text.
    fn tokens_line(&self) -> Option<String> {
        let tokens = self.tokens?;
        Some(match self.shape {
            Shape::Links => links(tokens),
            _ if tokens == 1 => "1 entity".to_owned(),
            _ => format!("{tokens} entities"),
        })
    }
}

impl Arrow {
    /// Returns an arrow without a label, with a head at its end.
    #[must_use]
    pub fn new(from: usize, to: usize, line: Line) -> Self {
        Self {
            from,
            to,
            label: Vec::new(),
            line,
            tail: Tip::Plain,
            head: Tip::Arrow,
            place: None,
            tokens: None,
        }
    }

    /// Returns the lines of the label, and the number of links.
    fn lines(&self) -> Vec<String> {
        let tokens = self.tokens.map(links);
        self.label.iter().cloned().chain(tokens).collect()
    }
}

fn links(count: u64) -> String {
    match count {
        1 => "1 link".to_owned(),
        _ => format!("{count} links"),
    }
}

/// Returns a type without the modules of its paths: `BTreeMap<i32, Label>` for `std::collections::BTreeMap<i32, super::Label>`.
fn short_type(ty: &str) -> String {
    let mut out = String::new();
    for part in ty.split_inclusive("::") {
        let Some(path) = part.strip_suffix("::") else {
            out.push_str(part);
            continue;
        };
        let kept = path.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        out.push_str(kept);
    }
    out
}
