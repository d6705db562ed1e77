//! The lifecycle of an entity type as a diagram.

use super::{Arrow, Diagram, Kind, Line, Node, Shape};
use crate::{Action, EntityIx, Net, PlaceIx, PlaceKind, Transition};

impl Diagram {
    /// Draws the lifecycle of an entity type: its states, and the events that move an entity.
    ///
    /// An arrow is solid if events declare the move, dashed if their handlers may make it, and dotted if the lifecycle
    /// allows it and no event makes it.
    ///
    /// # Panics
    /// If the net has no such entity type.
    #[must_use]
    pub fn lifecycle(net: &Net, entity: EntityIx) -> Self {
        let of = &net[entity];
        let mut diagram = Self::new(Kind::Lifecycle, format!("Lifecycle of {}", of.name));
        let start = diagram.add(Node::new(Shape::Start, ""));
        for &place in &of.states {
            let mut node = Node::new(Shape::of(net, place), net.state_name(place));
            if let PlaceKind::State { data, .. } = &net[place].kind {
                node.fields.clone_from(data);
            }
            node.places.push(place);
            diagram.add(node);
        }
        let mut draw = Lifecycle {
            net,
            entity,
            start,
            diagram,
        };
        draw.creations();
        draw.moves();
        draw.deletions();
        draw.diagram
    }
}

impl Shape {
    /// Returns the shape of a place.
    pub(super) fn of(net: &Net, place: PlaceIx) -> Self {
        match net[place].kind {
            PlaceKind::State {
                initial, terminal, ..
            } => Self::State { initial, terminal },
            PlaceKind::Edge(_) => Self::Links,
        }
    }
}

/// Returns the name of an event, with a mark if it fires by itself or at a time.
fn name_of(event: &Transition) -> String {
    match (event.is_immediate(), &event.due) {
        (true, _) => format!("{} (immediate)", event.name),
        (false, Some(_)) => format!("{} (due)", event.name),
        (false, None) => event.name.clone(),
    }
}

struct Lifecycle<'a> {
    net: &'a Net,
    entity: EntityIx,
    start: usize,
    diagram: Diagram,
}

impl Lifecycle<'_> {
    fn node(&self, place: PlaceIx) -> usize {
        let at = self.diagram.nodes.iter();
        let at = at.clone().position(|node| node.places == [place]);
        at.unwrap_or(self.start)
    }

    /// Returns the labels of the events for which an action is accepted: of those that declare it, and of those whose handlers may do it.
    fn labels(&self, accept: impl Fn(&Action) -> Option<&'static str>) -> [Vec<String>; 2] {
        let mut labels = [Vec::new(), Vec::new()];
        for event in &self.net.transitions {
            let declared = event.arcs.iter().filter(|arc| !arc.implied);
            let permits = event.handler.iter().flat_map(|handler| &handler.permits);
            let actions = declared.map(|arc| (0, &arc.action));
            for (which, action) in actions.chain(permits.map(|permit| (1, permit))) {
                let Some(how) = accept(action) else { continue };
                let by = if which == 1 { " (handler)" } else { "" };
                let label = format!("{}{how}{by}", name_of(event));
                if !labels[which].contains(&label) {
                    labels[which].push(label);
                }
            }
        }
        labels
    }

    fn arrows(&mut self, from: usize, to: usize, labels: [Vec<String>; 2]) -> bool {
        let mut any = false;
        for (label, line) in labels.into_iter().zip([Line::Solid, Line::Dashed]) {
            if label.is_empty() {
                continue;
            }
            any = true;
            self.diagram.arrows.push(Arrow {
                label,
                ..Arrow::new(from, to, line)
            });
        }
        any
    }

    fn creations(&mut self) {
        let of = &self.net[self.entity];
        for &place in &of.states {
            let labels = self.labels(|action| match action {
                Action::Create { to } if *to == place => Some(""),
                Action::Ensure { to } if *to == place => Some(" (if absent)"),
                _ => None,
            });
            let node = self.node(place);
            if !self.arrows(self.start, node, labels) && place == of.initial {
                let arrow = Arrow::new(self.start, node, Line::Dotted);
                self.diagram.arrows.push(Arrow {
                    label: vec!["no event".to_owned()],
                    ..arrow
                });
            }
        }
    }

    fn moves(&mut self) {
        let of = &self.net[self.entity];
        for (at, step) in of.lifecycle.iter().enumerate() {
            let repeated = of.lifecycle.iter().take(at);
            if { repeated }.any(|other| (other.from, other.to) == (step.from, step.to)) {
                continue;
            }
            let labels = self.labels(|action| match action {
                Action::Move { from, to } if from.contains(&step.from) && *to == step.to => {
                    Some("")
                }
                _ => None,
            });
            let (from, to) = (self.node(step.from), self.node(step.to));
            if !self.arrows(from, to, labels) {
                self.diagram.arrows.push(Arrow {
                    label: vec!["no event".to_owned()],
                    ..Arrow::new(from, to, Line::Dotted)
                });
            }
        }
    }

    fn deletions(&mut self) {
        let of = &self.net[self.entity];
        let deletes =
            |action: &Action| matches!(action, Action::Delete { from } if *from == of.states);
        let mut by: Vec<String> = self
            .labels(|action| deletes(action).then_some(""))
            .into_iter()
            .flatten()
            .collect();
        for event in &self.net.transitions {
            let mut implied = event.arcs.iter().filter(|arc| arc.implied);
            if implied.any(|arc| deletes(&arc.action)) && !by.contains(&name_of(event)) {
                by.push(format!("{} (cascade)", name_of(event)));
            }
        }
        if !by.is_empty() {
            self.diagram
                .notes
                .push(format!("Deleted by {}", by.join(", ")));
        }
    }
}
