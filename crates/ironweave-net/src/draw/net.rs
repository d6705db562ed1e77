//! The whole net as a diagram.

use super::{Arrow, Diagram, Kind, Line, Node, Shape, Tip};
use crate::{Action, Amount, Choice, Inscription, Net, Path, PlaceIx, Read, Tokens, Transition};

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
            node.remarks = remarks(net, event);
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

/// Returns what the arrows of an event do not show.
fn remarks(net: &Net, event: &Transition) -> Vec<String> {
    let mut remarks = Vec::new();
    match (&event.order, event.is_immediate()) {
        (Some(order), true) => remarks.push(format!("immediate, by {order}")),
        (None, true) => remarks.push("immediate".to_owned()),
        (_, false) => {}
    }
    remarks.extend(event.due.iter().map(|due| format!("due at {}", due.time)));
    for choice in &event.choices {
        remarks.extend(chosen(net, event, choice));
    }
    let conditions = event.conditions.iter();
    remarks.extend(conditions.map(|condition| format!("when {condition}")));
    remarks.extend(event.guards.iter().map(|guard| {
        let name = guard.rsplit("::").next().unwrap_or(guard);
        format!("guard {name}")
    }));
    remarks
}

/// Returns the lines of a choice: one, or one for each of its conditions too.
fn chosen(net: &Net, event: &Transition, choice: &Choice) -> Vec<String> {
    if choice.conditions.is_empty() {
        return vec![format!("choose {}", net.choice_text(event, choice))];
    }
    let plain = Choice {
        conditions: Vec::new(),
        order: None,
        ..choice.clone()
    };
    let conditions = choice.conditions.iter();
    let conditions = conditions.map(|condition| format!("where {condition}"));
    let order = choice.order.iter().map(|order| format!("by {order}"));
    let first = format!("choose {}", net.choice_text(event, &plain));
    std::iter::once(first)
        .chain(conditions)
        .chain(order)
        .collect()
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
            let Tokens::Entities(path) = &read.tokens else {
                continue;
            };
            // What is chosen to be moved or deleted has an arrow from its place.
            if read.inscription == Inscription::Chosen && self.is_taken(path) {
                continue;
            }
            let mut label = self.label(read.inscription, &read.tokens);
            if let Some(amount) = &read.amount {
                label = format!("{label} {}", amount.text());
            }
            let is_none = read.inscription == Inscription::None
                || read.amount.as_ref().is_some_and(Amount::requires_none);
            let head = if is_none { Tip::Circle } else { Tip::Plain };
            for place in self.shown(read, path) {
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

    /// The places from which a read has arrows. Entities that are counted in any state are counted at their edge.
    fn shown(&self, read: &Read, path: &Path) -> Vec<PlaceIx> {
        let entity = self.net.reached(self.event, path);
        let is_any = read.places == self.net[entity].states;
        match (read.inscription, path.hops.last()) {
            (Inscription::Counted, Some(hop)) if is_any => vec![self.net[hop.edge].place],
            _ => read.places.clone(),
        }
    }

    /// Whether an arc takes the tokens of a variable from their places.
    fn is_taken(&self, path: &Path) -> bool {
        self.event.arcs.iter().any(|arc| {
            let is_taking = matches!(arc.action, Action::Move { .. } | Action::Delete { .. });
            is_taking && matches!(&arc.tokens, Tokens::Entities(of) if of == path)
        })
    }

    fn label(&self, inscription: Inscription, tokens: &Tokens) -> String {
        let text = match tokens {
            Tokens::Entities(path) => self.net.path_text(self.event, path),
            // The place of the edge names the links.
            Tokens::Links { .. } => String::new(),
        };
        let chosen = match tokens {
            Tokens::Entities(path) if path.hops.is_empty() => self.event.choice(path.root),
            _ => None,
        };
        let inscription = match (inscription, chosen) {
            (Inscription::Bound | Inscription::Each, Some(_)) => Inscription::Chosen,
            _ => inscription,
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
