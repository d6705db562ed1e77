//! A list of events as a Rust test, which fails. The events are fired again, so that the test can name the entities that they
//! create: `let want = store.step(WantCreated { partitions: vec!["a".into()] }).created.want;`

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use minicbor::Decoder;

use crate::base::clock::ManualClock;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::check::given::Domains;
use crate::check::property::Property;
use crate::check::rust_fields::FieldSources;
use crate::graph::entry::Entry;
use crate::schema::{BindBy, Encoding, EntityIx, NameIx, Schema, StateIx};
use crate::step::any_event::{AnyEvent, EventVisitor, show_event};
use crate::step::event::Event;
use crate::step::fire::By;
use crate::step::model::Model;
use crate::store::Store;

/// What the test shows at its end.
pub(super) enum Shows<'p, M: Model> {
    /// A condition does not hold.
    Fails(&'p Property<M>),
    /// A condition does not hold, and no event can make it hold again.
    NeverAgain(&'p Property<M>),
    /// No event can fire, although this entity is in a state that its lifecycle can leave.
    Deadlock(EntityIx, u32),
    /// The last event panics.
    Panics,
    /// Nothing: the test only fires the events.
    #[cfg(feature = "proptest")]
    History,
}

/// What an event of a list does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Fires,
    #[cfg(feature = "proptest")]
    IsRejected,
    /// Code of the program panics. It is the last event.
    Panics,
}

/// An event, what it does, and the time of its transaction.
pub(super) type TimedEvent<'e, A> = (&'e A, Fate, Timestamp);

impl<M: Model> Shows<'_, M> {
    /// The events with what they do, at one time.
    pub(super) fn fates<'e>(
        &self,
        events: &[&'e M::Event],
        time: Timestamp,
    ) -> Vec<TimedEvent<'e, M::Event>> {
        let last = events.len().checked_sub(1);
        let fate = |at: usize| match self {
            Self::Panics if Some(at) == last => Fate::Panics,
            _ => Fate::Fires,
        };
        let all = events.iter().enumerate();
        all.map(|(at, event)| (*event, fate(at), time)).collect()
    }
}

