//! [`Coverage`]: which events and transitions the histories of a test contain, and which they never do.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::check::histories::tally::{EventTally, Tally, Transition};
use crate::schema::{Arc as ArcDef, EventIx, May, Schema, similar_names};
use crate::step::model::Model;

/// Which events and transitions of a model the histories of a test contain.
///
/// A strategy to which it is given by [`Histories::coverage`](crate::check::Histories::coverage) counts what each history contains
/// when it draws it. So every case of the test counts once, and nothing that is only tried while a failing history is shortened.
/// Clones count together, also from several threads. An event costs O(log(events) + changes).
///
/// A *transition* is a change of the state of an entity by an event, such as `Bed: Free -> Occupied by Admitted`.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::check::{Coverage, histories};
/// use lamps::Lamp;
/// use proptest::prelude::*;
///
/// let coverage = Coverage::new();
/// let few = histories::<lamps::Model>(1..20).entities::<Lamp>(2).coverage(&coverage);
/// proptest!(|(history in few)| {
///     prop_assert!(history.len() < 20);
/// });
/// println!("{coverage}");
/// // No event of this model switches a lamp off.
/// assert_eq!(coverage.transitions(), ["Lamp: Off -> On by Lit"]);
/// coverage.assert_all();
/// ```
pub struct Coverage<M: Model> {
    shared: Arc<Mutex<Counts>>,
    model: PhantomData<fn() -> M>,
}

#[derive(Default)]
struct Counts {
    histories: u64,
    steps: u64,
    ended_early: u64,
    tally: Tally,
}

/// What was never covered.
struct Uncovered {
    events: Vec<String>,
    /// The transitions by other events.
    others: Vec<String>,
    /// The transitions by these events.
    by_them: Vec<String>,
}

impl<M: Model> Clone for Coverage<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            model: PhantomData,
        }
    }
}

impl<M: Model> Default for Coverage<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> fmt::Debug for Coverage<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<M: Model> Coverage<M> {
    /// Returns the coverage of no history.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            model: PhantomData,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts are whole at any time.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a history.
    pub(super) fn add(&self, steps: usize, tally: &Tally) {
        let mut counts = self.counts();
        counts.histories += 1;
        counts.steps += steps as u64;
        counts.ended_early += u64::from(tally.ended_early);
        counts.tally.add(tally);
    }

    /// Returns how many histories were drawn.
    #[must_use]
    pub fn histories(&self) -> u64 {
        self.counts().histories
    }

