//! The result of an exploration.

use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::time::Duration;

#[cfg(feature = "draw")]
use crate::check::drawing::TooManyStates;
use crate::step::model::Model;
#[cfg(feature = "draw")]
use ironweave_net::draw::Diagram;

/// What a violation violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// A condition of [`Checker::always`](super::Checker::always) or [`every`](super::Checker::every) does not hold.
    Always,
    /// A condition of [`Checker::sometimes`](super::Checker::sometimes) holds in no state.
    Sometimes,
    /// A condition of [`Checker::eventually_possible`](super::Checker::eventually_possible) can never hold again.
    EventuallyPossible,
    /// No event can fire, and an entity is in a state that its lifecycle can leave.
    Deadlock,
    /// A guard, a handler or an invariant panicked.
    Panic,
    /// An event did not do the same when it fired again, or a binding could not be made.
    Unexplorable,
}

/// A violation that an exploration has found.
#[derive(Clone, Debug)]
pub struct Violation {
    pub(super) kind: ViolationKind,
    pub(super) message: String,
    pub(super) events: Vec<String>,
    pub(super) test: Option<String>,
}

impl Violation {
    /// Returns what it violates.
    #[must_use]
    pub fn kind(&self) -> ViolationKind {
        self.kind
    }

    /// Returns what is wrong, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the events that lead to it, as `Debug` prints them. There is no shorter list.
    #[must_use]
    pub fn events(&self) -> &[String] {
        &self.events
    }

    /// Returns a Rust test that fires the events and fails. `None` if no list of events shows the violation.
    #[must_use]
    pub fn test(&self) -> Option<&str> {
        self.test.as_deref()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.events.is_empty() {
            write!(
                f,
                "\nafter {} events, which is the shortest way:",
                self.events.len()
            )?;
        }
        for (i, event) in self.events.iter().enumerate() {
            write!(f, "\n  {:>2}. {event}", i + 1)?;
        }
        match &self.test {
            Some(test) => write!(f, "\nas a test:\n\n{test}"),
            None => Ok(()),
        }
    }
}

/// How often an event of one type was tried, with the results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventCounts {
    /// How many bindings were tried, in all states.
    pub tried: u64,
    /// How many of them fired.
    pub fired: u64,
    /// How many were rejected.
    pub rejected: u64,
    /// How many were cut, because there would be too many entities. Bindings of which this is known before are not tried.
    pub cut: u64,
}

/// The result of [`Checker::symmetry`](super::Checker::symmetry).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Symmetry {
    /// It was not asked for.
    NotUsed,
    /// States that differ only by which entity is which were one state, and everything that was sampled agreed.
    #[non_exhaustive]
    Used {
        /// The entity types whose ids were renamed.
        types: Vec<String>,
        /// Those of them whose keys were renamed too.
        keys: Vec<String>,
        /// What kept its names because a declared arc tells it apart, with the arc.
        kept: Vec<String>,
        /// The number of states that were compared with a renamed copy.
        states: u64,
        /// The number of events that were fired again in the copies.
        steps: u64,
    },
    /// An arc, an event, a condition or a function of bindings distinguished what differs only by a renaming. The text says which one. All
    /// results of the report are without symmetry.
    Refuted(String),
}

impl fmt::Display for Symmetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUsed => f.write_str("symmetry was not used"),
            Self::Used {
                types,
                keys,
                kept,
                states,
                steps,
            } => {
                write!(
                    f,
                    "states that differ only by which entity is which were one state: {}",
                    types.join(", ")
                )?;
                if !keys.is_empty() {
                    write!(f, "; without a meaning of the keys of {}", keys.join(", "))?;
                }
                for kept in kept {
                    write!(f, "; {kept}")?;
                }
                write!(
                    f,
                    "; {steps} events in {states} states were fired again after a renaming, and agreed"
                )
            }
            Self::Refuted(why) => write!(f, "symmetry was not used: {why}"),
        }
    }
}

/// The result of [`Checker::check`](super::Checker::check).
pub struct Report<M: Model> {
    pub(super) states: usize,
    pub(super) explored: usize,
    pub(super) fired: u64,
    pub(super) depth: usize,
    /// The depth up to which all states were found.
    pub(super) complete_depth: usize,
    /// The limit that ended the exploration.
    pub(super) limit: Option<&'static str>,
    pub(super) is_complete: bool,
    pub(super) bytes: usize,
    pub(super) guard_calls: u64,
    pub(super) handler_calls: u64,
    pub(super) events: Vec<(String, EventCounts)>,
    pub(super) immediates: Vec<(String, u64)>,
    pub(super) unreached: Vec<String>,
    pub(super) undecided: Vec<String>,
    pub(super) abstractions: Vec<String>,
    pub(super) symmetry: Symmetry,
    #[cfg(feature = "draw")]
    pub(super) graph: Result<Diagram, TooManyStates>,
    pub(super) violations: Vec<Violation>,
    pub(super) elapsed: Duration,
    pub(super) model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Report<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("model", &M::NAME)
            .field("states", &self.states)
            .field("depth", &self.depth)
            .field("is_complete", &self.is_complete)
            .field("violations", &self.violations)
            .finish_non_exhaustive()
    }
}