/// Writes a test that fires some events, those of the start first.
pub(super) fn rust_test<M: Model>(
    domains: &Domains<M>,
    (name, comment): (&str, &str),
    events: &[TimedEvent<'_, M::Event>],
    shows: &Shows<'_, M>,
) -> String {
    let start = start_events(domains);
    let time = domains.first_time();
    let clock = ManualClock::starting_at(time);
    let mut test = Test {
        store: Store::<M>::options().clock(clock).unlogged(),
        names: BTreeMap::new(),
        steps: Vec::new(),
        taken: Vec::new(),
    };
    for event in &start {
        test.step(event, Fate::Fires, None);
    }
    let mut before = time;
    for (event, fate, now) in events {
        test.step(event, *fate, (*now > before).then_some(*now));
        before = *now;
    }
    let end = test.end(shows);
    test.write::<M>((name, comment), time, start.len(), &end)
}

/// The events that step a store to the first state.
fn start_events<M: Model>(domains: &Domains<M>) -> Vec<M::Event> {
    if domains.start.is_none() {
        return Vec::new();
    }
    let clock = ManualClock::starting_at(domains.first_time());
    let mut store = Store::<M>::options().clock(clock).memory();
    domains.begin(&mut store);
    let frames = store.frames(0).into_iter().flatten();
    let events = frames
        .flatten()
        .flat_map(|record| record.all_events().collect::<Vec<_>>());
    events
        .flatten()
        .filter_map(|event| event.into_applied())
        .collect()
}

/// How the test names an entity.
struct Named {
    variable: String,
    /// The step after which it can be named.
    step: usize,
    how: How,
    is_used: bool,
}

enum How {
    /// The step creates it under this name.
    Created(String),
    /// It is found by an expression.
    Found(String),
}

/// An event of the test.
struct Written {
    /// As an expression.
    event: String,
    #[cfg(feature = "proptest")]
    fate: Fate,
    /// The time, if it is later than that of the event before.
    time: Option<Timestamp>,
}

pub(super) struct Test<M: Model> {
    pub(super) store: Store<M>,
    names: BTreeMap<(EntityIx, Id), Named>,
    steps: Vec<Written>,
    /// The variables so far.
    taken: Vec<String>,
}

impl<M: Model> Test<M> {
    /// Adds an event, and fires it.
    fn step(&mut self, event: &M::Event, fate: Fate, time: Option<Timestamp>) {
        let plan = std::sync::Arc::clone(&self.store.plan);
        let schema = &plan.layout.schema;
        let index = event.as_dyn().index();
        let def = &schema[index];
        let fields = event.accept(FieldSources {
            test: self,
            schema,
            def,
        });
        let event_source = match fields.is_empty() {
            true => format!("{} {{}}", def.name),
            false => format!("{} {{ {} }}", def.name, fields.join(", ")),
        };
        self.steps.push(Written {
            event: event_source,
            #[cfg(feature = "proptest")]
            fate,
            time,
        });
        if fate != Fate::Fires {
            return;
        }
        let core = &mut self.store.core;
        core.begin();
        if let Some(time) = time {
            core.open.clock.set(time);
        }
        if core.fire(&plan, event.as_dyn(), By::Compiled).is_err() {
            return;
        }
        let step = self.steps.len() - 1;
        let mut created = Vec::new();
        for (ix, name) in NameIx::all(def.names.len()).zip(&def.names) {
            if name.by == BindBy::Created {
                let ids = core.bindings.ids(ix).iter();
                created.extend(ids.map(|id| (name.entity, *id, name.name.clone())));
            }
        }
        let entries = core.open.journal.entries().iter();
        let others: Vec<(EntityIx, Id)> = entries
            .filter_map(|entry| match *entry {
                Entry::Create { entity, id, .. } => Some((entity, id)),
                _ => None,
            })
            .collect();
        core.keep();
        for (entity, id, name) in created {
            let variable = self.variable(&name);
            self.names.insert(
                (entity, id),
                Named {
                    variable,
                    step,
                    how: How::Created(name),
                    is_used: false,
                },
            );
        }
        for (entity, id) in others {
            if self.names.contains_key(&(entity, id)) {
                continue;
            }
            let variable = self.variable(&snake(&schema[entity].name));
            let how = How::Found(self.found(schema, entity, id));
            self.names.insert(
                (entity, id),
                Named {
                    variable,
                    step,
                    how,
                    is_used: false,
                },
            );
        }
    }

    /// An expression that finds an entity.
    fn found(&self, schema: &Schema, entity: EntityIx, id: Id) -> String {
        let name = &schema[entity].name;
        let graph = &self.store.core.graph;
        let key = match &*graph.layout.entities[usize::from(entity)].key {
            [column] => graph.column(*column).encoded(id.slot).and_then(|bytes| {
                let mut d = Decoder::new(&bytes);
                match schema[*column].encoding.as_ref()? {
                    Encoding::Text => d.str().ok().map(|text| format!("{text:?}")),
                    Encoding::U8
                    | Encoding::U16
                    | Encoding::U32
                    | Encoding::U64
                    | Encoding::I8
                    | Encoding::I16
                    | Encoding::I32
                    | Encoding::I64 => d.i64().ok().map(|number| format!("&{number}")),
                    _ => None,
                }
            }),
            _ => None,
        };
        match key {
            Some(key) => format!("store.find::<{name}>({key}).expect(\"it was created\")"),
            None => format!("\"{name}/{id}\".parse::<{name}>().expect(\"an id\")"),
        }
    }

    /// A variable that is not taken yet.
    fn variable(&mut self, name: &str) -> String {
        let name = if name == "store" { "store_" } else { name };
        let mut variable = name.to_owned();
        let mut number = 1;
        while self.taken.contains(&variable) {
            number += 1;
            variable = format!("{name}_{number}");
        }
        self.taken.push(variable.clone());
        variable
    }

    /// Whether an entity is in a state.
    pub(super) fn is_in(&self, entity: EntityIx, id: Id, state: StateIx) -> bool {
        self.store.core.graph.state(entity, id) == Some(state)
    }

    /// The variable of an entity.
    pub(super) fn entity(&mut self, schema: &Schema, entity: EntityIx, id: Id) -> String {
        match self.names.get_mut(&(entity, id)) {
            Some(named) => {
                named.is_used = true;
                named.variable.clone()
            }
            None => {
                let name = &schema[entity].name;
                format!("\"{name}/{id}\".parse::<{name}>().expect(\"an id\")")
            }
        }
    }

    /// The statements after the last event.
    fn end(&mut self, shows: &Shows<'_, M>) -> String {
        match shows {
            Shows::Panics => String::new(),
            #[cfg(feature = "proptest")]
            Shows::History => "    // Here the assertions follow.\n".to_owned(),
            Shows::Fails(property) => assertion(property, &property.name),
            Shows::NeverAgain(property) => assertion(
                property,
                &format!("{}: no event can make this true again", property.name),
            ),
            Shows::Deadlock(entity, slot) => {
                let plan = std::sync::Arc::clone(&self.store.plan);
                let schema = &plan.layout.schema;
                let graph = &self.store.core.graph;
                let (id, state) = (graph.id(*entity, *slot), graph.state_of(*entity, *slot));
                let state = &schema[*entity][state].name;
                let variable = self.entity(schema, *entity, id);
                format!(
                    "    // No event can fire.\n    assert!(!{variable}.is::<{state}>(&store), \"{}/{id} stays {state}\");\n",
                    schema[*entity].name
                )
            }
        }
    }

    fn write<N: Model>(
        &self,
        (name, comment): (&str, &str),
        time: Timestamp,
        start: usize,
        end: &str,
    ) -> String {
        let schema = &self.store.plan.layout.schema;
        let module = in_test(type_name::<N>().trim_end_matches("::Model"));
        let mut text = String::new();
        for line in comment.lines() {
            let _ = writeln!(text, "/// {line}");
        }
        let _ = writeln!(text, "#[test]\nfn {}() {{", snake(name));
        let names_states = |text: &String| text.contains("in_state::<") || text.contains(".is::<");
        let has_states = (self.steps.iter().any(|step| names_states(&step.event)))
            || names_states(&end.to_owned());
        let items = if has_states { "{state::*, *}" } else { "*" };
        let _ = writeln!(text, "    use {module}::{items};");
        let _ = writeln!(text, "    use ironweave::prelude::*;\n");
        let has_code =
            (schema.events.iter()).any(|event| !event.guards.is_empty() || !event.mays.is_empty());
        let reads_time = has_code || self.store.plan.events.iter().any(|event| event.timed);
        let time_passes = self.steps.iter().any(|step| step.time.is_some());
        if reads_time || time_passes {
            let clock = if time_passes {
                "clock.clone()"
            } else {
                "clock"
            };
            let _ = writeln!(
                text,
                "    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros({}));\n    let mut store = Store::<Model>::options().clock({clock}).memory();",
                time.as_micros()
            );
        } else {
            let _ = writeln!(text, "    let mut store = Store::<Model>::memory();");
        }
        for (i, step) in self.steps.iter().enumerate() {
            if start > 0 && i == start {
                let _ = writeln!(text, "    // Here the exploration begins.");
            }
            if let Some(time) = step.time {
                let micros = time.as_micros();
                let _ = writeln!(text, "    clock.set(Timestamp::from_micros({micros}));");
            }
            #[cfg(feature = "proptest")]
            if step.fate == Fate::IsRejected {
                let event = &step.event;
                let _ = writeln!(
                    text,
                    "    store.try_step({event}).expect_err(\"it is rejected\");"
                );
                continue;
            }
            let step = &step.event;
            let used = self
                .names
                .values()
                .filter(|named| named.is_used && named.step == i);
            let (mut created, mut found) = (Vec::new(), Vec::new());
            for named in used {
                match &named.how {
                    How::Created(name) => created.push((&named.variable, name)),
                    How::Found(by) => found.push((&named.variable, by)),
                }
            }
            let _ = match &*created {
                [] => writeln!(text, "    store.step({step});"),
                [(variable, name)] => {
                    writeln!(
                        text,
                        "    let {variable} = store.step({step}).created.{name};"
                    )
                }
                several => {
                    let _ = writeln!(text, "    let created = store.step({step}).created;");
                    several.iter().try_for_each(|(variable, name)| {
                        writeln!(text, "    let {variable} = created.{name};")
                    })
                }
            };
            for (variable, by) in found {
                let _ = writeln!(text, "    let {variable} = {by};");
            }
        }
        text.push_str(end);
        text.push_str("}\n");
        text
    }
}

/// A statement that fails if a condition does not hold.
fn assertion<M: Model>(property: &Property<M>, message: &str) -> String {
    let Some(path) = property.path.as_deref().map(in_test) else {
        let at = property.location;
        return format!(
            "    // The condition is the closure at {}:{}.\n    panic!({message:?});\n",
            at.file(),
            at.line()
        );
    };
    let check = |arguments: &str, indent: &str| match property.is_result {
        true => format!(
            "if let Err(e) = {path}({arguments}) {{\n{indent}    panic!(\"{{}}: {{e}}\", {message:?});\n{indent}}}"
        ),
        false => format!("assert!({path}({arguments}), {message:?});"),
    };
    match property.every {
        None => format!("    {}\n", check("&store", "    ")),
        Some(entity) => format!(
            "    for entity in store.place::<{entity}, Any>() {{\n        {}\n    }}\n",
            check("entity, &store", "        ")
        ),
    }
}

/// A path as the crate of the running test names it.
pub(super) fn in_test(path: &str) -> String {
    let own = std::env::current_exe().ok().and_then(|exe| {
        let name = exe.file_stem()?.to_str()?.to_owned();
        // Cargo adds a hash to the name of the crate.
        Some(
            name.rsplit_once('-')
                .map_or(name.clone(), |(name, _)| name.to_owned()),
        )
    });
    match path.split_once("::") {
        Some((krate, rest)) if own.is_some_and(|own| own.replace('-', "_") == krate) => {
            format!("crate::{rest}")
        }
        _ => path.to_owned(),
    }
}

/// A name in snake case.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && was_lower {
                out.push('_');
            }
            was_lower = !c.is_uppercase();
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
            was_lower = false;
        }
    }
    let out = out.trim_end_matches('_').to_owned();
    match out.chars().next() {
        Some(first) if !first.is_numeric() => out,
        _ => format!("test_{out}"),
    }
}

/// An event, as `Debug` prints it.
pub(super) struct Shown<'e, A>(pub &'e A);

impl<A: AnyEvent> fmt::Display for Shown<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Show<'f, 'b>(&'f mut fmt::Formatter<'b>);
        impl<'e> EventVisitor<'e> for Show<'_, '_> {
            type Output = fmt::Result;

            fn visit<E: Event>(self, event: &'e E) -> fmt::Result {
                show_event(event, self.0)
            }
        }
        self.0.accept(Show(f))
    }
}
