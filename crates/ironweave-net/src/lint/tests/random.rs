//! Lints of random models beside a program that executes them: what the program does is not called impossible, what a note says
//! holds, and a loop is found.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{Arc, EventIx, Schema};

use crate::lint::{Finding, Lint};
use crate::tests::model::schema;
use crate::tests::program::Program;
use crate::tests::random::{Random, Writer};
use crate::{Net, Place, PlaceKind};

/// Executes a model from the empty graph, up to a number of graphs.
fn executed<'s>(schema: &'s Schema, random: &mut Random, graphs: usize) -> Program<'s> {
    let mut program = Program::new(schema);
    let empty = program.empty(&[2, 2]);
    let mut seen = BTreeSet::from([empty.clone()]);
    let mut open = vec![empty];
    while !open.is_empty() && seen.len() < graphs {
        let graph = open.swap_remove(random.below(open.len()));
        for next in program.steps(&graph) {
            if seen.insert(next.graph.clone()) {
                open.push(next.graph);
            }
        }
    }
    program
}

fn state_of(place: &Place) -> (ironweave_schema::EntityIx, ironweave_schema::StateIx) {
    match place.kind {
        PlaceKind::State { entity, state, .. } => (entity, state),
        PlaceKind::Edge(_) => panic!("{}", place.name),
    }
}

/// Panics if a finding contradicts what a program has done.
fn compare(net: &Net, program: &Program<'_>, finding: &Finding, text: &str) {
    let (seen, schema) = (&program.seen, program.schema);
    let place = || {
        net.find(&finding.subject)
            .map(|place| state_of(&net[place]))
            .unwrap()
    };
    let event = |name: &str| {
        let at = schema.events.iter().position(|event| event.name == name);
        EventIx::try_from(at.unwrap()).unwrap()
    };
    let leaves = |(entity, state)| {
        seen.done.deleted.contains(&(entity, state))
            || seen
                .done
                .moves
                .iter()
                .any(|(e, from, to)| (*e, *from) == (entity, state) && to != from)
    };
    let is_wrong = match finding.lint {
        Lint::EntityNeverCreated => {
            let mut states = seen.states.iter();
            states.any(|(entity, _)| schema[*entity].name == finding.subject)
        }
        Lint::StateNeverEntered | Lint::StateNeverReached => seen.states.contains(&place()),
        Lint::StateNeverLeft => leaves(place()),
        Lint::NeverEnds => {
            let (entity, states) = finding.subject.split_once("::").unwrap();
            let states: Vec<_> = states.split(" | ").collect();
            let names = |e: &ironweave_schema::EntityIx| &schema[*e].states;
            seen.done.moves.iter().any(|(e, from, to)| {
                schema[*e].name == entity
                    && states.contains(&&*names(e)[from.index()].name)
                    && !states.contains(&&*names(e)[to.index()].name)
            }) || seen.done.deleted.iter().any(|(e, state)| {
                schema[*e].name == entity && states.contains(&&*names(e)[state.index()].name)
            })
        }
        Lint::EventNeverFires => seen.fired.contains(&event(&finding.subject)),
        Lint::ArcNeverActs => {
            let (name, arc) = finding.subject.split_once(' ').unwrap();
            let (ix, at) = (
                event(name),
                net.transitions.iter().position(|t| t.name == name),
            );
            let transition = &net.transitions[at.unwrap()];
            // The arcs of the net have those of the schema in their order, after what is ensured.
            let declared = transition
                .arcs
                .iter()
                .filter(|arc| !arc.implied && !matches!(arc.action, crate::Action::Ensure { .. }));
            let of_schema = schema[ix].arcs.iter().enumerate();
            let of_schema = of_schema.filter(|(_, arc)| {
                !matches!(
                    arc,
                    Arc::When { .. } | Arc::Count { .. } | Arc::Choose { .. }
                )
            });
            declared.zip(of_schema).any(|(in_net, (number, _))| {
                let tokens = net.tokens_text(transition, &in_net.tokens);
                let text = format!(
                    "{} {tokens}: {}",
                    in_net.inscription.text(),
                    net.action_text(&in_net.action)
                );
                text.trim_start() == arc && seen.done.acted.contains(&(ix, number))
            })
        }
        Lint::EdgeNeverLinked => {
            let edge = net
                .find(&finding.subject)
                .and_then(|place| net[place].edge());
            seen.linked.contains(&edge.unwrap())
        }
        // These say what may happen, or what is not done.
        Lint::ImmediateLoop
        | Lint::CounterUnwatched
        | Lint::MoveNeverMade
        | Lint::UnknownArcs
        | Lint::NeverDue
        | Lint::DueAgain
        | Lint::LinkedInStates => false,
    };
    assert!(!is_wrong, "{}: {finding}\n{text}", finding.name());
}

/// Panics if a note says that entities in a state have a link, and one had none.
fn compare_links(program: &Program<'_>, note: &Finding, text: &str) {
    let schema = program.schema;
    let (entity, end) = note.subject.split_once('.').unwrap();
    for (edge, forward, state, is_linked) in &program.seen.degrees {
        let near = schema[*edge].near(*forward);
        let def = &schema[near.entity];
        if (&*def.name, &*near.name) != (entity, end) {
            continue;
        }
        let state = &*def.states[state.index()].name;
        let message = &note.message;
        let is_named = |states: &str| states.split(" | ").any(|other| other == state);
        let is_wrong = if let Some((_, states)) = message.split_once("exactly if it is in ") {
            is_named(states) != *is_linked
        } else if let Some((states, _)) = message.split_once(" always has") {
            let states = states.split_once(" in ").map(|(_, states)| states);
            states.is_none_or(is_named) && !*is_linked
        } else {
            panic!("{message}")
        };
        assert!(!is_wrong, "{note}, but in {state}: {is_linked}\n{text}");
    }
}

#[test]
fn what_a_program_does_is_not_called_impossible_and_its_loops_are_found() {
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut loops, mut unseen) = (0, 0);
    let seeds = std::env::var("IRONWEAVE_LINT_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 0..seeds.unwrap_or(300) {
        let mut random = Random(seed);
        let text = Writer::write(&mut random);
        let schema = schema(&text);
        let net = Net::of(&schema).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let program = executed(&schema, &mut random, 80);
        let findings = net.lint();
        for finding in &findings {
            *found.entry(finding.lint.name()).or_default() += 1;
            compare(&net, &program, finding, &text);
            if finding.lint == Lint::LinkedInStates {
                compare_links(&program, finding, &text);
            }
        }
        let has_loop = findings
            .iter()
            .any(|finding| finding.lint == Lint::ImmediateLoop);
        assert!(has_loop || !program.seen.looped, "seed {seed}\n{text}");
        loops += u32::from(program.seen.looped);
        let never = findings
            .iter()
            .filter(|finding| finding.lint == Lint::EventNeverFires);
        unseen += net.transitions.len() - program.seen.fired.len() - never.count();
    }
    // The test says something only if each kind occurs.
    println!("{found:?}, {loops} models looped, {unseen} events were neither fired nor found");
    for lint in [
        "entity_never_created",
        "state_never_entered",
        "state_never_reached",
        "state_never_left",
        "event_never_fires",
        "arc_never_acts",
        "immediate_loop",
        "edge_never_linked",
        "linked_in_states",
    ] {
        assert!(
            found.get(lint).is_some_and(|n| *n >= 10),
            "{lint}: {found:?}"
        );
    }
    assert!(loops >= 10, "{loops}");
}