impl<M: Model> Report<M> {
    /// Returns the number of different states that were found.
    #[must_use]
    pub fn states(&self) -> usize {
        self.states
    }

    /// Returns how often an event fired, from all states that were explored.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.fired
    }

    /// Returns the greatest number of events that the shortest way to a state has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns whether all states within the bounds were found.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the depth up to which all states were found.
    #[must_use]
    pub fn complete_depth(&self) -> usize {
        self.complete_depth
    }

    /// Returns how many bytes the tables of states and events had at the end.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how often guards were called.
    #[must_use]
    pub fn guard_calls(&self) -> u64 {
        self.guard_calls
    }

    /// Returns how often handlers were called.
    #[must_use]
    pub fn handler_calls(&self) -> u64 {
        self.handler_calls
    }

    /// Returns how often an event was tried, with the results. `None` if the model has no such event that a program can fire.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<EventCounts> {
        self.events
            .iter()
            .find(|(event, _)| event == name)
            .map(|(_, counts)| *counts)
    }

    /// Returns the names of the events that never fired, also of immediate ones.
    pub fn never_fired(&self) -> impl Iterator<Item = &str> {
        let events = self.events.iter().filter(|(_, counts)| counts.fired == 0);
        let immediates = self.immediates.iter().filter(|(_, fired)| *fired == 0);
        events
            .map(|(name, _)| &**name)
            .chain(immediates.map(|(name, _)| &**name))
    }

    /// Returns the states in which no entity was found, as `Want: Canceled`.
    #[must_use]
    pub fn unreached(&self) -> &[String] {
        &self.unreached
    }

    /// Returns the properties that an exploration which is not complete could not decide.
    #[must_use]
    pub fn undecided(&self) -> &[String] {
        &self.undecided
    }

    /// Returns what was ignored when states were compared, and what was not tried.
    #[must_use]
    pub fn abstractions(&self) -> &[String] {
        &self.abstractions
    }

    /// Returns whether states that differ only by which entity is which were one state.
    #[must_use]
    pub fn symmetry(&self) -> &Symmetry {
        &self.symmetry
    }

    /// Returns a picture of the states that were found, with the events between them, which can be written as SVG, DOT or Mermaid.
    /// An arrow from a dot leads to the first state. A state in which no event fires has a second outline, and one that violates a
    /// property says so.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::check::Checker;
    /// use lamps::{Bought, Lamp};
    ///
    /// let report = Checker::<lamps::Model>::new()
    ///     .entities::<Lamp>(1)
    ///     .values::<Bought, _>("room", ["hall"])
    ///     .assert_properties();
    /// let picture = report.graph()?;
    /// assert!(picture.to_svg().starts_with("<svg"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there are more than 200 states.
    #[cfg(feature = "draw")]
    pub fn graph(&self) -> Result<&Diagram, TooManyStates> {
        self.graph.as_ref().map_err(TooManyStates::clone)
    }

    /// Returns the violations.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Panics if there is a violation. The message has all of them, each with a Rust test.
    ///
    /// # Panics
    /// If there is a violation.
    #[track_caller]
    pub fn assert_properties(&self) {
        if self.violations.is_empty() {
            return;
        }
        let mut text = format!("{self}");
        for violation in &self.violations {
            let _ = write!(text, "\n{violation}");
        }
        panic!("{text}");
    }
}

impl<M: Model> fmt::Display for Report<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = match (self.is_complete, self.limit) {
            (true, _) => format!("complete, depth {}", self.depth),
            (_, Some(limit)) => format!(
                "complete up to depth {}, where the limit of {limit} was reached",
                self.complete_depth
            ),
            _ => format!(
                "complete up to depth {}, where it ended",
                self.complete_depth
            ),
        };
        let seconds = self.elapsed.as_secs_f64();
        writeln!(f, "{}: {} states, {extent}", M::NAME, self.states)?;
        writeln!(
            f,
            "events fired: {} from {} states in {seconds:.2} s, {:.0} states per second, {:.1} MB; calls of guards: {}, of handlers: {}",
            self.fired,
            self.explored,
            self.states as f64 / seconds.max(f64::MIN_POSITIVE),
            self.bytes as f64 / 1e6,
            self.guard_calls,
            self.handler_calls
        )?;
        for (name, counts) in &self.events {
            let EventCounts {
                tried,
                fired,
                rejected,
                cut,
            } = counts;
            writeln!(
                f,
                "  {name}: {fired} fired, {rejected} rejected, {cut} cut, of {tried} tried"
            )?;
        }
        for (name, fired) in &self.immediates {
            writeln!(f, "  {name}: {fired} fired by itself")?;
        }
        if !self.unreached.is_empty() {
            writeln!(f, "never reached: {}", self.unreached.join(", "))?;
        }
        for abstraction in &self.abstractions {
            writeln!(f, "{abstraction}")?;
        }
        if self.symmetry != Symmetry::NotUsed {
            writeln!(f, "{}", self.symmetry)?;
        }
        for undecided in &self.undecided {
            writeln!(f, "not decided: {undecided}")?;
        }
        Ok(())
    }
}
