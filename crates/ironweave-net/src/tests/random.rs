//! Random models, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// SplitMix64.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// A random model, as it is written.
pub(crate) struct Writer<'r> {
    random: &'r mut Random,
    /// Whether events have handlers.
    has_code: bool,
    text: String,
    /// The states by entity type.
    states: BTreeMap<&'static str, usize>,
    /// The ends: entity type, name, entity type to which it leads.
    ends: Vec<(&'static str, String, &'static str)>,
    /// By entity type, the state that has data.
    data: BTreeMap<&'static str, &'static str>,
}

const ENTITIES: [&str; 2] = ["A", "B"];
const STATES: [&str; 4] = ["P", "Q", "R", "S"];

impl Writer<'_> {
    /// Writes a model whose events may have handlers.
    pub(crate) fn write(random: &mut Random) -> String {
        Writer::write_with(random, true)
    }

    /// Writes a model without handlers, with acyclic edges, fields and data of links.
    pub(crate) fn write_without_code(random: &mut Random) -> String {
        Writer::write_with(random, false)
    }

    fn write_with(random: &mut Random, has_code: bool) -> String {
        let mut writer = Writer {
            random,
            has_code,
            text: String::new(),
            states: BTreeMap::new(),
            ends: Vec::new(),
            data: BTreeMap::new(),
        };
        writer.entities();
        writer.edges();
        if !has_code {
            for entity in ENTITIES {
                let state = writer.state(entity);
                let _ = writeln!(writer.text, "field {entity} number");
                let _ = writeln!(writer.text, "field {entity} {state} since");
                writer.data.insert(entity, state);
            }
        }
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
                let mut kind = *self.random.pick(kinds[at]);
                if !self.has_code && kind == "many" && self.random.chance(30) {
                    kind = *self
                        .random
                        .pick(&["many max=1", "many max=2", "many min=2"]);
                }
                if !self.has_code && from == to && self.random.chance(20) {
                    kind = *self.random.pick(&["many acyclic", "opt acyclic"]);
                }
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
        if self.random.chance(20) {
            self.choose(&mut names, immediate);
        }
        for _ in 0..self.random.below(4) {
            self.arc(&names, immediate);
        }
        while self.has_code && !immediate && self.random.chance(25) {
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
        // The conditions of an immediate event are on its entity and on what it leads to.
        let is_own = path.starts_with("v0");
        let kinds = if self.has_code { 8 } else { 10 };
        match self.random.below(kinds) {
            8 => {
                let field = match self.data[entity] {
                    state if self.random.chance(50) => format!("{state}.since"),
                    _ => "number".to_owned(),
                };
                let _ = writeln!(self.text, "set {path}.{field}");
            }
            0..=2 if self.random.chance(20) => self.count(&path, entity, immediate && !is_own),
            0..=2 => self.moves(&path, entity, true),
            3 if immediate && !is_own => {}
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
                let words = [
                    ("link", "+="),
                    ("relink", "+="),
                    ("unlink", "-="),
                    ("data", "+="),
                ];
                let words = if self.has_code { &words[..3] } else { &words };
                let (word, symbol) = *self.random.pick(words);
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

    fn count(&mut self, path: &str, entity: &str, is_far: bool) {
        if is_far || !path.contains('.') {
            return;
        }
        let comparison = *self.random.pick(&["==", "!=", "<", "<=", ">", ">="]);
        let number = *self.random.pick(&["0", "1", "1", "2", "3"]);
        let within = match self.random.chance(60) {
            true => format!(" in {}", self.some_states(entity)),
            false => String::new(),
        };
        let _ = writeln!(self.text, "when count {path}{within} {comparison} {number}");
    }

    /// A name that the event chooses, before the arcs that use it.
    fn choose(&mut self, names: &mut Vec<(String, &'static str)>, immediate: bool) {
        let name = format!("c{}", names.len());
        let (mut from, mut entity) = self.path(names);
        if !from.contains('.') || immediate && !from.starts_with("v0") {
            entity = *self.random.pick(&ENTITIES);
            from = entity.to_owned();
        }
        let take = *self
            .random
            .pick(&["", "", "", "1 of ", "2 of ", "up to 1 of ", "up to 2 of "]);
        let states = self.some_states(entity);
        let _ = writeln!(self.text, "choose {name}: {take}{from} in {states}");
        names.push((name.clone(), entity));
        if self.random.chance(60) {
            self.moves(&name, entity, true);
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
