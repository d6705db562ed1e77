//! Lints of random models beside a program that executes them: what the program does is not called impossible, what a note says
//! holds, and a loop is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ironweave_schema::{Arc, EventIx, Schema};

use super::program::Program;
use crate::lint::{Finding, Lint};
use crate::tests::model::schema;
use crate::{Net, Place, PlaceKind};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// A random model, as it is written.
struct Writer<'r> {
    random: &'r mut Random,
    text: String,
    /// The states by entity type.
    states: BTreeMap<&'static str, usize>,
    /// The ends: entity type, name, entity type to which it leads.
    ends: Vec<(&'static str, String, &'static str)>,
}

const ENTITIES: [&str; 2] = ["A", "B"];
const STATES: [&str; 4] = ["P", "Q", "R", "S"];

impl Writer<'_> {
    fn write(random: &mut Random) -> String {
        let mut writer = Writer {
            random,
            text: String::new(),
            states: BTreeMap::new(),
            ends: Vec::new(),
        };
        writer.entities();
        writer.edges();
        writer.usual_events();
        for number in 0..1 + writer.random.below(5) {
            writer.event(number, false);
        }
        for number in 0..writer.random.below(4) {
            writer.event(number, true);
        }
        writer.text
    }

    fn entities(&mut self) {
        for name in ENTITIES {
            let n = 2 + self.random.below(3);
            self.states.insert(name, n);
            let _ = write!(self.text, "entity {name}");
            for state in &STATES[..n] {
                let end = if self.random.chance(25) { "!" } else { "" };
                let _ = write!(self.text, " {state}{end}");
            }
            self.text.push('\n');
        }
    }

    fn edges(&mut self) {
        for number in 0..1 + self.random.below(2) {
            let (from, to) = (*self.random.pick(&ENTITIES), *self.random.pick(&ENTITIES));
            let ends = [(from, format!("e{number}")), (to, format!("i{number}"))];
            self.ends.push((from, format!("e{number}"), to));
            self.ends.push((to, format!("i{number}"), from));
            let mut texts = Vec::new();
            for (at, (entity, name)) in ends.iter().enumerate() {
                // Both ends cannot hold exactly one.
                let kinds = [
                    &["many", "opt", "many min=1", "one"][..],
                    &["many", "opt"][..],
                ];
                let kind = *self.random.pick(kinds[at]);
                let delete = *self.random.pick(&["unlink", "restrict", "cascade"]);
                texts.push(format!("{entity}.{name} {kind} {delete}"));
            }
            let _ = writeln!(self.text, "edge {}", texts.join(", "));
        }
    }

    /// Events that most models have: without them, most of a random model is unreachable.
    fn usual_events(&mut self) {
        for entity in ENTITIES {
            if self.random.chance(15) {
                continue;
            }
            let ends: Vec<_> = self
                .ends
                .iter()
                .filter(|end| end.0 == entity)
                .cloned()
                .collect();
            let linked: Vec<_> = ends
                .into_iter()
                .filter(|_| self.random.chance(40))
                .collect();
            let _ = write!(self.text, "event New{entity}");
            for (at, (_, _, far)) in linked.iter().enumerate() {
                let suffix = *self.random.pick(&["", "*", "!"]);
                let _ = write!(self.text, " v{at}:{far}{suffix}");
            }
            let _ = writeln!(self.text, "\ncreate new:{entity}");
            for (at, (_, name, _)) in linked.iter().enumerate() {
                let word = *self.random.pick(&["link", "relink"]);
                let _ = writeln!(self.text, "{word} new.{name} += v{at}");
            }
        }
        let ends = self.ends.clone();
        for (at, (near, name, far)) in ends.iter().enumerate() {
            if self.random.chance(30) {
                let suffix = *self.random.pick(&["", "*"]);
                let _ = writeln!(self.text, "event L{at} a:{near} b:{far}{suffix}");
                let word = *self.random.pick(&["link", "relink", "unlink"]);
                let symbol = if word == "unlink" { "-=" } else { "+=" };
                let _ = writeln!(self.text, "{word} a.{name} {symbol} b");
                if self.random.chance(50) {
                    self.moves("a", near, false);
                }
                if self.random.chance(50) {
                    self.moves("b", far, true);
                }
            }
        }
    }

    fn event(&mut self, number: usize, immediate: bool) {
        let mut names: Vec<(String, &'static str)> = Vec::new();
        let word = if immediate { "immediate I" } else { "event E" };
        let _ = write!(self.text, "{word}{number}");
        let fields = if immediate { 1 } else { self.random.below(3) };
        for at in 0..fields {
            let entity = *self.random.pick(&ENTITIES);
            let suffix = match immediate {
                true => "",
                false => *self.random.pick(&["", "", "?", "*", "!", "!*", "token"]),
            };
            let token = format!("<{}>", self.state(entity));
            let suffix = if suffix == "token" { &token } else { suffix };
            let _ = write!(self.text, " v{at}:{entity}{suffix}");
            names.push((format!("v{at}"), entity));
        }
        self.text.push('\n');
        if self.random.chance(if immediate { 10 } else { 45 }) || names.is_empty() {
            let entity = *self.random.pick(&ENTITIES);
            let state = match self.random.chance(70) {
                true => "P",
                false => self.state(entity),
            };
            let _ = writeln!(self.text, "create new:{entity} in {state}");
            names.push(("new".to_owned(), entity));
        }
        if immediate {
            let (name, entity) = names[0].clone();
            self.moves(&name, entity, false);
        }
        for _ in 0..self.random.below(4) {
            self.arc(&names, immediate);
        }
        while !immediate && self.random.chance(25) {
            self.may();
        }
    }

    fn state(&mut self, entity: &str) -> &'static str {
        STATES[self.random.below(self.states[entity])]
    }

    fn some_states(&mut self, entity: &str) -> String {
        let first = self.state(entity);
        let second = self.state(entity);
        match first != second && self.random.chance(40) {
            true => format!("{first} | {second}"),
            false => first.to_owned(),
        }
    }

    fn end(&mut self, entity: &str) -> Option<(&'static str, String, &'static str)> {
        let of: Vec<_> = self.ends.iter().filter(|end| end.0 == entity).collect();
        match of.is_empty() {
            true => None,
            false => Some((*self.random.pick(&of)).clone()),
        }
    }

    /// A path with the entity type that it reaches.
    fn path(&mut self, names: &[(String, &'static str)]) -> (String, &'static str) {
        let (mut path, mut entity) = self.random.pick(names).clone();
        while self.random.chance(40) {
            let Some((_, name, far)) = self.end(entity) else {
                break;
            };
            let _ = write!(path, ".{name}");
            entity = far;
        }
        (path, entity)
    }

    fn moves(&mut self, path: &str, entity: &str, may_be_those: bool) {
        let scope = match may_be_those && self.random.chance(50) {
            true => "those",
            false => "each",
        };
        let (from, to) = (self.some_states(entity), self.state(entity));
        let _ = writeln!(self.text, "move {scope} {path}: {from} -> {to}");
    }

    fn arc(&mut self, names: &[(String, &'static str)], immediate: bool) {
        let (path, entity) = self.path(names);
        // The conditions of an immediate event are on its entity and its neighbours.
        let is_near = path.starts_with("v0") && path.matches('.').count() < 2;
        match self.random.below(8) {
            0..=2 => self.moves(&path, entity, true),
            3 if immediate && !is_near => {}
            3 => {
                let quantifier = *self.random.pick(&["all", "any", "none"]);
                let states = self.some_states(entity);
                let _ = writeln!(self.text, "when {quantifier} {path} in {states}");
            }
            4 => {
                let _ = writeln!(self.text, "delete {path}");
            }
            _ => {
                let Some((_, name, far)) = self.end(entity) else {
                    return;
                };
                let (word, symbol) =
                    *self
                        .random
                        .pick(&[("link", "+="), ("relink", "+="), ("unlink", "-=")]);
                for _ in 0..8 {
                    let (with, of) = self.path(names);
                    if of == far {
                        let _ = writeln!(self.text, "{word} {path}.{name} {symbol} {with}");
                        return;
                    }
                }
            }
        }
    }

    fn may(&mut self) {
        let entity = *self.random.pick(&ENTITIES);
        let (from, to) = (self.state(entity), self.state(entity));
        let word = *self.random.pick(&["link", "unlink", "relink"]);
        let line = match self.random.below(4) {
            0 => format!("may create {entity}"),
            1 => format!("may delete {entity}"),
            2 => match self.end(entity) {
                Some((_, name, _)) => format!("may {word} {entity}.{name}"),
                None => return,
            },
            _ => format!("may {entity} {from} -> {to}"),
        };
        let _ = writeln!(self.text, "{line}");
    }
}

/// Executes a model from the empty graph, up to a number of graphs.
fn executed<'s>(schema: &'s Schema, random: &mut Random, graphs: usize) -> Program<'s> {
    let mut program = Program {
        schema,
        seen: super::program::Seen::default(),
    };
    let mut seen = BTreeSet::from([program.empty()]);
    let mut open = vec![program.empty()];
    while !open.is_empty() && seen.len() < graphs {
        let graph = open.swap_remove(random.below(open.len()));
        for next in program.steps(&graph) {
            if seen.insert(next.clone()) {
                open.push(next);
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
            let of_schema = of_schema.filter(|(_, arc)| !matches!(arc, Arc::When { .. }));
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
