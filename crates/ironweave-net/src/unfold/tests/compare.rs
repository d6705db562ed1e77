//! The comparison of an unfolded net with a program that executes the model: in each graph that the program reaches, a place has a token
//! exactly if what its name says is true of the graph, and the enabled transitions are the events that fire.

use std::collections::BTreeSet;

use ironweave_schema::{EntityIx, Schema};

use crate::Net;
use crate::plain::{self, Explorer};
use crate::tests::model::schema;
use crate::tests::program::{Fired, Graph, NEW, Program};
use crate::unfold::{NotUnfolded, Scope, Unfolded};

/// A marking: the tokens of each place.
type Marking = Vec<u64>;

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    pub states: usize,
    pub edges: usize,
    /// The transitions of the net.
    pub transitions: usize,
    /// Whether all states were compared.
    pub is_complete: bool,
}

pub(super) fn unfold(text: &str, slots: &[u8]) -> Result<Unfolded, NotUnfolded> {
    unfold_schema(&schema(text), slots)
}

fn unfold_schema(schema: &Schema, slots: &[u8]) -> Result<Unfolded, NotUnfolded> {
    let net = Net::of(schema).unwrap();
    let names = schema.entities.iter().map(|entity| entity.name.clone());
    let scope = names.zip(slots).fold(Scope::new(), |scope, (name, n)| {
        scope.entities(name, u32::from(*n))
    });
    net.unfold(&scope.transitions_max(20_000))
}

/// Compares all states up to a number of them.
pub(super) fn compare(text: &str, slots: &[u8], states_max: usize) -> Option<Compared> {
    let schema = schema(text);
    let unfolded = match unfold_schema(&schema, slots) {
        Ok(unfolded) => unfolded,
        Err(NotUnfolded::Transitions { .. }) => return None,
        Err(e) => panic!("{e}\n{text}"),
    };
    let net = &unfolded.net;
    assert_names_are_unique(net);
    let mut program = Program::new(&schema);
    let empty = program.empty(slots);
    let initial: Marking = net.places.iter().map(|place| place.tokens).collect();
    assert_eq!(initial, marking(net, &schema, &empty), "{text}");
    let mut seen = BTreeSet::from([empty.clone()]);
    let mut open = vec![empty];
    let mut edges = 0;
    while let Some(graph) = open.pop() {
        let fired = program.steps(&graph);
        let expected = fired.iter().map(|fired| {
            let name = &schema[fired.event].name;
            let name = format!("{name}({})", binding(&schema, fired));
            (name, marking(net, &schema, &fired.graph))
        });
        let mut expected: Vec<(String, Marking)> = expected.collect();
        let mut found = successors(net, &marking(net, &schema, &graph));
        expected.sort();
        found.sort();
        edges += found.len();
        if expected != found {
            difference(net, &graph, &expected, &found, text);
        }
        for fired in fired {
            if seen.len() < states_max && seen.insert(fired.graph.clone()) {
                open.push(fired.graph);
            }
        }
    }
    let is_complete = seen.len() < states_max;
    if is_complete {
        // The explorer finds what the program finds.
        let explored = Explorer::new(net).run().unwrap();
        let counts = (explored.states as usize, explored.edges as usize);
        assert_eq!(counts, (seen.len(), edges), "{text}");
    }
    Some(Compared {
        states: seen.len(),
        edges,
        transitions: net.transitions.len(),
        is_complete,
    })
}

fn difference(
    net: &plain::Net,
    graph: &Graph,
    expected: &[(String, Marking)],
    found: &[(String, Marking)],
    text: &str,
) -> ! {
    let shown = |all: &[(String, Marking)], others: &[(String, Marking)]| {
        let only = all.iter().filter(|one| !others.contains(one));
        let shown = only.map(|(name, marking)| {
            let marked = net.places.iter().zip(marking).filter(|(_, n)| **n > 0);
            let marked: Vec<String> = marked.map(|(p, n)| format!("{n} {}", p.name)).collect();
            format!("  {name}: {}\n", marked.join(", "))
        });
        shown.collect::<String>()
    };
    panic!(
        "{text}\nin {graph:?}\nonly the program:\n{}only the net:\n{}",
        shown(expected, found),
        shown(found, expected)
    );
}

