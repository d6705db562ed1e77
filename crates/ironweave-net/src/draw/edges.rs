//! The entity types and their edges as a diagram.

use super::{Arrow, Diagram, Kind, Line, Node, Shape, Tip};
use crate::{Cardinality, End, Net};

impl Diagram {
    /// Draws the entity types with their fields, and the edges with their cardinalities and data.
    #[must_use]
    pub fn edges(net: &Net) -> Self {
        let mut diagram = Self::new(Kind::Edges, format!("Edges of {}", net.name));
        for entity in &net.entities {
            let mut node = Node::new(Shape::Entity, &entity.name);
            node.fields.clone_from(&entity.fields);
            node.places.clone_from(&entity.states);
            diagram.add(node);
        }
        for edge in &net.edges {
            let mut label = vec![label(&edge.from)];
            if !edge.to.name.is_empty() {
                label.push(format!("inverse {}", self::label(&edge.to)));
            }
            if let Some(data) = &edge.data {
                label.push(format!("data {data}"));
            }
            if edge.acyclic {
                label.push("acyclic".to_owned());
            }
            let (from, to) = (edge.from.entity.index(), edge.to.entity.index());
            diagram.arrows.push(Arrow {
                label,
                tail: tip(&edge.to),
                head: tip(&edge.from),
                place: Some(edge.place),
                ..Arrow::new(from, to, Line::Solid)
            });
        }
        diagram
    }
}

/// Returns the name of an end, with the bounds that its tip does not show.
fn label(end: &End) -> String {
    let name = &end.name;
    match (end.min, end.max) {
        _ if end.cardinality != Cardinality::Many => name.clone(),
        (0 | 1, None) => name.clone(),
        (min, None) => format!("{name} (at least {min})"),
        (0, Some(max)) => format!("{name} (at most {max})"),
        (min, Some(max)) => format!("{name} ({min} to {max})"),
    }
}

/// Returns the tip that shows how many entities the other side has. It is drawn at the entity type that the end refers to.
fn tip(end: &End) -> Tip {
    match end.cardinality {
        Cardinality::One => Tip::One,
        Cardinality::Option => Tip::Option,
        Cardinality::Many if end.min > 0 => Tip::AtLeastOne,
        Cardinality::Many => Tip::Many,
    }
}
