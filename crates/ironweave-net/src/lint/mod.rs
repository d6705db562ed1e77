//! Lints: what the structure of a net shows to be a mistake in its model.
//!
//! The net allows more than the program does. Guards, invariants and conditions on values only forbid steps, and a handler can do no
//! more than its event permits. A choice binds one of the tokens that the net allows. So what can never happen in the net never happens in the program either, and such a finding is
//! [certain](Certainty::Program). What can happen in the net may be impossible in the program, and such a finding is one of the
//! [net](Certainty::Net).
//!
//! The places that are never reached are the largest siphon of the net that has no token initially, and the states that
//! cannot be left are its traps; see T. Murata, "Petri Nets: Properties, Analysis and Applications" (1989).

mod amounts;
mod due;
mod immediate;
mod lifecycle;
mod links;
mod reach;
mod report;
mod worlds;

use std::collections::BTreeSet;
use std::fmt;

use crate::{Net, PlaceIx};

use reach::Reach;

pub use report::report;

/// A set of states of one entity type.
type States = BTreeSet<PlaceIx>;

/// A finding of [`Net::lint`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub lint: Lint,
    /// The items of the model, by name: `Bed::Cleaning`.
    pub subject: String,
    /// What the finding is certain for.
    pub certainty: Certainty,
    /// The finding as a sentence, with its reason.
    pub message: String,
}

/// What a finding is certain for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// For the program, whatever its guards, handlers and callers do, if its log begins with this model. A migration can make what no
    /// event makes.
    Program,
    /// For the net only: guards, invariants, the values of fields and the calls of the program may rule it out.
    Net,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lint {
    /// No event creates an entity of the type.
    EntityNeverCreated,
    /// No event has an arc into the state.
    StateNeverEntered,
    /// Events have arcs into the state, and none of these arcs can ever act.
    StateNeverReached,
    /// The state is not terminal, and nothing moves an entity out of it or deletes it.
    StateNeverLeft,
    /// The entity type has terminal states or is deleted, and from these states neither is possible.
    NeverEnds,
    /// The event can never fire.
    EventNeverFires,
    /// The event can fire, and the arc never changes anything.
    ArcNeverActs,
    /// Immediate events can enable each other without end.
    ImmediateLoop,
    /// No event links entities by the edge.
    EdgeNeverLinked,
    /// The event has a time at which it is due, and no entity for which it can fire is ever in the state that has the time.
    NeverDue,
    /// The event is still due when it has fired.
    DueAgain,
    /// Note: the end of an edge is `counted`, and no condition of the model reads it.
    CounterUnwatched,
    /// Note: the lifecycle allows a move that no event makes.
    MoveNeverMade,
    /// Note: in which states an entity has a link.
    LinkedInStates,
    /// Note: a newer version of ironweave has written arcs that are not considered.
    UnknownArcs,
}

impl Lint {
    /// Returns the name, which an accepted finding begins with: `state_never_left`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EntityNeverCreated => "entity_never_created",
            Self::StateNeverEntered => "state_never_entered",
            Self::StateNeverReached => "state_never_reached",
            Self::StateNeverLeft => "state_never_left",
            Self::NeverEnds => "never_ends",
            Self::EventNeverFires => "event_never_fires",
            Self::ArcNeverActs => "arc_never_acts",
            Self::ImmediateLoop => "immediate_loop",
            Self::EdgeNeverLinked => "edge_never_linked",
            Self::NeverDue => "never_due",
            Self::DueAgain => "due_again",
            Self::CounterUnwatched => "counter_unwatched",
            Self::MoveNeverMade => "move_never_made",
            Self::LinkedInStates => "linked_in_states",
            Self::UnknownArcs => "unknown_arcs",
        }
    }

    /// Returns whether it is a note, which is worth knowing and no mistake.
    #[must_use]
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Self::CounterUnwatched | Self::MoveNeverMade | Self::LinkedInStates | Self::UnknownArcs
        )
    }
}

impl Finding {
    fn certain(lint: Lint, subject: impl Into<String>, message: String) -> Self {
        Self {
            lint,
            subject: subject.into(),
            certainty: Certainty::Program,
            message,
        }
    }

    /// Returns the name by which the finding is accepted: `state_never_left Bed::Cleaning`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.lint.name(), self.subject)
    }

    /// Returns whether it is a note, which is worth knowing and no mistake.
    #[must_use]
    pub fn is_note(&self) -> bool {
        self.lint.is_note()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns the name of an entity type with its article.
fn a(name: &str) -> String {
    match name.starts_with(['A', 'E', 'I', 'O']) {
        true => format!("an {name}"),
        false => format!("a {name}"),
    }
}

impl Net {
    /// Looks for mistakes that the structure of the net shows, and returns them with notes on what is worth knowing.
    ///
    /// The net is not explored. The time is polynomial in the size of the model, except for the conditions of the immediate events
    /// of one entity type together, and the paths of one event. Where these are too many, findings on loops become less exact,
    /// and notes are left out.
    ///
    /// ```
    /// # use ironweave_net::Net;
    /// # use ironweave_schema::Schema;
    /// # let schema = Schema::default();
    /// let net = Net::of(&schema)?;
    /// for finding in net.lint() {
    ///     println!("{finding}");
    /// }
    /// # Ok::<(), ironweave_schema::Invalid>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let reach = Reach::of(self);
        let mut found = lifecycle::findings(self, &reach);
        found.extend(immediate::findings(self, &reach));
        found.extend(links::findings(self, &reach));
        found.extend(due::findings(self, &reach));
        // An item that is not known may enable anything.
        let unknown: Vec<_> = self.transitions.iter().filter(|t| t.unknown > 0).collect();
        if !unknown.is_empty() {
            found.retain(|finding| finding.lint != Lint::LinkedInStates);
            for finding in &mut found {
                finding.certainty = Certainty::Net;
            }
        }
        for transition in unknown {
            found.push(Finding::certain(
                Lint::UnknownArcs,
                &transition.name,
                format!(
                    "{} has {} arcs or permissions that a newer version of ironweave has written, and that are not considered",
                    transition.name, transition.unknown
                ),
            ));
        }
        found.sort_by_key(|finding| finding.lint);
        found
    }
}

#[cfg(test)]
mod tests;