fn assert_names_are_unique(net: &plain::Net) {
    let places = net.places.iter().map(|place| &place.name);
    let transitions = net.transitions.iter().map(|transition| &transition.name);
    let mut names = BTreeSet::new();
    assert!(places.chain(transitions).all(|name| names.insert(name)));
}

/// The names of the enabled transitions, without the number of the way, each with the marking after it.
fn successors(net: &plain::Net, marking: &Marking) -> Vec<(String, Marking)> {
    let enabled = net.transitions.iter().filter(|transition| {
        let mut inputs = transition.inputs.iter();
        inputs.all(|(place, n)| marking[place.0 as usize] >= *n)
    });
    let successor = |transition: &plain::Transition| {
        let mut after = marking.clone();
        for (place, n) in &transition.inputs {
            after[place.0 as usize] -= n;
        }
        for (place, n) in &transition.outputs {
            after[place.0 as usize] += n;
        }
        let name = transition.name.split('#').next().unwrap();
        (name.to_owned(), after)
    };
    enabled.map(successor).collect()
}

fn binding(schema: &Schema, fired: &Fired) -> String {
    let names = schema[fired.event].names.iter().zip(&fired.binding);
    let texts = names.map(|(name, slots)| {
        let slots = slots.iter().map(|slot| match slot.checked_sub(NEW) {
            Some(new) => format!("new{new}"),
            None => slot.to_string(),
        });
        let slots: Vec<String> = slots.collect();
        let text = match name.count {
            ironweave_schema::Cardinality::Many => format!("{{{}}}", slots.join(",")),
            _ if slots.is_empty() => "none".to_owned(),
            _ => slots.join(","),
        };
        format!("{}={text}", name.name)
    });
    texts.collect::<Vec<_>>().join(",")
}

/// The marking of a graph: what the names of the places say.
fn marking(net: &plain::Net, schema: &Schema, graph: &Graph) -> Marking {
    let is_true = |place: &plain::Place| u64::from(is_true(&place.name, schema, graph));
    net.places.iter().map(is_true).collect()
}

fn is_true(name: &str, schema: &Schema, graph: &Graph) -> bool {
    let (name, arguments) = name.strip_suffix(')').unwrap().split_once('(').unwrap();
    let arguments: Vec<Option<u8>> = arguments.split(',').map(|text| text.parse().ok()).collect();
    let entity = |name: &str| {
        let mut all = EntityIx::all(schema.entities.len());
        all.find(|ix| schema[*ix].name == name).unwrap()
    };
    if let Some(name) = name.strip_prefix("next ") {
        return match name.strip_suffix(" after") {
            None => graph.free[entity(name).index()].last().copied() == arguments[0],
            Some(name) => {
                let stack = &graph.free[entity(name).index()];
                let at = stack.iter().position(|slot| Some(*slot) == arguments[0]);
                at.is_some_and(|at| at.checked_sub(1).map(|below| stack[below]) == arguments[1])
            }
        };
    }
    let slot = arguments[0].unwrap();
    if let Some((of, states)) = name.split_once("::") {
        let of = entity(of);
        let state = graph.entities[of.index()][usize::from(slot)];
        let name = state.map_or("none", |state| &*schema[of][state].name);
        return states.split('|').any(|one| one == name);
    }
    let (name, negated) = match name.strip_prefix("no ") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let Some((of, end)) = name.split_once('.') else {
        let is_none = graph.entities[entity(name).index()][usize::from(slot)].is_none();
        return is_none == negated;
    };
    let is = |edge: &ironweave_schema::EdgeDef| {
        (edge.from.entity, &*edge.from.name) == (entity(of), end)
    };
    let edge = schema.edges.iter().position(is).unwrap();
    let linked = graph.links[edge].contains(&(slot, arguments[1].unwrap()));
    linked != negated
}
