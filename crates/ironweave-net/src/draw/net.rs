//! The whole net as a diagram.

use super::{Arrow, Diagram, Kind, Line, Node, Shape, Tip};
use crate::{Action, Inscription, Net, PlaceIx, Tokens, Transition};

impl Diagram {
    /// Draws the net: a place for each state and each edge, and an event with an arrow for each token that it takes or puts.
    ///
    /// Solid arrows are declared, dashed ones are what a handler may do, and dotted ones are conditions. What follows from
    /// the deletion of an entity by the policy of an edge is not shown, and neither are fields that are set.
    #[must_use]
    pub fn net(net: &Net) -> Self {
        let mut diagram = Self::new(Kind::Net, format!("Net of {}", net.name));
        diagram.groups = net.entities.iter().map(|e| e.name.clone()).collect();
        for (at, place) in net.places.iter().enumerate() {
            let place_ix = PlaceIx(at as u32);
            let mut node = Node::new(Shape::of(net, place_ix), net.state_name(place_ix));
            node.places.push(place_ix);
            node.group = place.entity().map(|entity| entity.index());
            diagram.add(node);
        }
        for event in &net.transitions {
            let shape = Shape::Event {
                immediate: event.is_immediate(),
            };
            let mut node = Node::new(shape, &event.name);
            if event.is_immediate() {
                node.remarks.push("immediate".to_owned());
            }
            let guards = event.guards.iter();
            node.remarks.extend(guards.map(|guard| {
                let name = guard.rsplit("::").next().unwrap_or(guard);
                format!("guard {name}")
            }));
            let node = diagram.add(node);
            Arrows {
                net,
                event,
                node,
                diagram: &mut diagram,
            }
            .draw();
        }
        let lines = [
            (
                Line::Dashed,
                "Dashed: a handler may do it, any number of times.",
            ),
            (
                Line::Dotted,
                "Dotted: a condition. With a circle, there must be none.",
            ),
        ];
        for (line, note) in lines {
            if diagram.arrows.iter().any(|arrow| arrow.line == line) {
                diagram.notes.push(note.to_owned());
            }
        }
        diagram
    }
}

/// The arrows of one event.
struct Arrows<'a> {
    net: &'a Net,
    event: &'a Transition,
    node: usize,
    diagram: &'a mut Diagram,
}

impl Arrows<'_> {
    fn draw(&mut self) {
        for read in &self.event.reads {
            if !matches!(read.tokens, Tokens::Entities(_)) {
                continue;
            }
            let label = self.label(read.inscription, &read.tokens);
            let head = match read.inscription {
                Inscription::None => Tip::Circle,
                _ => Tip::Plain,
            };
            for place in &read.places {
                self.push(Arrow {
                    label: Some(label.clone())
                        .filter(|l| !l.is_empty())
                        .into_iter()
                        .collect(),
                    head,
                    ..Arrow::new(place.0 as usize, self.node, Line::Dotted)
                });
            }
        }
        for arc in self.event.arcs.iter().filter(|arc| !arc.implied) {
            let label = self.label(arc.inscription, &arc.tokens);
            self.action(&arc.action, Line::Solid, &label);
        }
        for permit in self.event.handler.iter().flat_map(|h| &h.permits) {
            self.action(permit, Line::Dashed, "");
        }
    }

    fn label(&self, inscription: Inscription, tokens: &Tokens) -> String {
        let text = match tokens {
            Tokens::Entities(path) => self.net.path_text(self.event, path),
            // The place of the edge names the links.
            Tokens::Links { .. } => String::new(),
        };
        let is_clear = match tokens {
            Tokens::Entities(path) if path.hops.is_empty() => {
                let of = self.event[path.root].entity;
                let variables = self.event.variables.iter();
                variables.filter(|variable| variable.entity == of).count() == 1
            }
            _ => false,
        };
        match (inscription.text(), &*text) {
            // The only variable of its type.
            ("", _) if is_clear => String::new(),
            ("", text) => text.to_owned(),
            (word, "") => word.to_owned(),
            (word, text) => format!("{word} {text}"),
        }
    }

    fn action(&mut self, action: &Action, line: Line, label: &str) {
        let (takes, puts) = (action.takes(), action.puts());
        let label: Vec<String> = match label {
            "" => Vec::new(),
            label => vec![label.to_owned()],
        };
        for &place in takes {
            // An arrow with two heads takes a token and puts one back.
            let both = Some(place) == puts;
            self.push(Arrow {
                label: label.clone(),
                tail: if both { Tip::Arrow } else { Tip::Plain },
                ..Arrow::new(place.0 as usize, self.node, line)
            });
        }
        let Some(to) = puts.filter(|to| !takes.contains(to)) else {
            return;
        };
        // The label of a move is at the tokens that it takes.
        self.push(Arrow {
            label: if takes.is_empty() { label } else { Vec::new() },
            ..Arrow::new(self.node, to.0 as usize, line)
        });
    }

    /// Adds an arrow, or its label to that of an equal one.
    fn push(&mut self, arrow: Arrow) {
        let equal = |other: &&mut Arrow| {
            (other.from, other.to, other.line, other.tail, other.head)
                == (arrow.from, arrow.to, arrow.line, arrow.tail, arrow.head)
        };
        match self.diagram.arrows.iter_mut().find(equal) {
            Some(other) => {
                for line in arrow.label {
                    if !other.label.contains(&line) {
                        other.label.push(line);
                    }
                }
            }
            None => self.diagram.arrows.push(arrow),
        }
    }
}