    /// Returns how many events these have, with those that are rejected.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.counts().steps
    }

    /// Returns how many histories are shorter than they should be, because no event was enabled at their end.
    #[must_use]
    pub fn ended_early(&self) -> u64 {
        self.counts().ended_early
    }

    /// Returns how many times an event fired, which may be an immediate one; `None` if the model has no event of this name.
    #[must_use]
    pub fn fired(&self, event: &str) -> Option<u64> {
        Some(self.event(event)?.fired)
    }

    /// Returns what rejected an event, each with how many times, in alphabetical order; empty if the model has no event of this name.
    #[must_use]
    pub fn rejected(&self, event: &str) -> Vec<(String, u64)> {
        let tally = self.event(event).unwrap_or_default();
        tally.rejected.into_iter().collect()
    }

    fn event(&self, event: &str) -> Option<EventTally> {
        let schema = M::binding().schema;
        let at = schema.events.iter().position(|def| def.name == event)?;
        let ix = EventIx::all(schema.events.len()).nth(at)?;
        let counts = self.counts();
        Some(counts.tally.events.get(&ix).cloned().unwrap_or_default())
    }

    /// Returns the transitions that happened, as `Bed: Free -> Occupied by Admitted`, in the order of the model.
    #[must_use]
    pub fn transitions(&self) -> Vec<String> {
        let schema = M::binding().schema;
        let counts = self.counts();
        let happened = counts.tally.transitions.keys();
        happened.map(|of| transition_text(&schema, *of)).collect()
    }

    /// Returns how many times a transition happened, which is named as in [`transitions`](Self::transitions).
    #[must_use]
    pub fn times(&self, transition: &str) -> u64 {
        let schema = M::binding().schema;
        let counts = self.counts();
        let named = (counts.tally.transitions.iter())
            .filter(|(of, _)| transition_text(&schema, **of) == transition);
        named.map(|(_, times)| times).sum()
    }

    /// Returns the events that never fired, and the transitions by other events that never happened although these events may make
    /// them, in the order of the model.
    #[must_use]
    pub fn never(&self) -> Vec<String> {
        let Uncovered { events, others, .. } = self.uncovered();
        events.into_iter().chain(others).collect()
    }

    fn uncovered(&self) -> Uncovered {
        let schema = M::binding().schema;
        let counts = self.counts();
        let fired = |ix: EventIx| counts.tally.events.get(&ix).is_some_and(|of| of.fired > 0);
        let events = EventIx::all(schema.events.len()).filter(|ix| !fired(*ix));
        let mut missing = transitions(&schema);
        missing.retain(|of| !counts.tally.transitions.contains_key(of));
        let (others, by_them): (Vec<_>, Vec<_>) = missing.into_iter().partition(|of| fired(of.3));
        let texts = |of: Vec<Transition>| {
            let texts = of.into_iter().map(|of| transition_text(&schema, of));
            texts.collect()
        };
        Uncovered {
            events: events.map(|ix| schema[ix].name.clone()).collect(),
            others: texts(others),
            by_them: texts(by_them),
        }
    }

    /// Panics unless each event of the model fired and each transition happened, with the list of those that did not.
    ///
    /// # Panics
    /// If something was never covered.
    #[track_caller]
    pub fn assert_all(&self) {
        self.assert_all_except(&[]);
    }

    /// As [`assert_all`](Self::assert_all), except for events and transitions that are named as in [`never`](Self::never). A
    /// transition may be named without its event: `Bed: Free -> Occupied`. The transitions by an event that never fired need no exception.
    ///
    /// # Panics
    /// Also if something that is named was covered, or is not in the model: an exception that is no longer needed would hide what is
    /// lost later.
    #[track_caller]
    pub fn assert_all_except(&self, exceptions: &[&str]) {
        let schema = M::binding().schema;
        let uncovered = self.uncovered();
        let never = || uncovered.events.iter().chain(&uncovered.others);
        let is_named = |line: &str, name: &str| {
            line == name
                || line
                    .strip_prefix(name)
                    .is_some_and(|by| by.starts_with(" by "))
        };
        let mut lines = Vec::new();
        for line in never() {
            if !exceptions.iter().any(|name| is_named(line, name)) {
                lines.push(format!("never covered: {line}"));
            }
        }
        let events = schema.events.iter().map(|def| def.name.clone());
        let possible = transitions(&schema).into_iter();
        let possible = possible.map(|of| transition_text(&schema, of));
        let known: Vec<String> = events.chain(possible).collect();
        for name in exceptions {
            let mut all = never().chain(&uncovered.by_them);
            if all.any(|line| is_named(line, name)) {
                continue;
            }
            if known.iter().any(|line| is_named(line, name)) {
                lines.push(format!("covered, so remove it from the exceptions: {name}"));
            } else {
                let similar = similar_names(name, known.iter().map(String::as_str));
                let hint = match similar.first() {
                    Some(similar) => format!("; did you mean \"{similar}\"?"),
                    None => String::new(),
                };
                lines.push(format!(
                    "no event or transition of the model: \"{name}\"{hint}"
                ));
            }
        }
        assert!(lines.is_empty(), "{}\n\n{self}", lines.join("\n"));
    }
}

/// The report: histories, events with how many times they fired and what rejected them, transitions, and what was never covered.
impl<M: Model> fmt::Display for Coverage<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = M::binding().schema;
        let never = self.never();
        let counts = self.counts();
        write!(
            f,
            "{} histories of {}, {} events",
            counts.histories,
            M::NAME,
            counts.steps
        )?;
        if counts.ended_early > 0 {
            write!(
                f,
                "; {} ended early, since no event was enabled",
                counts.ended_early
            )?;
        }
        for (ix, def) in EventIx::all(schema.events.len()).zip(&schema.events) {
            let of = counts.tally.events.get(&ix).cloned().unwrap_or_default();
            let immediate = if def.immediate { " (immediate)" } else { "" };
            write!(f, "\n  {}{immediate}: fired {}", def.name, of.fired)?;
            if of.panicked > 0 {
                write!(f, ", panicked {}", of.panicked)?;
            }
            for (reason, times) in &of.rejected {
                write!(f, "\n    rejected {times} by {reason}")?;
            }
        }
        for (of, times) in &counts.tally.transitions {
            write!(f, "\n  {}: {times}", transition_text(&schema, *of))?;
        }
        for line in never {
            write!(f, "\n  never: {line}")?;
        }
        Ok(())
    }
}

fn transition_text(schema: &Schema, (entity, from, to, by): Transition) -> String {
    let def = &schema[entity];
    format!(
        "{}: {} -> {} by {}",
        def.name, def[from].name, def[to].name, schema[by].name
    )
}

/// All transitions that the events of a model may make, in order.
fn transitions(schema: &Schema) -> BTreeSet<Transition> {
    let mut all = BTreeSet::new();
    for (by, def) in EventIx::all(schema.events.len()).zip(&schema.events) {
        let mut add = |entity, from, to| {
            if from != to {
                all.insert((entity, from, to, by));
            }
        };
        for arc in &def.arcs {
            if let ArcDef::Move { path, from, to, .. } = arc {
                let entity = schema.reached(def, path);
                let bound = def.bound_states(path);
                let from = from
                    .iter()
                    .filter(|state| bound.is_none_or(|all| all.contains(state)));
                from.for_each(|from| add(entity, *from, *to));
            }
        }
        for may in &def.mays {
            if let May::Move { entity, from, to } = *may {
                add(entity, from, to);
            }
        }
    }
    all
}
