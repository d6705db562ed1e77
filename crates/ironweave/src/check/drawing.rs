//! The states of a small exploration as a picture (feature `draw`).

use std::collections::BTreeMap;
use std::fmt;

use crate::graph::Graph;
use crate::graph::storage::Flat;
use crate::schema::EntityIx;
use ironweave_net::draw::{Arrow, Diagram, Kind, Line, Node, Shape};

/// The number of states that are drawn at most. A picture of more cannot be read.
const STATES_MAX: usize = 200;

/// The error of [`Report::graph`](super::Report::graph): there are too many states to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyStates {
    /// The number of states that were found.
    pub states: usize,
}

impl fmt::Display for TooManyStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states are too many for a picture, which has at most {STATES_MAX}; lower the bounds of the checker, use symmetry, or \
             end the exploration by `depth_max`",
            self.states
        )
    }
}

impl std::error::Error for TooManyStates {}

/// Collects what is drawn, as long as there are not too many states.
#[derive(Default)]
pub(super) struct Drawing {
    /// By state, the lines of its text.
    states: Vec<Vec<String>>,
    /// The events that lead from one state to another.
    arrows: BTreeMap<(u32, u32), Vec<String>>,
    has_too_many: bool,
}

impl Drawing {
    /// Adds the state in which the graph is.
    pub(super) fn add_state(&mut self, graph: &Graph<Flat>) {
        if self.states.len() == STATES_MAX {
            *self = Self {
                has_too_many: true,
                ..Self::default()
            };
        }
        if self.has_too_many {
            return;
        }
        let schema = &graph.layout.schema;
        let of_type = |entity: EntityIx| {
            graph.living(entity).map(move |slot| {
                let state = &schema[entity][graph.state_of(entity, slot)].name;
                match schema[entity].states.len() {
                    1 => graph.named(entity, slot).to_string(),
                    _ => format!("{}: {state}", graph.named(entity, slot)),
                }
            })
        };
        let all = EntityIx::all(schema.entities.len()).flat_map(of_type);
        self.states.push(all.collect());
    }

    /// Adds an event that leads from a state to another one.
    pub(super) fn add_arrow(&mut self, from: u32, to: u32, event: &str) {
        if self.has_too_many {
            return;
        }
        let events = self.arrows.entry((from, to)).or_default();
        if events.iter().all(|known| known != event) {
            events.push(event.to_owned());
        }
    }

    /// The picture: `explored` states were explored, and of some states a message says what is wrong with them.
    pub(super) fn finish(
        self,
        model: &str,
        states: usize,
        explored: usize,
        wrong: &[(u32, String)],
    ) -> Result<Diagram, TooManyStates> {
        if self.has_too_many {
            return Err(TooManyStates { states });
        }
        let mut diagram = Diagram::new(Kind::States, format!("States of {model}"));
        diagram.nodes.push(Node::new(Shape::Start, ""));
        for (number, lines) in (0u32..).zip(self.states) {
            let leaves = self.arrows.keys().any(|(from, _)| *from == number);
            let shape = Shape::State {
                initial: number == 0,
                terminal: !leaves && (number as usize) < explored,
            };
            let messages = wrong.iter().filter(|(state, _)| *state == number);
            let messages: Vec<&String> = messages.map(|(_, message)| message).collect();
            let name = match &*messages {
                [] => number.to_string(),
                _ => format!("{number}: violation"),
            };
            let mut node = Node::new(shape, &name);
            node.remarks = lines;
            node.remarks.extend(messages.into_iter().cloned());
            diagram.nodes.push(node);
        }
        if diagram.nodes.len() > 1 {
            diagram.arrows.push(Arrow::new(0, 1, Line::Solid));
        }
        for ((from, to), events) in self.arrows {
            // The dot is before the first state.
            let mut arrow = Arrow::new(from as usize + 1, to as usize + 1, Line::Solid);
            arrow.label = events;
            diagram.arrows.push(arrow);
        }
        Ok(diagram)
    }
}
